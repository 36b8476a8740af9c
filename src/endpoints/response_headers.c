/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of every answer. Audit-Id names the request in logs and traces: the client's own, or a new
 * random UUID. Source: kubernetes/apiserver pkg/endpoints/filters/request_received_time.go, audit_init.go,
 * cachecontrol.go. */
#include "endpoints/endpoints_internal.h"

#define AUDIT_ID_MAX 64 /* upstream cuts longer ones */

static enum flow enter_response_headers(struct request *r)
{
    struct text given = request_header(r, "Audit-ID");

    r->audit_id = given.n ? text_first(given, AUDIT_ID_MAX) : random_uuid(r->arena);
    response_set_header(r, "Audit-Id", r->audit_id);
    response_set_header(r, "Cache-Control", TEXT("no-cache, private"));
    return FLOW_NEXT;
}

const struct filter filter_response_headers = {.name = "response-headers", .enter = enter_response_headers};
