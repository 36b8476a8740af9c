/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of every answer. Audit-Id names the request in logs and traces: the client's own, or a new
 * random UUID. Source: kubernetes/apiserver pkg/endpoints/filters/request_received_time.go, audit_init.go,
 * cachecontrol.go. */
#include <sys/random.h>

#include "endpoints/endpoints_internal.h"

#define AUDIT_ID_MAX 64 /* upstream cuts longer ones */

static struct text new_uuid(struct arena *a)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[16] = {0};
    char *out = arena_alloc(a, 36);
    size_t n = 0;

    while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        ;
    bytes[6] = (unsigned char)(0x40 | (bytes[6] & 0x0f));
    bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[n++] = '-';
        out[n++] = hex[bytes[i] >> 4];
        out[n++] = hex[bytes[i] & 15];
    }
    return (struct text){out, n};
}

static enum flow enter_response_headers(struct request *r)
{
    struct text given = request_header(r, "Audit-ID");

    r->audit_id = given.n ? text_first(given, AUDIT_ID_MAX) : new_uuid(r->arena);
    response_set_header(r, "Audit-Id", r->audit_id);
    response_set_header(r, "Cache-Control", TEXT("no-cache, private"));
    return FLOW_NEXT;
}

const struct filter filter_response_headers = {.name = "response-headers", .enter = enter_response_headers};
