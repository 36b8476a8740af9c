/* SPDX-License-Identifier: Apache-2.0 */
/* What the server costs, measured from outside: starts it, loads it over kept-alive TLS connections with the
 * administrator's client certificate, and prints one line per figure with its target beside it.
 *   load SERVER DATA_DIR POD.json
 * CPU is the server's own (all its threads), read from the kernel's clock of that process before and after
 * many operations, so what the load itself burns beside it does not count. The watch figure is what 200
 * watchers add to the same writes made without them. Exits with 1 when an answer is not what it should be; a
 * missed target is only marked. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_CLIENTS 16
#define N_PODS 2000
#define N_WATCHERS 200
#define JSON "application/json"
#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io"
#define LIST_PATH "/api/v1/namespaces/default/pods?resourceVersion=0"

static const char *binary, *data_dir;
static char *pod_spec; /* the pod file from its spec on */
static pid_t server = -1;
static clockid_t server_clock;
static int port;
static SSL_CTX *tls;
static atomic_bool is_over;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    if (server > 0)
        kill(server, SIGKILL);
    exit(1);
}

/* --- figures
 * ---------------------------------------------------------------------------------------------------- */
static double now(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) < 0)
        fail("the server is gone");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static double cpu(void)
{
    return now(server_clock);
}
static double rss_kb(void)
{
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)server);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmRSS: %lf", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}
static void figure(const char *what, double value, const char *unit, double target)
{
    if (target > 0)
        printf("%-52s %9.2f %-3s  target %6g  %s\n", what, value, unit, target,
               value <= target ? "met" : "MISSED");
    else
        printf("%-52s %9.2f %-3s\n", what, value, unit);
    fflush(stdout);
}

/* --- one connection
 * --------------------------------------------------------------------------------------------- */
struct conn {
    SSL *ssl;
    int fd;
    size_t len, pos; /* of buf: read from the network, used */
    char buf[64 << 10];
    size_t body_bytes;
    bool is_gzip;
};

