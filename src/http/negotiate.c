/* SPDX-License-Identifier: Apache-2.0 */
/* Which form a client wants and which form it sent. Two upstream readers are followed: munnerz/goautoneg for
 * Accept (lenient, sorted by q and then by how specific a clause is) and Go's mime.ParseMediaType for
 * Content-Type (strict). */
#include "http/negotiate.h"

#include <stdlib.h>

#include "base.h"
#include "base/features.h"

struct text media_param(const struct media *m, const char *name)
{
    for (size_t i = 0; i < m->n_params; i++)
        if (text_is(m->params[i].name, name))
            return m->params[i].value;
    return TEXT_NONE;
}

static struct text trim_spaces(struct text t)
{
    while (t.n && t.p[0] == ' ')
        t = text_from(t, 1);
    while (t.n && t.p[t.n - 1] == ' ')
        t.n--;
    return t;
}

static void set_param(struct media *m, struct text name, struct text value)
{
    for (size_t i = 0; i < m->n_params; i++) {
        if (text_eq(m->params[i].name, name)) {
            m->params[i].value = value;
            return;
        }
    }
    if (m->n_params < N_ELEMENTS(m->params)) {
        m->params[m->n_params].name = name;
        m->params[m->n_params++].value = value;
    }
}

/* --- Accept --- */

static double parse_q(struct text t)
{
    char buf[32];
    if (t.n == 0 || t.n >= sizeof(buf))
        return 0;
    memcpy(buf, t.p, t.n);
    buf[t.n] = '\0';
    char *end;
    double q = strtod(buf, &end);
    return *end == '\0' && q == q ? q : 0; /* Go gives 0 with its error too */
}

static bool parse_clause(struct text part, struct media *ret)
{
    *ret = (struct media){.q = 1};
    struct text rest = trim_spaces(part), range;
    if (!text_split(&rest, ';', &range))
        return false;
    ptrdiff_t slash = text_find(range, '/');
    if (slash < 0 || (size_t)slash + 1 == range.n) {
        ret->type = trim_spaces(slash < 0 ? range : text_first(range, (size_t)slash));
        if (!text_is(ret->type, "*"))
            return false;
        ret->subtype = TEXT("*");
    } else {
        ret->type = trim_spaces(text_first(range, (size_t)slash));
        ret->subtype = trim_spaces(text_from(range, (size_t)slash + 1));
        if (text_find(ret->subtype, '/') >= 0)
            return false;
    }

    struct text pair;
    while (text_split(&rest, ';', &pair)) {
        ptrdiff_t eq = text_find(pair, '=');
        if (eq < 0)
            continue;
        struct text name = trim_spaces(text_first(pair, (size_t)eq)), value = text_from(pair, (size_t)eq + 1);
        if (value.n == 0 || text_find(value, '=') >= 0)
            continue;
        if (text_is(name, "q"))
            ret->q = parse_q(value);
        else
            set_param(ret, name, trim_spaces(value));
    }
    return true;
}

/* goautoneg's order. It is no strict order (a clause may be before and behind another), so the way of sorting
 * is part of the result: insertion, as Go sorts up to twelve. */
static bool goes_before(const struct media *a, const struct media *b)
{
    if (a->q > b->q)
        return true;
    if (!text_is(a->type, "*") && text_is(b->type, "*"))
        return true;
    return !text_is(a->subtype, "*") && text_is(b->subtype, "*");
}

#define CLAUSES_MAX 64 /* more than any client sends; the rest of the header is not read */

size_t media_parse_accept(struct arena *a, struct text header, struct media **ret)
{
    *ret = NULL;
    size_t room = 0, n = 0;
    struct text rest = header, part;
    while (rest.n && room < CLAUSES_MAX && text_split(&rest, ',', &part))
        room++;
    if (room == 0)
        return 0;
    struct media *clauses = ARENA_ARRAY(a, struct media, room);
    rest = header;
    for (size_t i = 0; i < room && text_split(&rest, ',', &part); i++)
        n += parse_clause(part, &clauses[n]);
    for (size_t i = 1; i < n; i++) {
        for (size_t j = i; j > 0 && goes_before(&clauses[j], &clauses[j - 1]); j--) {
            struct media swap = clauses[j];
            clauses[j] = clauses[j - 1];
            clauses[j - 1] = swap;
        }
    }
    *ret = clauses;
    return n;
}

/* --- the answer's form --- */

/* In the order in which upstream's codec factory lists its serializers: it decides who wins a wildcard. */
static const struct form {
    enum media_type media;
    const char *type, *subtype, *content_type;
    bool has_stream;
} forms[] = {
    {MEDIA_JSON, "application", "json", "application/json", true},
    {MEDIA_YAML, "application", "yaml", "application/yaml", false},
    {MEDIA_PROTOBUF, "application", "vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf", true},
    {MEDIA_CBOR, "application", "cbor", "application/cbor", true},
};

static bool clause_fits(const struct media *m, const struct form *f)
{
    if (text_is(m->type, "*"))
        return text_is(m->subtype, "*");
    return text_is(m->type, f->type) && (text_is(m->subtype, f->subtype) || text_is(m->subtype, "*"));
}

