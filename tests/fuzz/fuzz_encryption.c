/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says what the rest is: an envelope, a KMS plugin's answer, a configuration file, a value that some cipher is
 * to open, or one to seal, which must come back. */
#include <stdlib.h>

#include "storage/encryption_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static const struct text key = TEXT("0123456789abcdef0123456789abcdef");

static void envelope(struct arena *a, struct text in)
{
    struct status st = {0};
    struct encrypted_object o;
    if (encrypted_object_read(a, in, &o, &st) == 0) {
        require(o.data.n && o.dek.n && o.key_id.n && o.dek.n <= 1024 && o.key_id.n <= 1024);
        for (size_t i = 1; i < o.n_annotations; i++)
            require(text_cmp(o.annotations[2 * i - 2], o.annotations[2 * i]) < 0);
    }
    status_clear(&st);
}

static void answer(struct arena *a, enum kms_call which, struct text in)
{
    struct status st = {0};
    struct kms_answer got;
    if (kms_answer_read(a, which, in, &got, &st) == 0) {
        struct buffer b = BUFFER_IN(a), again = BUFFER_IN(a);
        annotations_write(&b, 3, got.annotations, got.n_annotations);
        struct kms_answer second;
        require(kms_answer_read(a, KMS_ENCRYPT, buffer_text(&b), &second, &st) == 0);
        annotations_write(&again, 3, second.annotations, second.n_annotations);
        require(text_eq(buffer_text(&b), buffer_text(&again)));
    }
    status_clear(&st);
}

static void config(struct arena *a, struct text in)
{
    struct status st = {0};
    struct encryption_config *c;
    if (encryption_config_read(a, in, in.n & 1, &c, &st) < 0)
        require(st.message != NULL);
    status_clear(&st);
}

static void cipher(enum cipher_kind kind, struct text in)
{
    struct status st = {0};
    struct buffer scratch = BUFFER_INIT, sealed = BUFFER_INIT;
    struct transform x = {.key = TEXT("/registry/a"), .st = &st};
    struct transformer *t = cipher_new(kind, TEXT("k"), key);
    struct text out;
    t->ops->open(t, &x, in, &scratch, &out);
    require(t->ops->seal(t, &x, in, &sealed) == 0);
    require(t->ops->open(t, &x, buffer_text(&sealed), &scratch, &out) == 0 && text_eq(out, in));
    require(seeded_gcm_open(key, x.key, in, &scratch, &out, &st) < 0);
    buffer_deinit(&scratch);
    buffer_deinit(&sealed);
    status_clear(&st);
    t->ops->free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct text in = {(const char *)data, n}, rest = text_from(in, 1);
    struct arena *a = arena_new();
    if (!rest.p)
        rest = TEXT("");
    switch (n ? data[0] : 0) {
    case 'e':
        envelope(a, rest);
        break;
    case 's':
        answer(a, KMS_STATUS, rest);
        break;
    case 'n':
        answer(a, KMS_ENCRYPT, rest);
        break;
    case 'd':
        answer(a, KMS_DECRYPT, rest);
        break;
    case 'c':
        config(a, rest);
        break;
    case '0':
        cipher(CIPHER_AESCBC, rest);
        break;
    case '1':
        cipher(CIPHER_AESGCM, rest);
        break;
    default:
        cipher(CIPHER_SECRETBOX, rest);
        break;
    }
    arena_free(a);
    return 0;
}
