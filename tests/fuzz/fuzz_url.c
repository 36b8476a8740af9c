/* SPDX-License-Identifier: Apache-2.0 */
/* A request's first line: method, a space, the target. Path and query must decode to no more than they were,
 * and request info must point at parts of the path. */
#include <stdint.h>
#include <stdlib.h>

#include "base.h"
#include "http.h"

static size_t slashes(struct text t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += t.p[i] == '/';
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text rest = {(const char *)data, n}, method = TEXT_NONE, path = TEXT_NONE;
    text_split(&rest, ' ', &method);
    text_split(&rest, '?', &path);

    struct query_param *query;
    size_t n_query = query_parse(a, rest, &query);
    size_t bytes = 0;
    for (size_t i = 0; i < n_query; i++)
        bytes += query[i].key.n + query[i].value.n;
    if (bytes > rest.n)
        abort();

    struct request_info info;
    request_info_parse(a, method, path, query, n_query, &info);
    if (info.n_parts > N_ELEMENTS(info.parts) || info.n_parts > slashes(path) + 1)
        abort();
    if (!info.is_resource && (info.n_parts || info.resource.n || info.namespace.n))
        abort();
    if (info.n_parts && !text_eq(info.resource, info.parts[0]))
        abort();

    struct request r = {.arena = a, .query = query, .n_query = n_query};
    request_query_bool(&r, "watch", false);
    request_query(&r, "fieldSelector");
    return 0;
}
