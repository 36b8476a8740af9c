/* SPDX-License-Identifier: Apache-2.0 */
/* Good and bad texts follow the tables of upstream's validation_test.go, kube_test.go and ip_test.go. */
#include "schema/formats.h"

#include "base/macros.h"
#include "unit.h"

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define A63 A60 "aaa"
#define A250 A60 A60 A60 A60 A10
#define A253 A250 "aaa"

struct format_rows {
    const char *name;
    enum format format;
    const char *good[24], *bad[40];
};

static const struct format_rows rows[] = {
    {"label",
     FORMAT_DNS1123_LABEL,
     {"a", "a-1", "a--1--2--b", "0", "1a", A63},
     {"", "A", "aBc", "-", "a-", "-a", "_", "a_b", ".", "a.", ".a", "a.b", "1.2", " ", "a ", " a", "1 2",
      A63 "a"}},
    {"subdomain",
     FORMAT_DNS1123_SUBDOMAIN,
     {"a", "0", "a.a", "a-1.a", "a--1--2--b.1", "a.b.c.d.e", "11.22.33.44.55", A253},
     {"",     "A",   "-",   "a-",  "a.",  ".a",  "a..b", "1..2", " ",    "a b",   "A.a",
      "ab.A", "a@b", "a,b", "a_b", "a:b", "a%b", "-a.b", "a.-b", "a.b-", A253 "a"}},
    {"underscore",
     FORMAT_DNS1123_SUBDOMAIN_UNDERSCORE,
     {"_a", "a_b.c", "_http._tcp.a"},
     {"_", "a_", "A", "__a"}},
    {"caseless", FORMAT_DNS1123_SUBDOMAIN_CASELESS, {"A.b", "a"}, {"", "a_", "-A"}},
    {"wildcard",
     FORMAT_DNS1123_WILDCARD,
     {"*.example.com", "*.a"},
     {"*", "*.", "*.*.bar.com", "*.foo.*.com", "a.b", "f*.c"}},
    {"dns1035",
     FORMAT_DNS1035_LABEL,
     {"a", "a-1", A63},
     {"0", "1a", "", "A", "-a", "a-", "a.b", "a_b", A63 "a"}},
    {"qualified name",
     FORMAT_QUALIFIED_NAME,
     {"simple", "now-with-dashes", "1-starts-with-num", "1234", "simple/simple", "now.with.dots/simple",
      "1-num.2-num/3-num", "1.2.3.4/5678", "Uppercase_Is_OK_123", "example.com/Uppercase_Is_OK_123", A63,
      A253 "/" A63},
     {"", "nospecialchars%^=@", "cantendwithadash-", "-cantstartwithadash-", "only/one/slash",
      "Example.com/abc", "example_com/abc", "example.com/", "/simple", A63 "a", A253 "a/abc"}},
    {"label value",
     FORMAT_LABEL_VALUE,
     {"", "simple", "1234", "end-with-num-1", A63},
     {"nospecialchars%^=@", "Tama-nui-te-r\xc4\x81.is", "\\back", "-a", "a-", ".a", "a.", A63 "a"}},
    {"path segment", FORMAT_PATH_SEGMENT, {"", "...", "system:node", "a b"}, {".", "..", "a/b", "50%"}},
    {"path prefix", FORMAT_PATH_SEGMENT_PREFIX, {".", "..", "a"}, {"a/b", "%"}},
    {"c identifier", FORMAT_C_IDENTIFIER, {"a", "_", "A1_", "__x"}, {"", "1", "a-b", "a b", "a.b"}},
    {"port name",
     FORMAT_PORT_NAME,
     {"telnet", "re-mail-ck", "pop3", "a", "1-a-2-b-3"},
     {"longerthan15characters", "", "12345", "1-2-3-4", "-begin", "end-", "two--hyphens", "whois++"}},
    {"percent", FORMAT_PERCENT, {"0%", "1%", "1000%"}, {"", "0", "%", "-1%", "1%1", "1.1%", "a%"}},
    {"http header",
     FORMAT_HTTP_HEADER,
     {"Accept-Encoding", "-a", "A1"},
     {"Host:", "", "_", "a b", "X-@Home"}},
    {"env var",
     FORMAT_ENV_VAR,
     {"a", "_a", "a.b-c_D1", ".a"},
     {"", "1a", "a b", "a=b", ".", "..", "..a", "a$"}},
    {"relaxed env var", FORMAT_ENV_VAR_RELAXED, {"a", "1 ", "..", "-"}, {"", "a=b", "a\tb", "\xc3\xa4"}},
    {"config map key",
     FORMAT_CONFIG_MAP_KEY,
     {"a", ".a", "a..b", "_", "-", A253},
     {"", ".", "..", "..a", "a b", "a/b", A253 "a"}},
    {"decimal", FORMAT_DECIMAL_INTEGER, {"0", "10", "-456"}, {"", "-", "-0", "007", "+1", "1a", "a"}},
    {"label in bytes", FORMAT_DNS1123_LABEL_CONTENT, {"a"}, {"A", A63 "a"}},
    {"subdomain in bytes", FORMAT_DNS1123_SUBDOMAIN_CONTENT, {"a.b"}, {"A", A253 "a"}},
    {"address", FORMAT_IP, {"1.2.3.4", "::1"}, {"", "1.2.3", "01.2.3.4", "::ffff:1.2.3.4", "1.2.3.4/5"}},
    {"network", FORMAT_CIDR, {"10.0.0.0/8", "fd00::/8"}, {"", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/33"}},
    {"condition reason", FORMAT_CONDITION_REASON, {"A", "my_name", "a,b:c_"}, {"", "1a", "_a", "a-b", "a:"}},
    {"absolute path", FORMAT_ABSOLUTE_PATH, {"/", "/a"}, {"", "a", "./a"}},
    {"path of a URL", FORMAT_HTTP_PATH, {"a", "/a%20b", "~x=1;y"}, {"", "a b", "a?b", "a#b"}},
    {"relative path", FORMAT_RELATIVE_PATH, {"a", "a/b", "a..b"}, {"/a", "..", "a/../b", "a/.."}},
};

START_TEST(good_and_bad_texts)
{
    ck_assert_uint_eq(N_ELEMENTS(rows), N_FORMATS);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        for (const char *const *g = rows[i].good; *g; g++)
            ck_assert_msg(!format_problem(rows[i].format, text_of(*g)), "%s: \"%s\" is good", rows[i].name,
                          *g);
        for (const char *const *b = rows[i].bad; *b; b++)
            ck_assert_msg(format_problem(rows[i].format, text_of(*b)), "%s: \"%s\" is bad", rows[i].name, *b);
    }
}
END_TEST

START_TEST(upstream_words)
{
    static const struct {
        enum format format;
        const char *in, *messages[3];
    } words[] = {
        {FORMAT_DNS1123_SUBDOMAIN,
         "A_b",
         {"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
          "and must start "
          "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
          "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"}},
        {FORMAT_DNS1123_LABEL, "a.b", {"must not contain dots"}},
        {FORMAT_DNS1123_LABEL,
         A63 "_",
         {"must be no more than 63 characters",
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
          "start and end "
          "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
          "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"}},
        {FORMAT_DNS1123_LABEL_CONTENT, A63 "a", {"must be no more than 63 bytes"}},
        {FORMAT_DNS1035_LABEL,
         "1",
         {"a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
          "alphabetic "
          "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
          "validation "
          "is '[a-z]([-a-z0-9]*[a-z0-9])?')"}},
        {FORMAT_QUALIFIED_NAME,
         "/",
         {"prefix part must be non-empty", "name part must be non-empty",
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
          "an "
          "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
          "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"}},
        {FORMAT_QUALIFIED_NAME,
         "a/b/c",
         {"a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and "
          "end with an "
          "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
          "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
          "'example.com/MyName')"}},
        {FORMAT_LABEL_VALUE,
         "a b",
         {"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
          "must start "
          "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
          "for "
          "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"}},
        {FORMAT_PATH_SEGMENT, "a/%", {"may not contain '/'", "may not contain '%'"}},
        {FORMAT_CONFIG_MAP_KEY, "..", {"must not be '..'"}},
        {FORMAT_DNS1123_WILDCARD,
         "a",
         {"a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
          "consist of "
          "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. "
          "'*.example.com', "
          "regex used for validation is "
          "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"}},
    };
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        const char *got[FORMAT_ERRORS_MAX];
        size_t n = format_check(words[i].format, text_of(words[i].in), got), expect = 0;
        while (expect < 3 && words[i].messages[expect])
            expect++;
        ck_assert_msg(n == expect, "%s: %zu messages", words[i].in, n);
        for (size_t k = 0; k < n; k++)
            ck_assert_str_eq(got[k], words[i].messages[k]);
    }
}
END_TEST

