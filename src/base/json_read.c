/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: one pass, no recursion. Children are gathered as slots on a stack; a container's slot stays below
 * them and remembers its parent, so the slots are also the stack of open containers. When a container closes, its
 * children are copied to an array of the exact size in the arena and leave the stack.
 * Errors are worded as Go's scanner words them. At the end of the input that scanner is fed one space, so whatever does
 * not bear a space there reports "invalid character ' '", all else "unexpected end of JSON input".
 * Source: encoding/json scanner.go and sigs.k8s.io/json's fork of decode.go. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/containers.h"
#include "base/json_internal.h"
#include "base/memory.h"
#include "base/utf8.h"

#define INLINE_SLOTS 192
#define MERGES_MAX 64 /* of repeated objects: each copies what there is already */

struct reader {
    const char *start, *end;
    struct arena *arena;
    struct status *st;
    struct text out_of_range; /* the first number that no double holds: reported unless the syntax is wrong, too */

    /* While a container is open its value's n is the slot of its parent. A member's field holds the offset of its
     * key until the array is made. */
    struct value_member *slots;
    size_t n_slots_max;
    struct value_member inline_slots[INLINE_SLOTS];

    const char *const *raw_path; /* NULL: none */
    size_t n_raw_path;
    bool want_duplicates;
    unsigned n_merges_left;
    unsigned n_duplicates;
    uint32_t duplicates[JSON_DUPLICATES_MAX]; /* offsets of the first repetitions, ascending */
};

/* --- errors ----------------------------------------------------------------------------------------------------- */

