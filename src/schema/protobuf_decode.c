/* SPDX-License-Identifier: Apache-2.0 */
/* Messages may come from anybody: every length is checked against what is left, nesting is bounded, a field
 * of the wrong wire type is an error, an unknown number is skipped. A message is read into one slot per field
 * of its type (a stack that all nesting levels share); once its end is reached the slots become the members
 * of the canonical tree, in JSON's order, by JSON's rules of what is left out. Strings stay where they lie in
 * the input. */
#include "schema.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/base64.h"
#include "schema/canonical.h"
#include "schema/protobuf.h"

#define DEPTH_MAX 1000
#define KIND_ABSENT 255 /* of a slot whose field has not come */

struct reader {
    struct arena *arena;
    struct status *st;
    struct value *slots;
    size_t n_slots, cap_slots;
    unsigned depth;
};

/* The rest of one message; the name is for error messages. */
struct message {
    const uint8_t *p, *end;
    struct text name;
};

/* No bytes may be at no address, to which C lets nothing be added. */
static struct message message_of(struct text bytes, struct text name)
{
    const uint8_t *p = (const uint8_t *)(bytes.p ? bytes.p : "");
    return (struct message){p, p + bytes.n, name};
}

struct tag {
    uint32_t number;
    enum wire_type wire;
};

static int fail(struct reader *r, const char *what)
{
    return status_set(r->st, STATUS_BAD_REQUEST, "%s", what);
}

static int too_short(struct reader *r)
{
    return fail(r, "unexpected EOF");
}

/* --- wire -------------------------------------------------------------------------------------------- */

static int get_varint_slow(struct reader *r, struct message *m, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (m->p == m->end)
            return too_short(r);
        uint8_t b = *m->p++;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (b < 0x80) {
            *ret = v;
            return 0;
        }
    }
    return fail(r, "proto: integer overflow");
}

static inline int get_varint(struct reader *r, struct message *m, uint64_t *ret)
{
    if (LIKELY(m->p < m->end && *m->p < 0x80)) {
        *ret = *m->p++;
        return 0;
    }
    return get_varint_slow(r, m, ret);
}

static int get_bytes(struct reader *r, struct message *m, struct text *ret)
{
    uint64_t n;
    if (get_varint(r, m, &n) < 0)
        return -1;
    if (n > (uint64_t)(m->end - m->p))
        return n > INT64_MAX ? fail(r, "proto: negative length found during unmarshaling") : too_short(r);
    *ret = (struct text){(const char *)m->p, (size_t)n};
    m->p += n;
    return 0;
}

static int get_fixed(struct reader *r, struct message *m, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    if ((size_t)(m->end - m->p) < n)
        return too_short(r);
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)m->p[i] << 8 * i;
    m->p += n;
    *ret = v;
    return 0;
}

static int get_tag(struct reader *r, struct message *m, struct tag *ret)
{
    uint64_t v;
    if (get_varint(r, m, &v) < 0)
        return -1;
    uint64_t number = v >> 3;
    if ((v & 7) == WIRE_END_GROUP)
        return status_set(r->st, STATUS_BAD_REQUEST, "proto: %.*s: wiretype end group for non-group",
                          TEXT_ARG(m->name));
    if (number == 0 || number > INT32_MAX)
        return status_set(r->st, STATUS_BAD_REQUEST, "proto: %.*s: illegal tag %d (wire type %d)",
                          TEXT_ARG(m->name), (int)(int32_t)number, (int)(v & 7));
    *ret = (struct tag){(uint32_t)number, (enum wire_type)(v & 7)};
    return 0;
}

static int skip(struct reader *r, struct message *m, enum wire_type wire)
{
    uint64_t v;
    struct text bytes;
    unsigned groups = 0;
    for (;;) {
        int rc = 0;
        switch (wire) {
        case WIRE_VARINT:
            rc = get_varint(r, m, &v);
            break;
        case WIRE_FIXED64:
            rc = get_fixed(r, m, 8, &v);
            break;
        case WIRE_BYTES:
            rc = get_bytes(r, m, &bytes);
            break;
        case WIRE_FIXED32:
            rc = get_fixed(r, m, 4, &v);
            break;
        case WIRE_START_GROUP:
            groups++;
            break;
        case WIRE_END_GROUP:
            if (!groups--)
                return fail(r, "proto: unexpected end of group");
            break;
        default:
            return status_set(r->st, STATUS_BAD_REQUEST, "proto: illegal wireType %d", (int)wire);
        }
        if (rc < 0)
            return -1;
        if (!groups)
            return 0;
        if (get_varint(r, m, &v) < 0)
            return -1;
        wire = (enum wire_type)(v & 7);
    }
}

