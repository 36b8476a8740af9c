/* SPDX-License-Identifier: Apache-2.0 */
/* The cost of HTTP alone: a server whose handler does nothing, for wrk or curl.
 *   http_floor CERT KEY [PORT]
 *   /small  3 KB    /big  6 MB, pulled    /park  3 KB after a hop to a worker
 *   /watch  a stream    /emit?n=N  sends N events of 3 KB to every watcher    /cpu  CPU us used so far
 * CERT "-" serves plain HTTP. Ends when its standard input does. */
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base.h"
#include "http.h"

#define SMALL_BYTES 3000
#define BIG_BYTES (6300 << 10)
static char small_body[SMALL_BYTES];
static struct blob *event;

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
struct watcher {
    struct list link;
    struct stream *stream;
};
static struct list watchers = {&watchers, &watchers};

static void closed(void *ctx)
{
    struct watcher *w = ctx;
    pthread_mutex_lock(&mu);
    list_remove(&w->link);
    pthread_mutex_unlock(&mu);
    stream_unref(w->stream);
    free(w);
}
static const struct stream_ops ops = {.closed = closed};

static enum flow serve_watch(struct request *r)
{
    struct watcher *w = xcalloc(1, sizeof(*w));
    w->stream = stream_new(&ops, w, 1 << 20);
    pthread_mutex_lock(&mu);
    list_append(&watchers, &w->link);
    pthread_mutex_unlock(&mu);
    response_stream(r, 200, "application/json", stream_ref(w->stream));
    return FLOW_DONE;
}

static enum flow serve_emit(struct request *r)
{
    uint64_t n = 1;
    text_to_u64(request_query(r, "n"), &n);
    for (uint64_t i = 0; i < n; i++) {
        pthread_mutex_lock(&mu);
        list_for_each(pos, &watchers)
            stream_push(CONTAINER_OF(pos, struct watcher, link)->stream, event, blob_text(event));
        pthread_mutex_unlock(&mu);
    }
    response_bytes(r, 200, "text/plain", TEXT("ok\n"));
    return FLOW_DONE;
}

static ptrdiff_t read_big(void *ctx, char *dst, size_t max)
{
    memset(dst, 'b', max);
    return (ptrdiff_t)max;
}

static enum flow serve(struct request *r)
{
    response_add_header(r, "Audit-Id", TEXT("7b5c2c7e-2a5f-4d6d-9a53-0d1b5a3e7a11"));
    response_add_header(r, "Cache-Control", TEXT("no-cache, private"));
    response_add_header(r, "X-Kubernetes-Pf-Flowschema-Uid", TEXT("7b5c2c7e-2a5f-4d6d-9a53-0d1b5a3e7a11"));
    response_add_header(r, "X-Kubernetes-Pf-Prioritylevel-Uid", TEXT("7b5c2c7e-2a5f-4d6d-9a53-0d1b5a3e7a11"));
    if (text_is(r->path, "/watch"))
        return serve_watch(r);
    if (text_is(r->path, "/emit"))
        return serve_emit(r);
    if (text_is(r->path, "/big")) {
        response_source(r, 200, "application/json",
                        (struct body_source){.read = read_big, .bytes = BIG_BYTES});
        return FLOW_DONE;
    }
    if (text_is(r->path, "/cpu")) {
        struct rusage u;
        getrusage(RUSAGE_SELF, &u);
        struct text body = arena_textf(r->arena, "%lld\n",
                                       (long long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
                                           u.ru_utime.tv_usec + u.ru_stime.tv_usec);
        response_bytes(r, 200, "text/plain", body);
        return FLOW_DONE;
    }
    if (text_is(r->path, "/park") && !request_may_block(r))
        return FLOW_BLOCK;
    response_bytes(r, 200, "application/json", (struct text){small_body, sizeof(small_body)});
    return FLOW_DONE;
}

static struct text read_file(const char *path)
{
    static char buf[2][16384];
    static int n;
    FILE *f = fopen(path, "r");
    if (!f)
        return TEXT_NONE;
    size_t got = fread(buf[n % 2], 1, sizeof(buf[0]), f);
    fclose(f);
    return (struct text){buf[n++ % 2], got};
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    static const struct filter handler = {.name = "serve", .enter = serve};
    static const struct filter *const chain[] = {&filter_request_info, &handler, NULL};
    memset(small_body, 's', sizeof(small_body));
    event = blob_alloc(SMALL_BYTES);
    memset(event->p, 'e', SMALL_BYTES);
    struct tls_config tls = {
        .cert_pem = read_file(argv[1]), .key_pem = read_file(argv[2]), .ask_client_cert = true};
    struct listener_options opt = {
        .bind_address = "127.0.0.1",
        .port = argc > 3 ? (uint16_t)atoi(argv[3]) : 0,
        .tls = strcmp(argv[1], "-") ? &tls : NULL,
        .filters = chain,
        .workers = workers_start(8, "worker"),
        .header_max_bytes = getenv("POOL") ? (size_t)atoi(getenv("POOL")) : 0,
    };
    struct listener *l;
    struct status st = {0};
    if (listener_start(&opt, &l, &st) < 0) {
        fprintf(stderr, "%s\n", st.message);
        return 1;
    }
    printf("%u\n", listener_port(l));
    fflush(stdout);
    char c;
    while (read(0, &c, 1) > 0)
        ;
    listener_stop(l, 1000);
    workers_stop(opt.workers);
    blob_unref(event);
    return 0;
}
