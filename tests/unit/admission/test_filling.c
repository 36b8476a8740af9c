/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

static struct chain c;

START_TEST(limit_ranges_fill_in_and_bound)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    chain_provide(&c, "v1", "limitranges", "ns",
                  "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{"
                  "\"cpu\":\"1\"},"
                  "\"defaultRequest\":{\"cpu\":\"500m\"},\"max\":{\"cpu\":\"2\"},\"maxLimitRequestRatio\":{"
                  "\"cpu\":\"2\"}}]}}");
    ck_assert_int_eq(chain_pod(&c, "p", ""), 0);
    ck_assert_str_eq(chain_at(&c, "spec.containers.0.resources"),
                     "{\"limits\":{\"cpu\":\"1\"},\"requests\":{\"cpu\":\"500m\"}}");
    ck_assert_str_eq(chain_at(&c, "metadata.annotations"),
                     "{\"kubernetes.io/limit-ranger\":\"LimitRanger plugin set: cpu request for container c; "
                     "cpu limit for "
                     "container c\"}");
    ck_assert_str_eq(chain_at(&c, "status.qosClass"), "Burstable");
    ck_assert_int_eq(
        chain_create(
            &c, "v1", "pods", "ns",
            "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\","
            "\"resources\":{\"requests\":{\"cpu\":\"1\"},\"limits\":{\"cpu\":\"3\"}}}]}}"),
        403);
    ck_assert_str_eq(c.op.st.message, "pods \"q\" is forbidden: [maximum cpu usage per Container is 2, but "
                                      "limit is 3, cpu max limit to request "
                                      "ratio per Container is 2, but provided ratio is 3.000000]");
    chain_end(&c);
}
END_TEST

START_TEST(whole_pods_are_bounded)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    chain_provide(&c, "v1", "limitranges", "ns",
                  "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{"
                  "\"memory\":\"1Gi\"}}]}}");
    ck_assert_int_eq(
        chain_create(&c, "v1", "pods", "ns",
                     "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"containers\":["
                     "{\"name\":\"a\",\"image\":\"i\",\"resources\":{\"limits\":{\"memory\":\"600Mi\"}}},"
                     "{\"name\":\"b\",\"image\":\"i\",\"resources\":{\"limits\":{\"memory\":\"600Mi\"}}}]}}"),
        403);
    ck_assert_str_eq(c.op.st.message,
                     "pods \"q\" is forbidden: maximum memory usage per Pod is 1Gi, but limit is 1200Mi");
    chain_end(&c);
}
END_TEST

#define CLAIM(name, more)                                                            \
    "{\"metadata\":{\"name\":\"" name                                                \
    "\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":" \
    "{\"storage\":\"1Gi\"}}" more "}}"

START_TEST(claims_and_ingresses_get_the_default_class)
{
    static const char *const names[] = {"a", "b"};

    chain_begin(&c, NULL);
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        clock_fake((int64_t)(1000 + i) * 1000000000);
        chain_provide(
            &c, "storage.k8s.io/v1", "storageclasses", "",
            arena_printf(c.w.arena,
                         "{\"metadata\":{\"name\":\"%s\",\"annotations\":{\"storageclass.kubernetes.io/"
                         "is-default-class\":\"true\"}},\"provisioner\":\"x/y\"}",
                         names[i]));
    }
    clock_real();
    ck_assert_int_eq(chain_create(&c, "v1", "persistentvolumeclaims", "ns", CLAIM("p", "")), 0);
    ck_assert_str_eq(chain_at(&c, "spec.storageClassName"), "b");
    ck_assert_int_eq(
        chain_create(&c, "v1", "persistentvolumeclaims", "ns", CLAIM("q", ",\"storageClassName\":\"\"")), 0);
    ck_assert_str_eq(chain_at(&c, "spec.storageClassName"), "");
    chain_provide(&c, "networking.k8s.io/v1", "ingressclasses", "",
                  "{\"metadata\":{\"name\":\"i\",\"annotations\":{\"ingressclass.kubernetes.io/"
                  "is-default-class\":\"true\"}},"
                  "\"spec\":{\"controller\":\"x.y/z\"}}");
    ck_assert_int_eq(
        chain_create(
            &c, "networking.k8s.io/v1", "ingresses", "ns",
            "{\"metadata\":{\"name\":\"i\"},\"spec\":{\"defaultBackend\":{\"service\":{\"name\":\"s\","
            "\"port\":{\"number\":1}}}}}"),
        0);
    ck_assert_str_eq(chain_at(&c, "spec.ingressClassName"), "i");
    chain_end(&c);
}
END_TEST

