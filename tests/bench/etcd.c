/* SPDX-License-Identifier: Apache-2.0 */
/* The server over a real etcd (the program that ETCD names, or Debian's), which runs beside it on the same cores: CPU of both
 * apart, and how many writes a second they manage together. Run by tests/bench/run with ENGINE=etcd. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define LIST_PATH "/api/v1/namespaces/default/pods"

static pid_t etcd;

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&a, n) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        fail("no free port");
    close(fd);
    return ntohs(a.sin_port);
}

static void start_etcd(const char *folder, const char *url)
{
    const char *program = getenv("ETCD");
    char data[512], peer[64], cluster[80], log[520];
    snprintf(data, sizeof(data), "%s/etcd", folder);
    snprintf(log, sizeof(log), "%s.log", data);
    snprintf(peer, sizeof(peer), "http://127.0.0.1:%d", free_port());
    snprintf(cluster, sizeof(cluster), "default=%s", peer);
    etcd = fork();
    if (etcd != 0)
        return;
    int fd = open(log, O_WRONLY | O_CREAT, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execlp(program && *program ? program : "etcd", "etcd", "--data-dir", data, "--listen-client-urls", url,
           "--advertise-client-urls", url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
           "--initial-cluster", cluster, (char *)NULL);
    _exit(127);
}

/* What n operations of each client cost in both processes. */
static double both(const char *what, int n_clients, int n_ops, op_fn *op, const void *ctx, double target)
{
    double before = cpu_of(etcd), began = wall(), took = load(n_clients, n_ops, op, ctx), seconds = wall() - began;
    int n = n_clients * n_ops;
    figure(what, took * 1e6, "us", target);
    printf("  etcd's CPU: %.0f us; %.0f a second\n", (cpu_of(etcd) - before) / n * 1e6, n / seconds);
    return took;
}

int main(int argc, char **argv)
{
    static const struct read_ctx newest = {LIST_PATH, ""}, any = {LIST_PATH "?resourceVersion=0", ""},
                                 get_newest = {LIST_PATH "/web-6d5f7c9b8-00007", ""},
                                 get_any = {LIST_PATH "/web-6d5f7c9b8-00007?resourceVersion=0", ""};
    char url[64], flag[80];
    if (argc < 4) {
        fputs("usage: etcd SERVER DATA_DIR POD.json\n", stderr);
        return 2;
    }
    bench_init(argv);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", free_port());
    snprintf(flag, sizeof(flag), "--etcd-servers=%s", url);
    server_flag = flag;
    start_etcd(argv[2], url);
    start();
    use_certificate();
    for (int i = 0; i < N_CLIENTS; i++)
        clients[i] = (struct client){.index = i, .conn = conn_open()};
    create_accounts(clients[0].conn);
    load(N_CLIENTS, 2000 / N_CLIENTS, op_create, "default");
    both("CREATE of a pod over etcd, 16 clients", N_CLIENTS, 250, op_create, "kube-node-lease", 250);
    both("CREATE of a pod over etcd, one client", 1, 500, op_create, "kube-node-lease", 0);
    both("GET of a pod, any version, 16 clients", N_CLIENTS, 500, op_read, &get_any, 0);
    both("GET of a pod, the newest, 16 clients", N_CLIENTS, 500, op_read, &get_newest, 0);
    for (int i = 0; i < 2; i++) {
        double cached = both("LIST of 2,000 pods, any version, 16 clients", N_CLIENTS, 8, op_read, &any, 0);
        double fresh = both("LIST of 2,000 pods, the newest, 16 clients", N_CLIENTS, 8, op_read, &newest, 0);
        printf("  the newest costs %+.1f %%\n", (fresh / cached - 1) * 100);
    }
    stop();
    double again = start();
    figure("start with 7,000 pods in etcd, to readyz", again * 1e3, "ms", 0);
    bench_is_over();
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    kill(etcd, SIGKILL);
    waitpid(etcd, NULL, 0);
    return 0;
}
