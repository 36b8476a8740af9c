/* SPDX-License-Identifier: Apache-2.0 */
/* What a large store costs: 40,000 pods of 3 KB (124 MB of JSON) in twenty namespaces.
 *   scale SERVER DATA_DIR POD.json
 * Fills the store, starts the server anew on it, and prints the time of that start, memory per byte of JSON, the CPU of a
 * whole list in each form and of pages at its start and its end, and how long another connection of the same server
 * waits while lists run. */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PODS 40000
#define N_NAMESPACES 20
#define PAGE "500"
#define ALL "/api/v1/pods?resourceVersion=0"

static void create_namespaces(void)
{
    for (int i = 0; i < N_NAMESPACES; i++) {
        char body[128];
        snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"team-%02d\"}}", i);
        ask(clients[0].conn, "POST", "/api/v1/namespaces", "Content-Type: " JSON "\r\n", body);
        expect_success(clients[0].conn);
        snprintf(body, sizeof(body), "team-%02d", i);
        create_account(clients[0].conn, body);
    }
}

static void create_pods(void)
{
    double began = wall();
    create_namespaces();
    for (int i = 0; i < N_NAMESPACES; i++) {
        char namespace[16];
        snprintf(namespace, sizeof(namespace), "team-%02d", i);
        load(N_CLIENTS, N_PODS / N_NAMESPACES / N_CLIENTS, op_create, namespace);
    }
    printf("%d pods made in %.1f s\n", N_PODS, wall() - began);
    figure("memory after that, with the events of five minutes", rss_kb() / 1024, "MB", 0);
}

static void connect_clients(void)
{
    for (int i = 0; i < N_CLIENTS; i++)
        clients[i] = (struct client){.index = i, .conn = conn_open()};
}

static void disconnect_clients(void)
{
    for (int i = 0; i < N_CLIENTS; i++)
        conn_close(clients[i].conn);
}

/* The CPU of n lists, one after the other, the first one apart: what it makes is there for the next. */
static void list(const char *what, const char *headers, int n, double target, double json_bytes)
{
    const struct read_ctx ctx = {ALL, headers};
    char name[80];
    double first = load(1, 1, op_read, &ctx);
    double next = load(1, n, op_read, &ctx);
    snprintf(name, sizeof(name), "LIST of %d pods, %s", N_PODS, what);
    figure(name, next * 1e3, "ms", target);
    printf("  first: %.0f ms, lowest: %.1f ms, bytes: %zu\n", first * 1e3, lowest * 1e3, clients[0].conn->body_bytes);
    if (json_bytes > 0)
        figure("  memory after it, per byte of JSON", rss_kb() * 1024 / json_bytes, "", 0);
}

/* --- pages --- */

static double page(const char *token, char *ret_next, size_t max)
{
    char path[640];
    snprintf(path, sizeof(path), "/api/v1/pods?limit=" PAGE "%s%s", *token ? "&continue=" : "", token);
    const struct read_ctx ctx = {path, ""};
    load(1, 2, op_read, &ctx);
    snprintf(ret_next, max, "%s", clients[0].conn->continue_token);
    load(1, 100, op_read, &ctx);
    return lowest * 1e3;
}

static void pages(void)
{
    char token[512] = "", last[512] = "", other[512];
    int n = 1;
    double first = page("", token, sizeof(token));
    while (*token) {
        char path[640];
        memcpy(last, token, sizeof(last));
        snprintf(path, sizeof(path), "/api/v1/pods?limit=" PAGE "&continue=%s", token);
        op_read(&clients[0], 0, &(struct read_ctx){path, ""});
        expect_success(clients[0].conn);
        memcpy(token, clients[0].conn->continue_token, sizeof(token));
        n++;
    }
    if (n != N_PODS / atoi(PAGE))
        fail("the list has %d pages", n);
    figure("page of " PAGE " pods, the first", first, "ms", 0);
    figure("page of " PAGE " pods, the last", page(last, other, sizeof(other)), "ms", 1.15 * first);
}

/* --- others on the same event loop --- */

static atomic_bool is_listing;
static void *list_again(void *arg)
{
    struct client c = {.conn = arg};
    const struct read_ctx ctx = {ALL, ""};
    while (atomic_load(&is_listing)) {
        op_read(&c, 0, &ctx);
        expect_success(c.conn);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum { N_LISTS = 2, N_GETS = 600 };

static void time_gets(const char *what)
{
    static double took[N_GETS];
    const struct read_ctx get = {"/api/v1/namespaces/team-01", ""};
    for (int i = 0; i < N_GETS; i++) {
        struct client *c = &clients[N_LISTS + i % (N_CLIENTS - N_LISTS)];
        double began = wall();
        op_read(c, 0, &get);
        expect_success(c->conn);
        took[i] = wall() - began;
    }
    qsort(took, N_GETS, sizeof(*took), by_size);
    figure(what, took[N_GETS / 2] * 1e3, "ms", 0);
    printf("  of a hundred, the slowest: %.2f ms\n", took[N_GETS * 99 / 100] * 1e3);
}

/* How long a small GET takes, without and with lists on the event loops that serve it. */
static void fairness(void)
{
    pthread_t threads[N_LISTS];
    time_gets("a small GET, median");
    atomic_store(&is_listing, true);
    for (int i = 0; i < N_LISTS; i++)
        pthread_create(&threads[i], NULL, list_again, clients[i].conn);
    usleep(100000);
    time_gets("a small GET while two whole lists run, median");
    atomic_store(&is_listing, false);
    for (int i = 0; i < N_LISTS; i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: scale SERVER DATA_DIR POD.json\n", stderr);
        return 2;
    }
    bench_init(argv);
    start();
    use_certificate();
    connect_clients();
    create_pods();
    disconnect_clients();
    stop();

    double best = 1e9, idle = 0;
    for (int i = 0; i < 3; i++) {
        double took = start();
        best = took < best ? took : best;
        idle = cpu();
        if (i < 2)
            stop();
    }
    figure("start on 40,000 pods to readyz, best of 3", best * 1e3, "ms", 1000);
    printf("  CPU: %.0f ms\n", idle * 1e3);
    connect_clients();
    double loaded_kb = rss_kb();
    op_read(&clients[0], 0, &(struct read_ctx){ALL, ""});
    expect_success(clients[0].conn);
    double json = (double)clients[0].conn->body_bytes;
    printf("  JSON: %.1f MB\n", json / 1e6);
    figure("memory per byte of JSON, loaded", loaded_kb * 1024 / json, "", 1.6);
    figure("  at the most, while loading", peak_rss_kb() * 1024 / json, "", 0);
    list("JSON", "", 10, 120, json);
    fairness();
    pages();
    list("gzip", "Accept-Encoding: gzip\r\n", 10, 0, json);
    list("protobuf", "Accept: " PROTOBUF "\r\n", 10, 0, json);
    list("protobuf, gzip", "Accept-Encoding: gzip\r\nAccept: " PROTOBUF "\r\n", 3, 0, json);
    disconnect_clients();
    stop();
    return 0;
}
