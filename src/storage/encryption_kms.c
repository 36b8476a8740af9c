/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes: values are encrypted with keys derived from a seed of ours; the plugin encrypts the seed, and its answer lies beside
 * each value, so that only the plugin can make it readable again. The write state (seed, encrypted seed, key id) is made when
 * the plugin's status names a new key id, and prolonged by each good status; without one for three minutes writes fail, reads
 * go on. Decrypted seeds are kept, so that loading a store asks the plugin once per seed, not per value. One thread per
 * plugin asks for the status: each minute, or every ten seconds while it is not well.
 * Source: kubernetes/apiserver pkg/storage/value/encrypt/envelope/kmsv2, pkg/server/options/encryptionconfig/config.go. */
#include <openssl/crypto.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "storage/encryption_internal.h"

#define WELL_INTERVAL_MS (60 * 1000)
#define UNWELL_INTERVAL_MS (10 * 1000)
#define WELL_TTL_MS (20 * 1000) /* an answer that health checks need not ask for again */
#define UNWELL_TTL_MS (3 * 1000)
#define WRITE_TTL_MS (3 * 60 * 1000LL)
#define CACHE_TTL_MS (24 * 3600 * 1000LL)
#define CACHE_FAILURE_TTL_MS 3000 /* so that a plugin that is slow to refuse delays a load once, not once per value */
#define CACHE_MAX 65536
#define SECRET_MAX 64 /* of a decrypted key or seed that we take */

static int fail(struct status *st, const char *what)
{
    return status_set(st, STATUS_INTERNAL_ERROR, "%s", what);
}

/* --- a plugin ------------------------------------------------------------------------------------------------------------ */

/* What writes use; refcounted, so that no lock is held while encrypting. */
struct kms_state {
    atomic_uint refs;
    unsigned char seed[SEED_BYTES];
    struct text key_id, key_id_hash, envelope, cache_key; /* in the arena */
    uint32_t id;
    struct arena *arena;
};

struct cached_key {
    char key[80]; /* hash_text */
    char secret[SECRET_MAX];
    size_t n; /* 0: the plugin refused it ... */
    char *why;
    const char *grpc_code;
    int64_t expires_ms;
};

struct kms_plugin {
    struct transformer base;
    struct arena *arena;
    struct text name, server_id_hash;
    struct kms_service *service;
    struct kms_callbacks callbacks;
    pthread_t thread;
    bool has_thread;
    int stop_fd;

    pthread_mutex_t check_mu;  /* one check at a time; before mu */
    char *version;             /* check_mu: of the first status */
    int64_t checked_ms, ttl_ms; /* check_mu */
    char *last_error;          /* check_mu: NULL: well */

    pthread_mutex_t mu;
    struct kms_state *state; /* mu: NULL: there is none yet */
    int64_t expires_ms;      /* mu: of the state, wall clock */
    struct map cache;        /* mu: struct cached_key */
};

static struct kms_plugin *of(struct transformer *t)
{
    return CONTAINER_OF(t, struct kms_plugin, base);
}

static int64_t wall_ms(void)
{
    return clock_now_ns() / 1000000;
}

static void state_unref(struct kms_state *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    OPENSSL_cleanse(s->seed, sizeof(s->seed));
    arena_free(s->arena);
    free(s);
}
DEFINE_CLEANUP(struct kms_state *, state_unref)

static struct kms_state *state_hold(struct kms_plugin *p, int64_t *ret_expires_ms)
{
    pthread_mutex_lock(&p->mu);
    struct kms_state *s = p->state;
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    if (ret_expires_ms)
        *ret_expires_ms = p->expires_ms;
    pthread_mutex_unlock(&p->mu);
    return s;
}

static uint32_t key_id_number(const struct kms_plugin *p, struct text key_id, uint64_t dek_type)
{
    const struct text parts[] = {TEXT("kms"), p->name, key_id, dek_type == DEK_SEED ? TEXT("seed") : TEXT("key")};
    return transformer_id(parts, N_ELEMENTS(parts));
}

/* --- the cache of decrypted seeds ------------------------------------------------------------------------------------------ */

static void cached_key_free(struct cached_key *k)
{
    if (!k)
        return;
    OPENSSL_cleanse(k->secret, sizeof(k->secret));
    free(k->why);
    free(k);
}

