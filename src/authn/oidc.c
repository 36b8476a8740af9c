/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of OpenID Connect issuers: whose issuer a token names decides whether it is good, by signature,
 * audience and times, and its claims make the user. The issuers of one configuration are a set; a changed
 * file makes another set, which is asked instead once all its issuers have answered.
 *
 *   file changes --right--> set is `next` --all ready--> set is `current`
 *                --wrong--> nothing but a log line and a metric
 *
 * Source: kubernetes/apiserver plugin/pkg/authenticator/token/oidc/oidc.go, and the client that it uses;
 * kubernetes pkg/kubeapiserver/options/authentication.go and pkg/kubeapiserver/authenticator/config.go for
 * changes of the file. */
#include <pthread.h>

#include "authn/metrics.h"
#include "authn/provider.h"
#include "authn/users.h"
#include "base/watched_file.h"

#define NOT_BEFORE_LEEWAY_S 60
#define LOOK_MS 1000      /* at the file; upstream is told by the system, and looks every minute */
#define SWAP_LOOK_MS 1000 /* at a new set's issuers */
#define SWAP_TIMEOUT_MS \
    60000             /* after which a new set that is not ready counts as a failure, again and again */
#define OTHERS_MAX 16 /* issuers of distributed claims */
#define GOOGLE "https://accounts.google.com"

struct issuer {
    const struct authn_issuer *config;
    struct oidc_method *method;
    struct provider *provider;
    pthread_mutex_t mu; /* guards others */
    struct map others;  /* providers of claims that lie elsewhere, by issuer; made when first named. The same
                           audiences count */
    struct text hash;
};

struct issuer_set {
    atomic_uint refs;
    struct authn_config config;
    struct issuer *issuers;
    size_t n;
};

struct oidc_method {
    struct token_method method;
    struct arena *arena;
    struct http_client *client;
    struct timers *timers;
    struct watched_file *file;
    const struct text_list *disallowed;
    struct text_list algs;
    struct text server_hash, anonymous;
    pthread_mutex_t mu; /* guards current; a leaf */
    struct issuer_set *current;
    /* the timer thread's */
    struct issuer_set *next;
    struct text next_hash; /* malloc'd */
    int64_t next_since_ms;
    struct timer swap;
};

static const char *const known_algs[] = {"RS256", "RS384", "RS512", "ES256", "ES384",
                                         "ES512", "PS256", "PS384", "PS512"};

/* --- sets --- */

static struct provider *start_provider(struct issuer *i, struct text url, struct text discovery_url,
                                       void (*fetched)(void *ctx, bool is_good))
{
    const struct provider_options opt = {.client = i->method->client,
                                         .timers = i->method->timers,
                                         .issuer = url,
                                         .discovery_url = discovery_url,
                                         .ca_pem = i->config->ca_pem,
                                         .fetched = fetched,
                                         .ctx = i};
    return provider_start(&opt);
}

static void note_keys(void *ctx, bool is_good)
{
    const struct issuer *i = ctx;
    authn_note_keys(i->hash, i->method->server_hash, is_good);
}

/* Takes config. */
static struct issuer_set *set_new(struct oidc_method *m, struct authn_config *config)
{
    struct issuer_set *s = xcalloc(1, sizeof(*s));

    s->refs = 1;
    s->config = *config;
    *config = (struct authn_config){0};
    s->issuers = xcalloc(s->config.n_issuers + 1, sizeof(struct issuer));
    for (; s->n < s->config.n_issuers; s->n++) {
        struct issuer *i = &s->issuers[s->n];
        i->config = &s->config.issuers[s->n];
        i->hash = authn_hash(s->config.arena, i->config->url);
        i->method = m;
        pthread_mutex_init(&i->mu, NULL);
        i->provider = start_provider(i, i->config->url, i->config->discovery_url, note_keys);
    }
    return s;
}

static void issuer_stop(struct issuer *i)
{
    struct map_slot *slot;
    size_t at = 0;

    provider_stop(i->provider);
    while ((slot = map_next(&i->others, &at))) {
        provider_stop(slot->value);
        free((char *)slot->key.p);
    }
    map_deinit(&i->others);
    pthread_mutex_destroy(&i->mu);
}

static void set_unref(struct issuer_set *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        issuer_stop(&s->issuers[i]);
    free(s->issuers);
    if (s->config.arena)
        authn_config_deinit(&s->config);
    free(s);
}
DEFINE_CLEANUP(struct issuer_set *, set_unref)

