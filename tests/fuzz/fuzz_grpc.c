/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a gRPC server sends: a call ends with a code, and with a message unless it is OK. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buffer answer = BUFFER_INIT;
    struct status st = {0};
    int fds[2];
    if (n > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return 0;
    if (n && write(fds[1], data, n) != (ssize_t)n)
        abort();
    shutdown(fds[1], SHUT_WR);
    struct grpc_client *c = grpc_client_adopt(fds[0]);
    enum grpc_code code = grpc_call(c, "/v2.KeyManagementService/Status", (struct text){"", 0}, 1000, &answer, &st);
    if (code != GRPC_OK && !st.message)
        abort();
    if (answer.n > GRPC_MESSAGE_MAX)
        abort();
    grpc_client_free(c);
    close(fds[1]);
    buffer_deinit(&answer);
    status_clear(&st);
    return 0;
}
