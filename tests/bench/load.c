/* SPDX-License-Identifier: Apache-2.0 */
/* What the server costs, measured from outside: starts it, loads it over kept-alive TLS connections with the
 * administrator's client certificate, and prints one line per figure with its target beside it.
 *   load SERVER DATA_DIR POD.json [WHAT [TIMES]]
 * With WHAT only the figures whose line contains it are taken, TIMES as long (for perf, or to compare two builds).
 * CPU is the server's own (all its threads), read from the kernel's clock of that process before and after
 * many operations, so what the load itself burns beside it does not count. The watch figure is what 200
 * watchers add to the same writes made without them. Exits with 1 when an answer is not what it should be; a
 * missed target is only marked. */
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_PODS 2000
#define N_WATCHERS 200
#define POD_PATH "/api/v1/namespaces/default/pods/web-6d5f7c9b8-01000?resourceVersion=0"
#define LIST_PATH "/api/v1/namespaces/default/pods?resourceVersion=0"

static const char *only = ""; /* figures that contain it */
static int times = 1;

static void op_renew(struct client *c, int i, const void *ctx)
{
    (void)ctx;
    char path[128], body[128];
    snprintf(path, sizeof(path), "/apis/coordination.k8s.io/v1/namespaces/default/leases/node-%d", c->index);
    snprintf(body, sizeof(body), "{\"spec\":{\"renewTime\":\"2026-03-04T05:06:%02d.%06dZ\"}}", i / 1000 % 60,
             i % 1000);
    ask(c->conn, "PATCH", path, "Content-Type: application/merge-patch+json\r\n", body);
}
static void make_leases(void)
{
    for (int i = 0; i < N_CLIENTS; i++) {
        char body[512];
        snprintf(body, sizeof(body),
                 "{\"apiVersion\":\"coordination.k8s.io/"
                 "v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"node-%d\"},\"spec\":{"
                 "\"holderIdentity\":\"node-%d\",\"leaseDurationSeconds\":40,\"renewTime\":\"2026-03-04T05:"
                 "06:07.000000Z\"}}",
                 i, i);
        ask(clients[i].conn, "POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases",
            "Content-Type: " JSON "\r\n", body);
        expect_success(clients[i].conn);
    }
}

/* --- changes: each client has a deployment or a pod of its own --- */
#define APPLY "application/apply-patch+yaml"

/* A deployment of the pod's spec: replicas is what changes. */
static const char *deployment(int index, int replicas)
{
    static char body[8192];
    const char *end = strstr(pod_spec, ",\"status\":");
    snprintf(body, sizeof(body),
             "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web-%d\",\"labels\":{"
             "\"app.kubernetes.io/name\":\"web\",\"app.kubernetes.io/part-of\":\"shop\"}},\"spec\":{\"replicas\":%d,"
             "\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},"
             "%.*s}}}",
             index, replicas, (int)(end - pod_spec), pod_spec);
    return body;
}
static void send_deployment(struct client *c, const char *method, const char *type, int replicas)
{
    char path[128], header[80];
    bool applies = strcmp(type, APPLY) == 0;
    snprintf(path, sizeof(path), "/apis/apps/v1/namespaces/kube-public/deployments%s%.0d%s",
             strcmp(method, "POST") ? "/web-" : "", strcmp(method, "POST") ? c->index + 1 : 0,
             applies ? "?fieldManager=bench&force=true" : "");
    snprintf(header, sizeof(header), "Content-Type: %s\r\n", type);
    ask(c->conn, method, path, header, deployment(c->index + 1, replicas));
}
static void op_apply(struct client *c, int i, const void *ctx)
{
    (void)ctx;
    send_deployment(c, "PATCH", APPLY, 2 + i % 7);
}
static void op_apply_same(struct client *c, int i, const void *ctx)
{
    (void)i;
    (void)ctx;
    send_deployment(c, "PATCH", APPLY, 1);
}
static void op_update(struct client *c, int i, const void *ctx)
{
    (void)ctx;
    send_deployment(c, "PUT", JSON, 2 + i % 7);
}
static void op_label(struct client *c, int i, const void *ctx)
{
    (void)ctx;
    char path[128], body[128];
    snprintf(path, sizeof(path), "/api/v1/namespaces/default/pods/web-6d5f7c9b8-%05d", c->index);
    snprintf(body, sizeof(body), "{\"metadata\":{\"labels\":{\"step\":\"%d\"}}}", i);
    ask(c->conn, "PATCH", path, "Content-Type: application/strategic-merge-patch+json\r\n", body);
}

