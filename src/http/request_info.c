/* SPDX-License-Identifier: Apache-2.0 */
/* Path and method to verb and resource. The rules are those of kubernetes/apiserver
 * pkg/endpoints/request/requestinfo.go: /api/{version}/...  /apis/{group}/{version}/...  then [watch/|proxy/]
 * [namespaces/{namespace}/] resource/name/subresource where "namespaces" is a resource itself unless
 * something other than one of its own subresources follows its name. Everything else is a non-resource path
 * whose verb is the method in lower case. */
#include "base.h"
#include "http/chain.h"
#include "http/http_internal.h"

/* The next segment of rest; a path's inner empty segments count, as upstream's strings.Split has it. */
static bool next_part(struct text *rest, struct text *ret)
{
    return text_split(rest, '/', ret);
}

static size_t count_parts(struct text rest)
{
    if (!rest.p)
        return 0;
    size_t n = 1;
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == '/';
    return n;
}

static struct text trim_slashes(struct text t)
{
    while (t.n && t.p[0] == '/')
        t = text_from(t, 1);
    while (t.n && t.p[t.n - 1] == '/')
        t.n--;
    return t;
}

static struct text verb_of_method(struct text method)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = {
        {"GET", "get"},  {"POST", "create"}, {"PUT", "update"},
        {"HEAD", "get"}, {"PATCH", "patch"}, {"DELETE", "delete"},
    };
    for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
        if (text_is(method, verbs[i].method))
            return text_of(verbs[i].verb);
    return TEXT("");
}

/* --- the list options that decide about verb and name --- */

static const struct query_param *find_param(const struct query_param *query, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (text_is(query[i].key, key))
            return &query[i];
    return NULL;
}

/* Undoes the escapes of a field selector's value: \\ \, \= and no others. False: not a valid value. */
static bool unescape_value(struct arena *a, struct text in, struct text *ret)
{
    char *dst = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == ',' || c == '=')
            return false;
        if (c == '\\') {
            if (++i == in.n || !strchr("\\,=", in.p[i]))
                return false;
            c = in.p[i];
        }
        dst[n++] = c;
    }
    dst[n] = '\0';
    *ret = (struct text){dst, n};
    return true;
}

/* Length of the leading part of t up to an unescaped comma. */
static size_t term_length(struct text t)
{
    size_t i = 0;
    while (i < t.n && t.p[i] != ',')
        i += t.p[i] == '\\' && i + 1 < t.n ? 2 : 1;
    return i;
}

/* The first value that the selector demands of metadata.name, as fields.Selector's RequiresExactMatch finds
 * it. False too when the selector is malformed anywhere. */
static bool selected_name(struct arena *a, struct text selector, struct text *ret_name)
{
    bool found = false;
    while (selector.n) {
        size_t n = term_length(selector);
        struct text term = text_first(selector, n);
        selector = text_from(selector, n + 1);
        if (term.n == 0)
            continue;
        size_t op = 0;
        while (op < term.n && term.p[op] != '=' &&
               !(term.p[op] == '!' && op + 1 < term.n && term.p[op + 1] == '='))
            op += term.p[op] == '\\' && op + 1 < term.n ? 2 : 1;
        if (op >= term.n)
            return false;
        bool is_not = term.p[op] == '!';
        bool is_double = term.p[op] == '=' && op + 1 < term.n && term.p[op + 1] == '=';
        struct text value;
        if (!unescape_value(a, text_from(term, op + 1 + (is_not || is_double)), &value))
            return false;
        if (!found && !is_not && text_is(text_first(term, op), "metadata.name")) {
            *ret_name = value;
            found = true;
        }
    }
    return found;
}

static bool is_path_segment_name(struct text name)
{
    return !text_is(name, ".") && !text_is(name, "..") && text_find(name, '/') < 0 &&
           text_find(name, '%') < 0;
}

static bool is_number_or_absent(const struct query_param *query, size_t n_query, const char *key)
{
    const struct query_param *p = find_param(query, n_query, key);
    int64_t number;
    return !p || text_to_i64(p->value, &number);
}

