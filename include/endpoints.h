/* endpoints.h - floor 8: the REST interface. It turns paths and methods into operations of the registry and objects into
 * bytes: verbs, watches, discovery, OpenAPI, tables, health, metrics, version.
 * The last filter of the chain finds its struct endpoints by r->wiring->endpoints. Reads of the cache never leave the event
 * loop; writes park until the registry has done them.
 * Threads: the filters run wherever the chain runs; endpoints_start and endpoints_stop belong to the top floor. */
#pragma once

#include "registry.h"

struct endpoints;

/* --- health --- */

enum health_page { HEALTH_HEALTHZ = 1, HEALTH_LIVEZ = 2, HEALTH_READYZ = 4, HEALTH_ALL = 7 };

/* One named check, shown on the pages of its bits in the order of the table, and alone as PAGE/NAME. */
struct health_check {
    const char *name;
    unsigned pages; /* enum health_page */
    /* 0, or -1 with *st set: its message is shown on the check's own page only. Worker threads, several at a time; may
     * block. NULL: always well. */
    int (*check)(void *ctx, struct status *st);
    void *ctx;
    const char *group; /* the query's exclude may name it instead; NULL: none */
};

/* --- start and stop --- */

struct endpoints_options {
    struct registry *registry; /* this and all below are borrowed until endpoints_stop */
    struct workers *workers;
    struct timers *timers;
    unsigned min_request_timeout_s; /* watches end after once to twice this long; 0: 1800 */
    const char *jwks_uri; /* that issuer discovery names; NULL: at this server */
    const struct admission_hooks *admission; /* of what clients write; NULL: everything is admitted */
    const struct health_check *health_checks; /* besides ping and log */
    size_t n_health_checks;
};

/* Registers the metrics, makes what is derived from the registry's table. */
int endpoints_start(const struct endpoints_options *opt, struct endpoints **ret, struct status *st);
/* "host:port" that /api announces to clients from now on; borrowed. The port is known only once the listener has it. */
void endpoints_announce(struct endpoints *e, const char *server_address);
/* Ends all watches cleanly (their streams finish); new ones are refused with SERVICE_UNAVAILABLE. First step of a drain. */
void endpoints_end_watches(struct endpoints *e);
/* After the listener has stopped. Accepts NULL. */
void endpoints_stop(struct endpoints *e);
/* Watches that are open. */
size_t endpoints_n_watches(const struct endpoints *e);

/* --- filters --- */

/* First in the chain: r->audit_id (the client's Audit-ID or a new one) and the headers of every answer, Audit-Id and
 * Cache-Control. */
extern const struct filter filter_response_headers;
/* Last in the chain: routes r->info to a verb or r->path to a handler that is no resource. */
extern const struct filter filter_endpoints;

/* For listener_options.write_status: st as the response, as JSON, YAML or protobuf as r accepts. */
void endpoints_write_status(struct request *r, const struct status *st);

/* --- what is served --- */

/* The one place that says which subresources and resources have a handler. Discovery and OpenAPI show what is served.
 * sub NULL: the resource itself. */
bool endpoints_serves(const struct resource_type *type, const struct resource_sub *sub);
