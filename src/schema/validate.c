/* SPDX-License-Identifier: Apache-2.0 */
/* Validation: at each struct the checks of its type in their order, which say themselves when to go on below;
 * so errors come in the order in which upstream's functions find them. A type without checks here or below is
 * never entered, since no check leads there. Source: kubernetes/kubernetes pkg/apis/<group>/validation;
 * words: apimachinery pkg/api/validation, pkg/util/validation. */
#include "schema/validate.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "schema/paths.h"

/* --- errors --- */

static void write_path(struct buffer *b, const struct field_path *at)
{
    if (!at)
        return;
    write_path(b, at->parent);
    if (at->index >= 0) {
        buffer_addf(b, "[%" PRId64 "]", at->index);
    } else if (at->index == PATH_KEY) {
        buffer_addf(b, "[%.*s]", TEXT_ARG(at->name));
    } else {
        buffer_add_str(b, b->n ? "." : "");
        buffer_add(b, at->name);
    }
}

const char *field_path_str(struct arena *a, const struct field_path *at)
{
    struct buffer b = BUFFER_IN(a);

    if (!at)
        return "<nil>";
    write_path(&b, at);
    return buffer_str(&b);
}

void check_error(struct validation *w, enum field_error type, const struct field_path *at,
                 const struct value *bad_value, const char *fmt, ...)
{
    struct buffer detail = BUFFER_IN(w->errs->arena);
    va_list args;

    va_start(args, fmt);
    buffer_vaddf(&detail, fmt, args);
    va_end(args);
    field_error(w->errs, type, field_path_str(w->errs->arena, at), bad_value, "%s", buffer_str(&detail));
}

void check_format_at(struct validation *w, const struct field_path *at, enum format f, struct text t)
{
    const char *problems[FORMAT_ERRORS_MAX];
    size_t n = format_check(f, t, problems);
    struct value bad = value_string(t);

    for (size_t i = 0; i < n; i++)
        check_error(w, FIELD_INVALID, at, &bad, "%s", problems[i]);
}

/* Where a check looks. */
struct spot {
    const struct field_path *at;
    const struct schema_type *type; /* NULL: a string (the key of a map), or the struct itself */
    const struct value *v;          /* NULL: not set */
    const struct value *old;
    bool has_counterpart; /* of what it lies in, before the update */
};

static void complain(struct validation *w, const struct schema_check *c, enum field_error type,
                     const struct spot *spot, const char *words)
{
    struct text detail = c->detail.n ? c->detail : text_of(words);

    check_error(w, type, spot->at, spot->v, "%.*s", TEXT_ARG(detail));
}

/* --- checks of one value --- */

static const struct value empty_string = {.kind = VALUE_STRING, .string = ""}, zero = {.kind = VALUE_INT},
                          empty_struct = {.kind = VALUE_OBJECT};

/* What Go has where nothing is set. */
static const struct value *zero_of(const struct schema_type *t)
{
    if (!t || t->is_pointer)
        return &value_null;
    return t->kind == TYPE_STRING                           ? &empty_string
           : t->kind == TYPE_INT32 || t->kind == TYPE_INT64 ? &zero
                                                            : &value_null;
}

/* -1, 0 or 1; what is no number is right. */
static bool compare_number(const struct value *v, int64_t with, int *ret)
{
    if (v->kind == VALUE_STRING) { /* a quantity */
        char limit[24];
        int n = snprintf(limit, sizeof limit, "%" PRId64, with);
        *ret = with == 0 ? quantity_sign(value_text(v))
                         : quantity_cmp(value_text(v), (struct text){limit, (size_t)n});
        return true;
    }
    if (v->kind != VALUE_INT)
        return false;
    *ret = v->integer < with ? -1 : v->integer > with;
    return true;
}

static void check_range(struct validation *w, const struct schema_check *c, const struct spot *spot)
{
    const char *words;
    int low = 0, high = 0;

    if (spot->v->kind == VALUE_STRING && spot->type && spot->type->kind == TYPE_INT_OR_STRING)
        return;
    if (c->min != INT64_MIN && !compare_number(spot->v, c->min, &low))
        return;
    if (c->max != INT64_MAX && !compare_number(spot->v, c->max, &high))
        return;
    if (low >= 0 && high <= 0)
        return;
    if (c->min != INT64_MIN && c->max != INT64_MAX)
        words = arena_printf(w->errs->arena, "must be between %" PRId64 " and %" PRId64 ", inclusive", c->min,
                             c->max);
    else if (low < 0)
        words = arena_printf(w->errs->arena, "must be greater than or equal to %" PRId64, c->min);
    else
        words = arena_printf(w->errs->arena, "must be less than or equal to %" PRId64, c->max);
    complain(w, c, FIELD_INVALID, spot, words);
}

