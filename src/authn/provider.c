/* SPDX-License-Identifier: Apache-2.0 */
/* An issuer's keys. Two documents are fetched, one after the other, on the client's thread: discovery, until
 * it is right, then the key set. Then keys are fetched anew when the answer's max-age is over (in the
 * background, the old ones go on counting) and when a token comes that no key fits (its asker waits). One
 * fetch at a time, by one exchange; whoever waits, waits for its end.
 *
 *   DISCOVERING --document is right--> READY
 *
 * The struct lives as long as its owner or the exchange that runs; each holds a count. */
#include "authn/provider.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base.h"

#define WELL_KNOWN "/.well-known/openid-configuration"
#define ANSWER_MAX ((size_t)1 << 20)
#define TIMEOUT_MS 30000
#define WAIT_MS 10000     /* of a request, for keys to come */
#define RETRY_MS 10000    /* of the discovery */
#define FETCH_MIN_MS 1000 /* between two fetches for the sake of unknown keys */
#define KEEP_MIN_MS 60000 /* a shorter max-age counts as this */
#define KEEP_MAX_MS 86400000

struct key_set {
    atomic_uint refs;
    struct jwt_keys keys;
};

struct provider {
    atomic_uint refs;
    struct http_client *client;
    struct timers *timers;
    struct arena *arena; /* the texts below */
    struct text issuer;
    const char *discovery_url;
    struct http_tls tls;
    void (*fetched)(void *ctx, bool is_good);
    void *ctx;
    struct timer retry;
    struct http_exchange exchange; /* is_fetching: the client's thread; else whoever sets is_fetching */
    pthread_mutex_t mu;            /* what follows; below it only the timers' */
    pthread_cond_t ended;          /* n_fetched has grown, or is_stopped */
    bool is_stopped, is_fetching;
    const char *keys_url; /* NULL: DISCOVERING */
    struct key_set *keys;
    uint64_t n_fetched;  /* fetches of keys that have ended, well or not */
    int64_t fetched_ms;  /* when the last one ended; 0: none has */
    int64_t old_from_ms; /* when the keys are to be fetched anew; 0: never */
};

static void key_set_unref(struct key_set *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    jwt_keys_deinit(&s->keys);
    free(s);
}
DEFINE_CLEANUP(struct key_set *, key_set_unref)

static void provider_unref(struct provider *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    key_set_unref(p->keys);
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->mu);
    arena_free(p->arena);
    free(p);
}

/* --- fetching --- */

static void document_done(struct http_exchange *x);

/* With is_fetching set by the caller, and without the lock. */
static void fetch(struct provider *p, const char *url)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    p->exchange = (struct http_exchange){.url = url,
                                         .tls = &p->tls,
                                         .timeout_ms = TIMEOUT_MS,
                                         .answer_max = ANSWER_MAX,
                                         .done = document_done};
    http_client_submit(p->client, &p->exchange);
}

static bool answer_is_good(const struct http_exchange *x, struct status *st)
{
    if (x->result != HTTP_DONE)
        status_record(st, STATUS_INTERNAL_ERROR, "Get \"%s\": %s", x->url, x->why);
    else if (x->code != 200)
        status_record(st, STATUS_INTERNAL_ERROR, "Get \"%s\": the answer's code is %d", x->url, x->code);
    else
        return true;
    return false;
}

static bool is_http(struct text url)
{
    return text_starts(url, TEXT("https://")) || text_starts(url, TEXT("http://"));
}

/* The place of the keys; NULL: the document is not right. */
static const char *read_discovery(struct provider *p, const struct http_exchange *x, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    static const struct json_options opt = {.depth_max = 64};
    struct value root;

    if (!answer_is_good(x, st))
        return NULL;
    if (json_read(a, buffer_text(&x->body_in), &opt, &root, st) < 0) {
        status_wrap(st, "oidc: failed to decode provider discovery object");
        return NULL;
    }
    struct text issuer = value_get_text(&root, TEXT("issuer")), url = value_get_text(&root, TEXT("jwks_uri"));
    if (!text_eq(issuer, p->issuer)) {
        status_record(
            st, STATUS_INTERNAL_ERROR,
            "oidc: issuer did not match the issuer returned by provider, expected \"%.*s\" got \"%.*s\"",
            TEXT_ARG(p->issuer), TEXT_ARG(issuer));
        return NULL;
    }
    if (!is_http(url)) {
        status_record(st, STATUS_INTERNAL_ERROR, "provider did not return JWKS URL");
        return NULL;
    }
    return arena_str(p->arena, url);
}

