/* SPDX-License-Identifier: Apache-2.0 */
/* The floor's own start and stop. */
#include "endpoints/endpoints_internal.h"

int endpoints_start(const struct endpoints_options *opt, struct endpoints **ret, struct status *st)
{
    struct endpoints *e = xcalloc(1, sizeof(*e));

    watch_counters_register();
    e->opt = *opt;
    list_init(&e->watches);
    pthread_mutex_init(&e->watches_mu, NULL);
    frames_init(&e->frames);
    *ret = e;
    return 0;
}

void endpoints_announce(struct endpoints *e, const char *server_address)
{
    atomic_store(&e->server_address, server_address);
}

void endpoints_stop(struct endpoints *e)
{
    if (!e)
        return;
    frames_deinit(&e->frames);
    pthread_mutex_destroy(&e->watches_mu);
    openapi_free(e->openapi);
    free(e);
}
