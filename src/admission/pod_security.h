/* SPDX-License-Identifier: Apache-2.0 */
/* pod_security.h - the pod security standards: levels with versions, what namespaces' labels ask for, and the
 * checks. */
#pragma once

#include "admission/plugin.h"

enum security_level { LEVEL_PRIVILEGED, LEVEL_BASELINE, LEVEL_RESTRICTED };
#define VERSION_LATEST (-1)

struct security_demand {
    enum security_level level;
    int version; /* 1.x, or VERSION_LATEST */
};
struct security_policy {
    struct security_demand enforce, audit, warn;
};

/* False: *ret is the strictest. */
bool security_level_read(struct text t, enum security_level *ret);
bool security_version_read(struct text t, int *ret);
extern const char security_level_fault[], security_version_fault[];
struct text security_demand_text(struct arena *a, struct security_demand d); /* "baseline:v1.30" */
bool security_demand_is(struct security_demand x, struct security_demand y);

/* What labels demand; what they do not say is from defaults. Wrong ones are told in errs and count as the
 * strictest, of audit and warn as none. label: its value, *ret_has whether there is one. */
struct security_labels {
    struct text (*get)(const void *from, struct text key, bool *ret_has);
    const void *from;
};
struct security_policy security_policy_of(struct security_labels labels,
                                          const struct security_policy *defaults, struct field_errors *errs);
bool security_policy_is_open(const struct security_policy *p); /* all three are privileged */

/* --- checks --- */

struct security_faults {
    struct buffer details; /* "host namespaces (hostNetwork=true), privileged (...)" */
    struct buffer reasons; /* without what is in brackets */
    size_t n;
};
/* What the demand has against the pod or template; both buffers lie in the arena. */
struct security_faults security_check(struct arena *a, struct security_demand demand,
                                      const struct value *metadata, const struct value *spec);
