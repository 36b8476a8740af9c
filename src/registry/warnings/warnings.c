/* SPDX-License-Identifier: Apache-2.0 */
/* Walking the tables of warnings, and the checks that several of them have. Source: kubernetes pkg/api/node/util.go,
 * apimachinery pkg/util/validation/ip.go. */
#include "registry/warnings/warnings.h"

#include "schema/formats.h"
#include "schema/quantity.h"

/* Far more than the headers of an answer hold, and an end for objects that are nothing but faults. */
#define WARNINGS_MAX 256

static void add(struct operation *op, struct text t)
{
    if (op->warnings.n < WARNINGS_MAX)
        text_list_add(op->arena, &op->warnings, t);
}

void operation_warn(struct operation *op, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(op, text_of(arena_vprintf(op->arena, fmt, args)));
    va_end(args);
}

void warnings_say(struct warnings *w, const char *fmt, ...)
{
    struct buffer b = BUFFER_IN(w->op->arena);
    va_list args;

    if (w->op->warnings.n >= WARNINGS_MAX)
        return;
    buffer_add(&b, buffer_text(&w->path));
    buffer_add_str(&b, ": ");
    va_start(args, fmt);
    buffer_vaddf(&b, fmt, args);
    va_end(args);
    add(w->op, buffer_text(&b));
}

void warn_unless_label(struct operation *op, struct text name, const char *used_in)
{
    const char *problems[FORMAT_ERRORS_MAX];
    size_t n = format_check(FORMAT_DNS1123_LABEL, name, problems);
    struct buffer all = BUFFER_IN(op->arena);

    for (size_t i = 0; i < n; i++)
        buffer_addf(&all, "%s%s", i ? " " : "", problems[i]);
    if (n)
        operation_warn(op,
                       "metadata.name: this is used in %s, which can result in surprising behavior; a DNS label is recommended: "
                       "[%s]",
                       used_in, buffer_str(&all));
}

/* --- walking --- */

static void visit(struct warnings *w, const struct warning_rule *rule, const char *rest, const struct value *v);

void warnings_step(struct warnings *w, const char *member, size_t i)
{
    buffer_add_str(&w->path, member);
    buffer_add_char(&w->path, '[');
    buffer_add_u64(&w->path, i);
    buffer_add_char(&w->path, ']');
}

static void visit_items(struct warnings *w, const struct warning_rule *rule, const char *rest, const struct value *list)
{
    size_t here = w->path.n;

    for (size_t i = 0; list->kind == VALUE_LIST && i < list->n && w->op->warnings.n < WARNINGS_MAX; i++) {
        warnings_step(w, "", i);
        visit(w, rule, rest, &list->items[i]);
        w->path.n = here;
    }
}

static void found(struct warnings *w, const struct warning_rule *rule, const struct value *v)
{
    if (rule->each)
        warnings_apply(w, rule->each, v);
    else if ((!rule->check || rule->check(w, v, rule->arg)) && rule->message)
        warnings_say(w, "%s", rule->message);
}

static void add_member(struct warnings *w, const struct warning_rule *rule, struct text name, bool is_key, bool is_last)
{
    if (is_key) {
        buffer_addf(&w->path, "[%.*s]", TEXT_ARG(name));
        return;
    }
    if (w->path.n)
        buffer_add_char(&w->path, '.');
    buffer_add(&w->path, is_last && rule->shown ? text_of(rule->shown) : name);
}

/* rest of the rule's path, at v, which is there. Most rules find nothing at their first members, so the path is written last. */
static void visit(struct warnings *w, const struct warning_rule *rule, const char *rest, const struct value *v)
{
    size_t here = w->path.n;

    if (!*rest) {
        if (!rule->is_absent)
            found(w, rule, v);
        return;
    }
    if (rest[0] == '[' && rest[1] == ']') {
        visit_items(w, rule, rest + 2 + (rest[2] == '.'), v);
        return;
    }
    bool is_key = rest[0] == '[';
    struct text name = {rest + is_key, strcspn(rest + is_key, is_key ? "]" : ".[")};
    const char *after = name.p + name.n + is_key;
    bool is_last = !*after;
    const struct value *member = value_get(v, name);
    if (member && member->kind == VALUE_NULL)
        member = NULL;
    if (!member && !(rule->is_absent && is_last))
        return;
    add_member(w, rule, name, is_key, is_last);
    if (member)
        visit(w, rule, after + (*after == '.'), member);
    else
        warnings_say(w, "%s", rule->message);
    w->path.n = here;
}

void warnings_apply(struct warnings *w, const struct warning_rule *rules, const struct value *v)
{
    for (const struct warning_rule *rule = rules; rule->path; rule++)
        visit(w, rule, rule->path, v);
}

void warnings_walk(struct operation *op, const struct warning_rule *rules, const struct value *obj, const char *at)
{
    struct warnings w = {.op = op, .root = obj, .path = BUFFER_IN(op->arena), .base = strlen(at)};

    if (!obj)
        return;
    buffer_add_str(&w.path, at);
    warnings_apply(&w, rules, obj);
}

