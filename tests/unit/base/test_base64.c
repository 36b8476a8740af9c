/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4648's test vectors, and what is no base64. */
#include "base/base64.h"
#include "unit.h"

static const struct {
    const char *plain, *standard, *url;
} rows[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xff\xfe\xfd?", "//79Pw==", "__79Pw"},
    {"The quic", "VGhlIHF1aWM=", "VGhlIHF1aWM"},
    {"The quick", "VGhlIHF1aWNr", "VGhlIHF1aWNr"},
    {"The quick ", "VGhlIHF1aWNrIA==", "VGhlIHF1aWNrIA"},
    {"The quick bro", "VGhlIHF1aWNrIGJybw==", "VGhlIHF1aWNrIGJybw"},
    {"The quick brow", "VGhlIHF1aWNrIGJyb3c=", "VGhlIHF1aWNrIGJyb3c"},
    {"The quick brown", "VGhlIHF1aWNrIGJyb3du", "VGhlIHF1aWNrIGJyb3du"},
    {"The quick brown fox ", "VGhlIHF1aWNrIGJyb3duIGZveCA=", "VGhlIHF1aWNrIGJyb3duIGZveCA"},
    {"The quick brown fox jumps over the lazy dog, 0123456789 times?>", "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZywgMDEyMzQ1Njc4OSB0aW1lcz8+", "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZywgMDEyMzQ1Njc4OSB0aW1lcz8-"},
    {"\xfb\xff\xbf\xfb\xff\xbf\xfb\xff\xbf\xfb\xff\xbf\xfb\xff\xbf", "+/+/+/+/+/+/+/+/+/+/", "-_-_-_-_-_-_-_-_-_-_"},
};

START_TEST(vectors_hold_both_ways)
{
    struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct text back;
        ck_assert(text_is(base64_encode(a, BASE64_STANDARD, text_of(rows[i].plain)), rows[i].standard));
        ck_assert(text_is(base64_encode(a, BASE64_RAW_URL, text_of(rows[i].plain)), rows[i].url));
        ck_assert(base64_decode(a, BASE64_STANDARD, text_of(rows[i].standard), &back));
        ck_assert(text_is(back, rows[i].plain));
        ck_assert(base64_decode(a, BASE64_RAW_URL, text_of(rows[i].url), &back));
        ck_assert(text_is(back, rows[i].plain));
    }
    arena_free(a);
}
END_TEST

START_TEST(others_are_refused)
{
    static const struct {
        enum base64_form form;
        const char *in;
    } bad[] = {{BASE64_STANDARD, "Zg"},
               {BASE64_STANDARD, "Z==="},
               {BASE64_STANDARD, "Zg=="
                                 "Zg=="},
               {BASE64_STANDARD, "Zm9v\n="},
               {BASE64_STANDARD, "Zg=\n"},
               {BASE64_STANDARD, "Zm9vZ"},
               {BASE64_STANDARD, "__79"},
               {BASE64_STANDARD, "===="},
               {BASE64_RAW_URL, "Zg=="},
               {BASE64_RAW_URL, "//79"},
               {BASE64_RAW_URL, "Z"},
               {BASE64_RAW_URL, "Z g"}};
    struct arena *a = arena_new();
    struct text back;

    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        ck_assert_msg(!base64_decode(a, bad[i].form, text_of(bad[i].in), &back), "%s", bad[i].in);
    arena_free(a);
}
END_TEST

START_TEST(line_ends_are_ignored_and_faults_are_placed)
{
    static const struct {
        enum base64_form form;
        const char *in, *out; /* out NULL: a fault */
        size_t fault;
    } texts[] = {
        {BASE64_STANDARD, "Zm\r\n9v\n", "foo", 0},      {BASE64_STANDARD, "\nZg=\n=\n", "f", 0},
        {BASE64_RAW_URL, "Zm9\nvYg", "foob", 0},         {BASE64_STANDARD, "Zh==", "f", 0},
        {BASE64_STANDARD, "Zm9v!", NULL, 4},             {BASE64_STANDARD, "Zm9vZm", NULL, 4},
        {BASE64_STANDARD, "Zg=x", NULL, 2},              {BASE64_STANDARD, "Zg==Zg==", NULL, 4},
        {BASE64_STANDARD, "=", NULL, 0},
    };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        char dst[16];
        size_t fault = 99;
        ptrdiff_t n = base64_read(texts[i].form, text_of(texts[i].in), dst, &fault);
        ck_assert_msg((n >= 0) == (texts[i].out != NULL), "row %zu", i);
        if (n >= 0)
            ck_assert(text_is((struct text){dst, (size_t)n}, texts[i].out));
        else
            ck_assert_msg(fault == texts[i].fault, "row %zu: %zu", i, fault);
    }
}
END_TEST

UNIT_MAIN("base64", vectors_hold_both_ways, others_are_refused, line_ends_are_ignored_and_faults_are_placed)
