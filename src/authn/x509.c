/* SPDX-License-Identifier: Apache-2.0 */
/* Client certificates: the verified leaf names the user. */
#include "authn/x509_verifier.h"

struct x509_method {
    struct authn_method method;
    struct x509_verifier *verifier;
};

static enum authn_decision x509_authenticate(struct authn_method *method, struct request *r, struct user_info *ret)
{
    struct x509_method *m = CONTAINER_OF(method, struct x509_method, method);

    if (!r->n_client_certs)
        return AUTHN_NO_OPINION;
    if (!x509_verifier_check(m->verifier, r->arena, r->client_certs, r->n_client_certs, ret))
        return AUTHN_REFUSED;
    return ret->name.n ? AUTHN_KNOWN : AUTHN_NO_OPINION;
}

static void x509_free(struct authn_method *method)
{
    struct x509_method *m = CONTAINER_OF(method, struct x509_method, method);

    x509_verifier_free(m->verifier);
    free(m);
}

int authn_x509_new(const char *ca_file, struct timers *timers, struct authn_method **ret, struct status *st)
{
    struct x509_verifier *verifier;

    if (x509_verifier_new(ca_file, timers, &verifier, st) < 0)
        return -1;
    struct x509_method *m = xcalloc(1, sizeof(*m));
    m->method = (struct authn_method){.name = "x509", .authenticate = x509_authenticate, .free = x509_free};
    m->verifier = verifier;
    *ret = &m->method;
    return 0;
}