/* --- large objects: does a change cost what the object's size says? --- */
struct large {
    const char *what;
    int n; /* keys or variables */
    const char *path, *type;
    const char *head, *item, *tail; /* item: with its number and, in the first one, that of the round */
};

static char *large_body(const struct large *l, int round)
{
    size_t room = strlen(l->head) + strlen(l->tail) + (size_t)l->n * (strlen(l->item) + 24) + 1;
    char *body = malloc(room), *end = body;
    end += sprintf(end, "%s", l->head);
    for (int i = 0; i < l->n; i++)
        end += sprintf(end, l->item, i ? "," : "", i, i ? 0 : round);
    sprintf(end, "%s", l->tail);
    return body;
}
static void op_large(struct client *c, int i, const void *ctx)
{
    const struct large *l = ctx;
    char *body = large_body(l, i + 1), header[80];
    snprintf(header, sizeof(header), "Content-Type: %s\r\n", l->type);
    ask(c->conn, strstr(l->type, "patch") ? "PATCH" : "PUT", l->path, header, body);
    free(body);
}

#define LARGE_MAP(size) "/api/v1/namespaces/kube-public/configmaps/large-" size "?fieldManager=bench&force=true"
#define LARGE_LIST(size) "/apis/apps/v1/namespaces/kube-public/deployments/large-" size "?fieldManager=bench&force=true"
#define MAP_HEAD(size) "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"large-" size "\"},\"data\":{"
#define MAP_ITEM "%s\"key-%05d\":\"the value of a setting, of sixty bytes or so, number %08d\""
#define LIST_HEAD(size)                                                                                                    \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"large-" size "\"},\"spec\":{\"selector\":{"           \
    "\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":"  \
    "\"web\",\"image\":\"web\",\"env\":["
#define LIST_ITEM "%s{\"name\":\"VARIABLE_%05d\",\"value\":\"%d\"}"

