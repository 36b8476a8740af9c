/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files in and out, with errors in Go's words, since kube-apiserver's users know those. */
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* "open PATH: permission denied": Go prints the system's words in lower case. */
static int fail(struct status *st, const char *what, const char *path)
{
    char why[128];
    snprintf(why, sizeof(why), "%s", strerror(errno));
    why[0] = (char)tolower((unsigned char)why[0]);
    return status_set(st, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_INTERNAL_ERROR, "%s %s: %s", what, path, why);
}

int file_read(const char *path, struct buffer *b, struct status *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(st, "open", path);
    for (;;) {
        char *room = buffer_room(b, 16384);
        ssize_t n = read(fd, room, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int rc = n < 0 ? fail(st, "read", path) : 0;
            close(fd);
            return rc;
        }
        b->n += (size_t)n;
    }
}

static int write_all(int fd, struct text content)
{
    while (content.n) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        content = text_from(content, (size_t)n);
    }
    return fsync(fd);
}

int file_write(const char *path, struct text content, mode_t mode, struct status *st)
{
    char temporary[PATH_MAX];
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    unlink(temporary); /* left behind by a crash, perhaps with another mode */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail(st, "open", temporary);
    int rc = write_all(fd, content);
    if (close(fd) < 0 || rc < 0 || rename(temporary, path) < 0) {
        fail(st, "write", path);
        unlink(temporary);
        return -1;
    }
    return 0;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int folder_make(const char *path, struct status *st)
{
    char part[PATH_MAX];
    if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
        return status_set(st, STATUS_BAD_REQUEST, "mkdir %s: file name too long", path);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return fail(st, "mkdir", part);
        *p = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return fail(st, "mkdir", part);
    return 0;
}
