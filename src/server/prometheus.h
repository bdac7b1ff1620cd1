/* prometheus.h - metrics in Prometheus' text format, version 0.0.4.
 *
 * A family is announced once and all its samples follow at once. Names are given without the
 * program's prefix, "isobit_"; values of labels may be any text. */
#ifndef SERVER_PROMETHEUS_H
#define SERVER_PROMETHEUS_H

#include "base/buf.h"
#include "base/str.h"
#include "server/histogram.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct prometheus_label {
    const char *name;
    struct str value;
};

/* type: "counter", "gauge" or "histogram". */
void prometheus_family(struct buf *out, const char *name, const char *type, const char *help);
/* value times unit, which is 1 or 1e-9. */
void prometheus_number(struct buf *out, const char *name, const struct prometheus_label *labels,
                       size_t n_labels, uint64_t value, double unit);
void prometheus_histogram(struct buf *out, const char *name, const struct prometheus_label *labels,
                          size_t n_labels, const struct histogram *h,
                          const struct histogram_scale *scale);

#endif
