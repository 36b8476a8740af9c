/* websocket.h - the WebSocket protocol, RFC 6455: the handshake, frames, and a stream sent as messages.
 * The frame reader and writer know nothing of connections; what else speaks over WebSockets can stand on them.
 * Threads: a reader belongs to one thread. */
#pragma once

#include "http/request.h"

struct stream;

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

/* Codes of a close frame. */
enum { WEBSOCKET_NORMAL = 1000, WEBSOCKET_PROTOCOL_ERROR = 1002 };

/* --- writing --- */

#define WEBSOCKET_HEADER_MAX 10
#define WEBSOCKET_CONTROL_MAX 125 /* payload of close, ping and pong */

/* The header of a whole message's only frame, as a server sends it: not masked. How many bytes of dst it took. */
size_t websocket_header(char dst[WEBSOCKET_HEADER_MAX], enum websocket_opcode opcode, size_t payload_bytes);

/* --- reading, as a server: frames must be masked --- */

enum websocket_event {
    WEBSOCKET_MORE,    /* all that was given is taken; go on when there is more */
    WEBSOCKET_DATA,    /* a piece of a message: reader.payload, reader.message */
    WEBSOCKET_END,     /* the message is complete */
    WEBSOCKET_CONTROL, /* a close, ping or pong: reader.opcode, reader.payload */
    WEBSOCKET_BROKEN,  /* the peer does not keep to the protocol: send a close frame with WEBSOCKET_PROTOCOL_ERROR */
};
/* Zeroed at the start. */
struct websocket_reader {
    struct text payload;           /* unmasked; until the next call */
    enum websocket_opcode opcode;  /* of the frame */
    enum websocket_opcode message; /* of the message that DATA and END belong to: text or binary */
    /* private */
    unsigned char header[14];
    size_t n_header;
    uint64_t left; /* of the frame's payload */
    unsigned mask_at;
    bool is_final, in_frame, in_message, ends_message;
    char control[WEBSOCKET_CONTROL_MAX];
    size_t n_control;
};
/* Takes bytes from the front of *in until there is something to tell; unmasks them where they lie. */
enum websocket_event websocket_read(struct websocket_reader *w, char **in, size_t *n);

/* --- requests --- */

/* Connection: Upgrade, Upgrade: websocket. Source: kubernetes/streaming pkg/httpstream/wsstream, IsWebSocketRequest. */
bool websocket_is_wanted(const struct request *r);

/* A subprotocol that begins so is a bearer token: it authenticates and is not chosen. Source: kubernetes/apiserver
 * pkg/authentication/request/websocket/protocol.go. */
#define WEBSOCKET_BEARER_PREFIX "base64url.bearer.authorization.k8s.io."

/* The response: the stream (taken), each entry one message, text or binary, until it ends, which closes with
 * WEBSOCKET_NORMAL; what the client sends is thrown away, its pings are answered. A handshake that is not right, or that comes
 * without an Origin, is refused as golang.org/x/net/websocket does, which upstream's watches use. */
void response_websocket(struct request *r, struct stream *s, bool is_text);
