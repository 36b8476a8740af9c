/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - the mode Webhook, for the flags and for the configuration file. */
#pragma once

#include "authz/modes.h"

struct webhook_options {
    const char *name;                               /* copied */
    const char *kubeconfig;                         /* read at once */
    bool is_v1;                                     /* the review's version; else v1beta1 */
    int64_t authorized_ttl_ms, unauthorized_ttl_ms; /* 0: answers of that kind are not remembered */
    int64_t timeout_ms;
    bool denies_on_failure; /* else it has no opinion */
};
int webhook_mode_make(const struct webhook_options *opt, struct authz_mode **ret, struct status *st);
