/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers double as they grow; blobs are one allocation with their count. */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* --- buffer --- */

void buffer_deinit(struct buffer *b)
{
    if (!b->arena)
        free(b->p);
    *b = BUFFER_IN(b->arena);
}

void buffer_clear(struct buffer *b)
{
    b->n = 0;
}

char *buffer_room(struct buffer *b, size_t n)
{
    if (b->cap - b->n < n) {
        if (n > SIZE_MAX / 4 || b->n > SIZE_MAX / 4)
            out_of_memory();
        size_t cap = b->cap ? b->cap * 2 : 256;
        if (cap < b->n + n)
            cap = b->n + n;
        b->p = b->arena ? arena_grow(b->arena, b->p, b->cap, cap) : xrealloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buffer_add_slow(struct buffer *b, const void *p, size_t n)
{
    memcpy(buffer_room(b, n), p, n);
    b->n += n;
}

void buffer_add_str(struct buffer *b, const char *s)
{
    buffer_add(b, text_of(s));
}

void buffer_add_u64(struct buffer *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buffer_add_bytes(b, digits + at, sizeof(digits) - at);
}

void buffer_add_i64(struct buffer *b, int64_t v)
{
    if (v < 0)
        buffer_add_char(b, '-');
    buffer_add_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void buffer_vaddf(struct buffer *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = b->cap - b->n;
    int n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, args);
    if (n < 0)
        abort(); /* only a broken format string fails */
    if ((size_t)n >= room)
        vsnprintf(buffer_room(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

void buffer_addf(struct buffer *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buffer_vaddf(b, fmt, args);
    va_end(args);
}

const char *buffer_str(struct buffer *b)
{
    *buffer_room(b, 1) = '\0';
    return b->p;
}

/* What Go's unicode.IsPrint refuses, roughly: controls, spaces but ' ', formats, surrogates, private use. */
static bool is_printable(uint32_t r)
{
    static const struct {
        uint32_t from, to;
    } hidden[] = {
        {0, 0x1f},         {0x7f, 0xa0},       {0xad, 0xad},       {0x61c, 0x61c},       {0x1680, 0x1680},
        {0x180e, 0x180e},  {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},     {0x3000, 0x3000},
        {0xd800, 0xf8ff},  {0xfeff, 0xfeff},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},     {0xe0000, 0xe00ff},
        {0xf0000, 0x10ffff},
    };
    for (size_t i = 0; i < N_ELEMENTS(hidden); i++)
        if (r >= hidden[i].from && r <= hidden[i].to)
            return false;
    return true;
}

void buffer_add_quoted(struct buffer *b, struct text t)
{
    static const char escapes[] = "abtnvfr"; /* of \a = 7 and the bytes after it */
    buffer_add_char(b, '"');
    for (size_t i = 0, n; i < t.n; i += n) {
        struct text rest = text_from(t, i);
        uint32_t r;
        n = text_rune(rest, &r);
        if (n == 0) {
            n = 1;
            buffer_addf(b, "\\x%02x", (unsigned char)t.p[i]);
        } else if (r == '"' || r == '\\') {
            buffer_addf(b, "\\%c", (char)r);
        } else if (r >= '\a' && r <= '\r') {
            buffer_addf(b, "\\%c", escapes[r - '\a']);
        } else if (is_printable(r)) {
            buffer_add(b, text_first(rest, n));
        } else if (r < ' ' || r == 0x7f) {
            buffer_addf(b, "\\x%02x", (unsigned)r);
        } else {
            buffer_addf(b, r < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)r);
        }
    }
    buffer_add_char(b, '"');
}

/* --- blob --- */

struct blob *blob_alloc(size_t n)
{
    if (n > SIZE_MAX / 2)
        out_of_memory();
    struct blob *b = xmalloc(sizeof(*b) + n);
    atomic_init(&b->refs, 1);
    b->n = n;
    return b;
}

struct blob *blob_new(struct text bytes)
{
    struct blob *b = blob_alloc(bytes.n);
    if (bytes.n)
        memcpy(b->p, bytes.p, bytes.n);
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void blob_unref(struct blob *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        free(b);
}
