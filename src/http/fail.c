/* SPDX-License-Identifier: Apache-2.0 */
/* A refusal in the form that the client takes, or in JSON. */
#include "http/chain.h"

#include "base.h"
#include "http/http_internal.h"

enum flow request_fail(struct request *r, struct status *st)
{
    void (*write_status)(struct request *, const struct status *) = NULL;
    if (r->connection)
        write_status = CONTAINER_OF(r, const struct exchange, r)->listener->opt.write_status;
    if (write_status) {
        write_status(r, st);
    } else {
        struct buffer b = BUFFER_IN(r->arena);
        status_write_json(&b, st);
        response_bytes(r, st->code, "application/json", buffer_text(&b));
    }
    status_clear(st);
    return FLOW_DONE;
}
