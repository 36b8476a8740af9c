/* SPDX-License-Identifier: Apache-2.0 */
/* The set of transformers in force. A reload makes a new set beside it and swaps the pointer; calls hold the set that they
 * began with, and the reloading thread, which alone frees sets (that joins plugins' threads), waits until the last has
 * ended. A changed file that is bad, or whose plugins are not well, leaves the old set in force.
 * Source: kubernetes/apiserver pkg/server/options/encryptionconfig/config.go, controller/controller.go. */
#include "storage/encryption.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base.h"
#include "base/watched_file.h"
#include "storage/encryption_internal.h"

#define POLL_MS (60 * 1000)       /* upstream's */
#define LOOK_MS 1000              /* at the file's time and size */
#define RETRY_MIN_MS 1000         /* after a failure, doubled up to POLL_MS */
#define SETTLE_MS 100             /* a file may be written in pieces */
#define HEALTH_GRACE_MIN_MS 10000 /* for new plugins */
#define HEALTH_STEP_MS 100

struct encryption {
    char *path;
    char *server_id;
    bool reloads;
    struct arena *arena;
    struct text server_id_hash;
    struct kms_callbacks callbacks;

    pthread_mutex_t mu;
    struct encryption_set *set; /* mu */

    pthread_mutex_t change_mu; /* held while listeners run */
    struct list listeners;     /* change_mu */

    /* the reloading thread's */
    pthread_t thread;
    bool has_thread;
    int stop_fd, wake_fd;
    struct watched_file *file;
    char last_hash[80];
    VEC(struct encryption_set *) retired;
};

static void tell_change(void *ctx)
{
    struct encryption *e = ctx;
    pthread_mutex_lock(&e->change_mu);
    list_for_each(link, &e->listeners) {
        struct encryption_listener *l = CONTAINER_OF(link, struct encryption_listener, link);
        l->changed(l);
    }
    pthread_mutex_unlock(&e->change_mu);
}

void encryption_listen(struct encryption *e, struct encryption_listener *l)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->change_mu);
    list_append(&e->listeners, &l->link);
    pthread_mutex_unlock(&e->change_mu);
}

void encryption_unlisten(struct encryption *e, struct encryption_listener *l)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->change_mu);
    list_remove(&l->link);
    pthread_mutex_unlock(&e->change_mu);
}

/* --- the set in force ----------------------------------------------------------------------------------------------- */

static struct encryption_set *set_hold(struct encryption *e)
{
    pthread_mutex_lock(&e->mu);
    struct encryption_set *s = e->set;
    atomic_fetch_add_explicit(&s->users, 1, memory_order_relaxed);
    pthread_mutex_unlock(&e->mu);
    return s;
}

static void set_release(struct encryption_set *s)
{
    atomic_fetch_sub_explicit(&s->users, 1, memory_order_release);
}

/* The resource's own rule, its group's, or that for all. */
static struct transformer *transformer_for(const struct encryption_set *s, const struct resource_type *type)
{
    struct transformer *best = &identity_transformer;
    unsigned best_rank = 0;
    for (size_t i = 0; i < s->n_rules; i++) {
        const struct rule *r = &s->rules[i];
        bool is_group = text_eq(r->group, type->group), is_any = text_is(r->resource, "*");
        unsigned rank = is_group && text_eq(r->resource, type->name) ? 3
                        : is_group && is_any                         ? 2
                        : text_is(r->group, "*") && is_any           ? 1
                                                                     : 0;
        if (rank > best_rank) {
            best = r->list;
            best_rank = rank;
        }
    }
    return best;
}

/* "secrets" or "deployments.apps", in dst. */
static struct text resource_label(const struct resource_type *type, char *dst, size_t size)
{
    int n = snprintf(dst, size, "%.*s%s%.*s", TEXT_ARG(type->name), type->group.n ? "." : "", TEXT_ARG(type->group));
    return (struct text){dst, n > 0 && (size_t)n < size ? (size_t)n : 0};
}

static const struct resource_type *stored_type(const struct resource_type *type)
{
    return type->storage ? type->storage : type;
}

