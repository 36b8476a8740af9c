/* pki.h - the keys and certificates that the server makes for itself at its first start and keeps.
 * In one folder, keys readable by their owner only:
 *   ca.crt ca.key                   the cluster's authority, ten years
 *   apiserver.crt apiserver.key     serving; one year, made anew when a month is left or a name is missing
 *   admin.crt admin.key             client certificate of kubernetes-admin in system:masters; likewise
 *   sa.key sa.pub                   service account signing key */
#pragma once

#include "base.h"

struct pki_paths {
    const char *ca_cert, *ca_key;
    const char *serving_cert, *serving_key;
    const char *admin_cert, *admin_key;
    const char *service_account_key, *service_account_public_key;
};

struct pki_names {
    const char *const *dns; /* NULL-terminated */
    const char *const *ips;
};

/* Makes what is missing or about to end in folder; the paths are in the arena. A file that is there and cannot be read is an
 * error, never replaced. */
int pki_ensure(struct arena *a, const char *folder, const struct pki_names *names, struct pki_paths *ret,
               struct status *st);

/* Writes a kubeconfig with everything inside it, mode 0600, unless it already says the same. */
int kubeconfig_write(const char *path, const char *server_url, struct text ca_pem, struct text client_cert_pem,
                     struct text client_key_pem, struct status *st);
