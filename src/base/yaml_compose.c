/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's events composed to nodes, in which aliases are edges; with a stack instead of recursion.
 * Source: go.yaml.in/yaml/v2 decode.go, the parser's half. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/containers.h"
#include "base/json.h"
#include "base/yaml_internal.h"

struct composer {
    struct arena *arena;
    struct status *st;
    yaml_parser_t parser;
    struct map anchors;
    VEC(struct yaml_node *) open;
    unsigned depth_max;
    uint64_t work, work_max; /* open brackets, summed over all events: what libyaml does beside reading */
};

/* Lines of parser errors count from 0, those of scanner errors from 1: as upstream prints them. */
static int parser_failed(struct composer *c)
{
    const yaml_parser_t *p = &c->parser;
    const char *problem = p->problem ? p->problem : "unknown problem parsing YAML content";
    size_t line = p->problem_mark.line ? p->problem_mark.line + (p->error == YAML_SCANNER_ERROR) : p->context_mark.line;

    if (line)
        return yaml_fail(c->st, "yaml: line %zu: %s", line, problem);
    return yaml_fail(c->st, "yaml: %s", problem);
}

static struct text copy_text(struct composer *c, const yaml_char_t *p, size_t n)
{
    return arena_text(c->arena, (struct text){(const char *)p, n});
}

static struct text copy_name(struct composer *c, const yaml_char_t *p)
{
    return p ? copy_text(c, p, strlen((const char *)p)) : TEXT_NONE;
}

static struct yaml_node *new_node(struct composer *c, enum yaml_node_kind kind, const yaml_event_t *e, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    struct yaml_node *n = ARENA_NEW(c->arena, struct yaml_node);

    n->kind = kind;
    n->line = (uint32_t)e->start_mark.line + 1;
    n->tag = copy_name(c, tag);
    if (c->open.n) {
        struct yaml_node *parent = c->open.p[c->open.n - 1];
        n->prev = parent->last;
        *(parent->last ? &parent->last->next : &parent->first) = n;
        parent->last = n;
    }
    /* Known from here on, so that what lies inside may refer to it: building finds the circle. */
    if (anchor && kind != NODE_ALIAS)
        map_put(&c->anchors, copy_name(c, anchor), n);
    return n;
}

/* libyaml visits every open bracket at each token (each may still turn out to be a key), so deep ones make reading
 * quadratic. Blocks cost nothing. Their depth is bounded, and, as 3 MB of "a," in 200 brackets are seconds still, the
 * sum of depths too: by the document's size, so that reading stays linear. An item for every other byte would have to
 * lie 32 brackets deep to come near that. */
#define FLOW_DEPTH_MAX 200
#define WORK_PER_BYTE 16
#define WORK_FREE 100000

static int open_node(struct composer *c, struct yaml_node *n)
{
    bool is_flow_too_deep = c->parser.flow_level > FLOW_DEPTH_MAX;
    unsigned depth_max = is_flow_too_deep ? FLOW_DEPTH_MAX : c->depth_max;

    if (is_flow_too_deep || c->open.n >= depth_max)
        return n->line > 1 ? yaml_fail(c->st, "yaml: line %u: exceeded max depth of %u", n->line, depth_max)
                           : yaml_fail(c->st, "yaml: exceeded max depth of %u", depth_max);
    vec_push(&c->open, n);
    return 0;
}

