/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on an epoll loop of our own: libcurl says which descriptors and which delay it waits for, and is
 * called only for those that are ready, so that a request costs the same however many others wait for their answers.
 * Other threads put exchanges and tasks into a queue and ring a bell (an eventfd), once for all that gathered meanwhile.
 * libcurl repeats a request by itself when a kept connection turns out to be dead. Whether the server has seen it then,
 * nobody knows, so what must not happen twice is stopped as it is about to be sent for a second time. */
#include "http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/workers.h"

#define CONNECT_TIMEOUT_MS 5000
#define ANSWER_MAX ((size_t)64 << 20)
#define EVENTS_MAX 64
#define SPARE_MAX 64 /* easy handles kept for the next exchanges */

enum state { IDLE, QUEUED, RUNNING };

struct http_client {
    struct http_client_options opt;
    CURLM *multi;
    int epoll, bell;
    pthread_t thread;

    /* I/O thread only */
    int64_t curl_at_ms; /* when libcurl wants to be called; INT64_MAX: not */
    struct list running;
    struct list canceled; /* by cancel_link */
    VEC(CURL *) spare;

    pthread_mutex_t mu;
    struct list queue;  /* mu: exchanges */
    struct list tasks;  /* mu */
    bool is_rung;       /* mu: the bell was rung and not heard yet */
    bool is_stopping;   /* mu */
};

/* --- one exchange ------------------------------------------------------------------------------------------------- */

static int before_sending(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct http_exchange *x = arg;
    return x->n_begun++ == 0 || x->client->opt.can_repeat ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t take_piece(char *p, size_t size, size_t n, void *arg)
{
    struct http_exchange *x = arg;
    size_t max = x->answer_max ? x->answer_max : ANSWER_MAX;
    long code = 200;
    n *= size;
    if (x->is_canceled)
        return 0;
    if (x->piece) {
        curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &code);
        if (code == 200)
            return x->piece(x, (struct text){p, n}) ? n : 0;
    }
    if (x->body_in.n + n > max) {
        x->is_too_long = true;
        return 0;
    }
    buffer_add_bytes(&x->body_in, p, n);
    return n;
}

static void set_tls(CURL *e, const struct http_tls *tls)
{
    if (tls->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, tls->ca_file);
    if (tls->ca_pem.p) {
        struct curl_blob blob = {(void *)tls->ca_pem.p, tls->ca_pem.n, CURL_BLOB_NOCOPY};
        curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (tls->cert_file)
        curl_easy_setopt(e, CURLOPT_SSLCERT, tls->cert_file);
    if (tls->key_file)
        curl_easy_setopt(e, CURLOPT_SSLKEY, tls->key_file);
    if (tls->is_insecure) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

/* The name of TLS is that of the URL: a server that is expected to have another one is connected to under that name. */
static struct curl_slist *connect_to(const struct http_exchange *x)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, entry[600];
    struct curl_slist *list = NULL;
    if (u && curl_url_set(u, CURLUPART_URL, x->url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        snprintf(entry, sizeof(entry), "::%s:%s", host, port);
        list = curl_slist_append(NULL, entry);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return list;
}

static void set_url(CURL *e, struct http_exchange *x)
{
    const char *name = x->tls ? x->tls->server_name : NULL;
    CURLU *u = name ? curl_url() : NULL;
    if (!u) {
        curl_easy_setopt(e, CURLOPT_URL, x->url);
        return;
    }
    char *url = NULL;
    if (curl_url_set(u, CURLUPART_URL, x->url, 0) == CURLUE_OK && curl_url_set(u, CURLUPART_HOST, name, 0) == CURLUE_OK)
        curl_url_get(u, CURLUPART_URL, &url, 0);
    curl_easy_setopt(e, CURLOPT_URL, url ? url : x->url);
    curl_free(url);
    curl_url_cleanup(u);
}

static struct curl_slist *add_header(struct curl_slist *list, struct text name, struct text value)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    buffer_addf(&b, "%.*s%s%.*s", TEXT_ARG(name), value.n ? ": " : ";", TEXT_ARG(value));
    struct curl_slist *longer = curl_slist_append(list, buffer_str(&b));
    if (!longer)
        out_of_memory();
    return longer;
}

/* A list that belongs to the exchange: header lines first, then what CONNECT_TO needs. */
struct lists {
    struct curl_slist *headers, *connect_to;
};

static void set_headers(CURL *e, struct http_exchange *x)
{
    struct lists *l = xcalloc(1, sizeof(*l));
    x->lists = l;
    for (size_t i = 0; i < x->n_headers; i++)
        l->headers = add_header(l->headers, x->headers[i].name, x->headers[i].value);
    if (x->body.p) {
        l->headers = curl_slist_append(l->headers, "Expect:"); /* no round trip for a 100 */
        if (!l->headers)
            out_of_memory();
    }
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, l->headers);
    if (x->tls && x->tls->server_name) {
        l->connect_to = connect_to(x);
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, l->connect_to);
    }
}

