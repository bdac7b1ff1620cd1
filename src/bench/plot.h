/* plot.h - small plots as SVG: lines over a few places, or bars where there is one place.
 *
 * Readable on light and dark ground: the colours follow the reader's setting. Values start at 0,
 * so that heights compare. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <stdint.h>

#include "base/buf.h"

enum { PLOT_COLOURS = 8, PLOT_SERIES_MAX = 3 * PLOT_COLOURS, PLOT_PLACES_MAX = 64, PLOT_TEXT = 96 };

enum plot_style {
    PLOT_MEASURED, /* line and dots, from min to max at each */
    PLOT_OTHER,    /* the same, hollow */
    PLOT_LIMIT,    /* a dashed line */
};

struct plot_series {
    char name[PLOT_TEXT];
    enum plot_style style;
    int colour; /* 0..PLOT_COLOURS-1; a measurement and its limit share one */
    struct plot_point {
        double y, min, max; /* y 0: nothing there */
    } at[PLOT_PLACES_MAX];
};

struct plot {
    char title[PLOT_TEXT], x_label[PLOT_TEXT];
    uint32_t x[PLOT_PLACES_MAX]; /* the places' numbers */
    size_t n_places;             /* >= 1 */
    struct plot_series series[PLOT_SERIES_MAX];
    size_t n_series;
};

/* plot_svg - one below the other under a heading of lines. */
void plot_svg(struct buf *out, const char *heading, const struct plot *plots, size_t n_plots);

#endif
