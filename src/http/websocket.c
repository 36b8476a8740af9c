/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and the handshake. The reader is fed with whatever has come and tells of pieces, so that a message
 * of any length takes no memory; only control frames, 125 bytes at most, are collected. */
#include "http/websocket.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base.h"
#include "http/http_internal.h"

/* --- frames --- */

size_t websocket_header(char dst[WEBSOCKET_HEADER_MAX], enum websocket_opcode opcode, size_t payload_bytes)
{
    size_t n = 0, length_bytes = payload_bytes < 126 ? 0 : payload_bytes <= 0xffff ? 2 : 8;

    dst[n++] = (char)(0x80 | opcode);
    dst[n++] = length_bytes == 0 ? (char)payload_bytes : length_bytes == 2 ? 126 : 127;
    for (size_t i = length_bytes; i-- > 0;)
        dst[n++] = (char)((uint64_t)payload_bytes >> (8 * i));
    return n;
}

static bool is_control(unsigned opcode)
{
    return opcode >= WEBSOCKET_CLOSE;
}

static size_t length_bytes(const struct websocket_reader *w)
{
    unsigned code = w->header[1] & 0x7f;

    return code == 126 ? 2 : code == 127 ? 8 : 0;
}

/* Of the header that is there: what the protocol forbids. */
static bool is_forbidden(const struct websocket_reader *w)
{
    unsigned opcode = w->header[0] & 0x0f;
    bool is_known = opcode <= WEBSOCKET_BINARY || (opcode >= WEBSOCKET_CLOSE && opcode <= WEBSOCKET_PONG);

    if (w->header[0] & 0x70 || !is_known || !(w->header[1] & 0x80))
        return true; /* an extension that was not agreed on; no such frame; not masked */
    if (is_control(opcode))
        return !(w->header[0] & 0x80) || (w->header[1] & 0x7f) > WEBSOCKET_CONTROL_MAX;
    return (opcode == WEBSOCKET_CONTINUATION) != w->in_message;
}

/* False: more is to come. */
static bool take_header(struct websocket_reader *w, char **in, size_t *n)
{
    size_t want = 2;

    for (;;) {
        if (w->n_header >= 2)
            want = 2 + length_bytes(w) + 4;
        if (w->n_header == want)
            return true;
        if (!*n)
            return false;
        w->header[w->n_header++] = (unsigned char)*(*in)++;
        (*n)--;
    }
}

/* False: its length is not one. */
static bool begin_frame(struct websocket_reader *w)
{
    size_t bytes = length_bytes(w);

    w->left = bytes ? 0 : w->header[1] & 0x7f;
    for (size_t i = 0; i < bytes; i++)
        w->left = w->left << 8 | w->header[2 + i];
    w->opcode = w->header[0] & 0x0f;
    w->is_final = w->header[0] & 0x80;
    w->in_frame = true;
    w->mask_at = 0;
    w->n_control = 0;
    if (!is_control(w->opcode)) {
        if (w->opcode != WEBSOCKET_CONTINUATION)
            w->message = w->opcode;
        w->in_message = true;
    }
    return !(w->left >> 63);
}

static void unmask(struct websocket_reader *w, char *p, size_t n)
{
    const unsigned char *mask = w->header + 2 + length_bytes(w);

    for (size_t i = 0; i < n; i++)
        p[i] = (char)(p[i] ^ mask[w->mask_at++ & 3]);
}

static enum websocket_event end_frame(struct websocket_reader *w)
{
    w->in_frame = false;
    w->n_header = 0;
    if (is_control(w->opcode)) {
        w->payload = (struct text){w->control, w->n_control};
        return WEBSOCKET_CONTROL;
    }
    if (!w->is_final)
        return WEBSOCKET_MORE;
    w->in_message = false;
    w->payload = TEXT_NONE;
    return WEBSOCKET_END;
}

static enum websocket_event take_payload(struct websocket_reader *w, char **in, size_t *n)
{
    size_t part = *n < w->left ? *n : (size_t)w->left;

