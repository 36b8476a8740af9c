/* SPDX-License-Identifier: Apache-2.0 */
/* things.h - what the storage tests share: two small resource types, objects of them, writes that are waited for. */
#pragma once

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "storage.h"
#include "unit.h"

static const struct resource_selectable thing_fields[] = {{TEXT("spec.color"), TEXT("spec.color"), 0},
                                                          {TEXT("spec.count"), TEXT("spec.count"), 1}};
UNUSED static const struct resource_type things = {.name = TEXT("things"), .version = TEXT("v1"),
                                                   .is_namespaced = true, .storage_prefix = TEXT("things"),
                                                   .selectable = thing_fields, .n_selectable = 2};
UNUSED static const struct resource_type rooms = {.name = TEXT("rooms"), .version = TEXT("v1"),
                                                  .group = TEXT("example.com"),
                                                  .storage_prefix = TEXT("example.com/rooms")};
UNUSED static const struct resource_type *const all_types[] = {&things, &rooms};

/* A new object of "namespace/name" or "name", with extra members behind metadata.name (`"labels":{...}` and the like) and
 * a spec. */
UNUSED static struct object *make_object(const struct resource_type *type, const char *key, const char *labels,
                                         const char *spec)
{
    struct arena *a = arena_new();
    struct buffer b = BUFFER_IN(a);
    const char *slash = strchr(key, '/');
    struct value tree;
    struct status st = {0};
    buffer_addf(&b, "{\"kind\":\"Thing\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\"", slash ? slash + 1 : key);
    if (slash)
        buffer_addf(&b, ",\"namespace\":\"%.*s\"", (int)(slash - key), key);
    buffer_addf(&b, ",\"uid\":\"u-%s\",", key);
    size_t rv_at = b.n;
    buffer_add_str(&b, "\"creationTimestamp\":\"2026-01-02T03:04:05Z\"");
    if (labels)
        buffer_addf(&b, ",\"labels\":{%s}", labels);
    buffer_addf(&b, "},\"spec\":{%s}}", spec ? spec : "");
    ck_assert_msg(json_read(a, buffer_text(&b), &(struct json_options){0}, &tree, &st) == 0, "%s: %s", buffer_str(&b),
                  st.message);
    struct object *o = object_new(type, buffer_text(&b), rv_at, &tree);
    arena_free(a);
    return o;
}

UNUSED static struct text t_of(const char *s)
{
    return text_of(s);
}

/* --- a storage in a folder of its own --- */

struct house {
    char folder[64], path[128];
    struct timers *timers;
    struct storage *storage;
};

/* Opens the engine under test; each program that includes this defines it. */
static int open_engine(const char *path, struct backend **ret, struct status *st);
/* Ends what open_engine has started beside it, after the house's last storage is stopped; may stay NULL. */
UNUSED static void (*end_engine)(const char *path);

UNUSED static void house_open(struct house *h, size_t ring_max)
{
    struct status st = {0};
    struct storage_options opt = {.types = all_types, .n_types = 2, .timers = h->timers, .ring_max_events = ring_max};
    ck_assert_msg(open_engine(h->path, &opt.backend, &st) == 0, "%s", st.message);
    ck_assert_msg(storage_start(&opt, &h->storage, &st) == 0, "%s", st.message);
}