static struct conn *conn_try(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        close(fd);
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct conn *c = calloc(1, sizeof(*c));
    *c = (struct conn){.ssl = SSL_new(tls), .fd = fd};
    SSL_set_fd(c->ssl, fd);
    if (SSL_connect(c->ssl) != 1)
        fail("TLS with the server fails");
    return c;
}
static struct conn *conn_open(void)
{
    struct conn *c = conn_try();
    if (!c)
        fail("cannot connect: %s", strerror(errno));
    return c;
}
static void conn_close(struct conn *c)
{
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

static void fill(struct conn *c)
{
    if (c->pos == c->len)
        c->pos = c->len = 0;
    int n = SSL_read(c->ssl, c->buf + c->len, (int)(sizeof(c->buf) - c->len));
    while (n <= 0 && atomic_load(&is_over))
        pause(); /* the watchers' thread, when main has ended the server */
    if (n <= 0)
        fail("the server closed a connection");
    c->len += (size_t)n;
}
static const char *line(struct conn *c) /* without its end; valid until the next read */
{
    for (;;) {
        char *end = memmem(c->buf + c->pos, c->len - c->pos, "\r\n", 2);
        if (end) {
            char *start = c->buf + c->pos;
            *end = 0;
            c->pos = (size_t)(end + 2 - c->buf);
            return start;
        }
        memmove(c->buf, c->buf + c->pos, c->len - c->pos);
        c->len -= c->pos;
        c->pos = 0;
        fill(c);
    }
}
static void skip(struct conn *c, size_t n)
{
    while (n > 0) {
        if (c->pos == c->len)
            fill(c);
        size_t have = c->len - c->pos < n ? c->len - c->pos : n;
        c->pos += have;
        n -= have;
    }
}

static void ask(struct conn *c, const char *method, const char *path, const char *more, const char *body)
{
    char head[1024];
    int n = snprintf(head, sizeof(head),
                     "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\n%sContent-Length: %zu\r\n\r\n",
                     method, path, more, strlen(body));
    char *all = malloc((size_t)n + strlen(body) + 1);
    memcpy(all, head, (size_t)n);
    memcpy(all + n, body, strlen(body) + 1);
    if (SSL_write(c->ssl, all, n + (int)strlen(body)) <= 0)
        fail("cannot send");
    free(all);
}
/* Returns the answer's code; its body is read and forgotten, except for a refusal, which ends everything. */
static int answer_head(struct conn *c, long *ret_length)
{
    int code = 0;
    *ret_length = -1;
    c->is_gzip = false;
    if (sscanf(line(c), "HTTP/1.1 %d", &code) != 1)
        fail("not an HTTP answer");
    for (const char *l; *(l = line(c));) {
        if (!strncasecmp(l, "Content-Length:", 15))
            *ret_length = strtol(l + 15, NULL, 10);
        else if (!strcasecmp(l, "Content-Encoding: gzip"))
            c->is_gzip = true;
    }
    return code;
}
static int answer(struct conn *c)
{
    long length;
    int code = answer_head(c, &length);
    c->body_bytes = 0;
    if (code >= 300 && length > 0 && length < 4096) {
        while (c->len - c->pos < (size_t)length && c->len < sizeof(c->buf))
            fill(c);
        if (code != 503 && code != 500)
            fail("answer %d: %.*s", code, (int)length, c->buf + c->pos);
    }
    if (length >= 0) {
        skip(c, (size_t)length);
        c->body_bytes = (size_t)length;
        return code;
    }
    for (size_t n; (n = strtoul(line(c), NULL, 16)) > 0; skip(c, 2)) {
        skip(c, n);
        c->body_bytes += n;
    }
    line(c);
    return code;
}
static void expect_success(struct conn *c)
{
    int code = answer(c);
    if (code != 200 && code != 201)
        fail("answer %d", code);
}

/* --- the server
 * ------------------------------------------------------------------------------------------------- */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&a, len) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        fail("no free port");
    close(fd);
    return ntohs(a.sin_port);
}
/* Starts the server and returns the seconds until /readyz says yes. */
static double start(void)
{
    char data[512], at[32];
    snprintf(data, sizeof(data), "--data-dir=%s", data_dir);
    snprintf(at, sizeof(at), "--secure-port=%d", port = free_port());
    double began = now(CLOCK_MONOTONIC);
    server = fork();
    if (server == 0) {
        char log[512];
        snprintf(log, sizeof(log), "%s/log", data_dir);
        if (!freopen(log, "w", stderr) || !freopen("/dev/null", "w", stdout))
            _exit(126);
        execl(binary, binary, data, "--bind-address=127.0.0.1", at, (char *)NULL);
        _exit(127);
    }
    clock_getcpuclockid(server, &server_clock);
    struct conn *c;
    while (!(c = conn_try())) {
        if (waitpid(server, NULL, WNOHANG) != 0)
            fail("the server does not start; see %s/log", data_dir);
        usleep(200);
    }
    int code;
    do
        ask(c, "GET", "/readyz", "", "");
    while ((code = answer(c)) != 200);
    double took = now(CLOCK_MONOTONIC) - began;
    conn_close(c);
    return took;
}
static void stop(void)
{
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
}
static void forget_store(void)
{
    static const char *const names[] = {"keelson.db", "keelson.db-wal", "keelson.db-shm"};
    char path[512];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", data_dir, names[i]);
        unlink(path);
    }
}

/* --- many clients
 * ------------------------------------------------------------------------------------------------ */
struct client {
    struct conn *conn;
    int index;
};
static struct client clients[N_CLIENTS];
typedef void op_fn(struct client *, int i, const void *ctx);

/* Runs op n_ops times on each of n clients, each with one request under way, and returns the server's CPU
 * seconds per operation. One thread plays them all: a thread for each would sleep after each request, and the
 * kernel would charge its waking to the server, which a client across a network does not do. */
static double load(int n, int n_ops, op_fn *op, const void *ctx)
{
    double before = cpu();
    for (int i = 0; i < n_ops; i++) {
        for (int k = 0; k < n; k++)
            op(&clients[k], i, ctx);
        for (int k = 0; k < n; k++)
            expect_success(clients[k].conn);
    }
    return (cpu() - before) / n / n_ops;
}

struct read_ctx {
    const char *path, *headers;
};
static void op_read(struct client *c, int i, const void *ctx)
{
    const struct read_ctx *r = ctx;
    (void)i;
    ask(c->conn, "GET", r->path, r->headers, "");
}
static void create_pod(struct conn *c, const char *namespace, const char *name)
{
    static const char format[] = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\","
                                 "\"labels\":{\"app.kubernetes.io/"
                                 "name\":\"web\",\"pod-template-hash\":\"6d5f7c9b8\"},\"annotations\":{"
                                 "\"example.com/notes\":\"%s\"}},%s";
    char path[128], notes[1200] = "", body[8192];
    snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods", namespace);
    /* What a running pod gains in status and managed fields; the words differ from pod to pod. */
    for (size_t n = 0, i = strtoul(name + strlen(name) - 5, NULL, 10); n + 12 < sizeof(notes);
         i = i * 1103515245 + 12345)
        n += (size_t)snprintf(notes + n, sizeof(notes) - n, "%s-%02zu ", i & 4096 ? "ready" : "node",
                              i >> 16 & 63);
    snprintf(body, sizeof(body), format, name, notes, pod_spec);
    ask(c, "POST", path, "Content-Type: " JSON "\r\n", body);
}
static void op_create(struct client *c, int i, const void *namespace)
{
    static int serial;
    char name[64];
    (void)i;
    snprintf(name, sizeof(name), "web-6d5f7c9b8-%05d", serial++);
    create_pod(c->conn, namespace, name);
}
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

