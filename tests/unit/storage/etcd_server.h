/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_server.h - a real etcd for a test: the program that ETCD names, or Debian's. On free loopback ports, with a data folder of
 * its own; it dies with the test. */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

struct etcd_server {
    pid_t pid; /* 0: none runs */
    char folder[256], url[64], peer_url[64];
};

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

/* Again after etcd_server_kill: on the same ports, with the same data. */
static inline void etcd_server_start(struct etcd_server *s, const char *folder)
{
    if (!s->url[0]) {
        snprintf(s->folder, sizeof(s->folder), "%s/etcd", folder);
        snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", etcd_free_port());
        snprintf(s->peer_url, sizeof(s->peer_url), "http://127.0.0.1:%d", etcd_free_port());
    }
    s->pid = fork();
    ck_assert_int_ge(s->pid, 0);
    if (s->pid > 0)
        return;
    char log[300], cluster[80];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(log, sizeof(log), "%s.log", s->folder);
    snprintf(cluster, sizeof(cluster), "default=%s", s->peer_url);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execl(etcd_program(), "etcd", "--data-dir", s->folder, "--listen-client-urls", s->url, "--advertise-client-urls",
          s->url, "--listen-peer-urls", s->peer_url, "--initial-advertise-peer-urls", s->peer_url,
          "--initial-cluster", cluster, (char *)NULL);
    _exit(127);
}

static inline void etcd_server_kill(struct etcd_server *s)
{
    if (!s->pid)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}
