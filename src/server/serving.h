/* SPDX-License-Identifier: Apache-2.0 */
/* serving.h - the certificate that the server shows, its key, and the names of the authorities that it asks
 * clients' certificates of: from files that are read again when they change. Source: kubernetes/apiserver
 * pkg/server/dynamiccertificates. */
#pragma once

#include "base/workers.h"
#include "http.h"
#include "server.h"
#include "server/pki.h"

struct serving;

/* Reads the files; what fails names them. pki: of the server's own making; NULL: the settings name the files.
 */
int serving_read(const struct settings *set, const struct pki_paths *pki, struct serving **ret,
                 struct status *st);
/* Borrowed: until the next change of a file, so before serving_follow only. */
const struct tls_config *serving_tls(const struct serving *s);
/* From now on changes of the files go to l. What is not right is logged, and the last that was stays. */
void serving_follow(struct serving *s, struct listener *l, struct timers *timers);
void serving_stop(struct serving *s); /* accepts NULL; before the listener and the timers stop */
