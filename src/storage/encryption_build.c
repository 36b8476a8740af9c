/* SPDX-License-Identifier: Apache-2.0 */
/* From a checked configuration to lists of transformers. Secrets are wiped from the texts that held them once the ciphers have
 * them. Source: kubernetes/apiserver pkg/server/options/encryptionconfig/config.go. */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base.h"
#include "storage/encryption_internal.h"

#define FILE_BYTES_MAX (4 << 20)

struct builder {
    struct encryption_set *set;
    transformers lists;
    const char *server_id;
    const struct kms_callbacks *callbacks;
    struct status *st;
};

static struct transformer *build_keys(struct builder *b, const struct provider_config *p)
{
    static const enum cipher_kind kinds[] = {
        [AESGCM] = CIPHER_AESGCM, [AESCBC] = CIPHER_AESCBC, [SECRETBOX] = CIPHER_SECRETBOX};
    struct transformer *list =
        prefix_list_new(p->kind == SECRETBOX ? "no matching key was found for the provided Secretbox transformer"
                                             : "no matching key was found for the provided AES transformer");
    vec_push(&b->set->owned, list);
    for (size_t i = 0; i < p->n_keys; i++) {
        struct transformer *t = cipher_new(kinds[p->kind], p->keys[i].name, p->keys[i].secret);
        OPENSSL_cleanse((char *)p->keys[i].secret.p, p->keys[i].secret.n);
        vec_push(&b->set->owned, t);
        prefix_list_add(list, arena_textf(b->set->arena, "%.*s:", TEXT_ARG(p->keys[i].name)), t);
    }
    return list;
}

/* One provider's transformer and prefix. */
static int build_provider(struct builder *b, const struct provider_config *p, struct text *ret_prefix,
                          struct transformer **ret)
{
    static const char *const prefix_names[N_PROVIDERS] = {[AESGCM] = "aesgcm", [AESCBC] = "aescbc", [SECRETBOX] = "secretbox"};
    switch (p->kind) {
    case IDENTITY:
        *ret_prefix = TEXT_NONE;
        *ret = &identity_transformer;
        return 0;
    case KMS:
        if (text_is(p->kms.api_version, "v1"))
            return status_set(b->st, STATUS_BAD_REQUEST,
                              "KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 "
                              "instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature.");
        *ret = kms_plugin_new(&p->kms, b->server_id, b->callbacks);
        vec_push(&b->set->owned, *ret);
        vec_push(&b->set->plugins, *ret);
        b->set->timeouts_ms += p->kms.timeout_ms;
        *ret_prefix = arena_textf(b->set->arena, "k8s:enc:kms:v2:%.*s:", TEXT_ARG(p->kms.name));
        return 0;
    default:
        *ret = build_keys(b, p);
        *ret_prefix = arena_textf(b->set->arena, "k8s:enc:%s:v1:", prefix_names[p->kind]);
        return 0;
    }
}

static struct rule *find_rule(struct encryption_set *s, struct text group, struct text resource)
{
    for (size_t i = 0; i < s->n_rules; i++)
        if (text_eq(s->rules[i].group, group) && text_eq(s->rules[i].resource, resource))
            return &s->rules[i];
    return NULL;
}

static const char *group_resource(struct arena *a, struct text group, struct text resource)
{
    if (!group.n)
        return arena_str(a, text_is(resource, "*") ? TEXT("*.") : resource);
    return arena_printf(a, "%.*s.%.*s", TEXT_ARG(resource), TEXT_ARG(group));
}

/* The list of a resource, made at its first mention; an earlier rule for all of its group leaves this one nothing to do. */
static int rule_for(struct builder *b, struct text name, struct transformer **ret)
{
    struct encryption_set *s = b->set;
    struct text group, resource, any = TEXT("*");
    parse_group_resource(name, &group, &resource);
    struct rule *masking = find_rule(s, group, any);
    struct rule *masking_all = find_rule(s, any, any);
    if (masking || masking_all) {
        const struct rule *m = masking ? masking : masking_all;
        return status_set(b->st, STATUS_BAD_REQUEST, "resource \"%s\" is masked by earlier rule \"%s\"",
                          group_resource(s->arena, group, resource), group_resource(s->arena, m->group, m->resource));
    }
    struct rule *r = find_rule(s, group, resource);
    if (!r) {
        r = &s->rules[s->n_rules++];
        *r = (struct rule){arena_text(s->arena, group), arena_text(s->arena, resource),
                           prefix_list_new("no matching prefix found")};
        vec_push(&b->lists, r->list);
    }
    *ret = r->list;
    return 0;
}

