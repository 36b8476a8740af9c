/* SPDX-License-Identifier: Apache-2.0 */
/* A signing request says who asks, in the server's words; its spec never changes, and approval is written
 * apart from the rest of the status. Source: kubernetes pkg/registry/certificates/certificates/strategy.go.
 */
#include "registry/registry_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/base64.h"

static void set_user(struct arena *a, struct value *spec, const struct user_info *user)
{
    static const struct text members[] = {TEXT("username"), TEXT("uid"), TEXT("groups"), TEXT("extra")};

    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        value_remove(spec, members[i]);
    if (!user)
        return;
    value_set(a, spec, TEXT("username"), value_string(user->name));
    if (user->uid.n)
        value_set(a, spec, TEXT("uid"), value_string(user->uid));
    if (user->n_groups)
        value_set(a, spec, TEXT("groups"), value_texts(a, user->groups, user->n_groups));
    struct value extra = value_object();
    for (size_t i = 0; i < user->n_extra; i++)
        value_set(a, &extra, user->extra[i].key,
                  value_texts(a, user->extra[i].values, user->extra[i].n_values));
    if (extra.n)
        value_set(a, spec, TEXT("extra"), extra);
}

static void prepare_create(struct operation *op, struct value *obj)
{
    set_user(op->arena, value_object_at(op->arena, obj, TEXT("spec")), op->user);
}

static void prepare_update(struct operation *op, struct value *obj, const struct value *old)
{
    keep_member(op->arena, obj, old, TEXT("spec"));
}

static bool is_decision(const struct value *condition)
{
    struct text type = value_get_text(condition, TEXT("type"));

    return text_is(type, "Approved") || text_is(type, "Denied");
}

/* New conditions get their times; updated ones keep the time of the transition they had. */
static void set_times(struct arena *a, struct value *conditions, const struct value *before)
{
    struct value now = value_string(time_text(a, clock_now_ns()));

    for (size_t i = 0; conditions && conditions->kind == VALUE_LIST && i < conditions->n; i++) {
        struct value *c = &conditions->items[i];
        const struct value *last = NULL;
        for (size_t k = 0; before && before->kind == VALUE_LIST && k < before->n; k++) {
            if (text_eq(value_get_text(&before->items[k], TEXT("type")), value_get_text(c, TEXT("type"))))
                last = &before->items[k];
        }
        if (!value_get_text(c, TEXT("status")).n)
            value_set(a, c, TEXT("status"), value_string(TEXT("True")));
        if (!value_get_text(c, TEXT("lastUpdateTime")).n)
            value_set(a, c, TEXT("lastUpdateTime"), now);
        if (value_get_text(c, TEXT("lastTransitionTime")).n)
            continue;
        if (last && text_eq(value_get_text(last, TEXT("status")), value_get_text(c, TEXT("status"))))
            keep_member(a, c, last, TEXT("lastTransitionTime"));
        else
            value_set(a, c, TEXT("lastTransitionTime"), now);
    }
}

/* Decisions are the approval subresource's: what was decided stays, what was not is not. */
static void keep_decisions(struct arena *a, struct value *status, const struct value *before)
{
    const struct value *sent = value_get(status, TEXT("conditions")),
                       *had = value_get(before, TEXT("conditions"));
    struct value list = value_list();

    for (size_t i = 0; had && had->kind == VALUE_LIST && i < had->n; i++) {
        if (is_decision(&had->items[i]))
            value_append(a, &list, value_copy(a, &had->items[i]));
    }
    for (size_t i = 0; sent && sent->kind == VALUE_LIST && i < sent->n; i++) {
        if (!is_decision(&sent->items[i]))
            value_append(a, &list, sent->items[i]);
    }
    value_set(a, status, TEXT("conditions"), list);
}

static void prepare_status(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *status = value_object_at(op->arena, obj, TEXT("status"));
    const struct value *before = value_get(old, TEXT("status"));

    keep_decisions(op->arena, status, before);
    set_times(op->arena, value_get(status, TEXT("conditions")), value_get(before, TEXT("conditions")));
}

