/* SPDX-License-Identifier: Apache-2.0 */
/* The mode ABAC: a file with one policy a line, as JSON; any that matches allows. Lines without a version are
 * of the oldest form, which says less and means more. Source: kubernetes pkg/auth/authorizer/abac,
 * pkg/apis/abac/v0, v1beta1. */
#include "authz/modes.h"
#include "authz/rule.h"

#define LINE_MAX_BYTES 65536 /* as upstream's scanner */

struct policy {
    struct text user, group, api_group, resource, namespace, path;
    bool is_readonly;
};

struct abac_mode {
    struct authz_mode mode;
    struct arena *arena;
    VEC(struct policy) policies;
};

/* --- reading --- */

static struct policy read_spec(const struct value *v)
{
    return (struct policy){.user = value_get_text(v, TEXT("user")),
                           .group = value_get_text(v, TEXT("group")),
                           .api_group = value_get_text(v, TEXT("apiGroup")),
                           .resource = value_get_text(v, TEXT("resource")),
                           .namespace = value_get_text(v, TEXT("namespace")),
                           .path = value_get_text(v, TEXT("nonResourcePath")),
                           .is_readonly = value_get_bool(v, TEXT("readonly"), false)};
}

/* What the form without a version leaves out, it means. */
static void widen_oldest(struct policy *p)
{
    if (!p->user.n && !p->group.n)
        p->group = TEXT("system:authenticated");
    p->path = p->namespace.n || p->resource.n ? TEXT_NONE : TEXT("*");
    if (!p->namespace.n)
        p->namespace = TEXT("*");
    if (!p->resource.n)
        p->resource = TEXT("*");
    p->api_group = TEXT("*");
}

static int read_line(struct abac_mode *m, struct text line, struct status *st)
{
    static const struct json_options options = {.copy_strings = true, .depth_max = 16};
    struct value v;
    struct policy p;

    if (line.n > LINE_MAX_BYTES)
        return status_set(st, STATUS_BAD_REQUEST, "bufio.Scanner: token too long");
    if (json_read(m->arena, line, &options, &v, st) < 0)
        return -1;
    struct text version = value_get_text(&v, TEXT("apiVersion")), kind = value_get_text(&v, TEXT("kind"));
    if (v.kind != VALUE_OBJECT)
        return status_set(st, STATUS_BAD_REQUEST, "not a JSON object");
    if (!version.n || !kind.n) {
        p = read_spec(&v);
        widen_oldest(&p);
    } else if (text_is(version, "abac.authorization.kubernetes.io/v1beta1") && text_is(kind, "Policy")) {
        p = read_spec(value_get(&v, TEXT("spec")));
    } else {
        return status_set(st, STATUS_BAD_REQUEST, "no kind \"%.*s\" is registered for version \"%.*s\"",
                          TEXT_ARG(kind), TEXT_ARG(version));
    }
    if (text_is(p.user, "*") || text_is(p.group, "*")) { /* everybody who has a name */
        p.group = TEXT("system:authenticated");
        p.user = TEXT_NONE;
    }
    vec_push(&m->policies, p);
    return 0;
}

static int abac_read(struct abac_mode *m, struct text content, struct status *st)
{
    struct text line;
    size_t n = 0;

    while (text_split(&content, '\n', &line)) {
        n++;
        line = text_trim(line);
        if (line.n && line.p[0] != '#' && read_line(m, line, st) < 0)
            return status_wrap(st, "line %zu: %.*s", n, TEXT_ARG(text_first(line, 200)));
    }
    return 0;
}

/* --- deciding --- */

static bool subject_matches(const struct policy *p, const struct user_info *user)
{
    if (p->user.n && !text_eq(p->user, user->name))
        return false;
    if (!p->group.n)
        return p->user.n != 0;
    return user_in_group(user, p->group);
}

static bool matches(struct text pattern, struct text t)
{
    return text_is(pattern, "*") || text_eq(pattern, t);
}

static bool is_read(struct text verb)
{
    return text_is(verb, "get") || text_is(verb, "list") || text_is(verb, "watch");
}

static bool allows(const struct policy *p, const struct authz_attributes *attrs)
{
    const struct request_info *info = attrs->info;

    if (!subject_matches(p, attrs->user) || (p->is_readonly && !is_read(info->verb)))
        return false;
    if (!info->is_resource)
        return rule_path_covers(p->path, attrs->path);
    return matches(p->namespace, info->namespace) && matches(p->resource, info->resource) &&
           matches(p->api_group, info->group);
}

static void abac_authorize(struct authz_mode *m, struct arena *a, const struct authz_attributes *attrs,
                           struct authz_answer *ret)
{
    const struct abac_mode *mode = CONTAINER_OF(m, struct abac_mode, mode);

    for (size_t i = 0; i < mode->policies.n; i++) {
        if (!allows(&mode->policies.p[i], attrs))
            continue;
        ret->decision = AUTHZ_ALLOW;
        return;
    }
    ret->reason = TEXT("No policy matched.");
}

static void abac_list_rules(struct authz_mode *m, const struct user_info *user, struct text namespace,
                            struct authz_rules *rules)
{
    static const struct text star[] = {TEXT("*")}, reads[] = {TEXT("get"), TEXT("list"), TEXT("watch")};
    struct abac_mode *mode = CONTAINER_OF(m, struct abac_mode, mode);

    for (size_t i = 0; i < mode->policies.n; i++) {
        const struct policy *p = &mode->policies.p[i];
        const struct text_span verbs =
            p->is_readonly ? (struct text_span){reads, 3} : (struct text_span){star, 1};
        if (!subject_matches(p, user) || !matches(p->namespace, namespace))
            continue;
        if (p->resource.n)
            authz_rules_add(rules, &(struct policy_rule){.verbs = verbs,
                                                         .groups = {&p->api_group, 1},
                                                         .resources = {&p->resource, 1}});
        if (p->path.n)
            authz_rules_add(rules, &(struct policy_rule){.verbs = verbs, .urls = {&p->path, 1}});
    }
}

static void abac_free(struct authz_mode *m)
{
    struct abac_mode *mode = CONTAINER_OF(m, struct abac_mode, mode);

    vec_deinit(&mode->policies);
    arena_free(mode->arena);
    free(mode);
}

int abac_mode_new(const struct authz_options *opt, struct authz_mode **ret, struct status *st)
{
    struct abac_mode *m = xcalloc(1, sizeof(*m));
    CLEANUP(buffer_deinit) struct buffer content = BUFFER_INIT;

    m->mode = (struct authz_mode){.type = "ABAC",
                                  .name = "abac",
                                  .authorize = abac_authorize,
                                  .list_rules = abac_list_rules,
                                  .free = abac_free};
    m->arena = arena_new();
    if (!opt->policy_file)
        status_set(st, STATUS_BAD_REQUEST, "authorization-mode ABAC's authorization policy file not passed");
    else if (file_read(opt->policy_file, &content, st) == 0 && abac_read(m, buffer_text(&content), st) < 0)
        status_wrap(st, "error reading policy file %s", opt->policy_file);
    if (st->reason != STATUS_OK) {
        abac_free(&m->mode);
        return -1;
    }
    *ret = &m->mode;
    return 0;
}