static void drop_expired_locked(struct kms_plugin *p)
{
    int64_t now = clock_mono_ms();
    struct map_slot *slot;
    VEC(struct cached_key *) gone = {0};
    for (size_t i = 0; (slot = map_next(&p->cache, &i));)
        if (((struct cached_key *)slot->value)->expires_ms < now)
            vec_push(&gone, (struct cached_key *)slot->value);
    for (size_t i = 0; i < gone.n; i++) {
        map_remove(&p->cache, text_of(gone.p[i]->key));
        cached_key_free(gone.p[i]);
    }
    vec_deinit(&gone);
}

/* secret empty: a failure, why. A key that is there is prolonged. */
static void cache_put(struct kms_plugin *p, struct text key, struct text secret, const char *why, const char *grpc_code)
{
    struct cached_key *k = xcalloc(1, sizeof(*k));
    memcpy(k->key, key.p, key.n < sizeof(k->key) ? key.n : sizeof(k->key) - 1);
    if (secret.n)
        memcpy(k->secret, secret.p, secret.n);
    k->n = secret.n;
    k->why = secret.n ? NULL : xstrdup(why);
    k->grpc_code = grpc_code;
    k->expires_ms = clock_mono_ms() + (secret.n ? CACHE_TTL_MS : CACHE_FAILURE_TTL_MS);
    pthread_mutex_lock(&p->mu);
    struct cached_key *old = map_get(&p->cache, key);
    if (!old)
        drop_expired_locked(p);
    if (old || p->cache.n < CACHE_MAX) {
        cached_key_free(map_put(&p->cache, text_of(k->key), k));
        k = NULL;
    }
    kms_set_cache_size(p->name, p->cache.n);
    pthread_mutex_unlock(&p->mu);
    cached_key_free(k);
}

/* 1: *ret_secret is there; -1: the plugin has just refused it; 0: ask it. */
static int cache_find(struct kms_plugin *p, struct text key, char ret_secret[SECRET_MAX], size_t *ret_n,
                      struct transform *x)
{
    int found = 0;
    pthread_mutex_lock(&p->mu);
    const struct cached_key *k = map_get(&p->cache, key);
    if (k && k->n) { /* a seed stays what it is, however old */
        memcpy(ret_secret, k->secret, k->n);
        *ret_n = k->n;
        found = 1;
    } else if (k && k->expires_ms > clock_mono_ms()) {
        x->grpc_code = k->grpc_code;
        found = fail(x->st, k->why);
    }
    pthread_mutex_unlock(&p->mu);
    return found;
}

/* The seed or key that the plugin has encrypted. */
static int decrypt_dek(struct kms_plugin *p, struct arena *a, const struct encrypted_object *o, struct transform *x,
                       char ret_secret[SECRET_MAX], size_t *ret_n)
{
    struct text key = encrypted_object_hash(a, o);
    int found = cache_find(p, key, ret_secret, ret_n, x);
    if (found)
        return found < 0 ? -1 : 0;
    struct kms_request request = {.uid = random_uuid(a), .bytes = o->dek, .key_id = o->key_id,
                                  .annotations = o->annotations, .n_annotations = o->n_annotations};
    struct kms_answer answer;
    encryption_count_cache_miss();
    if (kms_service_call(p->service, KMS_DECRYPT, &request, a, &answer, &x->grpc_code, x->st) < 0)
        status_wrap(x->st, "failed to decrypt DEK, error");
    else if (o->dek_type == DEK_SEED ? answer.bytes.n < SEED_BYTES
                                     : answer.bytes.n != 16 && answer.bytes.n != 24 && answer.bytes.n != 32)
        status_set(x->st, STATUS_INTERNAL_ERROR,
                   o->dek_type == DEK_SEED ? "invalid seed length %zu used for key generation"
                                           : "crypto/aes: invalid key size %zu",
                   answer.bytes.n);
    else if (answer.bytes.n > SECRET_MAX)
        status_set(x->st, STATUS_INTERNAL_ERROR, "the plugin gave a seed of %zu bytes, %d are allowed", answer.bytes.n,
                   SECRET_MAX);
    else {
        x->grpc_code = NULL;
        memcpy(ret_secret, answer.bytes.p, answer.bytes.n);
        *ret_n = answer.bytes.n;
        cache_put(p, key, answer.bytes, NULL, NULL);
        OPENSSL_cleanse((char *)answer.bytes.p, answer.bytes.n);
        return 0;
    }
    cache_put(p, key, TEXT_NONE, x->st->message, x->grpc_code);
    return -1;
}

/* --- the transformer ----------------------------------------------------------------------------------------------------- */

