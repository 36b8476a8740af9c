/* SPDX-License-Identifier: Apache-2.0 */
/* A whole server without TLS, identity and permissions: listener, the chain's first and last filters,
 * registry, SQLite in a folder of its own; and a client connected to it. */
#pragma once

#include <stdlib.h>

#include "../http/client.h"
#include "endpoints.h"
#include "unit.h"

struct fixture {
    char dir[64];
    struct arena *a;
    struct workers *workers;
    struct timers *timers;
    struct storage *storage;
    struct registry *registry;
    struct endpoints *endpoints;
    struct wiring wiring;
    struct listener *listener;
    struct client client;
};

static const struct filter *const fixture_filters[] = {&filter_response_headers, &filter_request_info,
                                                       &filter_endpoints, NULL};

#define must(call)                                     \
    do {                                               \
        if ((call) < 0)                                \
            ck_abort_msg("%s: %s", #call, st.message); \
    } while (0)

static inline void fixture_start_with(struct fixture *f, const struct health_check *checks, size_t n_checks)
{
    struct status st = {0};
    struct backend *backend;

    *f = (struct fixture){.dir = "/tmp/endpoints-test-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    f->a = arena_new();
    f->workers = workers_start(4, "test");
    f->timers = timers_start();
    must(sqlite_open(arena_printf(f->a, "%s/store.db", f->dir), &backend, &st));
    struct storage_options so = {.backend = backend, .timers = f->timers};
    so.types = registry_storage_types(NULL, NULL, &so.n_types);
    must(storage_start(&so, &f->storage, &st));
    must(registry_start(&(struct registry_options){.storage = f->storage}, &f->registry, &st));
    must(endpoints_start(&(struct endpoints_options){.registry = f->registry,
                                                     .workers = f->workers,
                                                     .timers = f->timers,
                                                     .health_checks = checks,
                                                     .n_health_checks = n_checks},
                         &f->endpoints, &st));
    f->wiring.endpoints = f->endpoints;
    must(listener_start(&(struct listener_options){.bind_address = "127.0.0.1",
                                                   .n_threads = 2,
                                                   .workers = f->workers,
                                                   .filters = fixture_filters,
                                                   .wiring = &f->wiring,
                                                   .write_status = endpoints_write_status},
                        &f->listener, &st));
    f->client = client_connect(listener_port(f->listener));
}

static inline void fixture_start(struct fixture *f)
{
    fixture_start_with(f, NULL, 0);
}

static inline void fixture_stop(struct fixture *f)
{
    char command[96];

    client_close(&f->client);
    endpoints_end_watches(f->endpoints);
    listener_stop(f->listener, 1000);
    storage_stop(f->storage);
    endpoints_stop(f->endpoints);
    registry_stop(f->registry);
    timers_stop(f->timers);
    workers_stop(f->workers);
    arena_free(f->a);
    snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    ck_assert_int_eq(system(command), 0);
}

/* One request; headers are lines that end with \r\n. */
static inline struct reply call(struct fixture *f, const char *method, const char *target,
                                const char *headers, const char *body)
{
    return client_do(&f->client, f->a, method, target, headers, text_of(body));
}

static inline struct reply get(struct fixture *f, const char *target)
{
    return call(f, "GET", target, "", NULL);
}

static inline struct reply post(struct fixture *f, const char *target, const char *body)
{
    return call(f, "POST", target, "Content-Type: application/json\r\n", body);
}

static inline struct value tree_of(struct fixture *f, const struct reply *r)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value v;

    if (json_read(f->a, r->body, NULL, &v, &st) < 0)
        ck_abort_msg("%s in %.*s", st.message, TEXT_ARG(r->body));
    return v;
}

#define ck_code(r, want)                                                                 \
    do {                                                                                 \
        if ((r).code != (want))                                                          \
            ck_abort_msg("code %d, not %d: %.*s", (r).code, (want), TEXT_ARG((r).body)); \
    } while (0)
#define ck_has(t, part)                                         \
    do {                                                        \
        if (text_find_text((t), text_of(part)) < 0)             \
            ck_abort_msg("no %s in %.*s", (part), TEXT_ARG(t)); \
    } while (0)
#define ck_has_not(t, part)                                  \
    do {                                                     \
        if (text_find_text((t), text_of(part)) >= 0)         \
            ck_abort_msg("%s in %.*s", (part), TEXT_ARG(t)); \
    } while (0)
