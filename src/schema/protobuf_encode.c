/* SPDX-License-Identifier: Apache-2.0 */
/* Messages are written from their end to their start: when a message's length is needed, its bytes are there
 * already, so nothing is measured in advance and nothing is moved. Fields go in falling order of number, list
 * and map entries from the last to the first. The bytes then go into the caller's buffer in one copy. What is
 * written and what is left out: src/api's rules, as gogo's generated code has them: a pointer when not nil,
 * bytes and wrapped lists when not nil, lists and maps by element, all else always, so that a struct that is
 * absent from the tree is written as one of zeros. */
#include "schema.h"

#include <assert.h>
#include <stdlib.h>

#include "base/base64.h"
#include "schema/protobuf.h"

struct writer {
    char *p; /* cap bytes, of which the last n are written */
    size_t n, cap;
    char *heap;
    char first[4096];
};

static void writer_init(struct writer *w)
{
    w->p = w->first;
    w->cap = sizeof(w->first);
    w->n = 0;
    w->heap = NULL;
}

static void writer_grow(struct writer *w, size_t n)
{
    size_t cap = w->cap * 2 > w->n + n ? w->cap * 2 : w->n + n;
    char *p = xmalloc(cap);
    memcpy(p + cap - w->n, w->p + w->cap - w->n, w->n);
    free(w->heap);
    w->p = w->heap = p;
    w->cap = cap;
}

/* Where n bytes right before what is written may go; put takes them. */
static inline char *writer_room(struct writer *w, size_t n)
{
    if (UNLIKELY(w->cap - w->n < n))
        writer_grow(w, n);
    return w->p + w->cap - w->n - n;
}

static inline void put_bytes(struct writer *w, const void *p, size_t n)
{
    char *at = writer_room(w, n);
    if (n)
        memcpy(at, p, n);
    w->n += n;
}

static inline void put_varint(struct writer *w, uint64_t v)
{
    if (LIKELY(v < 0x80)) {
        *writer_room(w, 1) = (char)v;
        w->n++;
        return;
    }
    char bytes[VARINT_BYTES_MAX];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (char)(v | 0x80);
    bytes[n++] = (char)v;
    put_bytes(w, bytes, n);
}

static inline void put_tag(struct writer *w, unsigned number, enum wire_type type)
{
    put_varint(w, number << 3 | type);
}

static inline void put_text(struct writer *w, unsigned number, struct text t)
{
    put_bytes(w, t.p, t.n);
    put_varint(w, t.n);
    put_tag(w, number, WIRE_BYTES);
}

static inline void put_number(struct writer *w, unsigned number, int64_t v)
{
    put_varint(w, (uint64_t)v);
    put_tag(w, number, WIRE_VARINT);
}

/* Ends a message that began when n bytes were written: everything since is inside. */
static inline void close_message(struct writer *w, unsigned number, size_t n)
{
    put_varint(w, w->n - n);
    put_tag(w, number, WIRE_BYTES);
}

/* --- scalars and specials ---------------------------------------------------------------------------- */

static void put_float(struct writer *w, unsigned number, const struct value *v)
{
    double d = !v ? 0 : v->kind == VALUE_INT ? (double)v->integer : v->kind == VALUE_FLOAT ? v->number : 0;
    uint64_t bits;
    char bytes[8];
    memcpy(&bits, &d, 8);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(bits >> 8 * i);
    put_bytes(w, bytes, 8);
    put_tag(w, number, WIRE_FIXED64);
}

static void put_base64(struct writer *w, unsigned number, struct text t)
{
    size_t room = BASE64_BYTES(t.n), fault;
    char *at = writer_room(w, room);
    ptrdiff_t n = base64_read(BASE64_STANDARD, t, at, &fault);
    if (n < 0)
        n = 0; /* no canonical tree holds such text */
    memmove(at + room - n, at, (size_t)n);
    w->n += (size_t)n;
    put_varint(w, (uint64_t)n);
    put_tag(w, number, WIRE_BYTES);
}

static void put_json(struct writer *w, unsigned number, const struct value *v)
{
    struct buffer b = BUFFER_INIT;
    json_write(&b, v);
    put_text(w, number, buffer_text(&b));
    buffer_deinit(&b);
}

static void put_time(struct writer *w, const struct value *v, bool is_micro)
{
    int64_t seconds;
    int32_t nanos;
    if (!clock_read_seconds(value_text(v), &seconds, &nanos))
        return;
    put_number(w, 2, is_micro ? nanos / 1000 * 1000 : 0);
    put_number(w, 1, seconds);
}

static void put_int_or_string(struct writer *w, const struct value *v)
{
    bool is_string = v && v->kind == VALUE_STRING;
    put_text(w, 3, value_text(v));
    put_number(w, 2, v && v->kind == VALUE_INT ? v->integer : 0);
    put_number(w, 1, is_string);
}