/* Each of a pair is measured per item; four times as many may not cost more each. */
static void large_figures(void)
{
    static const struct large rows[][2] = {
        {{"apply of one key, ConfigMap of 256 KB", 4000, LARGE_MAP("a"), APPLY, MAP_HEAD("a"), MAP_ITEM, "}}"},
         {"  of 1 MB", 16000, LARGE_MAP("b"), APPLY, MAP_HEAD("b"), MAP_ITEM, "}}"}},
        {{"update of one key, ConfigMap of 256 KB", 4000, LARGE_MAP("a"), JSON, MAP_HEAD("a"), MAP_ITEM, "}}"},
         {"  of 1 MB", 16000, LARGE_MAP("b"), JSON, MAP_HEAD("b"), MAP_ITEM, "}}"}},
        {{"apply of one of 1,250 items of a list map", 1250, LARGE_LIST("a"), APPLY, LIST_HEAD("a"), LIST_ITEM, "]}]}}}}"},
         {"  of 5,000", 5000, LARGE_LIST("b"), APPLY, LIST_HEAD("b"), LIST_ITEM, "]}]}}}}"}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        double each[2];
        if (!strstr("large", only))
            continue;
        for (int k = 0; k < 2; k++) {
            load(1, 1, op_large, &rows[i][k]); /* it is there */
            load(1, 20 * times, op_large, &rows[i][k]);
            each[k] = lowest / rows[i][k].n * 1e6;
            figure(rows[i][k].what, each[k], "us for each", k ? 1.5 * each[0] : 0);
        }
    }
}

/* --- watchers --- */
static struct conn *watchers[N_WATCHERS];
static int watch_epoll;
static atomic_int n_events;
static atomic_size_t n_event_bytes;

/* Plays all watchers. An event is a chunk of its own or shares one; each ends with a newline, and JSON
 * escapes those within. */
static void *watchers_main(void *arg)
{
    (void)arg;
    for (;;) {
        struct epoll_event ready[N_WATCHERS];
        int n_ready = epoll_wait(watch_epoll, ready, N_WATCHERS, -1);
        for (int i = 0; i < n_ready; i++) {
            struct conn *c = ready[i].data.ptr;
            do {
                size_t n = strtoul(conn_line(c), NULL, 16);
                int lines = 0;
                for (atomic_fetch_add(&n_event_bytes, n); n > 0; n -= 1) {
                    if (c->pos == c->len)
                        conn_fill(c);
                    lines += c->buf[c->pos++] == '\n';
                }
                conn_skip(c, 2);
                atomic_fetch_add(&n_events, lines);
            } while (conn_has_more(c));
        }
    }
    return NULL;
}
static void wait_events(int n)
{
    double began = wall();
    while (atomic_load(&n_events) < n) {
        if (wall() - began > 60)
            fail("%d of %d events came", atomic_load(&n_events), n);
        usleep(500);
    }
}
static void watch_figures(void)
{
    enum { N_WRITES = 250 };
    double stored = rss_kb(), idle = load(1, N_WRITES, op_create, "kube-system"), rss = rss_kb();
    stored = rss - stored; /* by as many pods as the watchers will see twice */
    pthread_t thread;
    watch_epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < N_WATCHERS; i++) {
        long length;
        struct conn *c = watchers[i] = conn_open();
        ask(c, "GET", "/api/v1/namespaces/kube-public/pods?watch=1&resourceVersion=0", "", "");
        if (answer_head(c, &length) != 200)
            fail("a watch is refused");
        struct epoll_event in = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(watch_epoll, EPOLL_CTL_ADD, c->fd, &in);
    }
    usleep(200000);
    figure("memory of an idle watcher (connection included)", (rss_kb() - rss) / N_WATCHERS, "KB", 25);
    pthread_create(&thread, NULL, watchers_main, NULL);
    double before = cpu();
    load(1, N_WRITES, op_create, "kube-public");
    wait_events(N_WRITES * N_WATCHERS);
    figure("watch event of 3 KB to one of 200 watchers",
           ((cpu() - before) / N_WRITES - idle) / N_WATCHERS * 1e6, "us", 5);
    before = cpu();
    for (int i = 1; i <= N_WRITES; i++) {
        load(1, 1, op_create, "kube-public");
        wait_events((N_WRITES + i) * N_WATCHERS);
    }
    figure("  the same, the next write after all have it",
           ((cpu() - before) / N_WRITES - idle) / N_WATCHERS * 1e6, "us", 0);
    printf("  bytes of an event: %zu\n", atomic_load(&n_event_bytes) / (size_t)atomic_load(&n_events));
    figure("  memory of a watcher after these events, pods apart", (rss_kb() - rss - 2 * stored) / N_WATCHERS, "KB", 25);
}

