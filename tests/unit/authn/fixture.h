/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - requests made by hand, a folder of the test's own. Each test runs in a process of its own. */
#pragma once

#include "authn.h"

#include <stdio.h>
#include <unistd.h>

#include "unit.h"

/* A GET of path with at most one header. Freed with its arena. */
static inline struct request *request_of(struct arena *a, const char *path, const char *authorization)
{
    struct request *r = ARENA_NEW(a, struct request);
    r->arena = a;
    r->method = TEXT("GET");
    r->path = text_of(path);
    if (authorization) {
        struct header *h = ARENA_NEW(a, struct header);
        *h = (struct header){TEXT("authorization"), text_of(authorization)};
        r->headers = h;
        r->n_headers = 1;
    }
    return r;
}

/* Writes content to a file in a fresh folder; drop_file removes both. */
static char fixture_folder[64], fixture_path[96];
static inline const char *write_file(struct text content)
{
    struct status st = {0};
    snprintf(fixture_folder, sizeof(fixture_folder), "/tmp/keelson-authn-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture_folder));
    snprintf(fixture_path, sizeof(fixture_path), "%s/file", fixture_folder);
    ck_assert_int_eq(file_write(fixture_path, content, 0600, &st), 0);
    return fixture_path;
}
static inline void drop_file(void)
{
    unlink(fixture_path);
    rmdir(fixture_folder);
}
