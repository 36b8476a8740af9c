/* SPDX-License-Identifier: Apache-2.0 */
/* Every format is a row: how long a text may be, a function that says whether the characters are right, and
 * the words for when they are not. Upstream matches regular expressions; all of them are runs of a few
 * character classes, so a class table and short loops do, and the expressions live on only in the messages.
 * Formats whose upstream check has several independent complaints have a function of their own. */
#include "schema/formats.h"

#include "base/macros.h"

/* --- characters -------------------------------------------------------------------------------------- */

enum char_class {
    LOWER = 1,
    UPPER = 2,
    DIGIT = 4,
    DASH = 8,
    UNDERSCORE = 16,
    DOT = 32,
    ALNUM = LOWER | UPPER | DIGIT,
};

static unsigned class_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return LOWER;
    if (c >= 'A' && c <= 'Z')
        return UPPER;
    if (c >= '0' && c <= '9')
        return DIGIT;
    return c == '-' ? DASH : c == '_' ? UNDERSCORE : c == '.' ? DOT : 0;
}

static bool all_of(struct text t, unsigned classes)
{
    for (size_t i = 0; i < t.n; i++)
        if (!(class_of(t.p[i]) & classes))
            return false;
    return true;
}

/* first, then inner, ending in last; at least one character, which must be first's. */
static bool is_run(struct text t, unsigned first, unsigned inner, unsigned last)
{
    return t.n > 0 && (class_of(t.p[0]) & first) && all_of(text_from(t, 1), inner) &&
           (t.n == 1 || (class_of(t.p[t.n - 1]) & last));
}

static bool each_part(struct text t, bool (*is_good)(struct text))
{
    struct text part;
    if (!t.n)
        return false;
    while (text_split(&t, '.', &part))
        if (!is_good(part))
            return false;
    return true;
}

static bool is_label(struct text t)
{
    return is_run(t, LOWER | DIGIT, LOWER | DIGIT | DASH, LOWER | DIGIT);
}
static bool is_label_caseless(struct text t)
{
    return is_run(t, ALNUM, ALNUM | DASH, ALNUM);
}
static bool is_label_underscore(struct text t)
{
    if (t.n && t.p[0] == '_')
        t = text_from(t, 1);
    return is_run(t, LOWER | DIGIT, LOWER | DIGIT | DASH | UNDERSCORE, LOWER | DIGIT);
}
static bool is_subdomain(struct text t)
{
    return each_part(t, is_label);
}
static bool is_subdomain_caseless(struct text t)
{
    return each_part(t, is_label_caseless);
}
static bool is_subdomain_underscore(struct text t)
{
    return each_part(t, is_label_underscore);
}
static bool is_wildcard(struct text t)
{
    return text_starts(t, TEXT("*.")) && is_subdomain(text_from(t, 2));
}
static bool is_dns1035_label(struct text t)
{
    return is_run(t, LOWER, LOWER | DIGIT | DASH, LOWER | DIGIT);
}
static bool is_name_part(struct text t)
{
    return is_run(t, ALNUM, ALNUM | DASH | UNDERSCORE | DOT, ALNUM);
}
static bool is_label_value(struct text t)
{
    return t.n == 0 || is_name_part(t);
}
static bool is_c_identifier(struct text t)
{
    return is_run(t, LOWER | UPPER | UNDERSCORE, ALNUM | UNDERSCORE, ALNUM | UNDERSCORE);
}
static bool is_percent(struct text t)
{
    return t.n > 1 && t.p[t.n - 1] == '%' && all_of(text_first(t, t.n - 1), DIGIT);
}
static bool is_http_header(struct text t)
{
    return t.n > 0 && all_of(t, ALNUM | DASH);
}
static bool is_env_var(struct text t)
{
    unsigned inner = ALNUM | DASH | UNDERSCORE | DOT;
    return is_run(t, inner & ~(unsigned)DIGIT, inner, inner);
}
static bool is_condition_reason(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!(class_of(t.p[i]) & (ALNUM | UNDERSCORE)) && t.p[i] != ',' && t.p[i] != ':')
            return false;
    return t.n > 0 && (class_of(t.p[0]) & (LOWER | UPPER)) && (class_of(t.p[t.n - 1]) & (ALNUM | UNDERSCORE));
}
static bool is_config_map_key(struct text t)
{
    return t.n > 0 && all_of(t, ALNUM | DASH | UNDERSCORE | DOT);
}
static bool is_decimal_integer(struct text t)
{
    struct text digits = t.n && t.p[0] == '-' ? text_from(t, 1) : t;
    return text_is(t, "0") || (digits.n && digits.p[0] != '0' && all_of(digits, DIGIT));
}
static bool is_relaxed_env_var(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] < ' ' || t.p[i] > '~' || t.p[i] == '=')
            return false;
    return true;
}

