/* identity.h - the ways to say who one is, as the settings want them. */
#pragma once

#include "authn.h"
#include "server.h"
#include "server/pki.h"

/* pki: certificates and keys of the server's own making, for what the settings do not name; NULL: there are none. The authenticator
 * borrows registry and timers. */
int identity_start(const struct settings *set, const struct pki_paths *pki, struct arena *a,
                   const struct registry *registry, struct timers *timers, struct authenticator **ret, struct status *st);
