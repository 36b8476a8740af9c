/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to declarations. A line that starts in the first column opens a declaration; indented lines belong to the last one. */
#include "compiler.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct model *m;
    struct place at;
    struct file *file;
    char *rest; /* of the line */
    /* The open declaration: at most one is not NULL. */
    struct type_decl *type;
    struct enum_decl *enumeration;
    struct resource_decl *resource;
    bool in_other; /* const and list lines have nothing below them that matters here */
};

/* --- words ---------------------------------------------------------------------------------------------------------- */

/* The next word of the line, NULL at its end. Quotes inside keep blanks together and stay. */
static char *word(struct parser *p)
{
    char *s = p->rest;
    while (*s == ' ')
        s++;
    if (!*s)
        return NULL;
    char *end = s;
    bool is_quoted = false;
    for (; *end && (is_quoted || *end != ' '); end++) {
        if (*end == '\\' && is_quoted && end[1])
            end++;
        else if (*end == '"')
            is_quoted = !is_quoted;
    }
    if (is_quoted)
        fail(p->at, "a quote is not closed");
    p->rest = *end ? end + 1 : end;
    *end = 0;
    return s;
}

static char *need_word(struct parser *p, const char *what)
{
    char *w = word(p);
    if (!w)
        fail(p->at, "%s is missing", what);
    return w;
}

/* A word that may be a JSON string. */
static const char *unquoted(struct parser *p, const char *w)
{
    if (*w != '"')
        return copy(w, strlen(w));
    size_t n = strlen(w);
    if (n < 2 || w[n - 1] != '"')
        fail(p->at, "not a JSON string: %s", w);
    char *ret = copy(w + 1, n - 2), *to = ret;
    for (const char *s = ret; *s; s++) {
        if (*s == '\\')
            s++;
        *to++ = *s;
    }
    *to = 0;
    return ret;
}

static int need_number(struct parser *p, const char *w, int max)
{
    char *end;
    long n = strtol(w, &end, 10);
    if (end == w || *end || n < 0 || n > max)
        fail(p->at, "not a number from 0 to %d: %s", max, w);
    return (int)n;
}

/* "1.16" -> 16. The release of the type's birth may be older than 1.0's ("introduced=1.0"). */
static int minor_of(struct parser *p, const char *release)
{
    if (strncmp(release, "1.", 2) != 0)
        fail(p->at, "not a release 1.x: %s", release);
    return need_number(p, release + 2, 255);
}

/* --- types ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int kind;
} plain_types[] = {
    {"string", TYPE_STRING},
    {"int32", TYPE_INT32},
    {"int64", TYPE_INT64},
    {"bool", TYPE_BOOL},
    {"float64", TYPE_FLOAT64},
    {"bytes", TYPE_BYTES},
    {"Quantity", TYPE_QUANTITY},
    {"IntOrString", TYPE_INT_OR_STRING},
    {"Time", TYPE_TIME},
    {"MicroTime", TYPE_MICRO_TIME},
    {"Duration", TYPE_DURATION},
    {"RawExtension", TYPE_RAW_EXTENSION},
    {"FieldsV1", TYPE_FIELDS_V1},
    {"Unknown", TYPE_UNKNOWN},
    {"any", TYPE_ANY},
};

static struct type_expr *new_type(struct type_expr t)
{
    struct type_expr *ret = calloc(1, sizeof *ret);
    if (!ret)
        abort();
    *ret = t;
    return ret;
}

static struct type_expr type_expression(struct parser *p, const char *s)
{
    struct type_expr t = {.index = -1};

    if (*s == '*') {
        t.is_pointer = true;
        s++;
    }
    if (strncmp(s, "[]", 2) == 0) {
        t.kind = TYPE_LIST;
        t.elem = new_type(type_expression(p, s + 2));
        return t;
    }
    if (strncmp(s, "map[string]", 11) == 0) {
        t.kind = TYPE_MAP;
        t.elem = new_type(type_expression(p, s + 11));
        return t;
    }
    if (strcmp(s, "Verbs") == 0) {
        t.kind = TYPE_WRAPPED_LIST;
        t.elem = new_type((struct type_expr){.kind = TYPE_STRING, .index = -1});
        return t;
    }
    for (size_t i = 0; i < sizeof plain_types / sizeof *plain_types; i++) {
        if (strcmp(s, plain_types[i].name) == 0) {
            t.kind = plain_types[i].kind;
            return t;
        }
    }
    if (!isalpha((unsigned char)*s) || strpbrk(s, "[]*"))
        fail(p->at, "not a type: %s", s);
    t.kind = TYPE_STRUCT;
    t.name = copy(s, strlen(s));
    return t;
}

static int merge_of(struct parser *p, const char *s)
{
    if (strcmp(s, "atomic") == 0)
        return MERGE_ATOMIC;
    if (strcmp(s, "granular") == 0)
        return MERGE_GRANULAR;
    if (strcmp(s, "set") == 0)
        return MERGE_SET;
    if (strncmp(s, "map(", 4) == 0)
        return MERGE_MAP;
    fail(p->at, "not a way to merge: %s", s);
}

/* "merge,retainKeys(name)": strategies, then the key. */
static void patch_attribute(struct parser *p, struct field_decl *f, const char *s)
{
    static const struct {
        const char *name;
        int flag;
    } strategies[] = {
        {"merge", FIELD_PATCH_MERGE}, {"replace", FIELD_PATCH_REPLACE}, {"retainKeys", FIELD_PATCH_RETAIN_KEYS}};
    const char *open = strchrnul(s, '(');
    strings names = {0};

    split(&names, copy(s, (size_t)(open - s)), ',');
    for (size_t i = 0; i < names.n; i++) {
        int flag = 0;
        for (size_t j = 0; j < 3; j++)
            if (strcmp(names.p[i], strategies[j].name) == 0)
                flag = strategies[j].flag;
        if (!flag)
            fail(p->at, "not a patch strategy: %s", names.p[i]);
        f->flags |= flag;
    }
    if (*open)
        f->patch_key = copy(open + 1, strcspn(open + 1, ")"));
}

