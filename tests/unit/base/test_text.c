/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "unit.h"

START_TEST(comparing)
{
    ck_assert_int_eq(text_cmp(TEXT("a"), TEXT("a")), 0);
    ck_assert_int_lt(text_cmp(TEXT("a"), TEXT("ab")), 0);
    ck_assert_int_gt(text_cmp(TEXT("b"), TEXT("ab")), 0);
    ck_assert_int_lt(text_cmp(TEXT("a"), TEXT("\xff")), 0);
    ck_assert_int_lt(text_cmp(TEXT_NONE, TEXT("a")), 0);
    ck_assert_int_eq(text_cmp(TEXT_NONE, TEXT("")), 0);
    ck_assert(text_eq_nocase(TEXT("Content-TYPE"), TEXT("content-type")));
    ck_assert(!text_eq_nocase(TEXT("a["), TEXT("a{")));
    ck_assert(text_starts(TEXT("abc"), TEXT("ab")) && !text_starts(TEXT("a"), TEXT("ab")));
    ck_assert(text_ends(TEXT("abc"), TEXT("bc")) && !text_ends(TEXT("c"), TEXT("bc")));
    ck_assert(text_starts(TEXT_NONE, TEXT("")) && text_ends(TEXT("abc"), TEXT("")));
}
END_TEST

START_TEST(finding_and_cutting)
{
    ck_assert_int_eq(text_find(TEXT("a/b/c"), '/'), 1);
    ck_assert_int_eq(text_find(TEXT("abc"), '/'), -1);
    ck_assert_int_eq(text_find(TEXT_NONE, '/'), -1);
    ck_assert_int_eq(text_find_text(TEXT("hello"), TEXT("lo")), 3);
    ck_assert_int_eq(text_find_text(TEXT("hello"), TEXT("")), 0);
    ck_assert_int_eq(text_find_text(TEXT_NONE, TEXT("x")), -1);
    ck_assert(text_is(text_from(TEXT("hello"), 3), "lo"));
    ck_assert_uint_eq(text_from(TEXT("hello"), 9).n, 0);
    ck_assert(text_is(text_trim(TEXT(" \t\r\n x y \f")), "x y"));
    ck_assert_uint_eq(text_trim(TEXT("  ")).n, 0);
}
END_TEST

START_TEST(splitting_gives_every_part)
{
    static const char *const expected[] = {"a", "", "b", ""};
    struct text rest = TEXT("a,,b,"), part;
    for (size_t i = 0; i < N_ELEMENTS(expected); i++) {
        ck_assert(text_split(&rest, ',', &part));
        ck_assert(text_is(part, expected[i]));
    }
    ck_assert(!text_split(&rest, ',', &part));
    rest = TEXT("");
    ck_assert(text_split(&rest, ',', &part));
    ck_assert_uint_eq(part.n, 0);
    ck_assert(!text_split(&rest, ',', &part));
}
END_TEST

START_TEST(numbers)
{
    static const struct {
        const char *s;
        bool ok;
        int64_t v;
    } rows[] = {
        {"0", true, 0}, {"-0", true, 0}, {"+7", true, 7}, {"", false, 0}, {"-", false, 0}, {"1 ", false, 0},
        {"0x1", false, 0}, {"1.5", false, 0}, {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0}, {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0}, {"99999999999999999999999", false, 0}, {"--1", false, 0},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        int64_t v = 77;
        ck_assert_msg(text_to_i64(text_of(rows[i].s), &v) == rows[i].ok, "%s", rows[i].s);
        ck_assert_msg(v == (rows[i].ok ? rows[i].v : 77), "%s", rows[i].s);
    }
    uint64_t u = 0;
    ck_assert(text_to_u64(TEXT("18446744073709551615"), &u) && u == UINT64_MAX);
    ck_assert(!text_to_u64(TEXT("18446744073709551616"), &u) && !text_to_u64(TEXT("-1"), &u));
}
END_TEST