static void set_options(struct http_exchange *x)
{
    CURL *e = x->easy;
    _Static_assert(sizeof(x->why) >= CURL_ERROR_SIZE, "libcurl's messages fit");
    curl_easy_setopt(e, CURLOPT_PRIVATE, x);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->why);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, before_sending);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 10L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(x->connect_timeout_ms ? x->connect_timeout_ms : CONNECT_TIMEOUT_MS));
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)x->timeout_ms);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    if (x->unix_socket)
        curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, x->unix_socket);
    if (x->tls)
        set_tls(e, x->tls);
    set_url(e, x);
    if (x->body.p) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.n);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, x->body.p);
    }
    if (x->method)
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, x->method);
    set_headers(e, x);
}

static void begin(struct http_client *c, struct http_exchange *x)
{
    x->easy = c->spare.n ? c->spare.p[--c->spare.n] : curl_easy_init();
    if (!x->easy)
        out_of_memory();
    x->begun_ns = clock_mono_ns();
    x->n_begun = 0;
    x->code = 0;
    x->why[0] = '\0';
    x->is_canceled = x->is_too_long = false;
    list_init(&x->cancel_link);
    x->state = RUNNING;
    list_append(&c->running, &x->link);
    set_options(x);
    curl_multi_add_handle(c->multi, x->easy);
}

/* Gives the handle back; the exchange is as before begin, but for what came of it. */
static void put_away(struct http_client *c, struct http_exchange *x)
{
    struct lists *l = MOVE(x->lists);
    CURL *e = MOVE(x->easy);
    list_remove(&x->link);
    list_remove(&x->cancel_link);
    curl_multi_remove_handle(c->multi, e);
    if (c->spare.n < SPARE_MAX) {
        curl_easy_reset(e);
        vec_push(&c->spare, e);
    } else {
        curl_easy_cleanup(e);
    }
    curl_slist_free_all(l->headers);
    curl_slist_free_all(l->connect_to);
    free(l);
    x->state = IDLE;
    x->ended_ns = clock_mono_ns();
}

