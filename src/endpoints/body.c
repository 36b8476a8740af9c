/* SPDX-License-Identifier: Apache-2.0 */
/* From the bytes of a request to the canonical tree of the kind that the path names.
 * Source of the order of checks and of the wording: kubernetes/apiserver pkg/endpoints/handlers/create.go and
 * rest.go (transformDecodeError), apimachinery pkg/runtime/serializer/json/json.go. */
#include "endpoints/endpoints_internal.h"

#define BODY_MAX 3145728 /* what the listener reads, as upstream */
#define SUMMARY_MAX 30

int body_check_size(struct request *r, struct status *st)
{
    if (!r->body_too_large)
        return 0;
    return status_set(st, STATUS_REQUEST_ENTITY_TOO_LARGE, "Request entity too large: limit is %d", BODY_MAX);
}

static int refuse_media(struct status *st)
{
    return status_set(st, STATUS_UNSUPPORTED_MEDIA_TYPE,
                      "the body of the request was in an unknown format - accepted media types "
                      "include: " SERVED_MEDIA_NAMES);
}

/* --- notes --- */

static void add_notes(struct request *r, const struct text_list *paths, const char *what, bool is_strict,
                      struct buffer *errors)
{
    for (size_t i = 0; i < paths->n; i++) {
        struct buffer note = BUFFER_IN(r->arena);
        buffer_addf(&note, "%s field ", what);
        buffer_add_quoted(&note, paths->p[i]);
        if (is_strict)
            buffer_addf(errors, "%s%.*s", errors->n ? ", " : "", TEXT_ARG(buffer_text(&note)));
        else
            request_warn(r, "%.*s", TEXT_ARG(buffer_text(&note)));
    }
}

int decode_notes_apply(struct request *r, const struct write_options *opt, const struct decode_notes *notes,
                       struct buffer *ret_errors)
{
    if (opt->is_ignoring)
        return 0;
    add_notes(r, &notes->duplicates, "duplicate", opt->is_strict, ret_errors);
    add_notes(r, &notes->unknown, "unknown", opt->is_strict, ret_errors);
    return ret_errors->n ? -1 : 0;
}

/* --- the type in the data --- */

/* The first bytes of a body that makes no sense: JSON as it is, all else in hexadecimal. */
static void add_summary(struct buffer *b, struct text body)
{
    struct text head = text_first(body, SUMMARY_MAX);

    if (body.n == 0) {
        buffer_add_str(b, "<empty>");
        return;
    }
    if (body.p[0] == '{')
        buffer_add(b, head);
    else
        for (size_t i = 0; i < head.n; i++)
            buffer_addf(b, "%02x", (unsigned char)head.p[i]);
    if (head.n < body.n)
        buffer_add_str(b, " ...");
}

/* The body is not even an object with a kind. */
static int refuse_unrecognized(struct request *r, const struct schema_kind *kind, const char *before,
                               struct status *st)
{
    struct buffer b = BUFFER_IN(r->arena);

    buffer_addf(&b, "the object provided is unrecognized (must be of type %.*s): %s%s (",
                TEXT_ARG(kind->gvk.kind), before, st->message);
    add_summary(&b, r->body);
    buffer_add_char(&b, ')');
    return status_set(st, STATUS_BAD_REQUEST, "%.*s", TEXT_ARG(buffer_text(&b)));
}

static int refuse_handled(struct gvk data, const struct schema_kind *kind, const char *why, struct status *st)
{
    char *copy = xstrdup(why);

    status_set(st, STATUS_BAD_REQUEST, "%.*s in version \"%.*s\" cannot be handled as a %.*s: %s",
               TEXT_ARG(data.kind), TEXT_ARG(data.version), TEXT_ARG(kind->gvk.kind), copy);
    free(copy);
    return -1;
}

/* "core" for "", "rbac" for "rbac.authorization.k8s.io": the package of upstream's internal types. */
static struct text internal_package(struct text group)
{
    ptrdiff_t dot = text_find(group, '.');

    if (group.n == 0)
        return TEXT("core");
    return dot < 0 ? group : text_first(group, (size_t)dot);
}

/* What the data says it is, filled up with what the path expects, must be what the path expects. */
static int check_type(struct request *r, const struct schema_kind *kind, struct text api_version,
                      struct text kind_name, struct gvk *ret, struct status *st)
{
    struct gvk data = {.kind = kind_name.n ? kind_name : kind->gvk.kind};
    const struct schema_kind *found;

    if (api_version.n)
        group_version_parse(api_version, &data.group, &data.version);
    else
        data.group = kind->gvk.group;
    if (!data.version.n && text_eq(data.group, kind->gvk.group))
        data.version = kind->gvk.version;
    *ret = data;