    unmask(w, *in, part);
    if (is_control(w->opcode)) {
        memcpy(w->control + w->n_control, *in, part);
        w->n_control += part;
    } else {
        w->payload = (struct text){*in, part};
    }
    *in += part;
    *n -= part;
    w->left -= part;
    return is_control(w->opcode) ? WEBSOCKET_MORE : WEBSOCKET_DATA;
}

enum websocket_event websocket_read(struct websocket_reader *w, char **in, size_t *n)
{
    for (;;) {
        enum websocket_event event;
        if (w->in_frame && w->left == 0) {
            if ((event = end_frame(w)) != WEBSOCKET_MORE)
                return event;
        } else if (w->in_frame) {
            if (!*n)
                return WEBSOCKET_MORE;
            if ((event = take_payload(w, in, n)) != WEBSOCKET_MORE)
                return event;
        } else {
            if (!take_header(w, in, n))
                return WEBSOCKET_MORE;
            if (is_forbidden(w) || !begin_frame(w))
                return WEBSOCKET_BROKEN;
        }
    }
}

/* --- the handshake --- */

static bool has_token(struct text list, const char *token)
{
    struct text part;

    while (text_split(&list, ',', &part))
        if (text_eq_nocase(text_trim(part), text_of(token)))
            return true;
    return false;
}

bool websocket_is_wanted(const struct request *r)
{
    return text_eq_nocase(request_header(r, "Upgrade"), TEXT("websocket")) &&
           has_token(request_header(r, "Connection"), "upgrade");
}

/* What the client's key proves: that this server speaks the protocol. */
static struct text accept_of(struct arena *a, struct text key)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    struct buffer b = BUFFER_IN(a);
    unsigned char digest[20] = {0};

    buffer_add(&b, key);
    buffer_add_str(&b, magic);
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, b.p, b.n, digest) < 0)
        return TEXT_NONE;
    return base64_encode(a, BASE64_STANDARD, (struct text){(const char *)digest, sizeof(digest)});
}

/* What the client speaks, but for tokens; the first of them. */
static size_t count_protocols(const struct request *r, struct text *ret)
{
    size_t n = 0;

    *ret = TEXT_NONE;
    for (size_t i = 0; i < r->n_headers; i++) {
        struct text rest = r->headers[i].value, part;
        if (!text_eq_nocase(r->headers[i].name, TEXT("Sec-WebSocket-Protocol")))
            continue;
        while (text_split(&rest, ',', &part)) {
            part = text_trim(part);
            if (!part.n || text_starts(part, TEXT(WEBSOCKET_BEARER_PREFIX)))
                continue;
            if (n++ == 0)
                *ret = part;
        }
    }
    return n;
}

static void refuse(struct request *r, struct stream *s, int code, const char *why)
{
    stream_detach(s);
    stream_unref(s);
    r->response.n_headers = 0;
    response_bytes(r, code, NULL, text_of(why));
}

void response_websocket(struct request *r, struct stream *s, bool is_text)
{
    struct text key = request_header(r, "Sec-WebSocket-Key"), protocol, accept;

    if (!text_is(r->method, "GET"))
        return refuse(r, s, 405, "bad method");
    if (!key.n)
        return refuse(r, s, 400, "mismatch challenge/response");
    if (!text_is(request_header(r, "Sec-WebSocket-Version"), "13")) {
        refuse(r, s, 400, "missing or bad WebSocket Version");
        response_set_header(r, "Sec-WebSocket-Version", TEXT("13"));
        return;
    }
    if (!request_header(r, "Origin").n)
        return refuse(r, s, 403, "null origin");
    if (count_protocols(r, &protocol) > 1) /* nobody chooses one of several */
        return refuse(r, s, 400, "bad protocol");
    accept = accept_of(r->arena, key);
    if (!accept.n)
        return refuse(r, s, 500, "no digest");
    r->response.n_headers = 0; /* upstream takes the connection over before any is written */
    response_stream(r, 101, NULL, s);
    r->response.is_websocket = true;
    r->response.is_text = is_text;
    response_set_header(r, "Upgrade", TEXT("websocket"));
    response_set_header(r, "Connection", TEXT("Upgrade"));
    response_set_header(r, "Sec-WebSocket-Accept", accept);
    if (protocol.n)
        response_set_header(r, "Sec-WebSocket-Protocol", protocol);
}
