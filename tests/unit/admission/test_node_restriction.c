/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

static struct chain c;
static struct text groups[] = {TEXT("system:nodes")};

static void begin(void)
{
    chain_begin_with(&c, "NodeRestriction", "");
    c.user = (struct user_info){.name = TEXT("system:node:n1"), .groups = groups, .n_groups = 1};
}

#define MIRROR(name, node, more)                                                                        \
    "{\"metadata\":{\"name\":\"" name "\",\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"}" more \
    "},\"spec\":{\"nodeName\":\"" node "\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"

START_TEST(nodes_make_mirror_pods_of_their_own)
{
    begin();
    chain_provide(&c, "v1", "nodes", "", "{\"metadata\":{\"name\":\"n1\"}}");
    const char *uid = chain_at(&c, "metadata.uid");
    ck_assert_int_eq(chain_pod(&c, "p", ",\"nodeName\":\"n1\""), 403);
    ck_assert_int_eq(chain_create(&c, "v1", "pods", "ns", MIRROR("p", "n2", "")), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"p\" is forbidden: node \"n1\" can only create pods with spec.nodeName set to itself");
    ck_assert_int_eq(chain_create(&c, "v1", "pods", "ns", MIRROR("p", "n1", "")), 403);
    ck_assert_str_eq(
        c.op.st.message,
        "pods \"p\" is forbidden: node \"n1\" can only create pods with an owner reference set to itself");
    const char *owned = arena_printf(
        c.w.arena,
        "{\"metadata\":{\"name\":\"p\",\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"},"
        "\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"n1\",\"uid\":\"%s\","
        "\"controller\":true}]},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\","
        "\"image\":\"i\"}]}}",
        uid);
    ck_assert_msg(chain_create(&c, "v1", "pods", "ns", owned) == 0, "%s", c.op.st.message);
    ck_assert_int_eq(
        chain_merge(&c, "v1", "pods", "ns", "p", "status", "{\"status\":{\"phase\":\"Running\"}}"), 0);
    ck_assert_int_eq(
        chain_merge(&c, "v1", "pods", "ns", "p", "status", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), 403);
    ck_assert_int_eq(
        chain_merge(&c, "v1", "pods", "ns", "p", NULL, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}"), 403);
    c.user.name = TEXT("system:node:n2");
    ck_assert_int_eq(
        chain_merge(&c, "v1", "pods", "ns", "p", "status", "{\"status\":{\"phase\":\"Failed\"}}"), 403);
    ck_assert_int_eq(chain_delete(&c, "v1", "pods", "ns", "p"), 403);
    c.user.name = TEXT("system:node:n1");
    ck_assert_int_eq(chain_delete(&c, "v1", "pods", "ns", "p"), 0);
    chain_end(&c);
}
END_TEST

START_TEST(nodes_write_themselves_only)
{
    begin();
    ck_assert_int_eq(chain_create(&c, "v1", "nodes", "", "{\"metadata\":{\"name\":\"n2\"}}"), 403);
    ck_assert_str_eq(c.op.st.message,
                     "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
    ck_assert_int_eq(
        chain_create(&c, "v1", "nodes", "",
                     "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"node-role.kubernetes.io/x\":\"\","
                     "\"a.node-restriction.kubernetes.io/b\":\"\",\"kubernetes.io/hostname\":\"n1\"}}}"),
        403);
    ck_assert_str_eq(c.op.st.message,
                     "nodes \"n1\" is forbidden: node \"n1\" is not allowed to set the following labels: "
                     "a.node-restriction.kubernetes.io/b, node-role.kubernetes.io/x");
    ck_assert_int_eq(
        chain_create(
            &c, "v1", "nodes", "",
            "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"kubernetes.io/hostname\":\"n1\",\"own\":\"x\","
            "\"a.kubelet.kubernetes.io/b\":\"\"}}}"),
        0);
    ck_assert_int_eq(chain_merge(&c, "v1", "nodes", "", "n1", NULL, "{\"spec\":{\"taints\":null}}"), 403);
    ck_assert_str_eq(c.op.st.message,
                     "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints");
    ck_assert_int_eq(chain_merge(&c, "v1", "nodes", "", "n1", NULL,
                                 "{\"metadata\":{\"labels\":{\"topology.kubernetes.io/zone\":\"z\"}}}"),
                     0);
    ck_assert_int_eq(
        chain_merge(&c, "v1", "nodes", "", "n1", NULL, "{\"metadata\":{\"labels\":{\"x.k8s.io/y\":\"z\"}}}"),
        403);
    chain_end(&c);
}
END_TEST

START_TEST(nodes_write_their_lease)
{
    begin();
    chain_provide(&c, "v1", "namespaces", "", "{\"metadata\":{\"name\":\"kube-node-lease\"}}");
    ck_assert_int_eq(
        chain_create(&c, "coordination.k8s.io/v1", "leases", "ns", "{\"metadata\":{\"name\":\"n1\"}}"), 403);
    ck_assert_int_eq(chain_create(&c, "coordination.k8s.io/v1", "leases", "kube-node-lease",
                                  "{\"metadata\":{\"name\":\"n2\"}}"),
                     403);
    ck_assert_int_eq(chain_create(&c, "coordination.k8s.io/v1", "leases", "kube-node-lease",
                                  "{\"metadata\":{\"name\":\"n1\"}}"),
                     0);
    chain_end(&c);
}
END_TEST

START_TEST(others_are_no_nodes)
{
    begin();
    c.user.n_groups = 0;
    ck_assert_int_eq(chain_create(&c, "v1", "nodes", "", "{\"metadata\":{\"name\":\"n2\"}}"), 0);
    chain_end(&c);
}
END_TEST

UNIT_MAIN("node_restriction", nodes_make_mirror_pods_of_their_own, nodes_write_themselves_only,
          nodes_write_their_lease, others_are_no_nodes)
