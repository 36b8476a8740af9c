/* SPDX-License-Identifier: Apache-2.0 */
/* keelson snapshot save|restore FILE: copies of the embedded store. Keys and certificates are no part of it. */
#include <stdio.h>
#include <string.h>

#include "server.h"
#include "server/subcommands.h"
#include "storage.h"

static const char usage[] =
    "keelson snapshot copies the embedded store.\n\nUsage:\n"
    "  keelson snapshot save FILE [flags]\n"
    "      Copies the store of --data-dir into FILE, replacing it. The server may be running.\n"
    "  keelson snapshot restore FILE [flags]\n"
    "      Makes the store of --data-dir, where none may be, from FILE. Its revisions go on far behind the snapshot's, so\n"
    "      that clients notice. Keys and certificates are not in it: keep the pki folder beside your snapshots.\n\n"
    "Flags: --data-dir and --config, as of the server (keelson --help).\n";

static int save(const char *path, const char *file, struct sqlite_snapshot *ret, struct status *st)
{
    return sqlite_snapshot_save(path, file, ret, st);
}

static int restore(const char *path, const char *file, struct sqlite_snapshot *ret, struct status *st)
{
    return sqlite_snapshot_restore(file, path, ret, st);
}

static const struct {
    const char *name, *did;
    int (*run)(const char *path, const char *file, struct sqlite_snapshot *ret, struct status *st);
} verbs[] = {{"save", "Saved", save}, {"restore", "Restored", restore}};

static int fail(const char *why)
{
    fprintf(stderr, "keelson: snapshot: %s\n", why);
    return 1;
}

static int run(size_t verb, const char *file, const struct settings *settings, struct arena *a)
{
    CLEANUP(status_clear) struct status st = {0};
    struct sqlite_snapshot snapshot;
    const char *path = arena_printf(a, "%s/keelson.db", settings->data_dir);

    if (verbs[verb].run == restore && folder_make(settings->data_dir, &st) < 0)
        return fail(st.message);
    if (verbs[verb].run(path, file, &snapshot, &st) < 0)
        return fail(st.message);
    printf("%s revision %llu with %zu objects, %lld bytes: %s\n", verbs[verb].did,
           (unsigned long long)snapshot.revision, snapshot.n_objects, (long long)snapshot.bytes,
           verbs[verb].run == save ? file : path);
    return 0;
}

int snapshot_run(int argc, char **argv)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct settings settings;
    size_t verb = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    }
    while (argc > 1 && verb < N_ELEMENTS(verbs) && strcmp(argv[1], verbs[verb].name) != 0)
        verb++;
    if (argc < 3 || verb == N_ELEMENTS(verbs) || argv[2][0] == '-' || !argv[2][0])
        return fail("expected \"save FILE\" or \"restore FILE\", then flags; see keelson snapshot --help");
    /* The file stands where settings_read expects the program's name. */
    if (settings_read(a, argc - 2, argv + 2, &settings, &st) < 0)
        return fail(st.message);
    return run(verb, argv[2], &settings, a);
}
