/* SPDX-License-Identifier: Apache-2.0 */
/* A tree as read becomes the canonical tree of its type, in place.
 *
 * An object that comes with its members in the schema's order and with all that JSON always has, as ours and kubectl's and
 * most controllers' do, is walked once and changed nowhere; only others are put together anew.
 *
 * Errors follow upstream's decoder (sigs.k8s.io/json, a fork of Go's): a value of the wrong type is noted and decoding goes
 * on, so that the first one is told; a text that its type cannot read (a quantity, a time) ends it at once. */
#include "schema.h"

#include "base/base64.h"
#include "base/duration.h"
#include "schema/canonical.h"
#include "schema/name_hash.h"
#include "schema/time_problem.h"

enum { NOTES_MAX = 100 }; /* as upstream's strict errors */

/* Where we are: a list from the value up to the root, on the stack. */
struct step {
    const struct step *up;
    const struct schema *in;         /* of a field */
    const struct schema_field *field; /* of a field */
    struct text key;                 /* of a map */
    uint32_t index;                  /* of a list */
    enum { STEP_FIELD, STEP_INDEX, STEP_KEY } kind;
};

struct decoder {
    struct arena *arena;
    struct decode_notes *notes; /* NULL: nobody wants them */
    struct status *st;
    bool has_failed; /* st is set */
    bool is_arranging; /* what is canonical is passed over */
};

static int decode_value(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *at);
static int decode_struct(struct decoder *d, const struct schema *s, struct value *v, const struct step *up);

/* --- errors ------------------------------------------------------------------------------------------------------------- */

static void add_path(struct buffer *b, const struct step *at)
{
    if (!at)
        return;
    add_path(b, at->up);
    if (at->kind == STEP_INDEX) {
        buffer_addf(b, "[%u]", at->index);
        return;
    }
    if (b->n)
        buffer_add_char(b, '.');
    buffer_add(b, at->kind == STEP_FIELD ? at->field->name : at->key);
}

/* Only fields, which is what Go's decoder keeps. */
static void add_field_path(struct buffer *b, const struct step *at)
{
    if (!at)
        return;
    add_field_path(b, at->up);
    if (at->kind != STEP_FIELD)
        return;
    if (b->n)
        buffer_add_char(b, '.');
    buffer_add(b, at->field->name);
}

static const char *const go_names[] = {
    [TYPE_STRING] = "string",          [TYPE_INT32] = "int32",
    [TYPE_INT64] = "int64",            [TYPE_BOOL] = "bool",
    [TYPE_FLOAT64] = "float64",        [TYPE_BYTES] = "[]uint8",
    [TYPE_QUANTITY] = "string",        [TYPE_INT_OR_STRING] = "int32",
    [TYPE_TIME] = "string",            [TYPE_MICRO_TIME] = "string",
    [TYPE_DURATION] = "string",        [TYPE_RAW_EXTENSION] = "runtime.RawExtension",
    [TYPE_FIELDS_V1] = "v1.FieldsV1",  [TYPE_UNKNOWN] = "runtime.Unknown",
    [TYPE_ANY] = "interface {}",       [TYPE_WRAPPED_LIST] = "v1.Verbs",
};

/* As Go prints the type. Of a field with a named type: f is not NULL. */
static void add_go_type(struct buffer *b, const struct schema_type *t, const struct schema_field *f)
{
    switch (t->kind) {
    case TYPE_STRUCT:
        buffer_add(b, t->schema->go_name);
        return;
    case TYPE_LIST:
    case TYPE_MAP:
        if (f && f->cast.n && t->elem->kind != TYPE_STRING && t->elem->kind != TYPE_WRAPPED_LIST) {
            buffer_add(b, f->cast);
            return;
        }
        buffer_add_str(b, t->kind == TYPE_LIST ? "[]" : "map[string]");
        if (t->elem->is_pointer)
            buffer_add_char(b, '*');
        add_go_type(b, t->elem, f);
        return;
    case TYPE_STRING:
    case TYPE_WRAPPED_LIST:
        if (f && (f->enumeration || f->cast.n)) {
            buffer_add(b, f->enumeration ? f->enumeration->name : f->cast);
            return;
        }
        break;
    default:
        break;
    }
    buffer_add_str(b, go_names[t->kind]);
}