/* The inside of a special type's message. */
static void put_special(struct writer *w, enum type_kind kind, const struct value *v)
{
    int64_t ns = 0;
    bool is_present = v && v->kind != VALUE_NULL;
    switch (kind) {
    case TYPE_QUANTITY:
        put_text(w, 1, is_present ? value_text(v) : TEXT("0"));
        break;
    case TYPE_INT_OR_STRING:
        put_int_or_string(w, v);
        break;
    case TYPE_TIME:
    case TYPE_MICRO_TIME:
        put_time(w, v, kind == TYPE_MICRO_TIME);
        break;
    case TYPE_DURATION:
        duration_parse(value_text(v), &ns);
        put_number(w, 1, ns);
        break;
    case TYPE_UNKNOWN: /* type meta 1, content encoding 3 and content type 4 stay empty: the bytes are plain
                          JSON */
        put_text(w, 4, TEXT_NONE);
        put_text(w, 3, TEXT_NONE);
        if (is_present)
            put_json(w, 2, v);
        put_text(w, 1, TEXT("\x0a\x00\x12\x00"));
        break;
    default: /* raw JSON */
        if (is_present)
            put_json(w, 1, v);
        break;
    }
}

/* --- structs, lists, maps ---------------------------------------------------------------------------- */

static void put_struct(struct writer *w, const struct schema *s, const struct value *v);

static void put_element(struct writer *w, unsigned number, const struct schema_type *t, const struct value *v)
{
    size_t start = w->n;
    switch (t->kind) {
    case TYPE_STRING:
        put_text(w, number, value_text(v));
        return;
    case TYPE_INT32:
    case TYPE_INT64:
        put_number(w, number, v && v->kind == VALUE_INT ? v->integer : 0);
        return;
    case TYPE_BOOL:
        put_number(w, number, v && v->kind == VALUE_BOOL && v->boolean);
        return;
    case TYPE_FLOAT64:
        put_float(w, number, v);
        return;
    case TYPE_BYTES:
        put_base64(w, number, value_text(v));
        return;
    case TYPE_STRUCT:
        put_struct(w, t->schema, v);
        break;
    case TYPE_WRAPPED_LIST:
        for (uint32_t i = v && v->kind == VALUE_LIST ? v->n : 0; i-- > 0;)
            put_element(w, 1, t->elem, &v->items[i]);
        break;
    default:
        put_special(w, t->kind, v);
        break;
    }
    close_message(w, number, start);
}

static void put_map_entry(struct writer *w, unsigned number, const struct schema_type *elem,
                          const struct value_member *m)
{
    size_t start = w->n;
    bool is_nil = m->value.kind == VALUE_NULL && (elem->is_pointer || elem->kind == TYPE_BYTES);
    if (!is_nil)
        put_element(w, 2, elem, &m->value);
    put_text(w, 1, member_key(m));
    close_message(w, number, start);
}

static int by_key(const void *a, const void *b)
{
    const struct value_member *const *x = a, *const *y = b;
    return text_cmp(member_key(*x), member_key(*y));
}

/* Canonical maps are sorted; one that was changed by hand may not be. */
static void put_unsorted_map(struct writer *w, unsigned number, const struct schema_type *elem,
                             const struct value *v)
{
    const struct value_member **sorted = xcalloc(v->n, sizeof(*sorted));
    for (uint32_t i = 0; i < v->n; i++)
        sorted[i] = &v->members[i];
    qsort(sorted, v->n, sizeof(*sorted), by_key);
    for (uint32_t i = v->n; i-- > 0;)
        put_map_entry(w, number, elem, sorted[i]);
    free(sorted);
}

static void put_map(struct writer *w, unsigned number, const struct schema_type *elem, const struct value *v)
{
    for (uint32_t i = 1; i < v->n; i++) {
        if (text_cmp(member_key(&v->members[i - 1]), member_key(&v->members[i])) > 0) {
            put_unsorted_map(w, number, elem, v);
            return;
        }
    }
    for (uint32_t i = v->n; i-- > 0;)
        put_map_entry(w, number, elem, &v->members[i]);
}

static void put_field(struct writer *w, const struct schema_field *f, const struct value *v)
{
    const struct schema_type *t = &f->type;
    bool is_nil = !v || v->kind == VALUE_NULL;
    if (is_nil && (t->is_pointer || t->kind == TYPE_BYTES || t->kind == TYPE_WRAPPED_LIST))
        return;
    if (t->kind == TYPE_LIST) {
        for (uint32_t i = !is_nil && v->kind == VALUE_LIST ? v->n : 0; i-- > 0;)
            put_element(w, f->number, t->elem, &v->items[i]);
    } else if (t->kind == TYPE_MAP) {
        if (!is_nil && v->kind == VALUE_OBJECT)
            put_map(w, f->number, t->elem, v);
    } else {
        put_element(w, f->number, t, v);
    }
}

