/* SPDX-License-Identifier: Apache-2.0 */
/* A client's frames, given whole and in pieces: what is told must be the same, and within what was given. */
#include <stdint.h>
#include <stdlib.h>

#include "base.h"
#include "http.h"

static void read_all(struct text in, size_t step, struct buffer *out)
{
    struct websocket_reader w = {0};

    for (size_t at = 0; at < in.n; at += step) {
        size_t n = in.n - at < step ? in.n - at : step, left = n;
        char *copy = xmalloc(n), *p = copy;
        enum websocket_event event = WEBSOCKET_MORE;
        memcpy(copy, in.p + at, n);
        while (event != WEBSOCKET_BROKEN && (event = websocket_read(&w, &p, &left)) != WEBSOCKET_MORE) {
            if (p < copy || p + left != copy + n)
                abort();
            if (event == WEBSOCKET_CONTROL && w.payload.n > WEBSOCKET_CONTROL_MAX)
                abort();
            if (event != WEBSOCKET_DATA)
                buffer_addf(out, "<%d %d>", event, event == WEBSOCKET_BROKEN ? 0 : (int)w.opcode);
            if (event != WEBSOCKET_BROKEN)
                buffer_add(out, w.payload);
        }
        free(copy);
        if (event == WEBSOCKET_BROKEN)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(buffer_deinit) struct buffer whole = BUFFER_INIT;
    CLEANUP(buffer_deinit) struct buffer cut = BUFFER_INIT;

    if (n < 1)
        return 0;
    struct text in = {(const char *)data + 1, n - 1};
    read_all(in, n, &whole);
    read_all(in, data[0] % 16 + 1, &cut);
    if (!text_eq(buffer_text(&whole), buffer_text(&cut)))
        abort();
    return 0;
}
