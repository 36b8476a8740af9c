/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of a kind differ little, so conversion walks both schemas at once and moves members by name; what
 * the target does not have is dropped. Three tables say where versions differ: members that changed their
 * name, members that moved into a struct or out of one, and types that need code of their own. All of them
 * are keyed by the types' names, so that they hold for an item of a list as for an object by itself. There is
 * no version in the middle: upstream's internal one is always like the newest. Source:
 * pkg/apis/.../conversion.go and zz_generated.conversion.go of kubernetes/kubernetes. */
#include "schema/convert.h"

#include "schema/canonical.h"

#define CORE "io.k8s.api.core.v1."
#define EVENTS "io.k8s.api.events."
#define RESOURCE "io.k8s.api.resource."
#define AUTOSCALING "io.k8s.api.autoscaling."
#define EXTENSIONS "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."

/* Valid both ways. */
static const struct rename_rule {
    struct text first, second;
    struct {
        struct text first, second;
    } names[7];
} renames[] = {
    {TEXT(CORE "Event"),
     TEXT(EVENTS "v1.Event"),
     {{TEXT("involvedObject"), TEXT("regarding")},
      {TEXT("message"), TEXT("note")},
      {TEXT("source"), TEXT("deprecatedSource")},
      {TEXT("firstTimestamp"), TEXT("deprecatedFirstTimestamp")},
      {TEXT("lastTimestamp"), TEXT("deprecatedLastTimestamp")},
      {TEXT("count"), TEXT("deprecatedCount")},
      {TEXT("reportingComponent"), TEXT("reportingController")}}},
    {TEXT(EXTENSIONS "v1beta1.CustomResourceColumnDefinition"),
     TEXT(EXTENSIONS "v1.CustomResourceColumnDefinition"),
     {{TEXT("JSONPath"), TEXT("jsonPath")}}},
};

/* Members that one version has in a struct and the other has flat. */
static const struct nest_rule {
    struct text flat, nested, member;
    bool is_always; /* the struct is made even when none of its members is there */
} nests[] = {
    {TEXT(RESOURCE "v1.Device"), TEXT(RESOURCE "v1beta1.Device"), TEXT("basic"), true},
    {TEXT(RESOURCE "v1beta2.Device"), TEXT(RESOURCE "v1beta1.Device"), TEXT("basic"), true},
    {TEXT(RESOURCE "v1beta1.DeviceRequest"), TEXT(RESOURCE "v1.DeviceRequest"), TEXT("exactly"), false},
    {TEXT(RESOURCE "v1beta1.DeviceRequest"), TEXT(RESOURCE "v1beta2.DeviceRequest"), TEXT("exactly"), false},
};

static const struct hook_rule {
    struct text from, to;
    convert_hook run;
} hooks[] = {
    {TEXT(AUTOSCALING "v2.HorizontalPodAutoscaler"), TEXT(AUTOSCALING "v1.HorizontalPodAutoscaler"),
     convert_autoscaler_to_v1},
    {TEXT(AUTOSCALING "v1.HorizontalPodAutoscaler"), TEXT(AUTOSCALING "v2.HorizontalPodAutoscaler"),
     convert_autoscaler_to_v2},
    {TEXT(EXTENSIONS "v1beta1.CustomResourceDefinitionSpec"),
     TEXT(EXTENSIONS "v1.CustomResourceDefinitionSpec"), convert_definition_spec_to_v1},
    {TEXT(EXTENSIONS "v1beta1.CustomResourceConversion"), TEXT(EXTENSIONS "v1.CustomResourceConversion"),
     convert_definition_webhook_to_v1},
};

/* --- looking rules up --- */

static const struct rename_rule *rename_of(const struct schema *from, const struct schema *to)
{
    for (size_t i = 0; i < N_ELEMENTS(renames); i++) {
        const struct rename_rule *r = &renames[i];
        if ((text_eq(from->full_name, r->first) && text_eq(to->full_name, r->second)) ||
            (text_eq(from->full_name, r->second) && text_eq(to->full_name, r->first)))
            return r;
    }
    return NULL;
}

static struct text renamed(const struct rename_rule *r, const struct schema *from, struct text name)
{
    if (!r)
        return name;
    bool is_first = text_eq(from->full_name, r->first);
    for (size_t i = 0; i < N_ELEMENTS(r->names); i++)
        if (text_eq(name, is_first ? r->names[i].first : r->names[i].second))
            return is_first ? r->names[i].second : r->names[i].first;
    return name;
}

static const struct nest_rule *nest_of(const struct schema *flat, const struct schema *nested)
{
    for (size_t i = 0; i < N_ELEMENTS(nests); i++)
        if (text_eq(flat->full_name, nests[i].flat) && text_eq(nested->full_name, nests[i].nested))
            return &nests[i];
    return NULL;
}

/* --- the walk --- */

