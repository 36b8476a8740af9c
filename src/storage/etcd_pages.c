/* SPDX-License-Identifier: Apache-2.0 */
/* All keys behind a prefix as they were at one revision, page by page: how everything is loaded, and how one resource is read as
 * it was before the caches' history begins. For the latter etcd says no once the revision is compacted away. */
#include <stdlib.h>

#include "storage/etcd_internal.h"

#define PAGE_KEYS 500
#define READ_PATIENCE_MS 10000 /* how long a page of the past is tried for */

/* --- pages -------------------------------------------------------------------------------------------------------- */

bool etcd_decode_path(struct etcd *e, struct text key, struct text *ret_full, struct text *ret_path)
{
    buffer_clear(&e->scratch);
    if (!base64_add_decoded(&e->scratch, BASE64_STANDARD, key))
        return false;
    *ret_full = buffer_text(&e->scratch);
    *ret_path = text_from(*ret_full, e->prefix_n);
    return text_starts(*ret_full, etcd_prefix(e)) && ret_path->n;
}

void pages_init(struct etcd_pages *p, struct etcd *e, struct text folder, uint64_t revision)
{
    *p = (struct etcd_pages){.etcd = e, .revision = revision};
    buffer_add(&p->next, etcd_prefix(e));
    buffer_add(&p->next, folder);
    buffer_add(&p->end, buffer_text(&p->next));
    p->end.p[p->end.n - 1]++; /* '/' becomes '0': behind every key below */
}

void pages_deinit(struct etcd_pages *p)
{
    buffer_deinit(&p->body);
    buffer_deinit(&p->next);
    buffer_deinit(&p->end);
}

struct text pages_request(struct etcd_pages *p)
{
    buffer_clear(&p->body);
    etcd_write_range(&p->body, buffer_text(&p->next), buffer_text(&p->end), PAGE_KEYS, p->revision);
    return buffer_text(&p->body);
}

static int take_kv(struct etcd_pages *p, const struct etcd_kv *kv, struct status *st)
{
    struct etcd *e = p->etcd;
    struct text full, path;
    if (!etcd_decode_path(e, kv->key, &full, &path))
        return status_set(st, STATUS_INTERNAL_ERROR, "etcd gave a key that was not asked for");
    buffer_clear(&e->value);
    buffer_room(&e->value, 1); /* an empty value is no deletion */
    if (!base64_add_decoded(&e->value, BASE64_STANDARD, kv->value))
        return status_set(st, STATUS_INTERNAL_ERROR, "etcd gave a value that is not base64");
    buffer_clear(&p->next);
    buffer_add(&p->next, full);
    buffer_add_char(&p->next, '\0');
    const struct stored_change row = {.path = path, .value = buffer_text(&e->value), .revision = kv->mod_revision};
    return p->row(p, full, kv, &row, st);
}

int pages_take(struct etcd_pages *p, struct text answer, struct status *st)
{
    struct etcd_range_answer a;
    int result = 0;
    if (!etcd_read_range(answer, &a) || (a.has_more && !a.kvs.n))
        result = status_set(st, STATUS_INTERNAL_ERROR, "etcd gave a page of keys that cannot be read");
    if (!p->revision)
        p->revision = a.revision;
    for (size_t i = 0; i < a.kvs.n && result == 0; i++)
        result = take_kv(p, &a.kvs.p[i], st);
    bool has_more = a.has_more;
    vec_deinit(&a.kvs);
    return result < 0 ? -1 : has_more;
}

/* --- a resource as it was ------------------------------------------------------------------------------------------- */

struct etcd_read {
    struct list link; /* etcd.new_reads, then etcd.reads */
    struct etcd_call call;
    struct etcd_pages pages;
    struct revision_read *read;
    bool is_sent; /* or it waits for the next kick */
    int64_t deadline_ms; /* of this page */
};

