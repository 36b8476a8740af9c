/* SPDX-License-Identifier: Apache-2.0 */
/* rule.h - policy rules: does one allow this, does a set of them cover another, how is one printed. */
#pragma once

#include "authz.h"

/* A question prepared for many rules. */
struct rule_query {
    bool is_resource;
    struct text verb, group, resource, subresource, combined, name, path;
};
/* combined may need scratch: of at least RULE_SCRATCH_BYTES, or the arena's when it is too long for that. */
#define RULE_SCRATCH_BYTES 256
void rule_query_init(struct rule_query *q, const struct authz_attributes *attrs, struct arena *a,
                     char *scratch);
bool rule_allows(const struct policy_rule *rule, const struct rule_query *q);
/* A pattern of paths may end with stars: everything below. */
bool rule_path_covers(struct text pattern, struct text path);

/* Rules of a "rules" list into arena memory; strings are shared with the tree. */
struct policy_rule rule_of_value(struct arena *a, const struct value *v);
struct policy_rule *rules_of_value(struct arena *a, const struct value *list, size_t *ret_n);
struct value rule_as_value(struct arena *a, const struct policy_rule *rule);
/* One malloc'd block with everything in it. */
struct policy_rule *rules_copy(const struct policy_rule *rules, size_t n);

/* The parts of servants that owners do not allow, broken down to one verb, group, resource and name each. */
size_t rules_missing(struct arena *a, const struct policy_rule *owners, size_t n_owners,
                     const struct policy_rule *servants, size_t n_servants, struct policy_rule **ret);
/* Rules of the same group and resource that differ by verb only become one, in place; the new number. */
size_t rules_compact(struct arena *a, struct policy_rule *rules, size_t n);
/* {APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]} */
void rule_print(struct buffer *b, const struct policy_rule *rule);
/* ["a" "b"], as Go's %q prints a slice. */
void texts_print(struct buffer *b, struct text_span t);
bool span_has(struct text_span t, struct text s);
