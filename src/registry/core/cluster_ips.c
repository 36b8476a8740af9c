/* SPDX-License-Identifier: Apache-2.0 */
/* The search for a free address begins at a random one of the range's upper part and walks on until the cache
 * knows no IPAddress of that name; then it is created. Whoever was quicker makes that fail, and the walk goes
 * on. When the upper part is full comes the lower band, then the next range. Where other servers write too,
 * what failed by a cache that may be old is tried again with a fresh one. */
#include "registry/core/cluster_ips.h"

#include "registry/registry_internal.h"

#define MANAGER "ipallocator.k8s.io"
#define NOT_MINE "the provided network does not match the current range"

/* --- ranges --- */

/* How many addresses are kept for those who ask by number. Source: ipallocator/bitmap.go,
 * calculateRangeOffset. */
static uint64_t static_band(unsigned host_bits)
{
    uint64_t size = host_bits >= 63 ? INT64_MAX : (uint64_t)1 << host_bits, band = size / 16;

    if (size <= 16)
        return 0;
    return band < 16 ? 16 : band > 256 ? 256 : band;
}

bool ip_range_read(struct text cidr, struct ip_range *ret)
{
    struct format_ip address;
    struct ip_range r = {0};

    if (!format_cidr_read(cidr, &address, &r.network, &r.prefix))
        return false;
    unsigned host_bits = (r.network.is_v4 ? 32 : 128) - r.prefix;
    if (host_bits > 64)
        return false;
    uint64_t last = host_bits == 64 ? UINT64_MAX : ((uint64_t)1 << host_bits) - 1;
    r.n = r.network.is_v4 && last ? last - 1 : last;
    r.band = static_band(host_bits);
    *ret = r;
    return true;
}

/* The part of an address that a range counts by. */
static uint64_t low_bits(const struct format_ip *ip)
{
    uint64_t n = 0;

    for (size_t i = ip->is_v4 ? 0 : 8; i < (ip->is_v4 ? 4u : 16u); i++)
        n = n << 8 | ip->bytes[i];
    return n;
}

struct format_ip ip_range_at(const struct ip_range *r, uint64_t i)
{
    struct format_ip ip = r->network;
    uint64_t n = low_bits(&r->network) + 1 + i;

    for (size_t at = ip.is_v4 ? 4 : 16; at-- > (ip.is_v4 ? 0u : 8u); n >>= 8)
        ip.bytes[at] = (uint8_t)n;
    return ip;
}

bool ip_range_has(const struct ip_range *r, const struct format_ip *ip)
{
    if (ip->is_v4 != r->network.is_v4 || (!ip->is_v4 && memcmp(ip->bytes, r->network.bytes, 8) != 0))
        return false;
    uint64_t at = low_bits(ip) - low_bits(&r->network);
    return at > 0 && at - 1 < r->n;
}

struct text ip_range_text(struct arena *a, const struct ip_range *r)
{
    return arena_textf(a, "%.*s/%u", TEXT_ARG(format_ip_text(a, &r->network)), r->prefix);
}

/* Without a condition it counts as ready: nobody may be there to say so. */
static bool is_ready(const struct value *cidr)
{
    const struct value *conditions = value_at(cidr, "status", "conditions", NULL);

    for (size_t i = 0; conditions && conditions->kind == VALUE_LIST && i < conditions->n; i++)
        if (text_is(value_get_text(&conditions->items[i], TEXT("type")), "Ready"))
            return text_is(value_get_text(&conditions->items[i], TEXT("status")), "True");
    return true;
}

static const struct resource *find_resource(const struct registry *reg, const char *name)
{
    return registry_find(reg, TEXT("networking.k8s.io"), TEXT("v1"), text_of(name));
}

size_t ip_ranges(struct arena *a, const struct registry *reg, bool only_ready, struct ip_range **ret)
{
    const struct resource *res = find_resource(reg, "servicecidrs");
    struct snapshot s;
    struct tree_iter it;
    size_t n = 0, cap = 0;

    *ret = NULL;
    if (!res)
        return 0;
    cache_snapshot(res->cache, &s);
    tree_iter_init(&it, &object_tree_ops, s.tree);
    for (struct object *o; (o = tree_iter_next(&it));) {
        CLEANUP(status_clear) struct status st = {0};
        struct value tree;
        if (o->is_unreadable || object_tree(a, o, &tree, &st) < 0 ||
            (only_ready && (o->is_deleting || !is_ready(&tree))))
            continue;
        const struct value *cidrs = value_at(&tree, "spec", "cidrs", NULL);
        for (size_t i = 0; cidrs && cidrs->kind == VALUE_LIST && i < cidrs->n; i++) {
            if (n == cap) {
                *ret = arena_grow(a, *ret, cap * sizeof(**ret), (cap + 4) * sizeof(**ret));
                cap += 4;
            }
            n += ip_range_read(value_text(&cidrs->items[i]), &(*ret)[n]);
        }
    }
    snapshot_release(&s);
    return n;
}

