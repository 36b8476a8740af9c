/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - what a plugin of admission is, and what they share.
 * A plugin is a const struct: its name, what it needs to start, and rules, each one a kind of request and the
 * functions that have a say in it. A plugin without state has no start. */
#pragma once

#include "admission.h"

/* What a plugin may look at while it starts. */
struct plugin_context {
    const struct admission_options *opt;
    struct arena *arena;        /* of the chain: lives as long as the plugin */
    const struct value *config; /* its own of --admission-control-config-file; NULL: none */
};

typedef int (*admission_step)(void *state, struct admission_attributes *a, struct status *st);

/* Requests that a plugin has a say in. */
struct admission_rule {
    struct text group, resource;    /* "*": all */
    struct text sub;                /* "": the resource itself, "*": that and all subresources */
    unsigned verbs;                 /* enum admission_verb */
    admission_step admit, validate; /* either may be NULL */
    bool (*may_wait)(void *state, const struct admission_attributes *a); /* NULL: never; objects are NULL */
};

struct admission_plugin {
    const char *name;
    bool is_default;
    const struct admission_rule *rules; /* NULL: not built yet */
    size_t n_rules;
    /* ret_state: for the rules' functions. NULL: the state is NULL. */
    int (*start)(const struct plugin_context *c, void **ret_state, struct status *st);
    void (*stop)(void *state); /* NULL: the state lies in the arena */
};
#define RULES(array) .rules = (array), .n_rules = N_ELEMENTS(array)

#define CREATE ADMISSION_CREATE
#define UPDATE ADMISSION_UPDATE
#define DELETE ADMISSION_DELETE

/* In calling order (plugins.c); a plugin that is not here does not exist. */
extern const struct admission_plugin *const admission_plugins[];
extern const size_t n_admission_plugins;

/* --- what they share (tools.c) --- */

/* 403 in upstream's words: `pods "x" is forbidden: why`. A name that is still to be generated is its prefix.
 * Always -1. */
int admission_forbid(const struct admission_attributes *a, struct status *st, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* An error that upstream never made an API error of: 500 without a reason. Always -1. */
int admission_fail(struct status *st, const char *fmt, ...) PRINTF_LIKE(2, 3);
void admission_warn(struct admission_attributes *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool is_resource(const struct admission_attributes *a, const char *group, const char *resource);
bool is_sub(const struct admission_attributes *a, const char *sub); /* "": the resource itself */

/* A stored object of the core group or another, by the version that is served; its tree lies in the request's
 * arena. False: there is none, or nobody can read it. */
bool admission_find(const struct admission_attributes *a, const char *group, const char *version,
                    const char *resource, struct text namespace, struct text name, struct value *ret);
/* The same, as bytes with labels: one reference, or NULL. */
struct object *admission_find_object(const struct admission_attributes *a, const char *group,
                                     const char *version, const char *resource, struct text namespace,
                                     struct text name);
bool admission_exists(const struct admission_attributes *a, const char *group, const char *version,
                      const char *resource, struct text namespace, struct text name);
struct cache *admission_cache(const struct registry *reg, const char *group, const char *version,
                              const char *resource);

/* The objects of a namespace (empty: all), in order of their keys; one look-up where there are none. */
struct admission_list {
    struct snapshot snapshot;
    struct tree_iter iter;
    struct text prefix;
};
void admission_list_open(struct admission_list *l, struct arena *a, struct cache *c, struct text namespace);
struct object *admission_list_next(struct admission_list *l); /* borrowed until the close; NULL at the end */
void admission_list_close(struct admission_list *l);
bool admission_has_any(struct cache *c, struct text namespace); /* without an arena */

/* Trees. */
static inline struct value *metadata_of(const struct value *obj)
{
    return value_get(obj, TEXT("metadata"));
}
static inline struct value *spec_of(const struct value *obj)
{
    return value_get(obj, TEXT("spec"));
}
static inline struct text name_of(const struct value *obj)
{
    return value_get_text(metadata_of(obj), TEXT("name"));
}
static inline const struct value *annotation_of(const struct value *obj, struct text key) /* NULL: none */
{
    return value_get(value_get(metadata_of(obj), TEXT("annotations")), key);
}
static inline size_t list_size(const struct value *list) /* 0 for what is no list */
{
    return list && list->kind == VALUE_LIST ? list->n : 0;
}
static inline struct text text_at(const struct value *v, const char *key)
{
    return value_get_text(v, text_of(key));
}
struct text label_of(const struct object *o, struct text key, bool *ret_has); /* ret_has may be NULL */
struct value *list_at(struct arena *a, struct value *obj, struct text key);   /* made when there is none */
/* Equal as JSON; absent, null and empty are the same. */
bool same_value(const struct value *x, const struct value *y);
struct text quoted(struct arena *a, struct text t); /* Go's %q */
bool has_finalizer(const struct value *obj, struct text name);
/* Containers of a pod's spec, one kind after the other. */
#define N_CONTAINER_LISTS 3
extern const struct text
    container_lists[N_CONTAINER_LISTS]; /* initContainers, containers, ephemeralContainers */