/* Go makes a rune of the byte and quotes it. */
static const char *quote_byte(unsigned char c, char *out, size_t size)
{
    static const char names[] = "abtnvfr"; /* from 7 on */

    if (c == '\'' || c == '\\')
        snprintf(out, size, "'\\%c'", c);
    else if (c >= 7 && c <= 13)
        snprintf(out, size, "'\\%c'", names[c - 7]);
    else if (c < ' ' || c == 0x7f)
        snprintf(out, size, "'\\x%02x'", c);
    else if (c < 0x7f)
        snprintf(out, size, "'%c'", c);
    else if (c <= 0xa0 || c == 0xad)
        snprintf(out, size, "'\\u%04x'", c);
    else
        snprintf(out, size, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    return out;
}

/* The byte at p cannot stand there. Always NULL. */
static __attribute__((cold, noinline)) const char *fail(struct reader *r, const char *p, const char *context)
{
    char quoted[16];

    status_set(r->st, STATUS_BAD_REQUEST, "invalid character %s %s",
               quote_byte(p < r->end ? (unsigned char)*p : ' ', quoted, sizeof(quoted)), context);
    return NULL;
}

/* The same where white space could stand: the end of the input is an error of its own. */
static __attribute__((cold, noinline)) const char *fail_or_end(struct reader *r, const char *p, const char *context)
{
    if (p < r->end)
        return fail(r, p, context);
    status_set(r->st, STATUS_BAD_REQUEST, "unexpected end of JSON input");
    return NULL;
}

/* --- strings ---------------------------------------------------------------------------------------------------- */

/* p is behind the backslash. */
static const char *check_escape(struct reader *r, const char *p)
{
    if (p == r->end || !strchr("\"\\/bfnrtu", *p) || *p == '\0')
        return fail(r, p, "in string escape code");
    if (*p++ != 'u')
        return p;
    for (int i = 0; i < 4; i++, p++) {
        if (p == r->end || text_hex_digit(*p) < 0)
            return fail(r, p, "in \\u hexadecimal character escape");
    }
    return p;
}

/* A string that begins at p and is not plain at q. */
static __attribute__((noinline)) const char *read_string_slow(struct reader *r, const char *p, const char *q,
                                                              const char **ret, uint32_t *ret_n)
{
    bool has_escapes = false, is_utf8 = true;

    for (;; q = json_skip_plain(q, r->end)) {
        if (q == r->end)
            return fail_or_end(r, q, "");
        if (*q == '"')
            break;
        if (*q == '\\') {
            has_escapes = true;
            if (!(q = check_escape(r, q + 1)))
                return NULL;
        } else if ((signed char)*q >= 0) {
            return fail(r, q, "in string literal");
        } else {
            while (q < r->end && (signed char)*q < 0) {
                unsigned n = utf8_sequence(q, r->end);
                is_utf8 &= n > 0;
                q += n ? n : 1;
            }
        }
    }
    size_t n = (size_t)(q - p);
    *ret = p;
    *ret_n = (uint32_t)n;
    if (has_escapes || !is_utf8) {
        char *out = arena_alloc(r->arena, is_utf8 ? n : 3 * n);
        *ret = out;
        *ret_n = (uint32_t)json_unquote(p, n, out);
    }
    return q + 1;
}

/* p is behind the opening quote; returns behind the closing one. */
static inline const char *read_string(struct reader *r, const char *p, const char **ret, uint32_t *ret_n)
{
    const char *q = json_skip_plain(p, r->end);

    if (UNLIKELY(q == r->end || *q != '"'))
        return read_string_slow(r, p, q, ret, ret_n);
    *ret = p;
    *ret_n = (uint32_t)(q - p);
    return q + 1;
}

/* --- numbers and literals ----------------------------------------------------------------------------------------- */

static inline bool is_digit(const struct reader *r, const char *p)
{
    return p < r->end && (unsigned char)(*p - '0') < 10;
}

static void parse_float(struct reader *r, const char *p, size_t n, struct value *ret)
{
    char inline_copy[64];
    char *copy = n < sizeof(inline_copy) ? inline_copy : arena_alloc(r->arena, n + 1);

    memcpy(copy, p, n);
    copy[n] = '\0';
    *ret = value_float(strtod(copy, NULL));
    if (isinf(ret->number) && !r->out_of_range.p)
        r->out_of_range = (struct text){p, n};
}

/* p is at the first byte behind the integer part: a fraction, an exponent, or more digits than an int64 holds. */
static __attribute__((noinline)) const char *read_float(struct reader *r, const char *start, const char *p,
                                                        struct value *ret)
{
    if (p < r->end && *p == '.') {
        p++;
        if (!is_digit(r, p))
            return fail(r, p, "after decimal point in numeric literal");
        while (is_digit(r, p))
            p++;
    }
    if (p < r->end && (*p | 0x20) == 'e') {
        p++;
        if (p < r->end && (*p == '+' || *p == '-'))
            p++;
        if (!is_digit(r, p))
            return fail(r, p, "in exponent of numeric literal");
        while (is_digit(r, p))
            p++;
    }
    parse_float(r, start, (size_t)(p - start), ret);
    return p;
}

static inline const char *read_number(struct reader *r, const char *p, struct value *ret)
{
    const char *start = p;
    bool is_negative = *p == '-';
    uint64_t magnitude = 0;

    p += is_negative;
    if (UNLIKELY(!is_digit(r, p)))
        return fail(r, p, "in numeric literal");
    const char *digits = p;
    if (*p == '0') {
        p++;
    } else {
        while (is_digit(r, p))
            magnitude = magnitude * 10 + (uint64_t)(*p++ - '0');
    }
    if (UNLIKELY(p < r->end && (*p == '.' || (*p | 0x20) == 'e')))
        return read_float(r, start, p, ret);
    /* 19 digits cannot overflow the uint64. */
    if (UNLIKELY(p - digits > 19 || magnitude > (uint64_t)INT64_MAX + is_negative)) {
        parse_float(r, start, (size_t)(p - start), ret);
        return p;
    }
    *ret = value_int((int64_t)(is_negative ? 0 - magnitude : magnitude));
    return p;
}

static const char *read_literal(struct reader *r, const char *p, struct value *ret)
{
    static const struct {
        const char *word;
        struct value value;
    } literals[] = {{"true", {.kind = VALUE_BOOL, .boolean = true}},
                    {"false", {.kind = VALUE_BOOL, .boolean = false}},
                    {"null", {.kind = VALUE_NULL}}};
    unsigned which = *p == 't' ? 0 : *p == 'f' ? 1 : 2;

    for (const char *expected = literals[which].word; *expected; expected++, p++) {
        if (UNLIKELY(p == r->end || *p != *expected)) {
            char context[48];
            snprintf(context, sizeof(context), "in literal %s (expecting '%c')", literals[which].word, *expected);
            return fail(r, p, context);
        }
    }
    *ret = literals[which].value;
    return p;
}

static const char *read_scalar(struct reader *r, const char *p, struct value *ret)
{
    if (p < r->end) {
        char c = *p;
        if (c == '-' || (unsigned char)(c - '0') < 10)
            return read_number(r, p, ret);
        if (c == 't' || c == 'f' || c == 'n')
            return read_literal(r, p, ret);
    }
    return fail_or_end(r, p, "looking for beginning of value");
}

/* --- repeated keys ------------------------------------------------------------------------------------------------ */

static void note_duplicate(struct reader *r, uint32_t offset)
{
    unsigned at = r->n_duplicates;

    if (!r->want_duplicates)
        return;
    while (at > 0 && r->duplicates[at - 1] > offset)
        at--;
    if (at == JSON_DUPLICATES_MAX)
        return;
    if (r->n_duplicates < JSON_DUPLICATES_MAX)
        r->n_duplicates++;
    memmove(&r->duplicates[at + 1], &r->duplicates[at], (r->n_duplicates - at - 1) * sizeof(r->duplicates[0]));
    r->duplicates[at] = offset;
}

static inline bool same_key(const struct value_member *a, const struct value_member *b)
{
    return a->key_n == b->key_n && memcmp(a->key, b->key, a->key_n) == 0;
}

static size_t drop_duplicates(struct reader *r, struct value_member *m, size_t n);

/* Both objects' members, the later ones over the earlier. Repetitions inside are no news to anyone: each object was whole. */
static struct value merge_objects(struct reader *r, const struct value *first, const struct value *later)
{
    size_t n = (size_t)first->n + later->n;
    struct value_member *members = arena_alloc(r->arena, n * sizeof(*members));
    bool want_duplicates = r->want_duplicates;

    if (first->n)
        memcpy(members, first->members, first->n * sizeof(*members));
    if (later->n)
        memcpy(members + first->n, later->members, later->n * sizeof(*members));
    r->want_duplicates = false;
    if (n)
        n = drop_duplicates(r, members, n);
    r->want_duplicates = want_duplicates;
    return (struct value){.kind = VALUE_OBJECT, .is_exact = 1, .n = (uint32_t)n, .members = members};
}

/* Puts the later value in the place of the earlier one. Go reports a key once, however often it comes again. */
static void replace_duplicate(struct reader *r, struct value_member *first, const struct value_member *later)
{
    if (!first->value.reserved)
        note_duplicate(r, later->field);
    if (first->value.kind == VALUE_OBJECT && later->value.kind == VALUE_OBJECT && r->n_merges_left > 0) {
        r->n_merges_left--;
        first->value = merge_objects(r, &first->value, &later->value);
    } else {
        first->value = later->value;
    }
    first->value.reserved = 1;
}

/* Moves the members that are not repetitions to the front and returns their number. table maps hashes to 1 + their
 * positions; n_table is a power of two, and at least twice n. */
static size_t drop_duplicates(struct reader *r, struct value_member *m, size_t n)
{
    size_t n_table = (size_t)4 << (64 - __builtin_clzll(n)), n_kept = 0;
    uint32_t *table = xcalloc(n_table, sizeof(*table));

    for (size_t i = 0; i < n; i++) {
        size_t at = text_hash(member_key(&m[i])) & (n_table - 1);
        while (table[at] && !same_key(&m[table[at] - 1], &m[i]))
            at = (at + 1) & (n_table - 1);
        if (table[at]) {
            replace_duplicate(r, &m[table[at] - 1], &m[i]);
        } else {
            table[at] = (uint32_t)n_kept + 1;
            m[n_kept++] = m[i];
        }
    }
    free(table);
    for (size_t i = 0; i < n_kept; i++)
        m[i].value.reserved = 0;
    return n_kept;
}

/* Small objects, nearly all of them: one word of bits tells most keys apart without comparing them. */
static inline bool may_have_duplicates(const struct value_member *m, size_t n)
{
    uint64_t seen = 0;

    if (n > 24)
        return true;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *key = (const unsigned char *)m[i].key;
        size_t key_n = m[i].key_n;
        unsigned mix = (unsigned)key_n;
        if (LIKELY(key_n))
            mix += key[0] * 7u + key[key_n - 1] * 13u + key[key_n / 2] * 29u;
        uint64_t bit = 1ull << (mix & 63);
        if (UNLIKELY(seen & bit)) {
            for (size_t j = 0; j < i; j++) {
                if (same_key(&m[j], &m[i]))
                    return true;
            }
        }
        seen |= bit;
    }
    return false;
}

