/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of metadata that hold for every type: what the server fills in, generated names, and validation
 * in the order in which upstream reports. Source: kubernetes/apimachinery pkg/api/validation/objectmeta.go, apiserver
 * pkg/registry/rest/meta.go, kubernetes pkg/apis/core/validation (names of finalizers). */
#include <string.h>

#include "registry_internal.h"

#define ANNOTATIONS_BYTES_MAX (256 * 1024)
#define GENERATED_BASE_MAX 58 /* 63 less the suffix */
#define SUFFIX_LENGTH 5

/* --- what the server fills in --- */

/* Without vowels and look-alikes, so that no words come out. */
struct text name_generate(struct arena *a, struct text base)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    const unsigned n_letters = sizeof(alphabet) - 1, fair = 256 - 256 % n_letters;
    struct text head = text_first(base, GENERATED_BASE_MAX);
    char *name = arena_alloc(a, head.n + SUFFIX_LENGTH);
    size_t n = head.n;

    if (n)
        memcpy(name, head.p, n);
    while (n < head.n + SUFFIX_LENGTH) {
        unsigned char r[16];
        random_bytes(r, sizeof(r));
        for (size_t i = 0; i < sizeof(r) && n < head.n + SUFFIX_LENGTH; i++) {
            if (r[i] < fair)
                name[n++] = alphabet[r[i] % n_letters];
        }
    }
    return (struct text){name, n};
}

void metadata_wipe(struct arena *a, struct value *obj, bool is_update)
{
    /* An update that creates lets a deletion time stand, as upstream. */
    static const struct text forgotten[] = {TEXT("selfLink"), TEXT("resourceVersion"), TEXT("deletionTimestamp"),
                                            TEXT("deletionGracePeriodSeconds")};
    struct value *metadata = value_object_at(a, obj, TEXT("metadata"));

    for (size_t i = 0; i < (is_update ? 2 : N_ELEMENTS(forgotten)); i++)
        value_remove(metadata, forgotten[i]);
}

void metadata_fill_system(struct arena *a, struct value *obj)
{
    struct value *metadata = value_object_at(a, obj, TEXT("metadata"));

    value_set(a, metadata, TEXT("uid"), value_string(random_uuid(a)));
    value_set(a, metadata, TEXT("creationTimestamp"), value_string(time_text(a, clock_now_ns())));
}

/* --- validation --- */

static void check_format(struct field_errors *errs, enum format f, struct text t, const char *field,
                         struct text shown)
{
    const char *problems[FORMAT_ERRORS_MAX];
    struct value bad = value_string(shown);
    size_t n = format_check(f, t, problems);

    for (size_t i = 0; i < n; i++)
        field_error(errs, FIELD_INVALID, field, &bad, "%s", problems[i]);
}

static void check_name(struct arena *a, enum strategy_name rule, struct text name, bool is_prefix,
                       const char *field, struct field_errors *errs)
{
    static const enum format formats[] = {[NAME_SUBDOMAIN] = FORMAT_DNS1123_SUBDOMAIN,
                                          [NAME_LABEL] = FORMAT_DNS1123_LABEL,
                                          [NAME_PATH_SEGMENT] = FORMAT_PATH_SEGMENT};
    struct text checked = name;

    if (rule == NAME_IP) {
        const char *problem = format_ip_canonical(a, name);
        struct value shown = value_string(name);
        if (problem)
            field_error(errs, FIELD_INVALID, field, &shown, "%s", problem);
        return;
    }
    enum format f = formats[rule];
    if (is_prefix && rule == NAME_PATH_SEGMENT) {
        f = FORMAT_PATH_SEGMENT_PREFIX;
    } else if (is_prefix && name.n > 1 && name.p[name.n - 1] == '-') {
        /* What is generated goes on behind the dash. */
        char *masked = arena_str(a, name);
        masked[name.n - 1] = 'a';
        checked = (struct text){masked, name.n};
    }
    check_format(errs, f, checked, field, name);
}

static void check_labels(const struct value *labels, struct field_errors *errs)
{
    for (size_t i = 0; labels && labels->kind == VALUE_OBJECT && i < labels->n; i++) {
        struct text key = member_key(&labels->members[i]), v = value_text(&labels->members[i].value);
        check_format(errs, FORMAT_QUALIFIED_NAME, key, "metadata.labels", key);
        check_format(errs, FORMAT_LABEL_VALUE, v, "metadata.labels", v);
    }
}

