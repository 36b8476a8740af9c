/* SPDX-License-Identifier: Apache-2.0 */
/* tls_writer.h - the writing half of a TLS session, gone on with after the session itself has ended. A
 * connection that only sends from now on, as a watch does, needs a key and a counter, not the session's 10 KB
 * and the connection's of libmicrohttpd. Sources: RFC 8446 5.2, 5.3; RFC 5246 6.2.3.3, RFC 5288, RFC 7905.
 * Threads: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct tls_writer;

/* Of an established GnuTLS session whose written records have all left it. NULL for the few suites that are
 * no AEAD. */
struct tls_writer *tls_writer_new(void *session);
void tls_writer_free(struct tls_writer *w); /* accepts NULL */
bool tls_writer_knows(void *session);       /* would there be one? */
/* To the socket. How much was taken, see transport_send. */
ptrdiff_t tls_writer_send(struct tls_writer *w, int fd, struct text bytes);
/* Says that nothing more follows, if the socket has room for it. */
void tls_writer_bye(struct tls_writer *w, int fd);
