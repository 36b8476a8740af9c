/* SPDX-License-Identifier: Apache-2.0 */
/* LimitRanger: a namespace's limit ranges give containers what they do not ask for themselves, and bound what
 * containers, pods and claims ask for. Source: kubernetes plugin/pkg/admission/limitranger/admission.go. */
#include "admission/plugin.h"
#include "registry/quota.h"

#define ANNOTATION TEXT("kubernetes.io/limit-ranger")
#define MILLI_MAX (INT64_MAX / 1000)

/* Calls each with a limit range of the request's namespace, until one refuses. */
static int for_each_range(struct admission_attributes *a,
                          int (*each)(struct admission_attributes *a, const struct value *limits,
                                      struct status *st),
                          struct status *st)
{
    CLEANUP(status_clear) struct status ignored = {0};
    struct cache *cache = admission_cache(a->registry, "", "v1", "limitranges");
    struct admission_list list;
    struct object *o;
    int result = 0;

    /* Objects that end may be written as they are. */
    if (!cache || value_at(a->old, "metadata", "deletionTimestamp", NULL))
        return 0;
    admission_list_open(&list, a->arena, cache, a->namespace);
    while (result == 0 && (o = admission_list_next(&list))) {
        struct value tree;
        if (object_tree(a->arena, o, &tree, &ignored) < 0)
            continue;
        tree = value_copy_deep(a->arena, &tree); /* what is filled in outlives the object */
        result = each(a, value_at(&tree, "spec", "limits", NULL), st);
    }
    admission_list_close(&list);
    return result;
}

static size_t members_of(const struct value *v)
{
    return v && v->kind == VALUE_OBJECT ? v->n : 0;
}

/* --- filling in --- */

/* Notes "cpu, memory request for container c". */
static void note(struct buffer *b, struct text_list *set, const char *what, const char *of, struct text name)
{
    if (!set->n)
        return;
    text_list_sort(set);
    if (b->n)
        buffer_add_str(b, "; ");
    for (size_t i = 0; i < set->n; i++)
        buffer_addf(b, "%s%.*s", i ? ", " : "", TEXT_ARG(set->p[i]));
    buffer_addf(b, " %s for %s %.*s", what, of, TEXT_ARG(name));
}

static struct text_list fill_list(struct arena *a, struct value *resources, struct text member,
                                  const struct value *defaults)
{
    struct text_list set = {0};

    for (size_t i = 0; i < members_of(defaults); i++) {
        struct text key = member_key(&defaults->members[i]);
        struct value *list = value_object_at(a, resources, member);
        if (value_get(list, key))
            continue;
        value_set(a, list, key, defaults->members[i].value);
        text_list_add(a, &set, key);
    }
    return set;
}

static void fill_containers(struct arena *a, const struct value *containers, const struct value *requests,
                            const struct value *limits, const char *of, struct buffer *notes)
{
    for (size_t i = 0; i < list_size(containers); i++) {
        struct value *c = &containers->items[i], *resources = value_object_at(a, c, TEXT("resources"));
        struct text_list set_limits = fill_list(a, resources, TEXT("limits"), limits);
        struct text_list set_requests = fill_list(a, resources, TEXT("requests"), requests);
        note(notes, &set_requests, "request", of, text_at(c, "name"));
        note(notes, &set_limits, "limit", of, text_at(c, "name"));
    }
}

static void gather(struct arena *a, struct value *to, const struct value *from)
{
    for (size_t i = 0; i < members_of(from); i++)
        value_set(a, to, member_key(&from->members[i]), from->members[i].value);
}

static int fill_from(struct admission_attributes *a, const struct value *limits, struct status *st)
{
    struct value requests = value_object(), caps = value_object();
    struct value *spec = value_object_at(a->arena, a->object, TEXT("spec"));
    struct buffer notes = BUFFER_IN(a->arena);

    for (size_t i = 0; i < list_size(limits); i++) {
        if (!text_is(text_at(&limits->items[i], "type"), "Container"))
            continue;
        gather(a->arena, &requests, value_get(&limits->items[i], TEXT("defaultRequest")));
        gather(a->arena, &caps, value_get(&limits->items[i], TEXT("default")));
    }
    fill_containers(a->arena, value_get(spec, TEXT("containers")), &requests, &caps, "container", &notes);
    fill_containers(a->arena, value_get(spec, TEXT("initContainers")), &requests, &caps, "init container",
                    &notes);
    if (!notes.n)
        return 0;
    struct value *metadata = value_object_at(a->arena, a->object, TEXT("metadata"));
    value_set(a->arena, value_object_at(a->arena, metadata, TEXT("annotations")), ANNOTATION,
              value_string(arena_textf(a->arena, "LimitRanger plugin set: %s", buffer_str(&notes))));
    return 0;
}

