/* SPDX-License-Identifier: Apache-2.0 */
/* EventRateLimit: token buckets for events, of the whole server, of each namespace, user, or source with its object. A limit keeps the
 * buckets that were used last, as many as its configuration says. Source: kubernetes plugin/pkg/admission/eventratelimit. */
#include "admission/plugin.h"

#include <pthread.h>

#define BUCKETS_DEFAULT 4096

struct bucket {
    struct list link; /* of the limit, last used first */
    struct text key;
    double tokens;
    int64_t at_ns;
    char bytes[];
};
struct limit {
    struct text type;
    double qps, burst;
    size_t n_max;
    pthread_mutex_t mu; /* rank 1: all below */
    struct map by_key;
    struct list buckets;
};
struct limits {
    struct limit *p;
    size_t n;
};

/* --- configuration --- */

static int read_limit(const struct value *v, size_t i, struct limit *ret, struct status *st)
{
    static const char *const types[] = {"Server", "Namespace", "User", "SourceAndObject"};
    int64_t qps = value_get_int(v, TEXT("qps"), 0), burst = value_get_int(v, TEXT("burst"), 0);
    int64_t n_max = value_get_int(v, TEXT("cacheSize"), 0);
    struct text type = text_at(v, "type");
    bool is_known = false;

    for (size_t k = 0; k < N_ELEMENTS(types); k++)
        is_known |= text_is(type, types[k]);
    if (!is_known)
        return status_set(st, STATUS_BAD_REQUEST,
                          "limits[%zu].type: Unsupported value: \"%.*s\": supported values: \"Namespace\", "
                          "\"Server\", \"SourceAndObject\", \"User\"",
                          i, TEXT_ARG(type));
    if (burst <= 0)
        return status_set(st, STATUS_BAD_REQUEST, "limits[%zu].burst: Invalid value: %lld: must be positive",
                          i, (long long)burst);
    if (qps <= 0)
        return status_set(st, STATUS_BAD_REQUEST, "limits[%zu].qps: Invalid value: %lld: must be positive", i,
                          (long long)qps);
    if (n_max < 0)
        return status_set(st, STATUS_BAD_REQUEST,
                          "limits[%zu].cacheSize: Invalid value: %lld: must not be negative", i,
                          (long long)n_max);
    *ret = (struct limit){.type = type,
                          .qps = (double)qps,
                          .burst = (double)burst,
                          .n_max = n_max ? (size_t)n_max : BUCKETS_DEFAULT};
    pthread_mutex_init(&ret->mu, NULL);
    list_init(&ret->buckets);
    return 0;
}

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    const struct value *given = value_get(c->config, TEXT("limits"));
    struct limits *l = ARENA_NEW(c->arena, struct limits);

    *ret_state = l;
    if (!c->config || !text_is(text_at(c->config, "kind"), "Configuration") ||
        !text_is(text_at(c->config, "apiVersion"), "eventratelimit.admission.k8s.io/v1alpha1"))
        return status_set(st, STATUS_BAD_REQUEST,
                          "a Configuration of eventratelimit.admission.k8s.io/v1alpha1 is needed");
    if (!list_size(given))
        return status_set(st, STATUS_BAD_REQUEST, "limits: Invalid value: \"null\": must not be empty");
    l->p = ARENA_ARRAY(c->arena, struct limit, given->n);
    for (size_t i = 0; i < given->n; i++, l->n++)
        if (read_limit(&given->items[i], i, &l->p[i], st) < 0)
            return -1;
    return 0;
}

static void drop(struct limit *l, struct bucket *b)
{
    map_remove(&l->by_key, b->key);
    list_remove(&b->link);
    free(b);
}

static void stop(void *state)
{
    struct limits *l = state;

    for (size_t i = 0; i < l->n; i++) {
        list_for_each_safe(pos, &l->p[i].buckets) drop(&l->p[i], CONTAINER_OF(pos, struct bucket, link));
        map_deinit(&l->p[i].by_key);
        pthread_mutex_destroy(&l->p[i].mu);
    }
}

/* --- buckets --- */

static struct bucket *find_locked(struct limit *l, struct text key, int64_t now_ns)
{
    struct bucket *b = map_get(&l->by_key, key);

    if (b) {
        list_remove(&b->link);
    } else {
        if (l->by_key.n >= l->n_max)
            drop(l, CONTAINER_OF(l->buckets.prev, struct bucket, link));
        b = xcalloc(1, sizeof(*b) + key.n + 1);
        memcpy(b->bytes, key.n ? key.p : "", key.n);
        b->key = (struct text){b->bytes, key.n};
        b->tokens = l->burst;
        b->at_ns = now_ns;
        map_put(&l->by_key, b->key, b);
    }
    list_insert_before(l->buckets.next, &b->link);
    return b;
}

static bool take(struct limit *l, struct text key)
{
    int64_t now_ns = clock_mono_ns();

    pthread_mutex_lock(&l->mu);
    struct bucket *b = find_locked(l, key, now_ns);
    b->tokens += (double)(now_ns - b->at_ns) / 1e9 * l->qps;
    b->tokens = b->tokens > l->burst ? l->burst : b->tokens;
    b->at_ns = now_ns;
    bool has_token = b->tokens >= 1;
    b->tokens -= has_token;
    pthread_mutex_unlock(&l->mu);
    return has_token;
}

static struct text key_of(const struct limit *l, const struct admission_attributes *a)
{
    static const char *const source[] = {"component", "host"}, *const object[] = {"kind", "namespace", "name",
                                                                                  "uid", "apiVersion"};
    struct buffer b = BUFFER_IN(a->arena);

    if (text_is(l->type, "Server"))
        return TEXT("");
    if (text_is(l->type, "Namespace"))
        return a->namespace;
    if (text_is(l->type, "User"))
        return a->user->name;
    for (size_t i = 0; i < N_ELEMENTS(source); i++)
        buffer_add(&b, text_at(value_get(a->object, TEXT("source")), source[i]));
    for (size_t i = 0; i < N_ELEMENTS(object); i++)
        buffer_add(&b, text_at(value_get(a->object, TEXT("involvedObject")), object[i]));
    return buffer_text(&b);
}

static int check(void *state, struct admission_attributes *a, struct status *st)
{
    const struct limits *l = state;
    struct text_list errors = {0};
    struct buffer b = BUFFER_IN(a->arena);

    for (size_t i = 0; !a->is_dry_run && i < l->n; i++) { /* each of them counts the event */
        struct text key = key_of(&l->p[i], a);
        if (!take(&l->p[i], key))
            text_list_add(a->arena, &errors,
                          arena_textf(a->arena, "limit reached on type %.*s for key %.*s",
                                      TEXT_ARG(l->p[i].type), TEXT_ARG(key)));
    }
    text_list_write_errors(&b, &errors);
    return errors.n ? status_set(st, STATUS_TOO_MANY_REQUESTS, "%s", buffer_str(&b)) : 0;
}

static const struct admission_rule rules[] = {
    {TEXT(""), TEXT("events"), TEXT("*"), CREATE | UPDATE, .validate = check}};
const struct admission_plugin plugin_event_rate = {"EventRateLimit", false, RULES(rules), .start = start,
                                                   .stop = stop};
