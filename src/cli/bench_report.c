/* bench_report.c - figures with as many digits as they deserve. */
#include "cli/bench_report.h"

#include <string.h>

#include "base/check.h"
#include "cli/say.h"

static int threads_first(const struct bench_report *r)
{
    return r->n_rows ? (int)r->rows[0].series.test.n_threads : 0;
}

static bool one_thread_count(const struct bench_report *r)
{
    for (size_t i = 0; i < r->n_rows; i++)
        if ((int)r->rows[i].series.test.n_threads != threads_first(r))
            return false;
    return true;
}

static const char *row_name(const struct bench_report *r, const struct bench_row *row,
                            char out[2 * BENCH_NAME])
{
    char name[BENCH_NAME];
    bench_test_name(&row->series.test, name);
    if (one_thread_count(r))
        snprintf(out, 2 * BENCH_NAME, "%s", name);
    else
        snprintf(out, 2 * BENCH_NAME, "%s, %u threads", name, row->series.test.n_threads);
    return out;
}

/* "91 % of 45.2 GB/s" */
static const char *roof_text(const struct bench_row *row, char out[64])
{
    const struct bench_summary *s = &row->summary;
    if (s->roof_share <= 0)
        snprintf(out, 64, "it moved");
    else if (s->bound == BENCH_BOUND_READ)
        snprintf(out, 64, "%.0f %% of %.1f GB/s", 100 * s->roof_share, s->roof_gb_per_s);
    else
        snprintf(out, 64, "%.0f %% of %.0f GOP/s", 100 * s->roof_share, s->roof_gops);
    return out;
}

/* Three digits before the point are enough. */
static const char *rate_text(double x, char out[32])
{
    snprintf(out, 32, x < 1000 ? "%.1f" : "%.0f", x);
    return out;
}

static void print_head(const struct bench_report *r, FILE *out, const char *line_end)
{
    char params[SIZE_TEXT], bytes[SIZE_TEXT], memory[SIZE_TEXT];
    fprintf(out, "%s: %s, %s parameters, %s; %s", r->model, r->arch,
            count_text(r->n_params, params), size_text(r->n_bytes_file, bytes), r->isa);
    if (one_thread_count(r) && strcmp(r->isa, "cuda") != 0)
        fprintf(out, ", %d thread%s", threads_first(r), threads_first(r) == 1 ? "" : "s");
    fprintf(out, "%s%s, %d processors, %s; %s; isobit at commit %s%s", line_end, r->machine.cpu,
            r->machine.n_processors, size_text(r->machine.n_bytes_memory, memory),
            r->machine.system, r->commit, line_end);
    if (r->against)
        fprintf(out, "against %s%s%s%s%s", r->against, *r->baseline ? " (" : "", r->baseline,
                *r->baseline ? ")" : "", line_end);
}

static size_t n_dropped(const struct bench_report *r, size_t *n_all)
{
    size_t n = 0;
    *n_all = 0;
    for (size_t i = 0; i < r->n_rows; i++) {
        n += r->rows[i].summary.n_dropped;
        *n_all += r->rows[i].series.n_samples;
    }
    return n;
}

static void print_foot(const struct bench_report *r, FILE *out)
{
    size_t n_all, n = n_dropped(r, &n_all);
    fprintf(out,
            "Medians. The roof is what reading (GB/s) or multiplying (GOP/s) alone would allow,\n"
            "measured before and after each repetition; %zu of %zu repetitions had a roof that\n"
            "moved by more than 10 %% and are left out of the roof's column.\n",
            n, n_all);
}

static void versus_cells(const struct bench_row *row, char theirs[32], char ratio[64])
{
    const struct bench_versus *v = &row->versus;
    snprintf(theirs, 32, "-");
    snprintf(ratio, 64, "-");
    if (row->n_theirs == 0)
        return;
    rate_text(v->tokens_per_second.median, theirs);
    snprintf(ratio, 64, "%.2f (%.2f to %.2f)", v->ratio, v->pair_min, v->pair_max);
}

