/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption at rest with local keys: what lies in the store, who reads whose values, what a file may not say. The words of
 * refusals are those of kube-apiserver 1.36 (pkg/apis/apiserver/validation/validation_encryption_test.go has most of them). */
#include "storage/encryption.h"

#include "things.h"

#define KEY_A "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" /* 32 bytes */
#define KEY_B "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
#define KEY_16 "MDEyMzQ1Njc4OWFiY2RlZg=="
#define HEAD "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n"

static const struct resource_type secrets = {.name = TEXT("secrets"), .version = TEXT("v1"), .is_namespaced = true,
                                             .storage_prefix = TEXT("secrets")};
static const struct resource_type deployments = {.name = TEXT("deployments"), .group = TEXT("apps"),
                                                 .version = TEXT("v1"), .storage_prefix = TEXT("deployments")};
static const struct text plain = TEXT("{\"kind\":\"Secret\",\"data\":{}}");
static const struct text key = TEXT("/registry/secrets/ns/a");

static char folder[64];
static struct timers *timers;

static void setup(void)
{
    snprintf(folder, sizeof(folder), "/tmp/keelson-encryption-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    timers = timers_start();
}

static void teardown(void)
{
    char command[128];
    timers_stop(timers);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_config(const char *content)
{
    struct status st = {0};
    char path[128];
    snprintf(path, sizeof(path), "%s/enc.yaml", folder);
    ck_assert_int_eq(file_write(path, text_of(content), 0600, &st), 0);
}

static int start(const char *content, bool reloads, struct encryption **ret, struct status *st)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/enc.yaml", folder);
    write_config(content);
    const struct encryption_options opt = {.path = path, .reloads = reloads, .server_id = "test", .timers = timers};
    return encryption_start(&opt, ret, st);
}

static struct encryption *started(const char *content)
{
    struct encryption *e = NULL;
    struct status st = {0};
    int rc = start(content, false, &e, &st);
    ck_assert_msg(rc == 0, "%s", st.message);
    return e;
}

static struct buffer sealed(struct encryption *e, const struct resource_type *type, uint32_t *ret_id)
{
    struct buffer b = BUFFER_INIT;
    struct status st = {0};
    int rc = encryption_seal(e, type, key, plain, &b, ret_id, &st);
    ck_assert_msg(rc == 0, "%s", st.message);
    return b;
}

/* The error, or NULL: it was the plain text. */
static const char *opened(struct encryption *e, const struct resource_type *type, struct text at, struct text stored,
                          uint32_t *ret_id)
{
    static char why[512];
    struct buffer scratch = BUFFER_INIT;
    struct status st = {0};
    struct text got;
    int rc = encryption_open(e, type, at, stored, &scratch, &got, ret_id, &st);
    if (rc == 0)
        ck_assert(text_eq(got, plain));
    else
        snprintf(why, sizeof(why), "%s", st.message);
    buffer_deinit(&scratch);
    status_clear(&st);
    return rc == 0 ? NULL : why;
}

static const struct {
    const char *provider, *prefix;
    size_t overhead;
} ciphers[] = {
    {"aescbc: {keys: [{name: k1, secret: " KEY_A "}]}", "k8s:enc:aescbc:v1:k1:", 0},
    {"aescbc: {keys: [{name: k1, secret: " KEY_16 "}]}", "k8s:enc:aescbc:v1:k1:", 0},
    {"aesgcm: {keys: [{name: k1, secret: " KEY_A "}]}", "k8s:enc:aesgcm:v1:k1:", 12 + 16},
    {"aesgcm: {keys: [{name: k1, secret: " KEY_16 "}]}", "k8s:enc:aesgcm:v1:k1:", 12 + 16},
    {"secretbox: {keys: [{name: k1, secret: " KEY_A "}]}", "k8s:enc:secretbox:v1:k1:", 24 + 16},
};

START_TEST(values_come_back_from_every_cipher)
{
    for (size_t i = 0; i < N_ELEMENTS(ciphers); i++) {
        char config[512];
        uint32_t id, read_id;
        snprintf(config, sizeof(config), HEAD "- resources: [secrets]\n  providers: [{%s}]\n", ciphers[i].provider);
        struct encryption *e = started(config);
        struct buffer b = sealed(e, &secrets, &id), again = sealed(e, &secrets, &id);
        size_t prefix = strlen(ciphers[i].prefix);
        ck_assert(text_starts(buffer_text(&b), text_of(ciphers[i].prefix)));
        ck_assert(!text_eq(buffer_text(&b), buffer_text(&again)));
        if (ciphers[i].overhead)
            ck_assert_uint_eq(b.n, prefix + ciphers[i].overhead + plain.n);
        else
            ck_assert_uint_eq((b.n - prefix) % 16, 0);
        ck_assert_ptr_null(opened(e, &secrets, key, buffer_text(&b), &read_id));
        ck_assert_uint_eq(id, read_id);
        ck_assert_uint_eq(id, encryption_write_id(e, &secrets));
        /* Damage is noticed, cutting short too; but CBC authenticates nothing, so there only the end is sure to show. */
        for (size_t cut = prefix; cut < b.n; cut += 5)
            ck_assert_ptr_nonnull(opened(e, &secrets, key, text_first(buffer_text(&b), cut), &read_id));
        if (ciphers[i].overhead) {
            b.p[prefix + 3] ^= 1;
            ck_assert_ptr_nonnull(opened(e, &secrets, key, buffer_text(&b), &read_id));
        }
        buffer_deinit(&b);
        buffer_deinit(&again);
        encryption_stop(e);
    }
}
END_TEST

START_TEST(a_value_under_another_key_is_not_authentic)
{
    struct encryption *e = started(HEAD "- resources: [secrets]\n  providers: [{aesgcm: {keys: [{name: k1, secret: " KEY_A
                                        "}]}}]\n");
    uint32_t id;
    struct buffer b = sealed(e, &secrets, &id);
    ck_assert_str_eq(opened(e, &secrets, TEXT("/registry/secrets/ns/b"), buffer_text(&b), &id),
                     "cipher: message authentication failed");
    buffer_deinit(&b);
    encryption_stop(e);
}
END_TEST

START_TEST(the_first_key_writes_and_all_read)
{
    uint32_t old_id, id;
    struct encryption *old = started(HEAD "- resources: [secrets]\n  providers: [{aescbc: {keys: [{name: k1, secret: " KEY_A
                                          "}]}}]\n");
    struct buffer b = sealed(old, &secrets, &old_id);
    encryption_stop(old);

    static const char *const later[] = {
        HEAD "- resources: [secrets]\n  providers: [{aescbc: {keys: [{name: k2, secret: " KEY_B "},{name: k1, secret: " KEY_A
             "}]}}]\n",
        HEAD "- resources: [secrets]\n  providers: [{aescbc: {keys: [{name: k2, secret: " KEY_B
             "}]}}, {aescbc: {keys: [{name: k1, secret: " KEY_A "}]}}]\n",
        /* The same name, another key: the first fails, the second fits. */
        HEAD "- resources: [secrets]\n  providers: [{aescbc: {keys: [{name: k1, secret: " KEY_B
             "}]}}, {aescbc: {keys: [{name: k1, secret: " KEY_A "}]}}]\n",
        HEAD "- resources: [secrets]\n  providers: [{identity: {}}, {aescbc: {keys: [{name: k1, secret: " KEY_A "}]}}]\n",
        HEAD "- resources: [secrets]\n  providers: [{secretbox: {keys: [{name: k1, secret: " KEY_A
             "}]}}, {aescbc: {keys: [{name: k1, secret: " KEY_A "}]}}, {identity: {}}]\n",
    };
    for (size_t i = 0; i < N_ELEMENTS(later); i++) {
        struct encryption *e = started(later[i]);
        ck_assert_ptr_null(opened(e, &secrets, key, buffer_text(&b), &id));
        ck_assert_uint_eq(id, old_id);
        ck_assert_uint_ne(encryption_write_id(e, &secrets), old_id); /* so it is stale */
        encryption_stop(e);
    }
    buffer_deinit(&b);
}
END_TEST

START_TEST(what_no_key_opens_says_so)
{
    uint32_t id;
    struct encryption *e = started(HEAD "- resources: [secrets]\n  providers: [{aescbc: {keys: [{name: k1, secret: " KEY_A
                                        "}]}}]\n");
    ck_assert_str_eq(opened(e, &secrets, key, TEXT("k8s:enc:secretbox:v1:x:..."), &id), "no matching prefix found");
    ck_assert_str_eq(opened(e, &secrets, key, TEXT("{}"), &id), "no matching prefix found");
    ck_assert_str_eq(opened(e, &secrets, key, TEXT("k8s:enc:aescbc:v1:k2:..."), &id),
                     "no matching key was found for the provided AES transformer");
    ck_assert_str_eq(opened(e, &deployments, key, TEXT("k8s:enc:aescbc:v1:k1:..."), &id),
                     "identity transformer tried to read encrypted data");
    ck_assert_str_eq(opened(NULL, &secrets, key, TEXT("k8s:enc:aescbc:v1:k1:..."), &id),
                     "identity transformer tried to read encrypted data");
    ck_assert_str_eq(opened(e, &secrets, key, TEXT("k8s:enc:aescbc:v1:k1:short"), &id),
                     "the stored data was shorter than the required size");
    encryption_stop(e);
}
END_TEST

START_TEST(the_nearest_rule_is_taken)
{
    static const struct resource_type pods = {.name = TEXT("pods")}, events = {.name = TEXT("events")},
                                      pandas = {.name = TEXT("pandas"), .group = TEXT("bears.example")};
    struct encryption *e = started(HEAD "- resources: [events]\n  providers: [{identity: {}}]\n"
                                        "- resources: [deployments.apps]\n  providers: [{aescbc: {keys: [{name: d, secret: " KEY_A
                                        "}]}}]\n"
                                        "- resources: ['*.apps']\n  providers: [{aesgcm: {keys: [{name: g, secret: " KEY_A
                                        "}]}}]\n"
                                        "- resources: ['*.']\n  providers: [{secretbox: {keys: [{name: c, secret: " KEY_A
                                        "}]}}]\n"
                                        "- resources: ['*.*']\n  providers: [{aescbc: {keys: [{name: all, secret: " KEY_A
                                        "}]}}]\n");
    static const struct resource_type sets = {.name = TEXT("replicasets"), .group = TEXT("apps")};
    const struct {
        const struct resource_type *type;
        const char *prefix;
    } rows[] = {{&deployments, "k8s:enc:aescbc:v1:d:"}, {&sets, "k8s:enc:aesgcm:v1:g:"}, {&pods, "k8s:enc:secretbox:v1:c:"},
                {&pandas, "k8s:enc:aescbc:v1:all:"},    {&events, "{"}};
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        uint32_t id;
        struct buffer b = sealed(e, rows[i].type, &id);
        ck_assert_msg(text_starts(buffer_text(&b), text_of(rows[i].prefix)), "row %zu", i);
        buffer_deinit(&b);
    }
    encryption_stop(e);
}
END_TEST

