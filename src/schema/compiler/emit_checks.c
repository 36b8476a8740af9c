/* SPDX-License-Identifier: Apache-2.0 */
/* Checks to tables: each item of a check line becomes a struct schema_check, with the line's path and
 * conditions. */
#include "compiler.h"

#include <stdlib.h>
#include <string.h>

static FILE *out;
static size_t n_checks;

static const struct {
    const char *name, *constant;
} formats[] = {
    {"dns1123label", "FORMAT_DNS1123_LABEL"},
    {"dns1123subdomain", "FORMAT_DNS1123_SUBDOMAIN"},
    {"dns1123subdomain-underscore", "FORMAT_DNS1123_SUBDOMAIN_UNDERSCORE"},
    {"dns1123subdomain-caseless", "FORMAT_DNS1123_SUBDOMAIN_CASELESS"},
    {"dns1123wildcard", "FORMAT_DNS1123_WILDCARD"},
    {"dns1035label", "FORMAT_DNS1035_LABEL"},
    {"qualified-name", "FORMAT_QUALIFIED_NAME"},
    {"label-value", "FORMAT_LABEL_VALUE"},
    {"path-segment", "FORMAT_PATH_SEGMENT"},
    {"c-identifier", "FORMAT_C_IDENTIFIER"},
    {"port-name", "FORMAT_PORT_NAME"},
    {"percent", "FORMAT_PERCENT"},
    {"http-header", "FORMAT_HTTP_HEADER"},
    {"env-name", "FORMAT_ENV_VAR"},
    {"env-name-relaxed", "FORMAT_ENV_VAR_RELAXED"},
    {"config-key", "FORMAT_CONFIG_MAP_KEY"},
    {"decimal-integer", "FORMAT_DECIMAL_INTEGER"},
    {"k8s-short-name", "FORMAT_DNS1123_LABEL_CONTENT"},
    {"k8s-long-name", "FORMAT_DNS1123_SUBDOMAIN_CONTENT"},
    {"ip", "FORMAT_IP"},
    {"cidr", "FORMAT_CIDR"},
    {"condition-reason", "FORMAT_CONDITION_REASON"},
    {"absolute-path", "FORMAT_ABSOLUTE_PATH"},
    {"relative-path", "FORMAT_RELATIVE_PATH"},
};

/* A line in the making: what its items have in common. */
struct line {
    const struct check_decl *decl;
    const struct type_decl *type;   /* for which it is compiled */
    const struct field_decl *field; /* at the end of the path; NULL: the object itself */
    const char *path, *target;
    bool is_for_unset;
};

static void open_check(const struct line *l, const char *kind)
{
    const struct check_decl *c = l->decl;

    fprintf(out, "{.path=%s,.kind=%s,.target=%s,.is_for_unset=%d,", l->path, kind, l->target,
            l->is_for_unset);
    if (c->conditions.n) {
        fprintf(out, ".n_conditions=%zu,.conditions=(const struct schema_condition[]){", c->conditions.n);
        for (size_t i = 0; i < c->conditions.n; i++)
            fputs(condition_init(c->at, l->type, c->conditions.p[i]), out);
        fprintf(out, "},");
    }
    if (c->detail) {
        fprintf(out, ".detail={");
        emit_literal(out, c->detail);
        fprintf(out, ",%zu},", strlen(c->detail));
    }
    n_checks++;
}

static void close_check(void)
{
    fprintf(out, "},\n");
}

/* --- items with arguments --- */

static long long number(const struct line *l, const char *w)
{
    char *end;
    long long i = strtoll(w, &end, 10);

    if (end == w || *end)
        fail(l->decl->at, "not a number: %s", w);
    return i;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* enum: the values of the field's enum, sorted; enum=A,B: these, named in this order */
static void texts_check(const struct line *l, const char *values)
{
    strings list = {0};

    if (values) {
        split(&list, values, ',');
    } else {
        if (!l->field || !l->field->enum_ref)
            fail(l->decl->at, "the field has no enum");
        for (size_t i = 0; i < l->field->enum_ref->values.n; i++)
            *PUSH(&list) = l->field->enum_ref->values.p[i];
        qsort(list.p, list.n, sizeof *list.p, compare_strings);
    }
    open_check(l, "CHECK_ENUM");
    fprintf(out, ".n_texts=%zu,.texts=(const struct text[]){", list.n);
    for (size_t i = 0; i < list.n; i++) {
        fprintf(out, "{");
        emit_literal(out, list.p[i]);
        fprintf(out, ",%zu},", strlen(list.p[i]));
    }
    fprintf(out, "},");
    close_check();
}

static void format_check_of(const struct line *l, const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, name) != 0)
            continue;
        open_check(l, "CHECK_FORMAT");
        fprintf(out, ".format=%s,", formats[i].constant);
        close_check();
        return;
    }
    fail(l->decl->at, "unknown format: %s", name);
}

/* The struct whose members an item names: that of the field, or of its items. */
static const struct type_decl *struct_of(const struct line *l)
{
    const struct type_expr *t = l->field ? &l->field->type : NULL;

    while (t && t->elem)
        t = t->elem;
    if (t && t->kind != TYPE_STRUCT)
        fail(l->decl->at, "%s has no members", l->field->name);
    return t ? t->ref : l->type;
}