static void field_attribute(struct parser *p, struct field_decl *f, char *w)
{
    static const struct {
        const char *name;
        int flag;
    } flags[] = {{"required", FIELD_IS_REQUIRED},
                 {"keepempty", FIELD_KEEP_EMPTY},
                 {"keepstruct", FIELD_KEEP_STRUCT},
                 {"omitzero", FIELD_OMIT_ZERO}};
    const char *v;

    for (size_t i = 0; i < 4; i++) {
        if (strcmp(w, flags[i].name) == 0) {
            f->flags |= flags[i].flag;
            return;
        }
    }
    if (strcmp(w, "discriminator") == 0) {
        f->is_discriminator = true;
    } else if ((v = value_of(w, "member"))) {
        f->member = copy(v, strlen(v));
    } else if ((v = value_of(w, "list"))) {
        f->merge = merge_of(p, v);
        if (f->merge == MERGE_MAP)
            split(&f->merge_keys, copy(v + 4, strcspn(v + 4, ")")), ',');
    } else if ((v = value_of(w, "map")) || (v = value_of(w, "struct"))) {
        f->merge = merge_of(p, v);
    } else if ((v = value_of(w, "patch"))) {
        patch_attribute(p, f, v);
    } else if ((v = value_of(w, "default"))) {
        f->fallback = copy(v, strlen(v));
    } else if ((v = value_of(w, "fill"))) {
        *PUSH(&p->type->rules) = (struct rule_decl){.at = p->at, .path = f->name, .value = copy(v, strlen(v))};
    } else if ((v = value_of(w, "enum"))) {
        f->enumeration = copy(v, strlen(v));
    } else if ((v = value_of(w, "keys"))) {
        f->key_enumeration = copy(v, strlen(v));
    } else if ((v = value_of(w, "cast"))) {
        f->cast = copy(v, strlen(v));
    } else {
        fail(p->at, "unknown attribute of a field: %s", w);
    }
}

static void field_line(struct parser *p, char *name)
{
    struct field_decl *f = PUSH(&p->type->fields);
    char *w;

    f->at = p->at;
    f->home = p->file;
    if (strcmp(name, "inline") == 0) {
        f->type = type_expression(p, need_word(p, "the inlined type"));
        w = word(p);
        f->number = w ? need_number(p, w, 255) : 0;
        return;
    }
    f->name = copy(name, strlen(name));
    w = need_word(p, "the protobuf number");
    f->number = strcmp(w, "-") == 0 ? 0 : need_number(p, w, 65535);
    f->type = type_expression(p, need_word(p, "the type"));
    while ((w = word(p)))
        field_attribute(p, f, w);
}