/* False: the types have nothing in common. */
static bool convert_value(struct arena *a, const struct schema_type *from, const struct schema_type *to,
                          const struct value *v, struct value *ret)
{
    if (from->kind != to->kind)
        return false;
    *ret = value_copy(a, v);
    if (from->kind == TYPE_STRUCT && v->kind == VALUE_OBJECT) {
        *ret = convert_struct(a, from->schema, to->schema, v);
    } else if (from->kind == TYPE_LIST && v->kind == VALUE_LIST) {
        for (uint32_t i = 0; i < v->n; i++)
            if (!convert_value(a, from->elem, to->elem, &v->items[i], &ret->items[i]))
                return false;
    } else if (from->kind == TYPE_MAP && v->kind == VALUE_OBJECT) {
        for (uint32_t i = 0; i < v->n; i++)
            if (!convert_value(a, from->elem, to->elem, &v->members[i].value, &ret->members[i].value))
                return false;
    }
    return true;
}

/* Converts the members that the target has into ret, but those that the schema `except` has too. */
static void convert_members(struct arena *a, const struct schema *from, const struct schema *to,
                            const struct value *v, const struct schema *except, struct value *ret)
{
    const struct rename_rule *rename = rename_of(from, to);
    for (uint32_t i = 0; v && v->kind == VALUE_OBJECT && i < v->n; i++) {
        const struct schema_field *f = schema_field_of(from, member_key(&v->members[i])), *target;
        struct value child;
        if (!f || (except && schema_field_of(except, f->name)))
            continue;
        target = schema_field_of(to, renamed(rename, from, f->name));
        if (target && convert_value(a, &f->type, &target->type, &v->members[i].value, &child)) {
            value_add(a, ret, target->name, child);
            ret->members[ret->n - 1].field = (uint32_t)(target - to->fields) + 1;
        }
    }
}

/* Members into the schema's order, with those that are always there and without those that are left out. */
static void finish(struct arena *a, const struct schema *s, struct value *v)
{
    uint32_t n = 0;
    canonical_place_members(a, s, v);
    for (uint32_t i = 0; i < v->n; i++)
        if (!canonical_is_left_out(&s->fields[v->members[i].field - 1], &v->members[i].value))
            v->members[n++] = v->members[i];
    v->n = n;
}

/* Empty strings are there because JSON always has them. */
static bool says_anything(const struct value *object)
{
    for (uint32_t i = 0; i < object->n; i++) {
        const struct value *v = &object->members[i].value;
        if (v->kind != VALUE_NULL && !(v->kind == VALUE_STRING && v->n == 0))
            return true;
    }
    return false;
}

struct value convert_struct(struct arena *a, const struct schema *from, const struct schema *to,
                            const struct value *v)
{
    const struct nest_rule *in = nest_of(from, to), *out = nest_of(to, from);
    struct value ret = value_object();

    if (from == to || from->form != JSON_FORM_OBJECT || v->kind != VALUE_OBJECT)
        return value_copy(a, v);
    if (in) {
        const struct schema_field *f = schema_field_of(to, in->member);
        struct value inner = value_object();
        convert_members(a, from, f->type.schema, v, NULL, &inner);
        convert_members(a, from, to, v, f->type.schema, &ret);
        if (in->is_always || says_anything(&inner)) {
            finish(a, f->type.schema, &inner);
            value_add(a, &ret, f->name, inner);
            ret.members[ret.n - 1].field = (uint32_t)(f - to->fields) + 1;
        }
    } else {
        convert_members(a, from, to, v, NULL, &ret);
        if (out)
            convert_members(a, schema_field_of(from, out->member)->type.schema, to, value_get(v, out->member),
                            NULL, &ret);
    }
    finish(a, to, &ret);
    for (size_t i = 0; i < N_ELEMENTS(hooks); i++)
        if (text_eq(from->full_name, hooks[i].from) && text_eq(to->full_name, hooks[i].to))
            hooks[i].run(a, to, v, &ret);
    return ret;
}

/* --- the contract --- */

/* Events are the only kind that two groups share. */
static bool is_convertible(const struct schema_kind *from, const struct schema_kind *to)
{
    struct gvk f = from->gvk, t = to->gvk;
    if (!text_eq(f.kind, t.kind))
        return false;
    return text_eq(f.group, t.group) || text_is(f.kind, "Event") || text_is(f.kind, "EventList") ||
           from->storage == to->storage;
}

int schema_convert(struct arena *a, const struct schema_kind *from, const struct schema_kind *to,
                   const struct value *v, struct value *ret, struct status *st)
{
    if (!is_convertible(from, to))
        return status_set(st, STATUS_INTERNAL_ERROR, "converting (%.*s) to (%.*s): unknown conversion",
                          TEXT_ARG(from->schema->go_name), TEXT_ARG(to->schema->go_name));
    *ret = convert_struct(a, from->schema, to->schema, v);
    struct value *api_version = value_get(ret, TEXT("apiVersion"));
    if (api_version)
        *api_version = value_string(to->api_version);
    return 0;
}