static int expect_wire(struct reader *r, struct tag tag, enum wire_type wire, struct text field)
{
    if (LIKELY(tag.wire == wire))
        return 0;
    return status_set(r->st, STATUS_BAD_REQUEST, "proto: wrong wireType = %d for field %.*s", (int)tag.wire,
                      TEXT_ARG(field));
}

/* --- scalars and specials ---------------------------------------------------------------------------- */

static int get_string(struct reader *r, struct text bytes, struct value *ret)
{
    if (UNLIKELY(!text_is_utf8(bytes)))
        return fail(r, "proto: invalid UTF-8 string");
    *ret = value_string(bytes);
    return 0;
}

static int get_json(struct reader *r, struct text bytes, struct value *ret)
{
    *ret = value_null;
    return bytes.n ? json_read(r->arena, bytes, NULL, ret, r->st) : 0;
}

/* Numbers 1 to 4 of a special's message: varints and bytes; what has not come is 0 or empty. */
struct special {
    uint64_t number[5];
    struct text bytes[5];
    bool has[5];
};

static int get_special_fields(struct reader *r, struct text bytes, struct text name, const char *wires,
                              struct special *ret)
{
    struct message m = message_of(bytes, name);
    *ret = (struct special){0};
    while (m.p < m.end) {
        struct tag tag;
        if (get_tag(r, &m, &tag) < 0)
            return -1;
        if (tag.number > strlen(wires)) {
            if (skip(r, &m, tag.wire) < 0)
                return -1;
            continue;
        }
        bool is_bytes = wires[tag.number - 1] == 'b';
        ret->has[tag.number] = true;
        if (expect_wire(r, tag, is_bytes ? WIRE_BYTES : WIRE_VARINT, name) < 0 ||
            (is_bytes ? get_bytes(r, &m, &ret->bytes[tag.number])
                      : get_varint(r, &m, &ret->number[tag.number])) < 0)
            return -1;
    }
    return 0;
}

static int get_quantity(struct reader *r, struct text bytes, struct value *ret)
{
    struct special f;
    struct text t;
    *ret = value_string(TEXT("0"));
    if (get_special_fields(r, bytes, TEXT("Quantity"), "b", &f) < 0)
        return -1;
    if (!f.has[1])
        return 0;
    if (!quantity_canonical(r->arena, f.bytes[1], &t)) {
        const char *why = quantity_problem(f.bytes[1]);
        return fail(r, why ? why : "unable to parse numeric part of quantity");
    }
    *ret = value_string(t);
    return 0;
}

static int get_int_or_string(struct reader *r, struct text bytes, struct value *ret)
{
    struct special f;
    if (get_special_fields(r, bytes, TEXT("IntOrString"), "vvb", &f) < 0)
        return -1;
    if (f.number[1] > 1)
        return fail(r, "impossible IntOrString.Type");
    if (f.number[1] == 1)
        return get_string(r, f.has[3] ? f.bytes[3] : TEXT(""), ret);
    *ret = value_int((int32_t)(uint32_t)f.number[2]);
    return 0;
}

static int get_time(struct reader *r, struct text bytes, bool is_micro, struct value *ret)
{
    struct special f;
    *ret = value_null;
    if (!bytes.n)
        return 0;
    if (get_special_fields(r, bytes, TEXT("Timestamp"), "vv", &f) < 0)
        return -1;
    int64_t seconds = (int64_t)f.number[1];
    int32_t nanos = (int32_t)(uint32_t)f.number[2];
    if (seconds < CLOCK_ZERO_SECONDS || seconds > CLOCK_LAST_SECONDS || nanos < 0 || nanos > 999999999)
        return fail(r, "Time.MarshalJSON: year outside of range [0,9999]");
    if (seconds == CLOCK_ZERO_SECONDS && (!is_micro || nanos < 1000))
        return 0;
    *ret = value_string(clock_write_seconds(seconds, is_micro ? nanos / 1000 : -1,
                                            arena_alloc(r->arena, CLOCK_TEXT_MAX)));
    return 0;
}

