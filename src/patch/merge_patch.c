/* SPDX-License-Identifier: Apache-2.0 */
/* Merge patch: pairs of objects, one of the document and one of the patch, wait in a list until merged. A
 * pair is merged in one pass over the patch's members: those that the document has are replaced, removed or
 * queued as another pair, the others are appended. No recursion: a patch may nest deeper than a thread's
 * stack bears. */
#include "patch.h"

#include "members.h"

struct pair {
    struct value *doc;
    const struct value *patch;
};
typedef VEC(struct pair) pair_list;

/* Members that are null go, in objects at any depth and within lists; null items of lists stay. */
static void drop_nulls(struct value *v)
{
    VEC(struct value *) todo = {0};

    vec_push(&todo, v);
    while (todo.n) {
        struct value *at = todo.p[--todo.n];
        if (at->kind == VALUE_OBJECT) {
            size_t n = 0;
            for (size_t i = 0; i < at->n; i++) {
                if (at->members[i].value.kind != VALUE_NULL)
                    at->members[n++] = at->members[i];
            }
            at->n = (uint32_t)n;
        }
        for (size_t i = 0; at->kind >= VALUE_LIST && i < at->n; i++)
            vec_push(&todo, at->kind == VALUE_OBJECT ? &at->members[i].value : &at->items[i]);
    }
    vec_deinit(&todo);
}

static struct value fresh(struct arena *a, const struct value *v)
{
    struct value copy = value_copy(a, v);

    drop_nulls(&copy);
    return copy;
}

static void merge_objects(struct arena *a, struct value *doc, const struct value *patch, pair_list *todo)
{
    VEC(const struct value_member *) deeper = {0};
    struct members m;

    members_open(&m, a, doc, patch->n);
    for (size_t i = 0; i < patch->n; i++) {
        const struct value *v = &patch->members[i].value;
        struct text key = member_key(&patch->members[i]);
        const struct value *old = members_get(&m, key);
        if (v->kind == VALUE_NULL)
            members_remove(&m, key);
        else if (!old || old->kind != VALUE_OBJECT)
            members_set(&m, key, fresh(a, v));
        else if (v->kind != VALUE_OBJECT)
            members_set(&m, key, value_copy(a, v)); /* upstream keeps the nulls of this one */
        else
            vec_push(&deeper, &patch->members[i]);
    }
    members_close(&m);
    /* Only now do the members stand where they will stay. */
    members_open(&m, a, doc, deeper.n);
    for (size_t i = 0; i < deeper.n; i++)
        vec_push(todo, ((struct pair){members_get(&m, member_key(deeper.p[i])), &deeper.p[i]->value}));
    members_close(&m);
    vec_deinit(&deeper);
}

int patch_merge(struct arena *a, const struct value *doc, const struct value *patch, struct value *ret,
                struct status *st)
{
    pair_list todo = {0};

    if (patch->kind == VALUE_LIST) {
        *ret = fresh(a, patch);
        return 0;
    }
    if (patch->kind != VALUE_OBJECT)
        return status_set(st, STATUS_BAD_REQUEST, "Invalid JSON Patch");
    *ret = value_copy(a, doc);
    if (ret->kind != VALUE_OBJECT) {
        *ret = fresh(a, patch);
        return 0;
    }
    vec_push(&todo, ((struct pair){ret, patch}));
    while (todo.n) {
        struct pair p = todo.p[--todo.n];
        merge_objects(a, p.doc, p.patch, &todo);
    }
    vec_deinit(&todo);
    return 0;
}
