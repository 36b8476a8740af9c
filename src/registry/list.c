/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: a snapshot and a range of keys in it. Pages of one list are taken from the snapshot of one revision,
 * so they fit together whatever is written meanwhile. Source: kubernetes/apiserver
 * pkg/registry/generic/registry/store.go (ListPredicate), pkg/storage/interfaces.go (ValidateListOptions),
 * pkg/storage/cacher/cacher.go (GetList). */
#include "continue_token.h"
#include "registry_internal.h"

#define FIELD_NAME (-1)
#define FIELD_NAMESPACE (-2)

void list_request_check(const struct list_request *req, struct field_errors *errs)
{
    static const char *const matches[] = {"Exact", "NotOlderThan", ""};
    struct text match = req->resource_version_match;
    struct value bad = value_string(match);
    const char *field = "resourceVersionMatch";

    if (!match.n)
        return;
    if (!req->resource_version.n)
        field_error(errs, FIELD_FORBIDDEN, field, NULL,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (req->continue_token.n)
        field_error(errs, FIELD_FORBIDDEN, field, NULL,
                    "resourceVersionMatch is forbidden when continue is provided");
    if (!text_is(match, "Exact") && !text_is(match, "NotOlderThan"))
        field_not_supported(errs, field, &bad, matches, N_ELEMENTS(matches));
    if (text_is(match, "Exact") && text_is(req->resource_version, "0"))
        field_error(errs, FIELD_FORBIDDEN, field, NULL,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
}

/* --- opening --- */

static struct text single_namespace(const struct selector *fields)
{
    for (size_t i = 0; fields && i < fields->n; i++) {
        const struct requirement *r = &fields->requirements[i];
        if (r->field == FIELD_NAMESPACE && r->op == SELECT_EQUALS && r->n_values == 1)
            return r->values[0];
    }
    return TEXT_NONE;
}

/* Sets prefix and, when the selectors leave one key only, single. Both lie in scratch. */
static void set_range(struct listing *l)
{
    const struct list_request *req = &l->request;
    struct text namespace = req->namespace,
                name = req->fields ? selector_single_name(req->fields) : TEXT_NONE;
    bool is_namespaced = l->resource->storage->is_namespaced;

    if (!namespace.n && is_namespaced)
        namespace = single_namespace(req->fields);
    buffer_room(&l->scratch, namespace.n + 1 + name.n); /* so that nothing moves */
    if (is_namespaced && namespace.n) {
        buffer_add(&l->scratch, namespace);
        buffer_add_char(&l->scratch, '/');
    }
    l->prefix = buffer_text(&l->scratch);
    if (!name.n || (is_namespaced && !namespace.n))
        return;
    buffer_add(&l->scratch, name);
    l->single = buffer_text(&l->scratch);
}

/* The revision is gone. A page's client may go on from where it was, at the newest revision: the new token says so.
 * Source: kubernetes/apiserver pkg/storage/etcd3/errors.go, handleCompactedErrorForPaging. */
static int expired(struct text start, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();

    if (!start.n)
        return status_set(st, STATUS_EXPIRED, "The resourceVersion for the provided list is too old.");
    status_set(st, STATUS_EXPIRED,
               "The provided continue parameter is too old to display a consistent list result. You can start a new "
               "list without the continue parameter, or use the continue token in this response to retrieve the "
               "remainder of the results. Continuing with the provided token results in an inconsistent list - "
               "objects that were created, modified, or deleted between the time the first chunk was returned and "
               "now may show up in the list.");
    status_set_continue(st, continue_token_encode(a, -1, start));
    return -1;
}

/* A revision older than the cache's history: what the store said of it, once it was asked. */
static int open_past(struct listing *l, uint64_t revision, struct text start, uint64_t *ret_wait_for,
                     struct status *st)
{
    const struct past_state *past = l->request.past;

    if (!past || !cache_has_past(l->resource->cache))
        return expired(start, st);
    if (past->revision != revision) {
        status_clear(st);
        *ret_wait_for = revision;
        return 0;
    }
    if (past->snapshot.revision) {
        status_clear(st);
        l->snapshot = (struct snapshot){tree_ref(past->snapshot.tree), revision};
        return 0;
    }
    if (past->failure.reason == STATUS_EXPIRED)
        return expired(start, st);
    status_set(st, past->failure.reason, "%s", past->failure.message);
    st->has_details = past->failure.has_details;
    st->retry_after_seconds = past->failure.retry_after_seconds;
    return -1;
}

/* start: of the page that a token asked for, relative to what is listed. */
static int open_at(struct listing *l, uint64_t revision, struct text start, uint64_t *ret_wait_for,
                   struct status *st)
{
    struct snapshot newest;

    cache_snapshot(l->resource->cache, &newest);
    uint64_t reached = newest.revision;
    snapshot_release(&newest);
    if (revision > reached) {
        *ret_wait_for = revision;
        return 0;
    }
    if (cache_snapshot_at(l->resource->cache, revision, &l->snapshot, st) == 0)
        return 0;
    return st->reason == STATUS_EXPIRED ? open_past(l, revision, start, ret_wait_for, st) : -1;
}

static int open_newest(struct listing *l, uint64_t at_least, uint64_t *ret_wait_for)
{
    cache_snapshot(l->resource->cache, &l->snapshot);
    if (l->snapshot.revision >= at_least)
        return 0;
    snapshot_release(&l->snapshot);
    *ret_wait_for = at_least;
    return 0;
}

/* ret_start: an owned copy in scratch. */
static int open_page(struct listing *l, uint64_t *ret_wait_for, struct text *ret_start, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text version = l->request.resource_version, start;
    int64_t revision;

    if (continue_token_decode(a, l->request.continue_token, &revision, &start, st) < 0)
        return -1;
    if (version.n && !text_is(version, "0"))
        return status_set(st, STATUS_BAD_REQUEST,
                          "specifying resource version is not allowed when using continue");
    size_t at = l->prefix.n;
    buffer_add(&l->scratch, start);
    l->prefix.p = l->scratch.p; /* the buffer may have moved */
    *ret_start = text_first(buffer_text(&l->scratch), at + start.n);
    return revision > 0 ? open_at(l, (uint64_t)revision, start, ret_wait_for, st) : open_newest(l, 0, ret_wait_for);
}

/* Upstream asks etcd for one key at a revision, past the cache that would wait for it, and is told at once. Source:
 * kubernetes/apiserver pkg/storage/cacher/cacher.go, ShouldDelegateExactRV. */
static bool is_of_the_future(struct listing *l, uint64_t revision, struct status *st)
{
    struct snapshot newest;

    cache_snapshot(l->resource->cache, &newest);
    uint64_t reached = newest.revision;
    snapshot_release(&newest);
    if (revision <= reached)
        return false;
    revision_too_large(st, revision, reached);
    st->retry_after_seconds = 0;
    return true;
}

static int take_snapshot(struct listing *l, uint64_t *ret_wait_for, struct text *ret_start, struct status *st)
{
    const struct list_request *req = &l->request;
    uint64_t revision = 0;

    if (req->continue_token.n && !l->single.n)
        return open_page(l, ret_wait_for, ret_start, st);
    if (revision_parse(req->resource_version, &revision, st) < 0)
        return status_wrap(st, "invalid resource version");
    bool is_exact = text_is(req->resource_version_match, "Exact"),
         is_exact_of_old = !req->resource_version_match.n && req->limit > 0 && revision > 0;
    if (l->single.n && (is_exact || is_exact_of_old) && is_of_the_future(l, revision, st))
        return -1;
    if (is_exact || (is_exact_of_old && !l->single.n))
        return open_at(l, revision, TEXT_NONE, ret_wait_for, st);
    return open_newest(l, revision, ret_wait_for);
}

int listing_open(struct listing *l, const struct resource *res, const struct list_request *req,
                 uint64_t *ret_wait_for, struct status *st)
{
    struct text start = TEXT_NONE;

    *l = (struct listing){.resource = res, .request = *req};
    *ret_wait_for = 0;
    if (!res->cache)
        return status_method_not_supported(st, res->type->group, res->type->name, "list");
    if (text_is(req->resource_version, "0") && !cache_is_bypassed(res->cache))
        l->request.limit = 0; /* whoever takes any version gets all of it, as from upstream's cache */
    set_range(l);
    if (take_snapshot(l, ret_wait_for, &start, st) < 0 || *ret_wait_for) {
        listing_close(l);
        return *ret_wait_for ? 0 : -1;
    }
    l->is_open = true;
    l->revision = l->snapshot.revision;
    if (!start.n)
        start = l->single.n ? l->single : l->prefix;
    if (start.n)
        tree_iter_seek(&l->iter, &object_tree_ops, l->snapshot.tree, start);
    else
        tree_iter_init(&l->iter, &object_tree_ops, l->snapshot.tree);
    return 0;
}

void listing_of(struct listing *l, const struct resource *res, const struct list_request *req, struct tree *tree)
{
    *l = (struct listing){.resource = res, .request = *req, .snapshot = {.tree = tree}};
    l->request.limit = 0;
    tree_iter_init(&l->iter, &object_tree_ops, tree);
}

static void count(const struct listing *l)
{
    const struct cache_counters *m = cache_counters(l->resource->cache);

    metric_add(m->lists, 1);
    metric_add(m->list_fetched, (double)l->n_seen);
    metric_add(m->list_returned, (double)l->n_given);
    if (!l->request.resource_version.n && !l->request.continue_token.n)
        metric_add(m->consistent_reads, 1);
}

void listing_close(struct listing *l)
{
    if (l->is_open)
        count(l);
    l->is_open = false;
    snapshot_release(&l->snapshot);
    buffer_deinit(&l->scratch);
    l->is_done = true;
}

/* --- reading --- */

/* The next object of the range. */
static struct object *next_in_range(struct listing *l)
{
    struct object *o = tree_iter_next(&l->iter);

    if (!o || (l->single.n ? !text_eq(o->key, l->single) : !text_starts(o->key, l->prefix)))
        return NULL;
    return o;
}

static bool matches(const struct listing *l, const struct object *o)
{
    const struct list_request *req = &l->request;

    return (!req->labels || selector_match_labels(req->labels, o)) &&
           (!req->fields || selector_match_fields(req->fields, o));
}

struct object *listing_next(struct listing *l)
{
    struct object *o;

    while (!l->is_done && (o = next_in_range(l))) {
        if (l->request.limit > 0 && l->n_given == l->request.limit) {
            l->has_more = true;
            break;
        }
        l->n_seen++;
        if (!matches(l, o))
            continue;
        l->n_given++;
        l->last_key = o->key;
        return o;
    }
    l->is_done = true;
    return NULL;
}

static bool has_selectors(const struct list_request *req)
{
    return (req->labels && req->labels->n) || (req->fields && req->fields->n);
}

bool listing_is_range(const struct listing *l)
{
    return !has_selectors(&l->request);
}

/* How many items of the leaf, from leaf->from on, lie in the range. */
static size_t count_in_range(const struct listing *l, const struct tree_leaf *leaf)
{
    size_t low = leaf->from, high = leaf->n;

    if (low == high || text_starts(((const struct object *)leaf->items[high - 1])->key, l->prefix))
        return high - low;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (text_starts(((const struct object *)leaf->items[mid])->key, l->prefix))
            low = mid + 1;
        else
            high = mid;
    }
    return low - leaf->from;
}

bool listing_next_run(struct listing *l, struct listing_run *ret)
{
    if (l->is_done || !tree_iter_next_leaf(&l->iter, &ret->leaf)) {
        l->is_done = true;
        return false;
    }
    ret->from = ret->leaf.from;
    ret->n = l->prefix.n ? count_in_range(l, &ret->leaf) : ret->leaf.n - ret->from;
    l->is_done = ret->from + ret->n < ret->leaf.n;
    if (l->request.limit > 0 && (int64_t)ret->n > l->request.limit - l->n_given) {
        ret->n = (size_t)(l->request.limit - l->n_given);
        l->is_done = l->has_more = true;
    }
    l->n_seen += (int64_t)ret->n;
    l->n_given += (int64_t)ret->n;
    if (ret->n && l->request.limit > 0)
        l->last_key = ((const struct object *)ret->leaf.items[ret->from + ret->n - 1])->key;
    return ret->n > 0;
}

static size_t count_behind(const struct listing *l)
{
    const struct tree *t = l->snapshot.tree;
    size_t end = tree_count(t), at = tree_rank(&object_tree_ops, t, l->last_key) + 1;

    if (l->prefix.n) { /* the first key behind the prefix: its last byte is a slash */
        char key[300];
        size_t n = l->prefix.n < sizeof(key) ? l->prefix.n : sizeof(key);
        memcpy(key, l->prefix.p, n);
        key[n - 1]++;
        end = tree_rank(&object_tree_ops, t, (struct text){key, n});
    }
    return end > at ? end - at : 0;
}

struct text listing_continue(struct arena *a, const struct listing *l, int64_t *ret_remaining)
{
    *ret_remaining = -1;
    if (!l->has_more)
        return TEXT_NONE;
    if (!has_selectors(&l->request))
        *ret_remaining = (int64_t)count_behind(l);
    struct buffer next = BUFFER_IN(a);
    buffer_add(&next, text_from(l->last_key, l->prefix.n));
    buffer_add_char(&next, '\0'); /* the first key behind it */
    return continue_token_encode(a, (int64_t)l->revision, buffer_text(&next));
}
