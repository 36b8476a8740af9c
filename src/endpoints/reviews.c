/* SPDX-License-Identifier: Apache-2.0 */
/* Reviews: objects that are questions. Nothing is stored; the answer is the object that was sent, with its
 * status. SubjectAccessReview, LocalSubjectAccessReview   may that user do this? SelfSubjectAccessReview may
 * I? SelfSubjectRulesReview                          what may I do in a namespace? SelfSubjectReview who am
 * I? Source: kubernetes pkg/registry/authorization, pkg/registry/authentication/selfsubjectreview,
 * pkg/apis/authorization/validation. */
#include "authz.h"
#include "endpoints/write.h"

/* One review under way. */
struct review {
    struct request *request;
    struct arena *arena;
    const struct schema_kind *kind;
    struct value tree;
    struct text namespace; /* of the path */
};

static const struct value *spec_of(const struct review *v)
{
    return value_get(&v->tree, TEXT("spec"));
}

/* --- validation --- */

static bool is_one_of(struct text t, const char *a, const char *b)
{
    return text_is(t, a) || text_is(t, b);
}

static void check_requirement(const struct value *req, bool is_label, const char *at,
                              struct field_errors *errs)
{
    struct text key = value_get_text(req, TEXT("key")), op = value_get_text(req, TEXT("operator"));
    bool has_values = !value_is_empty(value_get(req, TEXT("values")));
    const char *problems[FORMAT_ERRORS_MAX];
    const char *values_at = arena_printf(errs->arena, "%s.values", at),
               *key_at = arena_printf(errs->arena, "%s.key", at);

    if (!is_label && !key.n)
        field_error(errs, FIELD_REQUIRED, key_at, NULL, "must be specified");
    if (is_one_of(op, "In", "NotIn") && !has_values)
        field_error(errs, FIELD_REQUIRED, values_at, NULL,
                    "must be specified when `operator` is 'In' or 'NotIn'");
    if (is_one_of(op, "Exists", "DoesNotExist") && has_values)
        field_error(errs, FIELD_FORBIDDEN, values_at, NULL,
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    if (!is_label)
        return;
    const struct value bad = value_string(key);
    size_t n = format_check(FORMAT_QUALIFIED_NAME, key, problems);
    for (size_t i = 0; i < n; i++)
        field_error(errs, FIELD_INVALID, key_at, &bad, "%s", problems[i]);
    const struct value *values = value_get(req, TEXT("values"));
    for (size_t i = 0; has_values && i < values->n; i++) {
        n = format_check(FORMAT_LABEL_VALUE, value_text(&values->items[i]), problems);
        for (size_t j = 0; j < n; j++)
            field_error(errs, FIELD_INVALID, arena_printf(errs->arena, "%s[%zu]", values_at, i),
                        &values->items[i], "%s", problems[j]);
    }
}

static void check_selector(const struct value *resource, const char *name, struct field_errors *errs)
{
    const struct value *selector = value_get(resource, text_of(name)), *raw, *requirements;
    const char *at = arena_printf(errs->arena, "spec.resourceAttributes.%s", name);

    if (!selector)
        return;
    raw = value_get(selector, TEXT("rawSelector"));
    requirements = value_get(selector, TEXT("requirements"));
    if (!value_is_empty(raw) && !value_is_empty(requirements))
        field_error(errs, FIELD_INVALID, arena_printf(errs->arena, "%s.rawSelector", at), raw,
                    "may not specified at the same time as requirements");
    if (value_is_empty(raw) && value_is_empty(requirements))
        field_error(errs, FIELD_REQUIRED, arena_printf(errs->arena, "%s.requirements", at), NULL,
                    "when %s is specified, requirements or rawSelector is required", at);
    for (size_t i = 0; !value_is_empty(requirements) && i < requirements->n; i++)
        check_requirement(&requirements->items[i], text_starts(text_of(name), TEXT("label")),
                          arena_printf(errs->arena, "%s.requirements[%zu]", at, i), errs);
}

/* Nothing of an object's metadata has a meaning here. managedFields are the server's own. */
static void check_metadata(const struct review *v, bool is_local, struct field_errors *errs)
{
    const struct value *metadata = value_get(&v->tree, TEXT("metadata"));

    for (size_t i = 0; metadata && i < metadata->n; i++) {
        struct text key = member_key(&metadata->members[i]);
        if (value_is_empty(&metadata->members[i].value) || text_is(key, "managedFields") ||
            (is_local && text_is(key, "namespace")))
            continue;
        field_error(errs, FIELD_INVALID, "metadata", metadata, "%s",
                    is_local ? "must be empty except for namespace" : "must be empty");
        return;
    }
}

static int validate(const struct review *v, bool is_self, bool is_local, struct status *st)
{
    const struct value *spec = spec_of(v);
    const struct value *resource = value_get(spec, TEXT("resourceAttributes"));
    const struct value *path = value_get(spec, TEXT("nonResourceAttributes"));
    const struct value no_text = value_string(TEXT(""));
    struct field_errors errs = {.arena = v->arena};

    if (resource && path)
        field_error(&errs, FIELD_INVALID, "spec.nonResourceAttributes", path,
                    "cannot be specified in combination with resourceAttributes");
    if (!resource && !path)
        field_error(&errs, FIELD_INVALID, "spec.resourceAttributes", &value_null,
                    "exactly one of nonResourceAttributes or resourceAttributes must be specified");
    check_selector(resource, "fieldSelector", &errs);
    check_selector(resource, "labelSelector", &errs);
    if (!is_self && value_is_empty(value_get(spec, TEXT("user"))) &&
        value_is_empty(value_get(spec, TEXT("groups"))))
        field_error(&errs, FIELD_INVALID, "spec.user", &no_text,
                    "at least one of user or group must be specified");
    check_metadata(v, is_local, &errs);
    if (is_local && resource) {
        struct text namespace = value_get_text(resource, TEXT("namespace"));
        const struct value bad = value_string(namespace);
        if (!text_eq(namespace, v->namespace))
            field_error(&errs, FIELD_INVALID, "spec.resourceAttributes.namespace", &bad,
                        "must match metadata.namespace");
    }
    if (is_local && path)
        field_error(&errs, FIELD_INVALID, "spec.nonResourceAttributes", path,
                    "disallowed on this kind of request");
    /* Upstream's internal objects have lost their kind by now, so the error names none. */
    return errs.n ? status_invalid(st, v->kind->gvk.group, TEXT(""), TEXT(""), &errs) : 0;
}

/* --- the question --- */

static struct text *texts_of(struct arena *a, const struct value *list, size_t *ret_n)
{
    size_t n = list && list->kind == VALUE_LIST ? list->n : 0;
    struct text *texts = ARENA_ARRAY(a, struct text, n + 1);