/* fill PATH VALUE [if CONDITION...], or fill @FUNCTION */
static void fill_line(struct parser *p)
{
    struct rule_decl *rule;
    char *w = need_word(p, "what is filled in");

    if (!p->type)
        fail(p->at, "a default belongs below a type");
    rule = PUSH(&p->type->rules);
    rule->at = p->at;
    if (*w == '@') {
        rule->value = copy(w, strlen(w));
    } else {
        rule->path = copy(w, strlen(w));
        w = need_word(p, "the value");
        rule->value = copy(w, strlen(w));
    }
    w = word(p);
    if (w && strcmp(w, "if") != 0)
        fail(p->at, "behind the value comes \"if\": %s", w);
    if (w)
        w = need_word(p, "the condition");
    for (; w; w = word(p))
        *PUSH(&rule->conditions) = copy(w, strlen(w));
}

/* check [.PATH] [each|keys] ITEM... [detail=WORDS] [if CONDITION...] below a type or a field; check enum
 * below an enum. */
static void check_line(struct parser *p)
{
    struct check_decl *check;
    const char *v;
    char *w;

    if (p->enumeration) {
        while ((w = word(p)))
            p->enumeration->is_closed |= strcmp(w, "enum") == 0;
        return;
    }
    if (!p->type)
        fail(p->at, "a check belongs below a type, a field or an enum");
    check = PUSH(&p->type->checks);
    check->at = p->at;
    check->n_above = p->type->fields.n;
    check->owner = p->type;
    w = need_word(p, "what is checked");
    if (*w == '.') {
        check->path = copy(w + 1, strlen(w + 1));
        w = need_word(p, "what is checked");
    } else if (!check->n_above || !p->type->fields.p[check->n_above - 1].name) {
        fail(p->at, "there is no field above: the check needs a path");
    }
    for (; w && strcmp(w, "if") != 0; w = word(p)) {
        if ((v = value_of(w, "detail")))
            check->detail = unquoted(p, v);
        else
            *PUSH(&check->items) = copy(w, strlen(w));
    }
    if (w)
        w = need_word(p, "the condition");
    for (; w; w = word(p))
        *PUSH(&check->conditions) = copy(w, strlen(w));
}

static void type_line(struct parser *p)
{
    /* query, verbs=, scope= and the like describe Go's clients; gone= and noproto say what is not there. */
    static const char *const ignored[] = {"scope=", "resource=", "verbs=", "sub=", "union", "noproto",
                                          "query",  "gone=",     "gate=",  "v:"};
    struct type_decl *t = *PUSH(&p->m->types) = calloc(1, sizeof *t);
    char *w;

    t->at = p->at;
    t->file = p->file;
    w = need_word(p, "the type's name");
    t->name = copy(w, strlen(w));
    p->type = t;
    while ((w = word(p))) {
        const char *v;
        if (strcmp(w, "kind") == 0) {
            *PUSH(&t->kinds) = "";
        } else if ((v = value_of(w, "kind"))) {
            *PUSH(&t->kinds) = copy(v, strlen(v));
        } else if ((v = value_of(w, "introduced"))) {
            t->introduced = minor_of(p, v);
        } else if ((v = value_of(w, "deprecated"))) {
            t->deprecated = minor_of(p, v);
        } else if ((v = value_of(w, "removed"))) {
            t->removed = minor_of(p, v);
        } else if ((v = value_of(w, "replaced"))) {
            t->replaced = copy(v, strlen(v));
        } else if ((v = value_of(w, "struct"))) {
            t->merge = merge_of(p, v);
        } else if ((v = value_of(w, "json"))) {
            t->json = copy(v, strlen(v));
        } else {
            bool is_ignored = false;
            for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
                is_ignored |= strncmp(w, ignored[i], strlen(ignored[i])) == 0;
            if (!is_ignored)
                fail(p->at, "unknown attribute of a type: %s", w);
        }
    }
}

static void enum_line(struct parser *p)
{
    struct enum_decl *e = *PUSH(&p->m->enums) = calloc(1, sizeof *e);
    char *w = need_word(p, "the enum's name");

    e->file = p->file;
    e->name = copy(w, strlen(w));
    p->enumeration = e;
    while ((w = word(p)))
        *PUSH(&e->values) = unquoted(p, w);
}

/* --- resources ------------------------------------------------------------------------------------------------------- */

