/* SPDX-License-Identifier: Apache-2.0 */
/* A gzip stream is a header, deflate blocks, and a trailer with the CRC-32 and length of all plain bytes. A
 * full flush ends on a byte boundary and forgets the window, so blocks that end with one can follow each
 * other in any order; their CRCs combine without the bytes. The final block is an empty one with fixed codes:
 * 03 00.
 *
 * Deflate's state is 256 KB: each thread keeps one and resets it. */
#include "http/gzip.h"

#define ZLIB_CONST
#include <zlib.h>

#include <pthread.h>

#include "base.h"

struct thread_deflate {
    z_stream z;
    int level;
};
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_state(void *ptr)
{
    struct thread_deflate *t = ptr;
    deflateEnd(&t->z);
    free(t);
}

static void make_key(void)
{
    if (pthread_key_create(&key, free_state) != 0)
        out_of_memory();
}

/* This thread's raw deflate state, reset. */
static z_stream *raw_deflate(int level)
{
    pthread_once(&once, make_key);
    struct thread_deflate *t = pthread_getspecific(key);
    if (t && t->level == level) {
        deflateReset(&t->z);
        return &t->z;
    }
    if (t) {
        deflateEnd(&t->z);
        t->z = (z_stream){0};
    } else {
        t = xcalloc(1, sizeof(*t));
        pthread_setspecific(key, t);
    }
    t->level = level;
    if (deflateInit2(&t->z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        out_of_memory();
    return &t->z;
}

/* Deflates all of plain behind out's bytes and flushes. */
static void deflate_all(z_stream *z, struct buffer *out, struct text plain, int flush)
{
    size_t left = plain.n;
    z->next_in = (const Bytef *)plain.p;
    do {
        z->avail_in = left > 1 << 30 ? 1 << 30 : (uInt)left;
        left -= z->avail_in;
        do {
            size_t room = z->avail_in / 4 + 512;
            z->next_out = (Bytef *)buffer_room(out, room);
            z->avail_out = (uInt)room;
            deflate(z, left ? Z_NO_FLUSH : flush);
            out->n += room - z->avail_out;
        } while (z->avail_out == 0);
    } while (left);
}

static uint32_t crc_of(struct text plain)
{
    return (uint32_t)crc32_z(0, (const Bytef *)plain.p, plain.n);
}

void gzip_deflate_part(struct buffer *out, struct text plain, int level, struct gzip_part *ret)
{
    *ret = (struct gzip_part){.crc = crc_of(plain),
                              .crc_shift = (uint32_t)crc32_combine_gen((z_off_t)plain.n),
                              .plain_bytes = plain.n};
    deflate_all(raw_deflate(level), out, plain, Z_FULL_FLUSH);
}

/* --- joining --- */

static void put_u32(char *dst, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        dst[i] = (char)(v >> (8 * i));
}

void gzip_join_begin(struct gzip_join *j, char dst[GZIP_HEADER_BYTES])
{
    static const char header[GZIP_HEADER_BYTES] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, (char)0xff};
    *j = (struct gzip_join){0};
    memcpy(dst, header, sizeof(header));
}

void gzip_join_add(struct gzip_join *j, const struct gzip_part *part)
{
    j->crc = (uint32_t)crc32_combine_op(j->crc, part->crc, part->crc_shift);
    j->plain_bytes += part->plain_bytes;
}

void gzip_join_end(struct gzip_join *j, char dst[GZIP_TRAILER_BYTES])
{
    dst[0] = 0x03;
    dst[1] = 0x00;
    put_u32(dst + 2, j->crc);
    put_u32(dst + 6, (uint32_t)j->plain_bytes);
}

struct blob *gzip_blob(struct text plain, int level)
{
    CLEANUP(buffer_deinit) struct buffer out = BUFFER_INIT;
    struct gzip_join join;
    struct gzip_part part;
    gzip_join_begin(&join, buffer_room(&out, GZIP_HEADER_BYTES));
    out.n += GZIP_HEADER_BYTES;
    gzip_deflate_part(&out, plain, level, &part);
    gzip_join_add(&join, &part);
    gzip_join_end(&join, buffer_room(&out, GZIP_TRAILER_BYTES));
    out.n += GZIP_TRAILER_BYTES;
    return blob_new(buffer_text(&out));
}
