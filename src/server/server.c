/* SPDX-License-Identifier: Apache-2.0 */
/* The wiring: who gets what. The one place that knows all floors.
 *
 * Start: settings, keys, store, registry, identity, admission, endpoints, listener, hooks; each step fails with one sentence and the
 * steps before it are undone. The hooks come behind the listener since they write down its port; readyz names each one
 * that has not finished.
 * End (SIGTERM, SIGINT): readyz fails, the shutdown delay passes, no new work is taken, watches end cleanly, running
 * requests end within the grace period, then the store is closed. A second signal ends the process at once. */
#include "server.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/sha.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admission.h"
#include "authn.h"
#include "authz.h"
#include "endpoints.h"
#include "server/feature_gates.h"
#include "server/hooks.h"
#include "server/identity.h"
#include "server/notify.h"
#include "server/permissions.h"
#include "server/pki.h"
#include "server/presence.h"
#include "server/runtime_config.h"
#include "server/service_ranges.h"
#include "server/service_upkeep.h"
#include "server/serving.h"
#include "server/stores.h"

/* Shared with the readiness checks; the rest of the process's life is on the main thread's stack. */
struct lifecycle {
    atomic_bool is_ending;
    atomic_bool takes_no_work; /* the shutdown delay is over */
    bool sends_retry_after;    /* what new requests are told then */
    atomic_bool *hook_is_done; /* one for each hook */
};

struct server {
    const struct settings *settings;
    struct arena *arena; /* what lives as long as the process */
    struct pki_paths pki;
    bool has_pki; /* the certificates are of our own making */
    const char *advertise_address, *service_ip;
    enum reconciler reconciler;
    struct service_ranges services;
    struct workers *workers;
    struct timers *timers;
    struct runtime_config *runtime_config;
    struct encryption *encryption; /* NULL: none */
    struct stores stores;
    struct registry *registry;
    struct presence *presence; /* NULL: no other servers */
    struct service_upkeep *service_upkeep;
    struct lifecycle lifecycle;
    struct wiring wiring;
    struct aggregation *aggregation;
    struct authz_config *authz_config;
    struct admission *admission;
    struct serving *serving;
    struct listener *listener;
};

/* --- requests that come too late -------------------------------------------------------------------------------------------- */

static bool may_come_late(const struct request *r)
{
    static const char *const prefixes[] = {"/readyz", "/livez", "/healthz", "/metrics"};
    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++)
        if (text_starts(r->path, text_of(prefixes[i])))
            return true;
    return text_starts(request_header(r, "User-Agent"), TEXT("kube-apiserver/"));
}

/* Once the shutdown delay is over, connections that are still open get no new work done. Source: kubernetes/apiserver
 * pkg/server/filters/with_retry_after.go (with --shutdown-send-retry-after), waitgroup.go (without). */
static enum flow enter_shutdown(struct request *r)
{
    const struct lifecycle *l = r->wiring->lifecycle;
    struct status st = {0};
    struct buffer b = BUFFER_IN(r->arena);

    if (!atomic_load_explicit(&l->takes_no_work, memory_order_relaxed) || may_come_late(r))
        return FLOW_NEXT;
    response_set_header(r, "X-Content-Type-Options", TEXT("nosniff"));
    if (l->sends_retry_after) {
        response_set_header(r, "Connection", TEXT("close"));
        response_set_header(r, "Retry-After", TEXT("5"));
        response_bytes(r, 429, "text/plain; charset=utf-8",
                       TEXT("The apiserver is shutting down, please try again later.\n"));
        return FLOW_DONE;
    }
    response_set_header(r, "Retry-After", TEXT("1"));
    status_set(&st, STATUS_SERVICE_UNAVAILABLE, "apiserver is shutting down");
    status_write_json(&b, &st);
    status_clear(&st);
    buffer_add_str(&b, "\n\n"); /* one of the encoder, one of the printer */
    response_bytes(r, 503, "application/json", buffer_text(&b));
    return FLOW_DONE;
}

static const struct filter filter_shutdown = {.name = "shutdown", .enter = enter_shutdown};

/* Audit and impersonation stand around authorization, flow control before it, once they are built; see
 * docs/architecture.md. */
static const struct filter *const chain[] = {
    &filter_response_headers, &filter_request_info,  &filter_shutdown,  &filter_request_deadline,
    &filter_authentication,   &filter_impersonation, &filter_authorization, &filter_endpoints, NULL,
};

/* --- addresses ----------------------------------------------------------------------------------------------------------- */