static int get_duration(struct reader *r, struct text bytes, struct value *ret)
{
    struct special f;
    struct buffer b = BUFFER_IN(r->arena);
    if (get_special_fields(r, bytes, TEXT("Duration"), "v", &f) < 0)
        return -1;
    duration_add(&b, (int64_t)f.number[1]);
    *ret = value_string(buffer_text(&b));
    return 0;
}

static int get_raw(struct reader *r, struct text bytes, struct text name, struct value *ret)
{
    struct special f;
    return get_special_fields(r, bytes, name, "b", &f) < 0 ? -1 : get_json(r, f.bytes[1], ret);
}

static int get_unknown(struct reader *r, struct text bytes, struct value *ret)
{
    struct special f;
    return get_special_fields(r, bytes, TEXT("Unknown"), "bbbb", &f) < 0 ? -1 : get_json(r, f.bytes[2], ret);
}

static int get_float(struct reader *r, struct message *m, struct value *ret)
{
    uint64_t bits = 0;
    double d;
    if (get_fixed(r, m, 8, &bits) < 0)
        return -1;
    memcpy(&d, &bits, 8);
    if (!isfinite(d))
        return fail(r, "json: unsupported value");
    *ret = fabs(d) < 1e15 && d == (double)(int64_t)d ? value_int((int64_t)d) : value_float(d);
    return 0;
}

/* --- types ------------------------------------------------------------------------------------------- */

static int get_struct(struct reader *r, const struct schema *s, struct text bytes, struct value *ret);

static enum wire_type wire_of(enum type_kind kind)
{
    switch (kind) {
    case TYPE_INT32:
    case TYPE_INT64:
    case TYPE_BOOL:
        return WIRE_VARINT;
    case TYPE_FLOAT64:
        return WIRE_FIXED64;
    default:
        return WIRE_BYTES;
    }
}

static int get_wrapped_list(struct reader *r, struct text bytes, struct value *ret)
{
    struct message m = message_of(bytes, TEXT("Items"));
    *ret = value_list();
    while (m.p < m.end) {
        struct tag tag;
        struct text item;
        struct value v;
        if (get_tag(r, &m, &tag) < 0)
            return -1;
        if (tag.number != 1) {
            if (skip(r, &m, tag.wire) < 0)
                return -1;
        } else {
            if (expect_wire(r, tag, WIRE_BYTES, m.name) < 0 || get_bytes(r, &m, &item) < 0 ||
                get_string(r, item, &v) < 0)
                return -1;
            value_append(r->arena, ret, v);
        }
    }
    return 0;
}

/* A value of type t that comes as bytes. */
static int get_from_bytes(struct reader *r, const struct schema_type *t, struct text bytes, struct value *ret)
{
    switch (t->kind) {
    case TYPE_STRING:
        return get_string(r, bytes, ret);
    case TYPE_BYTES:
        *ret = value_string(base64_encode(r->arena, BASE64_STANDARD, bytes));
        return 0;
    case TYPE_QUANTITY:
        return get_quantity(r, bytes, ret);
    case TYPE_INT_OR_STRING:
        return get_int_or_string(r, bytes, ret);
    case TYPE_TIME:
    case TYPE_MICRO_TIME:
        return get_time(r, bytes, t->kind == TYPE_MICRO_TIME, ret);
    case TYPE_DURATION:
        return get_duration(r, bytes, ret);
    case TYPE_RAW_EXTENSION:
        return get_raw(r, bytes, TEXT("RawExtension"), ret);
    case TYPE_FIELDS_V1:
        if (get_raw(r, bytes, TEXT("FieldsV1"), ret) < 0)
            return -1;
        if (ret->kind != VALUE_NULL)
            canonical_make_raw(r->arena, ret);
        return 0;
    case TYPE_UNKNOWN:
        return get_unknown(r, bytes, ret);
    case TYPE_STRUCT:
        return get_struct(r, t->schema, bytes, ret);
    case TYPE_WRAPPED_LIST:
        return get_wrapped_list(r, bytes, ret);
    default:
        return fail(r, "proto: no message for this type");
    }
}

