/* SPDX-License-Identifier: Apache-2.0 */
/* The etcd gateway's answers, each reader over the same bytes: what it hands out must lie within them. */
#include <stdlib.h>

#include "storage/etcd_wire.h"

static void check(struct text whole, struct text t)
{
    if (t.p && (t.p < whole.p || t.p + t.n > whole.p + whole.n))
        abort();
}

static void check_kv(struct text whole, const struct etcd_kv *kv)
{
    check(whole, kv->key);
    check(whole, kv->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = {(const char *)data, size}, message = TEXT_NONE;
    struct etcd_txn_answer txn;
    struct etcd_range_answer range;
    struct etcd_watch_answer watch;
    int64_t number;
    int code;

    if (etcd_read_txn(in, &txn)) {
        check_kv(in, &txn.kv);
        if (!txn.revision)
            abort();
    }
    if (etcd_read_range(in, &range))
        for (size_t i = 0; i < range.kvs.n; i++)
            check_kv(in, &range.kvs.p[i]);
    vec_deinit(&range.kvs);
    if (etcd_read_watch(in, &watch)) {
        check(in, watch.reason);
        for (size_t i = 0; i < watch.events.n; i++)
            check_kv(in, &watch.events.p[i].kv);
    }
    vec_deinit(&watch.events);
    etcd_read_number(in, TEXT("ID"), &number);
    check(in, etcd_read_string(in, TEXT("etcdserver")));
    if (etcd_read_error(in, &message, &code))
        check(in, message);
    return 0;
}