    for (size_t i = 0; i < n; i++)
        texts[i] = value_text(&list->items[i]);
    *ret_n = n;
    return texts;
}

static void read_user(struct arena *a, const struct value *spec, struct user_info *ret)
{
    const struct value *extra = value_get(spec, TEXT("extra"));

    *ret = (struct user_info){.name = value_get_text(spec, TEXT("user")),
                              .uid = value_get_text(spec, TEXT("uid"))};
    ret->groups = texts_of(a, value_get(spec, TEXT("groups")), &ret->n_groups);
    if (!extra || extra->kind != VALUE_OBJECT)
        return;
    ret->extra = ARENA_ARRAY(a, struct user_extra, extra->n);
    for (; ret->n_extra < extra->n; ret->n_extra++) {
        struct user_extra *e = &ret->extra[ret->n_extra];
        e->key = member_key(&extra->members[ret->n_extra]);
        e->values = texts_of(a, &extra->members[ret->n_extra].value, &e->n_values);
    }
}

/* What of a selector could be understood, and whether that was less than all. What is left out makes the
 * question broader, never narrower. */
struct selection {
    struct selector selector;
    bool is_partial;
};

static bool read_field_requirement(struct arena *a, const struct value *v, struct requirement *ret)
{
    struct text op = value_get_text(v, TEXT("operator"));

    *ret = (struct requirement){.op = text_is(op, "In") ? SELECT_EQUALS : SELECT_NOT_EQUALS,
                                .key = value_get_text(v, TEXT("key"))};
    ret->values = texts_of(a, value_get(v, TEXT("values")), &ret->n_values);
    return is_one_of(op, "In", "NotIn") && ret->n_values == 1;
}

static bool read_label_requirement(struct arena *a, const struct value *v, struct requirement *ret)
{
    static const struct {
        const char *name;
        enum selector_op op;
    } ops[] = {{"In", SELECT_IN},
               {"NotIn", SELECT_NOT_IN},
               {"Exists", SELECT_EXISTS},
               {"DoesNotExist", SELECT_NOT_EXISTS}};
    struct text op = value_get_text(v, TEXT("operator"));

    *ret = (struct requirement){.key = value_get_text(v, TEXT("key"))};
    ret->values = texts_of(a, value_get(v, TEXT("values")), &ret->n_values);
    for (size_t i = 0; i < N_ELEMENTS(ops); i++) {
        if (!text_is(op, ops[i].name))
            continue;
        ret->op = ops[i].op;
        return true;
    }
    return false;
}

/* NULL: nothing of it is left, or there was none. */
static const struct selector *read_selector(struct arena *a, const struct value *v, bool is_label,
                                            bool *ret_partial, struct selector *ret)
{
    CLEANUP(status_clear) struct status st = {0};
    struct text raw = value_get_text(v, TEXT("rawSelector"));
    const struct value *requirements = value_get(v, TEXT("requirements"));
    size_t n = requirements && requirements->kind == VALUE_LIST ? requirements->n : 0;

    *ret = (struct selector){0};
    if (raw.n &&
        (is_label ? selector_parse_labels(a, raw, ret, &st) : authz_parse_fields(a, raw, ret, &st)) < 0)
        *ret_partial = true;
    if (n)
        ret->requirements = ARENA_ARRAY(a, struct requirement, n);
    for (size_t i = 0; i < n; i++) {
        struct requirement *q = &ret->requirements[ret->n];
        if (is_label ? read_label_requirement(a, &requirements->items[i], q)
                     : read_field_requirement(a, &requirements->items[i], q))
            ret->n++;
        else
            *ret_partial = true;
    }
    return ret->n ? ret : NULL;
}

struct question {
    struct authz_attributes attrs;
    struct request_info info;
    struct selector fields, labels;
    bool is_partial_fields, is_partial_labels;
};

static void read_question(struct review *v, const struct user_info *user, struct question *ret)
{
    const struct value *resource = value_get(spec_of(v), TEXT("resourceAttributes"));
    const struct value *path = value_get(spec_of(v), TEXT("nonResourceAttributes"));

    *ret = (struct question){.attrs = {.user = user, .may_block = request_may_block(v->request)}};
    ret->attrs.info = &ret->info;
    if (!resource) {
        ret->info.verb = value_get_text(path, TEXT("verb"));
        ret->attrs.path = value_get_text(path, TEXT("path"));
        return;
    }
    struct text version = value_get_text(resource, TEXT("version"));
    ret->info = (struct request_info){
        .is_resource = true,
        .verb = value_get_text(resource, TEXT("verb")),
        .group = value_get_text(resource, TEXT("group")),
        .version = version.n ? version : TEXT("*"),
        .namespace = value_get_text(resource, TEXT("namespace")),
        .resource = value_get_text(resource, TEXT("resource")),
        .subresource = value_get_text(resource, TEXT("subresource")),
        .name = value_get_text(resource, TEXT("name")),
    };
    ret->attrs.fields = read_selector(v->arena, value_get(resource, TEXT("fieldSelector")), false,
                                      &ret->is_partial_fields, &ret->fields);
    ret->attrs.labels = read_selector(v->arena, value_get(resource, TEXT("labelSelector")), true,
                                      &ret->is_partial_labels, &ret->labels);
}

/* --- answers --- */

static enum flow answer(struct review *v, struct value status)
{
    value_set(v->arena, &v->tree, TEXT("status"), status);
    schema_arrange(v->arena, v->kind->schema, &v->tree);
    return respond_tree(v->request, 201, v->kind, &v->tree);
}

static void add_error(struct buffer *b, const char *name, bool is_partial, bool has_some)
{
    if (is_partial)
        buffer_addf(b, "%sspec.resourceAttributes.%s %signored due to parse error", b->n ? "; " : "", name,
                    has_some ? "partially " : "");
}

static enum flow answer_access(struct review *v, const struct user_info *user)
{
    struct value status = value_object();
    struct buffer error = BUFFER_IN(v->arena);
    struct authz_answer a;
    struct question q;

