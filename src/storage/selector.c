/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors are cut into tokens as they are read; every error is worded where upstream words it. A keyword ("in",
 * "notin") is an operator only where one may stand, elsewhere it is an identifier.
 * Field selectors are terms between commas, each a name, an operator and a value with \-escapes. */
#include "storage/selector.h"

#include <stdlib.h>

/* --- label selectors: tokens -------------------------------------------------------------------------------------- */

enum token { TOKEN_END, TOKEN_WORD, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_NOT, TOKEN_EQUALS2, TOKEN_EQUALS, TOKEN_GREATER,
             TOKEN_IN, TOKEN_LESS, TOKEN_NOT_EQUALS, TOKEN_NOT_IN, TOKEN_OPEN };

static const struct {
    const char *text;
    enum token token;
} symbols[] = { /* longest first */
    {"==", TOKEN_EQUALS2}, {"!=", TOKEN_NOT_EQUALS}, {"=", TOKEN_EQUALS}, {"!", TOKEN_NOT},   {"(", TOKEN_OPEN},
    {")", TOKEN_CLOSE},    {",", TOKEN_COMMA},       {">", TOKEN_GREATER}, {"<", TOKEN_LESS},
};

struct parser {
    struct arena *arena;
    struct text rest;
    enum token token; /* the next one, unread */
    struct text literal;
    struct status *st;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_symbol(char c)
{
    return c && strchr("=!(),><", c);
}

static void next_token(struct parser *p)
{
    while (p->rest.n && is_space(p->rest.p[0]))
        p->rest = text_from(p->rest, 1);
    size_t n = 0;
    while (n < p->rest.n && p->rest.p[n] && !is_space(p->rest.p[n]) && !is_symbol(p->rest.p[n]))
        n++;
    p->token = TOKEN_WORD;
    if (n == 0) {
        p->token = TOKEN_END; /* a NUL byte ends the text, too */
        for (size_t i = 0; i < N_ELEMENTS(symbols) && p->token == TOKEN_END; i++) {
            if (text_starts(p->rest, text_of(symbols[i].text))) {
                p->token = symbols[i].token;
                n = strlen(symbols[i].text);
            }
        }
    }
    p->literal = text_first(p->rest, n);
    p->rest = text_from(p->rest, n);
    if (p->token == TOKEN_WORD && text_is(p->literal, "in"))
        p->token = TOKEN_IN;
    else if (p->token == TOKEN_WORD && text_is(p->literal, "notin"))
        p->token = TOKEN_NOT_IN;
}

/* The next token where no operator may stand. */
static enum token peek_word(const struct parser *p)
{
    return p->token == TOKEN_IN || p->token == TOKEN_NOT_IN ? TOKEN_WORD : p->token;
}

static int found(struct parser *p, struct text literal, const char *what)
{
    return status_set(p->st, STATUS_BAD_REQUEST, "found '%.*s'%s", TEXT_ARG(literal), what);
}

/* --- label selectors: requirements -------------------------------------------------------------------------------- */

/* Go's strconv.ParseInt(s, 10, 64): a plus sign is fine. */
static bool parse_int(struct text t, int64_t *ret)
{
    if (t.n > 1 && t.p[0] == '+' && t.p[1] >= '0' && t.p[1] <= '9')
        t = text_from(t, 1);
    return text_to_i64(t, ret);
}

static int text_ptr_cmp(const void *a, const void *b)
{
    return text_cmp(*(const struct text *)a, *(const struct text *)b);
}

/* The errors of a finished requirement; joined as Go's Aggregate does it. */
static int check_requirement(struct arena *a, const struct requirement *r, bool check_key, struct status *st)
{
    struct buffer b = BUFFER_IN(a);
    size_t n = 0;
    const char *why;
    if (check_key && (why = format_qualified_name(r->key))) {
        n++;
        buffer_add_str(&b, "key: Invalid value: ");
        buffer_add_quoted(&b, r->key);
        buffer_addf(&b, ": %s", why);
    }
    if ((r->op == SELECT_IN || r->op == SELECT_NOT_IN) && r->n_values == 0)
        buffer_addf(&b, "%svalues: Invalid value: null: for 'in', 'notin' operators, values set can't be empty",
                    n++ ? ", " : "");
    if ((r->op == SELECT_EXISTS || r->op == SELECT_NOT_EXISTS) && r->n_values)
        buffer_addf(&b, "%svalues: Invalid value: %zu items: values set must be empty for exists and does not exist",
                    n++ ? ", " : "", r->n_values);
    int64_t number;
    for (size_t i = 0; i < r->n_values && (r->op == SELECT_GREATER || r->op == SELECT_LESS); i++) {
        if (parse_int(r->values[i], &number))
            continue;
        buffer_addf(&b, "%svalues[%zu]: Invalid value: ", n++ ? ", " : "", i);
        buffer_add_quoted(&b, r->values[i]);
        buffer_add_str(&b, ": for 'Gt', 'Lt' operators, the value must be an integer");
    }
    for (size_t i = 0; i < r->n_values; i++) {
        if (!(why = format_label_value(r->values[i])))
            continue;
        buffer_addf(&b, "%svalues[%zu][%.*s]: Invalid value: ", n++ ? ", " : "", i, TEXT_ARG(r->key));
        buffer_add_quoted(&b, r->values[i]);
        buffer_addf(&b, ": %s", why);
    }
    if (n == 0)
        return 0;
    return status_set(st, STATUS_BAD_REQUEST, n == 1 ? "%.*s" : "[%.*s]", TEXT_ARG(buffer_text(&b)));
}

struct values {
    struct text *p;
    size_t n, cap;
};

static void add_value(struct arena *a, struct values *v, struct text t)
{
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 4;
        v->p = arena_grow(a, v->p, v->cap * sizeof(*v->p), cap * sizeof(*v->p));
        v->cap = cap;
    }
    v->p[v->n++] = t;
}

