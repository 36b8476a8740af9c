/* SPDX-License-Identifier: Apache-2.0 */
/* YAML to trees in two steps, as go-yaml does it: libyaml's events are composed to nodes, in which aliases are edges;
 * then the nodes are built into values, following the aliases. The second step counts nodes, and gives up when too
 * many of them come from aliases (a few hundred bytes can otherwise stand for terabytes). Both steps keep their own
 * stack instead of recursing.
 * Source: go.yaml.in/yaml/v2 decode.go and sigs.k8s.io/yaml yaml.go. */
#include "base/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/containers.h"
#include "base/json_internal.h"
#include "base/yaml_internal.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP, NODE_ALIAS };

struct node {
    enum node_kind kind;
    bool is_plain;     /* a scalar without quotes, or with a tag that leaves the type open */
    bool is_expanding; /* an alias that is being followed */
    uint32_t line;     /* from 1 */
    struct text tag;   /* long form; empty when there is none */
    struct text value; /* of a scalar; an alias's anchor */
    struct node *target;                     /* of an alias */
    struct node *next, *prev, *first, *last; /* siblings, children: of a map, key after key and value */
};

static int fail(struct status *st, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int fail(struct status *st, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    status_vset(st, STATUS_BAD_REQUEST, fmt, args);
    va_end(args);
    return -1;
}

/* --- events to nodes ---------------------------------------------------------------------------------------------- */

struct composer {
    struct arena *arena;
    struct status *st;
    yaml_parser_t parser;
    struct map anchors;
    VEC(struct node *) open;
    unsigned depth_max;
};

/* Lines of parser errors count from 0, those of scanner errors from 1: as upstream prints them. */
static int parser_failed(struct composer *c)
{
    const yaml_parser_t *p = &c->parser;
    const char *problem = p->problem ? p->problem : "unknown problem parsing YAML content";
    size_t line = p->problem_mark.line ? p->problem_mark.line + (p->error == YAML_SCANNER_ERROR) : p->context_mark.line;

    if (line)
        return fail(c->st, "yaml: line %zu: %s", line, problem);
    return fail(c->st, "yaml: %s", problem);
}

static struct text copy_text(struct composer *c, const yaml_char_t *p, size_t n)
{
    return arena_text(c->arena, (struct text){(const char *)p, n});
}

static struct text copy_name(struct composer *c, const yaml_char_t *p)
{
    return p ? copy_text(c, p, strlen((const char *)p)) : TEXT_NONE;
}

static struct node *new_node(struct composer *c, enum node_kind kind, const yaml_event_t *e, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    struct node *n = ARENA_NEW(c->arena, struct node);

    n->kind = kind;
    n->line = (uint32_t)e->start_mark.line + 1;
    n->tag = copy_name(c, tag);
    if (c->open.n) {
        struct node *parent = c->open.p[c->open.n - 1];
        n->prev = parent->last;
        *(parent->last ? &parent->last->next : &parent->first) = n;
        parent->last = n;
    }
    /* Known from here on, so that what lies inside may refer to it: building finds the circle. */
    if (anchor && kind != NODE_ALIAS)
        map_put(&c->anchors, copy_name(c, anchor), n);
    return n;
}

static int open_node(struct composer *c, struct node *n)
{
    if (c->open.n >= c->depth_max)
        return n->line > 1 ? fail(c->st, "yaml: line %u: exceeded max depth of %u", n->line, c->depth_max)
                           : fail(c->st, "yaml: exceeded max depth of %u", c->depth_max);
    vec_push(&c->open, n);
    return 0;
}

/* *ret is the node that the event began, or NULL. */
static int compose_event(struct composer *c, const yaml_event_t *e, struct node **ret)
{
    struct node *n = NULL;

    switch (e->type) {
    case YAML_SCALAR_EVENT:
        n = new_node(c, NODE_SCALAR, e, e->data.scalar.anchor, e->data.scalar.tag);
        n->value = copy_text(c, e->data.scalar.value, e->data.scalar.length);
        n->is_plain = e->data.scalar.plain_implicit;
        break;
    case YAML_ALIAS_EVENT:
        n = new_node(c, NODE_ALIAS, e, e->data.alias.anchor, NULL);
        n->value = copy_name(c, e->data.alias.anchor);
        n->target = map_get(&c->anchors, n->value);
        if (!n->target)
            return fail(c->st, "yaml: unknown anchor '%.*s' referenced", TEXT_ARG(n->value));
        break;
    case YAML_SEQUENCE_START_EVENT:
        n = new_node(c, NODE_LIST, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
        if (open_node(c, n) < 0)
            return -1;
        break;
    case YAML_MAPPING_START_EVENT:
        n = new_node(c, NODE_MAP, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
        if (open_node(c, n) < 0)
            return -1;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        c->open.n--;
        break;
    default:
        break;
    }
    *ret = n;
    return 0;
}

/* The root of the first document goes to *ret, which is NULL and stays so when there is none. */
static int compose_document(struct composer *c, struct node **ret)
{
    yaml_event_type_t type;

    do {
        yaml_event_t event;
        struct node *n = NULL;
        if (!yaml_parser_parse(&c->parser, &event))
            return parser_failed(c);
        type = event.type;
        int status = compose_event(c, &event, &n);
        yaml_event_delete(&event);
        if (status < 0)
            return -1;
        if (!*ret)
            *ret = n;
    } while (type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT);
    return 0;
}

static int compose(struct arena *a, struct text in, unsigned depth_max, struct node **ret, struct status *st)
{
    struct composer c = {.arena = a, .st = st, .depth_max = depth_max};

    if (!yaml_parser_initialize(&c.parser))
        abort();
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)(in.p ? in.p : ""), in.n);
    int status = compose_document(&c, ret);
    yaml_parser_delete(&c.parser);
    map_deinit(&c.anchors);
    vec_deinit(&c.open);
    return status;
}

/* --- nodes to values ---------------------------------------------------------------------------------------------- */

enum frame_kind {
    FRAME_LIST,
    FRAME_MAP,
    FRAME_MERGE,      /* a map whose members go to the frame below */
    FRAME_MERGE_LIST, /* maps to merge, the last one first, so that earlier ones override it */
    FRAME_ALIAS,
};

struct frame {
    enum frame_kind kind;
    struct node *node, *next; /* next child to build */
    size_t slot;              /* where the result goes */
    size_t first;             /* the first child's slot */
};

struct slot {
    struct value_member member; /* only its value matters in a list; field: its position, to keep sorting stable */
    uint32_t line;              /* of the value */
    uint32_t turn;              /* when the value was complete */
};

struct repeated {
    uint32_t turn, line;
    struct text key;
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
        return fail(b->st, "yaml: document contains excessive aliasing");
    return 0;
}

static const char *type_tag(enum yaml_type type)
{
    static const char *const tags[] = {
        [YAML_TYPE_STRING] = YAML_STR_TAG, [YAML_TYPE_NULL] = YAML_NULL_TAG,   [YAML_TYPE_BOOL] = YAML_BOOL_TAG,
        [YAML_TYPE_INT] = YAML_INT_TAG,    [YAML_TYPE_FLOAT] = YAML_FLOAT_TAG, [YAML_TYPE_TIMESTAMP] = YAML_TIMESTAMP_TAG,
    };

    return tags[type];
}

#define TAG_PREFIX "tag:yaml.org,2002:"

static int cannot_decode(struct builder *b, enum yaml_type type, const struct node *n)
{
    return fail(b->st, "yaml: cannot decode !!%s `%.*s` as a !!%.*s", type_tag(type) + strlen(TAG_PREFIX),
                TEXT_ARG(n->value), TEXT_ARG(text_from(n->tag, strlen(TAG_PREFIX))));
}

/* The types that a tag can ask for; any other tag leaves the scalar a string. */
static bool is_typed_tag(struct text tag)
{
    for (enum yaml_type type = YAML_TYPE_NULL; type <= YAML_TYPE_TIMESTAMP; type++) {
        if (text_is(tag, type_tag(type)))
            return true;
    }
    return false;
}

static int resolve_node(struct builder *b, const struct node *n, struct yaml_scalar *ret)
{
    *ret = (struct yaml_scalar){.type = YAML_TYPE_STRING};
    if (n->tag.n ? !is_typed_tag(n->tag) : !n->is_plain)
        return 0;
    *ret = yaml_resolve(n->value);
    if (!n->tag.n || text_is(n->tag, type_tag(ret->type)))
        return 0;
    if (ret->type != YAML_TYPE_INT || ret->is_unsigned || !text_is(n->tag, YAML_FLOAT_TAG))
        return cannot_decode(b, ret->type, n);
    *ret = (struct yaml_scalar){.type = YAML_TYPE_FLOAT, .d = (double)ret->i};
    return 0;
}

/* RFC 4648 with padding; line breaks are skipped. */
static bool decode_base64(struct arena *a, struct text in, struct text *ret)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = arena_alloc(a, in.n);
    size_t n = 0, n_digits = 0, n_pads = 0;
    uint32_t bits = 0;

    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        const char *digit = c ? strchr(alphabet, c) : NULL;
        if (c == '\n' || c == '\r')
            continue;
        if (c == '=' && n_digits % 4 >= 2 && n_pads < 4 - n_digits % 4)
            n_pads++;
        else if (!digit || n_pads)
            return false;
        else if (bits = bits << 6 | (uint32_t)(digit - alphabet), ++n_digits % 4 != 1)
            out[n++] = (char)(bits >> (6 - 2 * ((n_digits - 1) % 4)));
    }
    if (n_digits % 4 ? n_pads != 4 - n_digits % 4 : n_pads)
        return false;
    *ret = (struct text){out, n};
    return true;
}

