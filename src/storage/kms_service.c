/* SPDX-License-Identifier: Apache-2.0 */
/* The three calls of a KMS v2 plugin: Status, Encrypt, Decrypt. The messages are small and their fields few, so they are
 * written and read by hand. Source: kubernetes/kms apis/v2/api.proto, pkg/util/util.go. */
#include <stdlib.h>

#include "http/grpc.h"
#include "schema/wire.h"
#include "storage/encryption_internal.h"

#define ANNOTATIONS_MAX 4096 /* their bytes are limited besides; an empty pair takes a few of them only */

struct kms_service {
    struct grpc_client *client;
    struct text provider;
    char *provider_copy;
    int64_t timeout_ms;
};

static const char *const methods[] = {[KMS_STATUS] = "/v2.KeyManagementService/Status",
                                      [KMS_ENCRYPT] = "/v2.KeyManagementService/Encrypt",
                                      [KMS_DECRYPT] = "/v2.KeyManagementService/Decrypt"};

struct kms_service *kms_service_new(const struct kms_config *config)
{
    struct kms_service *s = xcalloc(1, sizeof(*s));
    s->client = grpc_client_new(config->socket);
    s->provider_copy = xmalloc(config->name.n + 1);
    memcpy(s->provider_copy, config->name.p, config->name.n);
    s->provider = (struct text){s->provider_copy, config->name.n};
    s->timeout_ms = config->timeout_ms;
    return s;
}

void kms_service_cancel(struct kms_service *s)
{
    grpc_client_cancel(s->client);
}

void kms_service_free(struct kms_service *s)
{
    if (!s)
        return;
    grpc_client_free(s->client);
    free(s->provider_copy);
    free(s);
}

/* --- annotations: map<string, bytes> ------------------------------------------------------------------------------------ */

bool annotation_read(struct text entry, struct text *ret_key, struct text *ret_value)
{
    struct protobuf_field f;
    int rc;
    *ret_key = *ret_value = TEXT("");
    while ((rc = protobuf_next(&entry, &f)) > 0) {
        if (f.wire == PROTOBUF_BYTES && f.number == 1)
            *ret_key = f.bytes;
        else if (f.wire == PROTOBUF_BYTES && f.number == 2)
            *ret_value = f.bytes;
        else if (f.number == 1 || f.number == 2)
            return false;
    }
    return rc == 0 && text_is_utf8(*ret_key);
}

static int pair_cmp(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    int order = text_cmp(x[0], y[0]);
    /* Of equal keys the one that came last goes last: both lie in one message. */
    return order ? order : x[0].p < y[0].p ? -1 : x[0].p > y[0].p;
}

void annotations_sort(struct text *pairs, size_t *n)
{
    size_t kept = 0;
    if (*n)
        qsort(pairs, *n, 2 * sizeof(*pairs), pair_cmp);
    for (size_t i = 0; i < *n; i++) {
        if (i + 1 < *n && text_eq(pairs[2 * i], pairs[2 * i + 2]))
            continue;
        pairs[2 * kept] = pairs[2 * i];
        pairs[2 * kept + 1] = pairs[2 * i + 1];
        kept++;
    }
    *n = kept;
}

void annotations_write(struct buffer *b, unsigned number, const struct text *pairs, size_t n)
{
    CLEANUP(buffer_deinit) struct buffer entry = BUFFER_INIT;
    for (size_t i = 0; i < n; i++) {
        buffer_clear(&entry);
        protobuf_field_bytes(&entry, 1, pairs[2 * i]);
        protobuf_field_bytes(&entry, 2, pairs[2 * i + 1]);
        protobuf_field_bytes(b, number, buffer_text(&entry));
    }
}

/* --- messages ------------------------------------------------------------------------------------------------------------- */

static void write_request(struct buffer *b, enum kms_call which, const struct kms_request *r)
{
    if (which == KMS_STATUS)
        return;
    protobuf_field_bytes(b, 1, r->bytes);
    protobuf_field_bytes(b, 2, r->uid);
    if (which == KMS_DECRYPT) {
        protobuf_field_bytes(b, 3, r->key_id);
        annotations_write(b, 4, r->annotations, r->n_annotations);
    }
}

/* Which field of which answer goes where; the number is the index. */
static struct text *place(struct kms_answer *a, enum kms_call which, uint32_t number)
{
    static const size_t places[][4] = {
        [KMS_STATUS] = {0, offsetof(struct kms_answer, version) + 1, offsetof(struct kms_answer, healthz) + 1,
                        offsetof(struct kms_answer, key_id) + 1},
        [KMS_ENCRYPT] = {0, offsetof(struct kms_answer, bytes) + 1, offsetof(struct kms_answer, key_id) + 1},
        [KMS_DECRYPT] = {0, offsetof(struct kms_answer, bytes) + 1},
    };
    size_t at = number < 4 ? places[which][number] : 0;
    return at ? (struct text *)((char *)a + at - 1) : NULL;
}

static int malformed(struct status *st)
{
    return status_set(st, STATUS_INTERNAL_ERROR, "rpc error: code = Internal desc = the plugin's answer is malformed");
}

int kms_answer_read(struct arena *a, enum kms_call which, struct text message, struct kms_answer *ret, struct status *st)
{
    struct kms_answer answer = {TEXT(""), TEXT(""), TEXT(""), TEXT(""), NULL, 0};
    struct text rest = message;
    struct protobuf_field f;
    size_t cap = 0;
    int rc;
    while ((rc = protobuf_next(&rest, &f)) > 0) {
        struct text *to = place(&answer, which, f.number);
        bool is_annotation = which == KMS_ENCRYPT && f.number == 3;
        if (!to && !is_annotation)
            continue;
        if (f.wire != PROTOBUF_BYTES)
            return malformed(st);
        if (to) {
            bool is_string = to != &answer.bytes;
            if (is_string && !text_is_utf8(f.bytes))
                return malformed(st);
            *to = f.bytes;
            continue;
        }
        if (answer.n_annotations == cap) {
            size_t bigger = cap ? 2 * cap : 8;
            if (cap >= ANNOTATIONS_MAX)
                return malformed(st);
            answer.annotations = arena_grow(a, answer.annotations, 2 * cap * sizeof(struct text),
                                            2 * bigger * sizeof(struct text));
            cap = bigger;
        }
        struct text *pair = &answer.annotations[2 * answer.n_annotations++];
        if (!annotation_read(f.bytes, &pair[0], &pair[1]))
            return malformed(st);
    }
    if (rc < 0)
        return malformed(st);
    annotations_sort(answer.annotations, &answer.n_annotations);
    *ret = answer;
    return 0;
}

int kms_service_call(struct kms_service *s, enum kms_call which, const struct kms_request *request, struct arena *a,
                     struct kms_answer *ret, const char **ret_grpc_code, struct status *st)
{
    struct buffer out = BUFFER_IN(a), in = BUFFER_IN(a);
    int64_t begun_ns = clock_mono_ns();
    write_request(&out, which, request);
    enum grpc_code code = grpc_call(s->client, methods[which], buffer_text(&out), s->timeout_ms, &in, st);
    kms_observe_call(s->provider, methods[which], grpc_code_name(code), clock_mono_ns() - begun_ns);
    *ret_grpc_code = grpc_code_name(code);
    if (code != GRPC_OK)
        return -1;
    if (kms_answer_read(a, which, buffer_text(&in), ret, st) == 0)
        return 0;
    *ret_grpc_code = grpc_code_name(GRPC_INTERNAL);
    return -1;
}