#define AES(keys) "- resources: [secrets]\n  providers: [{aescbc: {keys: [" keys "]}}]\n"
#define KMS(members) "- resources: [secrets]\n  providers: [{kms: {" members "}}]\n"
#define GOOD_KEY "{name: k, secret: " KEY_A "}"
#define FOR(resources) "- resources: [" resources "]\n  providers: [{identity: {}}]\n"

static const struct {
    const char *config, *words;
} refusals[] = {
    {"", "is empty"},
    {"kind: Secret\napiVersion: v1\n", "no kind \"Secret\" is registered for version \"v1\""},
    {"apiVersion: v1\n", "Object 'Kind' is missing"},
    {HEAD " []\n", "resources: Required value: at least one resources is required"},
    {HEAD "- providers: [{identity: {}}]\n",
     "resources[0].resources: Required value: at least one resources[0].resources is required"},
    {HEAD "- resources: [secrets]\n",
     "resources[0].providers: Required value: at least one resources[0].providers is required"},
    {HEAD "- resources: secrets\n", "resources[0].resources: expected a list"},
    {HEAD "- resources: [secrets]\n  provider: []\n", "strict decoding error: unknown field \"resources[0].provider\""},
    {HEAD "- resources: [secrets]\n  providers: [{}]\n",
     "resources[0].providers[0]: Invalid value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, "
     "Secretbox, Identity"},
    {HEAD "- resources: [secrets]\n  providers: [{identity: {}, aescbc: {keys: [" GOOD_KEY "]}}]\n",
     "resources[0].providers[0]: Invalid value: more than one provider specified in a single element, should split into "
     "different list elements"},
    {HEAD AES(""), "resources[0].providers[0].aescbc.keys: Required value: at least one keys is required"},
    {HEAD AES("{secret: " KEY_A "}"),
     "resources[0].providers[0].aescbc.keys[0].name: Required value: name is a mandatory field for a key"},
    {HEAD AES("{name: k}"),
     "resources[0].providers[0].aescbc.keys[0].secret: Required value: secret is a mandatory field for a key"},
    {HEAD AES("{name: k, secret: '#'}"),
     "resources[0].providers[0].aescbc.keys[0].secret: Invalid value: \"REDACTED\": secrets must be base64 encoded"},
    {HEAD AES("{name: k, secret: YQ==}"), "resources[0].providers[0].aescbc.keys[0].secret: Invalid value: \"REDACTED\": secret "
                                          "is not of the expected length, got 1, expected one of [16 24 32]"},
    {HEAD "- resources: [secrets]\n  providers: [{secretbox: {keys: [{name: k, secret: " KEY_16 "}]}}]\n",
     "secret is not of the expected length, got 16, expected one of [32]"},
    {HEAD FOR("secrets, secrets"), "resources[0].resources: Invalid value: [\"secrets\",\"secrets\"]: the same resource cannot "
                                   "be specified multiple times"},
    {HEAD FOR("secrets, '*.'"), "resources[0].resources: Invalid value: [\"secrets\",\"*.\"]: using overlapping resources such "
                                "as 'secrets' and '*.' in the same resource list is not allowed as they will be masked"},
    {HEAD FOR("'*.*', pods"), "using overlapping resources"},
    {HEAD FOR("Secrets"),
     "resources[0].resources[0]: Invalid value: \"Secrets\": resource name should not contain capital letters"},
    {HEAD FOR("'*'"), "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"},
    {HEAD FOR("serviceipallocations"), "resources which do not have REST API/s cannot be encrypted"},
    {HEAD FOR("events.events.k8s.io"), "objects are stored using the 'events' API group in etcd"},
    {HEAD FOR("ingresses.extensions"), "'extensions' group has been removed and cannot be used for encryption"},
    {HEAD FOR("'pods.*'"), "encrypting the same resource across groups is not supported"},
    {HEAD FOR("'*.'") FOR("secrets"), "error while building transformers: resource \"secrets\" is masked by earlier rule \"*.\""},
    {HEAD FOR("'*.*'") FOR("pods.apps"), "resource \"pods.apps\" is masked by earlier rule \"*.*\""},
    {HEAD KMS("name: a, endpoint: 'unix:///x'"),
     "error while building transformers: KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 "
     "instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature."},
    {HEAD KMS("apiVersion: v2, endpoint: 'unix:///x'"),
     "resources[0].providers[0].kms.name: Required value: name is a mandatory field for a provider"},
    {HEAD KMS("apiVersion: v2, name: 'a:b', endpoint: 'unix:///x'"),
     "resources[0].providers[0].kms.name: Invalid value: \"a:b\": invalid KMS provider name a:b, must not contain ':'"},
    {HEAD KMS("apiVersion: v2, name: a"),
     "resources[0].providers[0].kms.endpoint: Invalid value: \"\": endpoint is a mandatory field for a kms"},
    {HEAD KMS("apiVersion: v2, name: a, endpoint: 'tcp://x'"),
     "Invalid value: \"tcp://x\": unsupported scheme \"tcp\" for KMS provider, only unix is supported"},
    {HEAD KMS("apiVersion: v2, name: a, endpoint: 'unix:///x', cachesize: 3"),
     "resources[0].providers[0].kms.cachesize: Invalid value: 3: cachesize is not supported in v2"},
    {HEAD KMS("apiVersion: v2, name: a, endpoint: 'unix:///x', timeout: 0s"),
     "resources[0].providers[0].kms.timeout: Invalid value: \"0s\": timeout should be a positive value"},
    {HEAD KMS("apiVersion: v3, name: a, endpoint: 'unix:///x'"),
     "Invalid value: \"v3\": unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported"},
    {HEAD "- resources: [secrets]\n  providers: [{kms: {apiVersion: v2, name: a, endpoint: 'unix:///x'}}, "
          "{kms: {apiVersion: v2, name: a, endpoint: 'unix:///x'}}]\n",
     "resources[0].providers[1].kms.name: Invalid value: \"a\": duplicate KMS provider name a, names must be unique"},
    {HEAD "- resources: [secrets]\n  resources: [pods]\n", "key \"resources\" already set in map"},
};

