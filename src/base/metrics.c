/* SPDX-License-Identifier: Apache-2.0 */
/* Each family has a small hash table of cells that only ever grows: a new cell is pushed onto its chain by
 * compare-and-swap, so that looking one up and updating it takes no lock. Numbers are doubles kept as their bits in an
 * atomic word. Printing sorts; it is rare. */
#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/containers.h"
#include "base/memory.h"

#define TABLE_SLOTS 128

struct metric_cell {
    struct metric_cell *next;
    const struct metric_family *family;
    uint64_t hash;
    _Atomic uint64_t value;    /* of a double; a histogram's sum */
    _Atomic uint64_t *buckets; /* histogram: not cumulative, the last is +Inf */
    struct text labels[];
};

struct metric_table {
    _Atomic(struct metric_cell *) slots[TABLE_SLOTS];
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; /* guards the list of families */
static struct metric_family *families;                 /* in name order */

static size_t n_labels(const struct metric_family *f)
{
    size_t n = 0;
    while (f->labels[n])
        n++;
    return n;
}

void metrics_register(struct metric_family *f)
{
    bool has_labels = f->labels[0] != NULL;
    pthread_mutex_lock(&mu);
    struct metric_family **at = &families;
    while (*at && strcmp((*at)->name, f->name) < 0)
        at = &(*at)->next;
    if (*at != f) {
        f->next = *at;
        *at = f;
    }
    pthread_mutex_unlock(&mu);
    if (!has_labels)
        metric_cell(f);
}

/* --- cells --- */

static struct metric_table *table_of(struct metric_family *f)
{
    struct metric_table *t = atomic_load_explicit(&f->table, memory_order_acquire);
    if (t)
        return t;
    struct metric_table *made = xcalloc(1, sizeof(*made));
    if (atomic_compare_exchange_strong(&f->table, &t, made))
        return made;
    free(made);
    return t;
}

static struct metric_cell *find(struct metric_cell *c, struct metric_cell *end, uint64_t hash,
                                const struct text *values, size_t n)
{
    for (; c != end; c = c->next) {
        size_t same = 0;
        if (c->hash != hash)
            continue;
        while (same < n && text_eq(c->labels[same], values[same]))
            same++;
        if (same == n)
            return c;
    }
    return NULL;
}

static struct metric_cell *cell_new(const struct metric_family *f, uint64_t hash, const struct text *values, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += values[i].n;
    struct metric_cell *c = xcalloc(1, sizeof(*c) + n * sizeof(c->labels[0]) + bytes);
    char *p = (char *)&c->labels[n];
    for (size_t i = 0; i < n; i++) {
        c->labels[i] = (struct text){p, values[i].n};
        if (values[i].n)
            memcpy(p, values[i].p, values[i].n);
        p += values[i].n;
    }
    c->family = f;
    c->hash = hash;
    if (f->type == METRIC_HISTOGRAM)
        c->buckets = xcalloc(f->n_buckets + 1, sizeof(*c->buckets));
    return c;
}

struct metric_cell *metric_cell_of(struct metric_family *f, const struct text *values)
{
    size_t n = n_labels(f);
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++)
        hash = (hash << 7 | hash >> 57) ^ text_hash(values[i]);
    _Atomic(struct metric_cell *) *slot = &table_of(f)->slots[hash % TABLE_SLOTS];
    struct metric_cell *head = atomic_load_explicit(slot, memory_order_acquire);
    struct metric_cell *found = find(head, NULL, hash, values, n);
    if (found)
        return found;
    struct metric_cell *made = cell_new(f, hash, values, n);
    do {
        made->next = head;
        if (atomic_compare_exchange_strong_explicit(slot, &head, made, memory_order_acq_rel, memory_order_acquire))
            return made;
        found = find(head, made->next, hash, values, n); /* among those that came in between */
    } while (!found);
    free(made->buckets);
    free(made);
    return found;
}

struct metric_cell *metric_cell(struct metric_family *f, ...)
{
    struct text values[METRIC_LABELS_MAX] = {0};
    size_t n = n_labels(f);
    va_list args;
    va_start(args, f);
    for (size_t i = 0; i < n; i++)
        values[i] = text_of(va_arg(args, const char *));
    va_end(args);
    return metric_cell_of(f, values);
}

/* --- updates --- */

static double to_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

static uint64_t to_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

