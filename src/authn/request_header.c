/* SPDX-License-Identifier: Apache-2.0 */
/* The front proxy: a proxy that shows a certificate of its own authority says in headers who asks through it.
 * Headers of anybody else are believed by nobody: the certificate is checked first, and its name when names are given.
 * Source: kubernetes/apiserver pkg/authentication/request/headerrequest, x509.NewDynamicCAVerifier. */
#include "authn/users.h"
#include "authn/x509_verifier.h"

struct request_header_method {
    struct authn_method method;
    struct arena *arena; /* the names below */
    struct x509_verifier *verifier;
    struct request_header_names names;
};

static struct text first_value(const struct request *r, const struct text_list *names)
{
    for (size_t i = 0; i < names->n; i++)
        for (size_t j = 0; j < r->n_headers; j++)
            if (text_eq_nocase(r->headers[j].name, names->p[i])) {
                if (r->headers[j].value.n)
                    return r->headers[j].value;
                break; /* the first of a name counts */
            }
    return TEXT_NONE;
}

static void read_groups(const struct request_header_method *m, const struct request *r, struct user_info *u)
{
    u->groups = ARENA_ARRAY(r->arena, struct text, r->n_headers * (m->names.groups.n + 1));
    for (size_t i = 0; i < m->names.groups.n; i++)
        for (size_t j = 0; j < r->n_headers; j++)
            if (text_eq_nocase(r->headers[j].name, m->names.groups.p[i]) && r->headers[j].value.n)
                u->groups[u->n_groups++] = r->headers[j].value;
}

static void read_extra(const struct request_header_method *m, const struct request *r, struct user_info *u)
{
    for (size_t i = 0; i < m->names.extra_prefixes.n; i++)
        for (size_t j = 0; j < r->n_headers; j++) {
            struct text name = r->headers[j].name, prefix = m->names.extra_prefixes.p[i];
            if (name.n >= prefix.n && text_eq_nocase(text_first(name, prefix.n), prefix))
                user_extend_extra(r->arena, u, user_extra_key(r->arena, text_from(name, prefix.n)), r->headers[j].value);
        }
}

static bool is_allowed(const struct request_header_method *m, struct text common_name)
{
    return m->names.allowed.n == 0 || text_list_has(&m->names.allowed, common_name);
}

static enum authn_decision request_header_authenticate(struct authn_method *method, struct request *r,
                                                       struct user_info *ret)
{
    struct request_header_method *m = CONTAINER_OF(method, struct request_header_method, method);
    struct user_info proxy;

    if (!r->n_client_certs)
        return AUTHN_NO_OPINION;
    if (!x509_verifier_check(m->verifier, r->arena, r->client_certs, r->n_client_certs, &proxy) ||
        !is_allowed(m, proxy.name))
        return AUTHN_REFUSED;
    *ret = (struct user_info){.name = first_value(r, &m->names.user)};
    if (!ret->name.n)
        return AUTHN_NO_OPINION;
    ret->uid = first_value(r, &m->names.uid);
    read_groups(m, r, ret);
    read_extra(m, r, ret);
    return AUTHN_KNOWN;
}

static void request_header_free(struct authn_method *method)
{
    struct request_header_method *m = CONTAINER_OF(method, struct request_header_method, method);

    x509_verifier_free(m->verifier);
    arena_free(m->arena);
    free(m);
}

static struct text_list copy_names(struct arena *a, const struct text_list *from)
{
    struct text_list to = {0};

    for (size_t i = 0; i < from->n; i++)
        text_list_add(a, &to, arena_text(a, text_trim(from->p[i])));
    return to;
}

int authn_request_header_new(const char *ca_file, struct timers *timers, const struct request_header_names *names,
                             struct authn_method **ret, struct status *st)
{
    struct x509_verifier *verifier;

    if (x509_verifier_new(ca_file, timers, &verifier, st) < 0)
        return -1;
    struct request_header_method *m = xcalloc(1, sizeof(*m));
    m->method = (struct authn_method){
        .name = "requestheader", .authenticate = request_header_authenticate, .free = request_header_free};
    m->arena = arena_new();
    m->verifier = verifier;
    m->names = (struct request_header_names){.allowed = copy_names(m->arena, &names->allowed),
                                             .user = copy_names(m->arena, &names->user),
                                             .uid = copy_names(m->arena, &names->uid),
                                             .groups = copy_names(m->arena, &names->groups),
                                             .extra_prefixes = copy_names(m->arena, &names->extra_prefixes)};
    *ret = &m->method;
    return 0;
}
