/* bench_report.h - what isobit bench found, as a table for people, JSON, CSV or Markdown. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "bench/machine.h"
#include "bench/measure.h"

/* The baseline's side of a test (--against). */
struct bench_versus {
    size_t n_pairs; /* 0: the baseline did not run this test */
    struct bench_spread tokens_per_second;
    double ratio;              /* of the medians: ours by theirs */
    double pair_min, pair_max; /* of the ratios of each pair */
};

struct bench_row {
    struct bench_series series;
    struct bench_summary summary;
    struct bench_versus versus;
};

struct bench_report {
    struct machine machine;
    const char *commit;
    const char *model; /* the file's name */
    char arch[40];
    uint64_t n_params, n_bytes_file, n_bytes_weights, n_bytes_resident;
    const char *isa;
    const char *against; /* the baseline's command, or NULL */
    char baseline[160];  /* what it says of itself, "" if nothing */
    struct bench_row *rows;
    size_t n_rows;
};

void bench_report_table(const struct bench_report *r, FILE *out);
void bench_report_csv(const struct bench_report *r, FILE *out);
void bench_report_markdown(const struct bench_report *r, FILE *out);
/* NULL: out of memory. */
json_t *bench_report_json(const struct bench_report *r);

#endif