/* The first wrong type is told in the end; decoding goes on. */
static int wrong_type_named(struct decoder *d, const char *what, struct text type, const struct step *at)
{
    struct buffer path = BUFFER_IN(d->arena);
    const struct step *field = at;

    if (d->has_failed)
        return 0;
    d->has_failed = true;
    while (field && field->kind != STEP_FIELD)
        field = field->up;
    if (!field) {
        status_set(d->st, STATUS_BAD_REQUEST, "json: cannot unmarshal %s into Go value of type %.*s", what,
                   TEXT_ARG(type));
        return 0;
    }
    add_field_path(&path, at);
    status_set(d->st, STATUS_BAD_REQUEST, "json: cannot unmarshal %s into Go struct field %.*s.%.*s of type %.*s", what,
               TEXT_ARG(field->in->name), TEXT_ARG(buffer_text(&path)), TEXT_ARG(type));
    return 0;
}

/* Whether the field's named type is the type of the value that we are at. */
static const struct schema_field *naming_field(const struct step *at)
{
    while (at && at->kind != STEP_FIELD)
        at = at->up;
    return at ? at->field : NULL;
}

static int wrong_type_as(struct decoder *d, const char *what, const struct schema_type *t, const struct step *at)
{
    struct buffer type = BUFFER_IN(d->arena);

    add_go_type(&type, t, naming_field(at));
    return wrong_type_named(d, what, buffer_text(&type), at);
}

static int wrong_type(struct decoder *d, const struct value *v, const struct schema_type *t, const struct step *at)
{
    return wrong_type_as(d, value_kind_name(v->kind), t, at);
}

/* A number that the integer type cannot hold is quoted. */
static int wrong_number(struct decoder *d, const struct value *v, const struct schema_type *t, const struct step *at)
{
    struct buffer what = BUFFER_IN(d->arena);

    buffer_add_str(&what, "number ");
    json_write(&what, v);
    return wrong_type_as(d, buffer_str(&what), t, at);
}

/* A text that its type cannot read ends decoding and counts more than what was noted before. */
static int unreadable(struct decoder *d, const char *problem)
{
    d->has_failed = true;
    return status_set(d->st, STATUS_BAD_REQUEST, "%s", problem);
}

static void note_unknown(struct decoder *d, const struct step *up, const struct value_member *m)
{
    struct step at = {.up = up, .kind = STEP_KEY, .key = member_key(m)};
    struct buffer path = BUFFER_IN(d->arena);

    if (!d->notes || d->notes->unknown.n >= NOTES_MAX)
        return;
    add_path(&path, &at);
    text_list_add(d->arena, &d->notes->unknown, buffer_text(&path));
}

/* --- scalars ------------------------------------------------------------------------------------------------------------ */

static int decode_int(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *at)
{
    if (v->kind == VALUE_FLOAT)
        return wrong_number(d, v, t, at);
    if (v->kind != VALUE_INT)
        return wrong_type(d, v, t, at);
    if (t->kind != TYPE_INT64 && v->integer != (int32_t)v->integer)
        return wrong_number(d, v, t, at);
    return 0;
}

/* Go reads line ends within base64, and bits behind the last byte, and writes neither. */
static int decode_bytes(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *at)
{
    if (v->kind != VALUE_STRING)
        return wrong_type(d, v, t, at);
    struct text bytes = {arena_alloc(d->arena, BASE64_BYTES((size_t)v->n)), 0};
    size_t fault = 0;
    ptrdiff_t n = base64_read(BASE64_STANDARD, value_text(v), (char *)bytes.p, &fault);
    if (n < 0)
        return unreadable(d, arena_printf(d->arena, "illegal base64 data at input byte %zu", fault));
    bytes.n = (size_t)n;
    if (v->n != (bytes.n + 2) / 3 * 4 || bytes.n % 3)
        *v = value_string(base64_encode(d->arena, BASE64_STANDARD, bytes));
    return 0;
}

static bool has_form(struct text t, const char *form)
{
    for (size_t i = 0; i < t.n; i++)
        if (form[i] == '0' ? (unsigned char)(t.p[i] - '0') > 9 : t.p[i] != form[i])
            return false;
    return true;
}

/* In UTC to the second, or with six decimals; a text in that form stays. */
static int decode_time(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *at)
{
    static const char second[] = "0000-00-00T00:00:00Z", micro[] = "0000-00-00T00:00:00.000000Z";
    bool is_micro = t->kind == TYPE_MICRO_TIME;
    int64_t seconds;
    int32_t nanos;

    if (v->kind != VALUE_STRING)
        return wrong_type(d, v, t, at);
    if (!clock_read_seconds(value_text(v), &seconds, &nanos)) {
        struct buffer problem = BUFFER_IN(d->arena);
        time_problem(&problem, value_text(v), is_micro);
        return unreadable(d, buffer_str(&problem));
    }
    if (seconds == CLOCK_ZERO_SECONDS && (nanos == 0 || !is_micro)) {
        *v = value_null; /* Go's zero time is none */
        return 0;
    }
    if (v->n != (is_micro ? sizeof micro : sizeof second) - 1 || !has_form(value_text(v), is_micro ? micro : second))
        *v = value_string(clock_write_seconds(seconds, is_micro ? nanos / 1000 : -1,
                                              arena_alloc(d->arena, CLOCK_TEXT_MAX)));
    return 0;
}

