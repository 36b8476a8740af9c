/* SPDX-License-Identifier: Apache-2.0 */
/* What many watchers cost: 10,000 connections, each with one watch of one namespace's pods.
 *   watchers SERVER DATA_DIR POD.json [COUNT]
 * Prints the memory of one while all are idle, what they add to requests that do not concern them, and what events to
 * all of them cost. Every watcher must get every event, in order; anything else ends the program with 1. */
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_BYTES (8 << 10) /* an event is about 3 KB */
#define N_EVENTS 20
#define POD "/api/v1/namespaces/default/pods/web-6d5f7c9b8-00010?resourceVersion=0"

struct watcher {
    struct conn *conn;
    size_t n; /* of line */
    long last; /* the serial number in the last event's name */
    char line[LINE_BYTES];
};
static int watch_epoll;
static atomic_long n_events;

static void take_line(struct watcher *w)
{
    static const char key[] = "\"name\":\"web-6d5f7c9b8-";
    w->line[w->n] = '\0';
    const char *name = strstr(w->line, key);
    long serial = name ? strtol(name + sizeof(key) - 1, NULL, 10) : -1;
    if (serial < 0 || (w->last >= 0 && serial != w->last + 1))
        fail("after pod %ld came %.80s", w->last, w->line);
    w->last = serial;
    w->n = 0;
    atomic_fetch_add(&n_events, 1);
}

static void read_chunk(struct watcher *w)
{
    struct conn *c = w->conn;
    for (size_t n = strtoul(conn_line(c), NULL, 16); n > 0; n--) {
        if (c->pos == c->len)
            conn_fill(c);
        char byte = c->buf[c->pos++];
        if (byte == '\n')
            take_line(w);
        else if (w->n < LINE_BYTES - 1)
            w->line[w->n++] = byte;
    }
    conn_skip(c, 2);
}

static void *play_watchers(void *arg)
{
    (void)arg;
    for (;;) {
        struct epoll_event ready[256];
        int n_ready = epoll_wait(watch_epoll, ready, 256, -1);
        for (int i = 0; i < n_ready; i++) {
            struct watcher *w = ready[i].data.ptr;
            do
                read_chunk(w);
            while (conn_has_more(w->conn));
        }
    }
    return NULL;
}

static void open_watch(struct watcher *w)
{
    long length;
    w->last = -1;
    w->conn = conn_open();
    ask(w->conn, "GET", "/api/v1/namespaces/kube-public/pods?watch=1&resourceVersion=0", "", "");
    if (answer_head(w->conn, &length) != 200)
        fail("a watch is refused");
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = w};
    epoll_ctl(watch_epoll, EPOLL_CTL_ADD, w->conn->fd, &in);
}

static void wait_events(long n)
{
    double began = wall();
    while (atomic_load(&n_events) < n) {
        if (wall() - began > 120)
            fail("%ld of %ld events came", atomic_load(&n_events), n);
        usleep(500);
    }
}

static void others(const char *when)
{
    static const struct read_ctx get = {POD, ""};
    char name[80];
    snprintf(name, sizeof(name), "GET of a pod, 16 clients, %s", when);
    load(N_CLIENTS, 400, op_read, &get);
    figure(name, lowest * 1e6, "us", 0);
    snprintf(name, sizeof(name), "CREATE of a pod elsewhere, 16 clients, %s", when);
    load(N_CLIENTS, 100, op_create, "kube-node-lease");
    figure(name, lowest * 1e6, "us", 0);
}

static void events(int n)
{
    double idle = load(1, N_EVENTS, op_create, "default"), before = cpu(), began = wall();
    load(1, 1, op_create, "kube-public");
    wait_events(n);
    figure("one event, until the last watcher has it", (wall() - began) * 1e3, "ms", 0);
    load(1, N_EVENTS - 1, op_create, "kube-public");
    wait_events((long)N_EVENTS * n);
    figure("CPU of an event for one watcher", ((cpu() - before) / N_EVENTS - idle) / n * 1e6, "us", 0);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: watchers SERVER DATA_DIR POD.json [COUNT]\n", stderr);
        return 2;
    }
    int n = argc > 4 ? atoi(argv[4]) : 10000;
    pthread_t thread;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    bench_init(argv);
    start();
    use_certificate();
    for (int i = 0; i < N_CLIENTS; i++)
        clients[i] = (struct client){.index = i, .conn = conn_open()};
    create_accounts(clients[0].conn);
    load(N_CLIENTS, 20, op_create, "default");
    others("no watcher");

    struct watcher *watchers = calloc((size_t)n, sizeof(*watchers));
    double rss = rss_kb(), began = cpu();
    watch_epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < n; i++)
        open_watch(&watchers[i]);
    usleep(500000);
    printf("%d watchers\n", n);
    figure("CPU of connecting one, handshake included", (cpu() - began) / n * 1e6, "us", 0);
    figure("memory of one, connection included", (rss_kb() - rss) / n, "KB", 25);
    others("all idle");
    pthread_create(&thread, NULL, play_watchers, NULL);
    events(n);
    sleep(1);
    figure("memory of one after these events", (rss_kb() - rss) / n, "KB", 25);
    bench_is_over();
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}
