/* SPDX-License-Identifier: Apache-2.0 */
/* Parts deflated apart, joined in any order, must inflate to their bytes with a right trailer. */
#include <zlib.h>

#include "base.h"
#include "http.h"
#include "unit.h"

static void check_inflates(struct text packed, struct text wanted)
{
    z_stream z = {.next_in = (Bytef *)packed.p, .avail_in = (uInt)packed.n};
    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK); /* checks CRC and length */
    char *plain = xmalloc(wanted.n + 1);
    z.next_out = (Bytef *)plain;
    z.avail_out = (uInt)wanted.n + 1;
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(z.avail_in, 0);
    ck_assert(text_eq((struct text){plain, z.total_out}, wanted));
    inflateEnd(&z);
    free(plain);
}

static struct text make_plain(struct arena *a, unsigned seed, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245 + 12345;
        p[i] = (char)(seed >> 16 & (i % 7 ? 0x3f : 0xff));
    }
    return (struct text){p, n};
}

START_TEST(whole_bodies_survive)
{
    static const size_t sizes[] = {0, 1, 100, 65536, 3000000};
    struct arena *a = arena_new();
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        struct text plain = make_plain(a, (unsigned)i, sizes[i]);
        struct blob *b = gzip_blob(plain, i % 2 ? 6 : 1);
        check_inflates(blob_text(b), plain);
        blob_unref(b);
    }
    arena_free(a);
}
END_TEST

START_TEST(parts_join_in_any_order)
{
    struct arena *a = arena_new();
    struct gzip_part parts[5];
    struct text plain[5];
    struct buffer raw[5];
    for (size_t i = 0; i < 5; i++) {
        plain[i] = make_plain(a, 77 + (unsigned)i, i * 9000);
        raw[i] = BUFFER_IN(a);
        gzip_deflate_part(&raw[i], plain[i], 1, &parts[i]);
        parts[i].deflated = buffer_text(&raw[i]);
    }
    static const int orders[][6] = {{0, 1, 2, 3, 4, -1}, {4, 2, 2, 0, 1, -1}, {3, -1}, {-1}};
    for (size_t o = 0; o < N_ELEMENTS(orders); o++) {
        struct buffer out = BUFFER_IN(a), wanted = BUFFER_IN(a);
        struct gzip_join j;
        char head[GZIP_HEADER_BYTES], tail[GZIP_TRAILER_BYTES];
        gzip_join_begin(&j, head);
        buffer_add_bytes(&out, head, sizeof(head));
        for (const int *i = orders[o]; *i >= 0; i++) {
            gzip_join_add(&j, &parts[*i]);
            buffer_add(&out, parts[*i].deflated);
            buffer_add(&wanted, plain[*i]);
        }
        gzip_join_end(&j, tail);
        buffer_add_bytes(&out, tail, sizeof(tail));
        check_inflates(buffer_text(&out), buffer_text(&wanted));
    }
    arena_free(a);
}
END_TEST

UNIT_MAIN("gzip", whole_bodies_survive, parts_join_in_any_order)