static int decode_quantity(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *at)
{
    struct text text = text_trim(value_text(v)), canonical;

    if (v->kind == VALUE_INT || v->kind == VALUE_FLOAT) {
        struct buffer b = BUFFER_IN(d->arena);
        json_write(&b, v);
        text = buffer_text(&b);
    }
    if (!quantity_canonical(d->arena, text, &canonical))
        return unreadable(d, quantity_problem(text));
    *v = value_string(canonical);
    return 0;
}

static int decode_duration(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *at)
{
    struct buffer b = BUFFER_IN(d->arena);
    CLEANUP(status_clear) struct status st = {0};
    int64_t ns;

    if (v->kind != VALUE_STRING)
        return wrong_type(d, v, t, at);
    if (duration_read(value_text(v), &ns, &st) < 0)
        return unreadable(d, arena_strdup(d->arena, st.message));
    duration_add(&b, ns);
    *v = value_string(buffer_text(&b));
    return 0;
}

/* --- lists and maps ------------------------------------------------------------------------------------------------------- */

static int decode_list(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *up)
{
    struct step at = {.up = up, .kind = STEP_INDEX};

    if (v->kind != VALUE_LIST)
        return wrong_type(d, v, t, up);
    for (; at.index < v->n; at.index++) {
        struct value *item = &v->items[at.index];
        if (LIKELY(item->kind == VALUE_STRING && t->elem->kind == TYPE_STRING))
            continue;
        if (item->kind == VALUE_NULL)
            *item = canonical_zero(d->arena, t->elem);
        else if (decode_value(d, t->elem, item, &at) < 0)
            return -1;
    }
    return 0;
}

static int decode_map(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *up)
{
    struct step at = {.up = up, .kind = STEP_KEY};

    if (v->kind != VALUE_OBJECT)
        return wrong_type(d, v, t, up);
    for (uint32_t i = 0; i < v->n; i++) {
        struct value_member *m = &v->members[i];
        m->field = 0;
        if (LIKELY(m->value.kind == VALUE_STRING && t->elem->kind == TYPE_STRING))
            continue;
        at.key = member_key(m);
        if (m->value.kind == VALUE_NULL)
            m->value = canonical_zero(d->arena, t->elem);
        else if (decode_value(d, t->elem, &m->value, &at) < 0)
            return -1;
    }
    canonical_sort_keys(d->arena, v);
    return 0;
}

/* --- structs -------------------------------------------------------------------------------------------------------------- */

/* Types with two faces. Upstream reads them with a decoder of their own, which knows no unknown fields. */
static int decode_either(struct decoder *d, const struct schema *s, struct value *v, const struct step *at)
{
    struct decode_notes *notes = d->notes;
    int ret = 0;

    for (size_t i = 0; i < 2; i++) {
        const struct schema_type *t = &s->fields[s->form_fields[i]].type;
        enum value_kind fits = t->kind == TYPE_STRUCT ? VALUE_OBJECT : t->kind == TYPE_LIST ? VALUE_LIST : VALUE_BOOL;
        if (v->kind == fits) {
            d->notes = NULL;
            ret = decode_value(d, t, v, at);
            d->notes = notes;
            return ret;
        }
    }
    if (s->fields[s->form_fields[1]].type.kind == TYPE_BOOL)
        return unreadable(d, "boolean or JSON schema expected");
    *v = value_null; /* the others ignore what they do not know */
    return 0;
}

/* The index of the member's field, from its last decoding where there was one. */
static inline uint32_t field_index(const struct schema *s, const struct value_member *m)
{
    if (m->field && m->field <= s->n_fields && m->key == s->fields[m->field - 1].name.p)
        return m->field;
    for (size_t slot = name_hash(m->key, m->key_n, s->seed);; slot++) {
        uint32_t i = s->slots[slot & (s->n_slots - 1u)];
        if (!i || (s->fields[i - 1].name.n == m->key_n && name_eq(s->fields[i - 1].name.p, m->key, m->key_n)))
            return i;
    }
}

