/* SPDX-License-Identifier: Apache-2.0 */
/* Who may say yes to which certificates: CertificateApproval, CertificateSigning and ClusterTrustBundleAttest
 * ask whether the user may do so for the signer, CertificateSubjectRestriction keeps system:masters out of
 * what the API server's own client signer signs. Source: kubernetes plugin/pkg/admission/certificates,
 * pkg/certauthorization. */
#include "admission/certificates.h"

static int start(const struct plugin_context *c, void **ret_state, struct status *st)
{
    *ret_state = c->opt->authz;
    return 0;
}

/* --- questions --- */

static bool may_for(struct authorizer *authz, const struct admission_attributes *a, const char *verb,
                    struct text name)
{
    const struct request_info info = {.is_resource = true,
                                      .verb = text_of(verb),
                                      .group = TEXT("certificates.k8s.io"),
                                      .version = TEXT("*"),
                                      .resource = TEXT("signers"),
                                      .name = name};
    const struct authz_attributes attrs = {.user = a->user, .info = &info, .may_block = a->may_block};
    struct authz_answer answer;

    return authorizer_ask(authz, a->arena, &attrs, &answer) == AUTHZ_ALLOW;
}

/* For this signer, or for all of its domain. */
static bool may(void *authz, const struct admission_attributes *a, const char *verb, struct text signer)
{
    struct text rest = signer, domain = TEXT_NONE;

    text_split(&rest, '/', &domain);
    return !authz || may_for(authz, a, verb, signer) ||
           may_for(authz, a, verb, arena_textf(a->arena, "%.*s/*", TEXT_ARG(domain)));
}

static bool may_wait(void *authz, const struct admission_attributes *a)
{
    return authz && authorizer_may_block(authz);
}

static struct text signer_of(const struct value *obj)
{
    return text_at(spec_of(obj), "signerName");
}

static int check_approval(void *authz, struct admission_attributes *a, struct status *st)
{
    if (may(authz, a, "approve", signer_of(a->old)))
        return 0;
    return admission_forbid(a, st, "user not permitted to approve requests with signerName %.*s",
                            TEXT_ARG(quoted(a->arena, signer_of(a->old))));
}

static int check_signing(void *authz, struct admission_attributes *a, struct status *st)
{
    const struct value *now = value_get(a->object, TEXT("status")),
                       *before = value_get(a->old, TEXT("status"));

    if (same_value(value_get(now, TEXT("certificate")), value_get(before, TEXT("certificate"))) &&
        same_value(value_get(now, TEXT("conditions")), value_get(before, TEXT("conditions"))))
        return 0;
    if (may(authz, a, "sign", signer_of(a->old)))
        return 0;
    return admission_forbid(a, st, "user not permitted to sign requests with signerName %.*s",
                            TEXT_ARG(quoted(a->arena, signer_of(a->old))));
}

static int check_attestation(void *authz, struct admission_attributes *a, struct status *st)
{
    struct text signer = signer_of(a->object);

    if (!signer.n || (a->old && same_value(spec_of(a->object), spec_of(a->old))) ||
        may(authz, a, "attest", signer))
        return 0;
    return admission_forbid(a, st, "user not permitted to attest for signerName %.*s",
                            TEXT_ARG(quoted(a->arena, signer)));
}

/* --- subjects --- */

#define CLIENT_SIGNER "kubernetes.io/kube-apiserver-client"

static int check_subject(void *state, struct admission_attributes *a, struct status *st)
{
    struct csr_subject subject;
    const char *problem;

    if (!text_is(signer_of(a->object), CLIENT_SIGNER))
        return 0;
    problem = csr_subject_read(a->arena, text_at(spec_of(a->object), "request"), &subject);
    if (problem)
        return admission_forbid(a, st, "failed to parse CSR: %s", problem);
    if (text_list_has(&subject.organizations, TEXT("system:masters")))
        return admission_forbid(a, st,
                                "use of " CLIENT_SIGNER " signer with system:masters group is not allowed");
    return 0;
}

#define GROUP TEXT("certificates.k8s.io")
#define REQUESTS TEXT("certificatesigningrequests")

static const struct admission_rule approval_rules[] = {
    {GROUP, REQUESTS, TEXT("approval"), UPDATE, .validate = check_approval, .may_wait = may_wait},
};
const struct admission_plugin plugin_certificate_approval = {"CertificateApproval", true,
                                                             RULES(approval_rules), .start = start};

static const struct admission_rule signing_rules[] = {
    {GROUP, REQUESTS, TEXT("status"), UPDATE, .validate = check_signing, .may_wait = may_wait},
};
const struct admission_plugin plugin_certificate_signing = {"CertificateSigning", true, RULES(signing_rules),
                                                            .start = start};

static const struct admission_rule attest_rules[] = {
    {GROUP, TEXT("clustertrustbundles"), TEXT("*"), CREATE | UPDATE, .validate = check_attestation,
     .may_wait = may_wait},
};
const struct admission_plugin plugin_trust_bundle_attest = {"ClusterTrustBundleAttest", true,
                                                            RULES(attest_rules), .start = start};

static const struct admission_rule subject_rules[] = {
    {GROUP, REQUESTS, TEXT(""), CREATE, .validate = check_subject},
};
const struct admission_plugin plugin_certificate_subject = {"CertificateSubjectRestriction", true,
                                                            RULES(subject_rules)};