/* For how long the answer may be kept: RFC 9111, as far as max-age and what forbids it go. */
static int64_t read_max_age(CURL *e)
{
    struct curl_header *h = NULL;
    struct text rest, part;
    int64_t age_s = -1;
    if (curl_easy_header(e, "Cache-Control", 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return -1;
    rest = text_of(h->value);
    while (text_split(&rest, ',', &part)) {
        part = text_trim(part);
        if (text_eq_nocase(part, TEXT("no-cache")) || text_eq_nocase(part, TEXT("no-store")))
            return 0;
        if (text_eq_nocase(text_first(part, 8), TEXT("max-age=")) && !text_to_i64(text_from(part, 8), &age_s))
            age_s = -1;
    }
    return age_s < 0 ? -1 : age_s;
}

static void finish(struct http_client *c, struct http_exchange *x, CURLcode rc)
{
    long code = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &code);
    x->max_age_s = read_max_age(x->easy);
    put_away(c, x);
    x->code = (int)code;
    if (x->is_canceled)
        x->result = HTTP_CANCELED;
    else if (rc == CURLE_OK)
        x->result = HTTP_DONE;
    else
        x->result = x->n_begun ? HTTP_BROKEN : HTTP_NOT_SENT; /* whatever a second attempt may have met */
    if (x->is_too_long)
        snprintf(x->why, sizeof(x->why), "the answer is too long");
    else if (rc != CURLE_OK && !x->why[0])
        snprintf(x->why, sizeof(x->why), "%s", curl_easy_strerror(rc));
    x->done(x);
}

static void cancel_now(struct http_client *c, struct http_exchange *x)
{
    if (x->state == RUNNING)
        put_away(c, x);
    x->result = HTTP_CANCELED;
    snprintf(x->why, sizeof(x->why), "it was canceled");
    x->done(x);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static int watch_descriptor(CURL *e, curl_socket_t fd, int what, void *arg, void *known)
{
    struct http_client *c = arg;
    struct epoll_event ev = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(c->epoll, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(c->multi, fd, NULL);
        return 0;
    }
    ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    if (epoll_ctl(c->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0 && errno == EEXIST)
        epoll_ctl(c->epoll, EPOLL_CTL_MOD, fd, &ev);
    curl_multi_assign(c->multi, fd, c);
    return 0;
}

static int64_t real_ms(void) /* libcurl's time goes on when the tests' stands still */
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    struct http_client *c = arg;
    c->curl_at_ms = ms < 0 ? INT64_MAX : real_ms() + ms;
    return 0;
}

static void finish_all(struct http_client *c)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct http_exchange *x = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode rc = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
        finish(c, x, rc);
    }
}

static void take_all(struct list *from, struct list *to)
{
    while (!list_is_empty(from)) {
        struct list *l = from->next;
        list_remove(l);
        list_append(to, l);
    }
}

/* Takes all that other threads have left here. False: the end has come. */
static bool answer_bell(struct http_client *c)
{
    struct list exchanges, tasks;
    uint64_t n;
    list_init(&exchanges);
    list_init(&tasks);
    if (read(c->bell, &n, sizeof(n)) < 0 && errno != EAGAIN)
        return false;
    pthread_mutex_lock(&c->mu);
    c->is_rung = false;
    bool is_stopping = c->is_stopping;
    take_all(&c->queue, &exchanges);
    take_all(&c->tasks, &tasks);
    pthread_mutex_unlock(&c->mu);

    list_for_each_safe(l, &tasks) {
        struct http_task *t = CONTAINER_OF(l, struct http_task, link);
        list_remove(l);
        t->run(t);
    }
    while (!list_is_empty(&exchanges)) {
        struct http_exchange *x = CONTAINER_OF(exchanges.next, struct http_exchange, link);
        list_remove(&x->link);
        begin(c, x);
    }
    return !is_stopping;
}

static void cancel_marked(struct http_client *c)
{
    while (!list_is_empty(&c->canceled)) {
        struct http_exchange *x = CONTAINER_OF(c->canceled.next, struct http_exchange, cancel_link);
        list_remove(&x->cancel_link);
        cancel_now(c, x);
    }
}

/* At the end: tasks run, exchanges are canceled, until none are left. */
static void end_all(struct http_client *c)
{
    do {
        answer_bell(c);
        while (!list_is_empty(&c->running))
            cancel_now(c, CONTAINER_OF(c->running.next, struct http_exchange, link));
        pthread_mutex_lock(&c->mu);
        bool is_empty = list_is_empty(&c->queue) && list_is_empty(&c->tasks);
        pthread_mutex_unlock(&c->mu);
        if (is_empty)
            return;
    } while (true);
}

