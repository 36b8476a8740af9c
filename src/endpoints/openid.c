/* SPDX-License-Identifier: Apache-2.0 */
/* What others need to check the tokens of this cluster's service accounts by themselves: the issuer's discovery document and its
 * keys. Source: kubernetes pkg/routes/openidmetadata.go. */
#include "authn.h"
#include "endpoints/endpoints_internal.h"

#define JWKS_PATH "/openid/v1/jwks"

static enum flow serve(struct request *r, struct endpoints *e, bool wants_keys)
{
    const struct service_accounts *sa = authenticator_service_accounts(r->wiring->authn);
    const char *address = atomic_load(&e->server_address);
    const char *uri = e->opt.jwks_uri ? e->opt.jwks_uri
                                      : arena_printf(r->arena, "https://%s" JWKS_PATH, address ? address : "");
    struct text configuration, keys;

    if (!sa || !service_accounts_discovery(sa, r->arena, uri, &configuration, &keys))
        return respond_text(r, 404, TEXT("404 page not found\n"));
    response_bytes(r, 200, wants_keys ? "application/jwk-set+json" : "application/json",
                   wants_keys ? keys : configuration);
    response_set_header(r, "Cache-Control", TEXT("public, max-age=3600"));
    return FLOW_DONE;
}

enum flow serve_openid_configuration(struct request *r, struct endpoints *e, struct text rest)
{
    return serve(r, e, false);
}

enum flow serve_openid_keys(struct request *r, struct endpoints *e, struct text rest)
{
    return serve(r, e, true);
}