/* A value of type t, the tag of which has been read and fits. */
static int get_value(struct reader *r, const struct schema_type *t, struct message *m, struct value *ret)
{
    uint64_t v;
    struct text bytes;
    switch (t->kind) {
    case TYPE_INT32:
        if (get_varint(r, m, &v) < 0)
            return -1;
        *ret = value_int((int32_t)(uint32_t)v);
        return 0;
    case TYPE_INT64:
        if (get_varint(r, m, &v) < 0)
            return -1;
        *ret = value_int((int64_t)v);
        return 0;
    case TYPE_BOOL:
        if (get_varint(r, m, &v) < 0)
            return -1;
        *ret = value_bool(v != 0);
        return 0;
    case TYPE_FLOAT64:
        return get_float(r, m, ret);
    default:
        return get_bytes(r, m, &bytes) < 0 ? -1 : get_from_bytes(r, t, bytes, ret);
    }
}

static int get_map_entry(struct reader *r, const struct schema_field *f, struct text bytes,
                         struct text *ret_key, struct value *ret)
{
    const struct schema_type *elem = f->type.elem;
    struct message m = message_of(bytes, f->name);
    struct value key = value_string(TEXT(""));
    bool has_value = false;
    while (m.p < m.end) {
        struct tag tag;
        struct text t;
        if (get_tag(r, &m, &tag) < 0)
            return -1;
        if (tag.number == 1) {
            if (expect_wire(r, tag, WIRE_BYTES, f->name) < 0 || get_bytes(r, &m, &t) < 0 ||
                get_string(r, t, &key) < 0)
                return -1;
        } else if (tag.number == 2) {
            if (expect_wire(r, tag, wire_of(elem->kind), f->name) < 0 || get_value(r, elem, &m, ret) < 0)
                return -1;
            has_value = true;
        } else if (skip(r, &m, tag.wire) < 0) {
            return -1;
        }
    }
    *ret_key = value_text(&key);
    if (!has_value)
        *ret = canonical_zero(r->arena, elem);
    return 0;
}

/* --- fields ------------------------------------------------------------------------------------------ */

static int get_packed(struct reader *r, const struct schema_type *elem, struct text bytes, struct value *list)
{
    struct message m = message_of(bytes, TEXT(""));
    while (m.p < m.end) {
        struct value item;
        if (get_value(r, elem, &m, &item) < 0)
            return -1;
        value_append(r->arena, list, item);
    }
    return 0;
}

/* Reads into slot number `slot`; slots may move while something nested is read. */
static int get_field(struct reader *r, const struct schema_field *f, struct tag tag, struct message *m,
                     size_t slot)
{
    const struct schema_type *t = &f->type;
    struct value v;
    struct text bytes, key;

    if (t->kind == TYPE_LIST) {
        enum wire_type wire = wire_of(t->elem->kind);
        if (r->slots[slot].kind == KIND_ABSENT)
            r->slots[slot] = value_list();
        if (tag.wire == WIRE_BYTES && wire != WIRE_BYTES)
            return get_bytes(r, m, &bytes) < 0 ? -1 : get_packed(r, t->elem, bytes, &r->slots[slot]);
        if (expect_wire(r, tag, wire, f->name) < 0 || get_value(r, t->elem, m, &v) < 0)
            return -1;
        value_append(r->arena, &r->slots[slot], v);
    } else if (t->kind == TYPE_MAP) {
        if (expect_wire(r, tag, WIRE_BYTES, f->name) < 0 || get_bytes(r, m, &bytes) < 0 ||
            get_map_entry(r, f, bytes, &key, &v) < 0)
            return -1;
        if (r->slots[slot].kind == KIND_ABSENT)
            r->slots[slot] = value_object();
        value_add(r->arena, &r->slots[slot], key, v);
    } else {
        if (expect_wire(r, tag, wire_of(t->kind), f->name) < 0 || get_value(r, t, m, &v) < 0)
            return -1;
        r->slots[slot] = v;
    }
    return 0;
}

/* The position in by_number of a number at this level of embedding, from *cursor on and then from the start:
 * messages are mostly in order. -1: no such field. */
