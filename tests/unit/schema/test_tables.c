/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled tables: every name is found, orders hold, and what the resource lines say arrives. */
#include "unit.h"

#include "schema.h"

static const struct schema_field *field(const char *type, const char *name)
{
    const struct schema *s = schema_find(text_of(type));
    ck_assert_msg(s, "no type %s", type);
    return schema_field_of(s, text_of(name));
}

START_TEST(every_field_is_found_by_name)
{
    size_t n = 0;
    for (size_t i = 0; i < n_schema_all; i++) {
        const struct schema *s = schema_all[i];
        ck_assert_ptr_eq(schema_find(s->full_name), s);
        for (size_t j = 0; j < s->n_fields; j++, n++)
            ck_assert_ptr_eq(schema_field_of(s, s->fields[j].name), &s->fields[j]);
        ck_assert_ptr_null(schema_field_of(s, TEXT("noSuchField")));
        ck_assert_ptr_null(schema_field_of(s, TEXT("")));
    }
    ck_assert_uint_gt(n, 4000);
    ck_assert_ptr_null(schema_find(TEXT("io.k8s.api.core.v1.Nothing")));
}
END_TEST

START_TEST(names_are_case_sensitive)
{
    ck_assert_ptr_nonnull(field("io.k8s.api.core.v1.PodSpec", "nodeName"));
    ck_assert_ptr_null(field("io.k8s.api.core.v1.PodSpec", "NodeName"));
    ck_assert_ptr_null(field("io.k8s.api.core.v1.PodSpec", "nodename"));
}
END_TEST

START_TEST(fields_say_what_their_lines_say)
{
    const struct schema_field *f = field("io.k8s.api.core.v1.PodSpec", "containers");
    ck_assert_int_eq(f->type.kind, TYPE_LIST);
    ck_assert(text_is(f->type.elem->schema->go_name, "v1.Container"));
    ck_assert_int_eq(f->merge, MERGE_MAP);
    ck_assert_int_eq(f->n_merge_keys, 1);
    ck_assert(text_is(f->merge_keys[0], "name"));
    ck_assert(text_is(f->patch_key, "name"));
    ck_assert_int_eq(f->flags, FIELD_IS_REQUIRED | FIELD_KEEP_EMPTY | FIELD_PATCH_MERGE);

    f = field("io.k8s.api.core.v1.ContainerPort", "protocol");
    ck_assert(text_is(f->fallback, "\"TCP\""));
    ck_assert(text_is(f->enumeration->name, "v1.Protocol"));
    ck_assert_uint_eq(f->enumeration->n_values, 3);

    f = field("io.k8s.api.core.v1.PodSpec", "volumes");
    ck_assert_int_eq(f->flags & (FIELD_PATCH_MERGE | FIELD_PATCH_RETAIN_KEYS), FIELD_PATCH_MERGE | FIELD_PATCH_RETAIN_KEYS);

    f = field("io.k8s.api.core.v1.Pod", "kind");
    ck_assert_int_eq(f->flags & FIELD_NO_PROTO, FIELD_NO_PROTO);
    ck_assert_int_eq(f->number, 0);

    f = field("io.k8s.api.core.v1.Volume", "emptyDir"); /* of an inlined message */
    ck_assert_int_eq(f->embedded[0], 2);
    ck_assert_int_eq(f->embedded[1], 0);
    f = field("io.k8s.api.admissionregistration.v1.NamedRuleWithOperations", "apiGroups"); /* twice inlined */
    ck_assert_int_eq(f->embedded[0], 2);
    ck_assert_int_eq(f->embedded[1], 2);
    ck_assert_int_eq(f->number, 1);

    f = field("io.k8s.api.core.v1.Pod", "apiVersion"); /* descriptions come along with what is inlined */
    ck_assert(f->description.n > 0);
    ck_assert(schema_find(TEXT("io.k8s.api.core.v1.Pod"))->description.n > 0);

    const struct schema *s = schema_find(TEXT("io.k8s.api.flowcontrol.v1.Subject"));
    ck_assert(s->one_of && s->one_of->has_discriminator && s->one_of->n_members == 3);
    ck_assert(text_is(s->fields[s->one_of->discriminator].name, "kind"));
    ck_assert(text_is(s->fields[s->one_of->members[2]].name, "serviceAccount"));
    ck_assert(text_is(s->one_of->values[2], "ServiceAccount"));
    s = schema_find(TEXT("io.k8s.api.core.v1.PodSchedulingGroup"));
    ck_assert(s->one_of && !s->one_of->has_discriminator && s->one_of->n_members == 1);
    ck_assert_ptr_null(schema_find(TEXT("io.k8s.api.core.v1.Pod"))->one_of);

    f = field("io.k8s.api.authentication.v1.UserInfo", "extra");
    ck_assert_int_eq(f->type.elem->kind, TYPE_WRAPPED_LIST);
}
END_TEST

