/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults to tables: paths of names become paths of indexes, scalars become values, lists and structs stay JSON (they
 * are decoded where they are needed, which is rare). A default that says what absence is anyway is left out. */
#include "compiler.h"

#include <stdlib.h>
#include <string.h>

static FILE *out;
static size_t n_rules;

/* --- paths ------------------------------------------------------------------------------------------------------------ */

int field_index(struct place at, const struct type_decl *t, const char *name, size_t n)
{
    for (size_t i = 0; i < t->flat.n; i++)
        if (strlen(t->flat.p[i].name) == n && strncmp(t->flat.p[i].name, name, n) == 0)
            return (int)i;
    fail(at, "%s has no field %.*s", t->name, (int)n, name);
}

const char *path_init(struct place at, const struct type_decl *t, const char *path,
                      const struct field_decl **ret_last)
{
    const char *init = "";
    int n = 0;

    for (const char *s = path;; s++) {
        size_t len = strcspn(s, ".");
        if (!t || n == SCHEMA_PATH_MAX)
            fail(at, "not a path through structs: %s", path);
        int i = field_index(at, t, s, len);
        *ret_last = &t->flat.p[i];
        t = (*ret_last)->type.kind == TYPE_STRUCT ? (*ret_last)->type.ref : NULL;
        init = joined("%s%d,", init, i);
        n++;
        s += len;
        if (!*s)
            break;
    }
    return joined("{%d,{%s}}", n, init);
}

/* --- values ----------------------------------------------------------------------------------------------------------- */

static const char *without_quotes(const char *w)
{
    size_t n = strlen(w);
    return n >= 2 && *w == '"' ? copy(w + 1, n - 2) : w;
}

/* The initialiser of a struct value; NULL: no scalar. Words without quotes are strings where the type is one. */
static const char *scalar_init(struct place at, const struct type_expr *t, const char *w)
{
    bool is_text = t->kind == TYPE_STRING || t->kind == TYPE_QUANTITY || t->kind == TYPE_DURATION;
    char *end;

    if (*w == '{' || *w == '[')
        return NULL;
    if (strchr(w, '\\'))
        fail(at, "a default with escapes: %s", w);
    if (*w == '"' || is_text) {
        const char *s = without_quotes(w);
        return joined("{.kind=%d,.n=%zu,.string=\"%s\"}", VALUE_STRING, strlen(s), s);
    }
    if (strcmp(w, "true") == 0 || strcmp(w, "false") == 0)
        return joined("{.kind=%d,.boolean=%s}", VALUE_BOOL, w);
    long long i = strtoll(w, &end, 10);
    if (end == w || *end)
        fail(at, "neither a number, a string, true nor false: %s", w);
    return joined("{.kind=%d,.integer=%lld}", VALUE_INT, i);
}

/* A value that a field has anyway when nobody sets it. */
static bool is_zero(const struct field_decl *f, const char *w)
{
    static const char *const zeros[] = {"\"\"", "0", "false"};

    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
        if (!f->type.is_pointer && f->type.kind <= TYPE_FLOAT64 && strcmp(w, zeros[i]) == 0)
            return true;
    return false;
}

/* --- rules ------------------------------------------------------------------------------------------------------------ */

/* PATH>PATH, PATH>=PATH, was.PATH>PATH */
static const char *comparison_init(struct place at, const struct type_decl *t, const char *w)
{
    bool is_of_old = strncmp(w, "was.", 4) == 0;

    w += is_of_old ? 4 : 0;
    const struct field_decl *f;
    size_t n = strcspn(w, ">");
    bool or_equal = w[n + 1] == '=';
    const char *left = path_init(at, t, copy(w, n), &f), *right = path_init(at, t, w + n + 1 + or_equal, &f);

    return joined("{.path=%s,.test=%d,.is_of_old=%d,.other=%s},", left, or_equal ? TEST_NOT_BELOW : TEST_ABOVE, is_of_old, right);
}

/* PATH, !PATH, PATH=VALUE, PATH!=VALUE; behind "was." of what was before the update, "was" alone whether
 * there was something. */
