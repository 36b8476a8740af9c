/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates: made once, kept, renewed before they end, never replaced when they cannot be read. */
#include "server/pki.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static const char *const dns[] = {"localhost", "kubernetes.default.svc", NULL};
static const char *const ips[] = {"127.0.0.1", "::1", "10.0.0.1", NULL};
static const struct pki_names names = {dns, ips};
static struct arena *a;
static struct status st;
static char folder[64];

static void make_folder(void)
{
    a = arena_new();
    snprintf(folder, sizeof(folder), "/tmp/keelson-pki-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct text content(const char *path)
{
    struct buffer b = BUFFER_IN(a);
    ck_assert_int_eq(file_read(path, &b, &st), 0);
    return buffer_text(&b);
}

static X509 *load(const char *path)
{
    struct text pem = content(path);
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *c = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    ck_assert_ptr_nonnull(c);
    return c;
}

START_TEST(first_start_makes_all_and_the_next_keeps_it)
{
    struct pki_paths p, again;
    struct stat info;
    make_folder();
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    X509 *serving = load(p.serving_cert), *ca = load(p.ca_cert), *admin = load(p.admin_cert);
    ck_assert_int_eq(X509_check_issued(ca, serving), X509_V_OK);
    ck_assert_int_eq(X509_check_host(serving, "kubernetes.default.svc", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_ip_asc(serving, "::1", 0), 1);
    char subject[128];
    X509_NAME_oneline(X509_get_subject_name(admin), subject, sizeof(subject));
    ck_assert_str_eq(subject, "/O=system:masters/CN=kubernetes-admin");
    ck_assert_int_eq(stat(p.ca_key, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0600);
    struct text before = content(p.serving_cert), key_before = content(p.service_account_key);
    ck_assert_int_eq(pki_ensure(a, folder, &names, &again, &st), 0);
    ck_assert(text_eq(before, content(again.serving_cert)));
    ck_assert(text_eq(key_before, content(again.service_account_key)));
    X509_free(serving);
    X509_free(ca);
    X509_free(admin);
    remove_folder();
}
END_TEST

START_TEST(a_certificate_is_renewed_a_month_before_its_end)
{
    struct pki_paths p;
    make_folder();
    int64_t now = clock_now_ns();
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    struct text serving = content(p.serving_cert), ca = content(p.ca_cert);
    clock_fake(now + 330LL * 86400 * 1000000000);
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    ck_assert(text_eq(serving, content(p.serving_cert)));
    clock_fake(now + 340LL * 86400 * 1000000000);
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    ck_assert(!text_eq(serving, content(p.serving_cert)));
    ck_assert(text_eq(ca, content(p.ca_cert)));
    clock_real();
    remove_folder();
}
END_TEST

START_TEST(a_new_name_needs_a_new_certificate)
{
    static const char *const more[] = {"127.0.0.1", "::1", "10.0.0.1", "192.0.2.7", NULL};
    const struct pki_names other = {dns, more};
    struct pki_paths p;
    make_folder();
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    struct text before = content(p.serving_cert), admin = content(p.admin_cert);
    ck_assert_int_eq(pki_ensure(a, folder, &other, &p, &st), 0);
    ck_assert(!text_eq(before, content(p.serving_cert)));
    ck_assert(text_eq(admin, content(p.admin_cert)));
    remove_folder();
}
END_TEST

START_TEST(what_cannot_be_read_is_not_replaced)
{
    struct pki_paths p;
    make_folder();
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    ck_assert_int_eq(file_write(p.ca_key, TEXT("garbage"), 0600, &st), 0);
    ck_assert_int_lt(pki_ensure(a, folder, &names, &p, &st), 0);
    ck_assert_ptr_nonnull(strstr(st.message, "ca.key holds no PEM private key"));
    ck_assert(text_eq(content(p.ca_key), TEXT("garbage")));
    remove_folder();
}
END_TEST

START_TEST(half_a_pair_is_made_anew)
{
    struct pki_paths p;
    make_folder();
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    unlink(p.serving_cert);
    ck_assert_int_eq(pki_ensure(a, folder, &names, &p, &st), 0);
    X509_free(load(p.serving_cert));
    remove_folder();
}
END_TEST

START_TEST(kubeconfig_holds_everything)
{
    char path[96];
    struct value root;
    make_folder();
    snprintf(path, sizeof(path), "%s/admin.kubeconfig", folder);
    ck_assert_int_eq(kubeconfig_write(path, "https://127.0.0.1:6443", TEXT("ca"), TEXT("cert"), TEXT("key"), &st), 0);
    ck_assert_int_eq(yaml_read(a, content(path), &(struct json_options){0}, &root, &st), 0);
    struct value *cluster = value_get(&value_get(&root, TEXT("clusters"))->items[0], TEXT("cluster"));
    ck_assert(text_is(value_get_text(cluster, TEXT("server")), "https://127.0.0.1:6443"));
    ck_assert(text_is(value_get_text(cluster, TEXT("certificate-authority-data")), "Y2E="));
    remove_folder();
}
END_TEST

UNIT_MAIN("pki", first_start_makes_all_and_the_next_keeps_it, a_certificate_is_renewed_a_month_before_its_end,
          a_new_name_needs_a_new_certificate, what_cannot_be_read_is_not_replaced, half_a_pair_is_made_anew,
          kubeconfig_holds_everything)
