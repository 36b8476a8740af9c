/* SPDX-License-Identifier: Apache-2.0 */
/* forwarder.h - a network that fails at will between a client and a server on the loopback. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

enum forwarding {
    FORWARD_ALL,
    FORWARD_NO_ANSWERS, /* what the client sends arrives, what the server says is lost */
    FORWARD_CUT,        /* connections are broken and refused */
};

struct forwarder {
    int listener, port, target;
    pthread_t thread;
    atomic_int how; /* enum forwarding */
    atomic_bool is_over;
    atomic_size_t n_lost; /* bytes of answers */
    struct forwarded {
        int client, server;
    } pairs[128];
    int n;
};

static inline int forwarder_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static inline struct sockaddr_in forwarder_address(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
}

static inline void forwarder_close(struct forwarder *f, int i)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(f->pairs[i].client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(f->pairs[i].client);
    close(f->pairs[i].server);
    f->pairs[i] = f->pairs[--f->n];
}

static inline void forwarder_accept(struct forwarder *f)
{
    struct sockaddr_in a = forwarder_address(f->target);
    int client = accept(f->listener, NULL, NULL), server = forwarder_socket();
    if (atomic_load(&f->how) == FORWARD_CUT || f->n == 128 || connect(server, (struct sockaddr *)&a, sizeof(a)) < 0) {
        close(client);
        close(server);
        return;
    }
    f->pairs[f->n++] = (struct forwarded){client, server};
}

/* False: the connection is over. */
static inline bool forwarder_move(struct forwarder *f, int from, int to, bool is_answer)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof(bytes));
    if (n <= 0)
        return false;
    if (is_answer && atomic_load(&f->how) == FORWARD_NO_ANSWERS) {
        atomic_fetch_add(&f->n_lost, (size_t)n);
        return true;
    }
    for (ssize_t done = 0, k; done < n; done += k)
        if ((k = send(to, bytes + done, (size_t)(n - done), MSG_NOSIGNAL)) <= 0)
            return false;
    return true;
}

static inline void *forwarder_main(void *arg)
{
    struct forwarder *f = arg;
    while (!atomic_load(&f->is_over)) {
        struct pollfd p[257] = {{.fd = f->listener, .events = POLLIN}};
        int n = f->n;
        for (int i = 0; i < n; i++) {
            p[1 + 2 * i] = (struct pollfd){.fd = f->pairs[i].client, .events = POLLIN};
            p[2 + 2 * i] = (struct pollfd){.fd = f->pairs[i].server, .events = POLLIN};
        }
        poll(p, (nfds_t)(1 + 2 * n), 5);
        for (int i = n - 1; i >= 0; i--) {
            bool is_good = atomic_load(&f->how) != FORWARD_CUT;
            if (is_good && p[1 + 2 * i].revents)
                is_good = forwarder_move(f, f->pairs[i].client, f->pairs[i].server, false);
            if (is_good && p[2 + 2 * i].revents)
                is_good = forwarder_move(f, f->pairs[i].server, f->pairs[i].client, true);
            if (!is_good)
                forwarder_close(f, i);
        }
        if (p[0].revents)
            forwarder_accept(f);
    }
    return NULL;
}

static inline void forwarder_start(struct forwarder *f, int target)
{
    struct sockaddr_in a = forwarder_address(0);
    socklen_t n = sizeof(a);
    *f = (struct forwarder){.target = target, .listener = forwarder_socket()};
    ck_assert_int_eq(bind(f->listener, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(listen(f->listener, 64), 0);
    getsockname(f->listener, (struct sockaddr *)&a, &n);
    f->port = ntohs(a.sin_port);
    pthread_create(&f->thread, NULL, forwarder_main, f);
}

static inline void forwarder_set(struct forwarder *f, enum forwarding how)
{
    atomic_store(&f->how, (int)how);
    usleep(20000); /* it looks every 5 ms */
}

static inline void forwarder_stop(struct forwarder *f)
{
    atomic_store(&f->is_over, true);
    pthread_join(f->thread, NULL);
    while (f->n)
        forwarder_close(f, f->n - 1);
    close(f->listener);
}
