/* SPDX-License-Identifier: Apache-2.0 */
/* componentstatuses, old and outdated: is the controller manager well, the scheduler, the stores? Nothing is stored; whoever asks
 * makes a worker ask them, the first two at the ports of their own machine that they have by default. Revisions and pages mean
 * nothing here. Source: kubernetes pkg/registry/core/componentstatus, pkg/registry/core/rest/storage_core.go, pkg/probe/http. */
#include <stdio.h>

#include "endpoints/endpoints_internal.h"
#include "http/client.h"

#define TIMEOUT_MS 20000
#define STORES_MAX 16
#define ANSWER_MAX 10240 /* pkg/probe/http, maxRespBodyLength */

static const struct component {
    const char *name, *url, *address;
} components[] = {
    {"controller-manager", "https://127.0.0.1:10257/healthz", "127.0.0.1:10257"},
    {"scheduler", "https://127.0.0.1:10259/healthz", "127.0.0.1:10259"},
};

struct probe {
    struct http_exchange exchange;
    struct completion ended;
};

struct answers {
    struct call *call;
    struct arena *arena;
    struct tree *objects; /* sorted by name */
};

static bool is_asked(const struct answers *a, const char *name)
{
    return a->call->is_collection || text_is(a->call->name, name);
}

/* Takes the answer in as an object: of no revision, of no time. */
static void note(struct answers *a, const char *name, bool is_well, struct text message, const char *error)
{
    const struct resource_type *type = a->call->resource->storage;
    struct value obj = value_object(), conditions = value_list(), condition = value_object();
    struct buffer b = BUFFER_IN(a->arena);
    size_t rv_at;

    value_set(a->arena, &condition, TEXT("type"), value_string(TEXT("Healthy")));
    value_set(a->arena, &condition, TEXT("status"), value_string(is_well ? TEXT("True") : TEXT("False")));
    value_set(a->arena, &condition, TEXT("message"), value_string(message));
    value_set(a->arena, &condition, TEXT("error"), value_string(text_of(error ? error : "")));
    value_append(a->arena, &conditions, condition);
    value_set(a->arena, &obj, TEXT("kind"), value_string(type->kind->gvk.kind));
    value_set(a->arena, &obj, TEXT("apiVersion"), value_string(type->kind->api_version));
    value_set(a->arena, value_object_at(a->arena, &obj, TEXT("metadata")), TEXT("name"),
              value_string(text_of(name)));
    value_set(a->arena, &obj, TEXT("conditions"), conditions);
    schema_arrange(a->arena, type->kind->schema, &obj);
    schema_encode(&b, type->kind->schema, &obj, &rv_at);
    struct object *o = object_new(type, buffer_text(&b), rv_at, &obj);
    object_seal_dry(o);
    a->objects = tree_put(&object_tree_ops, a->objects, o);
}

/* --- components --- */

static void ended(struct http_exchange *x)
{
    completion_signal(&CONTAINER_OF(x, struct probe, exchange)->ended);
}

static void note_probe(struct answers *a, const struct component *c, struct http_exchange *x)
{
    struct text body = text_first(buffer_text(&x->body_in), ANSWER_MAX);

    if (x->result == HTTP_NOT_SENT)
        note(a, c->name, false,
             arena_textf(a->arena, "Get \"%s\": dial tcp %s: %s", c->url, c->address, x->why), NULL);
    else if (x->result != HTTP_DONE)
        note(a, c->name, false, arena_textf(a->arena, "Get \"%s\": %s", c->url, x->why), NULL);
    else if (x->code < 200 || x->code >= 400)
        note(a, c->name, false, arena_textf(a->arena, "HTTP probe failed with statuscode: %d", x->code),
             NULL);
    else
        note(a, c->name, true, arena_text(a->arena, body), NULL);
}

/* Both at once. */
static void ask_components(struct answers *a)
{
    static const struct http_tls tls = {.is_insecure = true};
    static const struct http_client_options opt = {.name = "components"};
    struct probe probes[N_ELEMENTS(components)];
    struct http_client *client = http_client_start(&opt);

    if (!client)
        return;
    for (size_t i = 0; i < N_ELEMENTS(components); i++) {
        probes[i] = (struct probe){
            .exchange = {.url = components[i].url, .tls = &tls, .timeout_ms = TIMEOUT_MS, .done = ended}};
        completion_init(&probes[i].ended);
        if (is_asked(a, components[i].name))
            http_client_submit(client, &probes[i].exchange);
        else
            completion_signal(&probes[i].ended);
    }
    for (size_t i = 0; i < N_ELEMENTS(components); i++) {
        completion_wait(&probes[i].ended);
        if (is_asked(a, components[i].name))
            note_probe(a, &components[i], &probes[i].exchange);
        buffer_deinit(&probes[i].exchange.body_in);
    }
    http_client_stop(client);
}

/* --- stores --- */

static void ask_store(struct answers *a, struct storage *s, size_t i)
{
    CLEANUP(status_clear) struct status st = {0};
    char name[32];

    snprintf(name, sizeof(name), "etcd-%zu", i);
    if (!is_asked(a, name))
        return;
    bool is_well = storage_check(s, PROBE_READY, &st) == 0;
    note(a, name, is_well, is_well ? TEXT("ok") : TEXT_NONE,
         is_well ? NULL : arena_strdup(a->arena, st.message));
}

/* The embedded one too goes by that name. Where some resources have servers of their own there are several. */
static void ask_stores(struct answers *a)
{
    struct storage *known[STORES_MAX];
    size_t n = 0;

    for (const struct resource *res = registry_resources(a->call->e->opt.registry); res; res = res->next) {
        size_t i = 0;
        while (i < n && known[i] != res->store)
            i++;
        if (i == n && n < STORES_MAX && res->store) {
            known[n++] = res->store;
            ask_store(a, res->store, i);
        }
    }
}

static void release(void *tree)
{
    tree_unref(&object_tree_ops, tree);
}

static struct tree *ask(struct request *r, struct call *c)
{
    struct answers a = {.call = c, .arena = r->arena};

    ask_components(&a);
    ask_stores(&a);
    if (a.objects)
        arena_defer(r->arena, release, a.objects);
    return a.objects;
}

/* --- verbs --- */

enum flow call_component_get(struct request *r, struct call *c)
{
    struct status st = {0};
    struct object *o;

    if (!request_may_block(r))
        return FLOW_BLOCK;
    if (representation_choose(r, c->resource, c->sub, false, &c->rep, &st) < 0)
        return request_fail(r, &st);
    o = tree_get(&object_tree_ops, ask(r, c), c->name);
    if (o)
        return respond_object(r, c, 200, object_ref(o));
    status_not_found(&st, TEXT_NONE, TEXT("componentstatus"), c->name);
    return request_fail(r, &st);
}

enum flow call_component_list(struct request *r, struct call *c)
{
    struct list_options *options = ARENA_NEW(r->arena, struct list_options);
    struct listing *listing = ARENA_NEW(r->arena, struct listing);
    struct status st = {0};

    if (!request_may_block(r))
        return FLOW_BLOCK;
    if (representation_choose(r, c->resource, c->sub, true, &c->rep, &st) < 0 ||
        list_options_read(r, c, false, options, &st) < 0 || table_options_read(r, &c->rep, &st) < 0)
        return request_fail(r, &st);
    if (options->says_watch) {
        status_method_not_supported(&st, c->resource->type->group, c->resource->type->name, "watch");
        return request_fail(r, &st);
    }
    listing_of(listing, c->resource, &options->request, tree_ref(ask(r, c)));
    return respond_list(r, c, listing);
}
