/* tls.h - what the listener needs to speak TLS, and the names of versions and cipher suites as flags have them. */
#pragma once

#include <stdbool.h>

#include "base/status.h"
#include "base/text.h"

struct tls_config {
    struct text cert_pem, key_pem;
    const char *min_version;          /* "VersionTLS12" (default when NULL) or "VersionTLS13" */
    const struct text *cipher_suites; /* Go's names (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256); none: all that are safe */
    size_t n_cipher_suites;
    bool ask_client_cert;             /* ask, never insist: verification is authentication's */
    struct text client_ca_pem;        /* names sent in the request for a certificate; may be empty */
};

/* BAD_REQUEST that names the unknown version or suite, or why certificate and key do not fit. */
int tls_config_check(const struct tls_config *c, struct status *st);
/* NULL-terminated lists of the accepted names, for --help. */
const char *const *tls_version_names(void);
const char *const *tls_cipher_suite_names(void);
