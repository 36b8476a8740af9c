/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and key sets: no input is believed, whatever key it is held against. A NUL byte parts a token from a set. */
#include <stdint.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "authn/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static EVP_PKEY *rsa, *ec;
    struct text all = {(const char *)data, n};
    ptrdiff_t nul = text_find(all, '\0');
    struct text token = nul < 0 ? all : text_first(all, (size_t)nul);
    struct text set = nul < 0 ? all : text_from(all, (size_t)nul + 1);
    struct arena *a = arena_new();
    struct jwt_keys keys = {0};
    struct status st = {0};
    struct jwt t;

    if (!rsa) {
        rsa = EVP_RSA_gen(1024);
        ec = EVP_EC_gen("P-256");
    }
    if (jwt_parse(a, token, &t, &st) == 0) {
        if (jwt_verify(&t, rsa) || jwt_verify(&t, ec))
            abort();
        jwt_time_problem(&t.claims, 1000);
        jwt_audiences(a, &t.claims);
    }
    if (jwt_keys_add_set(&keys, set, &st) == 0)
        for (size_t i = 0; i < keys.n; i++)
            if (!jwt_method_of(keys.p[i].key))
                abort();
    jwt_keys_deinit(&keys);
    status_clear(&st);
    arena_free(a);
    return 0;
}