    read_question(v, user, &q);
    if (authorizer_ask(v->request->wiring->authz, v->arena, &q.attrs, &a) == AUTHZ_WOULD_BLOCK)
        return FLOW_BLOCK;
    buffer_add(&error, a.error);
    add_error(&error, "fieldSelector", q.is_partial_fields, q.attrs.fields != NULL);
    add_error(&error, "labelSelector", q.is_partial_labels, q.attrs.labels != NULL);
    value_add(v->arena, &status, TEXT("allowed"), value_bool(a.decision == AUTHZ_ALLOW));
    value_add(v->arena, &status, TEXT("denied"), value_bool(a.decision == AUTHZ_DENY));
    value_add(v->arena, &status, TEXT("reason"), value_string(a.reason));
    value_add(v->arena, &status, TEXT("evaluationError"), value_string(buffer_text(&error)));
    return answer(v, status);
}

static enum flow access_of(struct review *v, bool is_self, bool is_local)
{
    struct status st = {0};
    struct user_info user;

    if (validate(v, is_self, is_local, &st) < 0)
        return request_fail(v->request, &st);
    if (is_self)
        return answer_access(v, &v->request->user);
    read_user(v->arena, spec_of(v), &user);
    return answer_access(v, &user);
}

static enum flow review_subject_access(struct review *v)
{
    return access_of(v, false, false);
}

static enum flow review_local_access(struct review *v)
{
    return access_of(v, false, true);
}

static enum flow review_self_access(struct review *v)
{
    return access_of(v, true, false);
}

static struct value list_of(struct arena *a, struct text_span span)
{
    return value_texts(a, span.p, span.n);
}

/* The rules for resources or those for paths; a rule may be both. */
static struct value rules_as_list(struct arena *a, const struct authz_rules *rules, bool of_paths)
{
    struct value list = value_list();

