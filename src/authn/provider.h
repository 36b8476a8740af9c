/* SPDX-License-Identifier: Apache-2.0 */
/* provider.h - the keys of an OpenID Connect issuer, found by its discovery document.
 * Threads: any. Source: the upstream client's, github.com/coreos/go-oidc (NewProvider, RemoteKeySet). */
#pragma once

#include "authn/jwt.h"
#include "base/workers.h"
#include "http/client.h"

struct provider;
struct provider_options {
    struct http_client *client;
    struct timers *timers;
    struct text issuer;
    struct text discovery_url; /* empty: below the issuer */
    struct text ca_pem;        /* empty: the system's authorities */
    void (*fetched)(
        void *ctx,
        bool is_good); /* each time that keys were asked for; on the client's thread; may be NULL */
    void *ctx;
};
/* Begins to look for the issuer. Everything is copied but ctx, which must live until provider_stop. */
struct provider *provider_start(const struct provider_options *opt);
/* Accepts NULL. What runs comes to its end by itself, so the client may outlive it or be stopped right after.
 */
void provider_stop(struct provider *p);
bool provider_is_ready(struct provider *p);

enum provider_answer { PROVIDER_SIGNED, PROVIDER_NOT_SIGNED, PROVIDER_NOT_READY, PROVIDER_WOULD_BLOCK };
/* Is t signed by a key of the issuer? Keys that are not known are fetched, which is waited for only where
 * may_block. */
enum provider_answer provider_verify(struct provider *p, const struct jwt *t, bool may_block);

/* GETs url as the issuer's other documents are got, with the token if there is one; waits for it. False:
 * *ret_why says why not. */
bool provider_get(struct provider *p, struct arena *a, struct text url, struct text token,
                  struct text *ret_body, const char **ret_why);