/* A set in upstream: sorted, each once. */
static void sort_values(struct values *v)
{
    size_t n = 0;
    if (v->n > 1)
        qsort(v->p, v->n, sizeof(*v->p), text_ptr_cmp);
    for (size_t i = 0; i < v->n; i++)
        if (n == 0 || !text_eq(v->p[n - 1], v->p[i]))
            v->p[n++] = v->p[i];
    v->n = n;
}

/* The inside of "(a,,b)"; empty values count. The closing parenthesis is left. */
static int parse_value_list(struct parser *p, struct values *v)
{
    for (;;) {
        enum token t = peek_word(p);
        struct text literal = p->literal;
        next_token(p);
        if (t == TOKEN_WORD) {
            add_value(p->arena, v, literal);
            if (p->token == TOKEN_CLOSE)
                return 0;
            if (p->token != TOKEN_COMMA)
                return found(p, p->literal, ", expected: ',' or ')'");
        } else if (t == TOKEN_COMMA) {
            if (v->n == 0)
                add_value(p->arena, v, (struct text){"", 0});
            if (p->token == TOKEN_CLOSE || p->token == TOKEN_COMMA)
                add_value(p->arena, v, (struct text){"", 0});
            if (p->token == TOKEN_CLOSE)
                return 0;
        } else {
            return found(p, literal, ", expected: ',', or identifier");
        }
    }
}

static int parse_values(struct parser *p, struct values *v)
{
    if (p->token != TOKEN_OPEN)
        return found(p, p->literal, " expected: '('");
    next_token(p);
    struct text first = p->literal;
    switch (peek_word(p)) {
    case TOKEN_CLOSE:
        add_value(p->arena, v, (struct text){"", 0});
        break;
    case TOKEN_WORD:
    case TOKEN_COMMA:
        if (parse_value_list(p, v) < 0)
            return -1;
        break;
    default:
        return found(p, first, ", expected: ',', ')' or identifier");
    }
    next_token(p);
    return 0;
}