void reads_submit(struct etcd *e, struct revision_read *read)
{
    struct etcd_read *r = xcalloc(1, sizeof(*r));
    r->read = read;
    r->call.etcd = e;
    r->call.type = read->type;
    r->call.operation = "list";
    pthread_mutex_lock(&e->mu);
    list_append(&e->new_reads, &r->link);
    pthread_mutex_unlock(&e->mu);
    etcd_queue_take(e);
}

/* st NULL: everything was given. */
static void read_end(struct etcd_read *r, struct status *st)
{
    struct revision_read *read = r->read;
    list_remove(&r->link);
    if (st)
        status_move(&read->st, st);
    call_clear(&r->call);
    pages_deinit(&r->pages);
    free(r);
    read->done(read);
}

static int read_row(struct etcd_pages *p, struct text full, const struct etcd_kv *kv, const struct stored_change *row,
                    struct status *st)
{
    struct revision_read *read = CONTAINER_OF(p, struct etcd_read, pages)->read;
    (void)full;
    (void)kv;
    (void)st;
    read->found(read, row);
    return 0;
}

static void read_send(struct etcd_read *r)
{
    int64_t left_ms = r->deadline_ms - clock_mono_ms();
    r->is_sent = true;
    call_send(&r->call, "/v3/kv/range", pages_request(&r->pages), left_ms > 1 ? left_ms : 1);
}

static void read_refused(struct etcd_read *r)
{
    struct status *st = &r->call.st;
    if (strstr(st->message, "has been compacted"))
        status_set(st, STATUS_EXPIRED, "The resourceVersion for the provided list is too old.");
    read_end(r, st);
}

static void read_answered(struct etcd_call *call, enum call_outcome outcome)
{
    struct etcd_read *r = CONTAINER_OF(call, struct etcd_read, call);
    int more;
    r->is_sent = false;
    switch (outcome) {
    case CALL_OK:
        more = pages_take(&r->pages, buffer_text(&call->x.body_in), &call->st);
        if (more == 1) {
            r->deadline_ms = clock_mono_ms() + READ_PATIENCE_MS;
            read_send(r);
            return;
        }
        read_end(r, more < 0 ? &call->st : NULL);
        return;
    case CALL_NOT_SENT:
    case CALL_UNKNOWN: /* a read: asking twice does no harm */
        if (clock_mono_ms() >= r->deadline_ms)
            read_end(r, &call->st);
        else
            etcd_kick_later(call->etcd);
        return;
    case CALL_REFUSED:
        read_refused(r);
        return;
    case CALL_STOPPED:
        read_end(r, &call->st);
        return;
    }
}

void reads_take(struct etcd *e)
{
    struct list taken;
    list_init(&taken);
    pthread_mutex_lock(&e->mu);
    etcd_move_all(&e->new_reads, &taken);
    pthread_mutex_unlock(&e->mu);
    while (!list_is_empty(&taken)) {
        struct etcd_read *r = CONTAINER_OF(taken.next, struct etcd_read, link);
        list_remove(&r->link);
        list_append(&e->reads, &r->link);
        pages_init(&r->pages, e, r->read->folder, r->read->revision);
        r->pages.row = read_row;
        r->call.done = read_answered;
        r->deadline_ms = clock_mono_ms() + READ_PATIENCE_MS;
        read_send(r);
    }
}

void reads_kick(struct etcd *e)
{
    list_for_each_safe(l, &e->reads) {
        struct etcd_read *r = CONTAINER_OF(l, struct etcd_read, link);
        if (!r->is_sent)
            read_send(r);
    }
}

void reads_stop(struct etcd *e)
{
    etcd_move_all(&e->new_reads, &e->reads);
    while (!list_is_empty(&e->reads)) {
        CLEANUP(status_clear) struct status st = {0};
        status_set(&st, STATUS_SERVICE_UNAVAILABLE, "the server is shutting down");
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the one that ended before has left the list */
        read_end(CONTAINER_OF(e->reads.next, struct etcd_read, link), &st);
    }
}