START_TEST(claims_grow_where_their_class_lets_them)
{
    static const char grown[] = "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"2Gi\"}}}}";

    chain_begin(&c, NULL);
    chain_provide(
        &c, "storage.k8s.io/v1", "storageclasses", "",
        "{\"metadata\":{\"name\":\"grows\"},\"provisioner\":\"x/y\",\"allowVolumeExpansion\":true}");
    ck_assert_int_eq(
        chain_create(&c, "v1", "persistentvolumeclaims", "ns", CLAIM("p", ",\"storageClassName\":\"grows\"")),
        0);
    c.w.user = NULL;
    ck_assert_int_eq(chain_merge(&c, "v1", "persistentvolumeclaims", "ns", "p", "status",
                                 "{\"status\":{\"phase\":\"Bound\"}}"),
                     0);
    c.w.user = &c.user;
    ck_assert_int_eq(chain_merge(&c, "v1", "persistentvolumeclaims", "ns", "p", NULL, grown), 0);
    ck_assert_int_eq(
        chain_create(&c, "v1", "persistentvolumeclaims", "ns", CLAIM("q", ",\"storageClassName\":\"fixed\"")),
        0);
    c.w.user = NULL;
    ck_assert_int_eq(chain_merge(&c, "v1", "persistentvolumeclaims", "ns", "q", "status",
                                 "{\"status\":{\"phase\":\"Bound\"}}"),
                     0);
    c.w.user = &c.user;
    ck_assert_int_eq(chain_merge(&c, "v1", "persistentvolumeclaims", "ns", "q", NULL, grown), 403);
    chain_end(&c);
}
END_TEST

START_TEST(a_runtime_class_brings_overhead_and_place)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    chain_provide(
        &c, "node.k8s.io/v1", "runtimeclasses", "",
        "{\"metadata\":{\"name\":\"k\"},\"handler\":\"h\",\"overhead\":{\"podFixed\":{\"cpu\":\"100m\"}},"
        "\"scheduling\":{"
        "\"nodeSelector\":{\"a\":\"b\"},\"tolerations\":[{\"key\":\"t\",\"operator\":\"Exists\"}]}}");
    ck_assert_int_eq(chain_pod(&c, "p", ",\"runtimeClassName\":\"k\",\"nodeSelector\":{\"c\":\"d\"}"), 0);
    ck_assert_str_eq(chain_at(&c, "spec.overhead.cpu"), "100m");
    ck_assert_str_eq(chain_at(&c, "spec.nodeSelector"), "{\"a\":\"b\",\"c\":\"d\"}");
    ck_assert_int_eq(chain_pod(&c, "q", ",\"runtimeClassName\":\"k\",\"nodeSelector\":{\"a\":\"x\"}"), 403);
    ck_assert_str_eq(c.op.st.message,
                     "pods \"q\" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[a] = b; "
                     "pod.spec.nodeSelector[a] = x");
    ck_assert_int_eq(chain_pod(&c, "r", ",\"runtimeClassName\":\"none\""), 403);
    ck_assert_str_eq(c.op.st.message,
                     "pods \"r\" is forbidden: pod rejected: RuntimeClass \"none\" not found");
    ck_assert_int_eq(chain_pod(&c, "s", ",\"overhead\":{\"cpu\":\"1\"}"), 403);
    chain_end(&c);
}
END_TEST

START_TEST(pods_carry_the_zone_of_their_node)
{
    chain_begin(&c, NULL);
    chain_account(&c);
    chain_provide(
        &c, "v1", "nodes", "",
        "{\"metadata\":{\"name\":\"n\",\"labels\":{\"topology.kubernetes.io/zone\":\"z\",\"a\":\"b\"}}}");
    ck_assert_int_eq(chain_pod(&c, "p", ",\"nodeName\":\"n\""), 0);
    ck_assert_str_eq(chain_at(&c, "metadata.labels"), "{\"topology.kubernetes.io/zone\":\"z\"}");
    chain_end(&c);
}
END_TEST

UNIT_MAIN("filling", limit_ranges_fill_in_and_bound, whole_pods_are_bounded,
          claims_and_ingresses_get_the_default_class, claims_grow_where_their_class_lets_them,
          a_runtime_class_brings_overhead_and_place, pods_carry_the_zone_of_their_node)