static int wait_ms(const struct http_client *c)
{
    if (c->curl_at_ms == INT64_MAX)
        return -1;
    int64_t left = c->curl_at_ms - real_ms();
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void *run(void *arg)
{
    struct http_client *c = arg;
    struct epoll_event events[EVENTS_MAX];
    sigset_t pipe_signal;
    bool goes_on = true;
    int running;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE); /* OpenSSL's writes */
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    while (goes_on) {
        int n = epoll_wait(c->epoll, events, EVENTS_MAX, wait_ms(c));
        bool has_rung = false;
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == c->bell) {
                has_rung = true;
                continue;
            }
            int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                       (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                       (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(c->multi, events[i].data.fd, what, &running);
        }
        if (has_rung)
            goes_on = answer_bell(c);
        if (c->curl_at_ms != INT64_MAX && real_ms() >= c->curl_at_ms) {
            c->curl_at_ms = INT64_MAX;
            curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        finish_all(c);
        cancel_marked(c);
    }
    end_all(c);
    return NULL;
}

/* --- from other threads ------------------------------------------------------------------------------------------- */

static void ring_locked(struct http_client *c)
{
    uint64_t one = 1;
    if (c->is_rung)
        return;
    c->is_rung = true;
    if (write(c->bell, &one, sizeof(one)) < 0)
        c->is_rung = false; /* cannot be: the counter is far from full */
}

void http_client_submit(struct http_client *c, struct http_exchange *x)
{
    x->client = c;
    pthread_mutex_lock(&c->mu);
    x->state = QUEUED;
    list_append(&c->queue, &x->link);
    ring_locked(c);
    pthread_mutex_unlock(&c->mu);
}

void http_client_run(struct http_client *c, struct http_task *t)
{
    pthread_mutex_lock(&c->mu);
    list_append(&c->tasks, &t->link);
    ring_locked(c);
    pthread_mutex_unlock(&c->mu);
}

void http_client_cancel(struct http_client *c, struct http_exchange *x)
{
    bool is_queued;
    pthread_mutex_lock(&c->mu);
    is_queued = x->state == QUEUED;
    if (is_queued) {
        list_remove(&x->link);
        list_init(&x->cancel_link);
        x->state = IDLE;
    }
    pthread_mutex_unlock(&c->mu);
    if (x->is_canceled && !is_queued)
        return;
    x->is_canceled = true;
    list_append(&c->canceled, &x->cancel_link);
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

static void client_free(struct http_client *c)
{
    curl_multi_cleanup(c->multi);
    for (size_t i = 0; i < c->spare.n; i++)
        curl_easy_cleanup(c->spare.p[i]);
    vec_deinit(&c->spare);
    if (c->epoll >= 0)
        close(c->epoll);
    if (c->bell >= 0)
        close(c->bell);
    pthread_mutex_destroy(&c->mu);
    free(c);
}

static void init_library(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_client_start(const struct http_client_options *opt)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct epoll_event ev = {.events = EPOLLIN};
    struct http_client *c = xcalloc(1, sizeof(*c));

    pthread_once(&once, init_library);
    c->opt = *opt;
    c->curl_at_ms = INT64_MAX;
    pthread_mutex_init(&c->mu, NULL);
    list_init(&c->queue);
    list_init(&c->tasks);
    list_init(&c->running);
    list_init(&c->canceled);
    c->multi = curl_multi_init();
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->bell = ev.data.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!c->multi || c->epoll < 0 || c->bell < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->bell, &ev) < 0) {
        client_free(c);
        return NULL;
    }
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_descriptor);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    if (opt->connections_max) {
        curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)opt->connections_max);
        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)opt->connections_max * 4);
    }
    if (!thread_start(&c->thread, opt->name, run, c)) {
        client_free(c);
        return NULL;
    }
    return c;
}

void http_client_stop(struct http_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mu);
    c->is_stopping = true;
    ring_locked(c);
    pthread_mutex_unlock(&c->mu);
    pthread_join(c->thread, NULL);
    client_free(c);
}