static int decode_members(struct decoder *d, const struct schema *s, struct value *v, const struct step *up)
{
    struct step at = {.up = up, .in = s, .kind = STEP_FIELD};
    struct value_member *to = v->members, *end = v->n ? v->members + v->n : v->members;
    uint32_t last = 0, n_kept = 0;
    bool is_in_order = true;

    for (struct value_member *m = v->members; m < end; m++) {
        uint32_t i = field_index(s, m);
        if (UNLIKELY(!i)) {
            note_unknown(d, up, m);
            continue;
        }
        const struct schema_field *f = at.field = &s->fields[i - 1];
        if (UNLIKELY(m->value.kind == VALUE_NULL)) {
            if (!(f->flags & FIELD_KEEP))
                continue;
            m->value = canonical_zero(d->arena, &f->type);
        } else if (!(m->value.kind == VALUE_STRING && f->type.kind == TYPE_STRING)) {
            if (decode_value(d, &f->type, &m->value, &at) < 0)
                return -1;
        }
        if (canonical_is_left_out(f, &m->value))
            continue;
        m->field = i;
        m->key = f->name.p; /* makes the next look a comparison of pointers */
        is_in_order &= i > last;
        last = i;
        n_kept += (f->flags & FIELD_KEEP) != 0;
        if (to != m)
            *to = *m;
        to++;
    }
    if (to != end) {
        v->n = (uint32_t)(to - v->members);
        v->is_exact = 1;
    }
    if (!is_in_order || n_kept != s->n_kept)
        canonical_place_members(d->arena, s, v);
    return 0;
}

static int decode_struct(struct decoder *d, const struct schema *s, struct value *v, const struct step *up)
{
    if (s->form == JSON_FORM_VALUE)
        return 0;
    if (s->form == JSON_FORM_EITHER)
        return decode_either(d, s, v, up);
    if (v->kind != VALUE_OBJECT)
        return wrong_type_named(d, value_kind_name(v->kind), s->go_name, up);
    return decode_members(d, s, v, up);
}

static int decode_value(struct decoder *d, const struct schema_type *t, struct value *v, const struct step *at)
{
    switch ((enum type_kind)t->kind) {
    case TYPE_STRING:
        return v->kind == VALUE_STRING ? 0 : wrong_type(d, v, t, at);
    case TYPE_BOOL:
        return v->kind == VALUE_BOOL ? 0 : wrong_type(d, v, t, at);
    case TYPE_INT32:
    case TYPE_INT64:
        return decode_int(d, t, v, at);
    case TYPE_FLOAT64:
        return v->kind == VALUE_INT || v->kind == VALUE_FLOAT ? 0 : wrong_type(d, v, t, at);
    case TYPE_BYTES:
        return decode_bytes(d, t, v, at);
    case TYPE_QUANTITY:
        return decode_quantity(d, t, v, at);
    case TYPE_INT_OR_STRING:
        return v->kind == VALUE_STRING ? 0 : decode_int(d, t, v, at);
    case TYPE_TIME:
    case TYPE_MICRO_TIME:
        return decode_time(d, t, v, at);
    case TYPE_DURATION:
        return decode_duration(d, t, v, at);
    case TYPE_STRUCT:
        if (d->is_arranging && v->kind == VALUE_OBJECT && canonical_is_arranged(t->schema, v))
            return 0;
        return decode_struct(d, t->schema, v, at);
    case TYPE_LIST:
    case TYPE_WRAPPED_LIST:
        return decode_list(d, t, v, at);
    case TYPE_MAP:
        return decode_map(d, t, v, at);
    case TYPE_ANY:
        canonical_sort_any(d->arena, v);
        return 0;
    case TYPE_FIELDS_V1:
        canonical_make_raw(d->arena, v);
        return 0;
    default: /* raw values stay as they are */
        return 0;
    }
}

int schema_decode(struct arena *a, const struct schema *s, struct value *v, struct decode_notes *notes,
                  struct status *st)
{
    struct decoder d = {.arena = a, .notes = notes, .st = st};

    if (v->kind == VALUE_NULL) /* as Go: null leaves the zero value */
        *v = canonical_zero(a, &(struct schema_type){.kind = TYPE_STRUCT, .schema = s});
    else if (decode_struct(&d, s, v, NULL) < 0)
        return -1;
    return d.has_failed ? -1 : 0;
}

/* Hooks change a few members of an object; only the structs around those are decoded again. */
void schema_arrange(struct arena *a, const struct schema *s, struct value *v)
{
    struct status ignored = {0};
    struct decoder d = {.arena = a, .st = &ignored, .is_arranging = true};

    if (!canonical_is_arranged(s, v))
        decode_struct(&d, s, v, NULL);
    status_clear(&ignored);
}