/* --- containers --------------------------------------------------------------------------------------------------- */

static struct value make_object(struct reader *r, struct value_member *children, size_t n)
{
    if (n == 0)
        return (struct value){.kind = VALUE_OBJECT, .is_exact = 1};
    if (n > 1 && UNLIKELY(may_have_duplicates(children, n)))
        n = drop_duplicates(r, children, n);
    struct value_member *members = arena_alloc(r->arena, n * sizeof(*members));
    for (size_t i = 0; i < n; i++) {
        members[i] = children[i];
        members[i].field = 0;
    }
    return (struct value){.kind = VALUE_OBJECT, .is_exact = 1, .n = (uint32_t)n, .members = members};
}

static struct value make_list(struct reader *r, const struct value_member *children, size_t n)
{
    if (n == 0)
        return (struct value){.kind = VALUE_LIST, .is_exact = 1};
    struct value *items = arena_alloc(r->arena, n * sizeof(*items));
    for (size_t i = 0; i < n; i++)
        items[i] = children[i].value;
    return (struct value){.kind = VALUE_LIST, .is_exact = 1, .n = (uint32_t)n, .items = items};
}

/* --- raw values --- */

/* Does the member in the open object stand at the end of the raw path? */
static bool ends_raw_path(const struct reader *r, const struct value_member *member, size_t open)
{
    size_t n = r->n_raw_path;

    if (!text_is(member_key(member), r->raw_path[--n]))
        return false;
    while (open) { /* the root has no name */
        const struct value_member *container = &r->slots[open];
        open = container->value.n;
        if (r->slots[open].value.kind == VALUE_OBJECT && (n == 0 || !text_is(member_key(container), r->raw_path[--n])))
            return false;
    }
    return n == 0;
}

