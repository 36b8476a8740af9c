/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH in three languages, and server-side apply. A patch is applied to the object in the version of the path, the result decoded
 * as if a client had sent it, and converted to the version that is stored. When another writer was quicker
 * the registry asks again, with the newer object. Source: kubernetes/apiserver
 * pkg/endpoints/handlers/patch.go. */
#include "endpoints/write.h"

/* --- the languages --- */

static int apply_json(struct arena *a, const struct schema *schema, const struct value *doc,
                      const struct value *patch, struct value *ret, struct status *st)
{
    return patch_json(a, doc, patch, ret, st);
}

static int apply_merge(struct arena *a, const struct schema *schema, const struct value *doc,
                       const struct value *patch, struct value *ret, struct status *st)
{
    return patch_merge(a, doc, patch, ret, st);
}

struct language {
    const char *media_type;
    int (*apply)(struct arena *a, const struct schema *schema, const struct value *doc,
                 const struct value *patch, struct value *ret, struct status *st);
    bool is_json_patch, is_apply;
    bool shows_patch; /* a result that does not decode is shown by the patch, in Go's form, else by itself */
};

static const struct language languages[] = {
    {"application/json-patch+json", apply_json, .is_json_patch = true},
    {"application/merge-patch+json", apply_merge},
    {"application/strategic-merge-patch+json", patch_strategic, .shows_patch = true},
    {"application/apply-patch+yaml", NULL, .is_apply = true},
};

static const struct language *find_language(struct text content_type)
{
    struct text type;

    text_split(&content_type, ';', &type);
    type = text_trim(type);
    for (size_t i = 0; i < N_ELEMENTS(languages); i++)
        if (text_is(type, languages[i].media_type))
            return &languages[i];
    return NULL;
}

/* JSON is YAML, and quick to read; what is no plain JSON has its errors and repeated keys in YAML's words. */
static int read_configuration(struct request *r, const struct json_options *options, struct value *ret, struct status *st)
{
    struct text_list repeated = {0};
    const struct json_options plain = {.duplicates = &repeated};

    if (text_starts(text_trim(r->body), TEXT("{")) && json_read(r->arena, r->body, &plain, ret, st) == 0 && !repeated.n)
        return 0;
    status_clear(st);
    return yaml_read(r->arena, r->body, options, ret, st);
}

static int read_applied(struct request *r, struct write_call *w, const struct json_options *options, struct status *st)
{
    if (read_configuration(r, options, &w->patch, st) < 0)
        return status_wrap(st, "error decoding YAML");
    if (w->patch.kind == VALUE_NULL)
        w->patch = value_object();
    if (w->patch.kind != VALUE_OBJECT)
        return status_set(st, STATUS_BAD_REQUEST,
                          "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s into "
                          "Go value of type map[string]interface {}", value_kind_name(w->patch.kind));
    return 0;
}

int patch_read(struct request *r, struct write_call *w, struct status *st)
{
    const struct language *language = find_language(request_header(r, "Content-Type"));
    const struct json_options options = {.duplicates = w->options.is_ignoring ? NULL : &w->patch_duplicates};

    w->language = language; /* the router let no other type pass */
    if (language->is_apply)
        return read_applied(r, w, &options, st);
    if (json_read(r->arena, r->body, &options, &w->patch, st) < 0)
        return status_wrap(st, "error decoding patch");
    if (language->is_json_patch && !w->options.is_ignoring)
        patch_json_unknown(r->arena, &w->patch, &w->patch_unknown);
    return 0;
}

/* --- the result --- */

/* ` "" is invalid: patch: Invalid value: "...": why`. Decoding has changed the result, so it is made once more to be shown. */
static int refuse_result(struct write_call *w, const struct schema_kind *kind, const struct value *doc, const char *why,
                         struct status *st)
{
    struct field_errors errs = {.arena = w->op.arena};
    struct buffer shown = BUFFER_IN(w->op.arena);
    struct value text, patched;

    status_clear(st);
    if (w->language->shows_patch)
        patch_print_go(&shown, &w->patch);
    else if (w->language->apply(w->op.arena, kind->schema, doc, &w->patch, &patched, st) == 0)
        json_write(&shown, &patched);
    text = value_string(buffer_text(&shown));
    field_error(&errs, FIELD_INVALID, "patch", &text, "%s", why);
    return status_invalid(st, TEXT(""), TEXT(""), TEXT(""), &errs);
}

static void prefix_all(struct arena *a, const struct text_list *from, const char *prefix,
                       struct text_list *to)
{
    for (size_t i = 0; i < from->n; i++)
        text_list_add(a, to, arena_textf(a, "%s%.*s", prefix, TEXT_ARG(from->p[i])));
}

/* Unknown members of JSON patch operations are told apart from those of the object by their words. */
static void warn_patch_unknown(struct write_call *w, struct buffer *errors)
{
    for (size_t i = 0; i < w->patch_unknown.n; i++) {
        struct text path = w->patch_unknown.p[i];
        if (w->options.is_strict)
            buffer_addf(errors, "%sjson patch unknown field \"%.*s\"", errors->n ? ", " : "", TEXT_ARG(path));
        else
            request_warn(w->request, "json patch unknown field \"%.*s\"", TEXT_ARG(path));
    }
}

/* A patch may take the type away, which means nothing, but not change it. */
static bool keep_type(struct arena *a, const struct schema_kind *kind, struct value *patched)
{
    const struct {
        struct text key, value;
    } members[] = {{TEXT("kind"), kind->gvk.kind}, {TEXT("apiVersion"), kind->api_version}};

    if (patched->kind != VALUE_OBJECT)
        return true; /* decoding says so */
    for (size_t i = 0; i < N_ELEMENTS(members); i++) {
        const struct value *given = value_get(patched, members[i].key);
        if (given && given->kind != VALUE_NULL && !text_eq(value_text(given), members[i].value))
            return false;
        value_set(a, patched, members[i].key, value_string(members[i].value));
    }
    return true;
}

