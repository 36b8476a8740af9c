/* SPDX-License-Identifier: Apache-2.0 */
/* A stored value says by its prefix who has encrypted it. Lists nest: providers by "k8s:enc:aescbc:v1:", within one its keys
 * by "name:". Several entries may share a prefix (the same provider twice, with other keys), so a failure does not end the
 * search. The identity has no prefix: it takes what is not encrypted.
 * Source: kubernetes/apiserver pkg/storage/value/transformer.go, encrypt/identity/identity.go. */
#include <stdlib.h>

#include "base.h"
#include "storage/encryption_internal.h"

/* --- identity ------------------------------------------------------------------------------------------------------- */

static const struct text encrypted_prefix = TEXT("k8s:enc:");

uint32_t identity_id(void)
{
    static const struct text name = TEXT("identity");
    static atomic_uint id;
    uint32_t v = atomic_load_explicit(&id, memory_order_relaxed);
    if (!v) {
        v = transformer_id(&name, 1);
        atomic_store_explicit(&id, v, memory_order_relaxed);
    }
    return v;
}

static uint32_t identity_write_id(struct transformer *t)
{
    return identity_id();
}

static int identity_seal(struct transformer *t, struct transform *x, struct text plain, struct buffer *ret)
{
    x->id = identity_id();
    buffer_add(ret, plain);
    return 0;
}

static int identity_open(struct transformer *t, struct transform *x, struct text data, struct buffer *scratch,
                         struct text *ret)
{
    if (text_starts(data, encrypted_prefix))
        return status_set(x->st, STATUS_INTERNAL_ERROR, "identity transformer tried to read encrypted data");
    x->id = identity_id();
    *ret = data;
    return 0;
}

static const struct transformer_ops identity_ops = {
    .seal = identity_seal, .open = identity_open, .write_id = identity_write_id};
struct transformer identity_transformer = {&identity_ops};

/* --- lists ---------------------------------------------------------------------------------------------------------- */

struct prefix_entry {
    struct text prefix; /* malloc'd */
    struct transformer *transformer;
};
struct prefix_list {
    struct transformer base;
    const char *no_match;
    VEC(struct prefix_entry) entries;
};

static struct prefix_list *of(struct transformer *t)
{
    return CONTAINER_OF(t, struct prefix_list, base);
}

static int list_seal(struct transformer *t, struct transform *x, struct text plain, struct buffer *ret)
{
    const struct prefix_entry *e = &of(t)->entries.p[0];
    int64_t begun_ns = clock_mono_ns();
    buffer_add(ret, e->prefix);
    int rc = e->transformer->ops->seal(e->transformer, x, plain, ret);
    encryption_count(x, TO_STORAGE, e->prefix, rc < 0, clock_mono_ns() - begun_ns);
    return rc;
}

/* Several failures, each once, as one text. */
struct failures {
    struct arena *arena; /* NULL: there is none yet */
    struct text_list messages;
};

static void add_failure(struct failures *f, const struct status *st)
{
    if (!f->arena)
        f->arena = arena_new();
    text_list_add_once(f->arena, &f->messages, arena_text(f->arena, text_of(st->message)));
}

static int fail_with(struct failures *f, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    text_list_write_errors(&b, &f->messages);
    status_set(st, STATUS_INTERNAL_ERROR, "%s", buffer_str(&b));
    arena_free(f->arena);
    return -1;
}

static int list_open(struct transformer *t, struct transform *x, struct text data, struct buffer *scratch,
                     struct text *ret)
{
    struct prefix_list *l = of(t);
    struct failures failures = {0};
    int64_t begun_ns = clock_mono_ns();
    for (size_t i = 0; i < l->entries.n; i++) {
        const struct prefix_entry *e = &l->entries.p[i];
        if (!text_starts(data, e->prefix))
            continue;
        int rc = e->transformer->ops->open(e->transformer, x, text_from(data, e->prefix.n), scratch, ret);
        if (rc < 0 && !e->prefix.n)
            continue; /* encrypted, and so not for the identity */
        encryption_count(x, FROM_STORAGE, e->prefix.n ? e->prefix : TEXT("identity"), rc < 0,
                         clock_mono_ns() - begun_ns);
        if (rc == 0) {
            arena_free(failures.arena);
            return 0;
        }
        add_failure(&failures, x->st);
    }
    if (failures.arena)
        return fail_with(&failures, x->st);
    x->grpc_code = NULL;
    encryption_count(x, FROM_STORAGE, TEXT("unknown"), true, 0);
    return status_set(x->st, STATUS_INTERNAL_ERROR, "%s", l->no_match);
}

static uint32_t list_write_id(struct transformer *t)
{
    struct transformer *first = of(t)->entries.p[0].transformer;
    return first->ops->write_id(first);
}

static void list_free(struct transformer *t)
{
    struct prefix_list *l = of(t);
    for (size_t i = 0; i < l->entries.n; i++)
        free((char *)l->entries.p[i].prefix.p);
    vec_deinit(&l->entries);
    free(l);
}

static const struct transformer_ops list_ops = {
    .seal = list_seal, .open = list_open, .write_id = list_write_id, .free = list_free};

struct transformer *prefix_list_new(const char *no_match)
{
    struct prefix_list *l = xcalloc(1, sizeof(*l));
    l->base.ops = &list_ops;
    l->no_match = no_match;
    return &l->base;
}

void prefix_list_add(struct transformer *list, struct text prefix, struct transformer *t)
{
    char *copy = xmalloc(prefix.n);
    if (prefix.n)
        memcpy(copy, prefix.p, prefix.n);
    struct prefix_entry e = {{copy, prefix.n}, t};
    vec_push(&of(list)->entries, e);
}