void bench_report_table(const struct bench_report *r, FILE *out)
{
    print_head(r, out, "\n");
    fprintf(out, "\n%-22s %9s %17s %9s %8s %7s  %-22s", "test", "tokens/s", "(min to max)",
            "ms/step", "GOP/s", "GB/s", "of the roof");
    fprintf(out, r->against ? " %10s  %s\n" : "\n", "baseline", "ratio");
    for (size_t i = 0; i < r->n_rows; i++) {
        const struct bench_row *row = &r->rows[i];
        const struct bench_summary *s = &row->summary;
        char name[2 * BENCH_NAME], rate[32], min[32], max[32], range[72], roof[64], theirs[32];
        char ratio[64];
        snprintf(range, sizeof range, "(%s to %s)", rate_text(s->tokens_per_second.min, min),
                 rate_text(s->tokens_per_second.max, max));
        fprintf(out, "%-22s %9s %17s %9.2f %8.1f %7.1f  %-22s", row_name(r, row, name),
                rate_text(s->tokens_per_second.median, rate), range, s->step_ms_p50, s->gops,
                s->gb_per_s, roof_text(row, roof));
        versus_cells(row, theirs, ratio);
        if (r->against)
            fprintf(out, " %10s  %s", theirs, ratio);
        fputc('\n', out);
    }
    fputc('\n', out);
    print_foot(r, out);
}

void bench_report_markdown(const struct bench_report *r, FILE *out)
{
    print_head(r, out, "  \n");
    fprintf(out,
            "\n| test | tokens/s (min to max) | ms/step p50, p95, p99 | GOP/s | GB/s | "
            "of the roof |%s\n|---|---|---|---|---|---|%s\n",
            r->against ? " baseline tokens/s | ratio (min to max of pairs) |" : "",
            r->against ? "---|---|" : "");
    for (size_t i = 0; i < r->n_rows; i++) {
        const struct bench_row *row = &r->rows[i];
        const struct bench_summary *s = &row->summary;
        char name[2 * BENCH_NAME], rate[32], min[32], max[32], roof[64], theirs[32], ratio[64];
        fprintf(out, "| %s | %s (%s to %s) | %.2f, %.2f, %.2f | %.1f | %.1f | %s |",
                row_name(r, row, name), rate_text(s->tokens_per_second.median, rate),
                rate_text(s->tokens_per_second.min, min), rate_text(s->tokens_per_second.max, max),
                s->step_ms_p50, s->step_ms_p95, s->step_ms_p99, s->gops, s->gb_per_s,
                roof_text(row, roof));
        versus_cells(row, theirs, ratio);
        if (r->against)
            fprintf(out, " %s | %s |", theirs, ratio);
        fputc('\n', out);
    }
    fputc('\n', out);
    print_foot(r, out);
}

static const char *bound_name(enum bench_bound bound)
{
    return bound == BENCH_BOUND_READ ? "read" : "compute";
}

void bench_report_csv(const struct bench_report *r, FILE *out)
{
    fputs("test,kind,threads,tokens,batch,depth,tokens_per_second,min,max,step_ms_p50,step_ms_p95,"
          "step_ms_p99,gops,gb_per_s,bound,roof,roof_share,roof_gops,roof_gb_per_s,repeats,dropped,"
          "baseline_tokens_per_second,ratio,ratio_min,ratio_max\n",
          out);
    for (size_t i = 0; i < r->n_rows; i++) {
        const struct bench_test *t = &r->rows[i].series.test;
        const struct bench_summary *s = &r->rows[i].summary;
        const struct bench_versus *v = &r->rows[i].versus;
        char name[BENCH_NAME];
        fprintf(out, "%s,%s,%u,%u,%u,%u,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%s,",
                bench_test_name(t, name), t->kind == BENCH_GEN ? "gen" : "prompt", t->n_threads,
                t->n_tokens, t->n_batch, t->n_depth, s->tokens_per_second.median,
                s->tokens_per_second.min, s->tokens_per_second.max, s->step_ms_p50, s->step_ms_p95,
                s->step_ms_p99, s->gops, s->gb_per_s, bound_name(s->bound));
        if (s->roof_share > 0)
            fprintf(out, "%.6g,%.4g,%.6g,%.6g", s->roof_tokens_per_second, s->roof_share,
                    s->roof_gops, s->roof_gb_per_s);
        else
            fputs(",,,", out);
        fprintf(out, ",%zu,%zu,", r->rows[i].series.n_samples, s->n_dropped);
        if (r->rows[i].n_theirs)
            fprintf(out, "%.6g,%.4g,%.4g,%.4g\n", v->tokens_per_second.median, v->ratio,
                    v->pair_min, v->pair_max);
        else
            fputs(",,,\n", out);
    }
}