/* --- watchers
 * ----------------------------------------------------------------------------------------------------- */
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
                size_t n = strtoul(line(c), NULL, 16);
                int lines = 0;
                for (atomic_fetch_add(&n_event_bytes, n); n > 0; n -= 1) {
                    if (c->pos == c->len)
                        fill(c);
                    lines += c->buf[c->pos++] == '\n';
                }
                skip(c, 2);
                atomic_fetch_add(&n_events, lines);
            } while (c->pos < c->len || SSL_has_pending(c->ssl));
        }
    }
    return NULL;
}
static void wait_events(int n)
{
    double began = now(CLOCK_MONOTONIC);
    while (atomic_load(&n_events) < n) {
        if (now(CLOCK_MONOTONIC) - began > 60)
            fail("%d of %d events came", atomic_load(&n_events), n);
        usleep(500);
    }
}
static void watch_figures(void)
{
    enum { N_WRITES = 250 };
    double idle = load(1, N_WRITES, op_create, "kube-system"), rss = rss_kb();
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
    figure("  memory of a watcher after these events", (rss_kb() - rss) / N_WATCHERS, "KB", 0);
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = calloc(1, 64 << 10);
    if (!f || fread(text, 1, (64 << 10) - 1, f) == 0)
        fail("cannot read %s", path);
    fclose(f);
    return text;
}
static void use_certificate(void)
{
    char cert[512], key[512];
    snprintf(cert, sizeof(cert), "%s/pki/admin.crt", data_dir);
    snprintf(key, sizeof(key), "%s/pki/admin.key", data_dir);
    if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        fail("no client certificate in %s/pki", data_dir);
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
        {"GET of a pod, resourceVersion=0",
         {"/api/v1/namespaces/default/pods/web-6d5f7c9b8-01000?resourceVersion=0", ""},
         8,
         4000,
         1e6,
         "us",
         22},
        {"LIST of 2,000 pods", {LIST_PATH, ""}, 2, 25, 1e3, "ms", 5},
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
        load(1, 2, op_read, &rows[i].ctx); /* warm */
        double took = load(rows[i].n_clients, rows[i].n_ops, op_read, &rows[i].ctx);
        figure(rows[i].what, took * rows[i].factor, rows[i].unit, rows[i].target);
        printf("  bytes: %zu%s\n", clients[0].conn->body_bytes, clients[0].conn->is_gzip ? " (gzip)" : "");
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: load SERVER DATA_DIR POD.json\n", stderr);
        return 2;
    }
    binary = argv[1];
    data_dir = argv[2];
    pod_spec = strstr(read_file(argv[3]), "\"spec\":");
    if (!pod_spec)
        fail("no spec in %s", argv[3]);
    signal(SIGPIPE, SIG_IGN);
    /* Our own child on the loopback: its certificate is not looked at. */
    tls = SSL_CTX_new(TLS_client_method());

    figure("first start, keys made, to readyz", start() * 1e3, "ms", 0);
    stop();
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        forget_store();
        double took = start();
        best = took < best ? took : best;
        if (i < 4)
            stop();
    }
    use_certificate();
    figure("start on an empty store to readyz, best of 5", best * 1e3, "ms", 50);
    usleep(300000);
    figure("idle memory", rss_kb() / 1024, "MB", 20);

    for (int i = 0; i < N_CLIENTS; i++)
        clients[i] = (struct client){.index = i, .conn = conn_open()};
    load(N_CLIENTS, N_PODS / N_CLIENTS, op_create, "default");
    figure("memory with 2,000 pods", rss_kb() / 1024, "MB", 0);
    read_figures();
    figure("memory with 2,000 pods, after all these lists", rss_kb() / 1024, "MB", 40);
    figure("CREATE of a pod, 16 clients", load(N_CLIENTS, 250, op_create, "kube-node-lease") * 1e6, "us",
           100);
    make_leases();
    figure("renewal of a Lease by merge patch, 16 clients", load(N_CLIENTS, 400, op_renew, NULL) * 1e6, "us",
           75);
    watch_figures();
    atomic_store(&is_over, true);
    kill(server, SIGKILL); /* the watchers are still there, and their thread ends with us */
    waitpid(server, NULL, 0);
    return 0;
}
