/* base64.h - RFC 4648: the standard alphabet with padding, and the URL's without. Reading is Go's: line ends are ignored
 * wherever they stand, and so are bits left over. Threads: any. */
#pragma once

#include "base/buffer.h"

enum base64_form { BASE64_STANDARD, BASE64_RAW_URL };

struct text base64_encode(struct arena *a, enum base64_form form, struct text bytes);
void base64_add(struct buffer *b, enum base64_form form, struct text bytes);
/* False for anything else. */
bool base64_decode(struct arena *a, enum base64_form form, struct text in, struct text *ret_bytes);
bool base64_add_decoded(struct buffer *b, enum base64_form form, struct text in); /* on failure b is as it was */
/* Bytes that n characters may stand for at most. */
#define BASE64_BYTES(n) (((n) + 3) / 4 * 3)
/* The same into dst, which has room for that many. The number of bytes, or -1 with *ret_fault the offset that Go's
 * error names ("illegal base64 data at input byte 4"). */
ptrdiff_t base64_read(enum base64_form form, struct text in, char *dst, size_t *ret_fault);
