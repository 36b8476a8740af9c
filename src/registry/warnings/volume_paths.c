/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that are made of files at paths: two at one path, or one below another, cannot both be. Source: kubernetes
 * pkg/api/pod/warnings.go, warningsForOverlappingVirtualPaths. */
#include "registry/warnings/warnings.h"

#define FILES_MAX 1000 /* of a volume, that are compared with one another */

struct file {
    struct text path, source;
};
struct files {
    struct operation *op;
    struct text volume;
    const char *what; /* the volume's kind and name */
    struct file *p;
    size_t n;
};

static const char *quoted(struct arena *a, struct text t)
{
    struct buffer b = BUFFER_IN(a);

    buffer_add_quoted(&b, t);
    return buffer_str(&b);
}

static const char *shown(struct files *all, const struct file *f)
{
    struct buffer b = BUFFER_IN(all->op->arena);

    buffer_add_quoted(&b, f->path);
    if (f->source.n)
        buffer_addf(&b, " (%.*s)", TEXT_ARG(f->source));
    return buffer_str(&b);
}

static bool is_below(struct text path, struct text dir)
{
    return text_starts(path, dir) && (path.n == dir.n || path.p[dir.n] == '/');
}

static void add(struct files *all, struct text path, struct text source)
{
    struct arena *a = all->op->arena;
    struct file file = {path, source};

    while (file.path.n && file.path.p[file.path.n - 1] == '/')
        file.path.n--;
    if (all->n == FILES_MAX)
        return;
    for (size_t i = 0; file.path.n && i < all->n; i++) {
        const struct file *other = &all->p[i];
        if (other->path.n && (is_below(other->path, file.path) || is_below(file.path, other->path)))
            operation_warn(all->op, "volume %s (%s): overlapping paths: %s with %s", quoted(a, all->volume), all->what,
                           shown(all, &file), shown(all, other));
    }
    all->p = arena_grow(a, all->p, all->n * sizeof(file), (all->n + 1) * sizeof(file));
    all->p[all->n++] = file;
}

static void add_items(struct files *all, const struct value *items, struct text source)
{
    for (size_t i = 0; items && items->kind == VALUE_LIST && i < items->n; i++)
        add(all, value_get_text(&items->items[i], TEXT("path")), source);
}

static struct text named(struct arena *a, const char *what, struct text name)
{
    struct buffer b = BUFFER_IN(a);

    buffer_addf(&b, "%s ", what);
    buffer_add_quoted(&b, name);
    buffer_str(&b);
    return buffer_text(&b);
}

static const struct kind {
    struct text member;       /* of a volume and of a projection */
    const char *what;         /* NULL: no volume */
    const char *name, *other; /* the member that names it, in a volume and in a projection */
} kinds[] = {
    {TEXT("configMap"), "ConfigMap", "name", "name"},
    {TEXT("secret"), "Secret", "secretName", "name"},
    {TEXT("downwardAPI"), "DownwardAPI", NULL, NULL},
};

static bool add_of_kind(struct files *all, const struct value *source)
{
    static const struct {
        const char *member, *source;
    } certificate[] = {{"certificateChainPath", "PodCertificate chain"},
                       {"keyPath", "PodCertificate key"},
                       {"credentialBundlePath", "PodCertificate credential bundle"}};
    struct arena *a = all->op->arena;
    const struct value *v;

    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        v = value_get(source, kinds[i].member);
        if (!v || !value_get(v, TEXT("items")))
            continue;
        add_items(all, value_get(v, TEXT("items")),
                  kinds[i].other ? named(a, kinds[i].what, value_get_text(v, text_of(kinds[i].other)))
                                 : text_of(kinds[i].what));
        return true;
    }
    if ((v = value_get(source, TEXT("serviceAccountToken")))) {
        add(all, value_get_text(v, TEXT("path")), TEXT("ServiceAccountToken"));
    } else if ((v = value_get(source, TEXT("clusterTrustBundle")))) {
        bool has_name = value_get(v, TEXT("name"));
        add(all, value_get_text(v, TEXT("path")),
            named(a, "ClusterTrustBundle", value_get_text(v, has_name ? TEXT("name") : TEXT("signerName"))));
    } else if ((v = value_get(source, TEXT("podCertificate")))) {
        for (size_t i = 0; i < N_ELEMENTS(certificate); i++)
            if (value_get_text(v, text_of(certificate[i].member)).n)
                add(all, value_get_text(v, text_of(certificate[i].member)), text_of(certificate[i].source));
    }
    return true;
}

static void check_projected(struct files *all, const struct value *sources)
{
    all->what = "Projected";
    for (size_t i = 0; sources && sources->kind == VALUE_LIST && i < sources->n; i++) {
        if (value_is_empty(&sources->items[i]))
            operation_warn(all->op, "volume %s (Projected) has no sources provided", quoted(all->op->arena, all->volume));
        else
            add_of_kind(all, &sources->items[i]);
    }
}

bool warn_volume_paths(struct warnings *w, const struct value *volumes, const char *arg)
{
    for (size_t i = 0; volumes->kind == VALUE_LIST && i < volumes->n; i++) {
        const struct value *volume = &volumes->items[i], *projected = value_get(volume, TEXT("projected"));
        struct files all = {.op = w->op, .volume = value_get_text(volume, TEXT("name"))};
        for (size_t k = 0; k < N_ELEMENTS(kinds); k++) {
            const struct value *v = value_get(volume, kinds[k].member);
            const struct value *items = value_get(v, TEXT("items"));
            if (!items)
                continue;
            all.n = 0;
            all.what = kinds[k].name ? arena_str(w->op->arena, named(w->op->arena, kinds[k].what,
                                                                     value_get_text(v, text_of(kinds[k].name))))
                                     : kinds[k].what;
            add_items(&all, items, TEXT_NONE);
        }
        all.n = 0;
        if (projected)
            check_projected(&all, value_get(projected, TEXT("sources")));
    }
    return false;
}