/* ---- JSON ---- */

static json_t *samples_json(const struct bench_series *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_samples; i++)
        json_array_append_new(list, json_real(s->samples[i].tokens_per_second));
    return list;
}

static void set_real(json_t *o, const char *key, double x)
{
    json_object_set_new(o, key, json_real(x));
}

/* NULL stands for what was not measured. */
static void set_roof(json_t *o, const struct bench_summary *s)
{
    static const char *const keys[] = {"roof", "roof_share", "roof_gops", "roof_gb_per_s"};
    const double values[] = {s->roof_tokens_per_second, s->roof_share, s->roof_gops,
                             s->roof_gb_per_s};
    json_object_set_new(o, "bound", json_string(bound_name(s->bound)));
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        json_object_set_new(o, keys[i], s->roof_share > 0 ? json_real(values[i]) : json_null());
}

static void set_versus(json_t *o, const struct bench_row *row)
{
    const struct bench_versus *v = &row->versus;
    if (row->n_theirs == 0)
        return;
    set_real(o, "baseline_tokens_per_second", v->tokens_per_second.median);
    set_real(o, "baseline_min", v->tokens_per_second.min);
    set_real(o, "baseline_max", v->tokens_per_second.max);
    set_real(o, "ratio", v->ratio);
    set_real(o, "ratio_min", v->pair_min);
    set_real(o, "ratio_max", v->pair_max);
}

static json_t *row_json(const struct bench_row *row)
{
    const struct bench_test *t = &row->series.test;
    const struct bench_summary *s = &row->summary;
    char name[BENCH_NAME];
    json_t *o = json_pack("{s:s,s:s,s:i,s:i,s:i,s:i}", "test", bench_test_name(t, name), "kind",
                          t->kind == BENCH_GEN ? "gen" : "prompt", "n_threads", (int)t->n_threads,
                          "n_tokens", (int)t->n_tokens, "n_batch", (int)t->n_batch, "n_depth",
                          (int)t->n_depth);
    set_real(o, "tokens_per_second", s->tokens_per_second.median);
    set_real(o, "min", s->tokens_per_second.min);
    set_real(o, "max", s->tokens_per_second.max);
    json_object_set_new(o, "samples", samples_json(&row->series));
    json_object_set_new(o, "step_ms",
                        json_pack("{s:f,s:f,s:f}", "p50", s->step_ms_p50, "p95", s->step_ms_p95,
                                  "p99", s->step_ms_p99));
    set_real(o, "gops", s->gops);
    set_real(o, "gb_per_s", s->gb_per_s);
    set_roof(o, s);
    json_object_set_new(o, "n_dropped", json_integer((json_int_t)s->n_dropped));
    set_versus(o, row);
    return o;
}

json_t *bench_report_json(const struct bench_report *r)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < r->n_rows; i++)
        json_array_append_new(rows, row_json(&r->rows[i]));
    json_t *o = json_pack(
        "{s:o,s:{s:s,s:s,s:i,s:I},s:s,s:{s:s,s:s,s:I,s:I,s:I},s:s,s:i,s:I}", "results", rows,
        "machine", "cpu", r->machine.cpu, "system", r->machine.system, "n_processors",
        r->machine.n_processors, "n_bytes_memory", (json_int_t)r->machine.n_bytes_memory, "commit",
        r->commit, "model", "name", r->model, "arch", r->arch, "n_params", (json_int_t)r->n_params,
        "n_bytes_file", (json_int_t)r->n_bytes_file, "n_bytes_weights",
        (json_int_t)r->n_bytes_weights, "isa", r->isa, "threads", threads_first(r),
        "n_bytes_resident", (json_int_t)r->n_bytes_resident);
    if (o && r->against)
        json_object_set_new(o, "against",
                            json_pack("{s:s,s:s}", "command", r->against, "baseline", r->baseline));
    return o;
}
