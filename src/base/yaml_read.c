/* SPDX-License-Identifier: Apache-2.0 */
/* YAML to trees, as go-yaml does it: nodes are composed first (yaml_compose.c), then built into values, following the
 * aliases. Building counts nodes and gives up when too many of them come from aliases: a few hundred bytes can
 * otherwise stand for terabytes. It keeps a stack of its own instead of recursing.
 * Source: go.yaml.in/yaml/v2 decode.go and sigs.k8s.io/yaml yaml.go. */
#include "base/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/containers.h"
#include "base/json_internal.h"
#include "base/yaml_internal.h"

enum frame_kind {
    FRAME_LIST,
    FRAME_MAP,
    FRAME_MERGE,      /* a map whose members go to the frame below */
    FRAME_MERGE_LIST, /* maps to merge, the last one first, so that earlier ones override it */
    FRAME_ALIAS,
};

struct frame {
    enum frame_kind kind;
    struct yaml_node *node, *next; /* next child to build */
    size_t slot;              /* where the result goes */
    size_t first;             /* the first child's slot */
};

struct slot {
    struct value_member member; /* only its value matters in a list; field: its position, to keep sorting stable */
    uint32_t line;              /* of the value */
    uint32_t turn;              /* when the value was complete */
    bool is_string_key;         /* not a number or a boolean that became a string */
};

struct repeated {
    uint32_t turn, line;
    struct text key;
    bool is_string;
};

struct builder {
    struct arena *arena;
    struct status *st;
    unsigned depth_max;
    bool want_duplicates;
    VEC(struct slot) slots;
    VEC(struct frame) frames;
    VEC(struct repeated) repeated;
    uint32_t turn;
    size_t n_nodes, n_alias_nodes, alias_depth;
};

/* The share of nodes that may come from aliases falls as a document grows. */
static bool has_too_many_aliases(const struct builder *b)
{
    const double low = 400000, high = 4000000;
    double n = (double)b->n_nodes;
    double allowed = n <= low ? 0.99 : n >= high ? 0.10 : 0.99 - 0.89 * (n - low) / (high - low);

    return b->n_alias_nodes > 100 && b->n_nodes > 1000 && (double)b->n_alias_nodes / n > allowed;
}

static int count_node(struct builder *b)
{
    b->n_nodes++;
    b->n_alias_nodes += b->alias_depth > 0;
    if (has_too_many_aliases(b))
        return yaml_fail(b->st, "yaml: document contains excessive aliasing");
    return 0;
}

static int text_of_node(struct builder *b, const struct yaml_node *n, struct text *ret)
{
    struct text t = n->value;

    if (text_is(n->tag, YAML_TAG_PREFIX "binary") && !base64_decode(b->arena, BASE64_STANDARD, t, &t))
        return yaml_fail(b->st, "yaml: !!binary value contains invalid base64 data");
    *ret = yaml_replace_invalid_utf8(b->arena, t);
    return 0;
}

/* Upstream writes the float to JSON and reads that again: 1.0 becomes the integer 1. */
static int float_value(struct builder *b, double d, struct value *ret)
{
    struct buffer json = BUFFER_INIT;
    int64_t i;

    if (!isfinite(d))
        return yaml_fail(b->st, "json: unsupported value: %s", isnan(d) ? "NaN" : d < 0 ? "-Inf" : "+Inf");
    json_write_float(&json, d);
    if (text_to_i64(buffer_text(&json), &i))
        *ret = value_int(i);
    else
        *ret = value_float(d);
    buffer_deinit(&json);
    return 0;
}

static int scalar_value(struct builder *b, const struct yaml_node *n, struct value *ret)
{
    struct yaml_scalar s;
    struct text t;

    if (yaml_resolve_node(n, &s, b->st) < 0)
        return -1;
    switch (s.type) {
    case YAML_TYPE_NULL:
        *ret = value_null;
        return 0;
    case YAML_TYPE_BOOL:
        *ret = value_bool(s.b);
        return 0;
    case YAML_TYPE_INT:
        *ret = s.is_unsigned ? value_float((double)s.u) : value_int(s.i);
        return 0;
    case YAML_TYPE_FLOAT:
        return float_value(b, s.d, ret);
    default:
        if (text_of_node(b, n, &t) < 0)
            return -1;
        *ret = value_string(t);
        return 0;
    }
}

/* Upstream prints a float key with the digits of a 32-bit one. */
static struct text float_key(struct arena *a, double d)
{
    char text[YAML_FLOAT_TEXT_MAX];
    size_t n = yaml_format_float(d, true, text);

    return arena_text(a, (struct text){text, n});
}

static int invalid_key(struct builder *b, const struct yaml_node *key)
{
    struct buffer printed = BUFFER_IN(b->arena);

    yaml_print_go_syntax(&printed, key);
    return yaml_fail(b->st, "yaml: invalid map key: %s", buffer_str(&printed));
}