START_TEST(a_bad_file_is_refused_in_upstreams_words)
{
    for (size_t i = 0; i < N_ELEMENTS(refusals); i++) {
        struct encryption *e;
        struct status st = {0};
        ck_assert_msg(start(refusals[i].config, false, &e, &st) < 0, "row %zu was taken", i);
        ck_assert_msg(strstr(st.message, refusals[i].words) && strstr(st.message, "/enc.yaml"), "row %zu says: %s", i,
                      st.message);
        ck_assert_ptr_null(strstr(st.message, KEY_A));
        status_clear(&st);
    }
}
END_TEST

static atomic_int n_changes;

static void count_change(struct encryption_listener *l)
{
    (void)l;
    atomic_fetch_add(&n_changes, 1);
}

START_TEST(a_changed_file_is_taken_over_if_it_is_good)
{
    struct encryption *e = NULL;
    struct status st = {0};
    uint32_t id;
    ck_assert_int_eq(start(HEAD AES(GOOD_KEY), true, &e, &st), 0);
    struct encryption_listener one = {.changed = count_change}, other = one;
    encryption_listen(e, &one);
    encryption_listen(e, &other);
    ck_assert(encryption_has_check(e));
    ck_assert_int_eq(encryption_check(e, &st), 0);
    struct buffer b = sealed(e, &secrets, &id);

    write_config(HEAD AES("{name: k, secret: YQ==}"));
    usleep(1500 * 1000);
    ck_assert_uint_eq(encryption_write_id(e, &secrets), id);
    ck_assert_int_eq(n_changes, 0);

    write_config(HEAD "- resources: [secrets]\n  providers: [{secretbox: {keys: [" GOOD_KEY "]}}, {aescbc: {keys: [" GOOD_KEY
                      "]}}]\n");
    for (int i = 0; i < 500 && n_changes < 2; i++)
        usleep(10 * 1000);
    ck_assert_int_eq(n_changes, 2);
    ck_assert_uint_ne(encryption_write_id(e, &secrets), id);
    ck_assert_ptr_null(opened(e, &secrets, key, buffer_text(&b), &id));
    encryption_unlisten(e, &one);
    encryption_unlisten(e, &other);
    buffer_deinit(&b);
    encryption_stop(e);
}
END_TEST

