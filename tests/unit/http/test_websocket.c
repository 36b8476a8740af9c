/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames, written and read, whole and a byte at a time. The handshake and live streams are tested
 * with watches. */
#include "http.h"
#include "unit.h"

/* A client's frame. */
static void add_masked(struct buffer *b, unsigned char first, const char *payload, size_t n)
{
    static const char mask[4] = {0x11, (char)0xa2, 0x33, 0x44};
    char header[WEBSOCKET_HEADER_MAX];
    size_t header_n = websocket_header(header, WEBSOCKET_TEXT, n);

    header[0] = (char)first;
    header[1] = (char)(header[1] | 0x80);
    buffer_add_bytes(b, header, header_n);
    buffer_add_bytes(b, mask, sizeof(mask));
    for (size_t i = 0; i < n; i++)
        buffer_add_char(b, (char)(payload[i] ^ mask[i & 3]));
}

/* What a reader tells of these bytes, given step at a time: d(text) e c8(text) broken. */
static const char *read_all(struct arena *a, struct text in, size_t step)
{
    struct websocket_reader w = {0};
    struct buffer out = BUFFER_IN(a);

    for (size_t at = 0; at < in.n; at += step) {
        struct text part = arena_text(a, text_first(text_from(in, at), step));
        char *p = (char *)part.p;
        size_t n = part.n;
        enum websocket_event event;
        while ((event = websocket_read(&w, &p, &n)) != WEBSOCKET_MORE) {
            if (event == WEBSOCKET_DATA)
                buffer_addf(&out, "%.*s", TEXT_ARG(w.payload));
            else if (event == WEBSOCKET_END)
                buffer_addf(&out, "|%d ", w.message);
            else if (event == WEBSOCKET_CONTROL)
                buffer_addf(&out, "<%d %.*s>", w.opcode, TEXT_ARG(w.payload));
            else
                return arena_printf(a, "%sbroken", buffer_str(&out));
        }
        ck_assert_uint_eq(n, 0);
    }
    return buffer_str(&out);
}

START_TEST(headers_have_the_shortest_length)
{
    static const struct {
        size_t payload, header;
        unsigned char second;
    } rows[] = {{0, 2, 0}, {125, 2, 125}, {126, 4, 126}, {65535, 4, 126}, {65536, 10, 127}};
    char h[WEBSOCKET_HEADER_MAX];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        ck_assert_uint_eq(websocket_header(h, WEBSOCKET_BINARY, rows[i].payload), rows[i].header);
        ck_assert_int_eq((unsigned char)h[0], 0x82);
        ck_assert_int_eq((unsigned char)h[1], rows[i].second);
    }
    websocket_header(h, WEBSOCKET_BINARY, 0x12345);
    ck_assert_mem_eq(h + 2, "\0\0\0\0\0\x01\x23\x45", 8);
}
END_TEST

START_TEST(messages_and_controls_are_read_at_any_cut)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a);
    char big[300];

    memset(big, 'x', sizeof(big));
    add_masked(&b, 0x81, "hello", 5);
    add_masked(&b, 0x02, "frag", 4); /* a binary message in three pieces, a ping between */
    add_masked(&b, 0x89, "ping!", 5);
    add_masked(&b, 0x00, "", 0);
    add_masked(&b, 0x80, "ment", 4);
    add_masked(&b, 0x81, big, sizeof(big));
    add_masked(&b, 0x88, "\x03\xe8", 2);
    const char *wanted = arena_printf(a, "hello|1 frag<9 ping!>ment|2 %.300s|1 <8 \x03\xe8>", big);
    for (size_t step = 1; step < 40; step++)
        ck_assert_str_eq(read_all(a, buffer_text(&b), step), wanted);
    ck_assert_str_eq(read_all(a, buffer_text(&b), b.n), wanted);
}
END_TEST

START_TEST(what_the_protocol_forbids)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } rows[] = {
        {"\x81\x05hello", 7, "not masked"},
        {"\xc1\x80\1\2\3\4", 6, "reserved bit"},
        {"\x83\x80\1\2\3\4", 6, "unknown opcode"},
        {"\x8b\x80\1\2\3\4", 6, "unknown control"},
        {"\x09\x80\1\2\3\4", 6, "control in pieces"},
        {"\x89\xfe\0\x7e\1\2\3\4", 8, "long control"},
        {"\x80\x80\1\2\3\4", 6, "continues nothing"},
        {"\x01\x80\1\2\3\4\x81\x80\1\2\3\4", 12, "a message within a message"},
        {"\x82\xff\xff\0\0\0\0\0\0\0\1\2\3\4", 14, "negative length"},
    };
    CLEANUP(arena_freep) struct arena *a = arena_new();

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        ck_assert_msg(!strcmp(read_all(a, (struct text){rows[i].bytes, rows[i].n}, 100), "broken"), "%s",
                      rows[i].why);
}
END_TEST

UNIT_MAIN("http/websocket", headers_have_the_shortest_length, messages_and_controls_are_read_at_any_cut,
          what_the_protocol_forbids)
