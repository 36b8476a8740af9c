/* identity.h - the ways to say who one is, as the settings want them. */
#pragma once

#include "authn.h"
#include "server.h"
#include "server/pki.h"

struct identity_options {
    const struct settings *settings;
    /* Certificates and keys of the server's own making, for what the settings do not name; NULL: there are
     * none. */
    const struct pki_paths *pki;
    struct arena *arena; /* as long-lived as the authenticator, which borrows the next two too */
    const struct registry *registry;
    struct timers *timers;
    const char *server_id; /* for metrics */
};
/* BAD_REQUEST with upstream's words for flags that do not go together, and for files that are not right. */
int identity_start(const struct identity_options *opt, struct authenticator **ret, struct status *st);