/* --- in a storage --------------------------------------------------------------------------------------------------- */

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    return sqlite_open(path, ret, st);
}

static struct storage *storage_with(const char *path, struct encryption *e)
{
    struct storage *s = NULL;
    struct status st = {0};
    struct storage_options opt = {.types = all_types, .n_types = 2, .timers = timers, .encryption = e};
    ck_assert_msg(open_engine(path, &opt.backend, &st) == 0, "%s", st.message);
    ck_assert_msg(storage_start(&opt, &s, &st) == 0, "%s", st.message);
    return s;
}

#define THINGS(providers) HEAD "- resources: [things]\n  providers: [" providers "]\n"
#define FIRST "{aesgcm: {keys: [{name: one, secret: " KEY_A "}]}}"
#define SECOND "{aescbc: {keys: [{name: two, secret: " KEY_B "}]}}"

START_TEST(objects_without_a_key_stand_alone_until_it_comes)
{
    char path[128];
    struct status st = {0};
    struct encryption *e;
    snprintf(path, sizeof(path), "%s/keelson.db", folder);

    e = started(THINGS(FIRST));
    struct storage *s = storage_with(path, e);
    uint64_t revision = put(s, "ns/a", "\"color\":\"red\"");
    struct object *o = cache_get(storage_cache(s, &things), TEXT("ns/a"));
    ck_assert(!storage_is_stale(s, o));
    object_unref(o);
    storage_stop(s);
    encryption_stop(e);

    ck_assert_int_eq(start(THINGS(SECOND), true, &e, &st), 0);
    s = storage_with(path, e);
    o = cache_get(storage_cache(s, &things), TEXT("ns/a"));
    ck_assert(o->is_unreadable);
    ck_assert(text_eq(object_problem(o), TEXT("no matching prefix found")));
    object_unref(o);
    put(s, "ns/b", "\"color\":\"blue\""); /* others are not concerned */
    o = cache_get(storage_cache(s, &things), TEXT("ns/b"));
    ck_assert(!o->is_unreadable);
    object_unref(o);

    write_config(THINGS(SECOND "," FIRST));
    for (int i = 0; i < 500; i++) {
        o = cache_get(storage_cache(s, &things), TEXT("ns/a"));
        if (!o->is_unreadable)
            break;
        object_unref(MOVE(o));
        usleep(10 * 1000);
    }
    ck_assert_ptr_nonnull(o);
    ck_assert_uint_eq(o->revision, revision);
    ck_assert(text_eq(o->fields[0], TEXT("red")));
    ck_assert(storage_is_stale(s, o));
    object_unref(o);
    put(s, "ns/a", "\"color\":\"red\"");
    o = cache_get(storage_cache(s, &things), TEXT("ns/a"));
    ck_assert(!storage_is_stale(s, o));
    object_unref(o);
    storage_stop(s);
    encryption_stop(e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encryption");
    TCase *tc = tcase_create("encryption");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, values_come_back_from_every_cipher);
    tcase_add_test(tc, a_value_under_another_key_is_not_authentic);
    tcase_add_test(tc, the_first_key_writes_and_all_read);
    tcase_add_test(tc, what_no_key_opens_says_so);
    tcase_add_test(tc, the_nearest_rule_is_taken);
    tcase_add_test(tc, a_bad_file_is_refused_in_upstreams_words);
    tcase_add_test(tc, a_changed_file_is_taken_over_if_it_is_good);
    tcase_add_test(tc, objects_without_a_key_stand_alone_until_it_comes);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