int encryption_seal(struct encryption *e, const struct resource_type *type, struct text key, struct text plain,
                    struct buffer *ret, uint32_t *ret_id, struct status *st)
{
    char label[256];
    type = stored_type(type);
    struct transform x = {.key = key, .st = st};
    if (!e) {
        int rc = identity_transformer.ops->seal(&identity_transformer, &x, plain, ret);
        *ret_id = x.id;
        return rc;
    }
    struct encryption_set *s = set_hold(e);
    struct transformer *t = transformer_for(s, type);
    size_t start = ret->n;
    x.resource = resource_label(type, label, sizeof(label));
    int rc = t->ops->seal(t, &x, plain, ret);
    if (rc < 0)
        ret->n = start;
    set_release(s);
    *ret_id = x.id;
    return rc;
}

int encryption_open(struct encryption *e, const struct resource_type *type, struct text key, struct text stored,
                    struct buffer *scratch, struct text *ret, uint32_t *ret_id, struct status *st)
{
    char label[256];
    type = stored_type(type);
    struct transform x = {.key = key, .st = st};
    if (!e) {
        int rc = identity_transformer.ops->open(&identity_transformer, &x, stored, scratch, ret);
        *ret_id = x.id;
        return rc;
    }
    struct encryption_set *s = set_hold(e);
    struct transformer *t = transformer_for(s, type);
    x.resource = resource_label(type, label, sizeof(label));
    int rc = t->ops->open(t, &x, stored, scratch, ret);
    set_release(s);
    *ret_id = x.id;
    return rc;
}

uint32_t encryption_write_id(struct encryption *e, const struct resource_type *type)
{
    if (!e)
        return identity_id();
    struct encryption_set *s = set_hold(e);
    struct transformer *t = transformer_for(s, stored_type(type));
    uint32_t id = t->ops->write_id(t);
    set_release(s);
    return id;
}

/* --- health ----------------------------------------------------------------------------------------------------------- */

static int set_check(struct encryption_set *s, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    size_t n = 0;
    for (size_t i = 0; i < s->plugins.n; i++) {
        CLEANUP(status_clear) struct status why = {0};
        if (kms_plugin_check(s->plugins.p[i], &why) == 0)
            continue;
        buffer_addf(&b, "%skms-provider-%zu: %s", n++ ? ", " : "", i, why.message);
    }
    if (!n)
        return 0;
    return status_set(st, STATUS_SERVICE_UNAVAILABLE, n > 1 ? "[%s]" : "%s", buffer_str(&b));
}

bool encryption_has_check(const struct encryption *e)
{
    return e && (e->reloads || e->set->plugins.n);
}

int encryption_check(void *ctx, struct status *st)
{
    struct encryption *e = ctx;
    struct encryption_set *s = set_hold(e);
    int rc = set_check(s, st);
    set_release(s);
    return rc;
}

/* --- reloading --------------------------------------------------------------------------------------------------------- */