static int build_entry(struct builder *b, const struct resource_config *e)
{
    struct transformer **made = ARENA_ARRAY(b->set->arena, struct transformer *, e->n_providers + 1), *list;
    struct text *prefixes = ARENA_ARRAY(b->set->arena, struct text, e->n_providers + 1);
    for (size_t i = 0; i < e->n_providers; i++)
        if (build_provider(b, &e->providers[i], &prefixes[i], &made[i]) < 0)
            return -1;
    for (size_t i = 0; i < e->n_resources; i++) {
        if (rule_for(b, e->resources[i], &list) < 0)
            return -1;
        for (size_t k = 0; k < e->n_providers; k++)
            prefix_list_add(list, prefixes[k], made[k]);
    }
    return 0;
}

static int build(struct builder *b, const struct encryption_config *c)
{
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < c->n; i++)
        n += c->entries[i].n_resources;
    b->set->rules = ARENA_ARRAY(b->set->arena, struct rule, n + 1);
    for (size_t i = 0; i < c->n && rc == 0; i++)
        rc = build_entry(b, &c->entries[i]);
    for (size_t i = 0; i < b->lists.n; i++)
        vec_push(&b->set->owned, b->lists.p[i]);
    vec_deinit(&b->lists);
    return rc;
}

void encryption_set_free(struct encryption_set *s)
{
    if (!s)
        return;
    for (size_t i = s->owned.n; i > 0; i--)
        s->owned.p[i - 1]->ops->free(s->owned.p[i - 1]);
    vec_deinit(&s->owned);
    vec_deinit(&s->plugins);
    arena_free(s->arena);
    free(s);
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

static void buffer_wipe(struct buffer *b)
{
    if (b->p)
        OPENSSL_cleanse(b->p, b->cap);
    buffer_deinit(b);
}

static int read_file(const char *path, struct buffer *ret, struct status *st)
{
    if (file_read(path, ret, st) < 0)
        return status_wrap(st, "error while loading file: error reading encryption provider configuration file");
    if (!ret->n)
        return status_set(st, STATUS_BAD_REQUEST,
                          "error while loading file: encryption provider configuration file \"%s\" is empty", path);
    if (ret->n > FILE_BYTES_MAX)
        return status_set(st, STATUS_BAD_REQUEST, "the file has %zu bytes, %d are allowed", ret->n, FILE_BYTES_MAX);
    return 0;
}

int encryption_file_hash(const char *path, struct arena *a, struct text *ret, struct status *st)
{
    CLEANUP(buffer_wipe) struct buffer content = BUFFER_INIT;
    if (read_file(path, &content, st) < 0)
        return -1;
    *ret = hash_text(a, buffer_text(&content));
    return 0;
}

int encryption_set_load(const char *path, bool reload, const char *server_id, const struct kms_callbacks *callbacks,
                        struct encryption_set **ret, struct status *st)
{
    CLEANUP(buffer_wipe) struct buffer content = BUFFER_INIT;
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct encryption_config *config = NULL;

    if (read_file(path, &content, st) < 0 ||
        encryption_config_read(a, buffer_text(&content), reload, &config, st) < 0)
        return status_wrap(st, "error while parsing file");
    struct encryption_set *s = xcalloc(1, sizeof(*s));
    s->arena = arena_new();
    s->hash = hash_text(s->arena, buffer_text(&content));
    struct builder b = {.set = s, .server_id = server_id, .callbacks = callbacks, .st = st};
    if (build(&b, config) < 0) {
        encryption_set_free(s);
        return status_wrap(st, "error while building transformers");
    }
    *ret = s;
    return 0;
}