static int text_of_node(struct builder *b, const struct node *n, struct text *ret)
{
    struct text t = n->value;

    if (text_is(n->tag, TAG_PREFIX "binary") && !decode_base64(b->arena, t, &t))
        return fail(b->st, "yaml: !!binary value contains invalid base64 data");
    *ret = yaml_replace_invalid_utf8(b->arena, t);
    return 0;
}

/* Upstream writes the float to JSON and reads that again: 1.0 becomes the integer 1. */
static int float_value(struct builder *b, double d, struct value *ret)
{
    struct buffer json = BUFFER_INIT;
    int64_t i;

    if (!isfinite(d))
        return fail(b->st, "json: unsupported value: %s", isnan(d) ? "NaN" : d < 0 ? "-Inf" : "+Inf");
    json_write_float(&json, d);
    if (text_to_i64(buffer_text(&json), &i))
        *ret = value_int(i);
    else
        *ret = value_float(d);
    buffer_deinit(&json);
    return 0;
}

static int scalar_value(struct builder *b, const struct node *n, struct value *ret)
{
    struct yaml_scalar s;
    struct text t;

    if (resolve_node(b, n, &s) < 0)
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

    return arena_text(a, (struct text){text, yaml_format_float(d, true, text)});
}

static int key_text(struct builder *b, const struct node *n, struct text *ret)
{
    struct yaml_scalar s;

    if (n->kind == NODE_ALIAS)
        n = n->target;
    if (n->kind != NODE_SCALAR)
        return fail(b->st, "yaml: invalid map key: %s", n->kind == NODE_MAP ? "a mapping" : "a sequence");
    if (resolve_node(b, n, &s) < 0)
        return -1;
    switch (s.type) {
    case YAML_TYPE_NULL:
        return fail(b->st, "unsupported map key of type: %%!s(<nil>), key: <nil>");
    case YAML_TYPE_BOOL:
        *ret = s.b ? TEXT("true") : TEXT("false");
        return 0;
    case YAML_TYPE_INT:
        if (s.is_unsigned)
            return fail(b->st, "unsupported map key of type: uint64, key: 0x%llx", (unsigned long long)s.u);
        *ret = arena_textf(b->arena, "%lld", (long long)s.i);
        return 0;
    case YAML_TYPE_FLOAT:
        *ret = float_key(b->arena, s.d);
        return 0;
    default:
        return text_of_node(b, n, ret);
    }
}