static void check_above(struct validation *w, const struct schema_check *c, const struct spot *spot)
{
    int order = 0;

    if (compare_number(spot->v, c->min, &order) && order <= 0)
        complain(w, c, FIELD_INVALID, spot,
                 c->min ? arena_printf(w->errs->arena, "must be greater than %" PRId64, c->min)
                        : "must be greater than zero");
}

static void check_texts(struct validation *w, const struct schema_check *c, const struct spot *spot)
{
    struct text t = value_text(spot->v);
    const char **supported;

    for (size_t i = 0; i < c->n_texts; i++)
        if (text_eq(c->texts[i], t))
            return;
    supported = ARENA_ARRAY(w->errs->arena, const char *, c->n_texts);
    for (size_t i = 0; i < c->n_texts; i++)
        supported[i] = c->texts[i].p;
    field_not_supported(w->errs, field_path_str(w->errs->arena, spot->at), spot->v, supported, c->n_texts);
}

static void check_format(struct validation *w, const struct schema_check *c, const struct spot *spot)
{
    if (spot->v->kind != VALUE_STRING)
        return;
    if (!c->detail.n)
        check_format_at(w, spot->at, c->format, value_text(spot->v));
    else if (format_problem(c->format, value_text(spot->v)))
        complain(w, c, FIELD_INVALID, spot, "");
}

static void check_n_items(struct validation *w, const struct schema_check *c, const struct spot *spot)
{
    int64_t n = spot->v->n;

    if (n > c->max)
        field_too_many(w->errs, field_path_str(w->errs->arena, spot->at), n, c->max);
    else if (n < c->min)
        check_error(w, FIELD_TOO_FEW, spot->at, &(struct value){.kind = VALUE_INT, .integer = n},
                    "must have at least %" PRId64 " items", c->min);
}

/* Null, absent and, but for pointers, zero are one. */
static bool is_changed(const struct spot *spot)
{
    bool has_now = spot->v && spot->v->kind != VALUE_NULL, had = spot->old->kind != VALUE_NULL;

    if (has_now && had)
        return !value_equal(spot->v, spot->old);
    if (spot->type && spot->type->is_pointer)
        return has_now != had;
    return !value_is_empty(has_now ? spot->v : spot->old);
}

static void check_immutable(struct validation *w, const struct schema_check *c, const struct spot *spot)
{
    struct spot shown = *spot;

    if (!is_changed(spot))
        return;
    if (!shown.v)
        shown.v = zero_of(spot->type);
    complain(w, c, FIELD_INVALID, &shown, "field is immutable");
}

/* --- lists --- */

/* The text by which equal items are equal; false: the item does not count, since it lacks its key. */
static bool item_key(struct buffer *b, const struct schema_check *c, const struct value *item)
{
    if (!c->n_fields)
        json_write(b, item);
    for (uint8_t i = 0; i < c->n_fields; i++) {
        const struct value *v = path_member(item, c->fields[i]);
        if (c->n_fields == 1 && (!v || value_is_empty(v)))
            return false;
        json_write(b, v ? v : &value_null);
        buffer_add_char(b, '\n');
    }
    return true;
}

static bool items_are_equal(const struct schema_check *c, const struct value *x, const struct value *y)
{
    if (!c->n_fields)
        return value_equal(x, y);
    for (uint8_t i = 0; i < c->n_fields; i++) {
        const struct value *v = path_member(x, c->fields[i]), *u = path_member(y, c->fields[i]);
        if (c->n_fields == 1 && (!v || value_is_empty(v)))
            return false;
        if (!value_equal(v ? v : &value_null, u ? u : &value_null))
            return false;
    }
    return true;
}

static void complain_of_duplicate(struct validation *w, const struct schema_check *c, const struct spot *spot,
                                  uint32_t i)
{
    const struct value *item = &spot->v->items[i];
    const struct field_path at = {spot->at, TEXT_NONE, i};

    if (c->n_fields == 1) {
        const struct schema_field *f = &spot->type->elem->schema->fields[c->fields[0]];
        const struct field_path key = {&at, f->name, PATH_NAME};
        check_error(w, FIELD_DUPLICATE, &key, path_member(item, c->fields[0]), "%s", "");
    } else {
        check_error(w, FIELD_DUPLICATE, &at, item, "%s", "");
    }
}

/* Short lists, nearly all of them, are compared item by item; long ones would take a client's word for n * n
 * comparisons. */