/* as, g and v: false when this path or this form cannot do the conversion. */
static bool read_conversion(const struct media *m, const struct form *f, enum transforms transforms,
                            struct accepted *ret)
{
    struct text kind = media_param(m, "as"), group = media_param(m, "g"), version = media_param(m, "v");
    if (!kind.p && !group.p && !version.p)
        return true;
    if (transforms == TRANSFORMS_NONE || !group.p || !text_is(group, "meta.k8s.io"))
        return false;
    if (!version.p || (!text_is(version, "v1") && !text_is(version, "v1beta1")))
        return false;
    ret->as_version = version;
    if (!kind.p)
        return false;
    if (text_is(kind, "Table")) {
        ret->as = AS_TABLE;
        return transforms != TRANSFORMS_NO_TABLES && (f->media == MEDIA_JSON || f->media == MEDIA_YAML);
    }
    if (text_is(kind, "PartialObjectMetadata"))
        ret->as = AS_PARTIAL;
    else if (text_is(kind, "PartialObjectMetadataList"))
        ret->as = AS_PARTIAL_LIST;
    return ret->as != AS_OBJECT;
}

static bool accept_clause(const struct media *m, const struct form *f, enum transforms transforms,
                          struct accepted *ret)
{
    struct text stream = media_param(m, "stream"), server_version = media_param(m, "sv");
    *ret = (struct accepted){.media = f->media, .content_type = f->content_type};
    if (stream.n && (!f->has_stream || !text_is(stream, "watch")))
        return false;
    if (server_version.n && !text_is(server_version, "v1"))
        return false;
    ret->is_stream = stream.n > 0;
    ret->pretty = text_is(media_param(m, "pretty"), "1");
    return read_conversion(m, f, transforms, ret);
}

bool negotiate_accept(struct arena *a, struct text accept_header, unsigned media_bits, enum transforms transforms,
                      struct accepted *ret)
{
    struct media none = {.type = TEXT("*"), .subtype = TEXT("*"), .q = 1}, *clauses = &none;
    size_t n = 1;
    if (accept_header.n)
        n = media_parse_accept(a, accept_header, &clauses);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < N_ELEMENTS(forms); j++) {
            struct accepted found;
            if (!(media_bits & 1u << forms[j].media) || !clause_fits(&clauses[i], &forms[j]))
                continue;
            if (accept_clause(&clauses[i], &forms[j], transforms, &found)) {
                *ret = found;
                return true;
            }
        }
    }
    return false;
}

bool negotiate_gzip(struct text accept_encoding)
{
    struct text part;
    if (!feature_is_on(FEATURE_API_RESPONSE_COMPRESSION))
        return false;
    while (text_split(&accept_encoding, ',', &part)) {
        struct text coding, rest = part;
        text_split(&rest, ';', &coding);
        if (!text_eq_nocase(text_trim(coding), TEXT("gzip")))
            continue;
        double q = 1;
        struct text pair;
        while (text_split(&rest, ';', &pair)) {
            pair = text_trim(pair);
            if (text_starts(pair, TEXT("q=")))
                q = parse_q(text_from(pair, 2));
        }
        return q > 0;
    }
    return false;
}

/* --- Content-Type, as Go's mime.ParseMediaType --- */

static bool is_token_char(char c)
{
    return c > 0x20 && c < 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct text take_token(struct text *rest)
{
    size_t n = 0;
    while (n < rest->n && is_token_char(rest->p[n]))
        n++;
    struct text token = text_first(*rest, n);
    *rest = text_from(*rest, n);
    return token;
}

static bool take_quoted(struct arena *a, struct text *rest, struct text *ret)
{
    struct buffer b = BUFFER_IN(a);
    for (size_t i = 1; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '"') {
            *rest = text_from(*rest, i + 1);
            *ret = b.n ? buffer_text(&b) : TEXT("");
            return true;
        }
        if (c == '\\' && i + 1 < rest->n)
            c = rest->p[++i];
        if (c == '\r' || c == '\n')
            return false;
        buffer_add_char(&b, c);
    }
    return false;
}

bool media_parse_one(struct arena *a, struct text header, struct media *ret)
{
    *ret = (struct media){.q = 1};
    struct text rest = header;
    ptrdiff_t semicolon = text_find(header, ';');
    struct text range =
        arena_lower(a, text_trim(semicolon < 0 ? header : text_first(header, (size_t)semicolon)));
    rest = semicolon < 0 ? TEXT_NONE : text_from(header, (size_t)semicolon);

    ret->type = take_token(&range);
    if (ret->type.n == 0)
        return false;
    if (range.n) {
        if (range.p[0] != '/')
            return false;
        range = text_from(range, 1);
        ret->subtype = take_token(&range);
        if (ret->subtype.n == 0 || range.n)
            return false;
    }
    while ((rest = text_trim(rest)).n) {
        if (rest.p[0] != ';')
            return false;
        rest = text_trim(text_from(rest, 1));
        if (rest.n == 0)
            break; /* a closing semicolon is ignored */
        struct text name = arena_lower(a, take_token(&rest)), value;
        if (name.n == 0 || rest.n == 0 || rest.p[0] != '=')
            return false;
        rest = text_from(rest, 1);
        if (rest.n && rest.p[0] == '"') {
            if (!take_quoted(a, &rest, &value))
                return false;
        } else {
            value = take_token(&rest);
            if (value.n == 0)
                return false;
        }
        if (media_param(ret, name.n ? arena_str(a, name) : "").p)
            return false; /* Go refuses a repeated parameter */
        set_param(ret, name, value);
    }
    return true;
}

enum media_type media_type_of(struct arena *a, struct text content_type)
{
    struct media m;
    if (content_type.n == 0 || text_is(content_type, "application/json"))
        return MEDIA_JSON;
    if (!media_parse_one(a, content_type, &m))
        return MEDIA_OTHER;
    for (size_t i = 0; i < N_ELEMENTS(forms); i++)
        if (text_is(m.type, forms[i].type) && text_is(m.subtype, forms[i].subtype))
            return forms[i].media;
    return MEDIA_OTHER;
}
