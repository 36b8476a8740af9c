/* authn.h - floor 7: who asks. A union of methods behind one interface; the first that knows the credential decides.
 * Threads: the methods are made before the first request and then asked by any thread. Errors: a method that is sure that a
 * credential is bad says AUTHN_REFUSED; the client is told no more than "Unauthorized".
 * Source: kubernetes/apiserver pkg/authentication/request/union and pkg/endpoints/filters/authentication.go. */
#pragma once

#include "base.h"
#include "http.h"

enum authn_decision {
    AUTHN_NO_OPINION, /* no credential of this kind: ask the next */
    AUTHN_KNOWN,      /* the user is set */
    AUTHN_REFUSED,    /* a credential of this kind that is no good; later methods may still know it */
};

/* One method. A new one is a file with such a struct and its constructor. */
struct authn_method {
    const char *name; /* "x509", "tokenfile" */
    /* Any thread, must not block. The user's strings are in r->arena. */
    enum authn_decision (*authenticate)(struct authn_method *m, struct request *r, struct user_info *ret);
    void (*free)(struct authn_method *m);
};

/* Client certificates (--client-ca-file): verified against the CAs with the key usage clientAuth, CN is the name, O the groups,
 * attribute 1.3.6.1.4.1.57683.2 the uid. Fails for a file that holds no certificate. */
int authn_x509_new(const char *ca_file, struct authn_method **ret, struct status *st);
/* Bearer tokens of a CSV file (--token-auth-file): token,user,uid[,"group1,group2"]. */
int authn_token_file_new(const char *file, struct authn_method **ret, struct status *st);

struct authn_options {
    struct authn_method **methods; /* in order; taken */
    size_t n_methods;
    bool allow_anonymous;
    /* Paths on which a request without credentials is let in as system:anonymous; NULL: everywhere. A const
     * NULL-terminated array. */
    const char *const *anonymous_paths;
};
struct authenticator *authenticator_new(const struct authn_options *opt);
void authenticator_free(struct authenticator *a);

/* Fills r->user or answers 401. Finds its authenticator in r->wiring. */
extern const struct filter filter_authentication;

#define USER_ANONYMOUS "system:anonymous"
#define GROUP_AUTHENTICATED "system:authenticated"
#define GROUP_UNAUTHENTICATED "system:unauthenticated"
#define GROUP_MASTERS "system:masters"