static int fill_pod(void *state, struct admission_attributes *a, struct status *st)
{
    return for_each_range(a, fill_from, st);
}

/* --- bounds --- */

/* What is bounded: its lists of quantities. */
struct asked {
    struct text type; /* "Container", as the limit has it */
    const struct value *requests, *limits;
};

/* At a common precision: thousandths where all of them fit. */
static void at_one_scale(const struct text *q, int64_t *ret, size_t n)
{
    bool fits = true;

    for (size_t i = 0; i < n; i++) {
        ret[i] = quantity_value(q[i]);
        fits &= ret[i] <= MILLI_MAX;
    }
    for (size_t i = 0; fits && i < n; i++)
        ret[i] = quantity_milli_value(q[i]);
}

struct amounts {
    struct text shown[3]; /* request, limit, bound */
    int64_t value[3];
    bool has_request, has_limit;
};
enum { REQUEST, LIMIT, BOUND };

static struct amounts amounts_of(struct arena *a, const struct asked *asked, const struct value_member *bound)
{
    const struct value *request = value_get(asked->requests, member_key(bound));
    const struct value *limit = value_get(asked->limits, member_key(bound));
    struct amounts r = {.has_request = request, .has_limit = limit};

    r.shown[REQUEST] = request ? quantity_text(a, request) : TEXT("0");
    r.shown[LIMIT] = limit ? quantity_text(a, limit) : TEXT("0");
    r.shown[BOUND] = quantity_text(a, &bound->value);
    at_one_scale(r.shown, r.value, 3);
    return r;
}

static void add(struct text_list *errors, struct arena *a, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void add(struct text_list *errors, struct arena *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    text_list_add(a, errors, text_of(arena_vprintf(a, fmt, args)));
    va_end(args);
}

/* which: "minimum" or "maximum"; what: "request" or "limit". */
static void add_missing(struct arena *a, const struct asked *asked, const struct value_member *bound,
                        const struct amounts *m, const char *which, const char *what, struct text_list *errors)
{
    add(errors, a, "%s %.*s usage per %.*s is %.*s.  No %s is specified", which, TEXT_ARG(member_key(bound)),
        TEXT_ARG(asked->type), TEXT_ARG(m->shown[BOUND]), what);
}

static void add_beyond(struct arena *a, const struct asked *asked, const struct value_member *bound,
                       const struct amounts *m, const char *which, const char *what, struct text given,
                       struct text_list *errors)
{
    add(errors, a, "%s %.*s usage per %.*s is %.*s, but %s is %.*s", which, TEXT_ARG(member_key(bound)),
        TEXT_ARG(asked->type), TEXT_ARG(m->shown[BOUND]), what, TEXT_ARG(given));
}

static void check_min(struct arena *a, const struct asked *asked, const struct value_member *bound,
                      struct text_list *errors)
{
    struct amounts m = amounts_of(a, asked, bound);

    if (!m.has_request)
        add_missing(a, asked, bound, &m, "minimum", "request", errors);
    else if (m.value[REQUEST] < m.value[BOUND])
        add_beyond(a, asked, bound, &m, "minimum", "request", m.shown[REQUEST], errors);
    else if (m.has_limit && m.value[LIMIT] < m.value[BOUND])
        add_beyond(a, asked, bound, &m, "minimum", "limit", m.shown[LIMIT], errors);
}

static void check_max(struct arena *a, const struct asked *asked, const struct value_member *bound,
                      struct text_list *errors)
{
    struct amounts m = amounts_of(a, asked, bound);

    if (!m.has_limit)
        add_missing(a, asked, bound, &m, "maximum", "limit", errors);
    else if (m.value[LIMIT] > m.value[BOUND])
        add_beyond(a, asked, bound, &m, "maximum", "limit", m.shown[LIMIT], errors);
    else if (m.has_request && m.value[REQUEST] > m.value[BOUND])
        add_beyond(a, asked, bound, &m, "maximum", "request", m.shown[REQUEST], errors);
}

/* Claims have no limits of their own. */
static void check_max_request(struct arena *a, const struct asked *asked, const struct value_member *bound,
                              struct text_list *errors)
{
    struct amounts m = amounts_of(a, asked, bound);

    if (!m.has_request)
        add_missing(a, asked, bound, &m, "maximum", "request", errors);
    else if (m.value[REQUEST] > m.value[BOUND])
        add_beyond(a, asked, bound, &m, "maximum", "request", m.shown[REQUEST], errors);
}

static void check_ratio(struct arena *a, const struct asked *asked, const struct value_member *bound,
                        struct text_list *errors)
{
    struct amounts m = amounts_of(a, asked, bound);
    struct text resource = member_key(bound), type = asked->type;
    bool is_milli = quantity_value(m.shown[BOUND]) <= MILLI_MAX;

    if (!m.has_request || m.value[REQUEST] == 0) {
        add(errors, a,
            "%.*s max limit to request ratio per %.*s is %.*s, but no request is specified or request is 0",
            TEXT_ARG(resource), TEXT_ARG(type), TEXT_ARG(m.shown[BOUND]));
        return;
    }
    if (!m.has_limit || m.value[LIMIT] == 0) {
        add(errors, a,
            "%.*s max limit to request ratio per %.*s is %.*s, but no limit is specified or limit is 0",
            TEXT_ARG(resource), TEXT_ARG(type), TEXT_ARG(m.shown[BOUND]));
        return;
    }
    double ratio = (double)m.value[LIMIT] / (double)m.value[REQUEST];
    double most = (double)(is_milli ? quantity_milli_value(m.shown[BOUND]) : quantity_value(m.shown[BOUND]));
    if (ratio * (is_milli ? 1000 : 1) > most)
        add(errors, a, "%.*s max limit to request ratio per %.*s is %.*s, but provided ratio is %f",
            TEXT_ARG(resource), TEXT_ARG(type), TEXT_ARG(m.shown[BOUND]), ratio);
}

typedef void (*bound_check)(struct arena *a, const struct asked *asked, const struct value_member *bound,
                            struct text_list *errors);

static void check_bounds(struct arena *a, const struct value *limit, const struct asked *asked, bool is_claim,
                         struct text_list *errors)
{
    const struct {
        struct text member;
        bound_check check;
    } rows[] = {{TEXT("min"), check_min},
                {TEXT("max"), is_claim ? check_max_request : check_max},
                {TEXT("maxLimitRequestRatio"), is_claim ? NULL : check_ratio}};

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct value *bounds = value_get(limit, rows[i].member);
        for (size_t k = 0; rows[i].check && k < members_of(bounds); k++)
            rows[i].check(a, asked, &bounds->members[k], errors);
    }
}