static void discovery_done(struct provider *p, struct http_exchange *x)
{
    CLEANUP(status_clear) struct status st = {0};
    const char *url = read_discovery(p, x, &st);

    if (!url && x->result != HTTP_CANCELED)
        log_error("oidc authenticator: initializing plugin", LOG_TEXT("issuer", p->issuer),
                  LOG_STR("err", st.message));
    buffer_deinit(&x->body_in); /* x is another's once the lock has been let go */
    pthread_mutex_lock(&p->mu);
    bool is_stopped = p->is_stopped;
    p->keys_url = url;
    p->is_fetching = url && !is_stopped; /* it goes on with the keys */
    if (!url && !is_stopped)
        timer_arm(p->timers, &p->retry,
                  RETRY_MS); /* with the lock: provider_stop comes after it, or before all of this */
    pthread_mutex_unlock(&p->mu);
    if (url && !is_stopped)
        fetch(p, url);
}

static struct key_set *read_keys(const struct http_exchange *x, struct status *st)
{
    CLEANUP(key_set_unrefp) struct key_set *s = xcalloc(1, sizeof(*s));

    s->refs = 1;
    if (!answer_is_good(x, st) || jwt_keys_add_set(&s->keys, buffer_text(&x->body_in), st) < 0)
        return NULL;
    return MOVE(s);
}

static int64_t old_from(int64_t max_age_s)
{
    int64_t keep_ms = max_age_s > KEEP_MAX_MS / 1000 ? KEEP_MAX_MS : max_age_s * 1000;

    return max_age_s < 0 ? 0 : clock_mono_ms() + (keep_ms < KEEP_MIN_MS ? KEEP_MIN_MS : keep_ms);
}

static void keys_done(struct provider *p, struct http_exchange *x)
{
    CLEANUP(status_clear) struct status st = {0};
    struct key_set *keys = read_keys(x, &st), *before = keys;
    bool is_canceled = x->result == HTTP_CANCELED;

    buffer_deinit(&x->body_in);
    if (!keys && !is_canceled)
        log_error("oidc authenticator: fetching keys", LOG_TEXT("issuer", p->issuer),
                  LOG_STR("err", st.message));
    pthread_mutex_lock(&p->mu);
    bool is_stopped = p->is_stopped;
    if (keys) {
        before = p->keys;
        p->keys = keys;
        p->old_from_ms = old_from(x->max_age_s);
    } else if (p->old_from_ms) {
        p->old_from_ms = clock_mono_ms() + KEEP_MIN_MS;
    }
    p->is_fetching = false;
    p->n_fetched++;
    p->fetched_ms = clock_mono_ms();
    if (!is_stopped && !is_canceled && p->fetched)
        p->fetched(p->ctx,
                   keys !=
                       NULL); /* counts, nothing more: with the lock, so that it is not after provider_stop */
    pthread_cond_broadcast(&p->ended);
    pthread_mutex_unlock(&p->mu);
    key_set_unref(before);
}

static void document_done(struct http_exchange *x)
{
    struct provider *p = CONTAINER_OF(x, struct provider, exchange);

    if (p->keys_url)
        keys_done(p, x);
    else
        discovery_done(p, x);
    provider_unref(p);
}

/* The timer's. */
static void discover_again(struct timer *t)
{
    struct provider *p = CONTAINER_OF(t, struct provider, retry);

    pthread_mutex_lock(&p->mu);
    bool goes_on = !p->is_stopped && !p->is_fetching;
    p->is_fetching |= goes_on;
    pthread_mutex_unlock(&p->mu);
    if (goes_on)
        fetch(p, p->discovery_url);
}

/* --- tokens --- */

static bool fits(const struct key_set *s, const struct jwt *t)
{
    for (size_t i = 0; s && i < s->keys.n; i++)
        if ((!t->kid.n || text_eq(t->kid, s->keys.p[i].kid)) && jwt_verify(t, s->keys.p[i].key))
            return true;
    return false;
}

static struct key_set *keys_ref_locked(struct provider *p)
{
    if (p->keys)
        atomic_fetch_add_explicit(&p->keys->refs, 1, memory_order_relaxed);
    return p->keys;
}

/* True: the caller is to fetch. */
static bool begin_fetch_locked(struct provider *p)
{
    if (p->is_fetching || p->is_stopped)
        return false;
    p->is_fetching = true;
    return true;
}

/* Waits until the fetch that runs has ended, or for too long. */
static void wait_locked(struct provider *p, uint64_t n_fetched)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_MS / 1000;
    while (p->n_fetched == n_fetched && p->is_fetching && !p->is_stopped &&
           pthread_cond_timedwait(&p->ended, &p->mu, &until) != ETIMEDOUT)
        ;
}