/* --- words ------------------------------------------------------------------------------------------- */

#define LABEL_RE "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define SUBDOMAIN_RE LABEL_RE "(\\." LABEL_RE ")*"
#define UNDERSCORE_RE "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
#define NAME_RE "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
#define REGEX(examples, re) " (e.g. " examples ", regex used for validation is '" re "')"

#define SUBDOMAIN_WORDS                                                                                   \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and " \
    "must start "                                                                                         \
    "and end with an alphanumeric character" REGEX("'example.com'", SUBDOMAIN_RE)
#define LABEL_WORDS                                                                                         \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start " \
    "and end "                                                                                              \
    "with an alphanumeric character" REGEX("'my-name',  or '123-abc'", LABEL_RE)
#define NAME_WORDS                                                                                           \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " \
    "character" REGEX("'MyName',  or 'my.name',  or '123-abc'", NAME_RE)
#define BYTES(n) "must be no more than " #n " bytes"
#define CHARACTERS(n) "must be no more than " #n " characters"

struct errors {
    const char **p;
    size_t n;
};

static void add(struct errors *e, const char *message)
{
    if (e->n < FORMAT_ERRORS_MAX)
        e->p[e->n++] = message;
}

static void check_label(struct text t, struct errors *e)
{
    if (!is_label(t))
        add(e, is_subdomain(t) ? "must not contain dots" : LABEL_WORDS);
}