static struct issuer_set *set_ref_current(struct oidc_method *m)
{
    pthread_mutex_lock(&m->mu);
    struct issuer_set *s = m->current;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&m->mu);
    return s;
}

static bool set_is_ready(const struct issuer_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!provider_is_ready(s->issuers[i].provider))
            return false;
    return true;
}

/* --- a token --- */

/* One token under work. */
struct checking {
    struct oidc_method *method;
    struct issuer *issuer;
    struct token_question *q;
    struct jwt jwt;
};

static enum authn_decision refuse(struct token_question *q, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum authn_decision refuse(struct token_question *q, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    q->error = arena_vprintf(q->arena, fmt, args);
    va_end(args);
    return AUTHN_REFUSED;
}

static bool seconds_of(const struct value *claims, const char *name, double *ret)
{
    const struct value *v = value_get(claims, text_of(name));

    if (!v || (v->kind != VALUE_INT && v->kind != VALUE_FLOAT))
        return false;
    *ret = v->kind == VALUE_INT ? (double)v->integer : v->number;
    return true;
}

/* A claim of a kind that it must not be of would not have been decoded. */
static bool has_good_times(const struct value *claims)
{
    static const char *const names[] = {"exp", "iat", "nbf"};
    double unused;

    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const struct value *v = value_get(claims, text_of(names[i]));
        if (v && v->kind != VALUE_NULL && !seconds_of(claims, names[i], &unused))
            return false;
    }
    return true;
}

static const char *time_problem(const struct value *claims)
{
    double now_s = (double)clock_now_ns() / 1e9, t;

    if (!has_good_times(claims))
        return "failed to unmarshal claims";
    if (!seconds_of(claims, "exp", &t) || t < now_s)
        return "token is expired";
    if (seconds_of(claims, "nbf", &t) && now_s + NOT_BEFORE_LEEWAY_S < t)
        return "current time before the nbf (not before) time";
    return NULL;
}

static bool is_for_us(const struct checking *c, const struct jwt *t)
{
    struct text_list audiences = jwt_audiences(c->q->arena, &t->claims);

    for (size_t i = 0; i < audiences.n; i++)
        if (text_list_has(&c->issuer->config->audiences, audiences.p[i]))
            return true;
    return false;
}

/* What is cheap comes first, so that keys are not fetched for nothing. AUTHN_KNOWN: signed, ours and in time.
 */
static enum authn_decision verify_by(struct checking *c, const struct jwt *t, struct provider *p)
{
    const char *problem = time_problem(&t->claims);

    if (!is_for_us(c, t))
        return refuse(c->q, "oidc: verify token: oidc: expected audience not found in the token");
    if (problem)
        return refuse(c->q, "oidc: verify token: oidc: %s", problem);
    if (!text_list_has(&c->method->algs, t->alg))
        return refuse(c->q, "oidc: verify token: oidc: id token signed with unsupported algorithm");
    switch (provider_verify(p, t, c->q->may_block)) {
    case PROVIDER_SIGNED:
        return AUTHN_KNOWN;
    case PROVIDER_NOT_READY:
        return refuse(c->q, "oidc: authenticator not initialized");
    case PROVIDER_WOULD_BLOCK:
        return AUTHN_WOULD_BLOCK;
    default:
        return refuse(c->q,
                      "oidc: verify token: failed to verify signature: failed to verify id token signature");
    }
}

static enum authn_decision verify(struct checking *c)
{
    return verify_by(c, &c->jwt, c->issuer->provider);
}

/* --- distributed claims: the groups may lie with another service, OpenID Connect Core 1.0, section 5.6.2 --- */

/* NULL: there are too many. */
static struct provider *other_provider(struct issuer *i, struct text url)
{
    pthread_mutex_lock(&i->mu);
    struct provider *p = map_get(&i->others, url);
    if (!p && i->others.n < OTHERS_MAX) {
        char *key = xmalloc(url.n + 1);
        memcpy(key, url.p, url.n);
        p = start_provider(i, url, TEXT_NONE, NULL);
        map_put(&i->others, (struct text){key, url.n}, p);
    }
    pthread_mutex_unlock(&i->mu);
    return p;
}

static enum authn_decision fetch_claim(struct checking *c, struct text claim, const struct value *source)
{
    CLEANUP(status_clear) struct status st = {0};
    struct text body;
    const char *why;
    struct jwt t;