    found = schema_kind_find(data);
    if (found == kind)
        return 0;
    if (!found) {
        status_set(
            st, STATUS_BAD_REQUEST,
            "no kind \"%.*s\" is registered for version \"%.*s\" in scheme \"pkg/runtime/scheme.go:111\"",
            TEXT_ARG(data.kind), TEXT_ARG(group_version_text(r->arena, data.group, data.version)));
        return refuse_handled(data, kind, st->message, st);
    }
    if (found->storage != kind->storage) {
        status_set(st, STATUS_BAD_REQUEST, "converting (%.*s.%.*s) to (%.*s.%.*s): unknown conversion",
                   TEXT_ARG(data.version), TEXT_ARG(data.kind), TEXT_ARG(internal_package(kind->gvk.group)),
                   TEXT_ARG(kind->gvk.kind));
        return refuse_handled(data, kind, st->message, st);
    }
    return status_set(st, STATUS_BAD_REQUEST,
                      "the API version in the data (%.*s) does not match the expected API version (%.*s)",
                      TEXT_ARG(group_version_text(r->arena, data.group, data.version)),
                      TEXT_ARG(kind->api_version));
}

/* --- the two ways in --- */

static int read_by_media(struct request *r, enum media_type media, struct text_list *duplicates,
                         struct value *ret, struct status *st)
{
    const struct json_options options = {.duplicates = duplicates, .merge_duplicates = true};

    return media == MEDIA_YAML ? yaml_read(r->arena, r->body, &options, ret, st)
                               : json_read(r->arena, r->body, &options, ret, st);
}

int body_read_tree(struct request *r, struct value *ret, struct status *st)
{
    enum media_type media = media_type_of(r->arena, request_header(r, "Content-Type"));

    if (media != MEDIA_JSON && media != MEDIA_YAML)
        return refuse_media(st);
    return read_by_media(r, media, NULL, ret, st);
}

static int read_protobuf(struct request *r, const struct schema_kind *kind, struct value *ret,
                         struct status *st)
{
    struct text api_version, kind_name, message;
    struct gvk data;

    if (protobuf_open(r->body, &api_version, &kind_name, &message, st) < 0)
        return refuse_unrecognized(r, kind, "", st);
    if (check_type(r, kind, api_version, kind_name, &data, st) < 0)
        return -1;
    if (schema_protobuf_decode(r->arena, kind->schema, message, ret, st) < 0)
        return refuse_handled(data, kind, st->message, st);
    return 0;
}

/* A member of the wrong type stands for the whole body. */
static bool is_text_or_absent(const struct value *tree, const char *key)
{
    const struct value *v = value_get(tree, text_of(key));

    return !v || v->kind == VALUE_STRING || v->kind == VALUE_NULL;
}

static int read_text(struct request *r, const struct schema_kind *kind, enum media_type media,
                     const struct write_options *opt, struct value *ret, struct status *st)
{
    struct decode_notes notes = {0};
    struct buffer errors = BUFFER_IN(r->arena);
    struct value tree;
    struct gvk data;

    if (read_by_media(r, media, opt->is_ignoring ? NULL : &notes.duplicates, &tree, st) < 0)
        return refuse_unrecognized(r, kind,
                                   media == MEDIA_YAML ? "error converting YAML to JSON: "
                                                       : "couldn't get version/kind; json parse error: ",
                                   st);
    if (tree.kind == VALUE_NULL)
        tree = value_object();
    if (tree.kind != VALUE_OBJECT || !is_text_or_absent(&tree, "kind") ||
        !is_text_or_absent(&tree, "apiVersion")) {
        status_set(st, STATUS_BAD_REQUEST, "json: cannot unmarshal %s into Go value of type runtime.TypeMeta",
                   value_kind_name(tree.kind));
        return refuse_unrecognized(r, kind, "couldn't get version/kind; json parse error: ", st);
    }
    if (check_type(r, kind, value_get_text(&tree, TEXT("apiVersion")), value_get_text(&tree, TEXT("kind")),
                   &data, st) < 0)
        return -1;
    managed_keep_reset(r->arena, &tree);
    value_set(r->arena, &tree, TEXT("kind"), value_string(kind->gvk.kind));
    value_set(r->arena, &tree, TEXT("apiVersion"), value_string(kind->api_version));
    if (schema_decode(r->arena, kind->schema, &tree, &notes, st) < 0)
        return refuse_handled(data, kind, st->message, st);
    if (decode_notes_apply(r, opt, &notes, &errors) < 0) {
        const char *why =
            arena_printf(r->arena, "strict decoding error: %.*s", TEXT_ARG(buffer_text(&errors)));
        return refuse_handled(data, kind, why, st);
    }
    *ret = tree;
    return 0;
}

int body_read_object(struct request *r, const struct schema_kind *kind, const struct write_options *opt,
                     struct value *ret, struct status *st)
{
    enum media_type media = media_type_of(r->arena, request_header(r, "Content-Type"));

    switch (media) {
    case MEDIA_PROTOBUF:
        return read_protobuf(r, kind, ret, st);
    case MEDIA_JSON:
    case MEDIA_YAML:
        return read_text(r, kind, media, opt, ret, st);
    default:
        return refuse_media(st);
    }
}
