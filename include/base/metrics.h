/* metrics.h - counters, gauges and histograms with labels, printed in Prometheus' text form.
 * A family is a static struct, registered once before the first thread starts; a cell is found by its label values
 * and then updated without a lock, so hot paths keep the cell. Threads: any. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/buffer.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX 12
#define METRIC_BUCKETS_MAX 40

struct metric_cell;
struct metric_table;
struct metric_family {
    const char *name, *help;
    enum metric_type type;
    const char *stability;                    /* "ALPHA", "BETA" or "STABLE", printed in the help line */
    const char *labels[METRIC_LABELS_MAX + 1]; /* NULL-terminated; printed in name order */
    const double *buckets;                    /* histogram: upper bounds, without +Inf */
    size_t n_buckets;
    void (*collect)(struct metric_family *f); /* called before printing, to set what is only known then; may be NULL */
    /* private to metrics.c */
    _Atomic(struct metric_table *) table;
    struct metric_family *next;
};

void metrics_register(struct metric_family *f);
/* The cell of these label values (as many as the family has labels: const char * each, or an array of texts), made when
 * first asked for; lives for ever. What clients can make up at will must not become a label's value. */
struct metric_cell *metric_cell(struct metric_family *f, ...);
struct metric_cell *metric_cell_of(struct metric_family *f, const struct text *values);
void metric_add(struct metric_cell *c, double by); /* counter, gauge */
void metric_set(struct metric_cell *c, double to); /* gauge */
void metric_observe(struct metric_cell *c, double value); /* histogram */
double metric_value(const struct metric_cell *c); /* of a histogram: the number of observations */
/* All families in name order, their cells in order of the label values; without labels there is always one. */
void metrics_write(struct buffer *b);