static bool prepare_sub(struct operation *op, struct value *obj, const struct value *old)
{
    struct value *status = value_object_at(op->arena, obj, TEXT("status"));
    const struct value *before = value_get(old, TEXT("status"));

    if (!text_is(op->sub->name, "approval"))
        return false;
    keep_member(op->arena, status, before, TEXT("certificate"));
    set_times(op->arena, value_get(status, TEXT("conditions")), value_get(before, TEXT("conditions")));
    keep_member(op->arena, obj, old, TEXT("spec"));
    return true;
}

/* --- what only a parser can tell --- */

/* NULL: a request whose signature is that of its key. Text before the block is passed over, as Go does. */
static const char *request_problem(struct text pem)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long n = 0;
    const char *problem = "PEM block type must be CERTIFICATE REQUEST";

    if (in && PEM_read_bio(in, &name, &header, &der, &n) && strcmp(name, PEM_STRING_X509_REQ) == 0) {
        const unsigned char *p = der;
        X509_REQ *req = d2i_X509_REQ(NULL, &p, n);
        EVP_PKEY *key = req && p == der + n ? X509_REQ_get0_pubkey(req) : NULL;
        problem = !key ? "x509: malformed certificate request"
                  : X509_REQ_verify(req, key) == 1
                      ? NULL
                      : "x509: the signature does not fit the key of the request";
        X509_REQ_free(req);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(in);
    ERR_clear_error();
    return problem;
}

/* NULL: certificates, each in a block of its own. */
static const char *certificate_problem(struct text pem)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    char *name, *header;
    unsigned char *der;
    long n;
    size_t n_blocks = 0;
    const char *problem = NULL;

    for (; in && !problem && PEM_read_bio(in, &name, &header, &der, &n); n_blocks++) {
        const unsigned char *p = der;
        X509 *c = NULL;
        if (strcmp(name, PEM_STRING_X509) != 0)
            problem = "only CERTIFICATE PEM blocks are allowed";
        else if (*header)
            problem = "no PEM block headers are permitted";
        else if (!(c = d2i_X509(NULL, &p, n)))
            problem = "x509: malformed certificate";
        X509_free(c);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(in);
    ERR_clear_error();
    return problem || n_blocks ? problem : "must contain at least one CERTIFICATE PEM block";
}

static struct text decoded(struct arena *a, const struct value *v)
{
    struct text bytes;

    return v && base64_decode(a, BASE64_STANDARD, value_text(v), &bytes) ? bytes : TEXT_NONE;
}

static void validate(struct operation *op, const struct value *obj, const struct value *old,
                     struct field_errors *errs)
{
    const struct value *request = value_at(obj, "spec", "request", NULL);
    const struct value *sent = value_at(obj, "status", "certificate", NULL),
                       *had = value_at(old, "status", "certificate", NULL);
    struct text pem = decoded(op->arena, sent);
    const char *problem = old ? NULL : request_problem(decoded(op->arena, request));

    if (problem)
        field_error(errs, FIELD_INVALID, "spec.request", request ? request : &value_null, "%s", problem);
    if (old && pem.n && (!had || !value_equal(sent, had)) && (problem = certificate_problem(pem))) {
        struct value shown = value_string(TEXT("<certificate data>"));
        field_error(errs, FIELD_INVALID, "status.certificate", &shown, "%s", problem);
    }
}

static const char *const spec[] = {"spec", NULL}, *const whole_status[] = {"status", NULL},
                         *const conditions[] = {"status", "conditions", NULL},
                         *const certificate[] = {"status", "certificate", NULL};
static const char *const *const of_object[] = {spec, whole_status},
                                *const *const of_status[] = {spec, conditions},
                                *const *const of_approval[] = {spec, certificate};
static const struct field_resets resets[] = {
    {"", of_object, 2}, {"status", of_status, 2}, {"approval", of_approval, 2}, {0}};

const struct strategy strategy_certificate_requests = {
    .flags = STRATEGY_CHECKS_META_AGAIN,
    .resets = resets,
    .name = NAME_PATH_SEGMENT,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .prepare_sub = prepare_sub,
    .prepare_status = prepare_status,
    .validate = validate,
};
