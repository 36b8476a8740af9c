/* SPDX-License-Identifier: Apache-2.0 */
/* AuthenticationConfiguration: what is taken holds what the methods rely on. */
#include <stdint.h>
#include <stdlib.h>

#include "authn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct text taken[] = {TEXT("https://taken")};
    const struct text_list disallowed = {.p = taken, .n = 1};
    struct authn_config c;
    struct status st = {0};

    if (authn_config_read((struct text){(const char *)data, n}, &disallowed, &c, &st) < 0) {
        if (!st.message || !st.message[0])
            abort();
        status_clear(&st);
        return 0;
    }
    for (size_t i = 0; i < c.n_issuers; i++)
        if (!text_eq_nocase(text_first(c.issuers[i].url, 6), TEXT("https:")) || !c.issuers[i].audiences.n ||
            !c.issuers[i].username_claim.n || text_is(c.issuers[i].url, "https://taken"))
            abort();
    if (c.anonymous_paths && !c.allows_anonymous)
        abort();
    authn_config_deinit(&c);
    return 0;
}
