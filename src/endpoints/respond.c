/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are no stored object: a status, a tree, a plain text, and the errors that upstream's path
 * router gives. Source: kubernetes/apiserver pkg/endpoints/handlers/responsewriters, go-restful's route
 * selection. */
#include "endpoints/endpoints_internal.h"

bool wants_pretty(const struct request *r, const struct accepted *accepted)
{
    static const char *const humans[] = {"curl", "Wget", "Mozilla/5.0"};
    struct text agent;

    if (accepted->pretty)
        return true;
    if (request_query(r, "pretty").n)
        return request_query_bool(r, "pretty", false);
    agent = request_header(r, "User-Agent");
    for (size_t i = 0; i < N_ELEMENTS(humans); i++)
        if (text_starts(agent, text_of(humans[i])))
            return true;
    return false;
}

/* JSON as YAML by way of a tree. json is ours, so it reads. */
static struct text yaml_of(struct arena *a, struct text json)
{
    CLEANUP(status_clear) struct status st = {0};
    struct buffer b = BUFFER_IN(a);
    struct value tree = {0};

    if (json_read(a, json, NULL, &tree, &st) < 0)
        log_error("Cannot read own JSON", LOG_STR("error", st.message));
    yaml_write(&b, &tree);
    return buffer_text(&b);
}

enum flow respond_json(struct request *r, int code, const struct accepted *accepted, bool is_pretty,
                       struct buffer *json)
{
    if (accepted->media == MEDIA_YAML) {
        response_bytes(r, code, "application/yaml", yaml_of(r->arena, buffer_text(json)));
    } else if (is_pretty) {
        struct buffer b = BUFFER_IN(r->arena);
        json_indent(&b, buffer_text(json));
        response_bytes(r, code, "application/json", buffer_text(&b));
    } else {
        buffer_add_char(json, '\n');
        response_bytes(r, code, "application/json", buffer_text(json));
    }
    return FLOW_DONE;
}

/* --- statuses --- */

static const struct schema_kind *status_kind(void)
{
    return schema_kind_of(TEXT("v1"), TEXT("Status"));
}

void status_encode_protobuf(struct arena *a, struct buffer *b, const struct status *st)
{
    CLEANUP(status_clear) struct status error = {0};
    const struct schema_kind *kind = status_kind();
    struct buffer json = BUFFER_IN(a), message = BUFFER_IN(a);
    struct value tree = {0};

    status_write_json(&json, st);
    if (json_read(a, buffer_text(&json), NULL, &tree, &error) < 0 ||
        schema_decode(a, kind->schema, &tree, NULL, &error) < 0)
        log_error("Cannot encode a status", LOG_STR("error", error.message));
    else
        schema_protobuf_encode(&message, kind->schema, &tree);
    protobuf_envelope(b, kind->api_version, kind->gvk.kind, buffer_text(&message));
}

enum flow respond_status(struct request *r, int code, const struct status *st)
{
    struct buffer b = BUFFER_IN(r->arena);
    struct accepted accepted = {.media = MEDIA_JSON};
    bool is_acceptable =
        negotiate_accept(r->arena, request_header(r, "Accept"), SERVED_MEDIA, TRANSFORMS_NONE, &accepted);

    if (st->retry_after_seconds > 0)
        response_set_header(r, "Retry-After", arena_textf(r->arena, "%d", st->retry_after_seconds));
    if (is_acceptable && accepted.media == MEDIA_PROTOBUF) {
        status_encode_protobuf(r->arena, &b, st);
        response_bytes(r, code, "application/vnd.kubernetes.protobuf", buffer_text(&b));
        return FLOW_DONE;
    }
    /* A client that takes nothing of ours still gets the error, as indented JSON. */
    if (!is_acceptable)
        accepted = (struct accepted){.media = MEDIA_JSON, .pretty = true};
    status_write_json(&b, st);
    return respond_json(r, code, &accepted, wants_pretty(r, &accepted), &b);
}