static bool is_merge_key(const struct node *n)
{
    return n->kind == NODE_SCALAR && text_is(n->value, "<<") && (n->is_plain || text_is(n->tag, TAG_PREFIX "merge"));
}

static int push_frame(struct builder *b, struct frame f)
{
    if (b->frames.n >= 2 * (size_t)b->depth_max)
        return fail(b->st, "yaml: exceeded max depth of %u", b->depth_max);
    vec_push(&b->frames, f);
    return 0;
}

static void complete(struct builder *b, size_t slot, struct value v)
{
    b->slots.p[slot].member.value = v;
    b->slots.p[slot].turn = ++b->turn;
}

/* Builds n into slot, or begins to: containers go on as frames. */
static int begin_node(struct builder *b, struct node *n, size_t slot, enum frame_kind map_kind, size_t first)
{
    struct value v;

    if (count_node(b) < 0)
        return -1;
    if (n->kind == NODE_ALIAS) {
        if (n->is_expanding)
            return fail(b->st, "yaml: anchor '%.*s' value contains itself", TEXT_ARG(n->value));
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

static int begin_merge(struct builder *b, struct node *n, size_t first)
{
    struct node *target = n->kind == NODE_ALIAS ? n->target : n;

    if (target->kind == NODE_MAP)
        return begin_node(b, n, 0, FRAME_MERGE, first);
    if (n->kind == NODE_LIST)
        return push_frame(b, (struct frame){FRAME_MERGE_LIST, n, n->last, 0, first});
    return fail(b->st, "yaml: map merge requires map or sequence of maps as the value");
}

static int step_merge_list(struct builder *b, struct frame *f)
{
    struct node *n = f->next, *target = n->kind == NODE_ALIAS ? n->target : n;

    f->next = n->prev;
    if (target->kind != NODE_MAP)
        return fail(b->st, "yaml: map merge requires map or sequence of maps as the value");
    return begin_node(b, n, 0, FRAME_MERGE, f->first);
}

static int step_map(struct builder *b, struct frame *f)
{
    struct node *key = f->next, *value = key->next;
    struct text name;

    f->next = value->next;
    if (is_merge_key(key))
        return begin_merge(b, value, f->first);
    if (count_node(b) < 0 || key_text(b, key, &name) < 0)
        return -1;
    size_t slot = new_slot(b, value->line);
    b->slots.p[slot].member.key = name.p;
    b->slots.p[slot].member.key_n = (uint32_t)name.n;
    return begin_node(b, value, slot, FRAME_MAP, b->slots.n);
}

static int step_list(struct builder *b, struct frame *f)
{
    struct node *n = f->next;
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
                vec_push(&b->repeated, ((struct repeated){s[i].turn, s[i].line, key}));
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

static int build(struct builder *b, struct node *root)
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
        json_write_string(&line, r->key);
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
    struct node *root = NULL;

    if (compose(a, in, b.depth_max, &root, st) < 0)
        return -1;
    if (!root) {
        *ret = value_null;
        return 0;
    }
    int status = build(&b, root);
    if (status == 0) {
        *ret = b.slots.p[0].member.value;
        if (b.repeated.n)
            report_repeated(&b, opt->duplicates);
    }
    vec_deinit(&b.slots);
    vec_deinit(&b.frames);
    vec_deinit(&b.repeated);
    return status;
}