static int refuse(const struct admission_attributes *a, const struct text_list *errors, struct status *st)
{
    struct buffer b = BUFFER_IN(a->arena);

    if (!errors->n)
        return 0;
    text_list_write_errors(&b, errors);
    return admission_forbid(a, st, "%s", buffer_str(&b));
}

static int bound_pod(struct admission_attributes *a, const struct value *limits, struct status *st)
{
    static const struct text bounded[] = {TEXT("containers"), TEXT("initContainers")};
    const struct value *spec = spec_of(a->object);
    struct text_list errors = {0};

    for (size_t i = 0; i < list_size(limits); i++) {
        struct text type = text_at(&limits->items[i], "type");
        for (size_t k = 0; text_is(type, "Container") && k < N_ELEMENTS(bounded); k++) {
            const struct value *containers = value_get(spec, bounded[k]);
            for (size_t j = 0; j < list_size(containers); j++) {
                const struct value *resources = value_get(&containers->items[j], TEXT("resources"));
                const struct asked asked = {type, value_get(resources, TEXT("requests")),
                                            value_get(resources, TEXT("limits"))};
                check_bounds(a->arena, &limits->items[i], &asked, false, &errors);
            }
        }
        if (text_is(type, "Pod")) {
            struct value requests = pod_resources(a->arena, spec, POD_REQUESTS),
                         caps = pod_resources(a->arena, spec, POD_LIMITS);
            const struct asked asked = {type, &requests, &caps};
            check_bounds(a->arena, &limits->items[i], &asked, false, &errors);
        }
    }
    return refuse(a, &errors, st);
}

static int check_pod(void *state, struct admission_attributes *a, struct status *st)
{
    return for_each_range(a, bound_pod, st);
}

static int bound_claim(struct admission_attributes *a, const struct value *limits, struct status *st)
{
    const struct asked asked = {TEXT("PersistentVolumeClaim"),
                                value_at(a->object, "spec", "resources", "requests", NULL), NULL};
    struct text_list errors = {0};

    for (size_t i = 0; i < list_size(limits); i++)
        if (text_eq(text_at(&limits->items[i], "type"), asked.type))
            check_bounds(a->arena, &limits->items[i], &asked, true, &errors);
    return refuse(a, &errors, st);
}

static int check_claim(void *state, struct admission_attributes *a, struct status *st)
{
    return for_each_range(a, bound_claim, st);
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("pods"), TEXT(""), CREATE, .admit = fill_pod, .validate = check_pod},
    {TEXT(""), TEXT("pods"), TEXT("resize"), UPDATE, .admit = fill_pod, .validate = check_pod},
    {TEXT(""), TEXT("persistentvolumeclaims"), TEXT(""), CREATE | UPDATE, .validate = check_claim},
};
const struct admission_plugin plugin_limit_ranger = {"LimitRanger", true, RULES(rules)};
