/* SPDX-License-Identifier: Apache-2.0 */
/* History that nobody needs is compacted away every few minutes, by one of all servers of the store: each counts up the
 * version of one key by compare-and-swap, and who wins compacts to the revision that it saw one interval ago. The key and its
 * value are upstream's, so that kube-apiservers take part in the same round.
 * Source: kubernetes/apiserver pkg/storage/etcd3/compact.go. */
#include "storage/etcd_internal.h"

static const struct text rev_key = TEXT("compact_rev_key");

static void stop_round(struct etcd *e)
{
    e->compactor.is_running = false;
    e->compactor.next_ms = clock_mono_ms() + e->compaction_interval_ms;
}

static void compacted(struct etcd_call *call, enum call_outcome outcome)
{
    struct etcd *e = call->etcd;
    if (outcome == CALL_OK)
        log_verbose(4, "Compacted etcd's history", LOG_U64("revision", e->compactor.revision));
    else if (outcome != CALL_STOPPED && !strstr(call->st.message, "has been compacted"))
        log_error("etcd's history was not compacted", LOG_STR("error", call->st.message));
    stop_round(e);
}

static void counted(struct etcd_call *call, enum call_outcome outcome)
{
    struct etcd *e = call->etcd;
    struct compactor *c = &e->compactor;
    struct etcd_txn_answer answer;
    if (outcome != CALL_OK || !etcd_read_txn(buffer_text(&call->x.body_in), &answer)) {
        stop_round(e);
        return;
    }
    etcd_heard(e, answer.revision);
    uint64_t target = c->revision;
    c->revision = answer.revision;
    if (!answer.has_succeeded) { /* another server's turn */
        c->time = answer.has_kv ? answer.kv.version : 0;
        stop_round(e);
        return;
    }
    c->time++;
    if (!target) {
        stop_round(e);
        return;
    }
    buffer_clear(&c->body);
    buffer_addf(&c->body, "{\"revision\":\"%llu\"}", (unsigned long long)target);
    call->done = compacted;
    call_send(call, "/v3/kv/compaction", buffer_text(&c->body), 60000);
}

static void add_key(struct buffer *b)
{
    buffer_add(b, TEXT("\"key\":\""));
    base64_add(b, BASE64_STANDARD, rev_key);
    buffer_add_char(b, '"');
}

void compact_tick(struct etcd *e)
{
    struct compactor *c = &e->compactor;
    char text[24];
    if (!e->compaction_interval_ms || c->is_running)
        return;
    if (!c->next_ms)
        stop_round(e);
    if (clock_mono_ms() < c->next_ms)
        return;
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)c->revision);
    buffer_clear(&c->body);
    buffer_add(&c->body, TEXT("{\"compare\":[{\"target\":\"VERSION\","));
    add_key(&c->body);
    buffer_addf(&c->body, ",\"version\":\"%llu\"}],\"success\":[{\"request_put\":{", (unsigned long long)c->time);
    add_key(&c->body);
    buffer_add(&c->body, TEXT(",\"value\":\""));
    base64_add(&c->body, BASE64_STANDARD, (struct text){text, (size_t)n});
    buffer_add(&c->body, TEXT("\"}}],\"failure\":[{\"request_range\":{"));
    add_key(&c->body);
    buffer_add(&c->body, TEXT("}}]}"));
    c->is_running = true;
    c->call.etcd = e;
    c->call.operation = "compact";
    c->call.done = counted;
    call_send(&c->call, "/v3/kv/txn", buffer_text(&c->body), 10000);
}
