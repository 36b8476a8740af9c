/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of endpoint slices. Source: kubernetes pkg/apis/discovery/validation, pkg/apis/core/validation
 * (ValidateEndpointIP). */
#include "schema/checks.h"

#define HINTS_MAX 8

/* The server's own addresses: it may serve nobody but its own machine. */
static bool is_of_server(const struct value *object)
{
    const struct value *metadata = value_get(object, TEXT("metadata"));

    return text_is(value_get_text(metadata, TEXT("name")), "kubernetes") &&
           text_is(value_get_text(metadata, TEXT("namespace")), "default");
}

void check_endpoint_ip(struct validation *w, const struct field_path *at, struct text t)
{
    struct format_ip ip;
    const uint8_t *b = ip.bytes;
    bool is_zero = true, is_one = true;

    if (!format_ip_read(t, &ip)) {
        check_invalid_text(w, at, t, "must be a valid IP address");
        return;
    }
    for (size_t i = 0; i < (ip.is_v4 ? 4u : 16u); i++) {
        is_zero &= !b[i];
        is_one &= b[i] == (i == 15);
    }
    if (is_zero)
        check_invalid_text(w, at, t,
                           arena_printf(w->errs->arena, "may not be unspecified (%.*s)", TEXT_ARG(t)));
    if ((ip.is_v4 ? b[0] == 127 : is_one) && !is_of_server(w->object))
        check_invalid_text(w, at, t, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    if (ip.is_v4 ? b[0] == 169 && b[1] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
        check_invalid_text(w, at, t, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    if (ip.is_v4 ? b[0] == 224 && !b[1] && !b[2] : b[0] == 0xff && (b[1] & 0x0f) == 0x02)
        check_invalid_text(w, at, t,
                           "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

static void check_domain(struct validation *w, const struct field_path *at, struct text t)
{
    struct text host = t.n && t.p[t.n - 1] == '.' ? text_first(t, t.n - 1) : t, label, rest;
    const char *problem = format_problem(FORMAT_DNS1123_SUBDOMAIN, host);

    if (!t.n) {
        check_error(w, FIELD_REQUIRED, at, NULL, "%s", "");
        return;
    }
    if (problem) {
        check_invalid_text(w, at, host, problem);
        return;
    }
    if (text_find(host, '.') < 0) {
        check_invalid_text(w, at, host, "should be a domain with at least two segments separated by dots");
        return;
    }
    for (rest = host; text_split(&rest, '.', &label);)
        if ((problem = format_problem(FORMAT_DNS1123_LABEL, label))) {
            check_invalid_text(w, at, label, problem);
            return;
        }
}

/* All addresses of a slice are of the kind that it names; kinds that nobody knows are let alone. */
CHECK(slice_addresses)
{
    struct text type = value_get_text(w->object, TEXT("addressType"));
    bool is_v4 = text_is(type, "IPv4"), is_v6 = text_is(type, "IPv6");
    struct format_ip ip;

    for (uint32_t i = 0; i < n_items(v); i++) {
        const struct field_path *item = PATH_INDEX(at, i);
        struct text t = value_text(&v->items[i]);
        const char *problem = is_v4   ? format_problem(FORMAT_IP, t)
                              : is_v6 ? format_ip_canonical(w->errs->arena, t)
                                      : NULL;
        if (problem) {
            check_invalid_text(w, item, t, problem);
        } else if (text_is(type, "FQDN")) {
            check_domain(w, item, t);
        } else if (is_v4 || is_v6) {
            if (format_ip_read(t, &ip) && ip.is_v4 != is_v4)
                check_invalid_text(w, at, t, is_v4 ? "must be an IPv4 address" : "must be an IPv6 address");
            check_endpoint_ip(w, item, t);
        }
    }
}

/* Names may be empty, but one only. */
CHECK(slice_ports)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    for (uint32_t i = 0; i < n_items(v); i++) {
        struct value name = value_string(value_get_text(&v->items[i], TEXT("name")));
        if (!seen_add(&seen, value_text(&name)))
            check_error(w, FIELD_DUPLICATE, PATH_FIELD(PATH_INDEX(at, i), "name"), &name, "%s", "");
    }
}

/* False: there are too many. */
static bool check_hints(struct validation *w, const struct field_path *at, const struct value *list,
                        enum format f)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    if (n_items(list) > HINTS_MAX) {
        field_too_many(w->errs, field_path_str(w->errs->arena, at), n_items(list), HINTS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < n_items(list); i++) {
        const struct field_path *path = PATH_FIELD(PATH_INDEX(at, i), "name");
        struct value name = value_string(value_get_text(&list->items[i], TEXT("name")));
        if (!seen_add(&seen, value_text(&name)))
            check_error(w, FIELD_DUPLICATE, path, &name, "%s", "");
        check_format_at(w, path, f, value_text(&name));
    }
    return true;
}

CHECK(endpoint_hints)
{
    if (check_hints(w, PATH_FIELD(at, "forZones"), value_get(v, TEXT("forZones")), FORMAT_LABEL_VALUE))
        check_hints(w, PATH_FIELD(at, "forNodes"), value_get(v, TEXT("forNodes")), FORMAT_DNS1123_SUBDOMAIN);
}