static int parse_exact_value(struct parser *p, struct values *v)
{
    struct text value = {"", 0};
    if (p->token != TOKEN_END && p->token != TOKEN_COMMA) {
        if (peek_word(p) != TOKEN_WORD)
            return found(p, p->literal, ", expected: identifier");
        value = p->literal;
        next_token(p);
    }
    add_value(p->arena, v, value);
    return 0;
}

static const struct {
    enum token token;
    enum selector_op op;
} operators[] = {
    {TOKEN_IN, SELECT_IN},           {TOKEN_NOT_IN, SELECT_NOT_IN},         {TOKEN_EQUALS, SELECT_EQUALS},
    {TOKEN_EQUALS2, SELECT_EQUALS},  {TOKEN_NOT_EQUALS, SELECT_NOT_EQUALS}, {TOKEN_GREATER, SELECT_GREATER},
    {TOKEN_LESS, SELECT_LESS},
};

static int parse_operator(struct parser *p, enum selector_op *ret)
{
    for (size_t i = 0; i < N_ELEMENTS(operators); i++) {
        if (p->token == operators[i].token) {
            *ret = operators[i].op;
            next_token(p);
            return 0;
        }
    }
    return found(p, p->literal, ", expected: in, notin, =, ==, !=, gt, lt");
}

static int parse_requirement(struct parser *p, struct requirement *ret)
{
    struct requirement r = {.op = SELECT_EXISTS};
    if (p->token == TOKEN_NOT) {
        r.op = SELECT_NOT_EXISTS;
        next_token(p);
    }
    if (peek_word(p) != TOKEN_WORD)
        return found(p, p->literal, ", expected: identifier");
    r.key = p->literal;
    next_token(p);
    const char *why = format_qualified_name(r.key);
    if (why) {
        struct buffer b = BUFFER_IN(p->arena);
        buffer_add_quoted(&b, r.key);
        return status_set(p->st, STATUS_BAD_REQUEST, "<nil>: Invalid value: %s: %s", buffer_str(&b), why);
    }
    if (r.op == SELECT_EXISTS && p->token != TOKEN_END && p->token != TOKEN_COMMA) {
        struct values v = {0};
        if (parse_operator(p, &r.op) < 0)
            return -1;
        bool is_set = r.op == SELECT_IN || r.op == SELECT_NOT_IN;
        if ((is_set ? parse_values(p, &v) : parse_exact_value(p, &v)) < 0)
            return -1;
        sort_values(&v);
        r.values = v.p;
        r.n_values = v.n;
        if (check_requirement(p->arena, &r, false, p->st) < 0)
            return -1;
    }
    *ret = r;
    return 0;
}

struct requirements {
    struct requirement *p;
    size_t n, cap;
};

static void add_requirement(struct arena *a, struct requirements *list, const struct requirement *r)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 4;
        list->p = arena_grow(a, list->p, list->cap * sizeof(*r), cap * sizeof(*r));
        list->cap = cap;
    }
    list->p[list->n++] = *r;
}

int selector_parse_labels(struct arena *a, struct text in, struct selector *ret, struct status *st)
{
    struct parser p = {.arena = a, .rest = arena_text(a, in), .st = st};
    struct requirements list = {0};
    struct requirement r;

    next_token(&p);
    while (p.token != TOKEN_END) {
        if (peek_word(&p) != TOKEN_WORD && p.token != TOKEN_NOT)
            return found(&p, p.literal, ", expected: !, identifier, or 'end of string'");
        if (parse_requirement(&p, &r) < 0)
            return status_wrap(st, "unable to parse requirement");
        add_requirement(a, &list, &r);
        if (p.token == TOKEN_END)
            break;
        if (p.token != TOKEN_COMMA)
            return found(&p, p.literal, ", expected: ',' or 'end of string'");
        next_token(&p);
        if (peek_word(&p) != TOKEN_WORD && p.token != TOKEN_NOT)
            return found(&p, p.literal, ", expected: identifier after ','");
    }
    *ret = (struct selector){list.p, list.n};
    return 0;
}

