/* SPDX-License-Identifier: Apache-2.0 */
/* x509_verifier.h - client certificates against the authorities of one file, which is read again when it changes.
 * Two methods ask: x509 for the user in the certificate, the front proxy's for whose headers may be believed.
 * Threads: any. */
#pragma once

#include "authn.h"

struct x509_verifier;

/* Fails for a file that cannot be read or holds no certificate; one that turns so later is reported and the last good
 * authorities stay. timers (may be NULL: never read again) looks at the file once a minute. */
int x509_verifier_new(const char *ca_file, struct timers *timers, struct x509_verifier **ret, struct status *st);
void x509_verifier_free(struct x509_verifier *v);

/* The user that the leaf names (CN, O, uid), in the arena. False: the chain is not to be trusted as a client's. */
bool x509_verifier_check(struct x509_verifier *v, struct arena *a, const struct text *chain, size_t n,
                         struct user_info *ret);
