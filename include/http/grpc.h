/* grpc.h - a small gRPC client: unary calls over a Unix socket, one connection, one call at a time.
 * Threads: any; calls wait for each other, and the wait counts towards their deadline. A call waits for a server that is not
 * there yet (gRPC's wait-for-ready) until its deadline.
 * Source: grpc's doc/PROTOCOL-HTTP2.md, doc/statuscodes.md. */
#pragma once

#include "base/status.h"

enum grpc_code {
    GRPC_OK,
    GRPC_CANCELLED,
    GRPC_UNKNOWN,
    GRPC_INVALID_ARGUMENT,
    GRPC_DEADLINE_EXCEEDED,
    GRPC_NOT_FOUND,
    GRPC_ALREADY_EXISTS,
    GRPC_PERMISSION_DENIED,
    GRPC_RESOURCE_EXHAUSTED,
    GRPC_FAILED_PRECONDITION,
    GRPC_ABORTED,
    GRPC_OUT_OF_RANGE,
    GRPC_UNIMPLEMENTED,
    GRPC_INTERNAL,
    GRPC_UNAVAILABLE,
    GRPC_DATA_LOSS,
    GRPC_UNAUTHENTICATED,
};
const char *grpc_code_name(enum grpc_code c); /* as grpc-go prints it: "DeadlineExceeded" */

#define GRPC_MESSAGE_MAX (4 << 20) /* of an answer, as grpc-go's default */

struct grpc_client;
/* socket: a path, or "@name" for an abstract socket. Connects at the first call. */
struct grpc_client *grpc_client_new(const char *socket);
/* Over a connection that is there already; taken. It is not made again once it has ended. For tests. */
struct grpc_client *grpc_client_adopt(int fd);
/* Ends the call that runs and refuses later ones, with CANCELLED. */
void grpc_client_cancel(struct grpc_client *c);
void grpc_client_free(struct grpc_client *c); /* when no call runs; accepts NULL */

/* method: "/package.Service/Method". The answer is added to ret. Otherwise st says "rpc error: code = NAME desc = ...", as grpc-go
 * words it. Blocks for timeout_ms at most. */
enum grpc_code grpc_call(struct grpc_client *c, const char *method, struct text message, int64_t timeout_ms,
                         struct buffer *ret, struct status *st);
