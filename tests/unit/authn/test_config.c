/* SPDX-License-Identifier: Apache-2.0 */
/* AuthenticationConfiguration: what is read of it, and what is refused in which words. */
#include "fixture.h"

#define HEAD "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"
#define ISSUER "jwt:\n- issuer: {url: 'https://a.example', audiences: [a]}\n"
#define NAME "  claimMappings: {username: {claim: sub, prefix: ''}}\n"

static const struct {
    const char *content, *problem; /* the message's end */
} wrong_rows[] = {
    {"", "empty config data"},
    {"[]", "Object 'Kind' is missing"},
    {"kind: AuthenticationConfiguration\n", "Object 'apiVersion' is missing"},
    {"kind: X\napiVersion: v1\n", "no kind \"X\" is registered for version \"v1\""},
    {"a: 1\nb: [\n", "did not find expected node content"},
    {HEAD "jwt: {}\n", "json: cannot unmarshal object into jwt: expected a list"},
    {HEAD "jwt:\n- issuer: {url: 1}\n",
     "json: cannot unmarshal number into jwt[0].issuer.url: expected a string"},
    {HEAD "jwt:\n- issuer: {audiences: [1]}\n",
     "json: cannot unmarshal number into jwt[0].issuer.audiences[0]: expected a string"},
    {HEAD "x: 1\njwt:\n- z: 1\n", "strict decoding error: unknown field \"jwt[0].z\", unknown field \"x\""},
    {HEAD ISSUER, "jwt[0].claimMappings.username: Required value: claim or expression is required"},
    {HEAD "jwt:\n- issuer: {url: 'https://a b', audiences: [a]}\n" NAME,
     "jwt[0].issuer.url: Invalid value: \"https://a b\": parse \"https://a b\": invalid character \" \" in "
     "host name"},
    {HEAD "jwt:\n- issuer: {url: 'https://a:x', audiences: [a]}\n" NAME,
     "jwt[0].issuer.url: Invalid value: \"https://a:x\": parse \"https://a:x\": invalid port \":x\" after "
     "host"},
    {HEAD "jwt:\n- issuer: {url: 'https://taken', audiences: [a]}\n" NAME,
     "jwt[0].issuer.url: Invalid value: \"https://taken\": URL must not overlap with disallowed issuers: "
     "[https://taken]"},
    {HEAD ISSUER NAME "  claimValidationRules: [{claim: a, message: m}]\n",
     "jwt[0].claimValidationRules[0].message: Invalid value: \"m\": may not be specified when claim is set"},
    {HEAD ISSUER
     "  claimMappings: {username: {claim: sub, prefix: ''}, extra: [{key: x, valueExpression: '1'}]}\n",
     "jwt[0].claimMappings.extra[0].valueExpression: Invalid value: \"1\": CEL expressions are not supported "
     "by this server]"},
};

static const struct text_list *disallowed(void)
{
    static struct text taken[] = {TEXT("https://taken")};
    static const struct text_list list = {.p = taken, .n = 1};
    return &list;
}

START_TEST(wrong_files_are_refused_in_upstreams_words)
{
    for (size_t i = 0; i < N_ELEMENTS(wrong_rows); i++) {
        struct authn_config c;
        struct status st = {0};
        ck_assert_int_eq(authn_config_read(text_of(wrong_rows[i].content), disallowed(), &c, &st), -1);
        ck_assert_msg(text_ends(text_of(st.message), text_of(wrong_rows[i].problem)), "%s\nis not: %s",
                      st.message, wrong_rows[i].problem);
        status_clear(&st);
    }
}
END_TEST

START_TEST(a_file_says_all_of_an_issuer)
{
    static const char content[] =
        HEAD "jwt:\n"
             "- issuer: {url: 'https://a.example/', discoveryURL: 'https://b.example/d', audiences: [x, z],\n"
             "           audienceMatchPolicy: MatchAny}\n"
             "  claimMappings:\n"
             "    username: {claim: email, prefix: ''}\n"
             "    groups: {claim: roles, prefix: 'r:'}\n"
             "    uid: {claim: oid}\n"
             "  claimValidationRules: [{claim: hd, requiredValue: acme}]\n"
             "anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}]}\n";
    struct authn_config c;
    struct status st = {0};

    ck_assert_msg(authn_config_read(text_of(content), disallowed(), &c, &st) == 0, "%s", st.message);
    ck_assert_uint_eq(c.n_issuers, 1);
    const struct authn_issuer *i = c.issuers;
    ck_assert(text_is(i->url, "https://a.example/") && text_is(i->discovery_url, "https://b.example/d"));
    ck_assert(i->audiences.n == 2 && text_is(i->audiences.p[1], "z"));
    ck_assert(text_is(i->username_claim, "email") && !i->username_prefix.n);
    ck_assert(text_is(i->groups_claim, "roles") && text_is(i->groups_prefix, "r:") &&
              text_is(i->uid_claim, "oid"));
    ck_assert(i->n_required == 1 && text_is(i->required->claim, "hd") && text_is(i->required->value, "acme"));
    ck_assert(c.has_anonymous && c.allows_anonymous);
    ck_assert_str_eq(c.anonymous_paths[1], "/readyz");
    ck_assert_ptr_null(c.anonymous_paths[2]);
    authn_config_deinit(&c);
}
END_TEST

START_TEST(a_file_may_say_nothing)
{
    static const char *const versions[] = {"v1", "v1beta1", "v1alpha1"};
    for (size_t i = 0; i < N_ELEMENTS(versions); i++) {
        struct authn_config c;
        struct status st = {0};
        char content[200];
        snprintf(content, sizeof(content),
                 "{\"kind\":\"AuthenticationConfiguration\",\"apiVersion\":\"apiserver.config.k8s.io/%s\"}",
                 versions[i]);
        ck_assert_int_eq(authn_config_read(text_of(content), disallowed(), &c, &st), 0);
        ck_assert(c.n_issuers == 0 && !c.has_anonymous);
        authn_config_deinit(&c);
    }
}
END_TEST

UNIT_MAIN("authn: the configuration file", wrong_files_are_refused_in_upstreams_words,
          a_file_says_all_of_an_issuer, a_file_may_say_nothing)
