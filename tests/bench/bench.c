/* SPDX-License-Identifier: Apache-2.0 */
/* The load programs' common part. */
#include "bench.h"

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

static const char *binary, *data_dir;
char *pod_spec; /* the pod file from its spec on */
pid_t server = -1;
static clockid_t server_clock;
static int port;
static SSL_CTX *tls;
static atomic_bool is_over;

void fail(const char *format, ...)
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

/* --- figures --- */
static double now(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) < 0)
        fail("the server is gone");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
double wall(void)
{
    return now(CLOCK_MONOTONIC);
}
double cpu(void)
{
    return now(server_clock);
}
double cpu_of(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? now(clock) : 0;
}
static double status_kb(const char *format)
{
    char path[64], text[256];
    double kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)server);
    FILE *f = fopen(path, "re");
    while (f && fgets(text, sizeof(text), f))
        if (sscanf(text, format, &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}
double rss_kb(void)
{
    return status_kb("VmRSS: %lf");
}
double peak_rss_kb(void)
{
    return status_kb("VmHWM: %lf");
}
void figure(const char *what, double value, const char *unit, double target)
{
    if (target > 0)
        printf("%-52s %9.2f %-3s  target %6.4g  %s\n", what, value, unit, target,
               value <= target ? "met" : "MISSED");
    else
        printf("%-52s %9.2f %-3s\n", what, value, unit);
    fflush(stdout);
}

/* --- one connection --- */
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
struct conn *conn_open(void)
{
    struct conn *c = conn_try();
    if (!c)
        fail("cannot connect: %s", strerror(errno));
    return c;
}
void conn_close(struct conn *c)
{
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

void conn_fill(struct conn *c)
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
const char *conn_line(struct conn *c)
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
        conn_fill(c);
    }
}
void conn_skip(struct conn *c, size_t n)
{
    while (n > 0) {
        if (c->pos == c->len)
            conn_fill(c);
        size_t have = c->len - c->pos < n ? c->len - c->pos : n;
        c->pos += have;
        n -= have;
    }
}

void ask(struct conn *c, const char *method, const char *path, const char *more, const char *body)
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
int answer_head(struct conn *c, long *ret_length)
{
    int code = 0;
    *ret_length = -1;
    c->is_gzip = false;
    if (sscanf(conn_line(c), "HTTP/1.1 %d", &code) != 1)
        fail("not an HTTP answer");
    for (const char *l; *(l = conn_line(c));) {
        if (!strncasecmp(l, "Content-Length:", 15))
            *ret_length = strtol(l + 15, NULL, 10);
        else if (!strcasecmp(l, "Content-Encoding: gzip"))
            c->is_gzip = true;
    }
    return code;
}
/* A list says it before its items. */
static void find_continue_token(struct conn *c)
{
    static const char key[] = "\"continue\":\"";
    c->continue_token[0] = 0;
    if (c->pos == c->len)
        conn_fill(c);
    size_t n = c->len - c->pos < 1024 ? c->len - c->pos : 1024;
    const char *at = memmem(c->buf + c->pos, n, key, sizeof(key) - 1), *end;
    if (!at)
        return;
    at += sizeof(key) - 1;
    end = memchr(at, '"', (size_t)(c->buf + c->len - at));
    if (end && (size_t)(end - at) < sizeof(c->continue_token))
        snprintf(c->continue_token, sizeof(c->continue_token), "%.*s", (int)(end - at), at);
}
int answer(struct conn *c)
{
    long length;
    int code = answer_head(c, &length);
    c->body_bytes = 0;
    if (length > 0)
        find_continue_token(c);
    if (code >= 300 && length > 0 && length < 4096) {
        while (c->len - c->pos < (size_t)length && c->len < sizeof(c->buf))
            conn_fill(c);
        if (code != 503 && code != 500 && code != 403) /* so it is while the server starts */
            fail("answer %d: %.*s", code, (int)length, c->buf + c->pos);
    }
    if (length >= 0) {
        conn_skip(c, (size_t)length);
        c->body_bytes = (size_t)length;
        return code;
    }
    for (size_t n; (n = strtoul(conn_line(c), NULL, 16)) > 0; conn_skip(c, 2)) {
        conn_skip(c, n);
        c->body_bytes += n;
    }
    conn_line(c);
    return code;
}
void expect_success(struct conn *c)
{
    int code = answer(c);
    if (code != 200 && code != 201)
        fail("answer %d", code);
}