/* The address that this machine would use towards the world; nothing is sent. */
static const char *own_address(struct arena *a)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xC0000201)};
    struct sockaddr_in from = {0};
    socklen_t n = sizeof(from);
    char text[INET_ADDRSTRLEN] = "127.0.0.1";
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        getsockname(fd, (struct sockaddr *)&from, &n) == 0)
        inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text));
    if (fd >= 0)
        close(fd);
    return arena_strdup(a, text);
}

static bool is_address(const char *s)
{
    struct in6_addr unused;
    return inet_pton(AF_INET, s, &unused) == 1 || inet_pton(AF_INET6, s, &unused) == 1;
}

static int find_addresses(struct server *s, struct status *st)
{
    const struct settings *set = s->settings;
    const char *bind = set->bind_address ? set->bind_address : "0.0.0.0";

    if (!is_address(bind))
        return status_set(st, STATUS_BAD_REQUEST, "--bind-address: \"%s\" is not an IP address", bind);
    if (set->advertise_address && !is_address(set->advertise_address))
        return status_set(st, STATUS_BAD_REQUEST, "--advertise-address: \"%s\" is not an IP address",
                          set->advertise_address);
    if (set->advertise_address)
        s->advertise_address = set->advertise_address;
    else if (strcmp(bind, "0.0.0.0") != 0 && strcmp(bind, "::") != 0)
        s->advertise_address = bind;
    else
        s->advertise_address = own_address(s->arena);

    if (service_ranges_read(s->arena, set, &s->services, st) < 0)
        return -1;
    s->service_ip = s->services.first_ip;
    return 0;
}

/* --- certificates ---------------------------------------------------------------------------------------------------------- */

static int make_pki(struct server *s, struct status *st)
{
    const struct settings *set = s->settings;
    char host[HOST_NAME_MAX + 1] = "localhost";

    if (set->tls_cert_file || set->tls_private_key_file)
        return 0;
    gethostname(host, sizeof(host) - 1);
    const char *const dns[] = {"localhost",
                               "kubernetes",
                               "kubernetes.default",
                               "kubernetes.default.svc",
                               "kubernetes.default.svc.cluster.local",
                               host,
                               set->external_hostname,
                               NULL};
    const char *const ips[] = {"127.0.0.1", "::1", s->service_ip, s->advertise_address, NULL};
    const struct pki_names names = {dns, ips};
    const char *folder = set->cert_dir ? set->cert_dir : arena_printf(s->arena, "%s/pki", set->data_dir);
    if (pki_ensure(s->arena, folder, &names, &s->pki, st) < 0)
        return status_wrap(st, "making certificates");
    s->has_pki = true;
    return 0;
}

static int write_kubeconfig(struct server *s, uint16_t port, const char **ret_path, struct status *st)
{
    const char *path = arena_printf(s->arena, "%s/admin.kubeconfig", s->settings->data_dir);
    struct buffer ca = BUFFER_IN(s->arena), cert = BUFFER_IN(s->arena), key = BUFFER_IN(s->arena);
    const char *bind = s->settings->bind_address ? s->settings->bind_address : "0.0.0.0";
    const char *host = strcmp(bind, "0.0.0.0") == 0 || strcmp(bind, "::") == 0 ? "127.0.0.1" : bind;
    const char *form = text_find(text_of(host), ':') >= 0 ? "https://[%s]:%u" : "https://%s:%u";
    char url[128];

    snprintf(url, sizeof(url), form, host, port);
    if (file_read(s->pki.ca_cert, &ca, st) < 0 || file_read(s->pki.admin_cert, &cert, st) < 0 ||
        file_read(s->pki.admin_key, &key, st) < 0)
        return -1;
    *ret_path = path;
    return kubeconfig_write(path, url, buffer_text(&ca), buffer_text(&cert), buffer_text(&key), st);
}

/* --- floors ------------------------------------------------------------------------------------------------------------------ */

/* Which API server this is, for metrics. Source: kubernetes/apiserver pkg/server/config.go, NewConfig. */
static const char *own_identity(struct arena *a)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    char host[HOST_NAME_MAX + 1] = "localhost", text[27] = {0};
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned bits = 0, n_bits = 0;
    size_t n = 0;

    gethostname(host, sizeof(host) - 1);
    SHA256((unsigned char *)host, strlen(host), digest);
    for (size_t i = 0; i < 16; i++) {
        bits = bits << 8 | digest[i];
        for (n_bits += 8; n_bits >= 5; n_bits -= 5)
            text[n++] = letters[bits >> (n_bits - 5) & 31];
    }
    text[n] = letters[bits << (5 - n_bits) & 31];
    return arena_printf(a, "apiserver-%s", text);
}