void metric_add(struct metric_cell *c, double by)
{
    uint64_t old = atomic_load_explicit(&c->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&c->value, &old, to_bits(to_double(old) + by),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void metric_set(struct metric_cell *c, double to)
{
    atomic_store_explicit(&c->value, to_bits(to), memory_order_relaxed);
}

void metric_observe(struct metric_cell *c, double value)
{
    const struct metric_family *f = c->family;
    size_t low = 0, high = f->n_buckets; /* the first bound that is not below value */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (f->buckets[mid] < value)
            low = mid + 1;
        else
            high = mid;
    }
    atomic_fetch_add_explicit(&c->buckets[low], 1, memory_order_relaxed);
    metric_add(c, value);
}

double metric_value(const struct metric_cell *c)
{
    if (!c->buckets)
        return to_double(atomic_load_explicit(&c->value, memory_order_relaxed));
    uint64_t n = 0;
    for (size_t i = 0; i <= c->family->n_buckets; i++)
        n += atomic_load_explicit(&c->buckets[i], memory_order_relaxed);
    return (double)n;
}

/* --- the text form: prometheus/common expfmt/text_create.go --- */

/* The shortest digits that read back as d; with an exponent from a million on, as Go's 'g' does it:
 * 1e+06, 1.234567e+06. */
static void add_double(struct buffer *b, double d)
{
    char s[40];
    if (isnan(d)) {
        buffer_add(b, TEXT("NaN"));
    } else if (isinf(d)) {
        buffer_add_str(b, d > 0 ? "+Inf" : "-Inf");
    } else if (fabs(d) < 1000000 && d == (double)(int64_t)d) {
        buffer_add_i64(b, (int64_t)d);
    } else {
        int digits = 1;
        do
            snprintf(s, sizeof(s), "%.*e", digits - 1, d);
        while (strtod(s, NULL) != d && digits++ < 17);
        int exponent = atoi(strchr(s, 'e') + 1);
        if (exponent >= -4 && exponent < 6) {
            int decimals = digits - 1 - exponent;
            snprintf(s, sizeof(s), "%.*f", decimals > 0 ? decimals : 0, d);
        }
        buffer_add_str(b, s);
    }
}

static void add_escaped(struct buffer *b, struct text t, bool quotes)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '\n')
            buffer_add(b, TEXT("\\n"));
        else if (t.p[i] == '\\' || (quotes && t.p[i] == '"'))
            buffer_addf(b, "\\%c", t.p[i]);
        else
            buffer_add_char(b, t.p[i]);
    }
}

/* What all lines of one family share while it is printed. */
struct printing {
    const struct metric_family *f;
    size_t n_labels;
    unsigned char order[METRIC_LABELS_MAX]; /* of the labels, by name */
};

static void add_name(struct buffer *b, const struct printing *p, const struct metric_cell *c, const char *suffix,
                     const double *le)
{
    buffer_add_str(b, p->f->name);
    buffer_add_str(b, suffix);
    for (size_t i = 0; i < p->n_labels; i++) {
        buffer_addf(b, "%c%s=\"", i ? ',' : '{', p->f->labels[p->order[i]]);
        add_escaped(b, c->labels[p->order[i]], true);
        buffer_add_char(b, '"');
    }
    if (le) {
        buffer_add_str(b, p->n_labels ? ",le=\"" : "{le=\"");
        add_double(b, *le);
        buffer_add_char(b, '"');
    }
    buffer_add_str(b, p->n_labels || le ? "} " : " ");
}

static void add_line(struct buffer *b, const struct printing *p, const struct metric_cell *c, const char *suffix,
                     const double *le, double value)
{
    add_name(b, p, c, suffix, le);
    add_double(b, value);
    buffer_add_char(b, '\n');
}

static void add_histogram(struct buffer *b, const struct printing *p, const struct metric_cell *c)
{
    static const double infinite = INFINITY;
    uint64_t n = 0;
    for (size_t i = 0; i <= p->f->n_buckets; i++) {
        n += atomic_load_explicit(&c->buckets[i], memory_order_relaxed);
        add_line(b, p, c, "_bucket", i < p->f->n_buckets ? &p->f->buckets[i] : &infinite, (double)n);
    }
    add_line(b, p, c, "_sum", NULL, to_double(atomic_load_explicit(&c->value, memory_order_relaxed)));
    add_line(b, p, c, "_count", NULL, (double)n);
}

static int compare_cells(const void *x, const void *y, void *arg)
{
    const struct metric_cell *const *a = x, *const *b = y;
    const struct printing *p = arg;
    int c = 0;
    for (size_t i = 0; i < p->n_labels && c == 0; i++)
        c = text_cmp((*a)->labels[p->order[i]], (*b)->labels[p->order[i]]);
    return c;
}

static void printing_init(struct printing *p, const struct metric_family *f)
{
    *p = (struct printing){.f = f, .n_labels = n_labels(f)};
    for (size_t i = 0; i < p->n_labels; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(f->labels[p->order[at - 1]], f->labels[i]) > 0; at--)
            p->order[at] = p->order[at - 1];
        p->order[at] = (unsigned char)i;
    }
}

static void add_family(struct buffer *b, struct metric_family *f)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    VEC(struct metric_cell *) cells = {0};
    struct printing p;
    if (f->collect)
        f->collect(f);
    struct metric_table *t = table_of(f);
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        for (struct metric_cell *c = atomic_load(&t->slots[i]); c; c = c->next)
            vec_push(&cells, c);
    if (cells.n == 0)
        return;
    printing_init(&p, f);
    qsort_r(cells.p, cells.n, sizeof(struct metric_cell *), compare_cells, &p);
    buffer_addf(b, "# HELP %s ", f->name);
    if (f->stability)
        buffer_addf(b, "[%s] ", f->stability);
    add_escaped(b, text_of(f->help), false);
    buffer_addf(b, "\n# TYPE %s %s\n", f->name, types[f->type]);
    for (size_t i = 0; i < cells.n; i++) {
        if (f->type == METRIC_HISTOGRAM)
            add_histogram(b, &p, cells.p[i]);
        else
            add_line(b, &p, cells.p[i], "", NULL, to_double(atomic_load(&cells.p[i]->value)));
    }
    vec_deinit(&cells);
}

void metrics_write(struct buffer *b)
{
    pthread_mutex_lock(&mu);
    struct metric_family *f = families;
    pthread_mutex_unlock(&mu);
    /* Families come only before the threads start, so the list may be walked without the lock. */
    for (; f; f = f->next)
        add_family(b, f);
}