static int unsupported_key(struct builder *b, const char *type, const struct yaml_node *key, const struct yaml_node *value)
{
    struct buffer printed = BUFFER_IN(b->arena);

    yaml_print_go_syntax(&printed, key);
    buffer_add_str(&printed, ", value: ");
    yaml_print_go_syntax(&printed, value);
    return yaml_fail(b->st, "unsupported map key of type: %s, key: %s", type, buffer_str(&printed));
}

/* *ret_is_string: the key was a string before it became one. */
static int key_text(struct builder *b, const struct yaml_node *n, const struct yaml_node *value, struct text *ret,
                    bool *ret_is_string)
{
    struct yaml_scalar s;

    if (n->kind == NODE_ALIAS)
        n = n->target;
    if (n->kind != NODE_SCALAR)
        return invalid_key(b, n);
    if (yaml_resolve_node(n, &s, b->st) < 0)
        return -1;
    *ret_is_string = s.type == YAML_TYPE_STRING || s.type == YAML_TYPE_TIMESTAMP;
    switch (s.type) {
    case YAML_TYPE_NULL:
        return unsupported_key(b, "%!s(<nil>)", n, value);
    case YAML_TYPE_BOOL:
        *ret = s.b ? TEXT("true") : TEXT("false");
        return 0;
    case YAML_TYPE_INT:
        if (s.is_unsigned)
            return unsupported_key(b, "uint64", n, value);
        *ret = arena_textf(b->arena, "%lld", (long long)s.i);
        return 0;
    case YAML_TYPE_FLOAT:
        *ret = float_key(b->arena, s.d);
        return 0;
    default:
        return text_of_node(b, n, ret);
    }
}

static bool is_merge_key(const struct yaml_node *n)
{
    return n->kind == NODE_SCALAR && text_is(n->value, "<<") && (n->is_plain || text_is(n->tag, YAML_TAG_PREFIX "merge"));
}

static int push_frame(struct builder *b, struct frame f)
{
    if (b->frames.n >= 2 * (size_t)b->depth_max)
        return yaml_fail(b->st, "yaml: exceeded max depth of %u", b->depth_max);
    vec_push(&b->frames, f);
    return 0;
}

static void complete(struct builder *b, size_t slot, struct value v)
{
    b->slots.p[slot].member.value = v;
    b->slots.p[slot].turn = ++b->turn;
}

/* Builds n into slot, or begins to: containers go on as frames. */
static int begin_node(struct builder *b, struct yaml_node *n, size_t slot, enum frame_kind map_kind, size_t first)
{
    struct value v;

    if (count_node(b) < 0)
        return -1;
    if (n->kind == NODE_ALIAS) {
        if (n->is_expanding)
            return yaml_fail(b->st, "yaml: anchor '%.*s' value contains itself", TEXT_ARG(n->value));
        n->is_expanding = true;
        b->alias_depth++;
        if (push_frame(b, (struct frame){.kind = FRAME_ALIAS, .node = n}) < 0 || count_node(b) < 0)
            return -1;
        n = n->target;
    }
    switch (n->kind) {
    case NODE_LIST:
        return push_frame(b, (struct frame){FRAME_LIST, n, n->first, slot, first});
    case NODE_MAP:
        return push_frame(b, (struct frame){map_kind, n, n->first, slot, first});
    default:
        if (scalar_value(b, n, &v) < 0)
            return -1;
        complete(b, slot, v);
        return 0;
    }
}

static size_t new_slot(struct builder *b, uint32_t line)
{
    vec_push(&b->slots, ((struct slot){.line = line, .member.field = (uint32_t)b->slots.n}));
    return b->slots.n - 1;
}

static int begin_merge(struct builder *b, struct yaml_node *n, size_t first)
{
    struct yaml_node *target = n->kind == NODE_ALIAS ? n->target : n;

    if (target->kind == NODE_MAP)
        return begin_node(b, n, 0, FRAME_MERGE, first);
    if (n->kind == NODE_LIST)
        return push_frame(b, (struct frame){FRAME_MERGE_LIST, n, n->last, 0, first});
    return yaml_fail(b->st, "yaml: map merge requires map or sequence of maps as the value");
}

static int step_merge_list(struct builder *b, struct frame *f)
{
    struct yaml_node *n = f->next, *target = n->kind == NODE_ALIAS ? n->target : n;

    f->next = n->prev;
    if (target->kind != NODE_MAP)
        return yaml_fail(b->st, "yaml: map merge requires map or sequence of maps as the value");
    return begin_node(b, n, 0, FRAME_MERGE, f->first);
}

static int step_map(struct builder *b, struct frame *f)
{
    struct yaml_node *key = f->next, *value = key->next;
    struct text name = TEXT_NONE;
    bool is_string = true;

    f->next = value->next;
    if (is_merge_key(key))
        return begin_merge(b, value, f->first);
    if (count_node(b) < 0 || key_text(b, key, value, &name, &is_string) < 0)
        return -1;
    size_t slot = new_slot(b, value->line);
    b->slots.p[slot].is_string_key = is_string;
    b->slots.p[slot].member.key = name.p;
    b->slots.p[slot].member.key_n = (uint32_t)name.n;
    return begin_node(b, value, slot, FRAME_MAP, b->slots.n);
}