static int find_number(const struct schema *s, const uint8_t *path, unsigned level, uint32_t number,
                       unsigned *cursor)
{
    for (unsigned i = 0, at = *cursor; i < s->n_by_number; i++, at++) {
        if (at >= s->n_by_number)
            at = 0;
        const struct schema_field *f = &s->fields[s->by_number[at]];
        bool is_here = true;
        for (unsigned k = 0; k < level; k++)
            is_here = is_here && f->embedded[k] == path[k];
        uint32_t own = level < N_EMBEDDED && f->embedded[level] ? f->embedded[level] : f->number;
        if (is_here && own == number) {
            *cursor = at;
            return (int)at;
        }
    }
    return -1;
}

/* Reads a message, or an embedded one of level embedded messages, into the slots from base on. */
static int get_fields(struct reader *r, const struct schema *s, struct text bytes, const uint8_t *path,
                      unsigned level, size_t base)
{
    struct message m = message_of(bytes, s->name);
    unsigned cursor = 0;
    while (m.p < m.end) {
        struct tag tag;
        struct text inner;
        if (get_tag(r, &m, &tag) < 0)
            return -1;
        int at = find_number(s, path, level, tag.number, &cursor);
        if (at < 0) {
            if (skip(r, &m, tag.wire) < 0)
                return -1;
            continue;
        }
        unsigned index = s->by_number[at];
        const struct schema_field *f = &s->fields[index];
        if (level < N_EMBEDDED && f->embedded[level]) {
            if (expect_wire(r, tag, WIRE_BYTES, f->name) < 0 || get_bytes(r, &m, &inner) < 0 ||
                get_fields(r, s, inner, f->embedded, level + 1, base) < 0)
                return -1;
        } else if (get_field(r, f, tag, &m, base + index) < 0) {
            return -1;
        }
    }
    return 0;
}

/* --- from slots to members --------------------------------------------------------------------------- */

/* Stable, so that of two entries of the same key the later one is the last. */
static int by_key(const void *a, const void *b)
{
    const struct value_member *x = a, *y = b;
    int c = text_cmp(member_key(x), member_key(y));
    return c ? c : x->field < y->field ? -1 : x->field > y->field;
}

static void sort_map(struct value *v)
{
    bool is_sorted = true;
    for (uint32_t i = 1; i < v->n && is_sorted; i++)
        is_sorted = text_cmp(member_key(&v->members[i - 1]), member_key(&v->members[i])) < 0;
    if (is_sorted)
        return;
    for (uint32_t i = 0; i < v->n; i++)
        v->members[i].field = i;
    qsort(v->members, v->n, sizeof(*v->members), by_key);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        if (n && text_eq(member_key(&v->members[n - 1]), member_key(&v->members[i])))
            n--;
        v->members[n] = v->members[i];
        v->members[n++].field = 0;
    }
    v->n = n;
}

/* Makes the slot what JSON shows of the field. False: nothing. */
static bool settle(struct reader *r, const struct schema_field *f, size_t slot)
{
    struct value *v = &r->slots[slot];
    if (v->kind == KIND_ABSENT) {
        if (!(f->flags & FIELD_KEEP) || (f->flags & FIELD_NO_PROTO))
            return false;
        *v = canonical_zero(r->arena, &f->type);
        return true;
    }
    if (f->type.kind == TYPE_MAP)
        sort_map(v);
    return !canonical_is_left_out(f, v);
}

static struct value members_of(struct reader *r, const struct schema *s, size_t base)
{
    struct value v = value_object();
    for (unsigned i = 0; i < s->n_fields; i++) {
        if (settle(r, &s->fields[i], base + i))
            v.n++;
        else
            r->slots[base + i].kind = KIND_ABSENT;
    }
    v.members = arena_alloc(r->arena, v.n * sizeof(*v.members));
    v.is_exact = true;
    struct value_member *m = v.members;
    for (unsigned i = 0; i < s->n_fields; i++) {
        if (r->slots[base + i].kind == KIND_ABSENT)
            continue;
        struct text name = s->fields[i].name;
        *m++ = (struct value_member){name.p, (uint32_t)name.n, i + 1, r->slots[base + i]};
    }
    return v;
}