    if (!c->q->may_block)
        return AUTHN_WOULD_BLOCK;
    if (!provider_get(c->issuer->provider, c->q->arena, value_get_text(source, TEXT("endpoint")),
                      value_get_text(source, TEXT("access_token")), &body, &why))
        return refuse(c->q, "oidc: could not expand distributed claims: while getting distributed claim: %s",
                      why);
    if (jwt_parse(c->q->arena, text_trim(body), &t, &st) < 0)
        return refuse(c->q, "oidc: could not expand distributed claims: malformed token");
    struct provider *p = other_provider(c->issuer, value_get_text(&t.claims, TEXT("iss")));
    enum authn_decision d =
        p ? verify_by(c, &t, p) : refuse(c->q, "oidc: too many issuers of distributed claims");
    const struct value *found = value_get(&t.claims, claim);
    if (d == AUTHN_KNOWN && !found)
        return refuse(
            c->q,
            "oidc: could not expand distributed claims: the endpoint's token does not contain the claim");
    if (d == AUTHN_KNOWN)
        value_set(c->q->arena, &c->jwt.claims, claim, *found);
    return d;
}

/* Where the token says that its groups are elsewhere, they are asked for there. */
static enum authn_decision expand_groups(struct checking *c)
{
    struct text claim = c->issuer->config->groups_claim;
    const struct value *names = value_get(&c->jwt.claims, TEXT("_claim_names"));
    const struct value *sources = value_get(&c->jwt.claims, TEXT("_claim_sources")), *name, *source;

    if (!claim.n || value_get(&c->jwt.claims, claim) || !names || names->kind == VALUE_NULL)
        return AUTHN_KNOWN;
    if (names->kind != VALUE_OBJECT || !sources || sources->kind != VALUE_OBJECT)
        return refuse(c->q, "oidc: could not expand distributed claims: oidc: no claim sources");
    name = value_get(names, claim);
    if (!name)
        return AUTHN_KNOWN;
    source = value_get(sources, value_text(name));
    if (!source || source->kind != VALUE_OBJECT)
        return refuse(c->q,
                      "oidc: could not expand distributed claims: a source is missing in _claim_sources");
    if (!value_get_text(source, TEXT("endpoint")).n)
        return AUTHN_KNOWN; /* an aggregated claim, perhaps: upstream does not know those either */
    return fetch_claim(c, claim, source);
}

/* --- claims --- */

/* A text; null is an empty one, as for Go's decoder. False: it is not there, or something else. */
static bool claim_text(const struct value *claims, struct text name, struct text *ret)
{
    const struct value *v = value_get(claims, name);

    *ret = TEXT("");
    if (v && v->kind == VALUE_STRING)
        *ret = value_text(v);
    return v && (v->kind == VALUE_STRING || v->kind == VALUE_NULL);
}

static struct text prefixed(struct arena *a, struct text prefix, struct text t)
{
    return prefix.n ? arena_textf(a, "%.*s%.*s", TEXT_ARG(prefix), TEXT_ARG(t)) : t;
}

static enum authn_decision read_name(struct checking *c)
{
    const struct authn_issuer *config = c->issuer->config;
    const struct value *claims = &c->jwt.claims, *verified = value_get(claims, TEXT("email_verified"));
    struct text name;

    if (!claim_text(claims, config->username_claim, &name))
        return refuse(c->q, "oidc: parse username claims \"%.*s\": %s", TEXT_ARG(config->username_claim),
                      value_get(claims, config->username_claim) ? "not a string" : "claim not present");
    if (text_is(config->username_claim, "email") && verified) {
        if (verified->kind != VALUE_BOOL && verified->kind != VALUE_NULL)
            return refuse(c->q, "oidc: parse 'email_verified' claim: not a bool");
        if (verified->kind == VALUE_NULL || !verified->boolean)
            return refuse(c->q, "oidc: email not verified");
    }
    c->q->user.name = prefixed(c->q->arena, config->username_prefix, name);
    if (!c->q->user.name.n)
        return refuse(c->q, "oidc: the username claim is empty");
    return AUTHN_KNOWN;
}

static enum authn_decision read_groups(struct checking *c)
{
    const struct authn_issuer *config = c->issuer->config;
    const struct value *v = config->groups_claim.n ? value_get(&c->jwt.claims, config->groups_claim) : NULL;
    struct user_info *u = &c->q->user;

    if (!v || v->kind == VALUE_NULL)
        return AUTHN_KNOWN;
    if (v->kind != VALUE_LIST && v->kind != VALUE_STRING)
        return refuse(c->q, "oidc: parse groups claim \"%.*s\": not a string or a list of strings",
                      TEXT_ARG(config->groups_claim));
    const struct value *items = v->kind == VALUE_LIST ? v->items : v;
    size_t n = v->kind == VALUE_LIST ? v->n : 1;
    u->groups = ARENA_ARRAY(c->q->arena, struct text, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (items[i].kind != VALUE_STRING && items[i].kind != VALUE_NULL)
            return refuse(c->q, "oidc: parse groups claim \"%.*s\": not a string or a list of strings",
                          TEXT_ARG(config->groups_claim));
        u->groups[u->n_groups++] = prefixed(c->q->arena, config->groups_prefix, value_text(&items[i]));
    }
    return AUTHN_KNOWN;
}