static int start_encryption(struct server *s, struct status *st)
{
    const struct encryption_options opt = {.path = s->settings->encryption_provider_config,
                                           .reloads = s->settings->encryption_provider_config_automatic_reload,
                                           .server_id = own_identity(s->arena),
                                           .timers = s->timers};
    if (opt.path)
        return encryption_start(&opt, &s->encryption, st);
    if (opt.reloads)
        return status_set(st, STATUS_BAD_REQUEST, "--encryption-provider-config-automatic-reload must be set with "
                                                  "--encryption-provider-config");
    return 0;
}

static int start_stores(struct server *s, struct status *st)
{
    const struct stores_options opt = {.settings = s->settings,
                                       .arena = s->arena,
                                       .timers = s->timers,
                                       .encryption = s->encryption,
                                       .runtime_config = s->runtime_config};
    return stores_start(&opt, &s->stores, st);
}

static int start_registry(struct server *s, struct status *st)
{
    const struct registry_options opt = {.storage = s->stores.all[0],
                                         .others = s->stores.all + 1,
                                         .n_others = s->stores.n - 1,
                                         .is_served = runtime_config_serves,
                                         .ctx = s->runtime_config,
                                         .event_ttl_ms = s->settings->event_ttl / 1000000,
                                         .workers = s->workers,
                                         .services = &s->services.options};
    return registry_start(&opt, &s->registry, st);
}

static int check_ending(void *ctx, struct status *st)
{
    struct lifecycle *l = ctx;
    return atomic_load(&l->is_ending) ? status_set(st, STATUS_SERVICE_UNAVAILABLE, "process is shutting down") : 0;
}

static int check_hook(void *ctx, struct status *st)
{
    atomic_bool *is_done = ctx;
    return atomic_load(is_done) ? 0 : status_set(st, STATUS_SERVICE_UNAVAILABLE, "not finished");
}

static int start_endpoints(struct server *s, struct status *st)
{
    struct health_check *checks = ARENA_ARRAY(s->arena, struct health_check, s->stores.n_checks + n_hooks + 3);
    size_t n = s->stores.n_checks;

    memcpy(checks, s->stores.checks, n * sizeof(*checks));
    s->lifecycle.hook_is_done = ARENA_ARRAY(s->arena, atomic_bool, n_hooks);
    if (encryption_has_check(s->encryption))
        checks[n++] = (struct health_check){.name = "kms-providers",
                                             .pages = HEALTH_HEALTHZ | HEALTH_READYZ,
                                             .check = encryption_check,
                                             .ctx = s->encryption};
    if (s->settings->encryption_provider_config_automatic_reload)
        checks[n++] =
            (struct health_check){.name = "poststarthook/start-encryption-provider-config-automatic-reload",
                                             .pages = HEALTH_ALL};
    for (size_t i = 0; i < n_hooks; i++)
        checks[n++] = (struct health_check){.name = arena_printf(s->arena, "poststarthook/%s", hooks[i].name),
                                             .pages = HEALTH_ALL,
                                             .check = check_hook,
                                             .ctx = &s->lifecycle.hook_is_done[i]};
    checks[n++] = (struct health_check){
        .name = "shutdown", .pages = HEALTH_READYZ, .check = check_ending, .ctx = &s->lifecycle};
    const struct endpoints_options opt = {
        .registry = s->registry,
        .workers = s->workers,
        .timers = s->timers,
        .jwks_uri = s->settings->service_account_jwks_uri,
        .admission = admission_hooks(s->admission),
        .min_request_timeout_s = (unsigned)s->settings->min_request_timeout,
        .health_checks = checks,
        .n_health_checks = n,
    };
    return endpoints_start(&opt, &s->wiring.endpoints, st);
}

static int start_identity(struct server *s, struct status *st)
{
    const struct identity_options opt = {.settings = s->settings,
                                         .pki = s->has_pki ? &s->pki : NULL,
                                         .arena = s->arena,
                                         .registry = s->registry,
                                         .timers = s->timers,
                                         .server_id = own_identity(s->arena)};
    return identity_start(&opt, &s->wiring.authn, st);
}

static int start_authorization(struct server *s, struct status *st)
{
    if (permissions_start(s->settings, s->arena, s->registry, s->workers, s->timers, &s->wiring.authz, &s->authz_config, st) < 0)
        return -1;
    return authz_aggregation_start(s->registry, s->workers, &s->aggregation, st);
}

