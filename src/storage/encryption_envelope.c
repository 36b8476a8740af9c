/* SPDX-License-Identifier: Apache-2.0 */
/* What lies behind the prefix of a value with a plugin's key: protobuf's EncryptedObject, and what may be in it.
 * Source: kubernetes/apiserver pkg/storage/value/encrypt/envelope/kmsv2/envelope.go, v2/api.proto. */
#include "schema/formats.h"
#include "schema/wire.h"
#include "storage/encryption_internal.h"

#define KEY_ID_MAX 1024
#define DEK_MAX 1024
#define ANNOTATIONS_BYTES_MAX (32 * 1024)
#define ANNOTATIONS_MAX 4096

static int fail(struct status *st, const char *what)
{
    return status_set(st, STATUS_INTERNAL_ERROR, "%s", what);
}

/* Upstream's IsFullyQualifiedDomainName. */
static int check_annotation_key(struct text key, struct status *st)
{
    struct text name = text_ends(key, TEXT(".")) ? text_first(key, key.n - 1) : key, rest = name, label;
    const char *problem = NULL;
    if (!key.n)
        return fail(st, "annotations: Required value");
    problem = format_problem(FORMAT_DNS1123_SUBDOMAIN, name);
    if (!problem && text_find(name, '.') < 0)
        problem = "should be a domain with at least two segments separated by dots";
    while (!problem && text_split(&rest, '.', &label))
        problem = format_problem(FORMAT_DNS1123_LABEL, label);
    if (problem)
        return status_set(st, STATUS_INTERNAL_ERROR, "annotations: Invalid value: \"%.*s\": %s", TEXT_ARG(name), problem);
    return 0;
}

static int check_annotations(const struct text *pairs, size_t n, struct status *st)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (check_annotation_key(pairs[2 * i], st) < 0)
            return -1;
        bytes += pairs[2 * i].n + pairs[2 * i + 1].n;
    }
    if (bytes > ANNOTATIONS_BYTES_MAX)
        return status_set(st, STATUS_INTERNAL_ERROR, "total size of annotations is %zu, which exceeds the max size of %d",
                          bytes, ANNOTATIONS_BYTES_MAX);
    return 0;
}

int envelope_check_key_id(struct text id, const char **ret_code, struct status *st)
{
    const char *unused = NULL;
    ret_code = ret_code ? ret_code : &unused;
    *ret_code = !id.n ? "empty" : "too_long";
    if (!id.n)
        return fail(st, "keyID is empty");
    if (id.n > KEY_ID_MAX)
        return status_set(st, STATUS_INTERNAL_ERROR, "keyID is %zu bytes, which exceeds the max size of %d", id.n,
                          KEY_ID_MAX);
    return 0;
}

static int check_dek(struct text dek, struct status *st)
{
    if (!dek.n)
        return fail(st, "encrypted DEK source is empty");
    if (dek.n > DEK_MAX)
        return status_set(st, STATUS_INTERNAL_ERROR, "encrypted DEK source is %zu bytes, which exceeds the max size of %d",
                          dek.n, DEK_MAX);
    return 0;
}

int encrypted_object_check(const struct encrypted_object *o, struct status *st)
{
    if (o->dek_type != DEK_AES_GCM && o->dek_type != DEK_SEED)
        return status_set(st, STATUS_INTERNAL_ERROR, "unknown encryptedDEKSourceType: %d", (int)(int32_t)o->dek_type);
    if (!o->data.n)
        return fail(st, "encrypted data is empty");
    if (check_dek(o->dek, st) < 0)
        return status_wrap(st, "failed to validate encrypted DEK source");
    if (envelope_check_key_id(o->key_id, NULL, st) < 0)
        return status_wrap(st, "failed to validate key id");
    if (check_annotations(o->annotations, o->n_annotations, st) < 0)
        return status_wrap(st, "failed to validate annotations");
    return 0;
}

static int malformed(struct status *st)
{
    return fail(st, "proto: cannot parse invalid wire-format data");
}

int encrypted_object_read(struct arena *a, struct text in, struct encrypted_object *ret, struct status *st)
{
    struct encrypted_object o = {TEXT(""), TEXT(""), TEXT(""), 0, NULL, 0};
    struct text *const places[] = {NULL, &o.data, &o.key_id, &o.dek};
    struct protobuf_field f;
    size_t cap = 0;
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (f.number == 5 && f.wire == PROTOBUF_NUMBER) {
            o.dek_type = f.value;
        } else if (f.number < 4 && f.wire == PROTOBUF_BYTES) {
            *places[f.number] = f.bytes;
        } else if (f.number == 4 && f.wire == PROTOBUF_BYTES) {
            if (o.n_annotations == cap) {
                size_t bigger = cap ? 2 * cap : 8;
                if (cap >= ANNOTATIONS_MAX)
                    return malformed(st);
                o.annotations = arena_grow(a, o.annotations, 2 * cap * sizeof(struct text), 2 * bigger * sizeof(struct text));
                cap = bigger;
            }
            struct text *pair = &o.annotations[2 * o.n_annotations++];
            if (!annotation_read(f.bytes, &pair[0], &pair[1]))
                return malformed(st);
        } else if (f.number <= 5) {
            return malformed(st);
        }
    }
    if (rc < 0 || !text_is_utf8(o.key_id))
        return malformed(st);
    annotations_sort(o.annotations, &o.n_annotations);
    if (encrypted_object_check(&o, st) < 0)
        return -1;
    *ret = o;
    return 0;
}

void encrypted_object_write(struct buffer *b, const struct encrypted_object *o)
{
    protobuf_field_bytes(b, 2, o->key_id);
    protobuf_field_bytes(b, 3, o->dek);
    annotations_write(b, 4, o->annotations, o->n_annotations);
    if (o->dek_type)
        protobuf_field_number(b, 5, o->dek_type);
}

struct text encrypted_object_hash(struct arena *a, const struct encrypted_object *o)
{
    struct buffer b = BUFFER_IN(a);
    encrypted_object_write(&b, o); /* the annotations are sorted */
    protobuf_field_number(&b, 5, o->dek_type);
    return hash_text(a, buffer_text(&b));
}
