/* SPDX-License-Identifier: Apache-2.0 */
/* Levels, versions and labels of the pod security standards. Source: kubernetes/pod-security-admission
 * api/helpers.go. */
#include "admission/pod_security.h"

static const char *const level_names[] = {"privileged", "baseline", "restricted"};
const char security_level_fault[] = "must be one of privileged, baseline, restricted";
const char security_version_fault[] = "must be \"latest\" or \"v1.x\"";

bool security_level_read(struct text t, enum security_level *ret)
{
    for (size_t i = 0; i < N_ELEMENTS(level_names); i++)
        if (text_is(t, level_names[i])) {
            *ret = (enum security_level)i;
            return true;
        }
    *ret = LEVEL_RESTRICTED;
    return false;
}

bool security_version_read(struct text t, int *ret)
{
    struct text digits = text_from(t, 3);
    uint64_t minor;

    *ret = VERSION_LATEST;
    if (text_is(t, "latest"))
        return true;
    if (!text_starts(t, TEXT("v1.")) || !digits.n || digits.n > 9 || (digits.n > 1 && digits.p[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.n; i++)
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
    if (!text_to_u64(digits, &minor))
        return false;
    *ret = (int)minor;
    return true;
}

struct text security_demand_text(struct arena *a, struct security_demand d)
{
    if (d.version == VERSION_LATEST)
        return arena_textf(a, "%s:latest", level_names[d.level]);
    return arena_textf(a, "%s:v1.%d", level_names[d.level], d.version);
}

bool security_demand_is(struct security_demand x, struct security_demand y)
{
    return x.level == y.level && x.version == y.version;
}

bool security_policy_is_open(const struct security_policy *p)
{
    return p->enforce.level == LEVEL_PRIVILEGED && p->audit.level == LEVEL_PRIVILEGED &&
           p->warn.level == LEVEL_PRIVILEGED;
}

/* --- labels --- */

#define PREFIX "pod-security.kubernetes.io/"

static void note_fault(struct field_errors *errs, const char *label, struct text value, const char *fault)
{
    struct value v = value_string(value);

    if (errs)
        field_error(errs, FIELD_INVALID, arena_printf(errs->arena, "metadata.labels[%s]", label), &v, "%s",
                    fault);
}

/* *ret_is_good: the level label is there and says something. */
static void read_demand(struct security_labels labels, const char *level_label, const char *version_label,
                        bool is_open, struct security_demand *d, bool *ret_has_level, bool *ret_is_good,
                        bool *ret_has_version, struct field_errors *errs)
{
    struct text value = labels.get(labels.from, text_of(level_label), ret_has_level);

    *ret_is_good = false;
    if (*ret_has_level) {
        *ret_is_good = security_level_read(value, &d->level);
        if (!*ret_is_good)
            note_fault(errs, level_label, value, security_level_fault);
        if (!*ret_is_good && is_open)
            d->level = LEVEL_PRIVILEGED;
    }
    value = labels.get(labels.from, text_of(version_label), ret_has_version);
    if (*ret_has_version && !security_version_read(value, &d->version))
        note_fault(errs, version_label, value, security_version_fault);
}

struct security_policy security_policy_of(struct security_labels labels,
                                          const struct security_policy *defaults, struct field_errors *errs)
{
    struct security_policy p = *defaults;
    bool has_level, has_version, has_warn, is_good, is_enforced;

    read_demand(labels, PREFIX "enforce", PREFIX "enforce-version", false, &p.enforce, &has_level,
                &is_enforced, &has_version, errs);
    read_demand(labels, PREFIX "audit", PREFIX "audit-version", true, &p.audit, &has_level, &is_good,
                &has_version, errs);
    read_demand(labels, PREFIX "warn", PREFIX "warn-version", true, &p.warn, &has_warn, &is_good,
                &has_version, errs);
    /* What is enforced is warned of, too: templates are only warned of. */
    if (!has_warn && is_enforced && p.enforce.level > p.warn.level) {
        p.warn.level = p.enforce.level;
        if (!has_version)
            p.warn.version = p.enforce.version;
    }
    return p;
}
