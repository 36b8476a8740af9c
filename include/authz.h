/* authz.h - floor 6: may they. A union of modes behind one interface, in the order of --authorization-mode;
 * the first with an opinion decides, and nobody having one means no. Members of system:masters may do
 * everything before any mode is asked. Threads: made before the first request, then asked by any thread.
 * Source: kubernetes/apiserver pkg/authorization/union, pkg/endpoints/filters/authorization.go. */
#pragma once

#include "base.h"
#include "http.h"
#include "registry.h"

enum authz_decision {
    AUTHZ_NO_OPINION,
    AUTHZ_ALLOW,
    AUTHZ_DENY,
    AUTHZ_WOULD_BLOCK, /* the mode must wait for somebody: ask again on a thread that may */
};

/* What is asked: by the filter of the request at hand, by reviews of any. */
struct authz_attributes {
    const struct user_info *user;
    const struct request_info *info; /* verb, resource or not */
    struct text path;                /* of what is no resource */
    /* What a list, watch or deletecollection is narrowed to. NULL: nothing is, or the selector does not
     * parse, which counts as asking for everything. Field selectors know SELECT_EQUALS and SELECT_NOT_EQUALS,
     * one value each. */
    const struct selector *fields, *labels;
    bool may_block;
};

/* Texts are static or in the arena of the question. */
struct authz_answer {
    enum authz_decision decision;
    struct text reason; /* for 403s, reviews and the audit trail */
    struct text error;  /* what kept a mode from a full look; empty: nothing */
};

/* --- rules: how RBAC says what is allowed, and what a SelfSubjectRulesReview shows --- */

struct text_span {
    const struct text *p;
    size_t n;
};
/* As rbac.authorization.k8s.io/v1 PolicyRule: resources of groups, perhaps by name, or paths. */
struct policy_rule {
    struct text_span verbs, groups, resources, names, urls;
};
/* What a user may do in a namespace, as far as modes can list it. All in one arena. */
struct authz_rules {
    struct arena *arena;
    struct policy_rule *p;
    size_t n, cap;
    bool is_incomplete;      /* some mode cannot list its rules */
    struct text_list errors; /* one for each mode that had some */
};
void authz_rules_add(struct authz_rules *rules, const struct policy_rule *rule);

/* --- modes --- */

struct authz_mode {
    const char *type; /* "RBAC", as the flag has it */
    const char *name; /* "rbac": of the metrics; a configuration file names webhooks */
    /* Any thread. Must not block unless attrs->may_block: AUTHZ_WOULD_BLOCK then. ret comes zeroed: no
     * opinion. */
    void (*authorize)(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                      struct authz_answer *ret);
    /* Adds what the user may do in the namespace. NULL: nothing to add. */
    void (*list_rules)(struct authz_mode *m, const struct user_info *user, struct text namespace,
                       struct authz_rules *rules);
    void (*free)(struct authz_mode *m);
    bool may_block; /* asks others */
    /* The union's. */
    _Atomic(struct metric_cell *) decisions[2]; /* allowed, denied */
    atomic_uint refs;                           /* sets of modes that it is in */
};

struct authz_options {
    struct registry *registry; /* borrowed until authorizer_free; NULL: no RBAC and no Node */
    struct workers *workers;   /* likewise; NULL: watches that the store ends do not begin again */
    const char *policy_file;   /* of ABAC */
    const char *webhook_config_file, *webhook_version; /* a kubeconfig; "v1" or "v1beta1" */
    int64_t webhook_authorized_ttl_ms, webhook_unauthorized_ttl_ms;
};
/* A mode of --authorization-mode by its name. BAD_REQUEST names the ones that there are. */
int authz_mode_new(struct text name, const struct authz_options *opt, struct authz_mode **ret,
                   struct status *st);

struct authorizer *authorizer_new(struct authz_mode **modes /* taken */, size_t n);
void authorizer_free(struct authorizer *a);
/* Asks these from now on; modes that are asked already may be among them, those that are not any more are
 * freed. Takes the new ones. One caller at a time. */
void authorizer_replace(struct authorizer *a, struct authz_mode **modes, size_t n);
/* --authorization-config: the modes that the file names, and what changes in it later. */
struct authz_config;
int authz_config_start(const char *path, const struct authz_options *opt, struct timers *timers,
                       struct authorizer **ret_authorizer, struct authz_config **ret, struct status *st);
void authz_config_stop(struct authz_config *c); /* accepts NULL; before authorizer_free */
/* The decision, which ret has too. AUTHZ_WOULD_BLOCK only if the attributes do not allow to block. */
enum authz_decision authorizer_ask(struct authorizer *a, struct arena *arena,
                                   const struct authz_attributes *attrs, struct authz_answer *ret);
/* Is there a mode that asks others? */
bool authorizer_may_block(struct authorizer *a);
void authorizer_list_rules(struct authorizer *a, const struct user_info *user, struct text namespace,
                           struct authz_rules *rules);

/* From now on nobody writes roles and bindings that grant more than he holds, or may grant. Once, before the
 * first request. */
int authz_guard(struct authorizer *a, const struct authz_options *opt, struct status *st);
/* The start-up hook rbac/bootstrap-roles: makes and reconciles the roles and bindings that every cluster has.
 * Blocks. */
int authz_bootstrap(const struct registry *reg, struct status *st);

/* Gives each aggregated ClusterRole the rules that its selectors gather, once; blocks. The second keeps on
 * doing it, on the workers, until it is stopped; *ret is set on failure, too. */
int authz_aggregate(const struct registry *reg, struct status *st);
struct aggregation;
int authz_aggregation_start(const struct registry *reg, struct workers *workers, struct aggregation **ret,
                            struct status *st);
void authz_aggregation_stop(struct aggregation *g); /* accepts NULL; before the registry stops */

/* Sets st to the 403 of a refusal, as upstream words it: `pods "x" is forbidden: User "jane" cannot get
 * resource "pods" in API group "" in the namespace "y": reason`. Always -1. */
int authz_forbid(struct arena *a, const struct authz_attributes *attrs, struct text reason,
                 struct status *st);

/* The attributes of the request at hand. */
void authz_attributes_of(struct request *r, struct authz_attributes *ret);
/* fields.ParseSelector: requirements of any field, unchecked. */
int authz_parse_fields(struct arena *a, struct text in, struct selector *ret, struct status *st);

/* Lets the request on or answers 403. Finds its authorizer in r->wiring. */
extern const struct filter filter_authorization;
/* Its metrics. Start-up, once. */
void authorization_metrics_register(void);
