/* SPDX-License-Identifier: Apache-2.0 */
/* A state of the past is a tree that the engine fills key by key. What has not changed since is the object that the cache holds
 * anyway, so that the price is what was replaced or deleted. Still it is a whole resource, and revisions come from clients: two
 * reads run at once, the others wait in line, who asks for the same shares one, and the last few states are kept for a while,
 * since the pages of one list ask for the same. */
#include "storage/past.h"

#include <stdlib.h>

#define RUNNING_MAX 2
#define KEPT_MAX 4
#define KEEP_MS 30000

struct asker {
    void (*done)(void *ctx, struct snapshot *snapshot, struct status *st);
    void *ctx;
};

struct job {
    struct revision_read read;
    struct list link; /* past.running or past.waiting */
    struct past *past;
    struct cache *cache;
    struct buffer folder;
    struct tree *tree; /* committer, until it ends */
    bool has_unreadable;
    VEC(struct asker) askers; /* past.mu */
};

struct kept {
    struct cache *cache; /* NULL: free */
    struct snapshot snapshot;
    int64_t used_ms;
};

struct past {
    const struct storage_sink *sink;
    bool (*begin)(void *ctx, struct revision_read *r);
    void *ctx;
    pthread_mutex_t mu;
    struct list running, waiting; /* mu */
    size_t n_running;             /* mu */
    struct kept kept[KEPT_MAX];   /* mu */
};

struct past *past_new(const struct storage_sink *sink, bool (*begin)(void *ctx, struct revision_read *r), void *ctx)
{
    struct past *p = xcalloc(1, sizeof(*p));
    p->sink = sink;
    p->begin = begin;
    p->ctx = ctx;
    pthread_mutex_init(&p->mu, NULL);
    list_init(&p->running);
    list_init(&p->waiting);
    return p;
}

/* --- what is kept ------------------------------------------------------------------------------------------------- */

static bool find_kept_locked(struct past *p, const struct cache *c, uint64_t revision, struct snapshot *ret)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        struct kept *k = &p->kept[i];
        if (k->cache != c || k->snapshot.revision != revision)
            continue;
        k->used_ms = clock_mono_ms();
        *ret = (struct snapshot){tree_ref(k->snapshot.tree), revision};
        return true;
    }
    return false;
}

/* In place of the one that was not used for longest, which is to be released without the lock. */
static struct snapshot keep_locked(struct past *p, const struct job *j)
{
    struct kept *oldest = &p->kept[0];
    for (size_t i = 1; i < KEPT_MAX; i++)
        if (p->kept[i].used_ms < oldest->used_ms)
            oldest = &p->kept[i];
    struct snapshot gone = oldest->snapshot;
    *oldest = (struct kept){j->cache, {tree_ref(j->tree), j->read.revision}, clock_mono_ms()};
    return gone;
}

static void forget_older(struct past *p, int64_t than_ms)
{
    struct snapshot gone[KEPT_MAX] = {0};
    pthread_mutex_lock(&p->mu);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (!p->kept[i].cache || p->kept[i].used_ms > than_ms)
            continue;
        gone[i] = p->kept[i].snapshot;
        p->kept[i] = (struct kept){0};
    }
    pthread_mutex_unlock(&p->mu);
    for (size_t i = 0; i < KEPT_MAX; i++)
        snapshot_release(&gone[i]);
}

void past_trim(struct past *p)
{
    if (p)
        forget_older(p, clock_mono_ms() - KEEP_MS);
}

void past_free(struct past *p)
{
    if (!p)
        return;
    forget_older(p, INT64_MAX);
    pthread_mutex_destroy(&p->mu);
    free(p);
}

/* --- reads -------------------------------------------------------------------------------------------------------- */

static void found(struct revision_read *r, const struct stored_change *row)
{
    struct job *j = CONTAINER_OF(r, struct job, read);
    const struct storage_sink *sink = j->past->sink;
    struct object *o = sink->decode(sink->ctx, row->path, row->value, row->revision);
    if (o && o->type == j->cache->type) {
        j->has_unreadable |= o->is_unreadable;
        j->tree = tree_put(&object_tree_ops, j->tree, o);
    } else {
        object_unref(o); /* another resource's, behind a longer prefix */
    }
}

