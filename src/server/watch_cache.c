/* SPDX-License-Identifier: Apache-2.0 */
#include "server/watch_cache.h"

/* group and size may be NULL. */
static bool read_entry(struct text entry, struct text *ret_resource, int64_t *ret_size)
{
    struct text rest = entry;

    return text_split(&rest, '#', ret_resource) && rest.p && text_find(rest, '#') < 0 &&
           text_to_i64(rest, ret_size);
}

int watch_cache_sizes_check(const struct text_list *sizes, struct status *st)
{
    for (size_t i = 0; i < sizes->n; i++) {
        struct text resource;
        int64_t size;
        if (!read_entry(sizes->p[i], &resource, &size))
            return status_set(st, STATUS_BAD_REQUEST,
                              "--watch-cache-sizes: invalid value of watch cache size: %.*s",
                              TEXT_ARG(sizes->p[i]));
        if (size < 0)
            return status_set(st, STATUS_BAD_REQUEST,
                              "--watch-cache-sizes: watch cache size cannot be negative: %.*s",
                              TEXT_ARG(sizes->p[i]));
        if (size > 0)
            log_warning("A watch cache size is dropped: the cache has the size that its events need",
                        LOG_TEXT("entry", sizes->p[i]));
    }
    return 0;
}

static bool names(struct text entry, const struct resource_type *type)
{
    struct text resource, group = entry;

    text_split(&group, '.', &resource);
    return text_eq(resource, type->name) && text_eq(group.p ? group : TEXT(""), type->group);
}

bool watch_cache_serves(const struct settings *s, const struct resource_type *type)
{
    bool serves = s->watch_cache;

    for (size_t i = 0; i < s->watch_cache_sizes.n && serves; i++) {
        struct text resource;
        int64_t size;
        if (read_entry(s->watch_cache_sizes.p[i], &resource, &size) && names(resource, type))
            serves = size > 0;
    }
    return serves;
}
