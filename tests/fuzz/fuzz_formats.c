/* SPDX-License-Identifier: Apache-2.0 */
/* Every check of a text, addresses and times too: the canonical text of an address is canonical, and a time
 * that is written reads as the same one. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "schema/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct text t = {(const char *)data, n};
    struct arena *a = arena_new();
    struct format_ip ip;
    const char *errors[FORMAT_ERRORS_MAX];
    int64_t seconds, again;
    int32_t nanos, nanos_again;
    size_t fault;

    for (int f = 0; f < N_FORMATS; f++)
        if (format_check((enum format)f, t, errors) > FORMAT_ERRORS_MAX)
            abort();
    if (format_ip_read(t, &ip) && format_ip_canonical(a, format_ip_text(a, &ip)))
        abort();
    format_cidr_canonical(a, t);
    if (clock_read_seconds(t, &seconds, &nanos) && seconds >= CLOCK_ZERO_SECONDS &&
        seconds <= CLOCK_LAST_SECONDS &&
        (!clock_read_seconds(clock_write_seconds(seconds, nanos / 1000, arena_alloc(a, CLOCK_TEXT_MAX)), &again, &nanos_again) ||
         again != seconds || nanos_again != nanos / 1000 * 1000))
        abort();
    char *bytes = arena_alloc(a, BASE64_BYTES(n));
    ptrdiff_t n_bytes = base64_read(BASE64_STANDARD, t, bytes, &fault);
    if (n_bytes >= 0 && fault != n)
        abort();
    arena_free(a);
    return 0;
}