/* True: the end has come. */
static bool stops_within(struct encryption *e, int ms)
{
    struct pollfd p = {.fd = e->stop_fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

static int check_new(struct encryption *e, struct encryption_set *s, struct status *st)
{
    int64_t grace_ms = 2 * s->timeouts_ms;
    int64_t end_ms = clock_mono_ms() + (grace_ms > HEALTH_GRACE_MIN_MS ? grace_ms : HEALTH_GRACE_MIN_MS);
    while (set_check(s, st) < 0)
        if (clock_mono_ms() >= end_ms || stops_within(e, HEALTH_STEP_MS))
            return status_wrap(st, "health check for new transformers failed");
    status_clear(st);
    return 0;
}

static void set_retire(struct encryption *e, struct encryption_set *next)
{
    pthread_mutex_lock(&e->mu);
    struct encryption_set *old = e->set;
    e->set = next;
    pthread_mutex_unlock(&e->mu);
    vec_push(&e->retired, old);
}

static void free_retired(struct encryption *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->retired.n; i++) {
        struct encryption_set *s = e->retired.p[i];
        if (atomic_load_explicit(&s->users, memory_order_acquire))
            e->retired.p[n++] = s;
        else
            encryption_set_free(s);
    }
    e->retired.n = n;
}

static void note_hash(struct encryption *e, struct text hash)
{
    snprintf(e->last_hash, sizeof(e->last_hash), "%.*s", TEXT_ARG(hash));
    encryption_note_config(e->server_id_hash, hash);
}

/* 1: there is a new set; 0: nothing has changed. */
static int try_reload(struct encryption *e, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct encryption_set *s;
    struct text hash;

    if (encryption_file_hash(e->path, a, &hash, st) < 0)
        return -1;
    if (text_is(hash, e->last_hash))
        return 0;
    if (encryption_set_load(e->path, true, e->server_id, &e->callbacks, &s, st) < 0)
        return -1;
    if (check_new(e, s, st) < 0) {
        encryption_set_free(s);
        return -1;
    }
    note_hash(e, s->hash);
    set_retire(e, s);
    return 1;
}

static bool reload(struct encryption *e)
{
    CLEANUP(status_clear) struct status st = {0};
    int rc = try_reload(e, &st);
    if (rc == 0)
        return true;
    encryption_count_reload(e->server_id_hash, rc < 0);
    if (rc < 0) {
        log_error("The changed encryption configuration is not taken over; the last one stays in force",
                  LOG_STR("path", e->path), LOG_STR("error", st.message));
        return false;
    }
    log_info("The encryption configuration was loaded anew", LOG_STR("path", e->path), LOG_STR("hash", e->last_hash));
    tell_change(e);
    return true;
}

static void ring(int fd)
{
    static const uint64_t one = 1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* On the timer thread: the work is the reloading thread's. */
static void file_changed(void *ctx, struct text content)
{
    (void)content;
    ring(((struct encryption *)ctx)->wake_fd);
}

static void *run_reloads(void *arg)
{
    struct encryption *e = arg;
    int64_t wait_ms = POLL_MS;
    uint64_t rings;
    for (;;) {
        struct pollfd p[] = {{.fd = e->stop_fd, .events = POLLIN}, {.fd = e->wake_fd, .events = POLLIN}};
        poll(p, 2, (int)(e->retired.n ? RETRY_MIN_MS : wait_ms));
        if (p[0].revents)
            return NULL;
        if (p[1].revents) {
            if (stops_within(e, SETTLE_MS))
                return NULL;
            wait_ms = read(e->wake_fd, &rings, sizeof(rings)) < 0 ? wait_ms : POLL_MS;
        }
        free_retired(e);
        if (reload(e))
            wait_ms = POLL_MS;
        else
            wait_ms = wait_ms == POLL_MS ? RETRY_MIN_MS : wait_ms * 2 < POLL_MS ? wait_ms * 2 : POLL_MS - 1;
    }
}

/* --- start and stop ------------------------------------------------------------------------------------------------------ */

int encryption_start(const struct encryption_options *opt, struct encryption **ret, struct status *st)
{
    struct encryption *e = xcalloc(1, sizeof(*e));
    encryption_metrics_register();
    e->path = xstrdup(opt->path);
    e->server_id = xstrdup(opt->server_id ? opt->server_id : "");
    e->reloads = opt->reloads;
    e->arena = arena_new();
    e->server_id_hash = hash_text(e->arena, text_of(e->server_id));
    e->callbacks = (struct kms_callbacks){.well = tell_change, .ctx = e};
    e->stop_fd = e->wake_fd = -1;
    pthread_mutex_init(&e->mu, NULL);
    pthread_mutex_init(&e->change_mu, NULL);
    list_init(&e->listeners);
    if (encryption_set_load(e->path, e->reloads, e->server_id, &e->callbacks, &e->set, st) < 0) {
        encryption_stop(e);
        return status_wrap(st, "--encryption-provider-config %s", opt->path);
    }
    note_hash(e, e->set->hash);
    if (e->reloads) {
        e->stop_fd = eventfd(0, EFD_CLOEXEC);
        e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        e->has_thread = e->stop_fd >= 0 && e->wake_fd >= 0 && thread_start(&e->thread, "encryption", run_reloads, e);
        if (!e->has_thread) {
            encryption_stop(e);
            return status_set(st, STATUS_INTERNAL_ERROR, "no thread can be started");
        }
        e->file = watched_file_start(opt->timers, e->path, TEXT_NONE, LOOK_MS, file_changed, e);
    }
    *ret = e;
    return 0;
}

void encryption_stop(struct encryption *e)
{
    if (!e)
        return;
    watched_file_stop(e->file);
    if (e->has_thread) {
        ring(e->stop_fd);
        pthread_join(e->thread, NULL);
    }
    if (e->stop_fd >= 0)
        close(e->stop_fd);
    if (e->wake_fd >= 0)
        close(e->wake_fd);
    for (size_t i = 0; i < e->retired.n; i++)
        encryption_set_free(e->retired.p[i]);
    vec_deinit(&e->retired);
    encryption_set_free(e->set);
    pthread_mutex_destroy(&e->mu);
    pthread_mutex_destroy(&e->change_mu);
    arena_free(e->arena);
    free(e->path);
    free(e->server_id);
    free(e);
}