static void add_time(struct buffer *b, int64_t ms)
{
    char text[CLOCK_TEXT_MAX];
    buffer_add(b, clock_rfc3339(ms * 1000000, text));
}

static int expired(const struct kms_state *s, int64_t expires_ms, int64_t now_ms, struct status *st)
{
    CLEANUP(buffer_deinit) struct buffer b = BUFFER_INIT;
    buffer_addf(&b, "encryptedDEKSource with keyID hash \"%.*s\" expired at ", TEXT_ARG(s->key_id_hash));
    add_time(&b, expires_ms);
    buffer_add_str(&b, " (current time is ");
    add_time(&b, now_ms);
    buffer_add_char(&b, ')');
    return fail(st, buffer_str(&b));
}

static const char no_state[] = "got unexpected nil transformer";

static int kms_seal(struct transformer *t, struct transform *x, struct text plain, struct buffer *ret)
{
    struct kms_plugin *p = of(t);
    int64_t expires_ms, now_ms = wall_ms();
    CLEANUP(state_unrefp) struct kms_state *s = state_hold(p, &expires_ms);
    CLEANUP(buffer_deinit) struct buffer data = BUFFER_INIT;
    if (!s)
        return fail(x->st, no_state);
    if (now_ms > expires_ms)
        return expired(s, expires_ms, now_ms, x->st);
    if (seeded_gcm_seal((struct text){(char *)s->seed, SEED_BYTES}, x->key, plain, &data, x->st) < 0)
        return -1;
    protobuf_field_bytes(ret, 1, buffer_text(&data));
    buffer_add(ret, s->envelope);
    x->id = s->id;
    kms_count_key_id(TO_STORAGE, p->name, s->key_id_hash, p->server_id_hash);
    return 0;
}

static int kms_open(struct transformer *t, struct transform *x, struct text data, struct buffer *scratch,
                    struct text *ret)
{
    struct kms_plugin *p = of(t);
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(state_unrefp) struct kms_state *s = NULL;
    struct encrypted_object o;
    char secret[SECRET_MAX];
    size_t n;
    if (encrypted_object_read(a, data, &o, x->st) < 0)
        return -1;
    s = state_hold(p, NULL);
    if (!s)
        return fail(x->st, no_state); /* as upstream: a plugin that never answered is not asked for each value */
    if (decrypt_dek(p, a, &o, x, secret, &n) < 0)
        return -1;
    kms_count_key_id(FROM_STORAGE, p->name, hash_text(a, o.key_id), p->server_id_hash);
    struct text key = {secret, n};
    int rc = o.dek_type == DEK_SEED ? seeded_gcm_open(key, x->key, o.data, scratch, ret, x->st)
                                    : aes_gcm_open(key, x->key, o.data, scratch, ret, x->st);
    OPENSSL_cleanse(secret, sizeof(secret));
    x->id = key_id_number(p, o.key_id, o.dek_type);
    return rc;
}

static uint32_t kms_write_id(struct transformer *t)
{
    CLEANUP(state_unrefp) struct kms_state *s = state_hold(of(t), NULL);
    return s ? s->id : 0;
}

/* --- the status ------------------------------------------------------------------------------------------------------------ */

static struct text no_hash(struct text t)
{
    return t.n ? t : TEXT("");
}

/* A new seed, encrypted by the plugin, which must use the key that its status has named. */
static int make_state(struct kms_plugin *p, struct text status_key_id, struct kms_state **ret, struct status *st)
{
    CLEANUP(state_unrefp) struct kms_state *s = xcalloc(1, sizeof(*s));
    struct kms_answer answer;
    const char *grpc_code;
    int64_t begun_ns = clock_mono_ns();
    s->refs = 1;
    s->arena = arena_new();
    random_fill(s->seed, sizeof(s->seed));
    encryption_observe_key_generation(clock_mono_ns() - begun_ns);
    struct kms_request request = {.uid = random_uuid(s->arena), .bytes = {(char *)s->seed, SEED_BYTES}};
    if (kms_service_call(p->service, KMS_ENCRYPT, &request, s->arena, &answer, &grpc_code, st) < 0)
        return status_wrap(st, "failed to encrypt DEK, error");
    struct encrypted_object o = {TEXT("-"), answer.key_id, answer.bytes, DEK_SEED, answer.annotations,
                                 answer.n_annotations};
    if (encrypted_object_check(&o, st) < 0)
        return -1;
    if (!text_eq(answer.key_id, status_key_id))
        return fail(st, "the plugin encrypted with another key than its status names");
    struct buffer envelope = BUFFER_IN(s->arena);
    encrypted_object_write(&envelope, &o);
    s->envelope = buffer_text(&envelope);
    s->key_id = answer.key_id;
    s->key_id_hash = no_hash(hash_text(s->arena, answer.key_id));
    s->cache_key = encrypted_object_hash(s->arena, &o);
    s->id = key_id_number(p, answer.key_id, DEK_SEED);
    *ret = MOVE(s);
    return 0;
}

