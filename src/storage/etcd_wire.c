/* SPDX-License-Identifier: Apache-2.0 */
/* A pull scanner: it walks the text once, hands out texts as they lie, and builds nothing. Every message has its own reader, which
 * knows the few members that matter and skips the rest. The first surprise ends the walk (is_bad), and so the answer. */
#include "storage/etcd_wire.h"

#include "base/base64.h"

#define DEPTH_MAX 32

struct scan {
    const char *p, *end;
    bool is_bad;
};

static struct scan scan_of(struct text t)
{
    return (struct scan){t.p, t.p + t.n, !t.p};
}

static bool bad(struct scan *s)
{
    s->is_bad = true;
    return false;
}

/* The next character that is no white space; 0 at the end. */
static char peek(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
    return s->is_bad || s->p == s->end ? '\0' : *s->p;
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c)
        return false;
    s->p++;
    return true;
}

/* A string's inside. */
static bool take_string(struct scan *s, struct text *ret)
{
    if (!take(s, '"'))
        return bad(s);
    const char *start = s->p;
    const char *quote = memchr(start, '"', (size_t)(s->end - start));
    if (quote && !memchr(start, '\\', (size_t)(quote - start)))
        s->p = quote; /* base64 and numbers: the rule */
    else
        for (; s->p < s->end && *s->p != '"'; s->p++)
            if (*s->p == '\\' && ++s->p == s->end)
                break;
    if (s->p >= s->end)
        return bad(s);
    *ret = (struct text){start, (size_t)(s->p - start)};
    s->p++;
    return true;
}

/* true, null, a number: up to what ends a value. */
static struct text take_bare(struct scan *s)
{
    peek(s);
    const char *start = s->p;
    while (s->p < s->end && *s->p != ',' && *s->p != '}' && *s->p != ']' && *s->p != ' ' && *s->p != '\n')
        s->p++;
    if (s->p == start)
        bad(s);
    return (struct text){start, (size_t)(s->p - start)};
}

static bool take_number(struct scan *s, int64_t *ret)
{
    struct text t = TEXT_NONE;
    if (peek(s) == '"')
        take_string(s, &t);
    else
        t = take_bare(s);
    return s->is_bad || !text_to_i64(t, ret) ? bad(s) : true;
}

static bool take_revision(struct scan *s, uint64_t *ret)
{
    int64_t i;
    if (!take_number(s, &i) || i < 0)
        return bad(s);
    *ret = (uint64_t)i;
    return true;
}

static bool take_bool(struct scan *s, bool *ret)
{
    struct text t = take_bare(s);
    *ret = text_is(t, "true");
    return *ret || text_is(t, "false") ? true : bad(s);
}

/* A value of any kind, goes by its brackets only. */
static void skip(struct scan *s)
{
    struct text unused;
    unsigned depth = 0;
    do {
        char c = peek(s);
        if (c == '{' || c == '[') {
            s->p++;
            if (++depth > DEPTH_MAX)
                bad(s);
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                bad(s);
            s->p++;
            depth--;
        } else if (c == '"') {
            take_string(s, &unused);
        } else if ((c == ',' || c == ':') && depth) {
            s->p++;
        } else {
            take_bare(s);
        }
    } while (depth && !s->is_bad);
}

/* One level of an object or an array. */
struct level {
    bool has_begun;
};

static bool next_item(struct scan *s, struct level *l, char open, char close)
{
    if (!l->has_begun) {
        l->has_begun = true;
        if (!take(s, open))
            return bad(s);
        return !take(s, close);
    }
    if (take(s, close))
        return false;
    return take(s, ',') ? true : bad(s);
}

/* Iterates an object's members: false at its end, or for bad text. */
static bool next_member(struct scan *s, struct level *l, struct text *ret_key)
{
    if (s->is_bad || !next_item(s, l, '{', '}'))
        return false;
    return take_string(s, ret_key) && take(s, ':') ? true : bad(s);
}

