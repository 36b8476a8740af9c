/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/paths.h"

struct value *path_member(const struct value *v, uint16_t field)
{
    uint32_t i = 0, n = v->kind == VALUE_OBJECT ? v->n : 0;

    while (i < n && v->members[i].field <= field)
        i++;
    return i < n && v->members[i].field == field + 1u ? &v->members[i].value : NULL;
}

const struct value *path_value(const struct value *v, const struct schema_path *path)
{
    for (uint16_t i = 0; v && i < path->n; i++)
        v = path_member(v, path->fields[i]);
    return v;
}

static const struct value *value_by_name(const struct schema *s, const struct value *v,
                                         const struct schema_path *path)
{
    for (uint16_t i = 0; v && i < path->n; i++) {
        const struct schema_field *f = &s->fields[path->fields[i]];
        v = value_get(v, f->name);
        s = f->type.schema;
    }
    return v;
}

const struct schema_field *path_last_field(const struct schema *s, const struct schema_path *path)
{
    for (uint16_t i = 0; i + 1 < path->n; i++)
        s = s->fields[path->fields[i]].type.schema;
    return &s->fields[path->fields[path->n - 1]];
}

bool path_is_unset(const struct schema_field *f, const struct value *v)
{
    return !v || v->kind == VALUE_NULL || (!f->type.is_pointer && value_is_empty(v));
}

static bool scalar_equals(const struct value *v, const struct value *wanted)
{
    if (!v || v->kind == VALUE_NULL) /* what Go has in its place */
        return value_is_empty(wanted);
    return value_equal(v, wanted);
}

/* Numbers that are not set are zero, but nothing is compared with a pointer that is none. */
static bool is_above(const struct schema_condition *c, const struct schema *s, const struct value *x,
                     const struct value *v)
{
    const struct value *y = path_value(v, &c->other);
    int64_t a = x && x->kind == VALUE_INT ? x->integer : 0, b = y && y->kind == VALUE_INT ? y->integer : 0;

    if (!x && path_last_field(s, &c->path)->type.is_pointer)
        return false;
    if (!y && !c->is_of_old && path_last_field(s, &c->other)->type.is_pointer)
        return false;
    return c->test == TEST_NOT_BELOW ? a >= b : a > b;
}

bool condition_holds(const struct schema_condition *c, const struct schema *s, const struct value *v,
                     const struct value *old)
{
    const struct value *at = c->is_of_old ? value_by_name(s, old, &c->path) : path_value(v, &c->path);

    switch ((enum schema_test)c->test) {
    case TEST_IS_SET:
        return c->path.n ? !path_is_unset(path_last_field(s, &c->path), at) : at != NULL;
    case TEST_IS_UNSET:
        return c->path.n ? path_is_unset(path_last_field(s, &c->path), at) : at == NULL;
    case TEST_EQUALS:
        return scalar_equals(at, &c->value);
    case TEST_ABOVE:
    case TEST_NOT_BELOW:
        return is_above(c, s, at, v);
    default:
        return !scalar_equals(at, &c->value);
    }
}