/* --- checks --- */

static const char *quoted(struct warnings *w, struct text t)
{
    struct buffer b = BUFFER_IN(w->op->arena);

    buffer_add_quoted(&b, t);
    return buffer_str(&b);
}

bool warn_is(struct warnings *w, const struct value *v, const char *arg)
{
    return text_is(value_text(v), arg);
}

bool warn_is_negative(struct warnings *w, const struct value *v, const char *arg)
{
    return v->kind == VALUE_INT && v->integer < 0;
}

bool warn_ip(struct warnings *w, const struct value *v, const char *arg)
{
    struct text given = value_text(v), good;
    struct format_ip ip;

    if (!format_ip_read(given, &ip))
        return false;
    good = format_ip_text(w->op->arena, &ip);
    if (ip.has_leading_zeros || ip.is_v4_in_v6)
        warnings_say(w, "non-standard IP address %s is invalid: use %s", quoted(w, given), quoted(w, good));
    else if (!ip.is_v4 && !text_eq(given, good))
        warnings_say(w, "IPv6 address %s should be in RFC 5952 canonical format (%s)", quoted(w, given), quoted(w, good));
    return false;
}

bool warn_cidr(struct warnings *w, const struct value *v, const char *arg)
{
    struct arena *a = w->op->arena;
    struct text given = value_text(v), good;
    struct format_ip ip, network;
    unsigned prefix;

    if (!format_cidr_read(given, &ip, &network, &prefix))
        return false;
    good = arena_textf(a, "%.*s/%u", TEXT_ARG(format_ip_text(a, &network)), prefix);
    bool is_host = memcmp(ip.bytes, network.bytes, sizeof(ip.bytes)) != 0, is_odd = ip.has_leading_zeros || ip.is_v4_in_v6;
    if (is_host) {
        struct text single =
            arena_textf(a, "%.*s/%d", TEXT_ARG(format_ip_text(a, &ip)), ip.is_v4 && !ip.is_v4_in_v6 ? 32 : 128);
        warnings_say(w, "CIDR value %s is ambiguous in this context (should be %s or %s?)", quoted(w, given), quoted(w, good),
                     quoted(w, single));
    }
    if (is_odd)
        warnings_say(w, "non-standard CIDR value %s is invalid: use %s", quoted(w, given), quoted(w, good));
    if (!is_host && !is_odd && !ip.is_v4 && !text_eq(given, good))
        warnings_say(w, "IPv6 CIDR value %s should be in RFC 5952 canonical format (%s)", quoted(w, given), quoted(w, good));
    return false;
}

bool warn_fraction(struct warnings *w, const struct value *v, const char *arg)
{
    struct text t = value_text(v);

    if (t.n && quantity_milli_value(t) % 1000 != 0)
        warnings_say(w, "fractional byte value %s is invalid, must be an integer", quoted(w, t));
    return false;
}

/* --- labels of nodes --- */

static const char *deprecated_label(struct text key)
{
    static const struct {
        const char *key, *message;
    } rows[] = {
        {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
        {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
        {"failure-domain.beta.kubernetes.io/region", "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
        {"failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
        {"beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
        {"app.kubernetes.io/created-by", "deprecated since v1.9"},
        {"scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"},
        {"node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (text_is(key, rows[i].key))
            return rows[i].message;
    return NULL;
}

bool warn_node_label(struct warnings *w, const struct value *v, const char *arg)
{
    struct text key = value_text(v);
    const char *message = deprecated_label(key);

    if (message && arg)
        warnings_say(w, "%.*s is %s", TEXT_ARG(key), message);
    else if (message)
        warnings_say(w, "%s", message);
    return false;
}

bool warn_node_labels(struct warnings *w, const struct value *v, const char *arg)
{
    size_t here = w->path.n;

    for (size_t i = 0; v->kind == VALUE_OBJECT && i < v->n; i++) {
        struct text key = member_key(&v->members[i]);
        const char *message = deprecated_label(key);
        if (!message)
            continue;
        if (arg)
            buffer_addf(&w->path, "%s%.*s%s", arg, TEXT_ARG(key), *arg == '[' ? "]" : "");
        warnings_say(w, "%s", message);
        w->path.n = here;
    }
    return false;
}

bool warn_repeats(struct warnings *w, const struct value *v, const char *arg)
{
    size_t here = w->path.n;
    struct map seen = {0};

    for (size_t i = 0; v->kind == VALUE_LIST && v->n > 1 && i < v->n; i++) {
        struct text t = value_get_text(&v->items[i], text_of(arg));
        if (!map_put(&seen, t, (void *)v))
            continue;
        buffer_addf(&w->path, "[%zu].%s", i, arg);
        warnings_say(w, "duplicate %s %s", arg, quoted(w, t));
        w->path.n = here;
    }
    map_deinit(&seen);
    return false;
}