/* --- LabelSelector objects ---------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum selector_op op;
} object_operators[] = {
    {"In", SELECT_IN}, {"NotIn", SELECT_NOT_IN}, {"Exists", SELECT_EXISTS}, {"DoesNotExist", SELECT_NOT_EXISTS}};

static int from_expression(struct arena *a, const struct value *e, struct requirement *ret, struct status *st)
{
    struct text op = value_get_text(e, TEXT("operator"));
    const struct value *values = value_get(e, TEXT("values"));
    struct values v = {0};
    size_t i = 0;
    while (i < N_ELEMENTS(object_operators) && !text_is(op, object_operators[i].name))
        i++;
    if (i == N_ELEMENTS(object_operators)) {
        struct buffer b = BUFFER_IN(a);
        buffer_add_quoted(&b, op);
        return status_set(st, STATUS_BAD_REQUEST, "%s is not a valid label selector operator", buffer_str(&b));
    }
    for (uint32_t k = 0; values && values->kind == VALUE_LIST && k < values->n; k++)
        add_value(a, &v, value_text(&values->items[k]));
    *ret = (struct requirement){.op = object_operators[i].op, .key = value_get_text(e, TEXT("key")), .values = v.p,
                                .n_values = v.n};
    return check_requirement(a, ret, true, st);
}

int selector_from_object(struct arena *a, const struct value *label_selector, struct selector *ret, struct status *st)
{
    struct requirements list = {0};
    struct requirement r;
    if (!label_selector || label_selector->kind == VALUE_NULL) {
        /* No object has an empty value set's key: this matches nothing. */
        r = (struct requirement){.op = SELECT_IN};
        add_requirement(a, &list, &r);
    }
    const struct value *labels = value_get(label_selector, TEXT("matchLabels"));
    for (uint32_t i = 0; labels && labels->kind == VALUE_OBJECT && i < labels->n; i++) {
        struct values v = {0};
        add_value(a, &v, value_text(&labels->members[i].value));
        r = (struct requirement){.op = SELECT_EQUALS, .key = member_key(&labels->members[i]), .values = v.p,
                                 .n_values = 1};
        if (check_requirement(a, &r, true, st) < 0)
            return -1;
        add_requirement(a, &list, &r);
    }
    const struct value *expressions = value_get(label_selector, TEXT("matchExpressions"));
    for (uint32_t i = 0; expressions && expressions->kind == VALUE_LIST && i < expressions->n; i++) {
        if (from_expression(a, &expressions->items[i], &r, st) < 0)
            return -1;
        add_requirement(a, &list, &r);
    }
    *ret = (struct selector){list.p, list.n};
    return 0;
}

/* --- field selectors ---------------------------------------------------------------------------------------------- */

/* Cuts at commas that no backslash escapes; upstream sorts the terms, which decides whose error is told. */
static struct values split_terms(struct arena *a, struct text in)
{
    struct values terms = {0};
    size_t start = 0;
    bool is_escaped = false;
    for (size_t i = 0; i < in.n; i++) {
        if (is_escaped) {
            is_escaped = false;
        } else if (in.p[i] == '\\') {
            is_escaped = true;
        } else if (in.p[i] == ',') {
            add_value(a, &terms, (struct text){in.p + start, i - start});
            start = i + 1;
        }
    }
    if (in.n)
        add_value(a, &terms, text_from(in, start));
    if (terms.n > 1)
        qsort(terms.p, terms.n, sizeof(*terms.p), text_ptr_cmp);
    return terms;
}

