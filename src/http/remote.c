/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks' side of the HTTP client: a kubeconfig in, requests with retries out. Keys and certificates that
 * stand in the kubeconfig itself become files in memory, since the client reads files. */
#include "http/remote.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base.h"
#include "http/client.h"

#define TRIES 5
#define FIRST_PAUSE_MS 500
#define ANSWER_MAX ((size_t)1 << 20)
#define MEMORY_FILES 3

struct remote {
    struct arena *arena;
    struct http_client *client;
    struct http_tls tls;
    struct http_header_out headers[3];
    size_t n_headers;
    const char *url, *token_file;
    int64_t timeout_ms;
    unsigned tries;
    int memory_files[MEMORY_FILES];
    size_t n_memory_files;
};

/* --- kubeconfig --- */

/* The member `inner` of the item of that name in one of the file's lists. */
static const struct value *named(const struct value *root, const char *list_key, struct text name,
                                 const char *inner)
{
    const struct value *list = value_get(root, text_of(list_key));

    for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->n; i++)
        if (text_eq(value_get_text(&list->items[i], TEXT("name")), name))
            return value_get(&list->items[i], text_of(inner));
    return NULL;
}

static const char *resolve(struct arena *a, const char *kubeconfig, struct text path)
{
    const char *slash = strrchr(kubeconfig, '/');

    if (!path.n)
        return NULL;
    if (path.p[0] == '/' || !slash)
        return arena_str(a, path);
    return arena_printf(a, "%.*s/%.*s", (int)(slash - kubeconfig), kubeconfig, TEXT_ARG(path));
}

/* NAME, the path of a file, or NAME-data, base64 of its content. */
static int file_of(struct remote *r, const char *kubeconfig, const struct value *v, const char *name,
                   const char **ret, struct status *st)
{
    struct text data = value_get_text(v, arena_textf(r->arena, "%s-data", name)), bytes;

    *ret = resolve(r->arena, kubeconfig, value_get_text(v, text_of(name)));
    if (!data.n)
        return 0;
    if (!base64_decode(r->arena, BASE64_STANDARD, data, &bytes))
        return status_set(st, STATUS_BAD_REQUEST, "%s-data is not base64", name);
    int fd = memfd_create("keelson", MFD_CLOEXEC);
    if (fd < 0 || r->n_memory_files == MEMORY_FILES || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n)
        return status_set(st, STATUS_INTERNAL_ERROR, "%s-data cannot be kept in memory", name);
    r->memory_files[r->n_memory_files++] = fd;
    *ret = arena_printf(r->arena, "/proc/self/fd/%d", fd);
    return 0;
}

static void add_credentials(struct remote *r, const char *kubeconfig, const struct value *user)
{
    struct text token = value_get_text(user, TEXT("token")), name = value_get_text(user, TEXT("username"));

    r->token_file = resolve(r->arena, kubeconfig, value_get_text(user, TEXT("tokenFile")));
    if (token.n)
        r->headers[r->n_headers++] = (struct http_header_out){
            TEXT("Authorization"), arena_textf(r->arena, "Bearer %.*s", TEXT_ARG(token))};
    else if (name.n)
        r->headers[r->n_headers++] = (struct http_header_out){
            TEXT("Authorization"),
            arena_textf(
                r->arena, "Basic %.*s",
                TEXT_ARG(base64_encode(r->arena, BASE64_STANDARD,
                                       arena_textf(r->arena, "%.*s:%.*s", TEXT_ARG(name),
                                                   TEXT_ARG(value_get_text(user, TEXT("password")))))))};
}

static int read_kubeconfig(struct remote *r, const char *path, struct status *st)
{
    static const struct json_options options = {.copy_strings = true};
    struct buffer content = BUFFER_IN(r->arena);
    struct value root;

    if (file_read(path, &content, st) < 0 ||
        yaml_read(r->arena, buffer_text(&content), &options, &root, st) < 0)
        return -1;
    const struct value *context =
        named(&root, "contexts", value_get_text(&root, TEXT("current-context")), "context");
    const struct value *cluster =
        named(&root, "clusters", value_get_text(context, TEXT("cluster")), "cluster");
    const struct value *user = named(&root, "users", value_get_text(context, TEXT("user")), "user");
    struct text server = value_get_text(cluster, TEXT("server")),
                tls_name = value_get_text(cluster, TEXT("tls-server-name"));
    if (!context)
        return status_set(st, STATUS_BAD_REQUEST,
                          "invalid configuration: no current-context that is in the file");
    if (!text_starts(server, TEXT("https://")) && !text_starts(server, TEXT("http://")))
        return status_set(st, STATUS_BAD_REQUEST,
                          "invalid configuration: the current context's cluster has no server");
    r->url = arena_str(r->arena, server);
    r->tls.is_insecure = value_get_bool(cluster, TEXT("insecure-skip-tls-verify"), false);
    r->tls.server_name = tls_name.n ? arena_str(r->arena, tls_name) : NULL;
    add_credentials(r, path, user);
    return file_of(r, path, cluster, "certificate-authority", &r->tls.ca_file, st) < 0 ||
                   file_of(r, path, user, "client-certificate", &r->tls.cert_file, st) < 0 ||
                   file_of(r, path, user, "client-key", &r->tls.key_file, st) < 0
               ? -1
               : 0;
}

