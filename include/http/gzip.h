/* gzip.h - gzip streams made of parts that were deflated apart.
 * A part is raw deflate data ended by a full flush, with the CRC-32 and length of what went in; parts of any makers
 * join into one gzip stream whose trailer comes from the combined checksums, so that the deflated bytes of a list's
 * neighbours are made once and shared by every list. Threads: any. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"

struct gzip_part {
    uint32_t crc;
    uint32_t crc_shift; /* zlib's operator that moves a CRC past this part */
    uint64_t plain_bytes;
    struct text deflated; /* no header, no final block; byte-aligned by a full flush */
};
/* level as zlib's; upstream uses 1. The deflated bytes are added to out; ret->deflated points at them once out is final:
 * the caller sets it. */
void gzip_deflate_part(struct buffer *out, struct text plain, int level, struct gzip_part *ret);

struct gzip_join {
    uint32_t crc;
    uint64_t plain_bytes;
};
#define GZIP_HEADER_BYTES 10
#define GZIP_TRAILER_BYTES 10 /* an empty final block, CRC and length */
void gzip_join_begin(struct gzip_join *j, char dst[GZIP_HEADER_BYTES]);
void gzip_join_add(struct gzip_join *j, const struct gzip_part *part); /* its deflated bytes follow as they are */
void gzip_join_end(struct gzip_join *j, char dst[GZIP_TRAILER_BYTES]);

/* A whole body at once. */
struct blob *gzip_blob(struct text plain, int level);
