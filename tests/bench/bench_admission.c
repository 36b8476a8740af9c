/* SPDX-License-Identifier: Apache-2.0 */
/* What admission costs a new pod: bench_admission [POD.json]. Nanoseconds of the two phases of the default plugins, in a namespace
 * with a service account and nothing else, beside 1,000 other namespaces. Target: 5 us. */
#include <ftw.h>
#include <unistd.h>

#include "admission.h"
#include "micro.h"

#define N_NAMESPACES 1000

static struct registry *registry;

struct job {
    struct arena *arena; /* reset for each pod */
    const struct admission_hooks *hooks;
    struct admission_attributes attributes;
    struct value pod;
};

static void fail(const char *what, const struct status *st)
{
    fprintf(stderr, "bench_admission: %s: %s\n", what, st->message);
    exit(1);
}

static void create(const char *resource, const char *namespace, const char *name)
{
    struct arena *a = arena_new();
    struct status st = {0};
    struct operation op = {.kind = OPERATION_CREATE,
                           .registry = registry,
                           .resource = registry_find(registry, TEXT(""), TEXT("v1"), text_of(resource)),
                           .arena = a,
                           .namespace = text_of(namespace)};

    if (json_read(a, arena_textf(a, "{\"metadata\":{\"name\":\"%s\"}}", name), NULL, &op.object, &st) < 0 ||
        schema_decode(a, op.resource->type->kind->schema, &op.object, NULL, &st) < 0)
        fail(name, &st);
    if (registry_run(&op) < 0)
        fail(name, &op.st);
    operation_clear(&op);
    arena_free(a);
}

static void copy(void *ctx)
{
    struct job *j = ctx;
    struct value pod = value_copy(j->arena, &j->pod);

    (void)pod;
    arena_reset(j->arena);
}

static void copy_and_admit(void *ctx)
{
    struct job *j = ctx;
    struct value pod = value_copy(j->arena, &j->pod);
    struct admission_attributes a = j->attributes;
    struct text_list warnings = {0};
    struct status st = {0};

    a.object = &pod;
    a.warnings = &warnings;
    if (j->hooks->may_wait(j->hooks->ctx, &a) || j->hooks->admit(j->hooks->ctx, &a, &st) < 0 ||
        j->hooks->validate(j->hooks->ctx, &a, &st) < 0)
        fail("the pod", &st);
    arena_reset(j->arena);
}

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    return remove(path);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/bench-admission-XXXXXX", path[64], name[32];
    struct arena *a = arena_new();
    struct status st = {0};
    struct storage_options opt = {.timers = timers_start()};
    struct storage *storage;
    struct admission *admission;
    const struct user_info user = {.name = TEXT("jane")};
    struct job j = {.arena = arena_new()};

    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/store.db", dir);
    opt.types = registry_storage_types(NULL, NULL, &opt.n_types);
    if (sqlite_open(path, &opt.backend, &st) < 0 || storage_start(&opt, &storage, &st) < 0 ||
        registry_start(&(struct registry_options){.storage = storage}, &registry, &st) < 0 ||
        admission_start(&(struct admission_options){.registry = registry}, &admission, &st) < 0)
        fail("start", &st);
    for (int i = 0; i < N_NAMESPACES; i++) {
        snprintf(name, sizeof(name), "team-%d", i);
        create("namespaces", "", name);
        create("serviceaccounts", name, "default");
    }
    j.hooks = admission_hooks(admission);
    j.attributes = (struct admission_attributes){
        .arena = j.arena,
        .verb = ADMISSION_CREATE,
        .registry = registry,
        .resource = registry_find(registry, TEXT(""), TEXT("v1"), TEXT("pods")),
        .kind = schema_kind_of(TEXT("v1"), TEXT("Pod")),
        .namespace = TEXT("team-500"),
        .user = &user,
    };
    if (json_read(a, document(a, argc, argv), NULL, &j.pod, &st) < 0 ||
        schema_decode(a, j.attributes.kind->schema, &j.pod, NULL, &st) < 0)
        fail("the pod", &st);
    schema_default(a, j.attributes.kind->schema, &j.pod);
    printf("admission of a pod: %.0f ns\n", best_ns(copy_and_admit, &j) - best_ns(copy, &j));
    admission_stop(admission);
    registry_stop(registry);
    storage_stop(storage);
    timers_stop(opt.timers);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_free(j.arena);
    arena_free(a);
    return 0;
}
