/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of keys, found by walking the text a second time: only documents with repeated keys pay for it.
 * A path is as sigs.k8s.io/json prints it: keys joined by dots without any quoting, list positions in brackets. */
#include <assert.h>
#include <string.h>

#include "base/containers.h"
#include "base/json_internal.h"

/* What all paths together may take: many deep paths of a hostile document would otherwise take gigabytes. */
#define PATH_BYTES_MAX ((size_t)1 << 20)

struct frame {
    bool is_object, want_key;
    size_t index;    /* of the list's current item */
    struct text key; /* of the object's current member, with its escapes */
};

struct walker {
    struct arena *arena;
    VEC(struct frame) frames;
    struct text_list *ret;
    size_t n_path_bytes;
};

static struct text current_path(const struct walker *w)
{
    struct buffer b = BUFFER_IN(w->arena);

    for (size_t i = 0; i < w->frames.n; i++) {
        const struct frame *f = &w->frames.p[i];
        if (!f->is_object) {
            buffer_add_char(&b, '[');
            buffer_add_u64(&b, f->index);
            buffer_add_char(&b, ']');
            continue;
        }
        if (i > 0)
            buffer_add_char(&b, '.');
        b.n += json_unquote(f->key.p, f->key.n, buffer_room(&b, 3 * f->key.n + 1));
    }
    return buffer_text(&b);
}

static void add_path(struct walker *w)
{
    if (w->n_path_bytes > PATH_BYTES_MAX)
        return;
    struct text path = current_path(w);
    w->n_path_bytes += path.n;
    text_list_add_once(w->arena, w->ret, path);
}

/* p is behind the opening quote; returns at the closing one. */
static const char *string_end(const char *p, const char *end)
{
    for (;;) {
        p = json_skip_plain(p, end);
        if (*p == '"')
            return p;
        p += *p == '\\' ? 2 : 1;
    }
}

void json_key_paths(struct arena *a, struct text in, const uint32_t *offsets, unsigned n_offsets,
                    struct text_list *ret)
{
    struct walker w = {.arena = a, .ret = ret};
    const char *end = in.p + in.n;
    unsigned next = 0;

    for (const char *p = in.p; p < end && next < n_offsets; p++) {
        struct frame *f = w.frames.n ? &w.frames.p[w.frames.n - 1] : NULL;
        switch (*p) {
        case '{':
        case '[':
            /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an array with room is there */
            vec_push(&w.frames, ((struct frame){.is_object = *p == '{', .want_key = *p == '{'}));
            break;
        case '}':
        case ']':
            w.frames.n--;
            break;
        case ',':
            assert(f); /* the text is valid JSON */
            f->index++;
            f->want_key = f->is_object;
            break;
        case '"': {
            const char *start = p + 1;
            p = string_end(start, end);
            if (f && f->want_key) {
                f->want_key = false;
                f->key = (struct text){start, (size_t)(p - start)};
                if ((size_t)(start - 1 - in.p) == offsets[next]) {
                    next++;
                    add_path(&w);
                }
            }
            break;
        }
        default:
            break;
        }
    }
    vec_deinit(&w.frames);
}
