/* SPDX-License-Identifier: Apache-2.0 */
/* Binding: how a scheduler says on which node a pod runs. It is an update of the pod: its node, the condition
 * PodScheduled, and the binding's annotations and topology labels. Once said it stands.
 * Source: kubernetes pkg/registry/core/pod/storage/storage.go, BindingREST and assignPod. */
#include "endpoints/write.h"

static const struct schema_kind *binding_kind(void)
{
    return schema_kind_of(TEXT("v1"), TEXT("Binding"));
}

/* Upstream's aggregate of field errors never became a client's error there, so neither here. */
static int fail_plainly(struct status *st, const char *what)
{
    status_set(st, STATUS_UNKNOWN, "%s", what);
    st->code = 500;
    return -1;
}

static int check_binding(const struct call *c, const struct value *binding, struct status *st)
{
    const struct value *target = value_get(binding, TEXT("target"));
    struct text kind = value_get_text(target, TEXT("kind"));
    struct text name = value_get_text(value_get(binding, TEXT("metadata")), TEXT("name"));

    if (c->name.n && !text_eq(name, c->name))
        return status_set(st, STATUS_BAD_REQUEST, "name in URL does not match name in Binding object");
    if (kind.n && !text_is(kind, "Node"))
        return fail_plainly(st, "target.kind: Unsupported value: supported values: \"Node\", \"<empty>\"");
    if (!value_get_text(target, TEXT("name")).n)
        return fail_plainly(st, "target.name: Required value");
    return 0;
}

static int refuse(struct operation *op, struct status *st, const char *fmt, struct text arg)
{
    struct buffer b = BUFFER_IN(op->arena);

    buffer_addf(&b, "pod %.*s ", TEXT_ARG(op->name));
    buffer_add_str(&b, fmt);
    if (arg.n)
        buffer_add_quoted(&b, arg);
    return status_conflict(st, TEXT(""), TEXT("pods/binding"), op->name, buffer_str(&b));
}

static void merge_map(struct arena *a, const struct value *from, const char *only_prefix,
                      struct value *metadata, const char *key)
{
    struct value *to;

    if (!from || from->kind != VALUE_OBJECT || from->n == 0)
        return;
    to = value_object_at(a, metadata, text_of(key));
    for (size_t i = 0; i < from->n; i++)
        if (text_starts(member_key(&from->members[i]), text_of(only_prefix)))
            value_set(a, to, member_key(&from->members[i]), from->members[i].value);
}

/* Sets the condition PodScheduled to True, with the time of the change. */
static void set_scheduled(struct arena *a, struct value *tree)
{
    struct value *status = value_object_at(a, tree, TEXT("status")), *conditions, *found = NULL;
    char *now = arena_alloc(a, CLOCK_TEXT_MAX);
    struct value condition = value_object();

    if (!value_get(status, TEXT("conditions")))
        value_set(a, status, TEXT("conditions"), value_list());
    conditions = value_get(status, TEXT("conditions"));
    if (conditions->kind != VALUE_LIST)
        *conditions = value_list();
    for (size_t i = 0; i < conditions->n && !found; i++)
        if (text_is(value_get_text(&conditions->items[i], TEXT("type")), "PodScheduled"))
            found = &conditions->items[i];
    if (found && text_is(value_get_text(found, TEXT("status")), "True"))
        return;
    value_add(a, &condition, TEXT("type"), value_string(TEXT("PodScheduled")));
    value_add(a, &condition, TEXT("status"), value_string(TEXT("True")));
    value_add(a, &condition, TEXT("lastTransitionTime"), value_string(clock_rfc3339(clock_now_ns(), now)));
    if (found)
        *found = condition;
    else
        value_append(a, conditions, condition);
}

static int bind_pod(struct operation *op, const struct object *current, const struct value *current_tree,
                    struct value *ret_new, struct status *st)
{
    struct write_call *w = op->ctx;
    struct arena *a = op->arena;
    const struct value *given = value_get(&w->object, TEXT("metadata"));
    struct value tree, *metadata, *spec;
    struct text node;

    if (!current_tree)
        return status_not_found(st, TEXT(""), TEXT("pods"), op->name);
    tree = value_copy(a, current_tree);
    metadata = value_object_at(a, &tree, TEXT("metadata"));
    spec = value_object_at(a, &tree, TEXT("spec"));
    node = value_get_text(spec, TEXT("nodeName"));
    if (value_get(metadata, TEXT("deletionTimestamp")))
        return refuse(op, st, "is being deleted, cannot be assigned to a host", TEXT_NONE);
    if (node.n)
        return refuse(op, st, "is already assigned to node ", node);
    if (!value_is_empty(value_get(spec, TEXT("schedulingGates"))))
        return refuse(op, st, "has non-empty .spec.schedulingGates", TEXT_NONE);

    value_set(a, spec, TEXT("nodeName"),
              value_string(value_get_text(value_get(&w->object, TEXT("target")), TEXT("name"))));
    merge_map(a, value_get(given, TEXT("annotations")), "", metadata, "annotations");
    merge_map(a, value_get(given, TEXT("labels")), "topology.kubernetes.io/", metadata, "labels");
    set_scheduled(a, &tree);
    schema_arrange(a, op->resource->storage->kind->schema, &tree);
    *ret_new = tree;
    return 0;
}

static enum flow respond_bound(struct request *r, struct call *c, struct write_call *w)
{
    const struct status st = {.code = 201};

    return respond_status(r, 201, &st);
}

enum flow call_binding_create(struct request *r, struct call *c)
{
    struct status st = {0};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_UPDATE, "CreateOptions", &flow);

    if (!w)
        return flow;
    w->op.transform = bind_pod;
    w->is_unmanaged = true;
    w->op.admission = NULL; /* the binding is what is admitted */
    w->respond = respond_bound;
    if (body_read_object(r, binding_kind(), &w->options, &w->object, &st) < 0 ||
        check_namespace(r->arena, c, &w->object, &st) < 0 ||
        write_ask_admission(w, ADMISSION_CREATE, binding_kind(), &w->object, NULL, &st) < 0 ||
        check_binding(c, &w->object, &st) < 0)
        return request_fail(r, &st);
    w->op.name = value_get_text(value_get(&w->object, TEXT("metadata")), TEXT("name"));
    w->op.expected_uid = value_get_text(value_get(&w->object, TEXT("metadata")), TEXT("uid"));
    return write_submit(w);
}