const char *json_skip_value(const char *p, const char *end)
{
    size_t depth = 0;

    do {
        if (p == end)
            return NULL;
        switch (*p++) {
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        case '"':
            while ((p = json_skip_plain(p, end)) < end && *p != '"')
                p += 1 + (*p == '\\' && p + 1 < end);
            p += p < end;
            break;
        default:
            break;
        }
    } while (depth || (p < end && *p != ',' && *p != '}' && *p != ']'));
    return p;
}

static const char *read_raw(struct reader *r, const char *p, struct value *ret)
{
    const char *end = json_skip_value(p, r->end);

    if (!end)
        return fail_or_end(r, r->end, "");
    *ret = value_raw((struct text){p, (size_t)(end - p)});
    return end;
}

/* --- the walk --- */

static __attribute__((cold, noinline)) void grow_slots(struct reader *r)
{
    bool was_inline = r->slots == r->inline_slots;
    size_t n_max = r->n_slots_max * 2;
    struct value_member *slots = xrealloc(was_inline ? NULL : r->slots, n_max * sizeof(*slots));

    if (was_inline)
        memcpy(slots, r->inline_slots, sizeof(r->inline_slots));
    r->slots = slots;
    r->n_slots_max = n_max;
}

static inline const char *skip_space(const struct reader *r, const char *p)
{
    /* Compact input has none, so one comparison must do. */
    if (LIKELY(p < r->end && (unsigned char)*p > ' '))
        return p;
    while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* Reads one value into slots[0]; returns behind it. */
static const char *read_tree(struct reader *r, const char *p, unsigned depth_max)
{
    size_t open = 0, top = 1; /* slot of the innermost open container, next free slot */
    unsigned depth = 0;
    bool in_object = false;
    struct value_member *slot = r->slots;

value: /* into slot, which is slots[top - 1] */
    p = skip_space(r, p);
    if (p < r->end && *p == '"') {
        slot->value.kind = VALUE_STRING;
        slot->value.is_exact = 0;
        slot->value.reserved = 0;
        p = read_string(r, p + 1, &slot->value.string, &slot->value.n);
    } else if (p < r->end && (*p == '{' || *p == '[')) {
        if (UNLIKELY(++depth > depth_max))
            return fail(r, p, "exceeded max depth");
        in_object = *p == '{';
        slot->value = (struct value){.kind = in_object ? VALUE_OBJECT : VALUE_LIST, .n = (uint32_t)open};
        open = top - 1;
        p = skip_space(r, p + 1);
        if (p < r->end && *p == (in_object ? '}' : ']'))
            goto close;
        if (in_object)
            goto member;
        goto item;
    } else {
        p = read_scalar(r, p, &slot->value);
    }
    if (UNLIKELY(!p))
        return NULL;

after_value:
    if (depth == 0)
        return p;
    p = skip_space(r, p);
    if (in_object) {
        if (LIKELY(p < r->end && *p == ',')) {
            p = skip_space(r, p + 1);
            goto member;
        }
        if (UNLIKELY(p == r->end || *p != '}'))
            return fail_or_end(r, p, "after object key:value pair");
    } else {
        if (p < r->end && *p == ',') {
            p++;
            goto item;
        }
        if (UNLIKELY(p == r->end || *p != ']'))
            return fail_or_end(r, p, "after array element");
    }

close:
    p++;
    depth--;
    slot = &r->slots[open];
    size_t parent = slot->value.n;
    slot->value = in_object ? make_object(r, slot + 1, top - open - 1) : make_list(r, slot + 1, top - open - 1);
    top = open + 1;
    open = parent;
    in_object = r->slots[open].value.kind == VALUE_OBJECT;
    goto after_value;

member:
    if (UNLIKELY(p == r->end || *p != '"'))
        return fail_or_end(r, p, "looking for beginning of object key string");
    if (UNLIKELY(top == r->n_slots_max))
        grow_slots(r);
    slot = &r->slots[top++];
    slot->field = (uint32_t)(p - r->start);
    if (UNLIKELY(!(p = read_string(r, p + 1, &slot->key, &slot->key_n))))
        return NULL;
    p = skip_space(r, p);
    if (UNLIKELY(p == r->end || *p != ':'))
        return fail_or_end(r, p, "after object key");
    p++;
    if (UNLIKELY(r->raw_path) && ends_raw_path(r, slot, open)) {
        if (!(p = read_raw(r, p, &slot->value)))
            return NULL;
        goto after_value;
    }
    goto value;

item:
    if (UNLIKELY(top == r->n_slots_max))
        grow_slots(r);
    slot = &r->slots[top++];
    goto value;
}

static int read_document(struct reader *r, const struct json_options *opt, struct value *ret)
{
    unsigned depth_max = opt && opt->depth_max ? opt->depth_max : JSON_DEPTH_MAX;
    const char *p = read_tree(r, r->start, depth_max);

    if (!p)
        return -1;
    p = skip_space(r, p);
    if (p < r->end) {
        fail(r, p, "after top-level value");
        return -1;
    }
    if (r->out_of_range.p)
        return status_set(r->st, STATUS_BAD_REQUEST,
                          "json: cannot unmarshal number %.*s into Go value of type float64",
                          TEXT_ARG(r->out_of_range));
    if (opt && r->n_duplicates)
        json_key_paths(r->arena, (struct text){r->start, (size_t)(r->end - r->start)}, r->duplicates,
                       r->n_duplicates, opt->duplicates);
    *ret = r->slots[0].value;
    return 0;
}

int json_read(struct arena *a, struct text in, const struct json_options *opt, struct value *ret, struct status *st)
{
    struct reader r;

    if (in.n > JSON_INPUT_MAX)
        return status_set(st, STATUS_REQUEST_ENTITY_TOO_LARGE, "JSON text of %zu bytes: limit is %zu", in.n,
                          JSON_INPUT_MAX);
    if (opt && opt->copy_strings)
        in = arena_text(a, in);
    /* Not zeroed as a whole: it holds kilobytes that most documents leave alone. */
    r.start = in.p ? in.p : "";
    r.end = r.start + in.n;
    r.arena = a;
    r.st = st;
    r.out_of_range = TEXT_NONE;
    r.slots = r.inline_slots;
    r.n_slots_max = INLINE_SLOTS;
    r.raw_path = opt ? opt->raw_path : NULL;
    r.n_raw_path = 0;
    while (r.raw_path && r.raw_path[r.n_raw_path])
        r.n_raw_path++;
    r.want_duplicates = opt && opt->duplicates;
    r.n_merges_left = opt && opt->merge_duplicates ? MERGES_MAX : 0;
    r.n_duplicates = 0;

    int status = read_document(&r, opt, ret);
    if (r.slots != r.inline_slots)
        free(r.slots);
    return status;
}

void json_expand(struct arena *a, struct value *v)
{
    CLEANUP(status_clear) struct status st = {0};
    VEC(struct value *) todo = {0};

    vec_push(&todo, v);
    while (todo.n) {
        struct value *at = todo.p[--todo.n];
        if (at->kind == VALUE_RAW && json_read(a, (struct text){at->string, at->n}, NULL, at, &st) < 0)
            *at = value_null; /* never: it is known to be good */
        for (size_t i = 0; at->kind >= VALUE_LIST && i < at->n; i++)
            vec_push(&todo, at->kind == VALUE_OBJECT ? &at->members[i].value : &at->items[i]);
    }
    vec_deinit(&todo);
}
