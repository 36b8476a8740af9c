/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults of pods that are algorithms. Source: kubernetes/kubernetes pkg/apis/core/v1/defaults.go; images' names:
 * distribution/reference, normalize.go and regexp.go. */
#include "schema/defaults.h"

/* A volume that names no source is an empty folder. All its fields but the name are sources. */
void fill_volume_source(struct arena *a, const struct schema *s, struct value *volume, uint16_t field)
{
    for (uint32_t i = 0; i < volume->n; i++)
        if (!text_is(member_key(&volume->members[i]), "name") && volume->members[i].value.kind != VALUE_NULL)
            return;
    default_set(a, s, volume, TEXT("emptyDir"), value_object());
}

/* --- names of images --- */

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_lower_hex(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!((t.p[i] >= '0' && t.p[i] <= '9') || (t.p[i] >= 'a' && t.p[i] <= 'f')))
            return false;
    return true;
}

/* Ends *t before the first c, and *rest is what follows that. False: there is no c. */
static bool cut(struct text *t, char c, struct text *rest)
{
    const char *at = t->n ? memchr(t->p, c, t->n) : NULL;

    if (!at)
        return false;
    *rest = text_from(*t, (size_t)(at - t->p) + 1);
    t->n = (size_t)(at - t->p);
    return true;
}

static bool is_digest(struct text t)
{
    static const struct {
        struct text name;
        size_t digits;
    } algorithms[] = {{TEXT("sha256"), 64}, {TEXT("sha384"), 96}, {TEXT("sha512"), 128}};
    struct text hex;

    if (!cut(&t, ':', &hex))
        return false;
    for (size_t i = 0; i < N_ELEMENTS(algorithms); i++)
        if (text_eq(t, algorithms[i].name))
            return hex.n == algorithms[i].digits && is_lower_hex(hex);
    return false;
}

static bool is_tag(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!is_alnum(t.p[i]) && t.p[i] != '_' && (i == 0 || (t.p[i] != '.' && t.p[i] != '-')))
            return false;
    return t.n >= 1 && t.n <= 128;
}

/* Runs of lower-case letters and digits with ".", "_", "__" or dashes between them. */
static bool is_path_component(struct text t)
{
    size_t i = 0;

    while (true) {
        size_t start = i, separator;
        while (i < t.n && is_lower_alnum(t.p[i]))
            i++;
        if (i == start)
            return false;
        if (i == t.n)
            return true;
        separator = i;
        while (i < t.n && t.p[i] == t.p[separator])
            i++;
        size_t n = i - separator;
        if (!(t.p[separator] == '-' || (t.p[separator] == '.' && n == 1) || (t.p[separator] == '_' && n <= 2)))
            return false;
    }
}

static bool is_port(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
    return t.n > 0;
}

/* "[::1]", "[::1]:5000" */
static bool is_bracketed_domain(struct text t)
{
    const char *end = memchr(t.p, ']', t.n);

    if (!end || end == t.p + 1)
        return false;
    for (const char *c = t.p + 1; c < end; c++)
        if (text_find(TEXT("0123456789abcdefABCDEF:"), *c) < 0)
            return false;
    t = text_from(t, (size_t)(end - t.p) + 1);
    return !t.n || (t.p[0] == ':' && is_port(text_from(t, 1)));
}

static bool is_domain(struct text t)
{
    struct text port, rest;
    bool more;

    if (t.n && t.p[0] == '[')
        return is_bracketed_domain(t);
    if (cut(&t, ':', &port) && !is_port(port))
        return false;
    do {
        more = cut(&t, '.', &rest);
        if (!t.n || !is_alnum(t.p[0]) || !is_alnum(t.p[t.n - 1]))
            return false;
        for (size_t i = 0; i < t.n; i++)
            if (!is_alnum(t.p[i]) && t.p[i] != '-')
                return false;
        t = rest;
    } while (more);
    return true;
}

/* Whether what stands before the first slash is a host, not the first part of a name on the usual one. */
static bool names_host(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] == '.' || t.p[i] == ':' || (t.p[i] >= 'A' && t.p[i] <= 'Z'))
            return true;
    return text_is(t, "localhost");
}

/* Whether the image is asked for by the tag "latest", which a name without tag and digest means too. A name that is none
 * has no tag. */
static bool image_is_latest(struct text image)
{
    struct text digest, tag, rest, host;
    bool has_digest, has_tag, more;
    size_t domain_bytes = strlen("docker.io/");

    if (image.n == 64 && is_lower_hex(image))
        return false; /* an identifier, not a name */
    has_digest = cut(&image, '@', &digest);
    if (has_digest && !is_digest(digest))
        return false;
    host = image;
    if (cut(&host, '/', &rest) && names_host(host)) {
        if (!is_domain(host))
            return false;
        image = rest;
        domain_bytes = host.n + 1;
    } else if (host.n == image.n) {
        domain_bytes += strlen("library/");
    }
    has_tag = cut(&image, ':', &tag);
    if (has_tag && !is_tag(tag))
        return false;
    if (domain_bytes + image.n > 255)
        return false;
    do {
        more = cut(&image, '/', &rest);
        if (!is_path_component(image))
            return false;
        image = rest;
    } while (more);
    return has_tag ? text_is(tag, "latest") : !has_digest;
}

void fill_image_pull_policy(struct arena *a, const struct schema *s, struct value *object, uint16_t field)
{
    struct text name = s->fields[field].name;
    const struct value *image = value_get(object, TEXT("image"));

    if (value_get_text(object, name).n)
        return;
    if (!image)
        image = value_get(object, TEXT("reference"));
    default_set(a, s, object, name,
                value_string(image_is_latest(value_text(image)) ? TEXT("Always") : TEXT("IfNotPresent")));
}

/* --- pods on the host's network --- */

static void fill_ports(struct arena *a, const struct schema *s, struct value *spec, struct text containers)
{
    const struct value *list = default_part(&s, spec, containers);

    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct schema *of_port = s;
        const struct value *ports = default_part(&of_port, &list->items[i], TEXT("ports"));
        for (uint32_t k = 0; ports && k < ports->n; k++) {
            struct value *port = &ports->items[k];
            int64_t number = value_get_int(port, TEXT("containerPort"), 0);
            if (number && !value_get_int(port, TEXT("hostPort"), 0))
                default_set(a, of_port, port, TEXT("hostPort"), value_int(number));
        }
    }
}

void fill_host_ports(struct arena *a, const struct schema *s, struct value *pod, uint16_t field)
{
    struct value *spec = default_part(&s, pod, TEXT("spec"));

    if (!spec)
        return;
    fill_ports(a, s, spec, TEXT("containers"));
    fill_ports(a, s, spec, TEXT("initContainers"));
}
