/* SPDX-License-Identifier: Apache-2.0 */
#include "server/service_endpoints.h"

#include <string.h>

#include "server/fixtures.h"

int reconciler_parse(const char *name, enum reconciler *ret, struct status *st)
{
    static const char *const names[] = {
        [RECONCILER_LEASE] = "lease", [RECONCILER_MASTER_COUNT] = "master-count", [RECONCILER_NONE] = "none"};

    *ret = RECONCILER_LEASE;
    if (!name || !*name)
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum reconciler)i;
            return 0;
        }
    }
    return status_set(st, STATUS_BAD_REQUEST, "--endpoint-reconciler-type: Reconciler not implemented: %s",
                      name);
}

/* --- writing --- */

static bool is_v6(struct text address)
{
    return text_find(address, ':') >= 0;
}

int service_endpoints_write(const struct registry *reg, const struct text *addresses, size_t n, uint16_t port,
                            struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct buffer list = BUFFER_IN(a), slice = BUFFER_IN(a);
    bool all_v6 = n > 0;

    for (size_t i = 0; i < n; i++)
        all_v6 &= is_v6(addresses[i]);
    for (size_t i = 0; i < n; i++) {
        buffer_addf(&list, "%s{\"ip\":\"%.*s\"}", list.n ? "," : "", TEXT_ARG(addresses[i]));
        if (is_v6(addresses[i]) == all_v6)
            buffer_addf(&slice, "%s{\"addresses\":[\"%.*s\"],\"conditions\":{\"ready\":true}}",
                        slice.n ? "," : "", TEXT_ARG(addresses[i]));
    }
    const char *subsets = n ? arena_printf(a,
                                           "[{\"addresses\":[%s],\"ports\":[{\"name\":\"https\",\"port\":%u,"
                                           "\"protocol\":\"TCP\"}]}]",
                                           buffer_str(&list), port)
                            : "[]";
    const struct fixture fixtures[] = {
        {"", "v1", "endpoints", "default",
         arena_textf(a,
                     "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"labels\":{"
                     "\"endpointslice.kubernetes.io/skip-mirror\":\"true\"}},\"subsets\":%s}",
                     subsets),
         true},
        {"discovery.k8s.io", "v1", "endpointslices", "default",
         arena_textf(
             a,
             "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\",\"labels\":{"
             "\"kubernetes.io/service-name\":\"kubernetes\"}},\"addressType\":\"%s\",\"endpoints\":[%s],"
             "\"ports\":[{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":%u}]}",
             all_v6 ? "IPv6" : "IPv4", buffer_str(&slice), port),
         true},
    };
    for (size_t i = 0; i < N_ELEMENTS(fixtures); i++)
        if (fixture_ensure(reg, &fixtures[i], st) < 0)
            return -1;
    return 0;
}

/* --- by count --- */

size_t service_endpoints_add(struct text *addresses, size_t n, struct text own, size_t count)
{
    size_t at = 0;

    while (at < n && text_cmp(addresses[at], own) < 0)
        at++;
    if (at == n || !text_eq(addresses[at], own)) {
        memmove(addresses + at + 1, addresses + at, (n++ - at) * sizeof(*addresses));
        addresses[at] = own;
    }
    while (n > count && n > 1) {
        size_t gone = (at + 1) % n;
        memmove(addresses + gone, addresses + gone + 1, (--n - gone) * sizeof(*addresses));
        at -= gone < at;
    }
    return n;
}

static int compare(const void *x, const void *y)
{
    return text_cmp(*(const struct text *)x, *(const struct text *)y);
}

/* Those of the one subset that there should be, sorted, with room for one more; 0 for another form. */
static size_t addresses_of(struct arena *a, const struct object *o, struct text **ret)
{
    CLEANUP(status_clear) struct status st = {0};
    struct value tree;
    size_t n = 0;

    *ret = ARENA_ARRAY(a, struct text, 1);
    if (o->is_unreadable || object_tree(a, o, &tree, &st) < 0)
        return 0;
    const struct value *subsets = value_get(&tree, TEXT("subsets"));
    if (!subsets || subsets->kind != VALUE_LIST || subsets->n != 1)
        return 0;
    const struct value *addresses = value_get(&subsets->items[0], TEXT("addresses"));
    if (!addresses || addresses->kind != VALUE_LIST)
        return 0;
    *ret = ARENA_ARRAY(a, struct text, addresses->n + 1);
    for (size_t i = 0; i < addresses->n; i++)
        (*ret)[n++] = value_get_text(&addresses->items[i], TEXT("ip"));
    qsort(*ret, n, sizeof(**ret), compare);
    return n;
}

/* Fails with NOT_FOUND when there are none. */
static int read_addresses(const struct registry *reg, struct arena *a, struct text **ret, size_t *ret_n,
                          struct status *st)
{
    const struct resource *res = registry_find(reg, TEXT_NONE, TEXT("v1"), TEXT("endpoints"));
    struct object *o;

    if (!res)
        return status_set(st, STATUS_NOT_FOUND, "endpoints are not served");
    if (registry_get(res, TEXT("default"), TEXT("kubernetes"), &o, st) < 0)
        return -1;
    *ret_n = addresses_of(a, o, ret);
    object_unref(o);
    return 0;
}

int service_endpoints_join(const struct registry *reg, struct text own, uint16_t port, size_t count,
                           struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text *addresses = ARENA_ARRAY(a, struct text, 1);
    size_t n = 0;

    if (read_addresses(reg, a, &addresses, &n, st) < 0) {
        if (st->reason != STATUS_NOT_FOUND)
            return -1;
        status_clear(st);
    }
    n = service_endpoints_add(addresses, n, own, count);
    return service_endpoints_write(reg, addresses, n, port, st);
}

int service_endpoints_leave(const struct registry *reg, struct text own, uint16_t port, struct status *st)
{
    CLEANUP(arena_freep) struct arena *a = arena_new();
    struct text *addresses;
    size_t n, n_left = 0;

    if (read_addresses(reg, a, &addresses, &n, st) < 0) {
        if (st->reason != STATUS_NOT_FOUND)
            return -1;
        status_clear(st);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!text_eq(addresses[i], own))
            addresses[n_left++] = addresses[i];
    return service_endpoints_write(reg, addresses, n_left, port, st);
}