/* --- the object --- */

struct value ip_address_object(struct arena *a, const struct format_ip *ip, struct text namespace,
                               struct text name)
{
    struct value obj = value_object();
    struct value *metadata = value_object_at(a, &obj, TEXT("metadata"));
    struct value *labels, *parent;

    value_set(a, metadata, TEXT("name"), value_string(format_ip_text(a, ip)));
    labels = value_object_at(a, metadata, TEXT("labels"));
    value_set(a, labels, TEXT("ipaddress.kubernetes.io/ip-family"), value_string(text_of(ip_family(ip))));
    value_set(a, labels, TEXT("ipaddress.kubernetes.io/managed-by"), value_string(TEXT(MANAGER)));
    parent = value_object_at(a, value_object_at(a, &obj, TEXT("spec")), TEXT("parentRef"));
    value_set(a, parent, TEXT("resource"), value_string(TEXT("services")));
    value_set(a, parent, TEXT("namespace"), value_string(namespace));
    value_set(a, parent, TEXT("name"), value_string(name));
    return obj;
}

bool ip_address_is_of(const struct value *address, struct text namespace, struct text name)
{
    const struct value *parent = value_at(address, "spec", "parentRef", NULL);

    return !value_get_text(parent, TEXT("group")).n &&
           text_is(value_get_text(parent, TEXT("resource")), "services") &&
           text_eq(value_get_text(parent, TEXT("namespace")), namespace) &&
           text_eq(value_get_text(parent, TEXT("name")), name);
}

/* --- taking --- */

static void begin(struct ip_request *r);
static void search(struct ip_request *r);

static void finish(struct ip_request *r)
{
    operation_clear(&r->op);
    snapshot_release(&r->taken);
    r->taken = (struct snapshot){0};
    r->done(r);
}

static void refreshed(void *ctx, struct status *st)
{
    struct ip_request *r = ctx;

    r->is_fresh = true;
    if (!st) {
        r->problem = IP_NO_PROBLEM;
        begin(r);
        return;
    }
    r->problem = IP_REFUSED;
    r->words = arena_strdup(r->arena, st->message);
    status_clear(st);
    finish(r);
}

static void refuse(struct ip_request *r, enum ip_problem problem, const char *words)
{
    const struct resource *addresses = find_resource(r->registry, "ipaddresses");

    r->problem = problem;
    r->words = words;
    if (r->is_fresh || !addresses || storage_is_sole_writer(addresses->store)) {
        finish(r);
        return;
    }
    snapshot_release(&r->taken);
    r->taken = (struct snapshot){0};
    storage_refresh(addresses->store, refreshed, r);
}

static void created(struct operation *op)
{
    struct ip_request *r = CONTAINER_OF(op, struct ip_request, op);
    bool is_taken = op->st.reason == STATUS_ALREADY_EXISTS;

    if (op->st.reason == STATUS_OK) {
        if (!r->ip.n)
            r->ip = format_ip_text(r->arena, &r->candidate);
        finish(r);
    } else if (is_taken && !r->ip.n) {
        search(r);
    } else {
        r->is_fresh = true; /* the store itself has spoken */
        refuse(r, IP_REFUSED,
               is_taken ? "provided IP is already allocated"
                        : arena_strdup(r->arena, op->st.message ? op->st.message : ""));
    }
}

static void create(struct ip_request *r)
{
    operation_clear(&r->op);
    r->op = (struct operation){
        .kind = OPERATION_CREATE,
        .registry = r->registry,
        .resource = find_resource(r->registry, "ipaddresses"),
        .arena = r->arena,
        .field_manager = TEXT("kube-apiserver"),
        .done = created,
        .object = ip_address_object(r->arena, &r->candidate, r->namespace, r->name),
    };
    registry_submit(&r->op);
}

/* n addresses of the range from first on, beginning at a random one. */
static void begin_part(struct ip_request *r, uint64_t first, uint64_t n)
{
    random_bytes(&r->start, sizeof(r->start));
    r->first = first;
    r->count = n;
    r->start = n ? r->start % n : 0;
    r->tried = 0;
}

static void begin_range(struct ip_request *r)
{
    const struct ip_range *range = &r->ranges[r->at_range];

    r->is_in_band = false;
    begin_part(r, range->band, range->n > range->band ? range->n - range->band : 0);
}