static enum authn_decision read_uid(struct checking *c)
{
    const struct authn_issuer *config = c->issuer->config;
    struct text jti;

    if (config->uid_claim.n && !claim_text(&c->jwt.claims, config->uid_claim, &c->q->user.uid))
        return refuse(c->q, "oidc: parse uid claim \"%.*s\": claim not present, or not a string",
                      TEXT_ARG(config->uid_claim));
    if (claim_text(&c->jwt.claims, TEXT("jti"), &jti) && jti.n)
        user_add_extra(c->q->arena, &c->q->user, TEXT(EXTRA_CREDENTIAL_ID),
                       arena_textf(c->q->arena, "JTI=%.*s", TEXT_ARG(jti)));
    return AUTHN_KNOWN;
}

static enum authn_decision check_required(struct checking *c)
{
    for (size_t i = 0; i < c->issuer->config->n_required; i++) {
        const struct authn_required_claim *r = &c->issuer->config->required[i];
        struct text value;
        if (!value_get(&c->jwt.claims, r->claim))
            return refuse(c->q, "oidc: required claim %.*s not present in ID token", TEXT_ARG(r->claim));
        if (!claim_text(&c->jwt.claims, r->claim, &value))
            return refuse(c->q, "oidc: parse claim %.*s: not a string", TEXT_ARG(r->claim));
        if (!text_eq(value, r->value))
            return refuse(c->q, "oidc: required claim %.*s value does not match. Got = %.*s, want = %.*s",
                          TEXT_ARG(r->claim), TEXT_ARG(value), TEXT_ARG(r->value));
    }
    return AUTHN_KNOWN;
}

/* --- the method --- */

static struct issuer *issuer_of(const struct issuer_set *s, struct text named)
{
    if (text_is(named, "accounts.google.com")) /* says so without the scheme, now and then */
        named = TEXT(GOOGLE);
    for (size_t i = 0; i < s->n; i++)
        if (text_eq(s->issuers[i].config->url, named))
            return &s->issuers[i];
    return NULL;
}

static enum authn_decision authenticate(struct checking *c)
{
    static enum authn_decision (*const steps[])(struct checking * c) = {
        verify, expand_groups, read_name, read_groups, read_uid, check_required};
    enum authn_decision d = AUTHN_KNOWN;

    c->q->user = (struct user_info){0};
    for (size_t i = 0; i < N_ELEMENTS(steps) && d == AUTHN_KNOWN; i++)
        d = steps[i](c);
    return d;
}

static enum authn_decision oidc_authenticate(struct token_method *method, struct token_question *q)
{
    struct oidc_method *m = CONTAINER_OF(method, struct oidc_method, method);
    CLEANUP(set_unrefp) struct issuer_set *set = set_ref_current(m);
    CLEANUP(status_clear) struct status st = {0};
    struct checking c = {.method = m, .q = q};
    int64_t start_ns = clock_mono_ns();

    if (!set->n || jwt_parse(q->arena, q->token, &c.jwt, &st) < 0)
        return AUTHN_NO_OPINION;
    c.issuer = issuer_of(set, value_get_text(&c.jwt.claims, TEXT("iss")));
    if (!c.issuer)
        return AUTHN_NO_OPINION;
    enum authn_decision d = authenticate(&c);
    if (d == AUTHN_KNOWN || d == AUTHN_REFUSED)
        authn_observe_jwt(c.issuer->hash, d == AUTHN_KNOWN, clock_mono_ns() - start_ns);
    if (d == AUTHN_REFUSED)
        log_verbose(4, "OIDC token refused", LOG_TEXT("issuer", c.issuer->config->url),
                    LOG_STR("reason", q->error));
    return d;
}

/* --- changes of the file --- */

static void drop_next(struct oidc_method *m)
{
    timer_cancel(m->timers, &m->swap);
    set_unref(MOVE(m->next));
    free((char *)m->next_hash.p);
    m->next_hash = TEXT_NONE;
}

