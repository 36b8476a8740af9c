/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics in Prometheus' text form. Any method is answered, as upstream does. */
#include "endpoints/endpoints_internal.h"

enum flow serve_metrics(struct request *r, struct endpoints *e, struct text rest)
{
    struct buffer b = BUFFER_IN(r->arena);

    metrics_write(&b);
    response_bytes(r, 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", buffer_text(&b));
    return FLOW_DONE;
}
