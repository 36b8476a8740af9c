/* SPDX-License-Identifier: Apache-2.0 */
/* The etcd engine over the gateway of etcd 3.4 and newer, which speaks HTTP and JSON under /v3. One I/O thread, the HTTP
 * client's, is the committer: it sends the writes, reads the watch, feeds the caches and tells the writers. Other threads
 * only queue. What failed is tried again by one clock, the kick, with growing pauses, at one server after the other.
 * The store's revision for linearizable reads is asked by a range of one key that is not there: all who ask while a question
 * is on its way share the next one, since only that begins after they asked. */
#include <inttypes.h>
#include <stdlib.h>

#include "storage/etcd_internal.h"

#define CONNECTIONS_MAX 48
#define TICK_MS 1000
#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 1000
#define ASK_ATTEMPT_MS 3000
#define ASK_MAX_MS 10000
#define PREFIX "/registry"

static struct etcd *of(struct backend *b)
{
    return CONTAINER_OF(b, struct etcd, base);
}

struct text etcd_prefix(const struct etcd *e)
{
    return (struct text){e->prefix, e->prefix_n};
}

void etcd_heard(struct etcd *e, uint64_t revision)
{
    e->backoff_ms = 0;
    if (revision <= e->known)
        return;
    if (!e->known_ms && revision > e->applied)
        e->known_ms = clock_mono_ms();
    e->known = revision;
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static void kick(struct http_task *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, kick_task);
    atomic_store(&e->kick_is_armed, false);
    if (atomic_load(&e->is_stopping) && !e->n_writes)
        return;
    watch_kick(e);
    writes_kick(e);
    reads_kick(e);
    etcd_asks_begin(e);
}

static void ring_kick(struct timer *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, kick_timer);
    if (atomic_load(&e->is_stopping)) /* the client may be gone */
        return;
    http_client_run(e->client, &e->kick_task);
}

void etcd_kick_later(struct etcd *e)
{
    if (atomic_exchange(&e->kick_is_armed, true))
        return;
    timer_arm(e->timers, &e->kick_timer, e->backoff_ms ? e->backoff_ms : 1);
    e->backoff_ms = !e->backoff_ms                      ? BACKOFF_MIN_MS
                    : e->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
                                                         : e->backoff_ms * 2;
}

static void size_answered(struct etcd_call *call, enum call_outcome outcome)
{
    int64_t n;
    call->etcd->size_is_running = false;
    if (outcome == CALL_OK && etcd_read_number(buffer_text(&call->x.body_in), TEXT("dbSize"), &n))
        atomic_store(&call->etcd->size_bytes, n);
}

static void size_tick(struct etcd *e)
{
    int64_t now_ms = clock_mono_ms();
    if (e->size_is_running || e->size_poll_ms < 0 || now_ms < e->size_next_ms)
        return;
    e->size_next_ms = now_ms + e->size_poll_ms;
    e->size_is_running = true;
    e->size_call.etcd = e;
    e->size_call.operation = "status";
    e->size_call.done = size_answered;
    call_send(&e->size_call, "/v3/maintenance/status", TEXT("{}"), 10000);
}

static void asks_tick(struct etcd *e);

static void tick(struct http_task *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, tick_task);
    writes_tick(e);
    asks_tick(e);
    atomic_store(&e->tick_is_queued, false);
    if (atomic_load(&e->is_stopping))
        return;
    watch_tick(e);
    compact_tick(e);
    size_tick(e);
}

static void ring_tick(struct timer *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, tick_timer);
    if (atomic_load(&e->is_stopping))
        return;
    if (!atomic_exchange(&e->tick_is_queued, true))
        http_client_run(e->client, &e->tick_task);
    timer_arm(e->timers, &e->tick_timer, TICK_MS);
}

/* --- the store's revision ----------------------------------------------------------------------------------------- */

void etcd_move_all(struct list *from, struct list *to)
{
    while (!list_is_empty(from)) {
        struct list *l = from->next;
        list_remove(l);
        list_append(to, l);
    }
}

static void tell_asked(struct etcd *e, uint64_t revision, const struct status *why)
{
    while (!list_is_empty(&e->asked)) {
        struct revision_ask *ask = CONTAINER_OF(e->asked.next, struct revision_ask, link);
        list_remove(&ask->link);
        ask->revision = revision;
        if (!revision) {
            status_set(&ask->st, why->reason, "%s", why->message);
            ask->st.has_details = true;
            ask->st.retry_after_seconds = 1;
        }
        ask->done(ask);
    }
}