const char *condition_init(struct place at, const struct type_decl *t, const char *w)
{
    const struct field_decl *f = NULL;
    bool is_not = *w == '!',
         is_of_old = strcmp(w + is_not, "was") == 0 || strncmp(w + is_not, "was.", 4) == 0;
    const char *name = w + is_not + (is_of_old ? strcspn(w + is_not, ".") + 1 : 0);
    const char *path = "{0}", *value = NULL, *equals;

    if (is_of_old && strcmp(w + is_not, "was") == 0)
        return joined("{.test=%d,.is_of_old=1},", is_not ? TEST_IS_UNSET : TEST_IS_SET);
    if (strchr(w, '>') && !strchr(w, '"'))
        return comparison_init(at, t, w);
    equals = strchr(name, '=');
    bool differs = equals && equals > name && equals[-1] == '!';
    path = path_init(at, t, equals ? copy(name, (size_t)(equals - name) - differs) : name, &f);
    if (equals && (is_not || !f || !(value = scalar_init(at, &f->type, equals + 1))))
        fail(at, "not a condition: %s", w);
    return joined("{%s,%d,%d,%s},", path,
                  is_not    ? TEST_IS_UNSET
                  : !equals ? TEST_IS_SET
                  : differs ? TEST_DIFFERS
                            : TEST_EQUALS,
                  is_of_old, value ? value : "{0}");
}

static void emit_conditions(struct model *m)
{
    fprintf(out, "static const struct schema_condition conditions[] = {\n");
    for (size_t i = 0; i < m->types.n; i++) {
        const struct type_decl *t = m->types.p[i];
        for (size_t j = 0; is_emitted(t) && j < t->flat_rules.n; j++) {
            const strings *words = &t->flat_rules.p[j].conditions;
            for (size_t k = 0; k < words->n; k++)
                fputs(condition_init(t->flat_rules.p[j].at, t, words->p[k]), out);
        }
    }
    fprintf(out, "{{0}}};\n");
}

static void rule_head(const char *path, int kind)
{
    fprintf(out, "{.path=%s,.kind=%d,", path, kind);
    n_rules++;
}

static void emit_value(struct place at, const struct field_decl *f, const char *path, const char *w)
{
    const char *scalar = NULL;

    if (strcmp(w, "null") == 0) {
        rule_head(path, RULE_REMOVE);
    } else if (strcmp(w, "{}") == 0 && f->type.kind == TYPE_STRUCT) {
        rule_head(path, RULE_STRUCT);
    } else if ((scalar = scalar_init(at, &f->type, w))) {
        rule_head(path, RULE_CONSTANT);
        fprintf(out, ".constant=%s,", scalar);
    } else {
        rule_head(path, RULE_JSON);
        fprintf(out, ".json={");
        emit_literal(out, w);
        fprintf(out, ",%zu},", strlen(w));
    }
}

static void emit_rule(const struct type_decl *t, const struct rule_decl *r, size_t first_condition)
{
    const struct field_decl *f = NULL, *source;
    const char *path = r->path ? path_init(r->at, t, r->path, &f) : "{0}";

    if (*r->value == '@') {
        rule_head(path, RULE_FUNCTION);
        fprintf(out, ".fill=fill_%s,", r->value + 1);
    } else if (*r->value == '=') {
        rule_head(path, RULE_COPY);
        fprintf(out, ".from=%s,", path_init(r->at, t, r->value + 1, &source));
    } else if (f) {
        emit_value(r->at, f, path, r->value);
    } else {
        fail(r->at, "a rule for a whole type needs a function");
    }
    if (r->conditions.n)
        fprintf(out, ".n_conditions=%zu,.conditions=conditions+%zu,", r->conditions.n, first_condition);
    fprintf(out, "},\n");
}

static void emit_marker(const struct field_decl *f, size_t i)
{
    if (is_zero(f, f->fallback))
        return;
    emit_value(f->at, f, joined("{1,{%zu}}", i), f->fallback);
    fprintf(out, "},\n");
}

void emit_rules(struct model *m, FILE *to)
{
    size_t first_condition = 0;

    out = to;
    emit_conditions(m);
    fprintf(out, "static const struct schema_rule rules[] = {\n");
    for (size_t i = 0; i < m->types.n; i++) {
        struct type_decl *t = m->types.p[i];
        if (!is_emitted(t))
            continue;
        t->first_rule = n_rules;
        for (size_t j = 0; j < t->flat_rules.n; j++) {
            emit_rule(t, &t->flat_rules.p[j], first_condition);
            first_condition += t->flat_rules.p[j].conditions.n;
        }
        for (size_t j = 0; j < t->flat.n; j++)
            if (t->flat.p[j].fallback)
                emit_marker(&t->flat.p[j], j);
        t->n_rules = n_rules - t->first_rule;
    }
    fprintf(out, "{.kind=0}};\n");
}
