/* SPDX-License-Identifier: Apache-2.0 */
/* What admission reads of others. The first byte chooses: a signing request in PEM; a configuration file; a pod, as JSON, under all
 * security checks, what it refers to and what it counts for: nothing may count for a name that no quota could have. */
#include <stdint.h>
#include <stdlib.h>

#include "admission/certificates.h"
#include "admission/config.h"
#include "admission/pod_security.h"
#include "registry/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_request(struct arena *a, struct text in)
{
    struct csr_subject subject;

    csr_subject_read(a, base64_encode(a, BASE64_STANDARD, in), &subject);
}

static void read_config(struct arena *a, struct text in)
{
    CLEANUP(status_clear) struct status st = {0};
    struct admission_config config = {0};
    struct value own;

    if (text_find_text(in, TEXT("path")) < 0 && admission_config_parse(a, in, &config, &st) == 0)
        admission_config_of(&config, a, TEXT("PodSecurity"), &own, &st);
}

static void visit(void *ctx, enum pod_reference what, struct text name)
{
    if (!name.n)
        abort();
}

static void look_at_pod(struct arena *a, struct text in)
{
    CLEANUP(status_clear) struct status st = {0};
    const struct resource_type *pods = schema_resource_find(TEXT(""), TEXT("v1"), TEXT("pods"));
    struct value pod, usage;

    if (json_read(a, in, NULL, &pod, &st) < 0 || schema_decode(a, pods->kind->schema, &pod, NULL, &st) < 0)
        return;
    schema_default(a, pods->kind->schema, &pod);
    for (int version = VERSION_LATEST; version < 40; version++)
        security_check(a, (struct security_demand){LEVEL_RESTRICTED, version}, metadata_of(&pod),
                       spec_of(&pod));
    pod_references(a, &pod, visit, NULL);
    usage = quota_usage(a, pods, &pod);
    for (size_t i = 0; i < usage.n; i++)
        if (!quota_covers(pods, member_key(&usage.members[i])))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static void (*const readers[])(struct arena *, struct text) = {read_request, read_config, look_at_pod};
    CLEANUP(arena_freep) struct arena *a = arena_new();

    if (n)
        readers[data[0] % 3](a, (struct text){(const char *)data + 1, n - 1});
    return 0;
}