static bool next_element(struct scan *s, struct level *l)
{
    return !s->is_bad && next_item(s, l, '[', ']');
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static void add_key(struct buffer *b, struct text key)
{
    buffer_add(b, TEXT("\"key\":\""));
    base64_add(b, BASE64_STANDARD, key);
    buffer_add_char(b, '"');
}

void etcd_write_txn(struct buffer *b, struct text fence, struct text key, uint64_t expected, bool is_delete,
                    struct text value, int64_t lease, struct etcd_txn_parts *ret)
{
    buffer_room(b, 512 + 2 * fence.n + 5 * key.n + value.n + value.n / 2);
    buffer_add(b, TEXT("{\"compare\":[{\"target\":\"MOD\",\"key\":\""));
    ret->fence_at = b->n;
    base64_add(b, BASE64_STANDARD, fence);
    ret->fence_n = b->n - ret->fence_at;
    buffer_add(b, TEXT("\",\"mod_revision\":\"0\"},{\"target\":\"MOD\",\"key\":\""));
    ret->key_at = b->n;
    base64_add(b, BASE64_STANDARD, key);
    ret->key_n = b->n - ret->key_at;
    buffer_add(b, TEXT("\",\"mod_revision\":\""));
    buffer_add_u64(b, expected);
    buffer_add(b, TEXT("\"}],\"success\":[{\"request_"));
    buffer_add(b, is_delete ? TEXT("delete_range\":{\"key\":\"") : TEXT("put\":{\"key\":\""));
    buffer_add_bytes(b, b->p + ret->key_at, ret->key_n);
    ret->value_at = ret->value_n = 0;
    if (!is_delete) {
        buffer_add(b, TEXT("\",\"value\":\""));
        ret->value_at = b->n;
        base64_add(b, BASE64_STANDARD, value);
        ret->value_n = b->n - ret->value_at;
    }
    buffer_add_char(b, '"');
    if (lease)
        buffer_addf(b, ",\"lease\":\"%lld\"", (long long)lease);
    buffer_add(b, TEXT("}}],\"failure\":[{\"request_range\":{\"key\":\""));
    buffer_add_bytes(b, b->p + ret->key_at, ret->key_n);
    buffer_add(b, TEXT("\"}}]}"));
}

void etcd_write_range(struct buffer *b, struct text first, struct text end, int64_t limit, uint64_t revision)
{
    buffer_add_char(b, '{');
    add_key(b, first);
    buffer_add(b, TEXT(",\"range_end\":\""));
    base64_add(b, BASE64_STANDARD, end);
    buffer_addf(b, "\",\"limit\":\"%lld\",\"revision\":\"%llu\"}", (long long)limit, (unsigned long long)revision);
}

void etcd_write_probe(struct buffer *b, struct text key)
{
    buffer_add_char(b, '{');
    add_key(b, key);
    buffer_add(b, TEXT(",\"count_only\":true}"));
}

void etcd_write_put(struct buffer *b, struct text key, struct text value, int64_t lease)
{
    buffer_add_char(b, '{');
    add_key(b, key);
    buffer_add(b, TEXT(",\"value\":\""));
    base64_add(b, BASE64_STANDARD, value);
    buffer_addf(b, "\",\"lease\":\"%lld\"}", (long long)lease);
}

void etcd_write_watch(struct buffer *b, uint64_t first_revision)
{
    /* A range from the zero byte to the zero byte is every key. */
    buffer_addf(b, "{\"create_request\":{\"key\":\"AA==\",\"range_end\":\"AA==\",\"start_revision\":\"%llu\"}}",
                (unsigned long long)first_revision);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void read_header(struct scan *s, uint64_t *ret_revision)
{
    struct level l = {0};
    struct text key;
    while (next_member(s, &l, &key)) {
        if (text_is(key, "revision"))
            take_revision(s, ret_revision);
        else
            skip(s);
    }
}

static void read_kv(struct scan *s, struct etcd_kv *ret)
{
    struct level l = {0};
    struct text key;
    *ret = (struct etcd_kv){0};
    while (next_member(s, &l, &key)) {
        if (text_is(key, "key"))
            take_string(s, &ret->key);
        else if (text_is(key, "value"))
            take_string(s, &ret->value);
        else if (text_is(key, "mod_revision"))
            take_revision(s, &ret->mod_revision);
        else if (text_is(key, "create_revision"))
            take_revision(s, &ret->create_revision);
        else if (text_is(key, "version"))
            take_revision(s, &ret->version);
        else
            skip(s);
    }
    if (!ret->key.n || !ret->mod_revision)
        bad(s);
}

/* {"response_range":{"kvs":[...]}} and its sisters. */
static void read_response(struct scan *s, struct etcd_txn_answer *ret)
{
    struct level outer = {0}, range, kvs;
    struct text key;
    while (next_member(s, &outer, &key)) {
        if (!text_is(key, "response_range")) {
            skip(s);
            continue;
        }
        range = (struct level){0};
        while (next_member(s, &range, &key)) {
            if (!text_is(key, "kvs")) {
                skip(s);
                continue;
            }
            kvs = (struct level){0};
            while (next_element(s, &kvs)) {
                read_kv(s, &ret->kv);
                ret->has_kv = true;
            }
        }
    }
}

bool etcd_read_txn(struct text in, struct etcd_txn_answer *ret)
{
    struct scan s = scan_of(in);
    struct level l = {0}, responses = {0};
    struct text key;
    *ret = (struct etcd_txn_answer){0};
    while (next_member(&s, &l, &key)) {
        if (text_is(key, "header"))
            read_header(&s, &ret->revision);
        else if (text_is(key, "succeeded"))
            take_bool(&s, &ret->has_succeeded);
        else if (text_is(key, "responses"))
            while (next_element(&s, &responses))
                read_response(&s, ret);
        else
            skip(&s);
    }
    return !s.is_bad && ret->revision && peek(&s) == '\0';
}

bool etcd_read_range(struct text in, struct etcd_range_answer *ret)
{
    struct scan s = scan_of(in);
    struct level l = {0}, kvs = {0};
    struct text key;
    struct etcd_kv kv;
    *ret = (struct etcd_range_answer){0};
    while (next_member(&s, &l, &key)) {
        if (text_is(key, "header")) {
            read_header(&s, &ret->revision);
        } else if (text_is(key, "more")) {
            take_bool(&s, &ret->has_more);
        } else if (text_is(key, "kvs")) {
            while (next_element(&s, &kvs)) {
                read_kv(&s, &kv);
                vec_push(&ret->kvs, kv);
            }
        } else {
            skip(&s);
        }
    }
    return !s.is_bad && ret->revision && peek(&s) == '\0';
}

static void read_event(struct scan *s, struct etcd_event *ret)
{
    struct level l = {0};
    struct text key, type;
    *ret = (struct etcd_event){0};
    while (next_member(s, &l, &key)) {
        if (text_is(key, "type")) {
            if (take_string(s, &type) && !text_is(type, "DELETE") && !text_is(type, "PUT"))
                bad(s);
            ret->is_delete = text_is(type, "DELETE");
        } else if (text_is(key, "kv")) {
            read_kv(s, &ret->kv);
        } else {
            skip(s);
        }
    }
    if (!ret->kv.key.n)
        bad(s);
}

static void read_watch_result(struct scan *s, struct etcd_watch_answer *ret)
{
    struct level l = {0}, events = {0};
    struct text key;
    struct etcd_event event;
    while (next_member(s, &l, &key)) {
        if (text_is(key, "header")) {
            read_header(s, &ret->revision);
        } else if (text_is(key, "created")) {
            take_bool(s, &ret->is_created);
        } else if (text_is(key, "canceled")) {
            take_bool(s, &ret->is_canceled);
        } else if (text_is(key, "compact_revision")) {
            take_revision(s, &ret->compact_revision);
        } else if (text_is(key, "cancel_reason")) {
            take_string(s, &ret->reason);
        } else if (text_is(key, "events")) {
            while (next_element(s, &events)) {
                read_event(s, &event);
                vec_push(&ret->events, event);
            }
        } else {
            skip(s);
        }
    }
}

static void read_stream_error(struct scan *s, struct etcd_watch_answer *ret)
{
    struct level l = {0};
    struct text key;
    ret->has_error = true;
    if (peek(s) == '"') { /* some gateways give the bare message */
        take_string(s, &ret->reason);
        return;
    }
    while (next_member(s, &l, &key)) {
        if (text_is(key, "message"))
            take_string(s, &ret->reason);
        else
            skip(s);
    }
}

bool etcd_read_watch(struct text in, struct etcd_watch_answer *ret)
{
    struct scan s = scan_of(in);
    struct level l = {0};
    struct text key;
    *ret = (struct etcd_watch_answer){0};
    while (next_member(&s, &l, &key)) {
        if (text_is(key, "result"))
            read_watch_result(&s, ret);
        else if (text_is(key, "error"))
            read_stream_error(&s, ret);
        else
            skip(&s);
    }
    return !s.is_bad && peek(&s) == '\0';
}

bool etcd_read_number(struct text in, struct text name, int64_t *ret)
{
    struct scan s = scan_of(in);
    struct level l = {0};
    struct text key;
    bool is_there = false;
    while (next_member(&s, &l, &key)) {
        if (text_eq(key, name))
            is_there = take_number(&s, ret);
        else
            skip(&s);
    }
    return is_there && !s.is_bad;
}

struct text etcd_read_string(struct text in, struct text name)
{
    struct scan s = scan_of(in);
    struct level l = {0};
    struct text key, value = TEXT_NONE;
    while (next_member(&s, &l, &key)) {
        if (text_eq(key, name) && peek(&s) == '"')
            take_string(&s, &value);
        else
            skip(&s);
    }
    return s.is_bad ? TEXT_NONE : value;
}

bool etcd_read_error(struct text in, struct text *ret_message, int *ret_code)
{
    int64_t code;
    struct text message = etcd_read_string(in, TEXT("message"));
    if (!message.n)
        message = etcd_read_string(in, TEXT("error"));
    if (!etcd_read_number(in, TEXT("code"), &code) || code < 0 || code > 1000)
        return false;
    *ret_message = message;
    *ret_code = (int)code;
    return true;
}