/* Tells all who have asked, and frees. why: no error, or what went wrong. */
static void tell(struct job *j, const struct status *why)
{
    for (size_t i = 0; i < j->askers.n; i++) {
        struct asker *a = &j->askers.p[i];
        if (!why->reason) {
            struct snapshot s = {tree_ref(j->tree), j->read.revision};
            a->done(a->ctx, &s, NULL);
            continue;
        }
        CLEANUP(status_clear) struct status st = {0};
        status_set(&st, why->reason, "%s", why->message);
        st.has_details = why->has_details;
        st.retry_after_seconds = why->retry_after_seconds;
        a->done(a->ctx, NULL, &st);
    }
}

static void job_free(struct job *j)
{
    tree_unref(&object_tree_ops, j->tree);
    buffer_deinit(&j->folder);
    vec_deinit(&j->askers);
    status_clear(&j->read.st);
    free(j);
}

static struct job *start_next_locked(struct past *p)
{
    if (list_is_empty(&p->waiting) || p->n_running == RUNNING_MAX)
        return NULL;
    struct job *j = CONTAINER_OF(p->waiting.next, struct job, link);
    list_remove(&j->link);
    list_append(&p->running, &j->link);
    p->n_running++;
    return j;
}

static void begin(struct past *p, struct job *j);

static void ended(struct revision_read *r)
{
    struct job *j = CONTAINER_OF(r, struct job, read), *next = NULL;
    struct past *p = j->past;
    struct snapshot gone = {0};
    struct list hopeless;
    list_init(&hopeless);
    pthread_mutex_lock(&p->mu);
    list_remove(&j->link);
    p->n_running--;
    if (!r->st.reason && !j->has_unreadable)
        gone = keep_locked(p, j);
    if (!r->st.reason || r->st.reason == STATUS_EXPIRED) {
        next = start_next_locked(p);
    } else { /* a store that does not answer one read: those in line need not find that out one after the other */
        while (!list_is_empty(&p->waiting)) {
            struct list *l = p->waiting.next;
            list_remove(l);
            list_append(&hopeless, l);
        }
    }
    pthread_mutex_unlock(&p->mu);
    snapshot_release(&gone);
    if (next)
        begin(p, next);
    list_for_each_safe(l, &hopeless) {
        struct job *h = CONTAINER_OF(l, struct job, link);
        tell(h, &r->st);
        job_free(h);
    }
    tell(j, &r->st);
    job_free(j);
}

static void begin(struct past *p, struct job *j)
{
    if (p->begin(p->ctx, &j->read))
        return;
    status_set(&j->read.st, STATUS_SERVICE_UNAVAILABLE, "the server is shutting down");
    ended(&j->read);
}

static struct job *find_job_locked(struct list *of, const struct cache *c, uint64_t revision)
{
    list_for_each(l, of) {
        struct job *j = CONTAINER_OF(l, struct job, link);
        if (j->cache == c && j->read.revision == revision)
            return j;
    }
    return NULL;
}

static struct job *job_new(struct past *p, struct cache *c, uint64_t revision)
{
    struct job *j = xcalloc(1, sizeof(*j));
    j->past = p;
    j->cache = c;
    buffer_add(&j->folder, c->type->storage_prefix);
    buffer_add_char(&j->folder, '/');
    j->read = (struct revision_read){.folder = buffer_text(&j->folder), .revision = revision, .type = c->type,
                                     .found = found, .done = ended};
    return j;
}

void past_snapshot(struct past *p, struct cache *c, uint64_t revision,
                   void (*done)(void *ctx, struct snapshot *snapshot, struct status *st), void *ctx)
{
    const struct asker asker = {done, ctx};
    struct snapshot snapshot;
    struct job *j, *next = NULL;
    pthread_mutex_lock(&p->mu);
    bool is_kept = find_kept_locked(p, c, revision, &snapshot);
    if (!is_kept) {
        j = find_job_locked(&p->running, c, revision);
        if (!j)
            j = find_job_locked(&p->waiting, c, revision);
        if (!j) {
            j = job_new(p, c, revision);
            list_append(&p->waiting, &j->link);
        }
        vec_push(&j->askers, asker);
        next = start_next_locked(p);
    }
    pthread_mutex_unlock(&p->mu);
    if (is_kept)
        done(ctx, &snapshot, NULL);
    else if (next)
        begin(p, next);
}
