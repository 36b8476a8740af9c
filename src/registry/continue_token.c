/* SPDX-License-Identifier: Apache-2.0 */
/* Clients send tokens back as they got them, or whatever they like: everything is checked. */
#include "continue_token.h"

#include "base/base64.h"

struct text continue_token_encode(struct arena *a, int64_t revision, struct text start)
{
    struct buffer json = BUFFER_IN(a);

    buffer_addf(&json, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":", (long long)revision);
    json_write_string(&json, start);
    buffer_add_char(&json, '}');
    return base64_encode(a, BASE64_RAW_URL, buffer_text(&json));
}

static int refuse(struct status *st, const char *why)
{
    return status_set(st, STATUS_BAD_REQUEST, "invalid continue token: continue key is not valid%s", why);
}

/* No empty part, no dots that lead elsewhere: the key must not leave what is listed. */
static bool is_clean(struct text key)
{
    struct text rest = key.n && key.p[0] == '/' ? text_from(key, 1) : key, part;

    while (text_split(&rest, '/', &part)) {
        if (!part.n || text_is(part, ".") || text_is(part, ".."))
            return false;
    }
    return true;
}

int continue_token_decode(struct arena *a, struct text token, int64_t *ret_revision, struct text *ret_start,
                          struct status *st)
{
    CLEANUP(status_clear) struct status inner = {0};
    struct text json, start;
    struct value v;

    if (!base64_decode(a, BASE64_RAW_URL, token, &json))
        return refuse(st, ": illegal base64 data");
    if (json_read(a, json, &(struct json_options){.depth_max = 4}, &v, &inner) < 0 || v.kind != VALUE_OBJECT)
        return refuse(st, ": not the expected JSON");
    if (!text_is(value_get_text(&v, TEXT("v")), "meta.k8s.io/v1"))
        return refuse(st, ": server does not recognize this encoded version");
    *ret_revision = value_get_int(&v, TEXT("rv"), 0);
    if (*ret_revision == 0)
        return refuse(st, ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
    start = value_get_text(&v, TEXT("start"));
    if (!start.n)
        return refuse(st, ": encoded start key empty (version meta.k8s.io/v1)");
    if (!is_clean(start))
        return refuse(st, ": the start key leads elsewhere");
    *ret_start = start.p[0] == '/' ? text_from(start, 1) : start;
    return 0;
}
