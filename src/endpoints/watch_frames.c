/* SPDX-License-Identifier: Apache-2.0 */
/* Events as they go over the wire. A burst tells thousands of watchers the same, so a frame is kept in a small table, found
 * by the object, the form and the type of event; whoever comes to a taken slot takes it over. */
#include "endpoints/watch_frames.h"

static void add_length_be(struct buffer *b, size_t n)
{
    const unsigned char bytes[FRAME_LENGTH_BYTES] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                               (unsigned char)(n >> 8), (unsigned char)n};

    buffer_add_bytes(b, bytes, sizeof(bytes));
}

/* WatchEvent: type = 1, object = 2, a RawExtension: raw = 1; before it its length in four bytes. */
static void frame_protobuf(struct buffer *b, const char *type, struct text object)
{
    CLEANUP(buffer_deinit) struct buffer raw = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer event = BUFFER_INIT;

    protobuf_field_bytes(&raw, 1, object);
    protobuf_field_bytes(&event, 1, text_of(type));
    protobuf_field_bytes(&event, 2, buffer_text(&raw));
    add_length_be(b, event.n);
    buffer_add(b, buffer_text(&event));
}

static struct blob *frame_json(const char *type, struct text object)
{
    static const char a[] = "{\"type\":\"", z[] = "\",\"object\":", end[] = "}\n";
    size_t type_n = strlen(type);
    struct blob *blob = blob_alloc(sizeof(a) + sizeof(z) + sizeof(end) - 3 + type_n + object.n);
    struct buffer b = {.p = blob->p, .cap = blob->n};

    buffer_add_bytes(&b, a, sizeof(a) - 1);
    buffer_add_bytes(&b, type, type_n);
    buffer_add_bytes(&b, z, sizeof(z) - 1);
    buffer_add(&b, object);
    buffer_add_bytes(&b, end, sizeof(end) - 1);
    return blob;
}

struct blob *frame_new(const struct representation *rep, const char *type, struct text object)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;

    if (rep->accepted.media != MEDIA_PROTOBUF)
        return frame_json(type, object);
    frame_protobuf(&b, type, object);
    return blob_new(buffer_text(&b));
}

static void frame_clear(struct frame *f)
{
    object_unref(f->object);
    blob_unref(f->blob);
    *f = (struct frame){0};
}

static struct frame frame_key(const struct representation *rep, struct object *o, enum event_type type)
{
    const void *of =
        rep->accepted.as == AS_OBJECT ? (const void *)rep->kind : (const void *)rep->accepted.as_version.n;

    return (struct frame){.object = o, .form = rep->form, .of = of, .type = type};
}

static struct frame *slot_of(struct frames *f, const struct frame *key)
{
    uintptr_t h =
        (uintptr_t)key->object / 64 + (uintptr_t)key->form / 16 * 7 + (uintptr_t)key->of * 3 + key->type * 11;

    return &f->slots[h % FRAME_SLOTS];
}

static bool frame_is(const struct frame *a, const struct frame *b)
{
    return a->object == b->object && a->form == b->form && a->of == b->of && a->type == b->type;
}

struct blob *frames_event(struct frames *f, struct representation *rep, enum event_type type, struct object *o,
                          struct buffer *scratch)
{
    struct frame key = frame_key(rep, o, type), *slot = slot_of(f, &key);
    struct blob *blob = NULL;
    struct text bytes;

    if (rep->form->is_shared) {
        pthread_mutex_lock(&f->mu);
        if (frame_is(slot, &key))
            blob = blob_ref(slot->blob);
        pthread_mutex_unlock(&f->mu);
        if (blob)
            return blob;
    }
    buffer_clear(scratch);
    bytes = rep->form->single(rep, o, scratch);
    if (!bytes.p)
        return NULL;
    blob = frame_new(rep, event_type_name(type), bytes);
    if (rep->form->is_shared) {
        struct frame old;
        key.object = object_ref(o);
        key.blob = blob_ref(blob);
        pthread_mutex_lock(&f->mu);
        old = *slot;
        *slot = key;
        pthread_mutex_unlock(&f->mu);
        frame_clear(&old);
    }
    return blob;
}

void frames_init(struct frames *f)
{
    pthread_mutex_init(&f->mu, NULL);
}

void frames_deinit(struct frames *f)
{
    for (size_t i = 0; i < FRAME_SLOTS; i++)
        frame_clear(&f->slots[i]);
    pthread_mutex_destroy(&f->mu);
}
