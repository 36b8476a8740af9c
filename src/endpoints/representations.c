/* SPDX-License-Identifier: Apache-2.0 */
/* Which representation a client gets. Source: kubernetes/apiserver pkg/endpoints/handlers/negotiation/negotiate.go,
 * pkg/endpoints/handlers/response.go. */
#include "endpoints/table.h"

/* What is served for each wish; a missing form is a 406. */
static const struct representation_form *const forms[][2] = {
    [AS_OBJECT] = {&form_json, &form_protobuf},
    [AS_TABLE] = {&form_table, NULL},
    [AS_PARTIAL] = {&form_partial, &form_partial_protobuf},
    [AS_PARTIAL_LIST] = {&form_partial, &form_partial_protobuf},
};

static int refuse(struct status *st)
{
    return status_set(st, STATUS_NOT_ACCEPTABLE,
                      "only the following media types are accepted: " SERVED_MEDIA_NAMES);
}

int representation_choose(struct request *r, const struct resource *res, const struct resource_sub *sub, bool is_list,
                          struct representation *ret, struct status *st)
{
    struct representation rep = {.resource = res, .kind = res->type->kind};
    struct gvk stored = rep.kind->storage->gvk;
    enum transforms transforms = sub && sub->has_no_table ? TRANSFORMS_NO_TABLES : TRANSFORMS_ALL;

    if (!negotiate_accept(r->arena, request_header(r, "Accept"), SERVED_MEDIA, transforms, &rep.accepted))
        return refuse(st);
    rep.form = forms[rep.accepted.as][rep.accepted.media == MEDIA_PROTOBUF];
    if (!rep.form)
        return refuse(st);
    if (rep.accepted.as == AS_PARTIAL && is_list)
        return status_set(
            st, STATUS_NOT_ACCEPTABLE,
            "you requested PartialObjectMetadata, but the requested object is a list (*%.*s.%.*sList)",
            TEXT_ARG(stored.group.n ? stored.group : TEXT("core")), TEXT_ARG(stored.kind));
    if (rep.accepted.as == AS_PARTIAL_LIST && !is_list)
        return status_set(
            st, STATUS_NOT_ACCEPTABLE,
            "you requested PartialObjectMetadataList, but the requested object is not a list (*%.*s.%.*s)",
            TEXT_ARG(stored.group.n ? stored.group : TEXT("core")), TEXT_ARG(stored.kind));
    rep.is_pretty = wants_pretty(r, &rep.accepted);
    *ret = rep;
    return 0;
}
