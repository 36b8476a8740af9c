/* SPDX-License-Identifier: Apache-2.0 */
/* service_accounts.h - what issuing and knowing tokens of service accounts have in common. */
#pragma once

#include "authn.h"
#include "authn/jwt.h"

struct service_accounts {
    struct arena *arena; /* texts and lists below */
    const struct registry *registry;
    struct text_list issuers, audiences;
    struct jwt_keys keys;  /* read-only once loaded */
    EVP_PKEY *signing_key; /* NULL: nothing can be issued */
    struct text signing_kid;
    bool lookup, extend_expiration;
    int64_t max_expiration_s;
};
