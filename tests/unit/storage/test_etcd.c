/* SPDX-License-Identifier: Apache-2.0 */
/* The engine suite over a real etcd, then what is etcd's own: other writers, cuts, compactions, pauses, leases. */
#include "etcd_server.h"
#include "storage/etcd_wire.h"
#include "suite.h"

static struct etcd_server server;
static struct timers *engine_timers;

static int open_engine(const char *path, struct backend **ret, struct status *st)
{
    char folder[128];
    if (!server.pid) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
        etcd_server_start(&server, folder);
    }
    if (!engine_timers)
        engine_timers = timers_start();
    const char *const urls[] = {server.url};
    const struct etcd_options opt = {.servers = urls, .n_servers = 1, .timers = engine_timers};
    return etcd_open(&opt, ret, st);
}

static void end_server(const char *path)
{
    (void)path;
    etcd_server_kill(&server);
}

int main(void)
{
    const TTest *const tests[] = {ENGINE_TESTS};
    if (access(etcd_program(), X_OK) != 0) {
        printf("skip: there is no %s; install etcd-server\n100%%: Checks: 0, Failures: 0, Errors: 0\n", etcd_program());
        return EXIT_SUCCESS;
    }
    end_engine = end_server;
    return unit_run("storage/etcd", tests, N_ELEMENTS(tests));
}