void endpoints_write_status(struct request *r, const struct status *st)
{
    respond_status(r, st->code ? st->code : status_reason_code(st->reason), st);
}

enum flow fail_no_resource(struct request *r)
{
    struct status st = {0};

    status_set(&st, STATUS_NOT_FOUND, "the server could not find the requested resource");
    st.has_details = true;
    return request_fail(r, &st);
}

bool request_is_read(const struct request *r)
{
    return text_is(r->method, "GET") || text_is(r->method, "HEAD");
}

enum flow fail_method(struct request *r)
{
    struct status st = {0};

    status_set(&st, STATUS_METHOD_NOT_ALLOWED,
               "the server does not allow this method on the requested resource");
    st.has_details = true;
    return request_fail(r, &st);
}

enum flow respond_text(struct request *r, int code, struct text body)
{
    response_set_header(r, "X-Content-Type-Options", TEXT("nosniff"));
    response_bytes(r, code, "text/plain; charset=utf-8", body);
    return FLOW_DONE;
}

/* go-restful looks at whole media types only: neither q nor application/ wildcards count. */
static bool names_served_media(struct text accept)
{
    static const char *const served[] = {"*/*", "application/json", "application/yaml",
                                         "application/vnd.kubernetes.protobuf"};
    struct text rest = accept, part, type;

    while (text_split(&rest, ',', &part)) {
        text_split(&part, ';', &type);
        type = text_trim(type);
        for (size_t i = 0; i < N_ELEMENTS(served); i++)
            if (text_is(type, served[i]))
                return true;
    }
    return false;
}

bool request_applies(const struct request *r)
{
    struct text type, rest = request_header(r, "Content-Type");

    return text_split(&rest, ';', &type) && text_is(text_trim(type), "application/apply-patch+yaml");
}

static bool is_patch_media(struct text content_type)
{
    static const char *const served[] = {"application/json-patch+json", "application/merge-patch+json",
                                         "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
    struct text type;

    text_split(&content_type, ';', &type);
    type = text_trim(type);
    for (size_t i = 0; i < N_ELEMENTS(served); i++)
        if (text_is(type, served[i]))
            return true;
    return false;
}

bool router_accepts(struct request *r)
{
    struct text accept = request_header(r, "Accept");
    struct status st = {0};

    if (text_is(r->method, "PATCH") && !is_patch_media(request_header(r, "Content-Type")))
        status_set(&st, STATUS_UNSUPPORTED_MEDIA_TYPE, "415: Unsupported Media Type");
    else if (accept.n && !names_served_media(accept))
        status_set(&st, STATUS_NOT_ACCEPTABLE,
                   "406: Not Acceptable\n\nAvailable representations: " SERVED_MEDIA_NAMES);
    else
        return true;
    st.has_details = true;
    request_fail(r, &st);
    return false;
}

/* --- trees --- */

enum flow respond_tree(struct request *r, int code, const struct schema_kind *kind, const struct value *tree)
{
    struct buffer b = BUFFER_IN(r->arena);
    struct accepted accepted;

    if (!negotiate_accept(r->arena, request_header(r, "Accept"), SERVED_MEDIA, TRANSFORMS_NONE, &accepted)) {
        struct status st = {0};
        status_set(&st, STATUS_NOT_ACCEPTABLE,
                   "only the following media types are accepted: " SERVED_MEDIA_NAMES);
        return request_fail(r, &st);
    }
    if (accepted.media == MEDIA_PROTOBUF) {
        struct buffer message = BUFFER_IN(r->arena);
        schema_protobuf_encode(&message, kind->schema, tree);
        protobuf_envelope(&b, kind->api_version, kind->gvk.kind, buffer_text(&message));
        response_bytes(r, code, "application/vnd.kubernetes.protobuf", buffer_text(&b));
        return FLOW_DONE;
    }
    schema_encode(&b, kind->schema, tree, NULL);
    return respond_json(r, code, &accepted, wants_pretty(r, &accepted), &b);
}