/* The metrics are one answer with a length. */
double metric(const char *name)
{
    struct conn *c = conn_open();
    double value = 0;
    size_t n = strlen(name);
    long left;
    ask(c, "GET", "/metrics", "", "");
    if (answer_head(c, &left) != 200 || left < 0)
        fail("no metrics");
    while (left > 0) {
        size_t have = c->len - c->pos;
        if (have == 0 || (have < 4096 && (long)have < left)) {
            memmove(c->buf, c->buf + c->pos, have);
            c->len = have;
            c->pos = 0;
            conn_fill(c);
            continue;
        }
        const char *at = c->buf + c->pos, *end = memchr(at, '\n', have);
        size_t line = end ? (size_t)(end - at) + 1 : have;
        if (line > n + 1 && !memcmp(at, name, n) && at[n] == ' ')
            value = strtod(at + n + 1, NULL);
        c->pos += line;
        left -= (long)line;
    }
    conn_close(c);
    return value;
}

/* --- the server --- */
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
const char *server_flag;
double start(void)
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
        execl(binary, binary, data, "--bind-address=127.0.0.1", at, server_flag, (char *)NULL);
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
void stop(void)
{
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
}
void forget_store(void)
{
    static const char *const names[] = {"keelson.db", "keelson.db-wal", "keelson.db-shm"};
    char path[512];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", data_dir, names[i]);
        unlink(path);
    }
}

/* --- many clients --- */
struct client clients[N_CLIENTS];
double lowest;

double load(int n, int n_ops, op_fn *op, const void *ctx)
{
    double before = cpu(), last = before;
    int part = (n_ops + 9) / 10;
    lowest = 0;
    for (int i = 0; i < n_ops; i++) {
        for (int k = 0; k < n; k++)
            op(&clients[k], i, ctx);
        for (int k = 0; k < n; k++)
            expect_success(clients[k].conn);
        if ((i + 1) % part == 0) {
            double took = (cpu() - last) / n / part;
            lowest = lowest == 0 || took < lowest ? took : lowest;
            last = cpu();
        }
    }
    return (cpu() - before) / n / n_ops;
}

void op_read(struct client *c, int i, const void *ctx)
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
void create_account(struct conn *c, const char *namespace)
{
    char path[128];
    snprintf(path, sizeof(path), "/api/v1/namespaces/%s/serviceaccounts", namespace);
    ask(c, "POST", path, "Content-Type: " JSON "\r\n", "{\"metadata\":{\"name\":\"default\"}}");
    expect_success(c);
}
void create_accounts(struct conn *c)
{
    static const char *const namespaces[] = {"default", "kube-node-lease", "kube-public", "kube-system"};
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
        create_account(c, namespaces[i]);
}
void op_create(struct client *c, int i, const void *namespace)
{
    static int serial;
    char name[64];
    (void)i;
    snprintf(name, sizeof(name), "web-6d5f7c9b8-%05d", serial++);
    create_pod(c->conn, namespace, name);
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
void use_certificate(void)
{
    char cert[512], key[512];
    snprintf(cert, sizeof(cert), "%s/pki/admin.crt", data_dir);
    snprintf(key, sizeof(key), "%s/pki/admin.key", data_dir);
    if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        fail("no client certificate in %s/pki", data_dir);
}

bool conn_has_more(struct conn *c)
{
    return c->pos < c->len || SSL_has_pending(c->ssl);
}
void bench_is_over(void)
{
    atomic_store(&is_over, true);
}
void bench_init(char **argv)
{
    binary = argv[1];
    data_dir = argv[2];
    pod_spec = strstr(read_file(argv[3]), "\"spec\":");
    if (!pod_spec)
        fail("no spec in %s", argv[3]);
    signal(SIGPIPE, SIG_IGN);
    /* Our own child on the loopback: its certificate is not looked at. */
    tls = SSL_CTX_new(TLS_client_method());
}
