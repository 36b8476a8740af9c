/* SPDX-License-Identifier: Apache-2.0 */
/* The same bytes as Accept, Accept-Encoding and Content-Type. What is accepted must be among what was
 * offered. */
#include <stdint.h>
#include <stdlib.h>

#include "base.h"
#include "http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text header = {(const char *)data, n};
    struct media *clauses, one;
    size_t n_clauses = media_parse_accept(a, header, &clauses);
    for (size_t i = 0; i < n_clauses; i++) {
        if (clauses[i].n_params > N_ELEMENTS(clauses[i].params) || clauses[i].q != clauses[i].q)
            abort();
        media_param(&clauses[i], "as");
    }
    for (unsigned bits = 0; bits < 16; bits++) {
        struct accepted got;
        if (negotiate_accept(a, header, bits, bits & 1, &got) && !(bits & 1u << got.media))
            abort();
    }
    negotiate_gzip(header);
    if (media_parse_one(a, header, &one) && one.type.n == 0)
        abort();
    if (media_type_of(a, header) > MEDIA_OTHER)
        abort();
    return 0;
}