static int start_admission(struct server *s, struct status *st)
{
    const struct settings *set = s->settings;
    const struct admission_options opt = {.registry = s->registry,
                                          .authz = s->wiring.authz,
                                          .enable = &set->enable_admission_plugins,
                                          .disable = &set->disable_admission_plugins,
                                          .config_file = set->admission_control_config_file,
                                          .not_ready_toleration_s = set->default_not_ready_toleration_seconds,
                                          .unreachable_toleration_s = set->default_unreachable_toleration_seconds};
    return admission_start(&opt, &s->admission, st);
}

static int start_listener(struct server *s, struct status *st)
{
    const struct settings *set = s->settings;

    if (serving_read(set, s->has_pki ? &s->pki : NULL, &s->serving, st) < 0)
        return -1;
    if (set->secure_port < 0 || set->secure_port > 65535)
        return status_set(st, STATUS_BAD_REQUEST, "--secure-port %lld must be between 0 and 65535",
                          (long long)set->secure_port);
    const struct listener_options opt = {.bind_address = set->bind_address ? set->bind_address : "0.0.0.0",
                                         .port = (uint16_t)set->secure_port,
                                         .tls = serving_tls(s->serving),
                                         .n_threads = (unsigned)set->serving_threads,
                                         .workers = s->workers,
                                         .timers = s->timers,
                                         .request_timeout_ms = (unsigned)(set->request_timeout / 1000000),
                                         .filters = chain,
                                         .wiring = &s->wiring,
                                         .write_status = endpoints_write_status};
    if (listener_start(&opt, &s->listener, st) < 0)
        return -1;
    serving_follow(s->serving, s->listener, s->timers);
    endpoints_announce(s->wiring.endpoints,
                       arena_printf(s->arena, "%s:%u", s->advertise_address, listener_port(s->listener)));
    return 0;
}

static int check_reconciler(struct server *s, struct status *st)
{
    const struct settings *set = s->settings;
    bool is_v6 = strchr(s->service_ip, ':');

    if (reconciler_parse(set->endpoint_reconciler_type, &s->reconciler, st) < 0)
        return -1;
    if (set->apiserver_count <= 0)
        return status_set(st, STATUS_BAD_REQUEST, "--apiserver-count should be a positive number, but value '%lld' provided",
                          (long long)set->apiserver_count);
    /* The service is of one family, and so are its endpoints. */
    if (s->reconciler != RECONCILER_NONE && is_v6 != !!strchr(s->advertise_address, ':'))
        return status_set(st, STATUS_BAD_REQUEST, "service IP family \"%s\" must match public address family \"%s\"",
                          set->service_cluster_ip_range, s->advertise_address);
    return 0;
}

static int run_hooks(struct server *s, struct status *st)
{
    const struct hook_context ctx = {.registry = s->registry,
                                     .advertise_address = s->advertise_address,
                                     .service_ip = s->service_ip,
                                     .services = &s->services.options,
                                     .secure_port = listener_port(s->listener),
                                     .reconciler = s->reconciler,
                                     .apiserver_count = (size_t)s->settings->apiserver_count,
                                     .is_alone = !s->stores.leases};
    for (size_t i = 0; i < n_hooks; i++) {
        if (hooks[i].run(&ctx, st) < 0)
            return status_wrap(st, "%s", hooks[i].name);
        atomic_store(&s->lifecycle.hook_is_done[i], true);
    }
    const struct service_upkeep_options upkeep = {.registry = s->registry,
                                                  .workers = s->workers,
                                                  .timers = s->timers,
                                                  .ranges = &s->services.options,
                                                  .kubernetes_ip = s->service_ip,
                                                  .port = ctx.secure_port};
    s->service_upkeep = service_upkeep_start(&upkeep);
    if (!s->stores.leases)
        return 0;
    const struct presence_options presence = {.registry = s->registry,
                                              .leases = s->stores.leases,
                                              .address = s->advertise_address,
                                              .port = ctx.secure_port,
                                              .identity = own_identity(s->arena),
                                              .reconciler = ctx.reconciler,
                                              .count = ctx.apiserver_count};
    return presence_start(&presence, &s->presence, st);
}

static int adopt_feature_gates(struct server *s, struct status *st)
{
    struct gate_choice *choices;

    if (feature_gates_read(s->arena, &s->settings->feature_gates, &choices, st) < 0)
        return -1;
    feature_gates_adopt(choices);
    return 0;
}