static int verbs_of(struct parser *p, const char *s)
{
    /* In the order of enum verb_bit. */
    static const char *const names[] = {"create", "delete", "deletecollection", "get",
                                        "list",   "patch",  "update",           "watch"};
    strings words = {0};
    int ret = 0;

    split(&words, s, ',');
    for (size_t i = 0; i < words.n; i++) {
        int bit = 0;
        for (size_t j = 0; j < 8; j++)
            if (strcmp(words.p[i], names[j]) == 0)
                bit = 1 << j;
        if (!bit)
            fail(p->at, "not a verb: %s", words.p[i]);
        ret |= bit;
    }
    return ret;
}

static char *lowered(const char *s)
{
    char *ret = copy(s, strlen(s));
    for (char *c = ret; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return ret;
}

static void resource_line(struct parser *p)
{
    struct resource_decl *r = *PUSH(&p->m->resources) = calloc(1, sizeof *r);
    char *w;

    r->at = p->at;
    r->file = p->file;
    w = need_word(p, "the resource's name");
    r->name = r->prefix = copy(w, strlen(w));
    w = need_word(p, "the resource's kind");
    r->kind = copy(w, strlen(w));
    r->singular = lowered(w);
    r->verbs = 255;
    p->resource = r;
    while ((w = word(p))) {
        const char *v;
        if (strcmp(w, "optional") == 0)
            r->is_optional = true;
        else if (strcmp(w, "generation") == 0)
            r->has_generation = true;
        else if (strcmp(w, "kept-as-json") == 0)
            r->is_kept_as_json = true;
        else if (strcmp(w, "scope=namespaced") == 0)
            r->is_namespaced = true;
        else if (strcmp(w, "scope=cluster") == 0)
            r->is_namespaced = false;
        else if ((v = value_of(w, "singular")))
            r->singular = copy(v, strlen(v));
        else if ((v = value_of(w, "verbs")))
            r->verbs = verbs_of(p, v);
        else if ((v = value_of(w, "short")))
            split(&r->short_names, v, ',');
        else if ((v = value_of(w, "categories")))
            split(&r->categories, v, ',');
        else if ((v = value_of(w, "hash")))
            r->hash = copy(v, strlen(v));
        else if ((v = value_of(w, "prefix")))
            r->prefix = copy(v, strlen(v));
        else if ((v = value_of(w, "storage")))
            r->storage_name = copy(v, strlen(v));
        else if ((v = value_of(w, "field-annotation")))
            r->field_annotation = copy(v, strlen(v));
        else
            fail(p->at, "unknown attribute of a resource: %s", w);
    }
}

static void sub_line(struct parser *p)
{
    struct sub_decl *s = PUSH(&p->resource->subs);
    char *w = need_word(p, "the subresource's name");

    s->at = p->at;
    s->name = copy(w, strlen(w));
    while ((w = word(p))) {
        const char *v;
        if ((v = value_of(w, "kind")))
            s->kind = copy(v, strlen(v));
        else if ((v = value_of(w, "verbs")))
            s->verbs = verbs_of(p, v);
        else if (strcmp(w, "no-table") == 0)
            s->has_no_table = true;
        else
            fail(p->at, "unknown attribute of a subresource: %s", w);
    }
    if (!s->verbs)
        fail(p->at, "the subresource has no verbs");
}

static void select_line(struct parser *p)
{
    char *w;
    while ((w = word(p))) {
        struct select_decl *s = PUSH(&p->resource->selects);
        const char *equals = strchrnul(w, '=');
        s->name = copy(w, (size_t)(equals - w));
        s->path = *equals ? copy(equals + 1, strlen(equals + 1)) : s->name;
    }
}

static void column_line(struct parser *p)
{
    struct column_decl *c = PUSH(&p->resource->columns);
    c->name = unquoted(p, need_word(p, "the column's name"));
    c->type = unquoted(p, need_word(p, "the column's type"));
    c->format = unquoted(p, need_word(p, "the column's format"));
    if (strcmp(c->format, "-") == 0)
        c->format = "";
    c->priority = need_number(p, need_word(p, "the column's priority"), 100);
    c->path = unquoted(p, need_word(p, "the column's path"));
    char *description = word(p);
    c->description = description ? unquoted(p, description) : "";
    if (word(p))
        fail(p->at, "a column ends with its description");
}

static void resource_part(struct parser *p, const char *first)
{
    static const struct {
        const char *name;
        void (*line)(struct parser *p);
    } parts[] = {{"sub", sub_line}, {"select", select_line}, {"column", column_line}};

    for (size_t i = 0; i < 3; i++) {
        if (strcmp(first, parts[i].name) == 0) {
            parts[i].line(p);
            return;
        }
    }
    fail(p->at, "unknown part of a resource: %s", first);
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

/* "# core/v1", then "# go=k8s.io/api/core/v1 tag=... openapi=...". Files of several Go packages name the API's last. */
static void header_line(struct parser *p)
{
    char *w;
    while ((w = word(p))) {
        const char *v;
        if ((v = value_of(w, "go")))
            p->file->go_package = copy(v, strlen(v));
        else if ((v = value_of(w, "openapi")))
            p->file->openapi = copy(v, strlen(v));
        else if (!strchr(w, '=')) {
            const char *slash = strchr(w, '/');
            if (!slash || p->file->dir)
                fail(p->at, "the header does not name one group/version");
            p->file->dir = copy(w, (size_t)(slash - w));
            p->file->group = strcmp(p->file->dir, "core") == 0 ? "" : p->file->dir;
            p->file->version = copy(slash + 1, strlen(slash + 1));
        }
    }
}

static void served_line(struct parser *p)
{
    char *w = need_word(p, "the priorities"), *slash = strchr(w, '/');
    if (!slash)
        fail(p->at, "priorities are GROUP/VERSION");
    *slash = 0;
    p->file->is_served = true;
    p->file->served_line = p->at.line;
    p->file->group_priority = need_number(p, w, 65535);
    p->file->version_priority = need_number(p, slash + 1, 65535);
}

/* The rest of the line describes the field above, or the type if it has none yet. */
static void say_line(struct parser *p)
{
    const char *words = p->rest + strspn(p->rest, " ");

    if (!p->type)
        fail(p->at, "a description belongs below a type or a field");
    const char **to = p->type->fields.n ? &p->type->fields.p[p->type->fields.n - 1].description : &p->type->description;
    if (*to || !*words)
        fail(p->at, *to ? "there is a description already" : "an empty description");
    *to = copy(words, strlen(words));
}

static void indented_line(struct parser *p)
{
    char *first = word(p);

    if (p->in_other) {
        return;
    } else if (strcmp(first, "say") == 0) {
        say_line(p);
    } else if (strcmp(first, "fill") == 0) {
        fill_line(p);
    } else if (strcmp(first, "check") == 0) {
        check_line(p);
    } else if (p->resource) {
        resource_part(p, first);
    } else if (p->type) {
        field_line(p, first);
    } else {
        fail(p->at, "an indented line belongs below a type, an enum or a resource");
    }
}

static void top_line(struct parser *p)
{
    static const struct {
        const char *name;
        void (*line)(struct parser *p);
    } lines[] = {{"#", header_line}, {"served", served_line},     {"type", type_line},
                 {"enum", enum_line}, {"resource", resource_line}};
    char *first = word(p);

    p->type = NULL;
    p->enumeration = NULL;
    p->resource = NULL;
    p->in_other = false;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (strcmp(first, lines[i].name) == 0) {
            if (lines[i].line != header_line && !p->file->version)
                fail(p->at, "the file must begin with its \"# group/version\"");
            lines[i].line(p);
            return;
        }
    }
    if (strcmp(first, "list") == 0) { /* a named list: found again by the cast of a field */
        struct enum_decl *e = *PUSH(&p->m->enums) = calloc(1, sizeof *e);
        char *w = need_word(p, "the list's name");
        e->file = p->file;
        e->name = joined("list %s", w);
    } else if (strcmp(first, "const") != 0) {
        fail(p->at, "unknown declaration: %s", first);
    }
    p->in_other = true;
}

void parse_file(struct model *m, const char *path)
{
    struct parser p = {.m = m, .at = {path, 0}};
    FILE *in = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    if (!in)
        fail(p.at, "cannot be read");
    p.file = *PUSH(&m->files) = calloc(1, sizeof *p.file);
    p.file->path = path;
    while ((n = getline(&line, &cap, in)) > 0) {
        p.at.line++;
        while (n && isspace((unsigned char)line[n - 1]))
            line[--n] = 0;
        if (strchr(line, '\t'))
            fail(p.at, "blanks are spaces, not tabs");
        p.rest = line;
        if (n && line[0] == ' ')
            indented_line(&p);
        else if (n)
            top_line(&p);
    }
    free(line);
    fclose(in);
    if (!p.file->version || !p.file->go_package)
        fail(p.at, "the file has no \"# group/version\" or no \"# go=package\"");
}