    for (size_t i = 0; i < rules->n; i++) {
        const struct policy_rule *r = &rules->p[i];
        struct value v = value_object();
        if (!(of_paths ? r->urls.n : r->resources.n))
            continue;
        value_add(a, &v, TEXT("verbs"), list_of(a, r->verbs));
        if (of_paths) {
            value_add(a, &v, TEXT("nonResourceURLs"), list_of(a, r->urls));
        } else {
            value_add(a, &v, TEXT("apiGroups"), list_of(a, r->groups));
            value_add(a, &v, TEXT("resources"), list_of(a, r->resources));
            value_add(a, &v, TEXT("resourceNames"), list_of(a, r->names));
        }
        value_append(a, &list, v);
    }
    return list;
}

static enum flow review_self_rules(struct review *v)
{
    struct text namespace = value_get_text(spec_of(v), TEXT("namespace"));
    struct authz_rules rules = {.arena = v->arena};
    struct value status = value_object();
    struct buffer error = BUFFER_IN(v->arena);

    if (!namespace.n) {
        struct status st = {0};
        status_set(&st, STATUS_BAD_REQUEST, "no namespace on request");
        return request_fail(v->request, &st);
    }
    authorizer_list_rules(v->request->wiring->authz, &v->request->user, namespace, &rules);
    text_list_write_errors(&error, &rules.errors);
    value_add(v->arena, &status, TEXT("resourceRules"), rules_as_list(v->arena, &rules, false));
    value_add(v->arena, &status, TEXT("nonResourceRules"), rules_as_list(v->arena, &rules, true));
    value_add(v->arena, &status, TEXT("incomplete"), value_bool(rules.is_incomplete));
    value_add(v->arena, &status, TEXT("evaluationError"), value_string(buffer_text(&error)));
    /* The answer is a new object: nothing of what was sent is in it. */
    value_remove(&v->tree, TEXT("spec"));
    value_remove(&v->tree, TEXT("metadata"));
    return answer(v, status);
}

static enum flow review_self(struct review *v)
{
    struct value status = value_object(), metadata = value_object();
    char *now = arena_alloc(v->arena, CLOCK_TEXT_MAX);

    value_add(v->arena, &status, TEXT("userInfo"), user_as_value(v->arena, &v->request->user));
    value_add(v->arena, &metadata, TEXT("creationTimestamp"),
              value_string(clock_rfc3339(clock_now_ns(), now)));
    value_set(v->arena, &v->tree, TEXT("metadata"), metadata);
    return answer(v, status);
}

/* --- entry --- */

static const struct {
    const char *kind;
    enum flow (*review)(struct review *v);
} reviews[] = {
    {"SubjectAccessReview", review_subject_access},
    {"LocalSubjectAccessReview", review_local_access},
    {"SelfSubjectAccessReview", review_self_access},
    {"SelfSubjectRulesReview", review_self_rules},
    {"SelfSubjectReview", review_self},
};

enum flow call_review(struct request *r, struct call *c)
{
    const struct schema_kind *kind = c->resource->type->kind;
    struct review v = {.request = r, .arena = r->arena, .kind = kind, .namespace = c->namespace};
    struct status st = {0};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_CREATE, "CreateOptions", &flow);

    if (!w)
        return flow;
    if (body_read_object(r, kind, &w->options, &v.tree, &st) < 0 ||
        check_namespace(r->arena, c, &v.tree, &st) < 0)
        return request_fail(r, &st);
    write_manage_question(w, kind, &v.tree);
    if (write_ask_admission(w, ADMISSION_CREATE, kind, &v.tree, NULL, &st) < 0)
        return request_fail(r, &st);
    for (size_t i = 0; i < N_ELEMENTS(reviews); i++)
        if (text_is(kind->gvk.kind, reviews[i].kind))
            return reviews[i].review(&v);
    return fail_no_resource(r);
}
