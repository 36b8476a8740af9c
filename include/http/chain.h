/* chain.h - the filter chain as data.
 * A request walks a const array of filters; the last is the handler. Enter runs downwards; once the response has ended
 * (its last byte was handed to the connection, or the connection was lost) leave runs in reverse order for every filter
 * that was entered, on the thread that ended it.
 * A chain starts on an event loop. FLOW_BLOCK moves it to a worker thread, where the same enter is called again
 * (request_may_block tells where it is); from there on it stays on workers until it parks or ends. */
#pragma once

#include "http/request.h"

enum flow {
    FLOW_NEXT,  /* go on with the next filter */
    FLOW_DONE,  /* a response is set: unwind */
    FLOW_PARK,  /* somebody else will call request_resume() */
    FLOW_BLOCK, /* would block: call me again on a worker thread */
};

struct filter {
    const char *name;
    enum flow (*enter)(struct request *r);
    void (*leave)(struct request *r); /* reverse order, once the response has ended; may be NULL */
};

/* Goes on with a parked request, from any thread, exactly once per park, even before enter has returned FLOW_PARK:
 *   FLOW_NEXT   the parked filter is done, enter the next one (on a worker thread)
 *   FLOW_BLOCK  call the parked filter's enter again on a worker thread
 *   FLOW_DONE   a response is set */
void request_resume(struct request *r, enum flow how);

bool request_may_block(const struct request *r); /* true on a worker thread */

/* Ends the request with a Status as JSON (or as r's Accept header wants it, by the hook that the floor above sets in
 * struct listener_options.write_status). Always FLOW_DONE; st is cleared. */
enum flow request_fail(struct request *r, struct status *st);

/* The filter that fills r->info, by request_info_parse. */
extern const struct filter filter_request_info;
/* Behind filter_request_info, before whatever may take long: says whether the request is long-running, and if not gives it the
 * deadline of ?timeout= and listener_options.request_timeout_ms, whichever is earlier. A request that is not answered by then gets
 * 504 with upstream's Status, and its connection closes; the filters and the handler that still have it notice nothing and end as
 * usual, leave included, but what they answer is dropped. */
extern const struct filter filter_request_deadline;