/* *ret is the node that the event began, or NULL. */
static int compose_event(struct composer *c, const yaml_event_t *e, struct yaml_node **ret)
{
    struct yaml_node *n = NULL;

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
            return yaml_fail(c->st, "yaml: unknown anchor '%.*s' referenced", TEXT_ARG(n->value));
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

static int fail_work(struct composer *c, const yaml_event_t *e)
{
    return yaml_fail(c->st, "yaml: line %zu: too many items in deep brackets", e->start_mark.line + 1);
}

/* The root of the first document goes to *ret, which is NULL and stays so when there is none. */
static int compose_document(struct composer *c, struct yaml_node **ret)
{
    yaml_event_type_t type;

    do {
        yaml_event_t event;
        struct yaml_node *n = NULL;
        if (!yaml_parser_parse(&c->parser, &event))
            return parser_failed(c);
        type = event.type;
        c->work += (uint64_t)c->parser.flow_level;
        int status = c->work <= c->work_max ? compose_event(c, &event, &n) : fail_work(c, &event);
        yaml_event_delete(&event);
        if (status < 0)
            return -1;
        if (!*ret)
            *ret = n;
    } while (type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT);
    return 0;
}

int yaml_compose(struct arena *a, struct text in, unsigned depth_max, struct yaml_node **ret, struct status *st)
{
    struct composer c = {
        .arena = a, .st = st, .depth_max = depth_max, .work_max = WORK_FREE + WORK_PER_BYTE * (uint64_t)in.n};

    if (!yaml_parser_initialize(&c.parser))
        abort();
    yaml_parser_set_input_string(&c.parser, (const unsigned char *)(in.p ? in.p : ""), in.n);
    int status = compose_document(&c, ret);
    yaml_parser_delete(&c.parser);
    map_deinit(&c.anchors);
    vec_deinit(&c.open);
    return status;
}

/* --- types -------------------------------------------------------------------------------------------------------- */

static const char *type_tag(enum yaml_type type)
{
    static const char *const tags[] = {
        [YAML_TYPE_STRING] = YAML_STR_TAG, [YAML_TYPE_NULL] = YAML_NULL_TAG,   [YAML_TYPE_BOOL] = YAML_BOOL_TAG,
        [YAML_TYPE_INT] = YAML_INT_TAG,    [YAML_TYPE_FLOAT] = YAML_FLOAT_TAG, [YAML_TYPE_TIMESTAMP] = YAML_TIMESTAMP_TAG,
    };

    return tags[type];
}

static int cannot_decode(enum yaml_type type, const struct yaml_node *n, struct status *st)
{
    return yaml_fail(st, "yaml: cannot decode !!%s `%.*s` as a !!%.*s", type_tag(type) + strlen(YAML_TAG_PREFIX),
                TEXT_ARG(n->value), TEXT_ARG(text_from(n->tag, strlen(YAML_TAG_PREFIX))));
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

int yaml_resolve_node(const struct yaml_node *n, struct yaml_scalar *ret, struct status *st)
{
    *ret = (struct yaml_scalar){.type = YAML_TYPE_STRING};
    if (n->tag.n ? !is_typed_tag(n->tag) : !n->is_plain)
        return 0;
    *ret = yaml_resolve(n->value);
    if (!n->tag.n || text_is(n->tag, type_tag(ret->type)))
        return 0;
    if (ret->type != YAML_TYPE_INT || ret->is_unsigned || !text_is(n->tag, YAML_FLOAT_TAG))
        return cannot_decode(ret->type, n, st);
    *ret = (struct yaml_scalar){.type = YAML_TYPE_FLOAT, .d = (double)ret->i};
    return 0;
}

/* --- nodes in messages --------------------------------------------------------------------------------------------- */

#define GO_SYNTAX_BYTES_MAX 400
#define GO_SYNTAX_DEPTH_MAX 8

static void print_node(struct buffer *b, const struct yaml_node *n, unsigned depth);

static void print_scalar(struct buffer *b, const struct yaml_node *n, bool is_inside)
{
    struct status ignored = {0};
    struct yaml_scalar s;
    char text[YAML_FLOAT_TEXT_MAX];

    if (yaml_resolve_node(n, &s, &ignored) < 0)
        s.type = YAML_TYPE_STRING;
    status_clear(&ignored);
    switch (s.type) {
    case YAML_TYPE_NULL:
        buffer_add_str(b, is_inside ? "interface {}(nil)" : "<nil>");
        break;
    case YAML_TYPE_BOOL:
        buffer_add_str(b, s.b ? "true" : "false");
        break;
    case YAML_TYPE_INT:
        if (s.is_unsigned)
            buffer_addf(b, "0x%llx", (unsigned long long)s.u);
        else
            buffer_add_i64(b, s.i);
        break;
    case YAML_TYPE_FLOAT:
        buffer_add(b, (struct text){text, yaml_format_float(s.d, false, text)});
        break;
    default:
        json_write_string(b, n->value);
        break;
    }
}

static void print_children(struct buffer *b, const struct yaml_node *n, unsigned depth)
{
    unsigned i = 0;

    buffer_add_char(b, '{');
    for (const struct yaml_node *child = n->first; child; child = child->next, i++) {
        if (i && (n->kind == NODE_LIST || i % 2 == 0))
            buffer_add_str(b, ", ");
        else if (i)
            buffer_add_char(b, ':');
        if (b->n > GO_SYNTAX_BYTES_MAX || depth >= GO_SYNTAX_DEPTH_MAX) {
            buffer_add_str(b, "...");
            break;
        }
        print_node(b, child, depth + 1);
    }
    buffer_add_char(b, '}');
}

static void print_node(struct buffer *b, const struct yaml_node *n, unsigned depth)
{
    if (n->kind == NODE_ALIAS)
        n = n->target;
    if (n->kind == NODE_SCALAR) {
        print_scalar(b, n, depth > 0);
        return;
    }
    buffer_add_str(b, n->kind == NODE_MAP ? "map[interface {}]interface {}" : "[]interface {}");
    print_children(b, n, depth);
}

void yaml_print_go_syntax(struct buffer *b, const struct yaml_node *n)
{
    print_node(b, n, 0);
}
