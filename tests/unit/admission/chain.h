/* SPDX-License-Identifier: Apache-2.0 */
/* chain.h - a registry whose writes are admitted, by the user jane unless a test says otherwise. */
#pragma once

#include "admission.h"
#include "registry/world.h"

struct chain {
    struct world w;
    struct admission *admission;
    struct user_info user;
    struct operation op;
};

static inline void chain_begin(struct chain *c, const struct admission_options *more)
{
    struct admission_options opt = more ? *more : (struct admission_options){0};
    struct status st = {0};

    *c = (struct chain){.user = {.name = TEXT("jane")}};
    world_start(&c->w);
    opt.registry = c->w.registry;
    if (!opt.not_ready_toleration_s)
        opt.not_ready_toleration_s = opt.unreachable_toleration_s = 300;
    if (admission_start(&opt, &c->admission, &st) < 0)
        ck_abort_msg("%s", st.message);
    c->w.user = &c->user;
    c->w.admission = admission_hooks(c->admission);
}

/* With these plugins besides the default ones; lists of names. */
static inline void chain_begin_with(struct chain *c, const char *enable, const char *disable)
{
    static struct arena *a;
    struct text_list on = {0}, off = {0};
    struct text rest = text_of(enable), name;

    a = arena_new();
    while (rest.n && text_split(&rest, ',', &name))
        text_list_add(a, &on, name);
    rest = text_of(disable);
    while (rest.n && text_split(&rest, ',', &name))
        text_list_add(a, &off, name);
    chain_begin(c, &(struct admission_options){.enable = &on, .disable = &off});
    arena_free(a);
}

static inline void chain_end(struct chain *c)
{
    operation_clear(&c->op);
    admission_stop(c->admission);
    world_stop(&c->w);
}

/* The code of the answer, 0 when it worked. c->op is the operation until the next one. */
static inline int chain_create(struct chain *c, const char *version, const char *resource, const char *ns,
                               const char *json)
{
    operation_clear(&c->op);
    world_op(&c->w, &c->op, OPERATION_CREATE, version, resource, ns, NULL);
    c->op.object = world_tree(&c->w, c->op.resource, json);
    schema_default(c->w.arena, c->op.resource->type->kind->schema, &c->op.object);
    return registry_run(&c->op) < 0 ? c->op.st.code : 0;
}

static inline int chain_merge(struct chain *c, const char *version, const char *resource, const char *ns,
                              const char *name, const char *sub, const char *json)
{
    operation_clear(&c->op);
    c->op = (struct operation){0};
    return world_update(&c->w, &c->op, false, version, resource, ns, name, sub, json);
}

static inline int chain_delete(struct chain *c, const char *version, const char *resource, const char *ns,
                               const char *name)
{
    operation_clear(&c->op);
    c->op = (struct operation){0};
    return world_delete(&c->w, &c->op, version, resource, ns, name, NULL);
}

#define chain_at(c, path) world_at(&(c)->w, &(c)->op, path)

/* By the server itself: no plugin sees it. */
static inline void chain_provide(struct chain *c, const char *version, const char *resource, const char *ns,
                                 const char *json)
{
    c->w.user = NULL;
    ck_assert_msg(chain_create(c, version, resource, ns, json) == 0, "%s: %s", json, c->op.st.message);
    c->w.user = &c->user;
}

static inline void chain_account(struct chain *c)
{
    chain_provide(c, "v1", "serviceaccounts", "ns", "{\"metadata\":{\"name\":\"default\"}}");
}

/* A pod of one container whose spec has more, a part of JSON that begins with a comma or is empty. */
static inline int chain_pod(struct chain *c, const char *name, const char *more)
{
    return chain_create(
        c, "v1", "pods", "ns",
        arena_printf(c->w.arena,
                     "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"containers\":[{\"name\":\"c\","
                     "\"image\":\"i\"}]%s}}",
                     name, more));
}
