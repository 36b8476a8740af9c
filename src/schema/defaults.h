/* SPDX-License-Identifier: Apache-2.0 */
/* defaults.h - the defaults that are algorithms: what stands behind @ in a .schema file, by the same name. Each is a
 * schema_fill (include/schema.h): it gets a canonical tree and leaves one. */
#pragma once

#include "schema.h"

/* defaults_pod.c: of type... */
void fill_volume_source(struct arena *a, const struct schema *s, struct value *volume, uint16_t field);
/* ... of the field of a container or an image volume that it is named on */
void fill_image_pull_policy(struct arena *a, const struct schema *s, struct value *object, uint16_t field);
void fill_host_ports(struct arena *a, const struct schema *s, struct value *pod, uint16_t field);

/* defaults_resources.c */
void fill_rounded(struct arena *a, const struct schema *s, struct value *object, uint16_t field);
void fill_pod_resources(struct arena *a, const struct schema *s, struct value *pod, uint16_t field);
void fill_limit_range_item(struct arena *a, const struct schema *s, struct value *item, uint16_t field);

/* defaults_kinds.c */
void fill_namespace_label(struct arena *a, const struct schema *s, struct value *namespace, uint16_t field);
void fill_ip_mode(struct arena *a, const struct schema *s, struct value *service, uint16_t field);
void fill_custom_names(struct arena *a, const struct schema *s, struct value *spec, uint16_t field);
void fill_stored_version(struct arena *a, const struct schema *s, struct value *definition, uint16_t field);
void fill_now(struct arena *a, const struct schema *s, struct value *object, uint16_t field);

/* defaults_aliases.c */
void fill_service_account(struct arena *a, const struct schema *s, struct value *spec, uint16_t field);
void fill_pod_cidrs(struct arena *a, const struct schema *s, struct value *spec, uint16_t field);
void fill_pod_ips(struct arena *a, const struct schema *s, struct value *status, uint16_t field);
void fill_grace_period(struct arena *a, const struct schema *s, struct value *pod, uint16_t field);
void fill_without_old_annotations(struct arena *a, const struct schema *s, struct value *object, uint16_t field);
void fill_claim_kinds(struct arena *a, const struct schema *s, struct value *spec, uint16_t field);

/* For these functions: sets a field by name. */
void default_set(struct arena *a, const struct schema *s, struct value *object, struct text name, struct value v);
/* A member of a map, in its place by key. */
void default_set_key(struct arena *a, struct value *map, struct text key, struct value v);
/* The member's value and, in *s, its struct type; NULL and *s untouched where there is none. */
struct value *default_part(const struct schema **s, struct value *object, struct text name);