UNUSED static void house_new(struct house *h, size_t ring_max)
{
    *h = (struct house){.folder = "/tmp/keelson-storage-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(h->folder));
    snprintf(h->path, sizeof(h->path), "%s/keelson.db", h->folder);
    h->timers = timers_start();
    house_open(h, ring_max);
}

UNUSED static void house_close(struct house *h)
{
    storage_stop(h->storage);
    h->storage = NULL;
}

UNUSED static void remove_folder(const char *folder)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

UNUSED static void house_free(struct house *h)
{
    house_close(h);
    timers_stop(h->timers);
    if (end_engine)
        end_engine(h->path);
    remove_folder(h->folder);
}

UNUSED static struct cache *cache_of(struct house *h)
{
    return storage_cache(h->storage, &things);
}

/* --- writes --- */

struct waited_write {
    struct storage_write write; /* first */
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool is_done;
};

UNUSED static void write_done(struct storage_write *w)
{
    struct waited_write *ww = CONTAINER_OF(w, struct waited_write, write);
    pthread_mutex_lock(&ww->mu);
    ww->is_done = true;
    pthread_cond_signal(&ww->cond);
    pthread_mutex_unlock(&ww->mu);
}

UNUSED static void write_submit(struct storage *s, struct waited_write *ww)
{
    pthread_mutex_init(&ww->mu, NULL);
    pthread_cond_init(&ww->cond, NULL);
    ww->write.done = write_done;
    storage_submit(s, &ww->write);
}

/* The references go; the result stays. */
UNUSED static void write_wait(struct waited_write *ww)
{
    pthread_mutex_lock(&ww->mu);
    while (!ww->is_done)
        pthread_cond_wait(&ww->cond, &ww->mu);
    pthread_mutex_unlock(&ww->mu);
    pthread_mutex_destroy(&ww->mu);
    pthread_cond_destroy(&ww->cond);
    object_unref(MOVE(ww->write.object));
    object_unref(MOVE(ww->write.previous));
    object_unref(MOVE(ww->write.found));
    status_clear(&ww->write.st);
}

/* Puts (spec given) or deletes (NULL) the object over its current state; the revision, or 0 for a conflict. */
UNUSED static uint64_t put_labelled(struct storage *s, const struct resource_type *type, const char *key,
                                    const char *labels, const char *spec)
{
    struct waited_write ww = {.write = {.type = type, .key = text_of(key)}};
    ww.write.previous = cache_get(storage_cache(s, type), text_of(key));
    ww.write.expected_revision = ww.write.previous ? ww.write.previous->revision : 0;
    ww.write.op = spec ? WRITE_PUT : WRITE_DELETE;
    ww.write.object = spec ? make_object(type, key, labels, spec) : NULL;
    write_submit(s, &ww);
    write_wait(&ww);
    ck_assert_int_ne(ww.write.result, WRITE_FAILED);
    return ww.write.result == WRITE_DONE ? ww.write.revision : 0;
}

UNUSED static uint64_t put(struct storage *s, const char *key, const char *spec)
{
    return put_labelled(s, &things, key, NULL, spec);
}

UNUSED static uint64_t del(struct storage *s, const char *key)
{
    return put_labelled(s, &things, key, NULL, NULL);
}

/* --- watches --- */

/* What a watch was told, a line each: "ADDED a/x 5 red", "PROGRESS 7", "ENDED". */
struct heard {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    struct buffer lines;
    size_t n;
};

UNUSED static void heard_add(struct heard *h, const char *line)
{
    pthread_mutex_lock(&h->mu);
    buffer_add_str(&h->lines, line);
    h->n++;
    pthread_cond_broadcast(&h->cond);
    pthread_mutex_unlock(&h->mu);
}

UNUSED static void heard_event(void *ctx, enum event_type type, struct object *o, const struct event *e)
{
    char line[256];
    ck_assert(!e || e->revision == o->revision);
    snprintf(line, sizeof(line), "%s %.*s %llu %.*s\n", event_type_name(type), TEXT_ARG(o->key),
             (unsigned long long)o->revision, TEXT_ARG(o->n_fields ? o->fields[0] : TEXT_NONE));
    heard_add(ctx, line);
}

UNUSED static void heard_progress(void *ctx, uint64_t revision)
{
    char line[64];
    snprintf(line, sizeof(line), "PROGRESS %llu\n", (unsigned long long)revision);
    heard_add(ctx, line);
}

UNUSED static void heard_ended(void *ctx)
{
    heard_add(ctx, "ENDED\n");
}

UNUSED static const struct watcher_ops heard_ops = {.event = heard_event, .ended = heard_ended};
UNUSED static const struct watcher_ops heard_progress_ops = {
    .event = heard_event, .progress = heard_progress, .ended = heard_ended};

UNUSED static void heard_init(struct heard *h)
{
    *h = (struct heard){.lines = BUFFER_INIT};
    pthread_mutex_init(&h->mu, NULL);
    pthread_cond_init(&h->cond, NULL);
}

/* Waits until n lines have come in, and compares all of them. */
UNUSED static void heard_expect(struct heard *h, size_t n, const char *lines)
{
    pthread_mutex_lock(&h->mu);
    while (h->n < n)
        pthread_cond_wait(&h->cond, &h->mu);
    ck_assert_str_eq(buffer_str(&h->lines), lines);
    pthread_mutex_unlock(&h->mu);
}

UNUSED static void heard_deinit(struct heard *h)
{
    buffer_deinit(&h->lines);
    pthread_mutex_destroy(&h->mu);
    pthread_cond_destroy(&h->cond);
}