START_TEST(json_forms)
{
    const struct schema *s = schema_find(TEXT("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool"));
    ck_assert_int_eq(s->form, JSON_FORM_EITHER);
    ck_assert(text_is(s->fields[s->form_fields[0]].name, "schema"));
    ck_assert(text_is(s->fields[s->form_fields[1]].name, "allows"));
    s = schema_find(TEXT("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"));
    ck_assert_int_eq(s->form, JSON_FORM_VALUE);
}
END_TEST

static unsigned effective(const struct schema_field *f, int level)
{
    return level < 2 && f->embedded[level] ? f->embedded[level] : f->number;
}

START_TEST(by_number_is_in_order_and_complete)
{
    for (size_t i = 0; i < n_schema_all; i++) {
        const struct schema *s = schema_all[i];
        size_t numbered = 0;
        for (size_t j = 0; j < s->n_fields; j++)
            numbered += s->fields[j].number != 0;
        ck_assert_uint_eq(numbered, s->n_by_number);
        for (size_t j = 1; j < s->n_by_number; j++) {
            const struct schema_field *x = &s->fields[s->by_number[j - 1]], *y = &s->fields[s->by_number[j]];
            ck_assert_msg(effective(x, 0) <= effective(y, 0), "%.*s", TEXT_ARG(s->full_name));
        }
    }
}
END_TEST

START_TEST(kinds_are_found)
{
    const struct schema_kind *k = schema_kind_of(TEXT("apps/v1"), TEXT("Deployment"));
    ck_assert_ptr_nonnull(k);
    ck_assert(text_is(k->schema->full_name, "io.k8s.api.apps.v1.Deployment"));
    ck_assert(text_is(k->api_version, "apps/v1"));
    ck_assert_ptr_eq(k->storage, k);
    ck_assert_ptr_nonnull(schema_kind_of(TEXT("v1"), TEXT("Status")));
    ck_assert_ptr_null(schema_kind_of(TEXT("v2"), TEXT("Pod")));
    ck_assert_ptr_null(schema_kind_of(TEXT(""), TEXT("")));

    k = schema_kind_of(TEXT("apps/v1"), TEXT("DeleteOptions"));
    ck_assert_ptr_nonnull(k);
    ck_assert(text_is(k->gvk.group, "*"));

    k = schema_kind_of(TEXT("batch/v1beta1"), TEXT("CronJob"));
    ck_assert_int_eq(k->deprecated_minor, 21);
    ck_assert_int_eq(k->removed_minor, 25);
    ck_assert(text_is(k->replacement, "batch/v1 CronJob"));

    k = schema_kind_of(TEXT("events.k8s.io/v1"), TEXT("Event"));
    ck_assert(text_is(k->storage->api_version, "v1"));
    k = schema_kind_of(TEXT("autoscaling/v1"), TEXT("HorizontalPodAutoscaler"));
    ck_assert(text_is(k->storage->api_version, "autoscaling/v2"));

    for (size_t i = 0; i < n_schema_kinds; i++)
        ck_assert_ptr_eq(schema_kind_find(schema_kinds[i].gvk), &schema_kinds[i]);
}
END_TEST