static void read_figures(void)
{
    static const struct {
        const char *what;
        struct read_ctx ctx;
        int n_clients, n_ops;
        double factor;
        const char *unit;
        double target;
    } rows[] = {
        /* A client that waits for each answer lets the server fall asleep in between, and waking is most of the cost. */
        {"GET of a pod, resourceVersion=0, one client", {POD_PATH, ""}, 1, 16000, 1e6, "us", 22},
        {"GET of a pod, resourceVersion=0, 16 clients", {POD_PATH, ""}, 16, 2000, 1e6, "us", 22},
        {"LIST of 2,000 pods, JSON", {LIST_PATH, ""}, 2, 25, 1e3, "ms", 5},
        {"LIST of 2,000 pods, gzip", {LIST_PATH, "Accept-Encoding: gzip\r\n"}, 2, 100, 1e3, "ms", 1},
        {"LIST of 2,000 pods, protobuf", {LIST_PATH, "Accept: " PROTOBUF "\r\n"}, 2, 25, 1e3, "ms", 4},
        {"LIST of 500 pods as a Table",
         {"/api/v1/namespaces/default/pods?limit=500", "Accept: " TABLE "\r\n"},
         2,
         100,
         1e3,
         "ms",
         1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (!strstr(rows[i].what, only))
            continue;
        load(1, 2, op_read, &rows[i].ctx); /* warm */
        double took = load(rows[i].n_clients, rows[i].n_ops * times, op_read, &rows[i].ctx);
        figure(rows[i].what, took * rows[i].factor, rows[i].unit, rows[i].target);
        printf("  lowest of ten parts: %.2f\n", lowest * rows[i].factor);
        printf("  bytes: %zu%s\n", clients[0].conn->body_bytes, clients[0].conn->is_gzip ? " (gzip)" : "");
    }
}

/* How well concurrent writes share the syncs of the disk says much about their cost. */
static void write_figure(const char *what, int n_ops, op_fn *op, const void *ctx, double target)
{
    double commits = metric("keelson_sqlite_commits_total"), writes = metric("keelson_sqlite_writes_total"),
           began = wall();
    double took = load(N_CLIENTS, n_ops, op, ctx), seconds = wall() - began;
    commits = metric("keelson_sqlite_commits_total") - commits;
    writes = metric("keelson_sqlite_writes_total") - writes;
    figure(what, took * 1e6, "us", target);
    printf("  lowest of ten parts: %.2f\n", lowest * 1e6);
    if (commits > 0)
        printf("  commits: %.0f/s, with %.1f writes each\n", commits / seconds, writes / commits);
}

static void change_figures(void)
{
    static const struct {
        const char *what;
        op_fn *op;
        double target;
    } rows[] = {
        {"strategic merge patch of a pod's label, 16 clients", op_label, 150},
        {"server-side apply of one field of a deployment, 16 clients", op_apply, 250},
        {"apply of what is there already, 16 clients", op_apply_same, 120},
        {"update of one field of a deployment, 16 clients", op_update, 150},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (!strstr(rows[i].what, only))
            continue;
        if (rows[i].op != op_label)
            load(N_CLIENTS, 1, op_apply_same, NULL);
        write_figure(rows[i].what, 250 * times, rows[i].op, NULL, rows[i].target);
    }
}

static void write_figures(void)
{
    static const char create[] = "CREATE of a pod, 16 clients",
                      renew[] = "renewal of a Lease by merge patch, 16 clients";
    if (strstr(create, only))
        write_figure(create, 250 * times, op_create, "kube-node-lease", 100);
    if (!strstr(renew, only))
        return;
    make_leases();
    write_figure(renew, 400 * times, op_renew, NULL, 75);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 6) {
        fputs("usage: load SERVER DATA_DIR POD.json [WHAT [TIMES]]\n", stderr);
        return 2;
    }
    only = argc > 4 ? argv[4] : "";
    times = argc > 5 ? atoi(argv[5]) : 1;
    bench_init(argv);

    figure("first start, keys made, to readyz", start() * 1e3, "ms", 0);
    stop();
    double best = 1e9;
    for (int i = 0; i < (*only ? 1 : 5); i++) {
        forget_store();
        double took = start();
        best = took < best ? took : best;
        if (i < 4 && !*only)
            stop();
    }
    use_certificate();
    figure("start on an empty store to readyz, best of 5", best * 1e3, "ms", 50);
    usleep(300000);
    figure("idle memory", rss_kb() / 1024, "MB", 20);

    for (int i = 0; i < N_CLIENTS; i++)
        clients[i] = (struct client){.index = i, .conn = conn_open()};
    create_accounts(clients[0].conn);
    load(N_CLIENTS, N_PODS / N_CLIENTS, op_create, "default");
    figure("memory with 2,000 pods", rss_kb() / 1024, "MB", 0);
    read_figures();
    figure("memory with 2,000 pods, after all these lists", rss_kb() / 1024, "MB", 40);
    write_figures();
    change_figures();
    if (strstr("watch", only))
        watch_figures();
    large_figures(); /* last: what it frees would hide what others take */
    bench_is_over();
    kill(server, SIGKILL); /* the watchers are still there, and their thread ends with us */
    waitpid(server, NULL, 0);
    return 0;
}
