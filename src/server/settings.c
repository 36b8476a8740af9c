/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line and the configuration file into the settings.
 *
 * The command line is walked twice: once for --config, then, with the file's values in place, for the rest, so that what
 * stands on the command line goes before the file. A list given on the command line replaces the file's. */
#include "server.h"

#include "server/flags.h"

/* One flag of the command line and its value. */
struct argument {
    const struct flag *flag;
    struct text value;
};

static int fail_unknown(struct text name, struct status *st)
{
    return status_set(st, STATUS_BAD_REQUEST, "unknown flag: --%.*s (the nearest is --%s; --help lists all)", TEXT_ARG(name),
                      flag_nearest(name));
}

static const struct flag *find_shorthand(char c)
{
    for (size_t i = 0; i < n_flags; i++)
        if (flags[i].shorthand == c)
            return &flags[i];
    return NULL;
}

/* --name=value, --name value, --bool, -v=4, -v 4; moves *i past what it used. */
static int parse_argument(int argc, char *const *argv, int *i, struct argument *ret, struct status *st)
{
    struct text rest = text_of(argv[*i]), name;
    bool is_short = rest.n == 2 || (rest.n > 2 && rest.p[0] == '-' && rest.p[1] != '-' && rest.p[2] == '=');

    if (rest.n < 2 || rest.p[0] != '-')
        return status_set(st, STATUS_BAD_REQUEST, "unexpected argument \"%s\": all settings are flags", argv[*i]);
    rest = text_from(rest, rest.p[1] == '-' ? 2 : 1);
    text_split(&rest, '=', &name);
    ret->flag = is_short && name.n == 1 ? find_shorthand(name.p[0]) : flag_find(name);
    if (!ret->flag)
        return fail_unknown(name, st);
    if (rest.p) {
        ret->value = rest;
    } else if (ret->flag->type == FLAG_BOOL) {
        ret->value = TEXT("true");
    } else if (*i + 1 < argc) {
        ret->value = text_of(argv[++*i]);
    } else {
        return status_set(st, STATUS_BAD_REQUEST, "flag needs an argument: --%s", ret->flag->name);
    }
    ++*i;
    return 0;
}

/* A member of the file as the text that the flag would have. */
static int value_as_text(struct arena *a, const struct value *v, struct text *ret)
{
    struct buffer b = BUFFER_IN(a);
    struct text part;

    switch (v->kind) {
    case VALUE_STRING:
        *ret = value_text(v);
        return 0;
    case VALUE_BOOL:
    case VALUE_INT:
        json_write(&b, v);
        break;
    case VALUE_LIST:
        for (size_t i = 0; i < v->n; i++) {
            if (value_as_text(a, &v->items[i], &part) < 0)
                return -1;
            buffer_addf(&b, "%s%.*s", i ? "," : "", TEXT_ARG(part));
        }
        break;
    case VALUE_OBJECT:
        for (size_t i = 0; i < v->n; i++) {
            if (value_as_text(a, &v->members[i].value, &part) < 0)
                return -1;
            buffer_addf(&b, "%s%.*s=%.*s", i ? "," : "", TEXT_ARG(member_key(&v->members[i])), TEXT_ARG(part));
        }
        break;
    default:
        return -1;
    }
    *ret = buffer_text(&b);
    return 0;
}

static void reset_list(struct settings *s, const struct flag *f)
{
    if (f->type == FLAG_LIST || f->type == FLAG_ARRAY)
        *(struct text_list *)((char *)s + f->offset) = (struct text_list){0};
}

static void note_set(struct settings *s, const struct flag *f)
{
    if (f->offset == offsetof(struct settings, anonymous_auth))
        s->anonymous_auth_is_set = true;
    if (text_starts(text_of(f->name), TEXT("oidc-")))
        s->oidc_is_set = true;
    if (f->offset == offsetof(struct settings, authorization_mode))
        s->authorization_mode_is_set = true;
}

/* A list is an array's values one by one; an object its KEY=VALUE. */
static int set_array(struct arena *a, struct settings *s, const struct flag *f, const struct value *v, struct status *st)
{
    for (size_t i = 0; i < v->n; i++) {
        bool is_object = v->kind == VALUE_OBJECT;
        struct text value;
        if (value_as_text(a, is_object ? &v->members[i].value : &v->items[i], &value) < 0)
            return status_set(st, STATUS_BAD_REQUEST, "\"%s\" has no value that a flag could have", f->name);
        if (is_object)
            value = arena_textf(a, "%.*s=%.*s", TEXT_ARG(member_key(&v->members[i])), TEXT_ARG(value));
        if (flag_set(a, s, f, value, st) < 0)
            return -1;
    }
    return 0;
}

static int read_file(struct arena *a, const char *path, struct settings *s, struct status *st)
{
    struct buffer content = BUFFER_IN(a);
    struct text_list duplicates = {0};
    struct json_options opt = {.duplicates = &duplicates};
    struct value root;

    if (file_read(path, &content, st) < 0)
        return status_wrap(st, "--config");
    if (yaml_read(a, buffer_text(&content), &opt, &root, st) < 0)
        return status_wrap(st, "--config %s", path);
    if (duplicates.n)
        return status_set(st, STATUS_BAD_REQUEST, "--config %s: \"%.*s\" stands more than once", path,
                          TEXT_ARG(duplicates.p[0]));
    if (root.kind != VALUE_OBJECT && root.kind != VALUE_NULL)
        return status_set(st, STATUS_BAD_REQUEST, "--config %s: not a mapping of settings", path);
    for (size_t i = 0; root.kind == VALUE_OBJECT && i < root.n; i++) {
        const struct value_member *m = &root.members[i];
        const struct flag *f = flag_find(member_key(m));
        struct text value;
        if (!f) {
            fail_unknown(member_key(m), st);
            return status_wrap(st, "--config %s", path);
        }
        reset_list(s, f);
        note_set(s, f);
        if (f->type == FLAG_ARRAY && (m->value.kind == VALUE_LIST || m->value.kind == VALUE_OBJECT)) {
            if (set_array(a, s, f, &m->value, st) < 0)
                return status_wrap(st, "--config %s", path);
            continue;
        }
        if (value_as_text(a, &m->value, &value) < 0)
            return status_set(st, STATUS_BAD_REQUEST, "--config %s: \"%s\" has no value that a flag could have", path, f->name);
        if (flag_set(a, s, f, value, st) < 0)
            return status_wrap(st, "--config %s", path);
    }
    return 0;
}

int settings_read(struct arena *a, int argc, char *const *argv, struct settings *ret, struct status *st)
{
    struct argument arg;
    bool *was_given = ARENA_ARRAY(a, bool, n_flags);

    settings_defaults(a, ret);
    for (int i = 1; i < argc;) {
        if (parse_argument(argc, argv, &i, &arg, st) < 0)
            return -1;
        if (arg.flag->offset == offsetof(struct settings, config) && flag_set(a, ret, arg.flag, arg.value, st) < 0)
            return -1;
    }
    if (ret->config && read_file(a, ret->config, ret, st) < 0)
        return -1;
    for (int i = 1; i < argc;) {
        if (parse_argument(argc, argv, &i, &arg, st) < 0)
            return -1;
        if (!was_given[arg.flag - flags])
            reset_list(ret, arg.flag);
        was_given[arg.flag - flags] = true;
        note_set(ret, arg.flag);
        if (flag_set(a, ret, arg.flag, arg.value, st) < 0)
            return -1;
    }
    return 0;
}
