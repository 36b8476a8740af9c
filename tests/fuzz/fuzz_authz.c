/* SPDX-License-Identifier: Apache-2.0 */
/* What authorization reads: field selectors of any field, which clients send; policies of ABAC, the bootstrap
 * policy's form and the structured configuration, which administrators write. The first byte chooses.
 * Whatever is refused says why. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "authz.h"
#include "authz/bootstrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(int rc, struct status *st)
{
    if (rc < 0 && (st->reason == STATUS_OK || !st->message))
        abort();
    status_clear(st);
}

static void read_fields(struct arena *a, struct text in)
{
    struct status st = {0};
    struct selector s = {0};
    int rc = authz_parse_fields(a, in, &s, &st);

    for (size_t i = 0; rc == 0 && i < s.n; i++)
        if (s.requirements[i].n_values != 1)
            abort();
    check(rc, &st);
}

static void read_policy(struct arena *a, struct text in)
{
    struct bootstrap_object *objects;
    struct status st = {0};
    size_t count;

    check(bootstrap_parse(a, in, &objects, &count, &st), &st);
}

/* Files are read by name. */
static void read_file(struct text in, bool is_config)
{
    char path[] = "/tmp/fuzz-authz-XXXXXX";
    struct authz_options opt = {.policy_file = path};
    struct authorizer *authorizer = NULL;
    struct authz_config *config = NULL;
    struct authz_mode *mode = NULL;
    struct status st = {0};
    int fd = mkstemp(path), rc;

    if (fd < 0)
        return;
    if (write(fd, in.p, in.n) == (ssize_t)in.n && is_config && text_find_text(in, TEXT("RBAC")) < 0 &&
        text_find_text(in, TEXT("Node")) < 0 && text_find_text(in, TEXT("ABAC")) < 0) {
        struct timers *timers = timers_start();
        rc = authz_config_start(path, &opt, timers, &authorizer, &config, &st);
        check(rc, &st);
        authz_config_stop(config);
        authorizer_free(authorizer);
        timers_stop(timers);
    } else if (!is_config) {
        rc = authz_mode_new(TEXT("ABAC"), &opt, &mode, &st);
        check(rc, &st);
        if (mode)
            mode->free(mode);
    }
    close(fd);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct text in = {(const char *)data + 1, n ? n - 1 : 0};
    struct arena *a = arena_new();

    switch (n ? data[0] : 0) {
    case 'f':
        read_fields(a, in);
        break;
    case 'p':
        read_policy(a, in);
        break;
    case 'a':
        read_file(in, false);
        break;
    case 'c':
        read_file(in, true);
        break;
    default:
        break;
    }
    arena_free(a);
    return 0;
}