START_TEST(utf8)
{
    static const struct {
        struct text t;
        bool ok;
    } rows[] = {
        {TEXT(""), true}, {TEXT("plain ascii, longer than eight"), true}, {TEXT("h\xc3\xa9llo w\xc3\xb6rld"), true},
        {TEXT("\xe2\x82\xac"), true}, {TEXT("\xf0\x9f\x98\x80"), true}, {TEXT("\xf4\x8f\xbf\xbf"), true},
        {TEXT("\xc0\x80"), false}, {TEXT("\xc1\xbf"), false}, {TEXT("\xe0\x9f\xbf"), false},
        {TEXT("\xed\xa0\x80"), false}, {TEXT("\xed\x9f\xbf"), true}, {TEXT("\xf0\x8f\xbf\xbf"), false},
        {TEXT("\xf4\x90\x80\x80"), false}, {TEXT("\xf5\x80\x80\x80"), false}, {TEXT("\xe2\x82"), false},
        {TEXT("\x80"), false}, {TEXT("abcdefgh\xff"), false}, {TEXT("\xc3("), false}, {TEXT("nul\0inside"), true},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ck_assert_msg(text_is_utf8(rows[i].t) == rows[i].ok, "row %zu", i);
}
END_TEST

START_TEST(hash_depends_on_every_byte)
{
    char s[200];
    memset(s, 'x', sizeof(s));
    for (size_t n = 1; n < sizeof(s); n++) {
        uint64_t h = text_hash((struct text){s, n});
        ck_assert_uint_eq(h, text_hash((struct text){s, n}));
        ck_assert_uint_ne(h, text_hash((struct text){s, n - 1}));
        for (size_t i = 0; i < n; i++) {
            s[i] ^= 1;
            ck_assert_uint_ne(h, text_hash((struct text){s, n}));
            s[i] ^= 1;
        }
    }
}
END_TEST

START_TEST(hash_spreads_names)
{
    enum { BUCKETS = 256, N = BUCKETS * 64 };
    static unsigned seen[BUCKETS];
    char name[40];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "pod-%d", i);
        seen[text_hash(text_of(name)) % BUCKETS]++;
    }
    for (int i = 0; i < BUCKETS; i++) /* mean 64, standard deviation 8 */
        ck_assert_msg(seen[i] > 16 && seen[i] < 128, "bucket %d holds %u", i, seen[i]);
}
END_TEST

static void fill(struct buffer *b)
{
    for (int i = 0; i < 1000; i++) {
        buffer_add(b, TEXT("abc"));
        buffer_add_char(b, ',');
    }
    buffer_add_i64(b, INT64_MIN);
    buffer_add_u64(b, UINT64_MAX);
    buffer_addf(b, "%0500d|%s", 1, "end");
    ck_assert_uint_eq(b->n, 4000 + 20 + 20 + 500 + 4);
    ck_assert_str_eq(buffer_str(b) + 4000 + 40 + 499, "1|end");
    ck_assert(text_eq(text_first(text_from(buffer_text(b), 4000), 40),
                      TEXT("-922337203685477580818446744073709551615")));
}

START_TEST(buffers_grow)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    ck_assert_str_eq(buffer_str(&b), "");
    fill(&b);
    buffer_clear(&b);
    fill(&b);
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer in = BUFFER_IN(a);
    buffer_add(&in, TEXT_NONE);
    fill(&in);
}
END_TEST

START_TEST(quoting_is_that_of_go)
{
    static const struct {
        struct text t;
        const char *quoted;
    } rows[] = {
        {TEXT("plain"), "\"plain\""},
        {TEXT("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {TEXT("\a\b\t\n\v\f\r"), "\"\\a\\b\\t\\n\\v\\f\\r\""},
        {TEXT("\x01\x7f"), "\"\\x01\\x7f\""},
        {TEXT("\xff\xc3"), "\"\\xff\\xc3\""},
        {TEXT("h\xc3\xa9"), "\"h\xc3\xa9\""},
        {TEXT("\xc2\xa0\xe2\x80\xa8"), "\"\\u00a0\\u2028\""},
        {TEXT("<&>"), "\"<&>\""},
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
        buffer_add_quoted(&b, rows[i].t);
        ck_assert_str_eq(buffer_str(&b), rows[i].quoted);
    }
}
END_TEST

START_TEST(blobs_are_counted)
{
    struct blob *b = blob_new(TEXT("bytes"));
    ck_assert_ptr_eq(blob_ref(b), b);
    blob_unref(b);
    ck_assert(text_is(blob_text(b), "bytes"));
    blob_unref(b);
    blob_unref(NULL);
    ck_assert_ptr_null(blob_ref(NULL));
}
END_TEST

UNIT_MAIN("base/text", comparing, finding_and_cutting, splitting_gives_every_part, numbers, utf8,
          hash_depends_on_every_byte, hash_spreads_names, buffers_grow, quoting_is_that_of_go, blobs_are_counted)