static void ask_answered(struct etcd_call *call, enum call_outcome outcome)
{
    struct etcd *e = call->etcd;
    struct etcd_range_answer a = {0};
    e->ask_is_running = false;
    if (outcome == CALL_OK && etcd_read_range(buffer_text(&call->x.body_in), &a)) {
        etcd_heard(e, a.revision);
        tell_asked(e, a.revision, NULL);
        etcd_asks_begin(e);
    } else if (outcome == CALL_REFUSED || outcome == CALL_STOPPED) {
        tell_asked(e, 0, &call->st);
        etcd_asks_begin(e);
    } else {
        etcd_kick_later(e);
    }
    vec_deinit(&a.kvs);
}

/* Starts the next question, unless one is on its way or nobody asks. Those of a question that failed ask again with it. */
void etcd_asks_begin(struct etcd *e)
{
    if (e->ask_is_running)
        return;
    pthread_mutex_lock(&e->mu);
    etcd_move_all(&e->asks, &e->asked);
    pthread_mutex_unlock(&e->mu);
    if (list_is_empty(&e->asked))
        return;
    e->ask_is_running = true;
    e->ask_call.etcd = e;
    e->ask_call.operation = "get";
    e->ask_call.done = ask_answered;
    call_send(&e->ask_call, "/v3/kv/range", buffer_text(&e->probe), ASK_ATTEMPT_MS);
}

/* Those who have waited too long are told so; the others stay. */
static void asks_tick(struct etcd *e)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct status *why = &e->ask_call.st;
    int64_t now_ms = clock_mono_ms();
    struct list patient;
    list_init(&patient);
    list_for_each_safe(l, &e->asked) {
        if (now_ms - CONTAINER_OF(l, struct revision_ask, link)->begun_ms < ASK_MAX_MS) {
            list_remove(l);
            list_append(&patient, l);
        }
    }
    status_set(&st, why->reason ? why->reason : STATUS_TIMEOUT, "%s", why->message ? why->message : "etcd does not answer");
    tell_asked(e, 0, &st);
    etcd_move_all(&patient, &e->asked);
}

/* --- what other threads leave ------------------------------------------------------------------------------------- */

static void take(struct http_task *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, take_task);
    pthread_mutex_lock(&e->mu);
    e->take_is_queued = false;
    pthread_mutex_unlock(&e->mu);
    writes_take(e);
    reads_take(e);
    etcd_asks_begin(e);
}

void etcd_queue_take(struct etcd *e)
{
    pthread_mutex_lock(&e->mu);
    bool is_first = !e->take_is_queued;
    e->take_is_queued = true;
    pthread_mutex_unlock(&e->mu);
    if (is_first)
        http_client_run(e->client, &e->take_task);
}

static void submit(struct backend *b, struct storage_write *w)
{
    writes_submit(of(b), w);
}

static void ask_revision(struct backend *b, struct revision_ask *ask)
{
    struct etcd *e = of(b);
    ask->begun_ms = clock_mono_ms();
    pthread_mutex_lock(&e->mu);
    list_append(&e->asks, &ask->link);
    pthread_mutex_unlock(&e->mu);
    etcd_queue_take(e);
}

static void read_at(struct backend *b, struct revision_read *read)
{
    reads_submit(of(b), read);
}

/* --- health ------------------------------------------------------------------------------------------------------- */

static int check(struct backend *b, enum storage_probe probe, struct status *st)
{
    struct etcd *e = of(b);
    CLEANUP(buffer_deinit) struct buffer answer = BUFFER_INIT;
    int64_t timeout_ms = probe == PROBE_READY ? e->ready_timeout_ms : e->health_timeout_ms;
    if (call_wait(e, "/v3/kv/range", buffer_text(&e->probe), timeout_ms, &answer, st) == CALL_OK)
        return 0;
    return status_wrap(st, "error getting data from etcd");
}