/* The fields' values of a type that is one of two bare values in JSON. */
static void fields_of_either(const struct schema *s, const struct value *v, const struct value **fields)
{
    static const struct value yes = {.kind = VALUE_BOOL, .boolean = true};
    if (!v || v->kind == VALUE_NULL)
        return;
    for (int i = 0; i < 2; i++) {
        unsigned at = s->form_fields[i];
        enum type_kind kind = s->fields[at].type.kind;
        if ((kind == TYPE_LIST && v->kind == VALUE_LIST) ||
            (kind == TYPE_STRUCT && v->kind == VALUE_OBJECT) || (kind == TYPE_BOOL && v->kind == VALUE_BOOL))
            fields[at] = v;
        else if (kind == TYPE_BOOL && v->kind == VALUE_OBJECT)
            fields[at] = &yes; /* a schema allows what fits it */
    }
}

static void find_fields(const struct schema *s, const struct value *v, const struct value **fields)
{
    memset(fields, 0, s->n_fields * sizeof(*fields));
    if (s->form == JSON_FORM_EITHER) {
        fields_of_either(s, v, fields);
        return;
    }
    if (!v || v->kind != VALUE_OBJECT)
        return;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct value_member *m = &v->members[i];
        const struct schema_field *f =
            LIKELY(m->field) ? &s->fields[m->field - 1] : schema_field_of(s, member_key(m));
        if (f)
            fields[f - s->fields] = &m->value;
    }
}

/* Embedded messages that are open: those whose fields are being written, outermost first. */
struct open {
    unsigned depth;
    uint8_t number[N_EMBEDDED];
    size_t start[N_EMBEDDED];
};

static void close_down_to(struct writer *w, struct open *o, unsigned depth)
{
    while (o->depth > depth) {
        o->depth--;
        close_message(w, o->number[o->depth], o->start[o->depth]);
    }
}

static void enter_embedded(struct writer *w, struct open *o, const struct schema_field *f)
{
    unsigned same = 0;
    while (same < o->depth && o->number[same] == f->embedded[same])
        same++;
    close_down_to(w, o, same);
    while (o->depth < N_EMBEDDED && f->embedded[o->depth]) {
        o->number[o->depth] = f->embedded[o->depth];
        o->start[o->depth++] = w->n;
    }
}

static void put_struct(struct writer *w, const struct schema *s, const struct value *v)
{
    const struct value *fields[PROTOBUF_FIELDS_MAX];
    struct open open = {0};
    if (s->form == JSON_FORM_VALUE) {
        if (v && v->kind != VALUE_NULL)
            put_json(w, s->fields[0].number, v);
        return;
    }
    assert(s->n_fields <= PROTOBUF_FIELDS_MAX);
    find_fields(s, v, fields);
    for (unsigned i = s->n_by_number; i-- > 0;) {
        const struct schema_field *f = &s->fields[s->by_number[i]];
        if (UNLIKELY(f->embedded[0] || open.depth))
            enter_embedded(w, &open, f);
        put_field(w, f, fields[s->by_number[i]]);
    }
    close_down_to(w, &open, 0);
}

/* --- the contract ------------------------------------------------------------------------------------ */

static void writer_finish(struct writer *w, struct buffer *b)
{
    buffer_add_bytes(b, w->p + w->cap - w->n, w->n);
    free(w->heap);
}

void schema_protobuf_encode(struct buffer *b, const struct schema *s, const struct value *v)
{
    struct writer w;
    writer_init(&w);
    put_struct(&w, s, v);
    writer_finish(&w, b);
}

/* The envelope's fields before and after the message; backwards as everything here. */
static void put_envelope(struct writer *w, struct text api_version, struct text kind, size_t message_start)
{
    size_t type_meta;
    close_message(w, 2, message_start);
    type_meta = w->n;
    put_text(w, 2, kind);
    put_text(w, 1, api_version);
    close_message(w, 1, type_meta);
    put_bytes(w, PROTOBUF_MAGIC, PROTOBUF_MAGIC_BYTES);
}

void schema_protobuf_write(struct buffer *b, const struct schema *s, const struct value *v)
{
    struct writer w;
    writer_init(&w);
    put_text(&w, 4, TEXT_NONE);
    put_text(&w, 3, TEXT_NONE);
    size_t start = w.n;
    put_struct(&w, s, v);
    put_envelope(&w, value_get_text(v, TEXT("apiVersion")), value_get_text(v, TEXT("kind")), start);
    writer_finish(&w, b);
}

void protobuf_envelope(struct buffer *b, struct text api_version, struct text kind, struct text message)
{
    struct writer w;
    writer_init(&w);
    put_text(&w, 4, TEXT_NONE);
    put_text(&w, 3, TEXT_NONE);
    size_t start = w.n;
    put_bytes(&w, message.p, message.n);
    put_envelope(&w, api_version, kind, start);
    writer_finish(&w, b);
}

void protobuf_varint(struct buffer *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buffer_add_char(b, (char)(v | 0x80));
    buffer_add_char(b, (char)v);
}

void protobuf_field_bytes(struct buffer *b, unsigned number, struct text bytes)
{
    protobuf_varint(b, number << 3 | WIRE_BYTES);
    protobuf_varint(b, bytes.n);
    buffer_add(b, bytes);
}
