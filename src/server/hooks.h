/* hooks.h - what happens once the floors stand, just behind the listener: the objects that every cluster has.
 * Each hook is a row with the name that readyz shows for it. */
#pragma once

#include "registry.h"
#include "server/service_endpoints.h"

struct hook_context {
    struct registry *registry;
    const char *advertise_address; /* the endpoint of the kubernetes service */
    const char *service_ip;        /* the first of the range */
    const struct service_options *services;
    uint16_t secure_port;
    enum reconciler reconciler;
    size_t apiserver_count; /* for RECONCILER_MASTER_COUNT */
    bool is_alone;      /* no other server can have the same store */
};

struct hook {
    const char *name; /* "start-system-namespaces-controller": shown as poststarthook/NAME */
    int (*run)(const struct hook_context *ctx, struct status *st);
};
extern const struct hook hooks[];
extern const size_t n_hooks;