static int64_t size_bytes(struct backend *b)
{
    return atomic_load(&of(b)->size_bytes);
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

/* Is there a gateway of the kind that we need? -1: not yet; -2: no. */
static int check_gateway(struct etcd *e, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer answer = BUFFER_INIT, version = BUFFER_INIT;
    CLEANUP(status_clear) struct status unused = {0};
    enum call_outcome outcome = call_wait(e, "/v3/kv/range", buffer_text(&e->probe), 5000, &answer, st);
    if (outcome == CALL_OK)
        return 0;
    const char *server = e->servers[atomic_load(&e->server)];
    if (strstr(st->message, "answered with HTTP code 404") &&
        call_wait(e, "/version", TEXT_NONE, 5000, &version, &unused) == CALL_OK) {
        struct text v = etcd_read_string(buffer_text(&version), TEXT("etcdserver"));
        status_set(st, STATUS_INTERNAL_ERROR,
                   "etcd at %s (version %.*s) has no gateway under /v3: 3.4 or newer is needed, with "
                   "--enable-grpc-gateway on",
                   server, TEXT_ARG(v.n ? v : TEXT("unknown")));
        return -2;
    }
    bool is_distrust = strstr(st->message, "certificate") != NULL; /* theirs or ours: time heals neither */
    return outcome == CALL_REFUSED || is_distrust ? -2 : -1;
}

static int wait_for_gateway(struct etcd *e, struct status *st)
{
    struct timespec pause = {.tv_nsec = 100 * 1000000};
    int64_t begun_ms = clock_mono_ms(), said_ms = 0;
    for (;;) {
        int result = check_gateway(e, st);
        if (result == 0) {
            status_clear(st); /* of the tries before */
            return 0;
        }
        int64_t passed_ms = clock_mono_ms() - begun_ms;
        if (result == -2 || passed_ms >= e->start_timeout_ms)
            return -1;
        if (passed_ms - said_ms >= 2000 || !said_ms) {
            log_warning("Waiting for etcd", LOG_STR("error", st->message));
            said_ms = passed_ms + 1;
        }
        nanosleep(&pause, NULL);
    }
}

static void begin_stream(struct http_task *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, kick_task);
    watch_start_stream(e);
    e->kick_task.run = kick;
}

static int start(struct backend *b, const struct storage_sink *sink, uint64_t *ret_revision, struct status *st)
{
    struct etcd *e = of(b);
    const struct http_client_options opt = {.name = "etcd", .connections_max = CONNECTIONS_MAX};
    e->sink = sink;
    e->client = http_client_start(&opt);
    if (!e->client)
        return status_set(st, STATUS_INTERNAL_ERROR, "no thread can be started");
    if (wait_for_gateway(e, st) < 0)
        return status_wrap(st, "%s", e->flag);
    if (watch_load(e, &e->applied, st) < 0)
        return status_wrap(st, "loading from etcd");
    e->known = e->applied;
    *ret_revision = e->applied;
    e->kick_task.run = begin_stream;
    e->tick_task.run = tick;
    e->take_task.run = take;
    e->kick_timer.fire = ring_kick;
    e->tick_timer.fire = ring_tick;
    return 0;
}

static void follow(struct backend *b)
{
    struct etcd *e = of(b);
    http_client_run(e->client, &e->kick_task);
    timer_arm(e->timers, &e->tick_timer, 1);
}

static void etcd_free(struct etcd *e)
{
    for (size_t i = 0; i < e->n_servers; i++)
        free(e->servers[i]);
    for (size_t i = 0; i < N_ELEMENTS(e->files); i++)
        free(e->files[i]);
    free(e->servers);
    free(e->prefix);
    leases_free(e);
    struct etcd_call *const calls[] = {&e->fence.call, &e->stream.call, &e->compactor.call, &e->size_call, &e->ask_call};
    for (size_t i = 0; i < N_ELEMENTS(calls); i++)
        call_clear(calls[i]);
    struct buffer *const buffers[] = {&e->probe,     &e->fence.body, &e->stream.body, &e->stream.line, &e->compactor.body,
                                      &e->scratch, &e->value};
    for (size_t i = 0; i < N_ELEMENTS(buffers); i++)
        buffer_deinit(buffers[i]);
    map_deinit(&e->by_path);
    pthread_mutex_destroy(&e->mu);
    pthread_cond_destroy(&e->idle);
    free(e);
}

static void stop(struct backend *b)
{
    struct etcd *e = of(b);
    CLEANUP(status_clear) struct status st = {0};
    pthread_mutex_lock(&e->mu);
    while (!e->is_idle) /* each one has its deadline */
        pthread_cond_wait(&e->idle, &e->mu);
    pthread_mutex_unlock(&e->mu);
    atomic_store(&e->is_stopping, true);
    if (e->kick_timer.fire) {
        timer_cancel(e->timers, &e->tick_timer);
        timer_cancel(e->timers, &e->tick_timer); /* the one that ran meanwhile may have armed it again */
        timer_cancel(e->timers, &e->kick_timer);
    }
    http_client_stop(e->client);
    if (e->kick_timer.fire)
        timer_cancel(e->timers, &e->kick_timer);
    status_set(&st, STATUS_SERVICE_UNAVAILABLE, "the server is shutting down");
    etcd_move_all(&e->asks, &e->asked);
    tell_asked(e, 0, &st);
    reads_stop(e);
    etcd_free(e);
}

