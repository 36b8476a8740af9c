/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a tree by a message's table. Values of any kind and x- members travel as YAML, of which JSON is a part. Source:
 * google/gnostic's messages; their decoders take the fields in any order. */
#include "endpoints/openapi_message.h"

/* A message with the one field. */
static struct text boxed(struct arena *a, unsigned number, struct text inner)
{
    struct buffer b = BUFFER_IN(a);

    protobuf_field_bytes(&b, number, inner);
    return buffer_text(&b);
}

static struct text any_value(struct arena *a, const struct value *v)
{
    struct buffer json = BUFFER_IN(a);

    json_write(&json, v);
    buffer_add_char(&json, '\n');
    return boxed(a, 2, buffer_text(&json));
}

static void add_pair(struct arena *a, struct buffer *b, unsigned number, struct text name, struct text value)
{
    struct buffer pair = BUFFER_IN(a);

    protobuf_field_bytes(&pair, 1, name);
    protobuf_field_bytes(&pair, 2, value);
    protobuf_field_bytes(b, number, buffer_text(&pair));
}

/* Number, bool and string are choices 1, 2 and 3. */
static struct text scalar(struct arena *a, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);
    double number = v->kind == VALUE_INT ? (double)v->integer : v->kind == VALUE_FLOAT ? v->number : 0;

    if (v->kind == VALUE_STRING) {
        protobuf_field_bytes(&b, 3, value_text(v));
    } else if (v->kind == VALUE_BOOL) {
        protobuf_varint(&b, 2 << 3);
        protobuf_varint(&b, v->boolean);
    } else if (v->kind == VALUE_INT || v->kind == VALUE_FLOAT) {
        protobuf_varint(&b, 1 << 3 | 1);
        buffer_add_bytes(&b, (const char *)&number, sizeof(number)); /* little-endian, as this server's machines are */
    }
    return buffer_text(&b);
}

static struct text encode_members(struct arena *a, const struct field *f, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);

    for (size_t i = 0; i < v->n; i++) {
        const struct value_member *m = &v->members[i];
        add_pair(a, &b, f->inner, member_key(m), message_encode(a, f->of, &m->value));
    }
    return buffer_text(&b);
}

static void add_field(struct arena *a, struct buffer *b, const struct field *f, const struct value *v)
{
    switch (f->how) {
    case HOW_STRING:
        protobuf_field_bytes(b, f->number, value_text(v));
        return;
    case HOW_STRINGS:
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(b, f->number, value_text(&v->items[i]));
        return;
    case HOW_BOOL:
        protobuf_varint(b, (uint64_t)f->number << 3);
        protobuf_varint(b, v->boolean);
        return;
    case HOW_MESSAGE:
        protobuf_field_bytes(b, f->number, message_encode(a, f->of, v));
        return;
    case HOW_MESSAGES:
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(b, f->number, encode_members(a, f, &v->items[i]));
        return;
    case HOW_NAMED:
        protobuf_field_bytes(b, f->number, encode_members(a, f, v));
        return;
    case HOW_ANY:
        protobuf_field_bytes(b, f->number, any_value(a, v));
        return;
    case HOW_ANYS:
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(b, f->number, any_value(a, &v->items[i]));
        return;
    case HOW_TYPE:
        protobuf_field_bytes(b, f->number, boxed(a, 1, value_text(v)));
        return;
    case HOW_ONE:
        protobuf_field_bytes(b, f->number, boxed(a, f->inner, message_encode(a, f->of, v)));
        return;
    case HOW_LIST:
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(b, f->number, message_encode(a, f->of, &v->items[i]));
        return;
    case HOW_SCALAR:
        protobuf_field_bytes(b, f->number, scalar(a, v));
        return;
    }
}

static void add_fields(struct arena *a, struct buffer *b, const struct message *m, const struct value *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct value_member *member = &v->members[i];
        struct text key = member_key(member);
        if (m->extension && text_starts(key, TEXT("x-"))) {
            add_pair(a, b, m->extension, key, any_value(a, &member->value));
            continue;
        }
        for (const struct field *f = m->fields; f->name; f++)
            if (text_is(key, f->name))
                add_field(a, b, f, &member->value);
    }
}

struct text message_encode(struct arena *a, const struct message *m, const struct value *v)
{
    struct buffer b = BUFFER_IN(a);
    struct text ref = m->reference ? value_get_text(v, TEXT("$ref")) : TEXT_NONE, ret;

    if (ref.n)
        return boxed(a, m->reference, boxed(a, 1, ref));
    if (m->pick)
        buffer_add(&b, message_encode(a, m->pick(v), v));
    else if (m->is_string_list)
        for (size_t i = 0; i < v->n; i++)
            protobuf_field_bytes(&b, 1, value_text(&v->items[i]));
    else
        add_fields(a, &b, m, v);
    ret = buffer_text(&b);
    for (size_t i = 0; i < N_ELEMENTS(m->choice) && m->choice[i]; i++)
        ret = boxed(a, m->choice[i], ret);
    return ret;
}