static int start(struct server *s, struct status *st)
{
    s->workers = workers_start(16, "worker");
    s->timers = timers_start();
    s->wiring.lifecycle = &s->lifecycle;
    s->lifecycle.sends_retry_after = s->settings->shutdown_send_retry_after;
    if (adopt_feature_gates(s, st) < 0 || find_addresses(s, st) < 0 || check_reconciler(s, st) < 0 || make_pki(s, st) < 0 ||
        runtime_config_parse(s->arena, &s->settings->runtime_config, &s->runtime_config, st) < 0 ||
        start_encryption(s, st) < 0 || start_stores(s, st) < 0 || start_registry(s, st) < 0 ||
        start_identity(s, st) < 0 || start_authorization(s, st) < 0 || start_admission(s, st) < 0 ||
        start_endpoints(s, st) < 0 || start_listener(s, st) < 0)
        return -1;
    return run_hooks(s, st);
}

/* Accepts a half-built server. */
static void stop(struct server *s)
{
    presence_stop(s->presence); /* others shall not be sent here any more */
    service_upkeep_stop(s->service_upkeep);
    serving_stop(s->serving);
    if (s->listener)
        listener_stop(s->listener, s->settings->shutdown_grace_period / 1000000);
    endpoints_stop(s->wiring.endpoints);
    admission_stop(s->admission);
    authenticator_free(s->wiring.authn);
    authz_aggregation_stop(s->aggregation);
    authz_config_stop(s->authz_config);
    authorizer_free(s->wiring.authz);
    if (s->registry)
        registry_stop(s->registry);
    stores_stop(&s->stores);
    encryption_stop(s->encryption);
    timers_stop(s->timers);
    workers_stop(s->workers);
}

/* --- the process's life --------------------------------------------------------------------------------------------------- */

/* Blocks the signals that end the process, in this thread and all to come; gives a descriptor to wait for them. */
static int catch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* True: a signal came before the time was over (-1: for ever). */
static bool wait_for_signal(int fd, int timeout_ms)
{
    struct signalfd_siginfo info;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) > 0 && read(fd, &info, sizeof(info)) == sizeof(info);
}

static void announce(struct server *s)
{
    CLEANUP(status_clear) struct status st = {0};
    uint16_t port = listener_port(s->listener);
    const char *path = NULL;

    log_info("Serving", LOG_STR("address", s->settings->bind_address), LOG_U64("port", port));
    if (s->has_pki && write_kubeconfig(s, port, &path, &st) < 0)
        log_error("The administrator's kubeconfig was not written", LOG_STR("err", st.message));
    else if (path && isatty(STDOUT_FILENO))
        printf("\nkeelson is ready. In another shell:\n\n    export KUBECONFIG=%s\n    kubectl get namespaces\n\n",
               realpath(path, NULL));
    else if (path)
        printf("export KUBECONFIG=%s\n", path);
    fflush(stdout);
    notify_manager("READY=1");
}

/* The listener goes on, and tells who comes to try again, until the requests that run have ended. */
static void finish_requests(struct server *s, int signals)
{
    int64_t end_ms = clock_mono_ms() + s->settings->shutdown_grace_period / 1000000;
    unsigned running, long_running;

    for (;;) {
        listener_counts(s->listener, &running, &long_running);
        if (!running || clock_mono_ms() >= end_ms)
            return;
        if (wait_for_signal(signals, 20))
            _exit(1);
    }
}

static void drain(struct server *s, int signals)
{
    log_info("Shutting down", LOG_I64("delayMs", s->settings->shutdown_delay_duration / 1000000));
    notify_manager("STOPPING=1");
    atomic_store(&s->lifecycle.is_ending, true);
    if (s->settings->shutdown_delay_duration &&
        wait_for_signal(signals, (int)(s->settings->shutdown_delay_duration / 1000000)))
        _exit(1);
    atomic_store(&s->lifecycle.takes_no_work, true);
    if (s->settings->shutdown_send_retry_after)
        finish_requests(s, signals);
    listener_quiesce(s->listener);
    endpoints_end_watches(s->wiring.endpoints);
}

int server_run(const struct settings *settings)
{
    CLEANUP(status_clear) struct status st = {0};
    CLEANUP(arena_freep) struct arena *arena = arena_new();
    struct server s = {.settings = settings, .arena = arena};
    int signals = catch_signals();

    log_set_verbosity((int)settings->v);
    if (settings->vmodule)
        log_set_vmodule(settings->vmodule);
    if (start(&s, &st) < 0) {
        fprintf(stderr, "keelson: %s\n", st.message);
        stop(&s);
        return 1;
    }
    announce(&s);
    wait_for_signal(signals, -1);
    drain(&s, signals);
    stop(&s);
    log_info("Stopped");
    close(signals);
    return 0;
}
