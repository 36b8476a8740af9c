/* SPDX-License-Identifier: Apache-2.0 */
/* What of a pod may change: images, deadlines, tolerations that come, gates that go; by subresources
 * resources and ephemeral containers. Source: kubernetes pkg/apis/core/validation/validation.go
 * (ValidatePodUpdate, ValidatePodEphemeralContainersUpdate). */
#include "schema/checks.h"

/* False: the lists are of different length, and nothing else is said. Images are checked once more, as upstream does. */
static bool check_container_list(struct validation *w, const struct field_path *at, const struct value *now,
                                 const struct value *before)
{
    if (n_items(now) != n_items(before)) {
        check_error(w, FIELD_FORBIDDEN, at, NULL, "pod updates may not add or remove containers");
        return false;
    }
    for (uint32_t i = 0; i < n_items(now); i++) {
        const struct value *image = value_get(&now->items[i], TEXT("image"));
        if (!value_text(image).n)
            check_error(w, FIELD_REQUIRED, PATH_FIELD(PATH_INDEX(at, i), "image"), NULL, "%s", "");
        else if (text_trim(value_text(image)).n != image->n)
            check_error(w, FIELD_INVALID, PATH_FIELD(PATH_INDEX(at, i), "image"), image,
                        "must not have leading or trailing whitespace");
    }
    return true;
}

static bool containers_differ(const struct value *now, const struct value *before)
{
    static const struct text free_fields[] = {TEXT("image")};

    for (uint32_t i = 0; i < n_items(now) && i < n_items(before); i++)
        if (differs_besides(&now->items[i], &before->items[i], free_fields, N_ELEMENTS(free_fields)))
            return true;
    return false;
}

/* False: upstream says nothing else then. */
static bool check_deadline(struct validation *w, const struct field_path *at, const struct value *now,
                           const struct value *before)
{
    if (now && (now->integer < 0 || now->integer > INT32_MAX)) {
        check_error(w, FIELD_INVALID, at, now, "must be between 0 and 2147483647, inclusive");
        return false;
    }
    if (now && before && before->integer < now->integer) {
        check_error(w, FIELD_INVALID, at, now, "must be less than or equal to previous value");
        return false;
    }
    if (!now && before)
        check_error(w, FIELD_INVALID, at, &value_null,
                    "must not update from a positive integer to nil value");
    return true;
}

static void check_tolerations(struct validation *w, const struct field_path *at, const struct value *now,
                              const struct value *before)
{
    static const struct text free_fields[] = {TEXT("tolerationSeconds")};

    if (now && before && value_equal(now, before))
        return;
    for (uint32_t i = 0; i < n_items(before) && i < 1000; i++) {
        bool is_found = false;
        for (uint32_t k = 0; !is_found && k < n_items(now) && k < 1000; k++)
            is_found =
                !differs_besides(&now->items[k], &before->items[i], free_fields, N_ELEMENTS(free_fields));
        if (!is_found) {
            check_error(w, FIELD_FORBIDDEN, at, NULL,
                        "existing toleration can not be modified except its tolerationSeconds");
            return;
        }
    }
}

static void check_gates(struct validation *w, const struct field_path *at, const struct value *now,
                        const struct value *before)
{
    CLEANUP(seen_deinit) struct seen_texts seen = {.n = 0};

    for (uint32_t i = 0; i < n_items(before); i++)
        seen_add(&seen, value_get_text(&before->items[i], TEXT("name")));
    for (uint32_t i = 0; i < n_items(now); i++) {
        struct text name = value_get_text(&now->items[i], TEXT("name"));
        if (!seen_has(&seen, name))
            check_error(w, FIELD_FORBIDDEN, PATH_FIELD(PATH_INDEX(at, i), "name"), NULL,
                        "only deletion is allowed, but found new scheduling gate '%.*s'", TEXT_ARG(name));
    }
}

/* A gated pod's selector may get more demands. */
static void check_node_selector(struct validation *w, const struct field_path *at, const struct value *now,
                                const struct value *before)
{
    for (uint32_t i = 0; i < n_items(before); i++) {
        const struct value *label = value_get(now, member_key(&before->members[i]));
        if (!label || !value_equal(label, &before->members[i].value)) {
            check_error(w, FIELD_INVALID, at, now ? now : &value_null,
                        "only additions to spec.nodeSelector are allowed (no mutations or deletions)");
            return;
        }
    }
}