/* "(a,b)": indexes of members; "(*)": all that the block in which the line stands declares */
static void members_check(const struct line *l, const char *kind, const char *list)
{
    const struct type_decl *t = *list ? struct_of(l) : NULL; /* items need not be structs */
    strings names = {0};

    if (strcmp(list, "(*)") == 0) {
        const struct type_decl *from = l->field ? t : l->decl->owner;
        for (size_t i = 0; i < from->flat.n; i++)
            *PUSH(&names) = from->flat.p[i].name;
    } else if (*list == '(') {
        split(&names, copy(list + 1, strcspn(list + 1, ")")), ',');
    } else if (*list) {
        fail(l->decl->at, "members stand in parentheses: %s", list);
    }
    open_check(l, kind);
    if (names.n) {
        fprintf(out, ".n_fields=%zu,.fields=(const uint16_t[]){", names.n);
        for (size_t i = 0; i < names.n; i++)
            fprintf(out, "%d,", field_index(l->decl->at, t, names.p[i], strlen(names.p[i])));
        fprintf(out, "},");
    }
    close_check();
}

/* min= and max= stand in one check: upstream has one wording for both. */
static bool range_check(const struct line *l, const char *kind, const char *low, const char *high)
{
    const strings *items = &l->decl->items;
    const char *min = NULL, *max = NULL, *v;

    for (size_t i = 0; i < items->n; i++) {
        if ((v = value_of(items->p[i], low)))
            min = v;
        else if ((v = value_of(items->p[i], high)))
            max = v;
    }
    if (!min && !max)
        return false;
    open_check(l, kind);
    if (min)
        fprintf(out, ".min=%lldLL,", number(l, min));
    else
        fprintf(out, ".min=INT64_MIN,");
    if (max)
        fprintf(out, ".max=%lldLL,", number(l, max));
    else
        fprintf(out, ".max=INT64_MAX,");
    close_check();
    return true;
}

static const char *after(const char *w, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(w, prefix, n) == 0 ? w + n : NULL;
}

/* --- items --- */

static bool plain_item(const struct line *l, const char *w)
{
    static const struct {
        const char *name, *kind;
    } plain[] = {{"required", "CHECK_REQUIRED"},
                 {"notempty", "CHECK_NOT_EMPTY"},
                 {"forbidden", "CHECK_FORBIDDEN"},
                 {"invalid", "CHECK_INVALID"},
                 {"immutable", "CHECK_IMMUTABLE"}};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strcmp(w, plain[i].name) == 0) {
            open_check(l, plain[i].kind);
            close_check();
            return true;
        }
    }
    return false;
}

static void item(const struct line *l, const char *w, bool *has_range, bool *has_items)
{
    const char *v;

    if (plain_item(l, w) || strcmp(w, "skip") == 0) {
        return;
    } else if (strcmp(w, "below") == 0 || strcmp(w, "below=.") == 0) {
        if (!l->field)
            fail(l->decl->at, "the object itself is below nothing");
        const struct type_expr *t = &l->field->type;
        while (t->elem)
            t = t->elem;
        if (!t->ref || !t->ref->has_checks)
            return;
        open_check(l, strcmp(w, "below") == 0 ? "CHECK_BELOW" : "CHECK_BELOW_UNNAMED");
        close_check();
    } else if (strcmp(w, "enum") == 0 || value_of(w, "enum")) {
        texts_check(l, value_of(w, "enum"));
    } else if ((v = value_of(w, "format"))) {
        format_check_of(l, v);
    } else if ((v = value_of(w, "maxlen"))) {
        open_check(l, "CHECK_LENGTH");
        fprintf(out, ".max=%lldLL,", number(l, v));
        close_check();
    } else if ((v = value_of(w, "above"))) {
        open_check(l, "CHECK_ABOVE");
        fprintf(out, ".min=%lldLL,", number(l, v));
        close_check();
    } else if (value_of(w, "min") || value_of(w, "max")) {
        *has_range = *has_range || range_check(l, "CHECK_RANGE", "min", "max");
    } else if (value_of(w, "minitems") || value_of(w, "maxitems")) {
        *has_items = *has_items || range_check(l, "CHECK_ITEMS", "minitems", "maxitems");
    } else if ((v = after(w, "unique"))) {
        members_check(l, "CHECK_UNIQUE", v);
    } else if ((v = after(w, "atmostone"))) {
        members_check(l, "CHECK_AT_MOST_ONE", v);
    } else if ((v = after(w, "atleastone"))) {
        members_check(l, "CHECK_AT_LEAST_ONE", v);
    } else if (*w == '@') {
        open_check(l, "CHECK_FUNCTION");
        fprintf(out, ".function=check_%s,", w + 1);
        close_check();
    } else {
        fail(l->decl->at, "unknown check: %s", w);
    }
}

static void emit_line(const struct type_decl *t, const struct check_decl *c)
{
    struct line l = {.decl = c, .type = t, .path = "{0}", .target = "CHECK_VALUE"};
    bool has_range = false, has_items = false;

    if (*c->path)
        l.path = path_init(c->at, t, c->path, &l.field);
    for (size_t i = 0; i < c->items.n; i++)
        l.is_for_unset |= strcmp(c->items.p[i], "zero") == 0;
    for (size_t i = 0; i < c->items.n; i++) {
        const char *w = c->items.p[i];
        if (strcmp(w, "each") == 0 || strcmp(w, "keys") == 0)
            l.target = *w == 'e' ? "CHECK_EACH" : "CHECK_KEYS";
        else if (strcmp(w, "zero") != 0)
            item(&l, w, &has_range, &has_items);
    }
}

void emit_checks(struct model *m, FILE *to)
{
    out = to;
    fprintf(out, "static const struct schema_check checks[] = {\n");
    for (size_t i = 0; i < m->types.n; i++) {
        struct type_decl *t = m->types.p[i];
        if (!is_emitted(t))
            continue;
        t->first_check = n_checks;
        for (size_t j = 0; j < t->flat_checks.n; j++)
            emit_line(t, &t->flat_checks.p[j]);
        t->n_checks = n_checks - t->first_check;
    }
    fprintf(out, "{.kind=0}};\n");
}