static void check_qualified_name(struct text t, struct errors *e)
{
    struct text name = t;
    ptrdiff_t slash = text_find(t, '/');
    if (slash >= 0) {
        struct text prefix = text_first(t, (size_t)slash);
        name = text_from(t, (size_t)slash + 1);
        if (text_find(name, '/') >= 0) {
            add(e, "a valid label key " NAME_WORDS
                   " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
            return;
        }
        if (!prefix.n)
            add(e, "prefix part must be non-empty");
        if (prefix.n > 253)
            add(e, "prefix part " BYTES(253));
        if (prefix.n && !is_subdomain(prefix))
            add(e, "prefix part " SUBDOMAIN_WORDS);
    }
    if (!name.n)
        add(e, "name part must be non-empty");
    if (name.n > 63)
        add(e, "name part " BYTES(63));
    if (!is_name_part(name))
        add(e, "name part " NAME_WORDS);
}

static void check_path_prefix(struct text t, struct errors *e)
{
    if (text_find(t, '/') >= 0)
        add(e, "may not contain '/'");
    if (text_find(t, '%') >= 0)
        add(e, "may not contain '%'");
}

static void check_path_segment(struct text t, struct errors *e)
{
    if (text_is(t, "."))
        add(e, "may not be '.'");
    else if (text_is(t, ".."))
        add(e, "may not be '..'");
    else
        check_path_prefix(t, e);
}

static void check_port_name(struct text t, struct errors *e)
{
    bool has_letter = false;
    for (size_t i = 0; i < t.n; i++)
        has_letter = has_letter || class_of(t.p[i]) == LOWER;
    if (!t.n || !all_of(t, LOWER | DIGIT | DASH))
        add(e, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (!has_letter)
        add(e, "must contain at least one letter (a-z)");
    if (text_find_text(t, TEXT("--")) >= 0)
        add(e, "must not contain consecutive hyphens");
    if (t.n && (t.p[0] == '-' || t.p[t.n - 1] == '-'))
        add(e, "must not begin or end with a hyphen");
}

static void check_parent_folder(struct text t, struct errors *e)
{
    if (text_is(t, "."))
        add(e, "must not be '.'");
    else if (text_is(t, ".."))
        add(e, "must not be '..'");
    else if (text_starts(t, TEXT("..")))
        add(e, "must not start with '..'");
}

static void check_not_empty(struct text t, struct errors *e)
{
    if (!t.n)
        add(e, "environment variable name must be non-empty");
}

static void check_decimal_integer(struct text t, struct errors *e)
{
    if (!t.n)
        add(e, "must be non-empty");
    else if (!is_decimal_integer(t))
        add(e, "must be a valid decimal integer in canonical form");
}

static void check_ip(struct text t, struct errors *e)
{
    const char *problem = format_ip_legacy(t, true);
    if (problem)
        add(e, problem);
}

static void check_cidr(struct text t, struct errors *e)
{
    const char *problem = format_cidr_legacy(t, true);
    if (problem)
        add(e, problem);
}

static void check_relative_path(struct text t, struct errors *e)
{
    struct text part;

    if (t.n && t.p[0] == '/')
        add(e, "must be a relative path");
    while (text_split(&t, '/', &part)) {
        if (text_is(part, "..")) {
            add(e, "must not contain '..'");
            return;
        }
    }
}

static bool is_http_path(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!(class_of(t.p[i]) & ALNUM) && text_find(TEXT("/-._~%!$&'()*+,;=:"), t.p[i]) < 0)
            return false;
    return t.n > 0;
}

static bool is_absolute(struct text t)
{
    return t.n && t.p[0] == '/';
}

static const struct rule {
    size_t bytes_max; /* 0: any length */
    const char *too_long;
    bool (*is_good)(struct text); /* NULL: there are only other checks */
    const char *words;
    void (*check_more)(struct text, struct errors *);
} rules[N_FORMATS] = {
    [FORMAT_DNS1123_LABEL] = {63, CHARACTERS(63), NULL, NULL, check_label},
    [FORMAT_DNS1123_LABEL_CONTENT] = {63, BYTES(63), NULL, NULL, check_label},
    [FORMAT_DNS1123_SUBDOMAIN] = {253, CHARACTERS(253), is_subdomain, SUBDOMAIN_WORDS, NULL},
    [FORMAT_DNS1123_SUBDOMAIN_CONTENT] = {253, BYTES(253), is_subdomain, SUBDOMAIN_WORDS, NULL},
    [FORMAT_DNS1123_SUBDOMAIN_UNDERSCORE] = {253, CHARACTERS(253), is_subdomain_underscore,
                                             "a lowercase RFC 1123 subdomain must consist of lower case "
                                             "alphanumeric characters, '_', '-' or '.', and must "
                                             "start and end with an alphanumeric character" REGEX(
                                                 "'example.com'", UNDERSCORE_RE "(\\." UNDERSCORE_RE ")*"),
                                             NULL},
    [FORMAT_DNS1123_SUBDOMAIN_CASELESS] = {253, BYTES(253), is_subdomain_caseless,
                                           "an RFC 1123 subdomain must consist of alphanumeric characters, "
                                           "'-' or '.', and must start and end with an "
                                           "alphanumeric character" REGEX("'Example.com'", SUBDOMAIN_RE),
                                           NULL},
    [FORMAT_DNS1123_WILDCARD] =
        {253, CHARACTERS(253), is_wildcard,
         "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
         "consist of "
         "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character" REGEX(
             "'*.example.com'", "\\*\\." SUBDOMAIN_RE),
         NULL},
    [FORMAT_DNS1035_LABEL] = {63, CHARACTERS(63), is_dns1035_label,
                              "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
                              "start with an alphabetic "
                              "character, and end with an alphanumeric character" REGEX(
                                  "'my-name',  or 'abc-123'", "[a-z]([-a-z0-9]*[a-z0-9])?"),
                              NULL},
    [FORMAT_QUALIFIED_NAME] = {0, NULL, NULL, NULL, check_qualified_name},
    [FORMAT_LABEL_VALUE] = {63, BYTES(63), is_label_value,
                            "a valid label must be an empty string or consist of alphanumeric characters, "
                            "'-', '_' or '.', and must start "
                            "and end with an alphanumeric character" REGEX(
                                "'MyValue',  or 'my_value',  or '12345'", "(" NAME_RE ")?"),
                            NULL},
    [FORMAT_PATH_SEGMENT] = {0, NULL, NULL, NULL, check_path_segment},
    [FORMAT_PATH_SEGMENT_PREFIX] = {0, NULL, NULL, NULL, check_path_prefix},
    [FORMAT_C_IDENTIFIER] = {0, NULL, is_c_identifier,
                             "a valid C identifier must start with alphabetic character or '_', followed by "
                             "a string of alphanumeric "
                             "characters or '_'" REGEX("'my_name',  or 'MY_NAME',  or 'MyName'",
                                                       "[A-Za-z_][A-Za-z0-9_]*"),
                             NULL},
    [FORMAT_PORT_NAME] = {15, CHARACTERS(15), NULL, NULL, check_port_name},
    [FORMAT_PERCENT] = {0, NULL, is_percent,
                        "a valid percent string must be a numeric string followed by an ending '%'" REGEX(
                            "'1%',  or '93%'", "[0-9]+%"),
                        NULL},
    [FORMAT_HTTP_HEADER] = {0, NULL, is_http_header,
                            "a valid HTTP header must consist of alphanumeric characters or '-'" REGEX(
                                "'X-Header-Name'", "[-A-Za-z0-9]+"),
                            NULL},
    [FORMAT_ENV_VAR] =
        {0, NULL, is_env_var,
         "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or "
         "'.', and must not start with a digit" REGEX("'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1'",
                                                      "[-._a-zA-Z][-._a-zA-Z0-9]*"),
         check_parent_folder},
    [FORMAT_ENV_VAR_RELAXED] =
        {0, NULL, is_relaxed_env_var,
         "a valid environment variable name must consist only of printable ASCII characters "
         "other than '='",
         check_not_empty},
    [FORMAT_CONFIG_MAP_KEY] =
        {253, CHARACTERS(253), is_config_map_key,
         "a valid config key must consist of alphanumeric characters, '-', '_' or '.'" REGEX(
             "'key.name',  or 'KEY_NAME',  or 'key-name'", "[-._a-zA-Z0-9]+"),
         check_parent_folder},
    [FORMAT_DECIMAL_INTEGER] = {0, NULL, NULL, NULL, check_decimal_integer},
    [FORMAT_IP] = {0, NULL, NULL, NULL, check_ip},
    [FORMAT_CIDR] = {0, NULL, NULL, NULL, check_cidr},
    [FORMAT_CONDITION_REASON] =
        {0, NULL, is_condition_reason,
         "a condition reason must start with alphabetic character, optionally followed by a string of "
         "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  "
         "or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
         "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')",
         NULL},
    [FORMAT_ABSOLUTE_PATH] = {0, NULL, is_absolute, "must be an absolute path", NULL},
    [FORMAT_HTTP_PATH] = {0, NULL, is_http_path,
                          "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')", NULL},
    [FORMAT_RELATIVE_PATH] = {0, NULL, NULL, NULL, check_relative_path},
};

size_t format_check(enum format f, struct text t, const char *ret[FORMAT_ERRORS_MAX])
{
    const struct rule *r = &rules[f];
    struct errors e = {ret, 0};
    if (r->bytes_max && t.n > r->bytes_max)
        add(&e, r->too_long);
    if (r->is_good && !r->is_good(t))
        add(&e, r->words);
    if (r->check_more)
        r->check_more(t, &e);
    return e.n;
}

const char *format_problem(enum format f, struct text t)
{
    const char *errors[FORMAT_ERRORS_MAX];
    return format_check(f, t, errors) ? errors[0] : NULL;
}