/* The next part of a range; false: there is none left. */
static bool next_part(struct ip_request *r)
{
    if (!r->is_in_band && r->ranges[r->at_range].band) {
        r->is_in_band = true;
        begin_part(r, 0, r->ranges[r->at_range].band);
        return true;
    }
    if (++r->at_range == r->n_ranges)
        return false;
    begin_range(r);
    return true;
}

static void search(struct ip_request *r)
{
    CLEANUP(buffer_deinit) struct buffer name = BUFFER_INIT;

    do {
        while (r->tried < r->count) {
            uint64_t left = r->count - r->start, i = r->tried++;
            r->candidate =
                ip_range_at(&r->ranges[r->at_range], r->first + (i < left ? r->start + i : i - left));
            name.n = 0;
            format_ip_add(&name, &r->candidate);
            if (!tree_get(&object_tree_ops, r->taken.tree, buffer_text(&name))) {
                create(r);
                return;
            }
        }
    } while (next_part(r));
    refuse(r, IP_RANGE_FULL, "range is full");
}

static const struct ip_range *range_of(const struct ip_request *r, const struct format_ip *ip)
{
    for (size_t i = 0; i < r->n_ranges; i++)
        if (ip_range_has(&r->ranges[i], ip))
            return &r->ranges[i];
    return NULL;
}

static void take_wanted(struct ip_request *r)
{
    if (!format_ip_read(r->ip, &r->candidate)) {
        refuse(r, IP_REFUSED, "");
    } else if (range_of(r, &r->candidate)) {
        if (r->is_dry)
            finish(r);
        else
            create(r);
    } else if (r->is_dry && r->n_ranges) {
        struct text range = ip_range_text(r->arena, &r->ranges[0]),
                    ip = format_ip_text(r->arena, &r->candidate);
        refuse(
            r, IP_REFUSED,
            arena_printf(r->arena,
                         "the provided IP (%.*s) is not in the valid range. The range of valid IPs is %.*s",
                         TEXT_ARG(ip), TEXT_ARG(range)));
    } else {
        refuse(r, IP_REFUSED, NOT_MINE);
    }
}

/* Keeps the ranges of the family that is asked for. */
static void find_ranges(struct ip_request *r)
{
    size_t n = ip_ranges(r->arena, r->registry, true, &r->ranges);

    r->n_ranges = 0;
    for (size_t i = 0; i < n; i++)
        if (r->ranges[i].network.is_v4 == r->is_v4)
            r->ranges[r->n_ranges++] = r->ranges[i];
}

static void begin(struct ip_request *r)
{
    const struct resource *addresses = find_resource(r->registry, "ipaddresses");

    find_ranges(r);
    if (!addresses) {
        refuse(r, IP_REFUSED, "allocator not ready");
    } else if (r->ip.n) {
        take_wanted(r);
    } else if (!r->n_ranges) {
        refuse(r, IP_RANGE_FULL, "range is full");
    } else if (r->is_dry) { /* upstream's guess, too */
        r->ip = format_ip_text(r->arena, &r->ranges[0].network);
        finish(r);
    } else {
        cache_snapshot(addresses->cache, &r->taken);
        r->at_range = 0;
        begin_range(r);
        search(r);
    }
}

void ip_take(struct ip_request *r)
{
    r->problem = IP_NO_PROBLEM;
    begin(r);
}

/* --- giving back --- */

static void deleted(struct operation *op)
{
    if (op->st.reason != STATUS_OK && op->st.reason != STATUS_NOT_FOUND)
        log_warning("An address was not given back", LOG_TEXT("address", op->name),
                    LOG_STR("error", op->st.message));
    finish(CONTAINER_OF(op, struct ip_request, op));
}

static bool is_of_another(struct ip_request *r, const struct resource *addresses, struct text name)
{
    CLEANUP(object_unrefp) struct object *o = cache_get(addresses->cache, name);
    CLEANUP(status_clear) struct status st = {0};
    struct value tree;

    return o && !o->is_unreadable && object_tree(r->arena, o, &tree, &st) == 0 &&
           !ip_address_is_of(&tree, r->namespace, r->name);
}

void ip_give_back(struct ip_request *r)
{
    const struct resource *addresses = find_resource(r->registry, "ipaddresses");
    struct format_ip ip;
    struct text name = format_ip_read(r->ip, &ip) ? format_ip_text(r->arena, &ip) : TEXT_NONE;

    if (!addresses || !name.n || is_of_another(r, addresses, name)) {
        finish(r);
        return;
    }
    r->op = (struct operation){
        .kind = OPERATION_DELETE,
        .registry = r->registry,
        .resource = addresses,
        .arena = r->arena,
        .name = name,
        .done = deleted,
        .del = {.grace_seconds = -1, .orphan_dependents = -1},
    };
    registry_submit(&r->op);
}
