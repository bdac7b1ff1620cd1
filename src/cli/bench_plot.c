/* bench_plot.c - which of a sweep's numbers go along the axis, and which make lines of their own.
 */
#include "cli/bench_plot.h"

#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "bench/plot.h"

enum { DIMS = 4, TOKENS = 2, LINE_NAME = 50, SVG_BYTES_MAX = 16 << 20 };

/* The numbers of a test, those most worth an axis first. */
static const char *const axis_names[DIMS] = {"sequences at once", "tokens before", "tokens",
                                             "threads"};

static uint32_t number(const struct bench_test *t, int dim)
{
    const uint32_t numbers[DIMS] = {t->n_batch, t->n_depth, t->n_tokens, t->n_threads};
    return numbers[dim];
}

/* The rows of one kind. */
struct sweep {
    const struct bench_report *report;
    enum bench_kind kind;
    int axis;
    bool varies[DIMS];
};

static const struct bench_row *row_at(const struct sweep *w, size_t i)
{
    const struct bench_row *row = &w->report->rows[i];
    return row->series.test.kind == w->kind ? row : NULL;
}

/* Ascending, each once. */
static size_t distinct(const struct sweep *w, int dim, uint32_t out[PLOT_PLACES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < w->report->n_rows; i++) {
        const struct bench_row *row = row_at(w, i);
        if (!row)
            continue;
        uint32_t value = number(&row->series.test, dim);
        size_t at = 0;
        while (at < n && out[at] < value)
            at++;
        if ((at < n && out[at] == value) || n == PLOT_PLACES_MAX)
            continue;
        memmove(out + at + 1, out + at, (n - at) * sizeof out[0]);
        out[at] = value;
        n++;
    }
    return n;
}

static void choose_axis(struct sweep *w)
{
    uint32_t values[PLOT_PLACES_MAX];
    size_t most = 1;
    w->axis = TOKENS; /* where nothing was swept */
    for (int d = 0; d < DIMS; d++) {
        size_t n = distinct(w, d, values);
        w->varies[d] = n > 1;
        if (n > most) {
            most = n;
            w->axis = d;
        }
    }
}

static bool same_line(const struct sweep *w, const struct bench_test *a, const struct bench_test *b)
{
    for (int d = 0; d < DIMS; d++)
        if (d != w->axis && number(a, d) != number(b, d))
            return false;
    return true;
}

/* What tells a line from the others: " x16 @3072", or nothing where there is one line. */
static void line_name(const struct sweep *w, const struct bench_test *t, char out[LINE_NAME])
{
    static const char *const forms[DIMS] = {" x%u", " @%u", " %u tokens", " %u threads"};
    size_t n = 0;
    out[0] = 0;
    for (int d = 0; d < DIMS; d++)
        if (d != w->axis && w->varies[d])
            n += (size_t)snprintf(out + n, LINE_NAME - n, forms[d], number(t, d));
}

static struct plot_series *add_series(struct plot *p, enum plot_style style, int colour,
                                      const char *who, const char name[LINE_NAME])
{
    struct plot_series *s = &p->series[p->n_series++];
    s->style = style;
    s->colour = colour;
    snprintf(s->name, sizeof s->name, "%.40s%s", who, name);
    return s;
}

static void add_line(const struct sweep *w, struct plot *p, const struct bench_test *first,
                     int colour)
{
    char name[LINE_NAME];
    line_name(w, first, name);
    struct plot_series *ours = add_series(p, PLOT_MEASURED, colour, "isobit", name);
    struct plot_series *roof = add_series(p, PLOT_LIMIT, colour, "roof", name);
    struct plot_series *theirs = NULL;
    const char *baseline = *w->report->baseline ? w->report->baseline : "baseline";
    if (w->report->against)
        theirs = add_series(p, PLOT_OTHER, colour, baseline, name);
    for (size_t i = 0; i < w->report->n_rows; i++) {
        const struct bench_row *row = row_at(w, i);
        if (!row || !same_line(w, first, &row->series.test))
            continue;
        size_t place = 0;
        while (p->x[place] != number(&row->series.test, w->axis))
            place++;
        struct bench_spread s = row->summary.tokens_per_second;
        ours->at[place] = (struct plot_point){s.median, s.min, s.max};
        roof->at[place].y = row->summary.roof_tokens_per_second;
        s = row->versus.tokens_per_second;
        if (theirs && row->n_theirs)
            theirs->at[place] = (struct plot_point){s.median, s.min, s.max};
    }
}

/* false: no row of this kind. */
static bool make_plot(const struct bench_report *r, enum bench_kind kind, struct plot *p)
{
    struct sweep w = {.report = r, .kind = kind};
    int n_lines = 0, n_missing = 0;
    choose_axis(&w);
    p->n_places = distinct(&w, w.axis, p->x);
    p->n_series = 0;
    for (size_t i = 0; i < r->n_rows; i++) {
        const struct bench_row *row = row_at(&w, i);
        bool is_new = row != NULL;
        for (size_t k = 0; is_new && k < i; k++)
            if (row_at(&w, k) && same_line(&w, &row->series.test, &r->rows[k].series.test))
                is_new = false;
        if (is_new && n_lines == PLOT_COLOURS)
            n_missing++;
        else if (is_new)
            add_line(&w, p, &row->series.test, n_lines++);
    }
    snprintf(p->x_label, sizeof p->x_label, "%s", axis_names[w.axis]);
    int n = snprintf(p->title, sizeof p->title, "%s, tokens per second",
                     kind == BENCH_GEN ? "Generating" : "Reading a prompt");
    if (n_missing)
        snprintf(p->title + n, sizeof p->title - (size_t)n, " (%d lines more are not drawn)",
                 n_missing);
    return p->n_series > 0;
}

static void make_heading(const struct bench_report *r, struct buf *out)
{
    buf_printf(out, "%s on %s, %s; isobit at commit %s", r->model, r->machine.cpu, r->isa,
               r->commit);
    if (r->against)
        buf_printf(out, "\nagainst %s", *r->baseline ? r->baseline : r->against);
}

static enum err write_file(const char *path, const struct buf *b, struct err_note *note)
{
    struct file_writer w;
    enum err rc = file_writer_open(&w, path, note);
    if (rc)
        return rc;
    file_writer_add(&w, b->bytes, b->n_bytes);
    return file_writer_commit(&w, note);
}

enum err bench_plot_write(const struct bench_report *r, const char *path, struct err_note *note)
{
    struct plot *plots = mem_array(2, sizeof plots[0]);
    struct buf heading, svg;
    size_t n_plots = 0;
    buf_init(&heading, 4096);
    buf_init(&svg, SVG_BYTES_MAX);
    enum err rc = plots ? ERR_OK : ERR_MEMORY;
    if (!rc) {
        n_plots += make_plot(r, BENCH_PROMPT, &plots[n_plots]);
        n_plots += make_plot(r, BENCH_GEN, &plots[n_plots]);
        make_heading(r, &heading);
        plot_svg(&svg, heading.failed ? "" : heading.bytes, plots, n_plots);
    }
    if (rc || svg.failed)
        rc = err_set(note, ERR_MEMORY, "out of memory for %s", path);
    rc = rc ? rc : write_file(path, &svg, note);
    buf_release(&heading);
    buf_release(&svg);
    mem_free(plots);
    return rc;
}
