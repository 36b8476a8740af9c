/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH in three languages. A patch is applied to the object in the version of the path, the result decoded
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
    bool is_json_patch;
    bool shows_patch; /* a result that does not decode is shown by the patch, in Go's form, else by itself */
};

static const struct language languages[] = {
    {"application/json-patch+json", apply_json, .is_json_patch = true},
    {"application/merge-patch+json", apply_merge},
    {"application/strategic-merge-patch+json", patch_strategic, .shows_patch = true},
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

int patch_read(struct request *r, struct write_call *w, struct status *st)
{
    const struct language *language = find_language(request_header(r, "Content-Type"));
    const struct json_options options = {.duplicates = w->options.is_ignoring ? NULL : &w->patch_duplicates};

    w->language = language; /* the router let no other type pass */
    if (json_read(r->arena, r->body, &options, &w->patch, st) < 0)
        return status_wrap(st, "error decoding patch");
    if (language->is_json_patch && !w->options.is_ignoring)
        patch_json_unknown(r->arena, &w->patch, &w->patch_unknown);
    return 0;
}

/* --- the result --- */

/* ` "" is invalid: patch: Invalid value: "...": why`. */
static int refuse_result(struct write_call *w, const struct value *patched, const char *why,
                         struct status *st)
{
    struct field_errors errs = {.arena = w->op.arena};
    struct buffer shown = BUFFER_IN(w->op.arena);
    struct value text;

    if (w->language->shows_patch)
        patch_print_go(&shown, &w->patch);
    else
        json_write(&shown, patched);
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
    struct value patched, as_sent;

    if (w->language->apply(a, kind->schema, doc, &w->patch, &patched, st) < 0)
        return -1;
    as_sent = patched;
    patched = value_copy(a, &patched); /* decoding works in place, and the document is shared */
    if (!keep_type(a, kind, &patched))
        return refuse_result(w, &as_sent, "the kind and the apiVersion of an object cannot be patched", st);
    if (schema_decode(a, kind->schema, &patched, &notes, st) < 0) {
        const char *why = arena_strdup(a, st->message);
        return refuse_result(w, &as_sent, why, st);
    }
    prefix_all(a, &w->patch_duplicates, "", &notes.duplicates);
    warn_patch_unknown(w, &errors);
    decode_notes_apply(w->request, &w->options, &notes, &errors);
    if (errors.n)
        return refuse_result(
            w, &as_sent, arena_printf(a, "strict decoding error: %.*s", TEXT_ARG(buffer_text(&errors))), st);
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
    if (kind != stored)
        return schema_convert(op->arena, kind, stored, &patched, ret_new, st);
    *ret_new = patched;
    return 0;
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
    return write_submit(w);
}
