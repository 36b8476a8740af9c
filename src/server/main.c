/* SPDX-License-Identifier: Apache-2.0 */
/* The program: a subcommand, or settings, then the server. Exit codes: 0 ended as asked, 1 could not start. */
#include "server.h"

#include <stdio.h>
#include <sys/resource.h>

/* Watches are connections: as many as the system allows. Go's runtime does the same. */
static void raise_descriptor_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

#include "server/subcommands.h"

int main(int argc, char **argv)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct settings settings;
    const struct subcommand *sub = argc > 1 ? subcommand_find(argv[1]) : NULL;

    if (sub)
        return sub->run(argc - 1, argv + 1);
    if (settings_read(a, argc, argv, &settings, &st) < 0) {
        fprintf(stderr, "keelson: %s\n", st.message);
        return 1;
    }
    if (settings.help) {
        struct buffer b = BUFFER_IN(a);
        settings_help(&b);
        fwrite(b.p, 1, b.n, stdout);
        return 0;
    }
    if (settings.version) {
        printf("keelson " KEELSON_VERSION " (Kubernetes v1.36.3)\n");
        return 0;
    }
    raise_descriptor_limit();
    return server_run(&settings);
}