static int step_list(struct builder *b, struct frame *f)
{
    struct yaml_node *n = f->next;
    size_t slot = new_slot(b, n->line);

    f->next = n->next;
    return begin_node(b, n, slot, FRAME_MAP, b->slots.n);
}

static int compare_slots(const void *left, const void *right)
{
    const struct value_member *a = &((const struct slot *)left)->member, *b = &((const struct slot *)right)->member;
    int order = text_cmp(member_key(a), member_key(b));

    return order ? order : (a->field > b->field) - (a->field < b->field);
}

/* Members in the order of their keys, as they stand in the JSON that upstream makes of YAML. */
static struct value make_object(struct builder *b, struct slot *s, size_t n)
{
    size_t n_kept = 0;

    qsort(s, n, sizeof(*s), compare_slots);
    struct value_member *members = n ? arena_alloc(b->arena, n * sizeof(*members)) : NULL;
    for (size_t i = 0; i < n; i++) {
        struct text key = member_key(&s[i].member);
        if (n_kept && text_eq(member_key(&members[n_kept - 1]), key)) {
            n_kept--;
            if (b->want_duplicates)
                vec_push(&b->repeated, ((struct repeated){s[i].turn, s[i].line, key, s[i].is_string_key}));
        }
        members[n_kept] = s[i].member;
        members[n_kept++].field = 0;
    }
    return (struct value){.kind = VALUE_OBJECT, .is_exact = 1, .n = (uint32_t)n_kept, .members = members};
}

static struct value make_list(struct builder *b, const struct slot *s, size_t n)
{
    struct value *items = n ? arena_alloc(b->arena, n * sizeof(*items)) : NULL;

    for (size_t i = 0; i < n; i++)
        items[i] = s[i].member.value;
    return (struct value){.kind = VALUE_LIST, .is_exact = 1, .n = (uint32_t)n, .items = items};
}

/* f has no child left: its result goes to its slot. */
static void end_frame(struct builder *b, struct frame f)
{
    struct slot *children = b->slots.p + f.first;
    size_t n = b->slots.n - f.first;

    b->frames.n--;
    switch (f.kind) {
    case FRAME_LIST:
    case FRAME_MAP: {
        struct value v = f.kind == FRAME_LIST ? make_list(b, children, n) : make_object(b, children, n);
        b->slots.n = f.first;
        complete(b, f.slot, v);
        break;
    }
    case FRAME_ALIAS:
        f.node->is_expanding = false;
        b->alias_depth--;
        break;
    default:
        break;
    }
}

static int build(struct builder *b, struct yaml_node *root)
{
    size_t slot = new_slot(b, root->line);

    b->n_nodes = 1; /* upstream counts the document */
    if (begin_node(b, root, slot, FRAME_MAP, b->slots.n) < 0)
        return -1;
    while (b->frames.n) {
        struct frame *f = &b->frames.p[b->frames.n - 1];
        int status = 0;
        if (!f->next)
            end_frame(b, *f);
        else if (f->kind == FRAME_LIST)
            status = step_list(b, f);
        else if (f->kind == FRAME_MERGE_LIST)
            status = step_merge_list(b, f);
        else
            status = step_map(b, f);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* --- repeated keys ------------------------------------------------------------------------------------------------ */

static int compare_repeated(const void *left, const void *right)
{
    const struct repeated *a = left, *b = right;

    return (a->turn > b->turn) - (a->turn < b->turn);
}

static void report_repeated(struct builder *b, struct text_list *ret)
{
    qsort(b->repeated.p, b->repeated.n, sizeof(*b->repeated.p), compare_repeated);
    for (size_t i = 0; i < b->repeated.n && i < JSON_DUPLICATES_MAX; i++) {
        const struct repeated *r = &b->repeated.p[i];
        struct buffer line = BUFFER_IN(b->arena);
        buffer_addf(&line, "line %u: key ", r->line);
        if (r->is_string)
            json_write_string(&line, r->key);
        else
            buffer_add(&line, r->key);
        buffer_add_str(&line, " already set in map");
        text_list_add(b->arena, ret, buffer_text(&line));
    }
}

int yaml_read(struct arena *a, struct text in, const struct json_options *opt, struct value *ret, struct status *st)
{
    struct builder b = {
        .arena = a,
        .st = st,
        .depth_max = opt && opt->depth_max ? opt->depth_max : JSON_DEPTH_MAX,
        .want_duplicates = opt && opt->duplicates,
    };
    struct yaml_node *root = NULL;

    if (yaml_compose(a, in, b.depth_max, &root, st) < 0)
        return -1;
    if (!root) {
        *ret = value_null;
        return 0;
    }
    int status = build(&b, root);
    if (status == 0) {
        *ret = b.slots.p[0].member.value;
        if (opt && b.repeated.n)
            report_repeated(&b, opt->duplicates);
    }
    vec_deinit(&b.slots);
    vec_deinit(&b.frames);
    vec_deinit(&b.repeated);
    return status;
}
