/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "chain.h"
#include "registry/quota.h"

static struct chain c;

static void make_quota(const char *name, const char *spec_more, const char *hard, const char *used)
{
    chain_provide(&c, "v1", "resourcequotas", "ns",
                  arena_printf(c.w.arena, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"hard\":{%s}%s}}", name,
                               hard, spec_more));
    c.w.user = NULL;
    ck_assert_int_eq(
        chain_merge(&c, "v1", "resourcequotas", "ns", name, "status",
                    arena_printf(c.w.arena, "{\"status\":{\"hard\":{%s},\"used\":{%s}}}", hard, used)),
        0);
    c.w.user = &c.user;
}

static const char *used(const char *name)
{
    struct status st = {0};
    struct object *o;
    struct value tree;
    struct buffer b = BUFFER_IN(c.w.arena);

    ck_assert_int_eq(
        registry_get(world_resource(&c.w, "v1", "resourcequotas"), TEXT("ns"), text_of(name), &o, &st), 0);
    ck_assert_int_eq(object_tree(c.w.arena, o, &tree, &st), 0);
    json_write(&b, value_at(&tree, "status", "used", NULL));
    const char *text = buffer_str(&b);
    object_unref(o);
    return text;
}

START_TEST(objects_are_counted)
{
    chain_begin(&c, NULL);
    make_quota("q", "", "\"configmaps\":\"2\",\"count/deployments.apps\":\"1\"",
               "\"configmaps\":\"0\",\"count/deployments.apps\":\"1\"");
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 0);
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"b\"}}"), 0);
    ck_assert_str_eq(used("q"), "{\"configmaps\":\"2\",\"count/deployments.apps\":\"1\"}");
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"c\"}}"), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "configmaps \"c\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, "
        "limited: configmaps=2");
    ck_assert_int_eq(chain_create(&c, "apps/v1", "deployments", "ns",
                                  "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{"
                                  "\"a\":\"b\"}},\"template\":{"
                                  "\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{"
                                  "\"name\":\"c\",\"image\":\"i\"}]}}}}"),
                     403);
    ck_assert_int_eq(chain_merge(&c, "v1", "configmaps", "ns", "a", NULL, "{\"data\":{\"x\":\"y\"}}"), 0);
    ck_assert_int_eq(chain_create(&c, "v1", "secrets", "ns", "{\"metadata\":{\"name\":\"s\"}}"), 0);
    chain_end(&c);
}
END_TEST

START_TEST(pods_are_charged_for_what_they_ask)
{
    static const char pod[] =
        "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\","
        "\"resources\":{\"requests\":{\"cpu\":\"%s\"},\"limits\":{\"cpu\":\"1\"}}}]}}";

    chain_begin(&c, NULL);
    chain_account(&c);
    make_quota("q", "", "\"requests.cpu\":\"1\",\"pods\":\"5\"", "\"requests.cpu\":\"0\",\"pods\":\"0\"");
    ck_assert_int_eq(chain_pod(&c, "none", ""), 403);
    ck_assert_str_eq(c.op.st.message,
                     "pods \"none\" is forbidden: failed quota: q: must specify requests.cpu for: c");
    ck_assert_int_eq(chain_create(&c, "v1", "pods", "ns", arena_printf(c.w.arena, pod, "a", "700m")), 0);
    ck_assert_str_eq(used("q"), "{\"pods\":\"1\",\"requests.cpu\":\"700m\"}");
    ck_assert_int_eq(chain_create(&c, "v1", "pods", "ns", arena_printf(c.w.arena, pod, "b", "400m")), 403);
    ck_assert_str_eq(c.op.st.message,
                     "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=400m, used: "
                     "requests.cpu=700m, limited: requests.cpu=1");
    chain_end(&c);
}
END_TEST

START_TEST(scopes_say_which_pods_are_meant)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    make_quota("q", ",\"scopes\":[\"Terminating\"]", "\"pods\":\"0\"", "\"pods\":\"0\"");
    ck_assert_int_eq(chain_pod(&c, "a", ""), 0);
    ck_assert_int_eq(chain_pod(&c, "b", ",\"activeDeadlineSeconds\":5"), 403);
    chain_end(&c);
}
END_TEST

START_TEST(a_quota_that_was_not_counted_yet_refuses)
{
    chain_begin(&c, NULL);
    make_quota("q", "", "\"configmaps\":\"2\"", "\"pods\":\"1\"");
    ck_assert_int_eq(chain_create(&c, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"), 403);
    ck_assert_str_eq(c.op.st.message,
                     "configmaps \"a\" is forbidden: status unknown for quota: q, resources: configmaps");
    chain_end(&c);
}
END_TEST

START_TEST(dry_runs_charge_nothing)
{
    chain_begin(&c, NULL);
    make_quota("q", "", "\"configmaps\":\"1\"", "\"configmaps\":\"0\"");
    operation_clear(&c.op);
    c.op = (struct operation){.is_dry_run = true};
    ck_assert_int_eq(world_create(&c.w, &c.op, "v1", "configmaps", "ns", "{\"metadata\":{\"name\":\"a\"}}"),
                     0);
    ck_assert_str_eq(used("q"), "{\"configmaps\":\"0\"}");
    chain_end(&c);
}
END_TEST

/* --- many at once --- */

#define N_WRITERS 8
#define N_EACH 10
#define HARD 25

static atomic_int n_made;

static void *write_some(void *arg)
{
    int writer = *(int *)arg;

    for (int i = 0; i < N_EACH; i++) {
        CLEANUP(arena_freep) struct arena *a = arena_new();
        struct status st = {0};
        struct operation op = {.kind = OPERATION_CREATE,
                               .registry = c.w.registry,
                               .resource =
                                   registry_find(c.w.registry, TEXT(""), TEXT("v1"), TEXT("configmaps")),
                               .arena = a,
                               .namespace = TEXT("ns"),
                               .user = &c.user,
                               .admission = admission_hooks(c.admission)};
        if (json_read(a, arena_textf(a, "{\"metadata\":{\"name\":\"m-%d-%d\"}}", writer, i), NULL, &op.object,
                      &st) < 0 ||
            schema_decode(a, op.resource->type->kind->schema, &op.object, NULL, &st) < 0)
            abort();
        if (registry_run(&op) == 0)
            atomic_fetch_add(&n_made, 1);
        operation_clear(&op);
    }
    return NULL;
}

START_TEST(many_at_once_never_exceed)
{
    pthread_t threads[N_WRITERS];
    int numbers[N_WRITERS];

    chain_begin(&c, NULL);
    make_quota("q", "", "\"configmaps\":\"25\"", "\"configmaps\":\"0\"");
    for (int i = 0; i < N_WRITERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_some, &numbers[i]), 0);
    }
    for (int i = 0; i < N_WRITERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&n_made), HARD);
    ck_assert_str_eq(used("q"), "{\"configmaps\":\"25\"}");
    chain_end(&c);
}
END_TEST