static void expect_problem(const char *what, const char *in, const char *got, const char *expect)
{
    if (!expect)
        ck_assert_msg(!got, "%s %s: %s", what, in, got);
    else
        ck_assert_msg(got && strncmp(got, expect, strlen(expect)) == 0, "%s %s: %s", what, in,
                      got ? got : "good");
}

START_TEST(addresses)
{
    static const char zeros[] = "must not have leading 0s",
                      mapped[] = "must not be an IPv4-mapped IPv6 address",
                      bad[] = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    static const struct {
        const char *in, *canonical, *strict, *sloppy;
    } ips[] = {
        {"1.2.3.4", NULL, NULL, NULL},
        {"255.255.255.255", NULL, NULL, NULL},
        {"1234::abcd", NULL, NULL, NULL},
        {"::", NULL, NULL, NULL},
        {"::1", NULL, NULL, NULL},
        {"1::", NULL, NULL, NULL},
        {"2001:db8:0:1:1:1:1:1", NULL, NULL, NULL},
        {"1:0:0:2::3", NULL, NULL, NULL},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, NULL},
        {"0:0:0:0:0:0:0:0", "must be in canonical form (\"::\")", NULL, NULL},
        {"0001:002:03:4::", "must be in canonical form (\"1:2:3:4::\")", NULL, NULL},
        {"1234::ABCD", "must be in canonical form (\"1234::abcd\")", NULL, NULL},
        {"1.1.1.01", zeros, zeros, NULL},
        {"::ffff:1.1.1.1", mapped, mapped, NULL},
        {"", bad, bad, bad},
        {"aaaaaaa", bad, bad, bad},
        {"1.2.3", bad, bad, bad},
        {"1.2.3.4.5", bad, bad, bad},
        {"1.2.3.256", bad, bad, bad},
        {"1.2.3.4/24", bad, bad, bad},
        {"fe80::1%eth0", bad, bad, bad},
        {"1::2::3", bad, bad, bad},
        {"1:2:3:4:5:6:7", bad, bad, bad},
        {"1:2:3:4:5:6:7:8:9", bad, bad, bad},
        {"1:2:3:4:5:6:7:8::", bad, bad, bad},
        {":1", bad, bad, bad},
        {"1:", bad, bad, bad},
        {"[::1]", bad, bad, bad},
    };
    for (size_t i = 0; i < N_ELEMENTS(ips); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct text t = text_of(ips[i].in);
        expect_problem("canonical", ips[i].in, format_ip_canonical(a, t), ips[i].canonical);
        expect_problem("strict", ips[i].in, format_ip_legacy(t, true), ips[i].strict);
        expect_problem("sloppy", ips[i].in, format_ip_legacy(t, false), ips[i].sloppy);
    }
}
END_TEST