static void check_spec_update(struct validation *w, const struct field_path *at, const struct value *v,
                              const struct value *old)
{
    static const struct text free_fields[] = {TEXT("containers"),
                                              TEXT("initContainers"),
                                              TEXT("activeDeadlineSeconds"),
                                              TEXT("schedulingGates"),
                                              TEXT("tolerations"),
                                              TEXT("nodeSelector"),
                                              TEXT("affinity"),
                                              TEXT("terminationGracePeriodSeconds")};
    static const struct text of_affinity[] = {TEXT("nodeAffinity")};
    static const struct text lists[] = {TEXT("containers"), TEXT("initContainers")};
    const struct value *affinity = value_get(v, TEXT("affinity")),
                       *old_affinity = value_get(old, TEXT("affinity"));
    int64_t grace = value_get_int(v, TEXT("terminationGracePeriodSeconds"), 0);
    int64_t old_grace = value_get_int(old, TEXT("terminationGracePeriodSeconds"), 0);
    bool is_gated = n_items(value_get(old, TEXT("schedulingGates"))) > 0, differs = false;

    for (size_t i = 0; i < N_ELEMENTS(lists); i++)
        if (!check_container_list(w, &(struct field_path){at, lists[i], PATH_NAME}, value_get(v, lists[i]),
                                  value_get(old, lists[i])))
            return;
    if (!check_deadline(w, PATH_FIELD(at, "activeDeadlineSeconds"),
                        value_get(v, TEXT("activeDeadlineSeconds")),
                        value_get(old, TEXT("activeDeadlineSeconds"))))
        return;
    check_tolerations(w, PATH_FIELD(at, "tolerations"), value_get(v, TEXT("tolerations")),
                      value_get(old, TEXT("tolerations")));
    check_gates(w, PATH_FIELD(at, "schedulingGates"), value_get(v, TEXT("schedulingGates")),
                value_get(old, TEXT("schedulingGates")));
    for (size_t i = 0; i < N_ELEMENTS(lists); i++)
        differs |= containers_differ(value_get(v, lists[i]), value_get(old, lists[i]));
    differs |= differs_besides(v, old, free_fields, N_ELEMENTS(free_fields));
    differs |= grace != old_grace && !(old_grace < 0 && grace == 1);
    if (is_gated) {
        check_node_selector(w, PATH_FIELD(at, "nodeSelector"), value_get(v, TEXT("nodeSelector")),
                            value_get(old, TEXT("nodeSelector")));
        differs |= differs_besides(affinity, old_affinity, of_affinity, N_ELEMENTS(of_affinity));
    } else {
        differs |= differs_at(v, old, TEXT("nodeSelector")) || differs_at(v, old, TEXT("affinity"));
    }
    if (differs)
        check_error(
            w, FIELD_FORBIDDEN, at, NULL,
            "pod updates may not change fields other than "
            "`spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
}

static void check_ephemeral_update(struct validation *w, const struct field_path *at, const struct value *v,
                                   const struct value *old)
{
    const struct value *now = value_get(v, TEXT("ephemeralContainers")),
                       *before = value_get(old, TEXT("ephemeralContainers"));

    for (uint32_t i = 0; i < n_items(before); i++) {
        struct text name = value_get_text(&before->items[i], TEXT("name"));
        const struct value *found = NULL;
        for (uint32_t k = 0; k < n_items(now); k++)
            if (text_eq(value_get_text(&now->items[k], TEXT("name")), name))
                found = &now->items[k];
        if (!found)
            check_error(w, FIELD_FORBIDDEN, at, NULL,
                        "existing ephemeral containers \"%.*s\" may not be removed\n", TEXT_ARG(name));
        else if (!value_equal(found, &before->items[i]))
            check_error(w, FIELD_FORBIDDEN, at, NULL,
                        "existing ephemeral containers \"%.*s\" may not be changed\n", TEXT_ARG(name));
    }
}

CHECK(pod_update)
{
    if (!old)
        return;
    if (!w->sub.n)
        check_spec_update(w, at, v, old);
    else if (text_is(w->sub, "ephemeralcontainers"))
        check_ephemeral_update(w, PATH_FIELD(at, "ephemeralContainers"), v, old);
}
