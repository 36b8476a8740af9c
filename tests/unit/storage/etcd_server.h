/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_server.h - a real etcd for a test: the program that ETCD names, or Debian's. On free loopback ports, with data folders of
 * its own; it dies with the test. ETCD_MEMBERS=3 makes it a cluster of three: what is done to it is done to all members. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define ETCD_MEMBERS_MAX 5

struct etcd_member {
    pid_t pid; /* 0: none runs */
    char folder[256], url[64], peer_url[64];
};
struct etcd_server {
    struct etcd_member members[ETCD_MEMBERS_MAX];
    const char *urls[ETCD_MEMBERS_MAX];
    size_t n; /* 0: not started yet */
};

static inline size_t etcd_n_members(void)
{
    const char *n = getenv("ETCD_MEMBERS");
    int wanted = n && *n ? atoi(n) : 1;
    ck_assert_int_ge(wanted, 1);
    ck_assert_int_le(wanted, ETCD_MEMBERS_MAX);
    return (size_t)wanted;
}

static inline bool etcd_server_runs(const struct etcd_server *s)
{
    return s->n && s->members[0].pid;
}

static inline const char *etcd_program(void)
{
    const char *program = getenv("ETCD");
    return program && *program ? program : "/usr/bin/etcd";
}

static inline int etcd_free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static inline void etcd_member_start(struct etcd_member *m, size_t number, const char *cluster)
{
    m->pid = fork();
    ck_assert_int_ge(m->pid, 0);
    if (m->pid > 0)
        return;
    char log[300], name[16];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(log, sizeof(log), "%s.log", m->folder);
    snprintf(name, sizeof(name), "m%zu", number);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execl(etcd_program(), "etcd", "--name", name, "--data-dir", m->folder, "--listen-client-urls", m->url,
          "--advertise-client-urls", m->url, "--listen-peer-urls", m->peer_url, "--initial-advertise-peer-urls",
          m->peer_url, "--initial-cluster", cluster, (char *)NULL);
    _exit(127);
}

/* Again after etcd_server_kill: on the same ports, with the same data. */
static inline void etcd_server_start(struct etcd_server *s, const char *folder)
{
    char cluster[ETCD_MEMBERS_MAX * 80];
    size_t at = 0, n = etcd_n_members();
    for (size_t i = 0; i < n; i++) {
        struct etcd_member *m = &s->members[i];
        if (!s->n) {
            snprintf(m->folder, sizeof(m->folder), "%s/etcd%zu", folder, i);
            snprintf(m->url, sizeof(m->url), "http://127.0.0.1:%d", etcd_free_port());
            snprintf(m->peer_url, sizeof(m->peer_url), "http://127.0.0.1:%d", etcd_free_port());
            s->urls[i] = m->url;
        }
        at += (size_t)snprintf(cluster + at, sizeof(cluster) - at, "%sm%zu=%s", i ? "," : "", i, m->peer_url);
    }
    s->n = n;
    for (size_t i = 0; i < n; i++)
        etcd_member_start(&s->members[i], i, cluster);
}

static inline void etcd_server_signal(const struct etcd_server *s, int number)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->members[i].pid)
            kill(s->members[i].pid, number);
}

static inline void etcd_server_kill(struct etcd_server *s)
{
    etcd_server_signal(s, SIGKILL);
    for (size_t i = 0; i < s->n; i++) {
        if (s->members[i].pid)
            waitpid(s->members[i].pid, NULL, 0);
        s->members[i].pid = 0;
    }
}