static bool split_term(struct text term, struct text *ret_name, enum selector_op *ret_op, struct text *ret_value)
{
    for (size_t i = 0; i < term.n; i++) {
        struct text rest = text_from(term, i);
        size_t n = text_starts(rest, TEXT("!=")) || text_starts(rest, TEXT("==")) ? 2 : rest.p[0] == '=' ? 1 : 0;
        if (n == 0)
            continue;
        *ret_name = text_first(term, i);
        *ret_op = rest.p[0] == '!' ? SELECT_NOT_EQUALS : SELECT_EQUALS;
        *ret_value = text_from(rest, n);
        return true;
    }
    return false;
}

static int unescape(struct arena *a, struct text in, struct text *ret, struct status *st)
{
    char *out = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == ',' || in.p[i] == '=')
            return status_set(st, STATUS_BAD_REQUEST, "invalid field selector: unescaped character in value: %d",
                              in.p[i]);
        if (in.p[i] == '\\') {
            uint32_t rune;
            struct text next = text_from(in, ++i);
            size_t rune_n = next.n ? text_rune(next, &rune) : 0;
            if (next.n == 0 || !next.p[0] || !strchr("\\,=", next.p[0]))
                return status_set(st, STATUS_BAD_REQUEST, "invalid field selector: invalid escape sequence: \\%.*s",
                                  TEXT_ARG(text_first(next, rune_n ? rune_n : 1)));
        }
        out[n++] = in.p[i];
    }
    *ret = (struct text){out, n};
    return 0;
}

/* Names that older clients still send. Source: kubernetes pkg/apis/core/v1/conversion.go. */
static const struct {
    const char *resource, *old, *now;
} field_aliases[] = {{"pods", "spec.host", "spec.nodeName"}};

static int find_field(struct arena *a, struct text name, const struct resource_type *type, struct requirement *r,
                      struct status *st)
{
    if (text_is(name, "metadata.name")) {
        r->field = FIELD_METADATA_NAME;
        return 0;
    }
    if (text_is(name, "metadata.namespace") && (type->is_namespaced || type->n_selectable == 0)) {
        r->field = FIELD_METADATA_NAMESPACE;
        return 0;
    }
    for (size_t i = 0; i < N_ELEMENTS(field_aliases); i++)
        if (!type->group.n && text_is(type->name, field_aliases[i].resource) && text_is(name, field_aliases[i].old))
            name = text_of(field_aliases[i].now);
    for (size_t i = 0; i < type->n_selectable; i++) {
        if (text_eq(type->selectable[i].name, name)) {
            r->field = type->selectable[i].index;
            return 0;
        }
    }
    if (type->n_selectable)
        return status_set(st, STATUS_BAD_REQUEST, "field label not supported: %.*s", TEXT_ARG(name));
    struct buffer b = BUFFER_IN(a);
    buffer_add_quoted(&b, name);
    return status_set(st, STATUS_BAD_REQUEST,
                      "%s is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", buffer_str(&b));
}

int selector_parse_fields(struct arena *a, struct text in, const struct resource_type *type, struct selector *ret,
                          struct status *st)
{
    struct requirements list = {0};
    in = arena_text(a, in);
    struct values terms = split_terms(a, in);

    for (size_t i = 0; i < terms.n; i++) {
        struct requirement r = {0};
        struct text value;
        if (terms.p[i].n == 0)
            continue;
        if (!split_term(terms.p[i], &r.key, &r.op, &value))
            return status_set(st, STATUS_BAD_REQUEST, "invalid selector: '%.*s'; can't understand '%.*s'",
                              TEXT_ARG(in), TEXT_ARG(terms.p[i]));
        if (unescape(a, value, &value, st) < 0)
            return -1;
        if (r.key.n == 0 && value.n == 0)
            continue; /* "=" selects all */
        r.values = ARENA_NEW(a, struct text);
        *r.values = value;
        r.n_values = 1;
        add_requirement(a, &list, &r);
    }
    for (size_t i = 0; i < list.n; i++)
        if (find_field(a, list.p[i].key, type, &list.p[i], st) < 0)
            return -1;
    *ret = (struct selector){list.p, list.n};
    return 0;
}

