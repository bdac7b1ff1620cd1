/* bench_report.h - what isobit bench found, as a table for people, JSON, CSV or Markdown. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "bench/machine.h"
#include "bench/measure.h"

struct bench_row {
    struct bench_series series;
    struct bench_summary summary;
    double theirs[BENCH_REPEATS_MAX]; /* the baseline's rate in each repetition (--against) */
    size_t n_theirs;                  /* 0: the baseline does not run this test */
    struct bench_versus versus;       /* where n_theirs > 0 */
};

struct bench_report {
    struct machine machine;
    const char *commit;
    const char *model; /* the file's name */
    char arch[40];
    uint64_t n_params, n_bytes_file, n_bytes_weights, n_bytes_resident;
    const char *isa;
    const char *against; /* the baseline's command, or NULL */
    char baseline[80];   /* what it says of itself, "" if nothing */
    struct bench_row *rows;
    size_t n_rows;
};

void bench_report_table(const struct bench_report *r, FILE *out);
void bench_report_csv(const struct bench_report *r, FILE *out);
void bench_report_markdown(const struct bench_report *r, FILE *out);
/* NULL: out of memory. */
json_t *bench_report_json(const struct bench_report *r);

#endif
