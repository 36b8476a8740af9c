/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML reader and writer: whatever is read has a form in JSON and one in YAML that read back as the same tree. */
#include <stdint.h>

#include "base/yaml.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct text_list duplicates = {0};
    struct json_options opt = {.duplicates = &duplicates, .depth_max = 200};
    struct buffer json = BUFFER_IN(a), yaml = BUFFER_IN(a);
    struct status st = {0};
    struct value v, back;

    if (yaml_read(a, (struct text){(const char *)data, n}, &opt, &v, &st) == 0) {
        json_write(&json, &v);
        REQUIRE(json_read(a, buffer_text(&json), NULL, &back, &st) == 0);
        REQUIRE(value_equal(&v, &back));
        yaml_write(&yaml, &v);
        REQUIRE(yaml_read(a, buffer_text(&yaml), NULL, &back, &st) == 0);
        REQUIRE(value_equal(&v, &back));
    } else {
        REQUIRE(st.reason == STATUS_BAD_REQUEST && st.message[0]);
    }
    status_clear(&st);
    arena_free(a);
    return 0;
}