/* --- matching ----------------------------------------------------------------------------------------------------- */

static bool find_label(const struct object *o, struct text key, struct text *ret)
{
    size_t low = 0, high = o->n_labels;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int cmp = text_cmp(o->labels[2 * mid], key);
        if (cmp == 0) {
            *ret = o->labels[2 * mid + 1];
            return true;
        }
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static bool has_value(const struct requirement *r, struct text value)
{
    for (size_t i = 0; i < r->n_values; i++)
        if (text_eq(r->values[i], value))
            return true;
    return false;
}

static bool match_label(const struct requirement *r, const struct object *o)
{
    struct text value;
    int64_t is, than;
    bool exists = find_label(o, r->key, &value);
    switch (r->op) {
    case SELECT_EXISTS:
        return exists;
    case SELECT_NOT_EXISTS:
        return !exists;
    case SELECT_EQUALS:
    case SELECT_IN:
        return exists && has_value(r, value);
    case SELECT_NOT_EQUALS:
    case SELECT_NOT_IN:
        return !exists || !has_value(r, value);
    case SELECT_GREATER:
    case SELECT_LESS:
        if (!exists || r->n_values != 1 || !parse_int(value, &is) || !parse_int(r->values[0], &than))
            return false;
        return r->op == SELECT_GREATER ? is > than : is < than;
    }
    return false;
}

bool selector_match_labels(const struct selector *s, const struct object *o)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (!match_label(&s->requirements[i], o))
            return false;
    return true;
}

bool selector_match_fields(const struct selector *s, const struct object *o)
{
    for (size_t i = 0; s && i < s->n; i++) {
        const struct requirement *r = &s->requirements[i];
        struct text value = TEXT_NONE;
        if (r->field == FIELD_METADATA_NAME)
            value = o->name;
        else if (r->field == FIELD_METADATA_NAMESPACE)
            value = o->namespace;
        else if ((uint32_t)r->field < o->n_fields)
            value = o->fields[r->field];
        if (text_eq(r->values[0], value) != (r->op == SELECT_EQUALS))
            return false;
    }
    return true;
}

static struct text copy_into(char **to, struct text t)
{
    struct text copy = {*to, t.n};
    if (t.n)
        memcpy(*to, t.p, t.n);
    *to += t.n;
    return copy;
}

struct selector *selector_copy(const struct selector *s)
{
    size_t n_values = 0, bytes = 0;
    for (size_t i = 0; i < s->n; i++) {
        bytes += s->requirements[i].key.n;
        n_values += s->requirements[i].n_values;
        for (size_t k = 0; k < s->requirements[i].n_values; k++)
            bytes += s->requirements[i].values[k].n;
    }
    struct selector *copy = xmalloc(sizeof(*copy) + s->n * sizeof(struct requirement) +
                                    n_values * sizeof(struct text) + bytes);
    struct requirement *r = (struct requirement *)(copy + 1);
    struct text *values = (struct text *)(r + s->n);
    char *p = (char *)(values + n_values);
    *copy = (struct selector){r, s->n};
    for (size_t i = 0; i < s->n; i++) {
        r[i] = s->requirements[i];
        r[i].key = copy_into(&p, s->requirements[i].key);
        r[i].values = values;
        for (size_t k = 0; k < r[i].n_values; k++)
            *values++ = copy_into(&p, s->requirements[i].values[k]);
    }
    return copy;
}

struct text selector_single_name(const struct selector *fields)
{
    for (size_t i = 0; fields && i < fields->n; i++)
        if (fields->requirements[i].field == FIELD_METADATA_NAME && fields->requirements[i].op == SELECT_EQUALS)
            return fields->requirements[i].values[0];
    return TEXT_NONE;
}
