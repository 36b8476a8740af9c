/* remote.h - another service that answers JSON with JSON: webhooks. A kubeconfig file says where it is, whom
 * to trust and who we are (the current context's server, certificate-authority, client-certificate, token and
 * the like; paths are relative to the file), as for kube-apiserver's webhooks. Source: k8s.io/client-go
 * tools/clientcmd, kubernetes/apiserver pkg/util/webhook. Threads: any; remote_post blocks. */
#pragma once

#include "base/status.h"
#include "base/text.h"

struct remote;

struct remote_options {
    const char *kubeconfig;
    int64_t timeout_ms; /* of all tries together */
    unsigned tries;     /* 0: five, the first pause half a second, each later one half as long again */
};
/* Fails with one sentence that names the file. */
int remote_open(const struct remote_options *opt, struct remote **ret, struct status *st);
void remote_close(struct remote *r); /* accepts NULL; nobody may be in remote_post */

enum remote_result { REMOTE_SUCCESS, REMOTE_TIMEOUT, REMOTE_ERROR };
/* Sends body and waits for an answer with a code from 200 to 206, which is added to ret_answer. Otherwise st
 * says why; what may pass is tried again. */
enum remote_result remote_post(struct remote *r, struct text body, struct buffer *ret_answer,
                               struct status *st);