START_TEST(resources_say_what_their_lines_say)
{
    const struct resource_type *pods = schema_resource_find(TEXT(""), TEXT("v1"), TEXT("pods"));
    ck_assert_ptr_nonnull(pods);
    ck_assert(text_is(pods->kind->gvk.kind, "Pod") && text_is(pods->list_kind->gvk.kind, "PodList"));
    ck_assert(pods->is_namespaced && pods->is_on_by_default && pods->has_status && pods->has_generation);
    ck_assert_int_eq(pods->verbs, 255);
    ck_assert(pods->n_short_names == 1 && text_is(pods->short_names[0], "po"));
    ck_assert(pods->n_categories == 1 && text_is(pods->categories[0], "all"));
    ck_assert(text_is(pods->storage_hash, "xPOwRZ+Yhw8="));
    ck_assert(text_is(pods->selectable[0].path, "spec.nodeName"));
    bool has_eviction = false;
    for (size_t i = 0; i < pods->n_subs; i++)
        if (text_is(pods->subs[i].name, "eviction"))
            has_eviction = pods->subs[i].verbs == VERB_CREATE && text_is(pods->subs[i].kind.group, "policy");
    ck_assert(has_eviction);

    const struct resource_type *events = schema_resource_find(TEXT("events.k8s.io"), TEXT("v1"), TEXT("events"));
    ck_assert(text_is(events->storage->group, "") && text_is(events->storage->name, "events"));
    ck_assert(text_is(events->selectable[0].name, "regarding.kind"));
    ck_assert(text_is(events->storage->selectable[events->selectable[0].index].name, "involvedObject.kind"));

    ck_assert(text_is(schema_resource_find(TEXT(""), TEXT("v1"), TEXT("nodes"))->storage_prefix, "minions"));
    ck_assert_ptr_null(schema_resource_find(TEXT(""), TEXT("v1"), TEXT("pod")));
    ck_assert_ptr_null(schema_resource_find(TEXT("apps"), TEXT("v1beta1"), TEXT("deployments")));
    ck_assert_ptr_null(schema_resource_find(TEXT("apps"), TEXT("v1"), TEXT("bindings")));
}
END_TEST

START_TEST(versions_are_in_discovery_order)
{
    /* As /apis of a kube-apiserver lists them, with the core group among them. */
    static const char *const order[] = {"apiregistration.k8s.io",
                                        "",
                                        "apps",
                                        "events.k8s.io",
                                        "authentication.k8s.io",
                                        "authorization.k8s.io",
                                        "autoscaling",
                                        "batch",
                                        "certificates.k8s.io",
                                        "networking.k8s.io",
                                        "policy",
                                        "rbac.authorization.k8s.io",
                                        "storage.k8s.io",
                                        "admissionregistration.k8s.io",
                                        "apiextensions.k8s.io",
                                        "scheduling.k8s.io",
                                        "coordination.k8s.io",
                                        "node.k8s.io",
                                        "discovery.k8s.io",
                                        "resource.k8s.io",
                                        "flowcontrol.apiserver.k8s.io",
                                        "internal.apiserver.k8s.io",
                                        "storagemigration.k8s.io"};
    size_t group = 0;
    for (size_t i = 0; i < n_schema_versions; i++) {
        const struct schema_version *v = &schema_versions[i];
        group += i && !text_eq(v->group, v[-1].group);
        ck_assert_uint_lt(group, N_ELEMENTS(order));
        ck_assert_msg(text_is(v->group, order[group]), "%.*s", TEXT_ARG(v->group));
        for (size_t j = 0; j < v->n_resources; j++)
            ck_assert_ptr_eq(schema_resource_find(v->group, v->version, v->resources[j].name), &v->resources[j]);
    }
    ck_assert_uint_eq(group, N_ELEMENTS(order) - 1);
    ck_assert(text_is(schema_versions[0].group, "apiregistration.k8s.io"));
}
END_TEST

UNIT_MAIN("tables", every_field_is_found_by_name, names_are_case_sensitive, fields_say_what_their_lines_say, json_forms,
          by_number_is_in_order_and_complete, kinds_are_found, resources_say_what_their_lines_say,
          versions_are_in_discovery_order)
