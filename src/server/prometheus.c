/* prometheus.c - families, samples and their escapes. */
#include "server/prometheus.h"

#include <inttypes.h>
#include <stdio.h>

static void add_escaped(struct buf *out, struct str text, bool in_label)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n')
            buf_str(out, "\\n");
        else if (c == '\\' || (c == '"' && in_label))
            buf_printf(out, "\\%c", c);
        else
            buf_char(out, c);
    }
}

void prometheus_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP isobit_%s ", name);
    add_escaped(out, str_from(help), false);
    buf_printf(out, "\n# TYPE isobit_%s %s\n", name, type);
}

/* A sample up to its value; bound is the value of a label "le", or NULL. */
static void begin_sample(struct buf *out, const char *name, const char *suffix,
                         const struct prometheus_label *labels, size_t n_labels, const char *bound)
{
    buf_printf(out, "isobit_%s%s", name, suffix);
    for (size_t i = 0; i < n_labels; i++) {
        buf_printf(out, "%s%s=\"", i ? "," : "{", labels[i].name);
        add_escaped(out, labels[i].value, true);
        buf_char(out, '"');
    }
    if (bound)
        buf_printf(out, "%sle=\"%s\"", n_labels ? "," : "{", bound);
    buf_str(out, n_labels || bound ? "} " : " ");
}

/* Nanoseconds are written as they are, with a point before the last nine digits. */
static void add_value(struct buf *out, uint64_t value, double unit)
{
    const uint64_t s = 1000000000;
    if (unit == 1)
        buf_printf(out, "%" PRIu64 "\n", value);
    else
        buf_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", value / s, value % s);
}

void prometheus_number(struct buf *out, const char *name, const struct prometheus_label *labels,
                       size_t n_labels, uint64_t value, double unit)
{
    begin_sample(out, name, "", labels, n_labels, NULL);
    add_value(out, value, unit);
}

void prometheus_histogram(struct buf *out, const char *name, const struct prometheus_label *labels,
                          size_t n_labels, const struct histogram *h,
                          const struct histogram_scale *scale)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i <= scale->n_bounds; i++) {
        char bound[32] = "+Inf";
        if (i < scale->n_bounds)
            snprintf(bound, sizeof bound, "%.9g", (double)scale->bounds[i] * scale->unit);
        n += h->counts[i];
        begin_sample(out, name, "_bucket", labels, n_labels, bound);
        add_value(out, n, 1);
    }
    begin_sample(out, name, "_sum", labels, n_labels, NULL);
    add_value(out, h->sum, scale->unit);
    begin_sample(out, name, "_count", labels, n_labels, NULL);
    add_value(out, h->n, 1);
}