static void check_annotations(struct arena *a, const struct value *annotations, struct field_errors *errs)
{
    size_t bytes = 0;

    for (size_t i = 0; annotations && annotations->kind == VALUE_OBJECT && i < annotations->n; i++) {
        struct text key = member_key(&annotations->members[i]);
        check_format(errs, FORMAT_QUALIFIED_NAME, arena_lower(a, key), "metadata.annotations", key);
        bytes += key.n + value_text(&annotations->members[i].value).n;
    }
    if (bytes > ANNOTATIONS_BYTES_MAX)
        field_too_long(errs, "metadata.annotations", ANNOTATIONS_BYTES_MAX);
}

/* Owners that lack something are invalid, not incomplete: upstream says so, and without an index. */
static void check_owner(const struct value *owner, struct field_errors *errs)
{
    static const struct {
        struct text name;
        const char *field;
    } needed[] = {{TEXT("kind"), "metadata.ownerReferences.kind"},
                  {TEXT("name"), "metadata.ownerReferences.name"},
                  {TEXT("uid"), "metadata.ownerReferences.uid"}};
    struct text api_version = value_get_text(owner, TEXT("apiVersion")), group, version;
    struct value bad = value_string(api_version), none = value_string(TEXT(""));

    group_version_parse(api_version, &group, &version);
    if (!version.n || text_find(version, '/') >= 0)
        field_error(errs, FIELD_INVALID, "metadata.ownerReferences.apiVersion", &bad,
                    "version must not be empty");
    for (size_t i = 0; i < N_ELEMENTS(needed); i++) {
        if (!value_get_text(owner, needed[i].name).n)
            field_error(errs, FIELD_INVALID, needed[i].field, &none, "must not be empty");
    }
    if (text_is(api_version, "v1") && text_is(value_get_text(owner, TEXT("kind")), "Event"))
        field_error(errs, FIELD_INVALID, "metadata.ownerReferences", owner,
                    "/v1, Kind=Event is disallowed from being an owner");
}

static void check_owners(const struct value *owners, struct field_errors *errs)
{
    const struct value *controller = NULL;

    for (size_t i = 0; owners && owners->kind == VALUE_LIST && i < owners->n; i++) {
        const struct value *owner = &owners->items[i];
        check_owner(owner, errs);
        if (!value_get_bool(owner, TEXT("controller"), false))
            continue;
        if (!controller) {
            controller = owner;
            continue;
        }
        field_error(errs, FIELD_INVALID, "metadata.ownerReferences", owners,
                    "Only one reference can have Controller set to true. Found \"true\" in references for "
                    "%.*s/%.*s and %.*s/%.*s",
                    TEXT_ARG(value_get_text(controller, TEXT("kind"))),
                    TEXT_ARG(value_get_text(controller, TEXT("name"))),
                    TEXT_ARG(value_get_text(owner, TEXT("kind"))),
                    TEXT_ARG(value_get_text(owner, TEXT("name"))));
    }
}

static void check_finalizers(const struct value *list, struct field_errors *errs)
{
    bool has_orphan = false, has_foreground = false;

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        struct text name = value_text(&list->items[i]);
        check_format(errs, FORMAT_QUALIFIED_NAME, name, "metadata.finalizers", name);
        has_orphan |= text_is(name, "orphan");
        has_foreground |= text_is(name, "foregroundDeletion");
    }
    if (has_orphan && has_foreground)
        field_error(errs, FIELD_INVALID, "metadata.finalizers", list,
                    "finalizer orphan and foregroundDeletion cannot be both set");
}

/* The rule of those types whose validation is not apimachinery's alone. */
static void check_finalizer_domains(struct arena *a, const struct value *list, struct field_errors *errs)
{
    static const struct text standard[] = {TEXT("kubernetes"), TEXT("orphan"), TEXT("foregroundDeletion")};

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        struct text name = value_text(&list->items[i]);
        bool is_good = text_find(name, '/') >= 0;
        for (size_t k = 0; k < N_ELEMENTS(standard); k++)
            is_good |= text_eq(name, standard[k]);
        if (!is_good)
            field_error(errs, FIELD_INVALID, arena_printf(a, "metadata.finalizers[%zu]", i), &list->items[i],
                        "name is neither a standard finalizer name nor is it fully qualified");
    }
}

static void check_generation(const struct value *metadata, struct field_errors *errs)
{
    int64_t generation = value_get_int(metadata, TEXT("generation"), 0);
    struct value bad = value_int(generation);

    if (generation < 0)
        field_error(errs, FIELD_INVALID, "metadata.generation", &bad, "must be greater than or equal to 0");
}

