/* bench_plot.h - what isobit bench found, as plots. */
#ifndef CLI_BENCH_PLOT_H
#define CLI_BENCH_PLOT_H

#include "cli/bench_report.h"

/* bench_plot_write - prompts and generation, each over what was swept most, into an SVG file. */
enum err bench_plot_write(const struct bench_report *r, const char *path, struct err_note *note);

#endif