/* No key that was known at n_fetched fits: are there others? */
static enum provider_answer ask_again(struct provider *p, const struct jwt *t, uint64_t n_fetched,
                                      bool may_block)
{
    pthread_mutex_lock(&p->mu);
    bool is_new = p->n_fetched != n_fetched;
    bool is_too_early = !p->is_fetching && p->fetched_ms && clock_mono_ms() - p->fetched_ms < FETCH_MIN_MS;
    bool begins = !is_new && may_block && !is_too_early && begin_fetch_locked(p);
    if (begins) {
        pthread_mutex_unlock(&p->mu);
        fetch(p, p->keys_url);
        pthread_mutex_lock(&p->mu);
    }
    if (!is_new && may_block && !is_too_early)
        wait_locked(p, n_fetched);
    is_new = p->n_fetched != n_fetched;
    CLEANUP(key_set_unrefp) struct key_set *keys = keys_ref_locked(p);
    pthread_mutex_unlock(&p->mu);
    if (is_new && fits(keys, t))
        return PROVIDER_SIGNED;
    return is_new || is_too_early || may_block ? PROVIDER_NOT_SIGNED : PROVIDER_WOULD_BLOCK;
}

enum provider_answer provider_verify(struct provider *p, const struct jwt *t, bool may_block)
{
    pthread_mutex_lock(&p->mu);
    bool is_ready = p->keys_url != NULL;
    bool is_old = is_ready && p->old_from_ms && clock_mono_ms() >= p->old_from_ms && begin_fetch_locked(p);
    uint64_t n_fetched = p->n_fetched;
    CLEANUP(key_set_unrefp) struct key_set *keys = keys_ref_locked(p);
    pthread_mutex_unlock(&p->mu);
    if (is_old)
        fetch(p, p->keys_url);
    if (!is_ready)
        return PROVIDER_NOT_READY;
    return fits(keys, t) ? PROVIDER_SIGNED : ask_again(p, t, n_fetched, may_block);
}

/* --- other documents --- */

struct get {
    struct http_exchange exchange;
    pthread_mutex_t mu;
    pthread_cond_t ended;
    bool is_done; /* mu */
};

static void get_done(struct http_exchange *x)
{
    struct get *g = CONTAINER_OF(x, struct get, exchange);

    pthread_mutex_lock(&g->mu);
    g->is_done = true;
    pthread_cond_signal(&g->ended);
    pthread_mutex_unlock(&g->mu);
}

bool provider_get(struct provider *p, struct arena *a, struct text url, struct text token,
                  struct text *ret_body, const char **ret_why)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct http_header_out header = {TEXT("Authorization"),
                                           arena_textf(a, "Bearer %.*s", TEXT_ARG(token))};
    struct get g = {.mu = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

    if (!is_http(url)) {
        *ret_why = "the URL is neither http nor https";
        return false;
    }
    g.exchange = (struct http_exchange){.url = arena_str(a, url),
                                        .tls = &p->tls,
                                        .headers = &header,
                                        .n_headers = token.n ? 1 : 0,
                                        .timeout_ms = WAIT_MS,
                                        .answer_max = ANSWER_MAX,
                                        .done = get_done};
    http_client_submit(p->client, &g.exchange);
    pthread_mutex_lock(&g.mu);
    while (!g.is_done)
        pthread_cond_wait(&g.ended, &g.mu);
    pthread_mutex_unlock(&g.mu);
    bool is_good = answer_is_good(&g.exchange, &st);
    if (is_good)
        *ret_body = arena_text(a, buffer_text(&g.exchange.body_in));
    else
        *ret_why = arena_strdup(a, st.message);
    buffer_deinit(&g.exchange.body_in);
    pthread_cond_destroy(&g.ended);
    pthread_mutex_destroy(&g.mu);
    return is_good;
}

/* --- life --- */

static struct text trim_slash(struct text t)
{
    return text_ends(t, TEXT("/")) ? text_first(t, t.n - 1) : t;
}

struct provider *provider_start(const struct provider_options *opt)
{
    struct provider *p = xcalloc(1, sizeof(*p));
    pthread_condattr_t monotonic;

    p->refs = 1;
    p->client = opt->client;
    p->timers = opt->timers;
    p->arena = arena_new();
    p->issuer = arena_text(p->arena, opt->issuer);
    p->discovery_url = opt->discovery_url.n
                           ? arena_str(p->arena, opt->discovery_url)
                           : arena_printf(p->arena, "%.*s" WELL_KNOWN, TEXT_ARG(trim_slash(opt->issuer)));
    if (opt->ca_pem.n)
        p->tls.ca_pem = arena_text(p->arena, opt->ca_pem);
    p->fetched = opt->fetched;
    p->ctx = opt->ctx;
    p->retry.fire = discover_again;
    pthread_mutex_init(&p->mu, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->is_fetching = true;
    fetch(p, p->discovery_url);
    return p;
}

void provider_stop(struct provider *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mu);
    p->is_stopped = true;
    pthread_cond_broadcast(&p->ended);
    pthread_mutex_unlock(&p->mu);
    timer_cancel(p->timers, &p->retry);
    provider_unref(p);
}

bool provider_is_ready(struct provider *p)
{
    pthread_mutex_lock(&p->mu);
    bool is_ready = p->keys_url != NULL;
    pthread_mutex_unlock(&p->mu);
    return is_ready;
}
