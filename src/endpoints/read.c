/* SPDX-License-Identifier: Apache-2.0 */
/* GET of one object and of a list. Both come from the cache: with an unset resourceVersion once it is as new as
 * the store, with a revision of the future once it has come there.
 * Source: kubernetes/apiserver pkg/endpoints/handlers/get.go. */
#include "endpoints/endpoints_internal.h"

static enum flow find_object(struct request *r, struct call *c)
{
    struct status st = {0};
    struct object *o;

    if (registry_get(c->resource, c->namespace, c->name, &o, &st) < 0)
        return request_fail(r, &st);
    return respond_object(r, c, 200, o);
}

int revision_of_query(struct request *r, uint64_t *ret, struct status *st)
{
    if (revision_parse(request_query(r, "resourceVersion"), ret, st) == 0)
        return 0;
    /* Upstream's storage says so, past the layer that would make it a client's error. */
    st->reason = STATUS_UNKNOWN;
    st->code = 500;
    return -1;
}

static int check_export(struct request *r, struct status *st)
{
    struct text given = request_query(r, "export");

    if (!request_has_query(r, "export") || text_is(given, "0") || text_eq_nocase(given, TEXT("false")))
        return 0;
    return status_set(st, STATUS_BAD_REQUEST,
                      "the export parameter, deprecated since v1.14, is no longer supported");
}

enum flow call_get(struct request *r, struct call *c)
{
    struct status st = {0};
    uint64_t revision = 0;

    if (representation_choose(r, c->resource, c->sub, false, &c->rep, &st) < 0 || check_export(r, &st) < 0 ||
        revision_of_query(r, &revision, &st) < 0)
        return request_fail(r, &st);
    if (revision > storage_revision(c->resource->store))
        return wait_for_revision(r, c, revision, find_object);
    return request_query(r, "resourceVersion").n ? find_object(r, c) : wait_for_newest(r, c, find_object);
}

struct list_state {
    struct list_options options;
    struct listing listing;
};

static enum flow open_list(struct request *r, struct call *c)
{
    struct list_state *s = c->state;
    struct status st = {0};
    uint64_t wait_for = 0;

    s->options.request.past = &c->past;
    if (listing_open(&s->listing, c->resource, &s->options.request, &wait_for, &st) < 0)
        return request_fail(r, &st);
    if (wait_for)
        return wait_for_listing(r, c, wait_for, open_list);
    return respond_list(r, c, &s->listing);
}

enum flow call_list(struct request *r, struct call *c)
{
    struct list_state *s = ARENA_NEW(r->arena, struct list_state);
    struct status st = {0};

    c->state = s;
    if (representation_choose(r, c->resource, c->sub, true, &c->rep, &st) < 0 ||
        list_options_read(r, c, false, &s->options, &st) < 0 || table_options_read(r, &c->rep, &st) < 0)
        return request_fail(r, &st);
    if (s->options.says_watch) {
        status_method_not_supported(&st, c->resource->type->group, c->resource->type->name, "watch");
        return request_fail(r, &st);
    }
    const struct list_request *req = &s->options.request;
    bool wants_newest = !req->resource_version.n && !req->continue_token.n;
    return wants_newest ? wait_for_newest(r, c, open_list) : open_list(r, c);
}
