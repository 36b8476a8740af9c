/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - what the load programs share: the server as a child process, its CPU and memory, and clients with kept-alive
 * TLS connections. Whatever goes wrong ends the program with a sentence. CPU is the server's own (all its threads), read
 * from the kernel's clock of that process, so what the load itself burns beside it does not count. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define N_CLIENTS 16
#define JSON "application/json"
#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io"

/* From the arguments SERVER DATA_DIR POD.json; before all else. */
void bench_init(char **argv);
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

/* --- the server --- */
extern pid_t server;
extern const char *server_flag; /* one more for it, or NULL */
double start(void); /* the seconds until /readyz says yes */
void stop(void);
void forget_store(void);
void use_certificate(void); /* of the administrator; once the server has made it */

/* --- figures --- */
double wall(void); /* seconds */
double cpu(void); /* of the server, seconds */
double cpu_of(pid_t pid);
double rss_kb(void);
double peak_rss_kb(void);
double metric(const char *name); /* of the server's /metrics, without labels */
void figure(const char *what, double value, const char *unit, double target /* 0: none */);

/* --- one connection --- */
struct conn {
    void *ssl;
    int fd;
    size_t len, pos; /* of buf: read from the network, used */
    char buf[64 << 10];
    size_t body_bytes;
    bool is_gzip;
    char continue_token[512]; /* of the list that was answered, if it has one; "" else */
};
struct conn *conn_open(void);
void conn_close(struct conn *c);
bool conn_has_more(struct conn *c); /* to read without waiting */
void conn_fill(struct conn *c);
const char *conn_line(struct conn *c); /* without its end; valid until the next read */
void conn_skip(struct conn *c, size_t n);
void ask(struct conn *c, const char *method, const char *path, const char *more, const char *body);
int answer_head(struct conn *c, long *ret_length);
/* The answer's code; its body is read and forgotten, except for a refusal, which ends everything. */
int answer(struct conn *c);
void expect_success(struct conn *c);
void bench_is_over(void); /* other threads that read wait for the end from here on */

/* What pods run as, in one namespace and in those that every cluster has: a controller's work, where there is one. */
void create_account(struct conn *c, const char *namespace);
void create_accounts(struct conn *c);

/* --- many clients --- */
struct client {
    struct conn *conn;
    int index;
};
extern struct client clients[N_CLIENTS];
extern double lowest; /* of ten parts of the last load(): what the machine's other work disturbed least */
typedef void op_fn(struct client *, int i, const void *ctx);
/* Runs op n_ops times on each of n clients, each with one request under way, and returns the server's CPU
 * seconds per operation. One thread plays them all: a thread for each would sleep after each request, and the
 * kernel would charge its waking to the server, which a client across a network does not do. */
double load(int n, int n_ops, op_fn *op, const void *ctx);

struct read_ctx {
    const char *path, *headers;
};
void op_read(struct client *c, int i, const void *ctx);
extern char *pod_spec; /* "spec":{...},"status":{...}} of the pod, as text */
void op_create(struct client *c, int i, const void *namespace); /* a pod of 3 KB */