static void swap_when_ready(struct timer *t)
{
    struct oidc_method *m = CONTAINER_OF(t, struct oidc_method, swap);

    if (!m->next)
        return;
    if (!set_is_ready(m->next)) {
        if (clock_mono_ms() - m->next_since_ms >= SWAP_TIMEOUT_MS) {
            m->next_since_ms = clock_mono_ms();
            log_error("The changed authentication configuration waits for its issuers; the one before stays "
                      "in force");
            authn_count_reload(m->server_hash, false);
        }
        timer_arm(m->timers, &m->swap, SWAP_LOOK_MS);
        return;
    }
    pthread_mutex_lock(&m->mu);
    struct issuer_set *before = m->current;
    m->current = MOVE(m->next);
    pthread_mutex_unlock(&m->mu);
    log_info("reloaded authentication config");
    authn_count_reload(m->server_hash, true);
    authn_note_config(m->server_hash, m->next_hash);
    set_unref(before);
    drop_next(m);
}

static void file_changed(void *ctx, struct text content)
{
    struct oidc_method *m = ctx;
    CLEANUP(status_clear) struct status st = {0};
    struct authn_config config = {0};

    drop_next(m);
    int rc = authn_config_read(content, m->disallowed, &config, &st);
    if (rc == 0 && !text_eq(config.anonymous, m->anonymous)) {
        rc = status_set(&st, STATUS_BAD_REQUEST,
                        "invalid authentication configuration: anonymous: Forbidden: changed from initial "
                        "configuration file");
        authn_config_deinit(&config);
    }
    if (rc < 0) {
        log_error("The changed authentication configuration is refused; the one before stays in force",
                  LOG_STR("err", st.message));
        authn_count_reload(m->server_hash, false);
        return;
    }
    struct text hash = authn_hash(config.arena, content);
    char *copy = xmalloc(hash.n + 1);
    memcpy(copy, hash.p, hash.n);
    m->next_hash = (struct text){copy, hash.n};
    m->next = set_new(m, &config);
    m->next_since_ms = clock_mono_ms();
    timer_arm(m->timers, &m->swap, 0);
}

/* --- life --- */

static void oidc_free(struct token_method *method)
{
    struct oidc_method *m = CONTAINER_OF(method, struct oidc_method, method);

    watched_file_stop(m->file);
    if (m->timers)
        drop_next(m);
    set_unref(m->current);
    if (m->client)
        http_client_stop(m->client);
    pthread_mutex_destroy(&m->mu);
    arena_free(m->arena);
    free(m);
}

static int take_algs(struct oidc_method *m, const struct text_list *wanted, struct status *st)
{
    struct text_list known = {0};

    for (size_t i = 0; i < N_ELEMENTS(known_algs); i++)
        text_list_add(m->arena, &known, text_of(known_algs[i]));
    if (!wanted)
        m->algs = known;
    for (size_t i = 0; wanted && i < wanted->n; i++) {
        if (!text_list_has(&known, wanted->p[i]))
            return status_set(st, STATUS_BAD_REQUEST, "oidc: unsupported signing alg: \"%.*s\"",
                              TEXT_ARG(wanted->p[i]));
        text_list_add(m->arena, &m->algs, arena_text(m->arena, wanted->p[i]));
    }
    return 0;
}

int authn_oidc_new(const struct authn_oidc_options *opt, struct token_method **ret, struct status *st)
{
    static const struct http_client_options client = {.name = "oidc", .can_repeat = true};
    struct oidc_method *m = xcalloc(1, sizeof(*m));

    authn_metrics_register();
    m->method = (struct token_method){
        .name = "oidc", .is_audience_agnostic = true, .authenticate = oidc_authenticate, .free = oidc_free};
    m->arena = arena_new();
    m->timers = opt->timers;
    m->disallowed = opt->disallowed;
    m->server_hash = authn_hash(m->arena, text_of(opt->server_id));
    m->anonymous = arena_text(m->arena, opt->config->anonymous);
    m->swap.fire = swap_when_ready;
    pthread_mutex_init(&m->mu, NULL);
    if (take_algs(m, opt->signing_algs, st) < 0 || !(m->client = http_client_start(&client))) {
        if (!st->message)
            status_record(st, STATUS_INTERNAL_ERROR, "no thread for the issuers of tokens");
        authn_config_deinit(opt->config);
        oidc_free(&m->method);
        return -1;
    }
    m->current = set_new(m, opt->config);
    if (opt->file) {
        authn_note_config(m->server_hash, authn_hash(m->arena, opt->content));
        m->file = watched_file_start(m->timers, opt->file, opt->content, LOOK_MS, file_changed, m);
    }
    *ret = &m->method;
    return 0;
}