void metadata_check(struct arena *a, const struct resource_type *type, const struct strategy *strategy,
                    const struct value *obj, struct field_errors *errs)
{
    const struct value *metadata = metadata_of(obj);
    struct text name = value_get_text(metadata, TEXT("name")),
                base = value_get_text(metadata, TEXT("generateName"));
    struct text namespace = value_get_text(metadata, TEXT("namespace"));
    enum strategy_name rule = strategy ? strategy->name : NAME_PATH_SEGMENT;

    if (base.n)
        check_name(a, rule, base, true, "metadata.generateName", errs);
    if (!name.n)
        field_error(errs, FIELD_REQUIRED, "metadata.name", NULL, "name or generateName is required");
    else
        check_name(a, rule, name, false, "metadata.name", errs);
    if (type->is_namespaced && !namespace.n)
        field_error(errs, FIELD_REQUIRED, "metadata.namespace", NULL, "%s", "");
    else if (type->is_namespaced)
        check_format(errs, FORMAT_DNS1123_LABEL, namespace, "metadata.namespace", namespace);
    else if (namespace.n)
        field_error(errs, FIELD_FORBIDDEN, "metadata.namespace", NULL, "not allowed on this type");
    check_generation(metadata, errs);
    check_labels(value_get(metadata, TEXT("labels")), errs);
    check_annotations(a, value_get(metadata, TEXT("annotations")), errs);
    check_owners(value_get(metadata, TEXT("ownerReferences")), errs);
    check_finalizers(value_get(metadata, TEXT("finalizers")), errs);
    if (strategy && !(strategy->flags & STRATEGY_ANY_FINALIZER))
        check_finalizer_domains(a, value_get(metadata, TEXT("finalizers")), errs);
}

static bool has_finalizer(const struct value *list, struct text name)
{
    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++) {
        if (text_eq(value_text(&list->items[i]), name))
            return true;
    }
    return false;
}

static void check_no_new_finalizers(const struct value *now, const struct value *before,
                                    struct field_errors *errs)
{
    struct buffer extra = BUFFER_IN(errs->arena);

    for (size_t i = 0; now && now->kind == VALUE_LIST && i < now->n; i++) {
        struct text name = value_text(&now->items[i]);
        if (has_finalizer(before, name))
            continue;
        buffer_add_str(&extra, extra.n ? ", " : "");
        buffer_add_quoted(&extra, name);
    }
    if (extra.n)
        field_error(errs, FIELD_FORBIDDEN, "metadata.finalizers", NULL,
                    "no new finalizers can be added if the object is being deleted, found new finalizers "
                    "[]string{%s}",
                    buffer_str(&extra));
}

void metadata_check_update_again(const struct strategy *strategy, const struct value *obj, const struct value *old,
                                 bool is_good, struct field_errors *errs)
{
    if (!is_good)
        metadata_check_update(obj, old, errs);
    if (!(strategy->flags & STRATEGY_ANY_FINALIZER))
        check_finalizer_domains(errs->arena, value_get(metadata_of(obj), TEXT("finalizers")), errs);
}

void metadata_check_update(const struct value *obj, const struct value *old, struct field_errors *errs)
{
    static const struct {
        struct text name;
        const char *field;
    } immutable[] = {
        {TEXT("name"), "metadata.name"},
        {TEXT("namespace"), "metadata.namespace"},
        {TEXT("uid"), "metadata.uid"},
        {TEXT("creationTimestamp"), "metadata.creationTimestamp"},
        {TEXT("deletionTimestamp"), "metadata.deletionTimestamp"},
        {TEXT("deletionGracePeriodSeconds"), "metadata.deletionGracePeriodSeconds"},
    };
    const struct value *now = metadata_of(obj), *before = metadata_of(old);

    if (is_deleting(old))
        check_no_new_finalizers(value_get(now, TEXT("finalizers")), value_get(before, TEXT("finalizers")),
                                errs);
    check_generation(now, errs);
    for (size_t i = 0; i < N_ELEMENTS(immutable); i++) {
        const struct value *v = value_get(now, immutable[i].name), *w = value_get(before, immutable[i].name);
        if (!v && !w)
            continue;
        if (!v || !w || !value_equal(v, w))
            field_error(errs, FIELD_INVALID, immutable[i].field, v ? v : &value_null, "field is immutable");
    }
    check_labels(value_get(now, TEXT("labels")), errs);
    check_annotations(errs->arena, value_get(now, TEXT("annotations")), errs);
    check_owners(value_get(now, TEXT("ownerReferences")), errs);
}
