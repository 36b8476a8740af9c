/* authz.h - floor 6: may they. A union of authorizers behind one interface, in the order of --authorization-mode; the first
 * with an opinion decides, and nobody having one means no.
 * Threads: made before the first request, then asked by any thread.
 * Source: kubernetes/apiserver pkg/authorization/union, pkg/endpoints/filters/authorization.go. */
#pragma once

#include "base.h"
#include "http.h"

enum authz_decision { AUTHZ_NO_OPINION, AUTHZ_ALLOW, AUTHZ_DENY };

/* What is asked: by the filter of the request at hand, by reviews of any. */
struct authz_attributes {
    const struct user_info *user;
    const struct request_info *info; /* verb, resource or not */
    struct text path;
};

struct authz_mode {
    const char *name; /* "AlwaysAllow", as the flag has it */
    /* Any thread, must not block. *ret_reason: for logs and reviews; static or in the arena. */
    enum authz_decision (*authorize)(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                                     struct text *ret_reason);
    void (*free)(struct authz_mode *m);
};

/* A mode of --authorization-mode by its name. BAD_REQUEST names the ones that there are. */
int authz_mode_new(struct text name, struct authz_mode **ret, struct status *st);

struct authorizer *authorizer_new(struct authz_mode **modes /* taken */, size_t n);
void authorizer_free(struct authorizer *a);
enum authz_decision authorizer_ask(struct authorizer *a, struct arena *arena, const struct authz_attributes *attrs,
                                   struct text *ret_reason);
/* The message of a 403, as upstream words it: `User "x" cannot list resource "pods" in API group "" in the namespace "y"`. */
struct text authz_forbidden_text(struct arena *a, const struct authz_attributes *attrs);

/* Lets the request on or answers 403. Finds its authorizer in r->wiring. */
extern const struct filter filter_authorization;
