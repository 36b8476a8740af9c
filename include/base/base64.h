/* base64.h - RFC 4648: the standard alphabet with padding, and the URL's without. Threads: any. */
#pragma once

#include "base/arena.h"

enum base64_form { BASE64_STANDARD, BASE64_RAW_URL };

struct text base64_encode(struct arena *a, enum base64_form form, struct text bytes);
/* False for anything that is not exactly such text (line breaks, other alphabets, bits left over). */
bool base64_decode(struct arena *a, enum base64_form form, struct text in, struct text *ret_bytes);
