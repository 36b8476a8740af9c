/* SPDX-License-Identifier: Apache-2.0 */
/* checks.h - the checks that are algorithms: what stands behind @ in a check line of a .schema file, by the
 * same name. Each is a schema_check_function (include/schema.h). */
#pragma once

#include "schema/validate.h"

#define CHECK(name)                                                                             \
    void check_##name(struct validation *w, const struct field_path *at, const struct value *v, \
                      const struct value *old)

/* validate_common.c: what many types have */
CHECK(labels);
CHECK(annotations);
CHECK(port_or_name);
CHECK(http_headers);

/* validate_resources.c: quantities by the name of a resource */
CHECK(container_resources);

/* validate_pod.c */
CHECK(pod_spec);
CHECK(env_source);
CHECK(liveness_probe);
CHECK(readiness_probe);
CHECK(toleration);

/* validate_workloads.c: apps and batch */
CHECK(pod_template);
CHECK(selector_not_empty);
CHECK(replica_template);
CHECK(strategy_type);
CHECK(rolling_deployment);

/* --- for these functions --- */

static inline uint32_t
n_items(const struct value *v) /* of a list or an object; 0 for anything else and for NULL */
{
    return v && (v->kind == VALUE_LIST || v->kind == VALUE_OBJECT) ? v->n : 0;
}
static inline bool is_set(const struct value *v, struct text name)
{
    const struct value *member = value_get(v, name);
    return member && member->kind != VALUE_NULL;
}
/* Texts that were seen: a few without memory of their own, since there mostly are no more, and any number.
 * Texts are borrowed. */
struct seen_texts {
    struct text few[16];
    size_t n;
    struct map many;
};
void seen_deinit(struct seen_texts *s);
bool seen_has(const struct seen_texts *s, struct text t);
bool seen_add(struct seen_texts *s, struct text t); /* false: it was there */
/* Of a selector (which may be NULL: picks nothing) and labels. */
bool selector_matches(const struct value *selector, const struct value *labels);
void check_not_supported(struct validation *w, const struct field_path *at, struct text t,
                         const char *const *supported, size_t n);