/* --- usage --- */

static const struct usage_row {
    const char *api_version, *resource, *object, *usage;
} usages[] = {
    {"v1", "services",
     "{\"spec\":{\"type\":\"LoadBalancer\",\"ports\":[{\"port\":1},{\"port\":2,\"nodePort\":3}]}}",
     "{\"count/"
     "services\":\"1\",\"services\":\"1\",\"services.loadbalancers\":\"1\",\"services.nodeports\":\"2\"}"},
    {"v1", "services",
     "{\"spec\":{\"type\":\"LoadBalancer\",\"allocateLoadBalancerNodePorts\":false,\"ports\":[{\"port\":1},{"
     "\"port\":2,"
     "\"nodePort\":3}]}}",
     "{\"count/"
     "services\":\"1\",\"services\":\"1\",\"services.loadbalancers\":\"1\",\"services.nodeports\":\"1\"}"},
    {"v1", "persistentvolumeclaims",
     "{\"spec\":{\"storageClassName\":\"gold\",\"resources\":{\"requests\":{\"storage\":\"1500m\"}}}}",
     "{\"count/"
     "persistentvolumeclaims\":\"1\",\"persistentvolumeclaims\":\"1\",\"gold.storageclass.storage.k8s.io/"
     "persistentvolumeclaims\":\"1\",\"requests.storage\":\"2\",\"gold.storageclass.storage.k8s.io/"
     "requests.storage\":\"2\"}"},
    {"v1", "pods", "{\"status\":{\"phase\":\"Failed\"}}", "{\"count/pods\":\"1\"}"},
    {"v1", "pods",
     "{\"spec\":{\"overhead\":{\"cpu\":\"100m\"},\"initContainers\":[{\"name\":\"i\",\"resources\":{"
     "\"requests\":{\"cpu\":\"2\"}}}],"
     "\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"1\",\"example.com/"
     "gpu\":\"1\"}}}]}}",
     "{\"count/"
     "pods\":\"1\",\"pods\":\"1\",\"cpu\":\"2100m\",\"requests.cpu\":\"2100m\",\"requests.example.com/"
     "gpu\":\"1\"}"},
    {"v1", "configmaps", "{}", "{\"count/configmaps\":\"1\",\"configmaps\":\"1\"}"},
    {"apps/v1", "deployments", "{}", "{\"count/deployments.apps\":\"1\"}"},
    {"resource.k8s.io/v1", "resourceclaims",
     "{\"spec\":{\"devices\":{\"requests\":[{\"name\":\"a\",\"exactly\":{\"deviceClassName\":\"g\","
     "\"allocationMode\":\"ExactCount\","
     "\"count\":2}},{\"name\":\"b\",\"firstAvailable\":[{\"name\":\"x\",\"deviceClassName\":\"g\","
     "\"allocationMode\":\"All\"}]}]}}}",
     "{\"count/resourceclaims.resource.k8s.io\":\"1\",\"g.deviceclass.resource.k8s.io/devices\":\"34\"}"},
};

START_TEST(usage_is_upstreams)
{
    chain_begin(&c, NULL);
    for (size_t i = 0; i < N_ELEMENTS(usages); i++) {
        const struct resource_type *type =
            world_resource(&c.w, usages[i].api_version, usages[i].resource)->storage;
        struct value object, usage, expected;
        struct status st = {0};
        struct buffer b = BUFFER_IN(c.w.arena);
        ck_assert_int_eq(json_read(c.w.arena, text_of(usages[i].object), NULL, &object, &st), 0);
        ck_assert_int_eq(json_read(c.w.arena, text_of(usages[i].usage), NULL, &expected, &st), 0);
        usage = quota_usage(c.w.arena, type, &object);
        json_write(&b, &usage);
        ck_assert_msg(value_equal(&usage, &expected), "row %zu: %s\nexpected %s", i, buffer_str(&b),
                      usages[i].usage);
        for (size_t k = 0; k < usage.n; k++)
            ck_assert_msg(quota_covers(type, member_key(&usage.members[k])), "row %zu: %.*s", i,
                          TEXT_ARG(member_key(&usage.members[k])));
    }
    chain_end(&c);
}
END_TEST

UNIT_MAIN("quota", objects_are_counted, pods_are_charged_for_what_they_ask, scopes_say_which_pods_are_meant,
          a_quota_that_was_not_counted_yet_refuses, dry_runs_charge_nothing, many_at_once_never_exceed,
          usage_is_upstreams)