static void set_state(struct kms_plugin *p, struct kms_state *next, int64_t expires_ms)
{
    pthread_mutex_lock(&p->mu);
    struct kms_state *old = next ? p->state : NULL;
    if (next)
        p->state = next;
    p->expires_ms = expires_ms;
    pthread_mutex_unlock(&p->mu);
    state_unref(old);
    if (next) /* what is written from now on is read without asking */
        cache_put(p, next->cache_key, (struct text){(char *)next->seed, SEED_BYTES}, NULL, NULL);
}

/* Prolongs the state, or replaces it if the key id is a new one; on failure the old one goes on until it expires. */
static int rotate(struct kms_plugin *p, struct text key_id, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    CLEANUP(status_clear) struct status why = {0};
    int64_t old_expires_ms, expires_ms = wall_ms() + WRITE_TTL_MS; /* counted from before the call */
    CLEANUP(state_unrefp) struct kms_state *now = state_hold(p, &old_expires_ms);
    struct kms_state *next = NULL;
    if (now && text_eq(now->key_id, key_id)) {
        set_state(p, NULL, expires_ms);
        return 0;
    }
    if (make_state(p, key_id, &next, &why) == 0 && next) {
        log_info("A KMS key is in use", LOG_TEXT("provider", p->name), LOG_TEXT("keyIDHash", next->key_id_hash));
        set_state(p, next, expires_ms);
        return 0;
    }
    struct buffer b = BUFFER_IN(a);
    buffer_addf(&b, "failed to rotate DEK, errGen=%s, statusKeyIDHash=\"%.*s\", stateKeyIDHash=\"%.*s\"", why.message,
                TEXT_ARG(hash_text(a, key_id)), TEXT_ARG(now ? now->key_id_hash : TEXT("")));
    if (now) {
        buffer_add_str(&b, ", expirationTimestamp=");
        add_time(&b, old_expires_ms);
    }
    return fail(st, buffer_str(&b));
}

static void add_problem(struct buffer *b, const char *text, size_t *n)
{
    buffer_add_str(b, (*n)++ ? ", " : "");
    buffer_add_str(b, text);
}

static int judge_status_locked(struct kms_plugin *p, struct arena *a, const struct kms_answer *s, struct status *st)
{
    struct buffer b = BUFFER_IN(a);
    CLEANUP(status_clear) struct status why = {0};
    const char *code;
    size_t n = 0;
    if (!text_is(s->healthz, "ok"))
        add_problem(&b, arena_printf(a, "got unexpected healthz status: %.*s", TEXT_ARG(text_first(s->healthz, 256))), &n);
    if (!text_is(s->version, "v2") && !text_is(s->version, "v2beta1")) {
        add_problem(&b, arena_printf(a, "expected KMSv2 API version v2, got %.*s", TEXT_ARG(text_first(s->version, 64))), &n);
    } else {
        if (!p->version)
            p->version = arena_str(p->arena, s->version);
        if (!text_is(s->version, p->version))
            add_problem(&b,
                        arena_printf(a, "KMSv2 API version should not change after the initial status response version "
                                        "%s, got %.*s", p->version, TEXT_ARG(s->version)), &n);
    }
    if (envelope_check_key_id(s->key_id, &code, &why) < 0) {
        kms_count_invalid_key_id(p->name, code);
        add_problem(&b, arena_printf(a, "got invalid KMSv2 KeyID hash \"%.*s\": %s",
                                     TEXT_ARG(hash_text(a, s->key_id)), why.message), &n);
    } else {
        kms_note_key_id_of_status(p->name, hash_text(a, s->key_id), p->server_id_hash);
        if (rotate(p, s->key_id, &why) < 0)
            add_problem(&b, why.message, &n);
    }
    if (!n)
        return 0;
    return status_set(st, STATUS_SERVICE_UNAVAILABLE,
                      n > 1 ? "kmsv2 Provider %.*s is not healthy, error: [%s]"
                            : "kmsv2 Provider %.*s is not healthy, error: %s",
                      TEXT_ARG(p->name), buffer_str(&b));
}