int remote_open(const struct remote_options *opt, struct remote **ret, struct status *st)
{
    static const struct http_client_options client = {.name = "webhook", .can_repeat = true};
    struct remote *r = xcalloc(1, sizeof(*r));

    r->arena = arena_new();
    r->timeout_ms = opt->timeout_ms;
    r->tries = opt->tries ? opt->tries : TRIES;
    r->headers[r->n_headers++] = (struct http_header_out){TEXT("Content-Type"), TEXT("application/json")};
    r->headers[r->n_headers++] = (struct http_header_out){TEXT("Accept"), TEXT("application/json")};
    if (read_kubeconfig(r, opt->kubeconfig, st) < 0) {
        status_wrap(st, "%s", opt->kubeconfig);
        remote_close(r);
        return -1;
    }
    r->client = http_client_start(&client);
    if (!r->client) {
        remote_close(r);
        return status_set(st, STATUS_INTERNAL_ERROR, "no thread for a webhook");
    }
    *ret = r;
    return 0;
}

void remote_close(struct remote *r)
{
    if (!r)
        return;
    if (r->client)
        http_client_stop(r->client);
    for (size_t i = 0; i < r->n_memory_files; i++)
        close(r->memory_files[i]);
    arena_free(r->arena);
    free(r);
}

/* --- requests --- */

struct call {
    struct http_exchange exchange;
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool is_done; /* mu */
};

static void call_done(struct http_exchange *x)
{
    struct call *c = CONTAINER_OF(x, struct call, exchange);

    pthread_mutex_lock(&c->mu);
    c->is_done = true;
    pthread_cond_signal(&c->ended);
    pthread_mutex_unlock(&c->mu);
}

static void run(struct remote *r, struct call *c)
{
    http_client_submit(r->client, &c->exchange);
    pthread_mutex_lock(&c->mu);
    while (!c->is_done)
        pthread_cond_wait(&c->ended, &c->mu);
    pthread_mutex_unlock(&c->mu);
}

/* What may pass at once is tried again, as upstream's DefaultShouldRetry has it: a connection that broke, a
 * server that says so. A service that is not there, or takes its time, is not asked once more: somebody
 * waits. */
static enum remote_result judge(const struct remote *r, const struct http_exchange *x, bool *ret_again,
                                struct status *st)
{
    bool is_late = x->ended_ns - x->begun_ns >= x->timeout_ms * 1000000;

    *ret_again = false;
    if (x->result == HTTP_DONE && x->code >= 200 && x->code <= 206)
        return REMOTE_SUCCESS;
    if (x->result != HTTP_DONE) {
        *ret_again = x->result == HTTP_BROKEN && !is_late;
        status_record(st, STATUS_INTERNAL_ERROR, "Post \"%s\": %s", r->url, x->why);
        return is_late ? REMOTE_TIMEOUT : REMOTE_ERROR;
    }
    *ret_again = x->code == 429 || x->code == 500 || x->code == 504;
    status_record(st, STATUS_INTERNAL_ERROR, "Post \"%s\": the webhook answered with code %d", r->url,
                  x->code);
    return x->code == 504 ? REMOTE_TIMEOUT : REMOTE_ERROR;
}

/* One try. */
static enum remote_result post_once(struct remote *r, struct text body, int64_t timeout_ms,
                                    struct buffer *ret_answer, bool *ret_again, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct http_header_out headers[N_ELEMENTS(r->headers) + 1];
    struct call c = {.mu = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    struct buffer token = BUFFER_IN(a);
    size_t n = r->n_headers;

    for (size_t i = 0; i < n; i++)
        headers[i] = r->headers[i];
    if (r->token_file) { /* it may be a new one each time */
        *ret_again = true;
        if (file_read(r->token_file, &token, st) < 0)
            return REMOTE_ERROR;
        headers[n++] = (struct http_header_out){
            TEXT("Authorization"), arena_textf(a, "Bearer %.*s", TEXT_ARG(text_trim(buffer_text(&token))))};
    }
    c.exchange = (struct http_exchange){.method = "POST",
                                        .url = r->url,
                                        .tls = &r->tls,
                                        .headers = headers,
                                        .n_headers = n,
                                        .body = body,
                                        .timeout_ms = timeout_ms,
                                        .answer_max = ANSWER_MAX,
                                        .done = call_done};
    run(r, &c);
    enum remote_result result = judge(r, &c.exchange, ret_again, st);
    if (result == REMOTE_SUCCESS)
        buffer_add(ret_answer, buffer_text(&c.exchange.body_in));
    buffer_deinit(&c.exchange.body_in);
    pthread_cond_destroy(&c.ended);
    pthread_mutex_destroy(&c.mu);
    return result;
}

enum remote_result remote_post(struct remote *r, struct text body, struct buffer *ret_answer,
                               struct status *st)
{
    enum remote_result result = REMOTE_ERROR;
    int64_t pause_ms = FIRST_PAUSE_MS, end_ms = clock_mono_ms() + r->timeout_ms;
    bool is_again = true;

    for (unsigned i = 0; i < r->tries && is_again; i++, pause_ms += pause_ms / 2) {
        if (i && clock_mono_ms() + pause_ms >= end_ms)
            return REMOTE_TIMEOUT;
        if (i)
            usleep((useconds_t)pause_ms * 1000);
        int64_t left_ms = end_ms - clock_mono_ms(); /* 0 would be no limit at all */
        result = post_once(r, body, left_ms > 0 ? left_ms : 1, ret_answer, &is_again, st);
        if (result == REMOTE_SUCCESS) {
            status_clear(st);
            return result;
        }
    }
    return result;
}