static void check_unique(struct validation *w, const struct schema_check *c, const struct spot *spot)
{
    enum { SHORT = 32 };
    struct map seen = {0};

    if (spot->v->kind != VALUE_LIST)
        return;
    for (uint32_t i = 0; spot->v->n <= SHORT && i < spot->v->n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (items_are_equal(c, &spot->v->items[k], &spot->v->items[i])) {
                complain_of_duplicate(w, c, spot, i);
                break;
            }
    for (uint32_t i = 0; spot->v->n > SHORT && i < spot->v->n; i++) {
        struct buffer key = BUFFER_IN(w->errs->arena);
        if (item_key(&key, c, &spot->v->items[i]) && map_put(&seen, buffer_text(&key), &spot->v->items[i]))
            complain_of_duplicate(w, c, spot, i);
    }
    map_deinit(&seen);
}

/* --- members of a struct --- */

static void check_members(struct validation *w, const struct schema_check *c, const struct schema *s,
                          const struct spot *spot)
{
    unsigned n = 0;

    for (uint8_t i = 0; i < c->n_fields; i++) {
        const struct schema_field *f = &s->fields[c->fields[i]];
        const struct value *v = path_member(spot->v, c->fields[i]);
        const struct field_path at = {spot->at, f->name, PATH_NAME};
        if (path_is_unset(f, v))
            continue;
        if (n++ && c->kind == CHECK_AT_MOST_ONE)
            check_error(w, FIELD_FORBIDDEN, &at, NULL, "%.*s", TEXT_ARG(c->detail));
    }
    if (!n && c->kind == CHECK_AT_LEAST_ONE)
        check_error(w, FIELD_REQUIRED, spot->at, NULL, "%.*s", TEXT_ARG(c->detail));
}

/* --- the walk --- */

static void validate_struct(struct validation *w, const struct schema *s, const struct field_path *at,
                            const struct value *v, const struct value *old);

static void go_below(struct validation *w, const struct schema_type *t, const struct field_path *at,
                     const struct value *v, const struct value *old)
{
    const struct value *none = old ? &value_null : NULL;

    assert(t); /* what goes below stands on a field */
    if (t->kind == TYPE_STRUCT && v->kind == VALUE_OBJECT) {
        if (t->schema->form == JSON_FORM_OBJECT)
            validate_struct(w, t->schema, at, v, old);
    } else if (t->kind == TYPE_LIST && v->kind == VALUE_LIST) {
        for (uint32_t i = 0; i < v->n; i++)
            go_below(w, t->elem, PATH_INDEX(at, i), &v->items[i], none);
    } else if (t->kind == TYPE_MAP && v->kind == VALUE_OBJECT) {
        for (uint32_t i = 0; i < v->n; i++)
            go_below(w, t->elem, PATH_OF_KEY(at, member_key(&v->members[i])), &v->members[i].value, none);
    }
}

static void check_one(struct validation *w, const struct schema_check *c, const struct schema *s,
                      const struct spot *spot)
{
    switch ((enum schema_check_kind)c->kind) {
    case CHECK_BELOW:
        go_below(w, spot->type, spot->at, spot->v, spot->old);
        break;
    case CHECK_BELOW_UNNAMED:
        for (uint32_t i = 0; spot->v->kind == VALUE_LIST && i < spot->v->n; i++)
            go_below(w, spot->type->elem, spot->at->parent, &spot->v->items[i],
                     spot->old ? &value_null : NULL);
        break;
    case CHECK_NOT_EMPTY:
        if (value_is_empty(spot->v))
            complain(w, c, FIELD_REQUIRED, spot, "");
        break;
    case CHECK_FORBIDDEN:
        complain(w, c, FIELD_FORBIDDEN, spot, "");
        break;
    case CHECK_INVALID:
        complain(w, c, FIELD_INVALID, spot, "");
        break;
    case CHECK_ENUM:
        check_texts(w, c, spot);
        break;
    case CHECK_RANGE:
        check_range(w, c, spot);
        break;
    case CHECK_ABOVE:
        check_above(w, c, spot);
        break;
    case CHECK_LENGTH:
        if (spot->v->kind == VALUE_STRING && spot->v->n > c->max)
            field_too_long(w->errs, field_path_str(w->errs->arena, spot->at), c->max);
        break;
    case CHECK_ITEMS:
        check_n_items(w, c, spot);
        break;
    case CHECK_FORMAT:
        check_format(w, c, spot);
        break;
    case CHECK_UNIQUE:
        check_unique(w, c, spot);
        break;
    case CHECK_AT_MOST_ONE:
    case CHECK_AT_LEAST_ONE:
        check_members(w, c, spot->type ? spot->type->schema : s, spot);
        break;
    case CHECK_FUNCTION:
        c->function(w, spot->at, spot->v, spot->old);
        break;
    case CHECK_REQUIRED:
    case CHECK_IMMUTABLE: /* both look at what is not set too: see check_spot */
        break;
    }
}

static void check_spot(struct validation *w, const struct schema_check *c, const struct schema *s,
                       struct spot *spot, bool is_unset)
{
    if (c->kind == CHECK_REQUIRED) {
        if (is_unset)
            complain(w, c, FIELD_REQUIRED, spot, "");
        return;
    }
    if (c->kind == CHECK_IMMUTABLE) {
        if (spot->has_counterpart)
            check_immutable(w, c, spot);
        return;
    }
    if (is_unset && c->kind == CHECK_BELOW && spot->type->kind == TYPE_STRUCT && !spot->type->is_pointer) {
        go_below(w, spot->type, spot->at, &empty_struct, spot->old); /* in Go it is there all the same */
        return;
    }
    if (is_unset && !c->is_for_unset)
        return;
    if (is_unset && c->kind != CHECK_FUNCTION)
        spot->v = zero_of(spot->type);
    check_one(w, c, s, spot);
}

static void check_each(struct validation *w, const struct schema_check *c, const struct schema *s,
                       const struct spot *all)
{
    const struct value *none = all->old ? &value_null : NULL;
    const struct schema_type *elem = all->type->elem;

    for (uint32_t i = 0; i < all->v->n; i++) {
        bool is_map = all->v->kind == VALUE_OBJECT;
        struct text key = is_map ? member_key(&all->v->members[i]) : TEXT_NONE;
        const struct field_path at = {all->at, key, is_map ? PATH_KEY : (int64_t)i};
        const struct value name = value_string(key),
                           *v = is_map ? &all->v->members[i].value : &all->v->items[i];
        struct spot spot = {&at, elem, v, none, false};
        if (c->target == CHECK_KEYS) {
            spot.type = NULL;
            spot.v = &name;
        }
        check_spot(w, c, s, &spot, value_is_empty(spot.v));
    }
}

static void carry_out(struct validation *w, const struct schema_check *c, const struct schema *s,
                      const struct field_path *at, const struct value *v, const struct value *old)
{
    struct field_path places[SCHEMA_PATH_MAX];
    struct spot spot = {at, NULL, v, old, old && old != &value_null};
    bool is_unset = false;

    /* The common case: nothing is there, and nothing need be. */
    if (c->path.n && c->kind != CHECK_REQUIRED && c->kind != CHECK_IMMUTABLE && !c->is_for_unset &&
        !path_member(v, c->path.fields[0]))
        return;
    for (uint8_t i = 0; i < c->n_conditions; i++)
        if (!condition_holds(&c->conditions[i], s, v, old))
            return;
    if (c->path.n) {
        const struct schema_field *f = NULL;
        const struct schema *owner = s;
        for (uint16_t i = 0; i < c->path.n; i++) {
            f = &owner->fields[c->path.fields[i]];
            places[i] = (struct field_path){spot.at, f->name, PATH_NAME};
            spot.at = &places[i];
            spot.v = spot.v ? path_member(spot.v, c->path.fields[i]) : NULL;
            spot.old = value_get(spot.old, f->name);
            if (!spot.v && f->type.is_pointer && i + 1 < c->path.n)
                return; /* there is no object that could lack something */
            owner = f->type.schema;
        }
        spot.type = &f->type;
        if (!spot.old && old)
            spot.old = &value_null;
        is_unset = path_is_unset(f, spot.v);
    }
    if (c->target == CHECK_VALUE)
        check_spot(w, c, s, &spot, is_unset);
    else if (!is_unset && spot.v && (spot.v->kind == VALUE_LIST || spot.v->kind == VALUE_OBJECT) && spot.type &&
             spot.type->elem)
        check_each(w, c, s, &spot);
}

static void validate_struct(struct validation *w, const struct schema *s, const struct field_path *at,
                            const struct value *v, const struct value *old)
{
    for (uint16_t i = 0; i < s->n_checks; i++)
        carry_out(w, &s->checks[i], s, at, v, old);
}

static bool is_of_status(const struct schema *s, const struct schema_check *c)
{
    return c->path.n && text_is(s->fields[c->path.fields[0]].name, "status");
}

void schema_validate(const struct schema *s, const struct value *object, const struct value *old,
                     enum validation_scope scope, struct text sub, struct field_errors *errs)
{
    struct validation w = {errs, object, old, sub};

    if (object->kind != VALUE_OBJECT || s->form != JSON_FORM_OBJECT)
        return;
    for (uint16_t i = 0; i < s->n_checks; i++)
        if (scope == VALIDATE_ALL || is_of_status(s, &s->checks[i]) == (scope == VALIDATE_STATUS))
            carry_out(&w, &s->checks[i], s, NULL, object, old);
}
