/* SPDX-License-Identifier: Apache-2.0 */
/* keelson migrate --from STORE --to STORE: from one engine to the other, either way. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"
#include "server/subcommands.h"
#include "storage.h"
#include "storage/migrate.h"

static const char usage[] =
    "keelson migrate copies everything from one store into an empty one.\n\nUsage:\n"
    "  keelson migrate --from STORE --to STORE [flags]\n\n"
    "STORE is sqlite:FILE (the keelson.db of a --data-dir, or that folder) or etcd's URLs with commas between\n"
    "them (https://10.0.0.1:2379,https://10.0.0.2:2379). Nobody else may use either store meanwhile.\n\n"
    "Objects are copied as they lie, encrypted ones too, in the order of their revisions; the target counts its own\n"
    "revisions, so clients list anew. What was written is read again and compared.\n\n"
    "Flags: --etcd-prefix, --etcd-cafile, --etcd-certfile, --etcd-keyfile and --config, as of the server\n"
    "(keelson --help).\n";

/* One of the two. */
struct place {
    const char *flag;
    struct text spec; /* as it was given */
    const char *file; /* of SQLite; NULL: etcd */
    const char **servers;
    size_t n_servers;
    bool is_target, has_been_opened;
    const struct settings *settings;
    struct timers *timers;
};

static int fail(const char *why)
{
    fprintf(stderr, "keelson: migrate: %s\n", why);
    return 1;
}

static int open_sqlite(struct place *p, struct backend **ret, struct status *st)
{
    bool is_there = file_exists(p->file);
    if (!p->is_target && !is_there)
        return status_set(st, STATUS_NOT_FOUND, "there is no store at %s", p->file);
    if (p->is_target && is_there && !p->has_been_opened)
        return status_set(st, STATUS_ALREADY_EXISTS, "there is a store already, %s: move it away, or name another file",
                          p->file);
    return sqlite_open(p->file, ret, st);
}

static int open_place(void *ctx, struct backend **ret, struct status *st)
{
    struct place *p = ctx;
    const struct settings *set = p->settings;
    const struct etcd_options etcd = {.servers = p->servers,
                                      .n_servers = p->n_servers,
                                      .prefix = set->etcd_prefix,
                                      .ca_file = set->etcd_cafile,
                                      .cert_file = set->etcd_certfile,
                                      .key_file = set->etcd_keyfile,
                                      .timers = p->timers};
    int rc = p->file ? open_sqlite(p, ret, st) : etcd_open(&etcd, ret, st);
    p->has_been_opened = p->has_been_opened || rc == 0;
    return rc;
}

static int read_place(struct arena *a, struct place *p, struct status *st)
{
    struct text rest = p->spec, part;
    struct stat sb;
    if (text_starts(p->spec, TEXT("sqlite:")) && p->spec.n > 7) {
        p->file = arena_str(a, text_from(p->spec, 7));
        if (stat(p->file, &sb) == 0 && S_ISDIR(sb.st_mode))
            p->file = arena_printf(a, "%s/keelson.db", p->file);
        return 0;
    }
    p->servers = ARENA_ARRAY(a, const char *, p->spec.n + 1);
    while (text_split(&rest, ',', &part)) {
        if (!text_starts(part, TEXT("http://")) && !text_starts(part, TEXT("https://")))
            return status_set(st, STATUS_BAD_REQUEST, "%s: \"%.*s\" is neither sqlite:FILE nor an http(s) URL of etcd",
                              p->flag, TEXT_ARG(p->spec));
        p->servers[p->n_servers++] = arena_str(a, part);
    }
    if (!p->n_servers)
        return status_set(st, STATUS_BAD_REQUEST, "%s is missing: sqlite:FILE or the URLs of etcd", p->flag);
    return 0;
}

/* Takes --from and --to out of the arguments; the others are settings. */
static int take_places(int argc, char **argv, struct place places[2], char **ret_rest, int *ret_n, struct status *st)
{
    for (int i = 1; i < argc; i++) {
        struct text arg = text_of(argv[i]), name;
        size_t k = 0;
        text_split(&arg, '=', &name);
        while (k < 2 && !text_is(name, places[k].flag))
            k++;
        if (k == 2) {
            ret_rest[(*ret_n)++] = argv[i];
            continue;
        }
        if (!arg.p && i + 1 < argc)
            arg = text_of(argv[++i]);
        if (!arg.n || places[k].spec.n)
            return status_set(st, STATUS_BAD_REQUEST, "%s needs one value", places[k].flag);
        places[k].spec = arg;
    }
    return 0;
}

/* A file of ours that is not whole would be taken for a store. */
static void remove_file(struct arena *a, const struct place *p)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        unlink(arena_printf(a, "%s%s", p->file, ends[i]));
}

static int migrate(struct arena *a, struct place places[2], struct migrated *ret, struct status *st)
{
    struct place *to = &places[1];
    const struct migrate_store from_store = {open_place, &places[0]}, to_store = {open_place, to};
    int rc = storage_migrate(&from_store, &to_store, ret, st);
    if (rc == 0 && to->file)
        rc = sqlite_leap(to->file, ret->revision, st);
    if (rc < 0 && to->file && to->has_been_opened)
        remove_file(a, to);
    return rc;
}

int migrate_run(int argc, char **argv)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status st = {0};
    struct settings settings;
    struct place places[2] = {{.flag = "--from"}, {.flag = "--to", .is_target = true}};
    char **rest = ARENA_ARRAY(a, char *, (size_t)argc + 1);
    int n_rest = 1;
    struct migrated done = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    }
    rest[0] = argv[0];
    if (take_places(argc, argv, places, rest, &n_rest, &st) < 0 || settings_read(a, n_rest, rest, &settings, &st) < 0)
        return fail(st.message);
    struct timers *timers = timers_start();
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        places[i].settings = &settings;
        places[i].timers = timers;
        rc = read_place(a, &places[i], &st);
    }
    if (rc == 0)
        rc = migrate(a, places, &done, &st);
    timers_stop(timers);
    if (rc < 0)
        return fail(st.message);
    printf("Copied %zu objects of revision %llu from %.*s to %.*s\n", done.n_objects, (unsigned long long)done.revision,
           TEXT_ARG(places[0].spec), TEXT_ARG(places[1].spec));
    return 0;
}
