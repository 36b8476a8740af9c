/* SPDX-License-Identifier: Apache-2.0 */
/* JSON patch: the operations are run one after the other on a copy of the document. A path is walked to the
 * container that holds its last part; the operation is then one look-up, insertion or removal there.
 *
 * A patch of a few megabytes could nest values so deep, by moving one into another, that walking them later
 * would hurt. So an upper bound of the document's depth is kept, which grows by the length of each path
 * written to; only when it passes the limit is the depth measured. */
#include "patch.h"

#include <limits.h>
#include <stdlib.h>

struct target {
    struct value *container; /* an object or a list */
    struct text key;
};

struct run {
    struct arena *a;
    struct value *doc;
    size_t copied_bytes;
    size_t depth_bound;
    struct status *st;
};

/* Upstream answers every failure of an operation with this sentence and hides the reason; ours is put behind
 * it. */
static int fail(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int fail(struct run *r, const char *fmt, ...)
{
    struct buffer b = BUFFER_IN(r->a);
    va_list args;

    va_start(args, fmt);
    buffer_vaddf(&b, fmt, args);
    va_end(args);
    status_set(r->st, STATUS_INVALID, "the server rejected our request due to an error in our request: %s",
               buffer_str(&b));
    r->st->has_details = true;
    return -1;
}

static size_t tree_depth(const struct value *v)
{
    VEC(struct {
        const struct value *v;
        size_t depth;
    })
    todo = {0};
    size_t deepest = 0;
    const struct value *at = v;
    size_t depth = 1;

    for (;;) {
        if (depth > deepest)
            deepest = depth;
        for (size_t i = 0; at->kind >= VALUE_LIST && i < at->n; i++) {
            const struct value *child = at->kind == VALUE_OBJECT ? &at->members[i].value : &at->items[i];
            if (child->kind >= VALUE_LIST)
                vec_push(&todo, ((__typeof__(*todo.p)){child, depth + 1}));
        }
        if (!todo.n)
            break;
        at = todo.p[--todo.n].v;
        depth = todo.p[todo.n].depth;
    }
    vec_deinit(&todo);
    return deepest;
}

static int note_depth(struct run *r, struct text path, size_t value_depth)
{
    size_t parts = 0;

    for (size_t i = 0; i < path.n; i++)
        parts += path.p[i] == '/';
    if (parts + value_depth <= r->depth_bound)
        return 0;
    r->depth_bound = parts + value_depth;
    if (r->depth_bound > JSON_DEPTH_MAX)
        r->depth_bound = tree_depth(r->doc);
    return r->depth_bound > JSON_DEPTH_MAX ? fail(r, "exceeded max depth") : 0;
}

/* ~1 is a slash, ~0 a tilde; any other tilde stands for itself. */
static struct text unescape(struct arena *a, struct text part)
{
    if (text_find(part, '~') < 0)
        return part;
    char *out = arena_alloc(a, part.n);
    size_t n = 0;
    for (size_t i = 0; i < part.n; i++) {
        bool is_escape = part.p[i] == '~' && i + 1 < part.n && (part.p[i + 1] == '0' || part.p[i + 1] == '1');
        out[n++] = !is_escape ? part.p[i] : part.p[i + 1] == '0' ? '~' : '/';
        i += is_escape;
    }
    return (struct text){out, n};
}

/* As Go's strconv.Atoi: a sign and leading zeros are allowed. */
static bool parse_index(struct text t, int64_t *ret)
{
    struct text digits = t.n && (t.p[0] == '+' || t.p[0] == '-') ? text_from(t, 1) : t;
    uint64_t u;

    if (!digits.n || digits.p[0] == '+' || digits.p[0] == '-' || !text_to_u64(digits, &u) || u > INT32_MAX)
        return false;
    *ret = t.p[0] == '-' ? -(int64_t)u : (int64_t)u;
    return true;
}

/* The position that key means among n places; negative ones count from the end. */
static bool list_place(struct text key, size_t n, size_t *ret)
{
    int64_t i;

    if (!parse_index(key, &i) || i >= (int64_t)n || i < -(int64_t)n)
        return false;
    *ret = (size_t)(i < 0 ? i + (int64_t)n : i);
    return true;
}

static struct value *child_of(const struct target *t)
{
    size_t i;

    if (t->container->kind == VALUE_OBJECT)
        return value_get(t->container, t->key);
    return list_place(t->key, t->container->n, &i) ? &t->container->items[i] : NULL;
}

/* False when there is no such container. The part before the first slash is not looked at, as upstream. */
static bool find_target(struct run *r, struct text path, struct target *ret)
{
    ptrdiff_t slash = text_find(path, '/');

    if (slash < 0)
        return false;
    struct text rest = text_from(path, (size_t)slash + 1), part;
    struct target at = {.container = r->doc};
    while ((slash = text_find(rest, '/')) >= 0) {
        part = text_first(rest, (size_t)slash);
        rest = text_from(rest, (size_t)slash + 1);
        at.key = unescape(r->a, part);
        struct value *next = child_of(&at);
        if (next && next->kind == VALUE_RAW)
            json_expand(r->a, next);
        if (!next || next->kind < VALUE_LIST)
            return false;
        at.container = next;
    }
    at.key = unescape(r->a, rest);
    *ret = at;
    return true;
}

static int need_target(struct run *r, const char *what, struct text path, struct target *ret)
{
    if (find_target(r, path, ret))
        return 0;
    fail(r, "%s: path \"%.*s\" does not exist", what, TEXT_ARG(path));
    return -1;
}

static int add_at(struct run *r, const char *what, struct text path, struct target *t, struct value v)
{
    size_t i;

    if (t->container->kind == VALUE_OBJECT)
        value_set(r->a, t->container, t->key, v);
    else if (text_eq(t->key, TEXT("-")))
        value_append(r->a, t->container, v);
    else if (list_place(t->key, (size_t)t->container->n + 1, &i))
        value_insert(r->a, t->container, i, v);
    else
        return fail(r, "%s: \"%.*s\" is no index of the list at path \"%.*s\"", what, TEXT_ARG(t->key),
                    TEXT_ARG(path));
    return 0;
}

static int remove_at(struct run *r, const char *what, struct text path, struct target *t)
{
    size_t i;

    if (t->container->kind == VALUE_OBJECT) {
        if (value_remove(t->container, t->key))
            return 0;
    } else if (list_place(t->key, t->container->n, &i)) {
        value_remove_at(t->container, i);
        return 0;
    }
    return fail(r, "%s: there is nothing at path \"%.*s\"", what, TEXT_ARG(path));
}

/* --- operations --- */

struct patch_op {
    struct text path, from;
    const struct value *value; /* null when absent: the two are the same upstream */
};

static int op_add(struct run *r, const struct patch_op *op)
{
    struct target t;

    if (need_target(r, "add", op->path, &t) < 0 ||
        add_at(r, "add", op->path, &t, value_copy(r->a, op->value)) < 0)
        return -1;
    return note_depth(r, op->path, tree_depth(op->value));
}

static int op_remove(struct run *r, const struct patch_op *op)
{
    struct target t;

    return need_target(r, "remove", op->path, &t) < 0 ? -1 : remove_at(r, "remove", op->path, &t);
}

static int op_replace(struct run *r, const struct patch_op *op)
{
    struct target t;

    if (!op->path.n) {
        if (op->value->kind < VALUE_LIST)
            return fail(r, "replace: the whole document can only become an object or a list");
        *r->doc = value_copy(r->a, op->value);
        r->depth_bound = tree_depth(r->doc);
        return 0;
    }
    if (need_target(r, "replace", op->path, &t) < 0)
        return -1;
    if (t.container->kind == VALUE_OBJECT) {
        value_set(r->a, t.container, t.key, value_copy(r->a, op->value));
    } else {
        struct value *old = child_of(&t);
        if (!old)
            return fail(r, "replace: there is nothing at path \"%.*s\"", TEXT_ARG(op->path));
        *old = value_copy(r->a, op->value);
    }
    return note_depth(r, op->path, tree_depth(op->value));
}

static int op_move(struct run *r, const struct patch_op *op)
{
    struct target t;

    if (need_target(r, "move", op->from, &t) < 0)
        return -1;
    struct value *found = child_of(&t);
    struct value moved = found ? *found : value_null;
    if (remove_at(r, "move", op->from, &t) < 0 || need_target(r, "move", op->path, &t) < 0 ||
        add_at(r, "move", op->path, &t, moved) < 0)
        return -1;
    return moved.kind < VALUE_LIST ? 0 : note_depth(r, op->path, r->depth_bound);
}

/* About the bytes of v's JSON, to bound what copies add. */
static size_t json_bytes(const struct value *v)
{
    VEC(const struct value *) todo = {0};
    size_t bytes = 0;

    vec_push(&todo, v);
    while (todo.n) {
        const struct value *at = todo.p[--todo.n];
        bytes += at->kind == VALUE_STRING ? at->n + 3 : 8;
        for (size_t i = 0; at->kind >= VALUE_LIST && i < at->n; i++) {
            if (at->kind == VALUE_OBJECT)
                bytes += at->members[i].key_n + 4;
            vec_push(&todo, at->kind == VALUE_OBJECT ? &at->members[i].value : &at->items[i]);
        }
    }
    vec_deinit(&todo);
    return bytes;
}

static int op_copy(struct run *r, const struct patch_op *op)
{
    struct target t;

    if (need_target(r, "copy", op->from, &t) < 0)
        return -1;
    const struct value *found = child_of(&t);
    if (!found && t.container->kind == VALUE_LIST)
        return fail(r, "copy: there is nothing at path \"%.*s\"", TEXT_ARG(op->from));
    if (need_target(r, "copy", op->path, &t) < 0)
        return -1;
    r->copied_bytes += found ? json_bytes(found) : 0;
    if (r->copied_bytes > PATCH_COPY_BYTES_MAX)
        return fail(r, "copy: more than %d bytes would be copied", PATCH_COPY_BYTES_MAX);
    struct value copy = found ? value_copy(r->a, found) : value_null;
    size_t depth = tree_depth(&copy);
    if (add_at(r, "copy", op->path, &t, copy) < 0)
        return -1;
    return note_depth(r, op->path, depth);
}

static int op_test(struct run *r, const struct patch_op *op)
{
    struct value *found = r->doc;
    struct target t;

    if (op->path.n) {
        if (need_target(r, "test", op->path, &t) < 0)
            return -1;
        found = child_of(&t);
        if (!found && t.container->kind == VALUE_LIST)
            return fail(r, "test: there is nothing at path \"%.*s\"", TEXT_ARG(op->path));
    }
    if (found)
        json_expand(r->a, found);
    if (value_equal(found ? found : &value_null, op->value))
        return 0;
    return fail(r, "testing value %.*s failed: test failed", TEXT_ARG(op->path));
}

static const struct {
    struct text name;
    int (*run)(struct run *r, const struct patch_op *op);
    bool needs_from;
} operations[] = {
    {TEXT("add"), op_add},         {TEXT("remove"), op_remove}, {TEXT("replace"), op_replace},
    {TEXT("move"), op_move, true}, {TEXT("test"), op_test},     {TEXT("copy"), op_copy, true},
};

static int run_operation(struct run *r, const struct value *v)
{
    const struct value *path = value_get(v, TEXT("path")), *from = value_get(v, TEXT("from"));
    const struct value *value = value_get(v, TEXT("value"));
    struct text name = value_get_text(v, TEXT("op"));
    struct patch_op op = {value_text(path), value_text(from), value ? value : &value_null};

    for (size_t i = 0; i < N_ELEMENTS(operations); i++) {
        if (!text_eq(name, operations[i].name))
            continue;
        if (!path || path->kind == VALUE_NULL)
            return fail(r, "%.*s operation without a path", TEXT_ARG(name));
        if (operations[i].needs_from && (!from || from->kind == VALUE_NULL))
            return fail(r, "%.*s operation without a from", TEXT_ARG(name));
        return operations[i].run(r, &op);
    }
    return fail(r, "Unexpected kind: %.*s", TEXT_ARG(name.n ? name : TEXT("unknown")));
}

static const struct text op_members[] = {TEXT("op"), TEXT("path"), TEXT("from"), TEXT("value")};
#define N_TEXT_MEMBERS 3 /* the first of op_members */

static int check_shape(const struct value *patch, struct status *st)
{
    if (patch->kind == VALUE_NULL)
        return 0;
    if (patch->kind != VALUE_LIST)
        return status_set(st, STATUS_BAD_REQUEST,
                          "error decoding patch: json: cannot unmarshal %s into Go value of type "
                          "[]handlers.jsonPatchOp",
                          value_kind_name(patch->kind));
    for (size_t i = 0; i < patch->n; i++) {
        const struct value *op = &patch->items[i];
        if (op->kind != VALUE_OBJECT && op->kind != VALUE_NULL)
            return status_set(st, STATUS_BAD_REQUEST,
                              "error decoding patch: json: cannot unmarshal %s into Go value of type "
                              "handlers.jsonPatchOp",
                              value_kind_name(op->kind));
        for (size_t k = 0; k < N_TEXT_MEMBERS; k++) {
            const struct value *v = value_get(op, op_members[k]);
            if (v && v->kind != VALUE_STRING && v->kind != VALUE_NULL)
                return status_set(st, STATUS_BAD_REQUEST,
                                  "error decoding patch: json: cannot unmarshal %s into Go struct field "
                                  "jsonPatchOp.%s of type string",
                                  value_kind_name(v->kind), op_members[k].p);
        }
    }
    return 0;
}

int patch_json(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
               struct status *st)
{
    if (check_shape(patch, st) < 0)
        return -1;
    size_t n = patch->kind == VALUE_LIST ? patch->n : 0;
    if (n > PATCH_OPERATIONS_MAX)
        return status_set(
            st, STATUS_REQUEST_ENTITY_TOO_LARGE,
            "Request entity is too large: The allowed maximum operations in a JSON patch is %d, got %zu",
            PATCH_OPERATIONS_MAX, n);
    struct value copy = value_copy(a, doc);
    struct run r = {.a = a, .doc = &copy, .depth_bound = tree_depth(doc), .st = st};
    for (size_t i = 0; i < n; i++) {
        if (run_operation(&r, &patch->items[i]) < 0)
            return -1;
    }
    *ret = copy;
    return 0;
}

void patch_json_unknown(struct arena *a, const struct value *patch, struct text_list *unknown)
{
    for (size_t i = 0; patch->kind == VALUE_LIST && i < patch->n; i++) {
        const struct value *op = &patch->items[i];
        for (size_t k = 0; op->kind == VALUE_OBJECT && k < op->n; k++) {
            struct text key = member_key(&op->members[k]);
            bool is_known = false;
            for (size_t j = 0; j < N_ELEMENTS(op_members); j++)
                is_known |= text_eq(key, op_members[j]);
            if (!is_known)
                text_list_add(a, unknown, arena_textf(a, "[%zu].%.*s", i, TEXT_ARG(key)));
        }
    }
}