static int ask_locked(struct kms_plugin *p, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    const struct kms_request nothing = {0};
    struct kms_answer answer;
    const char *code;
    if (kms_service_call(p->service, KMS_STATUS, &nothing, a, &answer, &code, st) < 0)
        return status_wrap(st, "failed to perform status section of the healthz check for KMS Provider %.*s, error",
                           TEXT_ARG(p->name));
    return judge_status_locked(p, a, &answer, st);
}

int kms_plugin_check(struct transformer *t, struct status *st)
{
    struct kms_plugin *p = of(t);
    CLEANUP(status_clear) struct status why = {0};
    int rc = 0;
    pthread_mutex_lock(&p->check_mu);
    if (!p->ttl_ms || clock_mono_ms() - p->checked_ms >= p->ttl_ms) {
        rc = ask_locked(p, &why);
        free(p->last_error);
        p->last_error = rc < 0 ? xstrdup(why.message) : NULL;
        p->checked_ms = clock_mono_ms();
        p->ttl_ms = rc < 0 ? UNWELL_TTL_MS : WELL_TTL_MS;
    }
    rc = p->last_error ? status_set(st, STATUS_SERVICE_UNAVAILABLE, "%s", p->last_error) : 0;
    pthread_mutex_unlock(&p->check_mu);
    return rc;
}

/* Whether it is well; said in the log when that changes. */
static bool probe(struct kms_plugin *p, bool was_well)
{
    CLEANUP(status_clear) struct status st = {0};
    bool is_well = kms_plugin_check(&p->base, &st) == 0;
    if (!is_well && was_well)
        log_error("A KMS plugin is not well", LOG_TEXT("provider", p->name), LOG_STR("error", st.message));
    else if (is_well && !was_well)
        log_info("A KMS plugin is well", LOG_TEXT("provider", p->name));
    return is_well;
}

static void *run_probes(void *arg)
{
    struct kms_plugin *p = arg;
    pthread_mutex_lock(&p->check_mu);
    bool is_well = p->last_error == NULL;
    pthread_mutex_unlock(&p->check_mu);
    for (;;) {
        struct pollfd stop = {.fd = p->stop_fd, .events = POLLIN};
        if (poll(&stop, 1, is_well ? WELL_INTERVAL_MS : UNWELL_INTERVAL_MS) > 0)
            return NULL;
        is_well = probe(p, is_well);
        if (is_well)
            p->callbacks.well(p->callbacks.ctx);
    }
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

static void kms_free(struct transformer *t)
{
    static const uint64_t one = 1;
    struct kms_plugin *p = of(t);
    struct map_slot *slot;
    kms_service_cancel(p->service);
    if (p->has_thread) {
        while (write(p->stop_fd, &one, sizeof(one)) < 0)
            ;
        pthread_join(p->thread, NULL);
    }
    if (p->stop_fd >= 0)
        close(p->stop_fd);
    kms_service_free(p->service);
    state_unref(p->state);
    for (size_t i = 0; (slot = map_next(&p->cache, &i));)
        cached_key_free(slot->value);
    map_deinit(&p->cache);
    pthread_mutex_destroy(&p->mu);
    pthread_mutex_destroy(&p->check_mu);
    free(p->last_error);
    arena_free(p->arena);
    free(p);
}

static const struct transformer_ops kms_ops = {
    .seal = kms_seal, .open = kms_open, .write_id = kms_write_id, .free = kms_free};

struct transformer *kms_plugin_new(const struct kms_config *config, const char *server_id,
                                   const struct kms_callbacks *callbacks)
{
    struct kms_plugin *p = xcalloc(1, sizeof(*p));
    p->base.ops = &kms_ops;
    p->arena = arena_new();
    p->name = arena_text(p->arena, config->name);
    p->server_id_hash = hash_text(p->arena, text_of(server_id));
    p->service = kms_service_new(config);
    p->callbacks = *callbacks;
    pthread_mutex_init(&p->mu, NULL);
    pthread_mutex_init(&p->check_mu, NULL);
    probe(p, true); /* a plugin that is there is ready before the store is read */
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    p->has_thread = p->stop_fd >= 0 && thread_start(&p->thread, "kms-probe", run_probes, p);
    if (!p->has_thread)
        log_error("No thread can be started; the KMS plugin's key will expire", LOG_TEXT("provider", p->name));
    return &p->base;
}