static const struct backend_ops etcd_ops = {
    .name = "etcd",
    .expires_keys = true,
    .start = start,
    .follow = follow,
    .submit = submit,
    .ask_revision = ask_revision,
    .read_at = read_at,
    .check = check,
    .size_bytes = size_bytes,
    .stop = stop,
};

/* --- open --------------------------------------------------------------------------------------------------------- */

static bool is_url(const char *s)
{
    struct text t = text_of(s);
    bool is_http = text_starts(t, TEXT("http://")) || text_starts(t, TEXT("https://"));
    return is_http && t.n > 8 && t.n < 200 && text_find(t, ' ') < 0;
}

static int add_servers(struct etcd *e, const struct etcd_options *opt, struct status *st)
{
    if (!opt->n_servers)
        return status_set(st, STATUS_BAD_REQUEST, "--etcd-servers must be specified");
    e->servers = xcalloc(opt->n_servers, sizeof(char *));
    for (size_t i = 0; i < opt->n_servers; i++) {
        if (!is_url(opt->servers[i]))
            return status_set(st, STATUS_BAD_REQUEST, "%s: \"%s\" is not a URL such as http://127.0.0.1:2379", e->flag,
                              opt->servers[i]);
        char *server = e->servers[e->n_servers++] = xstrdup(opt->servers[i]);
        size_t n = strlen(server);
        while (n && server[n - 1] == '/')
            server[--n] = '\0';
    }
    return 0;
}

static int add_files(struct etcd *e, const struct etcd_options *opt, struct status *st)
{
    const char *const files[] = {opt->ca_file, opt->cert_file, opt->key_file};
    const char **const to[] = {&e->tls.ca_file, &e->tls.cert_file, &e->tls.key_file};
    static const char *const flags[] = {"--etcd-cafile", "--etcd-certfile", "--etcd-keyfile"};
    if (!opt->cert_file != !opt->key_file)
        return status_set(st, STATUS_BAD_REQUEST, "--etcd-certfile and --etcd-keyfile go together");
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        CLEANUP(buffer_deinit) struct buffer content = BUFFER_INIT;
        if (!files[i])
            continue;
        if (file_read(files[i], &content, st) < 0)
            return status_wrap(st, "%s", flags[i]);
        e->files[i] = xstrdup(files[i]);
        *to[i] = e->files[i];
    }
    return 0;
}

static void set_prefix(struct etcd *e, const char *prefix)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    struct text t = text_of(prefix && prefix[0] ? prefix : PREFIX);
    while (t.n && t.p[t.n - 1] == '/')
        t.n--;
    if (!t.n || t.p[0] != '/')
        buffer_add_char(&b, '/');
    buffer_add(&b, t);
    if (t.n)
        buffer_add_char(&b, '/');
    e->prefix = xstrdup(buffer_str(&b));
    e->prefix_n = b.n;
}

int etcd_open(const struct etcd_options *opt, struct backend **ret, struct status *st)
{
    struct etcd *e = xcalloc(1, sizeof(*e));
    unsigned char id[8];
    e->base.ops = &etcd_ops;
    e->timers = opt->timers;
    e->flag = opt->flag ? opt->flag : "--etcd-servers";
    e->compaction_interval_ms = opt->compaction_interval_ms;
    e->health_timeout_ms = opt->health_timeout_ms ? opt->health_timeout_ms : 2000;
    e->ready_timeout_ms = opt->ready_timeout_ms ? opt->ready_timeout_ms : 2000;
    e->size_poll_ms = opt->size_poll_ms ? opt->size_poll_ms : 30000;
    e->start_timeout_ms = opt->start_timeout_ms ? opt->start_timeout_ms : 20000;
    pthread_mutex_init(&e->mu, NULL);
    pthread_cond_init(&e->idle, NULL);
    list_init(&e->writes);
    list_init(&e->asked);
    list_init(&e->asks);
    list_init(&e->reads);
    list_init(&e->new_reads);
    list_init(&e->submitted);
    e->is_idle = true;
    leases_init(e, opt->lease_reuse_s ? opt->lease_reuse_s : 60);
    set_prefix(e, opt->prefix);
    etcd_write_probe(&e->probe, TEXT("keelson-probe"));
    if (add_servers(e, opt, st) < 0 || add_files(e, opt, st) < 0) {
        etcd_free(e);
        return -1;
    }
    random_bytes(id, sizeof(id));
    for (size_t i = 0; i < sizeof(id); i++)
        snprintf(e->fence.id + 2 * i, 3, "%02x", id[i]);
    *ret = &e->base;
    return 0;
}

struct text etcd_key_prefix(struct backend *b)
{
    return etcd_prefix(of(b));
}