/* A GET of a collection: list or watch, perhaps of one name. */
static void read_list_options(struct arena *a, const struct query_param *query, size_t n_query,
                              struct request_info *info)
{
    const struct query_param *watch = find_param(query, n_query, "watch");
    bool is_watch = watch && !text_eq_nocase(watch->value, TEXT("false")) && !text_is(watch->value, "0");
    info->verb = is_watch ? TEXT("watch") : TEXT("list");

    /* Upstream loses the name when any of the options does not parse. */
    const struct query_param *selector = find_param(query, n_query, "fieldSelector");
    struct text name;
    if (selector && is_number_or_absent(query, n_query, "limit") &&
        is_number_or_absent(query, n_query, "timeoutSeconds") && selected_name(a, selector->value, &name) &&
        is_path_segment_name(name))
        info->name = name;
}

/* --- the path --- */

static void set_parts(struct request_info *info, struct text rest)
{
    const size_t max = N_ELEMENTS(info->parts);
    while (info->n_parts < max - 1 && next_part(&rest, &info->parts[info->n_parts]))
        info->n_parts++;
    if (rest.p && info->n_parts == max - 1)
        info->parts[info->n_parts++] = rest; /* all that is left, slashes included */
}

void request_info_parse(struct arena *a, struct text method, struct text path,
                        const struct query_param *query, size_t n_query, struct request_info *ret)
{
    *ret = (struct request_info){.verb = arena_lower(a, method)};
    struct text rest = trim_slashes(path), part;
    if (rest.n == 0 || count_parts(rest) < 3)
        return;

    next_part(&rest, &part);
    if (!text_is(part, "api") && !text_is(part, "apis"))
        return;
    ret->prefix = part;
    if (text_is(part, "apis")) {
        if (count_parts(rest) < 3)
            return;
        next_part(&rest, &ret->group);
    }
    ret->is_resource = true;
    next_part(&rest, &ret->version);

    struct text here = rest;
    next_part(&rest, &part);
    if (text_is(part, "watch") || text_is(part, "proxy")) {
        if (!rest.p)
            return; /* no resource: n_parts stays 0, see filter_request_info */
        ret->verb = part;
        here = rest;
        next_part(&rest, &part);
    } else {
        ret->verb = verb_of_method(method);
    }

    if (text_is(part, "namespaces") && rest.p) {
        struct text after = rest, subresource;
        next_part(&after, &ret->namespace);
        struct text behind = after;
        if (next_part(&after, &subresource) && !text_is(subresource, "status") &&
            !text_is(subresource, "finalize"))
            here = behind;
    }
    set_parts(ret, here);

    ret->resource = ret->parts[0];
    if (ret->n_parts >= 2)
        ret->name = ret->parts[1];
    if (ret->n_parts >= 3 && !text_is(ret->verb, "proxy"))
        ret->subresource = ret->parts[2];

    if (ret->name.n == 0 && text_is(ret->verb, "get"))
        read_list_options(a, query, n_query, ret);
    if (ret->name.n == 0 && text_is(ret->verb, "delete"))
        ret->verb = TEXT("deletecollection");
}

/* --- the filter --- */

static enum flow enter_request_info(struct request *r)
{
    request_info_parse(r->arena, r->method, r->path, r->query, r->n_query, &r->info);
    if (!r->info.is_resource || r->info.n_parts > 0)
        return FLOW_NEXT;

    /* As pkg/endpoints/handlers/responsewriters/errors.go, InternalError, words it. */
    struct buffer b = BUFFER_IN(r->arena);
    buffer_add_str(&b, "Internal Server Error: ");
    buffer_add_quoted(&b, r->target);
    buffer_add_str(&b, ": failed to create RequestInfo: unable to determine kind and namespace from url, ");
    buffer_add(&b, r->target);
    buffer_add_char(&b, '\n');
    response_set_header(r, "X-Content-Type-Options", TEXT("nosniff"));
    response_bytes(r, 500, "text/plain; charset=utf-8", buffer_text(&b));
    return FLOW_DONE;
}

const struct filter filter_request_info = {.name = "request-info", .enter = enter_request_info};