/* Of a type that is one of two bare values in JSON: the first of its fields that says something. */
static struct value either_of(struct reader *r, const struct schema *s, size_t base)
{
    assert(r->slots); /* a slot for each field was taken before */
    for (int i = 0; i < 2; i++) {
        const struct value *v = &r->slots[base + s->form_fields[i]];
        if (v->kind != KIND_ABSENT && !(v->kind == VALUE_LIST && v->n == 0))
            return *v;
    }
    for (int i = 0; i < 2; i++)
        if (s->fields[s->form_fields[i]].type.kind == TYPE_BOOL)
            return value_bool(false);
    return value_null;
}

static void push_slots(struct reader *r, unsigned n)
{
    if (r->n_slots + n > r->cap_slots) {
        r->cap_slots = r->n_slots + n > 2 * r->cap_slots ? r->n_slots + n : 2 * r->cap_slots;
        r->slots = xrealloc(r->slots, r->cap_slots * sizeof(*r->slots));
    }
    for (unsigned i = 0; i < n; i++)
        r->slots[r->n_slots++] = (struct value){.kind = KIND_ABSENT};
}

static int get_struct(struct reader *r, const struct schema *s, struct text bytes, struct value *ret)
{
    if (s->form == JSON_FORM_VALUE)
        return get_raw(r, bytes, s->name, ret);
    if (r->depth >= DEPTH_MAX)
        return fail(r, "proto: message is nested too deeply");
    size_t base = r->n_slots;
    r->depth++;
    push_slots(r, s->n_fields);
    int rc = get_fields(r, s, bytes, NULL, 0, base);
    if (rc == 0)
        *ret = s->form == JSON_FORM_EITHER ? either_of(r, s, base) : members_of(r, s, base);
    r->n_slots = base;
    r->depth--;
    return rc;
}

/* --- the contract ------------------------------------------------------------------------------------ */

int schema_protobuf_decode(struct arena *a, const struct schema *s, struct text message, struct value *ret,
                           struct status *st)
{
    struct reader r = {.arena = a, .st = st};
    struct value v = value_null;
    int rc = get_struct(&r, s, message, &v);
    free(r.slots);
    if (rc == 0)
        *ret = v;
    return rc;
}

bool protobuf_is_envelope(struct text in)
{
    return text_starts(in, (struct text){PROTOBUF_MAGIC, PROTOBUF_MAGIC_BYTES});
}

int protobuf_open(struct text in, struct text *ret_api_version, struct text *ret_kind,
                  struct text *ret_message, struct status *st)
{
    struct reader r = {.st = st};
    struct special unknown, type_meta;
    if (!protobuf_is_envelope(in))
        return status_set(
            st, STATUS_BAD_REQUEST,
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
    if (get_special_fields(&r, text_from(in, PROTOBUF_MAGIC_BYTES), TEXT("Unknown"), "bbbb", &unknown) < 0 ||
        get_special_fields(&r, unknown.bytes[1], TEXT("TypeMeta"), "bb", &type_meta) < 0)
        return -1;
    *ret_api_version = type_meta.bytes[1];
    *ret_kind = type_meta.bytes[2];
    *ret_message = unknown.bytes[2];
    return 0;
}

static void set_type_meta(const struct schema *s, struct value *v, struct value_member *to, const char *name,
                          struct text t)
{
    const struct schema_field *f = schema_field_of(s, text_of(name));
    if (f && t.n) {
        *to = (struct value_member){f->name.p, (uint32_t)f->name.n, (uint32_t)(f - s->fields) + 1,
                                    value_string(t)};
        v->n++;
    }
}

int schema_protobuf_read(struct arena *a, const struct schema *s, struct text in, struct value *ret,
                         struct status *st)
{
    struct text api_version, kind, message;
    struct value v = value_object();
    if (protobuf_open(in, &api_version, &kind, &message, st) < 0 ||
        schema_protobuf_decode(a, s, message, &v, st) < 0)
        return -1;
    /* Type meta comes first in every type: kind, then apiVersion. */
    struct value whole = value_object();
    whole.members = arena_alloc(a, (v.n + 2) * sizeof(*v.members));
    set_type_meta(s, &whole, &whole.members[whole.n], "kind", kind);
    set_type_meta(s, &whole, &whole.members[whole.n], "apiVersion", api_version);
    if (v.n)
        memcpy(whole.members + whole.n, v.members, v.n * sizeof(*v.members));
    whole.n += v.n;
    whole.is_exact = true;
    *ret = whole;
    return 0;
}
