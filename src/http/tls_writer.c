/* SPDX-License-Identifier: Apache-2.0 */
/* A record is sealed whole, and bytes of the next one are taken only when all of it is in the socket. */
#include "http/tls_writer.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base.h"

#define RECORD_BYTES 16384
#define HEAD_BYTES 5
#define NONCE_BYTES 12
#define EXPLICIT_BYTES 8 /* of the nonce, in the record: GCM of TLS 1.2 */
#define TAG_BYTES 16
#define OVERHEAD_BYTES (HEAD_BYTES + EXPLICIT_BYTES + 1 + TAG_BYTES)
#define RECORDS_MAX ((uint64_t)1 << 24) /* before a session would have to change its keys: RFC 8446 5.5 */

enum content { CONTENT_ALERT = 21, CONTENT_DATA = 23 };

struct tls_writer {
    gnutls_aead_cipher_hd_t cipher;
    unsigned char iv[NONCE_BYTES];
    uint64_t sequence, first;
    bool is_1_3, is_gcm;
    unsigned char *sealed; /* malloc'd: what the socket did not take of a record */
    size_t n_sealed, at;
    size_t n_plain; /* that it holds */
};

static bool is_gcm(gnutls_cipher_algorithm_t c)
{
    return c == GNUTLS_CIPHER_AES_128_GCM || c == GNUTLS_CIPHER_AES_256_GCM;
}

bool tls_writer_knows(void *session)
{
    gnutls_protocol_t version = gnutls_protocol_get_version(session);
    gnutls_cipher_algorithm_t c = gnutls_cipher_get(session);
    return (version == GNUTLS_TLS1_2 || version == GNUTLS_TLS1_3) &&
           (is_gcm(c) || c == GNUTLS_CIPHER_CHACHA20_POLY1305);
}

struct tls_writer *tls_writer_new(void *session)
{
    gnutls_datum_t iv, key;
    unsigned char sequence[8];
    if (!tls_writer_knows(session) || gnutls_record_get_state(session, 0, NULL, &iv, &key, sequence) < 0)
        return NULL;
    struct tls_writer *w = xcalloc(1, sizeof(*w));
    w->is_1_3 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
    w->is_gcm = is_gcm(gnutls_cipher_get(session));
    for (size_t i = 0; i < sizeof(sequence); i++)
        w->sequence = w->sequence << 8 | sequence[i];
    w->first = w->sequence;
    size_t iv_bytes = w->is_gcm && !w->is_1_3 ? NONCE_BYTES - EXPLICIT_BYTES : NONCE_BYTES;
    if (iv.size != iv_bytes || gnutls_aead_cipher_init(&w->cipher, gnutls_cipher_get(session), &key) < 0) {
        free(w);
        return NULL;
    }
    memcpy(w->iv, iv.data, iv_bytes);
    return w;
}

void tls_writer_free(struct tls_writer *w)
{
    if (!w)
        return;
    gnutls_aead_cipher_deinit(w->cipher);
    gnutls_memset(w->iv, 0, sizeof(w->iv));
    free(w->sealed);
    free(w);
}

static void put(unsigned char *dst, uint64_t n, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; n >>= 8)
        dst[i] = (unsigned char)n;
}

/* Into dst, with room for OVERHEAD_BYTES more than bytes; how much that is, 0 on failure. */
static size_t seal(struct tls_writer *w, enum content type, struct text bytes, unsigned char *dst)
{
    unsigned char nonce[NONCE_BYTES], aad[13];
    bool is_explicit = w->is_gcm && !w->is_1_3;
    unsigned char *out = dst + HEAD_BYTES + (is_explicit ? EXPLICIT_BYTES : 0);
    const unsigned char *extra = aad;
    size_t n_extra = sizeof(aad), n_plain = bytes.n + w->is_1_3, n = n_plain + TAG_BYTES;

    memcpy(nonce, w->iv, sizeof(nonce));
    if (is_explicit) {
        put(nonce + NONCE_BYTES - EXPLICIT_BYTES, w->sequence, EXPLICIT_BYTES);
        memcpy(dst + HEAD_BYTES, nonce + NONCE_BYTES - EXPLICIT_BYTES, EXPLICIT_BYTES);
    } else {
        for (size_t i = 0; i < 8; i++)
            nonce[NONCE_BYTES - 1 - i] ^= (unsigned char)(w->sequence >> (8 * i));
    }
    dst[0] = w->is_1_3 ? CONTENT_DATA : (unsigned char)type;
    put(dst + 1, 0x0303, 2);
    put(dst + 3, (size_t)(out - dst) - HEAD_BYTES + n, 2);
    if (w->is_1_3) {
        extra = dst;
        n_extra = HEAD_BYTES;
    } else {
        put(aad, w->sequence, 8);
        memcpy(aad + 8, dst, 3);
        put(aad + 11, bytes.n, 2);
    }
    memcpy(out, bytes.p, bytes.n); /* sealed in place */
    if (w->is_1_3)
        out[bytes.n] = (unsigned char)type;
    if (gnutls_aead_cipher_encrypt(w->cipher, nonce, sizeof(nonce), extra, n_extra, TAG_BYTES, out, n_plain,
                                   out, &n) < 0)
        return 0;
    w->sequence++;
    return (size_t)(out - dst) + n;
}

/* How much went; -1: the connection is lost. */
static ptrdiff_t write_some(int fd, const unsigned char *p, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t sent = send(fd, p + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            done += (size_t)sent;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            return -1;
    }
    return (ptrdiff_t)done;
}

/* Sends what is left of the last record. True: all of it is gone; false with *ret_lost or for want of room.
 */
static bool flush(struct tls_writer *w, int fd, bool *ret_lost)
{
    if (!w->sealed)
        return true;
    ptrdiff_t n = write_some(fd, w->sealed + w->at, w->n_sealed - w->at);
    *ret_lost = n < 0;
    if (n < 0)
        return false;
    w->at += (size_t)n;
    if (w->at < w->n_sealed)
        return false;
    free(MOVE(w->sealed));
    return true;
}

ptrdiff_t tls_writer_send(struct tls_writer *w, int fd, struct text bytes)
{
    unsigned char record[RECORD_BYTES + OVERHEAD_BYTES];
    size_t done = 0;
    bool is_lost = false;
    if (w->sealed) {
        if (!flush(w, fd, &is_lost))
            return is_lost ? -1 : 0;
        done = w->n_plain;
    }
    while (done < bytes.n) {
        size_t n_plain = bytes.n - done < RECORD_BYTES ? bytes.n - done : RECORD_BYTES;
        size_t n = w->sequence - w->first < RECORDS_MAX
                       ? seal(w, CONTENT_DATA, (struct text){bytes.p + done, n_plain}, record)
                       : 0;
        ptrdiff_t sent = n ? write_some(fd, record, n) : -1;
        if (sent < 0)
            return -1;
        if ((size_t)sent < n) {
            w->n_sealed = n - (size_t)sent;
            w->at = 0;
            w->n_plain = n_plain;
            w->sealed = xmalloc(w->n_sealed);
            memcpy(w->sealed, record + sent, w->n_sealed);
            break;
        }
        done += n_plain;
    }
    return (ptrdiff_t)done;
}

void tls_writer_bye(struct tls_writer *w, int fd)
{
    static const char close_notify[] = {1, 0};
    unsigned char record[2 + OVERHEAD_BYTES];
    bool is_lost;
    if (!flush(w, fd, &is_lost))
        return;
    size_t n = seal(w, CONTENT_ALERT, (struct text){close_notify, sizeof(close_notify)}, record);
    if (n)
        write_some(fd, record, n);
}