int patch_apply(struct write_call *w, const struct schema_kind *kind, const struct value *doc,
                struct value *ret, struct status *st)
{
    struct arena *a = w->op.arena;
    struct decode_notes notes = {0};
    struct buffer errors = BUFFER_IN(a);
    struct value patched;

    if (!w->language->apply) /* only whole objects are applied so far */
        return status_set(st, STATUS_UNSUPPORTED_MEDIA_TYPE, "%s cannot be applied here", kind->gvk.kind.p);
    if (w->language->apply(a, kind->schema, doc, &w->patch, &patched, st) < 0)
        return -1;
    if (!keep_type(a, kind, &patched))
        return refuse_result(w, kind, doc, "the kind and the apiVersion of an object cannot be patched", st);
    managed_keep_reset(a, &patched);
    if (schema_decode(a, kind->schema, &patched, &notes, st) < 0) {
        const char *why = arena_strdup(a, st->message);
        return refuse_result(w, kind, doc, why, st);
    }
    prefix_all(a, &w->patch_duplicates, "", &notes.duplicates);
    warn_patch_unknown(w, &errors);
    decode_notes_apply(w->request, &w->options, &notes, &errors);
    if (errors.n)
        return refuse_result(
            w, kind, doc, arena_printf(a, "strict decoding error: %.*s", TEXT_ARG(buffer_text(&errors))), st);
    schema_default(a, kind->schema, &patched);
    *ret = patched;
    return 0;
}

/* --- PATCH --- */

static int patch_object(struct operation *op, const struct object *current, const struct value *current_tree,
                        struct value *ret_new, struct status *st)
{
    struct write_call *w = op->ctx;
    const struct resource *res = op->resource;
    const struct schema_kind *kind = res->type->kind, *stored = res->storage->kind;
    struct value doc, patched;

    if (!current_tree)
        return status_not_found(st, res->type->group, res->type->name, op->name);
    doc = *current_tree;
    if (kind != stored && schema_convert(op->arena, stored, kind, current_tree, &doc, st) < 0)
        return -1;
    if (patch_apply(w, kind, &doc, &patched, st) < 0)
        return -1;
    drop_repeated_owners(w->request, &patched, true);
    return write_as_stored(op->arena, res, &patched, ret_new, st);
}

/* --- server-side apply --- */

/* What the reader noticed of the configuration itself; what the schema does not know was refused before. */
int patch_note_repeats(struct write_call *w, struct status *st)
{
    struct buffer all = BUFFER_IN(w->op.arena);

    for (size_t i = 0; i < w->patch_duplicates.n; i++)
        buffer_addf(&all, "\n  %.*s", TEXT_ARG(w->patch_duplicates.p[i]));
    if (!all.n)
        return 0;
    if (w->options.is_strict)
        return status_set(st, STATUS_BAD_REQUEST,
                          "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:%s", buffer_str(&all));
    request_warn(w->request, "error converting YAML to JSON: yaml: unmarshal errors:%s", buffer_str(&all));
    return 0;
}

/* The merged tree as the store wants it. */
static int settle(struct operation *op, const struct write_call *w, struct value *merged, struct value *ret_new, struct status *st)
{
    const struct schema_kind *kind = op->resource->type->kind;
    struct value tree = value_copy(op->arena, merged);

    if (schema_decode(op->arena, kind->schema, &tree, NULL, st) < 0)
        return -1;
    schema_default(op->arena, kind->schema, &tree);
    drop_repeated_owners(w->request, &tree, true);
    return write_as_stored(op->arena, op->resource, &tree, ret_new, st);
}

static int apply_object(struct operation *op, const struct object *current, const struct value *current_tree,
                        struct value *ret_new, struct status *st)
{
    struct write_call *w = op->ctx;
    const struct managing m = registry_managing(op);
    struct value merged, managed;
    bool is_same;

    if (!current_tree && op->sub)
        return status_not_found(st, op->resource->type->group, op->resource->type->name, op->name);
    if (!current_tree && write_may_create(w, st) < 0)
        return -1;
    if (managed_apply(&m, current_tree, &w->patch, w->options.is_forced, &merged, &managed, &is_same, st) < 0 ||
        patch_note_repeats(w, st) < 0)
        return -1;
    if (is_same && current_tree)
        *ret_new = value_copy(op->arena, current_tree);
    else if (settle(op, w, &merged, ret_new, st) < 0)
        return -1;
    struct value *metadata = value_object_at(op->arena, ret_new, TEXT("metadata"));
    if (managed.kind == VALUE_LIST)
        value_set(op->arena, metadata, TEXT("managedFields"), managed);
    else
        value_remove(metadata, TEXT("managedFields"));
    return 0;
}

static void begin_apply(struct write_call *w)
{
    w->op.transform = apply_object;
    w->op.may_create = !w->op.sub;
    w->op.manages_fields = true;
}

enum flow call_patch(struct request *r, struct call *c)
{
    struct status st = {0};
    enum flow flow;
    struct write_call *w = write_start(r, c, OPERATION_UPDATE, "PatchOptions", &flow);

    if (!w)
        return flow;
    w->op.transform = patch_object;
    if (patch_read(r, w, &st) < 0)
        return request_fail(r, &st);
    if (w->language->is_apply)
        begin_apply(w);
    return write_submit(w);
}