START_TEST(networks)
{
    static const char bad[] = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                      zeros[] = "must not have leading 0s in IP or prefix length",
                      bits[] = "must not have bits set beyond the prefix length";
    static const struct {
        const char *in, *canonical, *strict, *sloppy;
    } cidrs[] = {
        {"1.0.0.0/8", NULL, NULL, NULL},
        {"0.0.0.0/0", NULL, NULL, NULL},
        {"1.2.3.4/32", NULL, NULL, NULL},
        {"2001:db8::/64", NULL, NULL, NULL},
        {"2001:DB8::/64", "must be in canonical form (\"2001:db8::/64\")", NULL, NULL},
        {"1.2.3.4/24", bits, bits, NULL},
        {"2001:db8::1/64", bits, bits, NULL},
        {"1.2.3.0/024", zeros, zeros, NULL},
        {"01.2.3.0/24", zeros, zeros, NULL},
        {"::ffff:1.2.3.0/120", "must not have an IPv4-mapped IPv6 address",
         "must not have an IPv4-mapped IPv6 address", NULL},
        {"1.2.3.4", bad, bad, bad},
        {"1.2.3.0/33", bad, bad, bad},
        {"::/129", bad, bad, bad},
        {"1.2.3.0/", bad, bad, bad},
        {"1.2.3.0/-1", bad, bad, bad},
        {"1.2.3.0/24/24", bad, bad, bad},
        {"", bad, bad, bad},
    };
    for (size_t i = 0; i < N_ELEMENTS(cidrs); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct text t = text_of(cidrs[i].in);
        expect_problem("canonical", cidrs[i].in, format_cidr_canonical(a, t), cidrs[i].canonical);
        expect_problem("strict", cidrs[i].in, format_cidr_legacy(t, true), cidrs[i].strict);
        expect_problem("sloppy", cidrs[i].in, format_cidr_legacy(t, false), cidrs[i].sloppy);
    }
}
END_TEST

START_TEST(address_text)
{
    static const struct {
        const char *in, *out;
    } texts[] = {
        {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
        {"1:0:0:2:2:0:0:3", "1::2:2:0:0:3"},
        {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
        {"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"::ffff:102:304", "1.2.3.4"},
        {"::1.2.3.4", "::102:304"},
    };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct format_ip ip;
        ck_assert(format_ip_read(text_of(texts[i].in), &ip));
        ck_assert_str_eq(arena_str(a, format_ip_text(a, &ip)), texts[i].out);
    }
}
END_TEST

UNIT_MAIN("formats", good_and_bad_texts, upstream_words, addresses, networks, address_text)
