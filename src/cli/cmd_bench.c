/* cmd_bench.c - measures speed beside what the machine could do. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/threads.h"
#include "base/taken.h"
#include "cli/args.h"
#include "cli/bench_peer.h"
#include "cli/bench_plot.h"
#include "cli/bench_report.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/number_list.h"
#include "cli/say.h"
#include "commit.h"

enum { TESTS_MAX = 1024, BATCH_MAX = 1024, THREADS_MAX = 1024, BASELINE_BYTES_MAX = 16 << 20 };

struct bench_command {
    const char *model, *threads, *prompt, *gen, *batch, *depth, *against, *svg;
    uint32_t n_repeats, n_chunk;
    struct gpu_options gpu;
    bool json, csv, markdown, quiet;

    struct number_list thread_counts;
    struct bench_test *tests; /* of one thread count */
    size_t n_tests;
    struct loaded loaded;
    struct bench bench;
    struct bench_report report;
    struct progress progress;
    size_t n_done;
};

static enum err parse(struct bench_command *c, int argc, char **argv, bool *help,
                      struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_TEXT('m', "model", "MODEL", &c->model,
                 "GGUF file or Hugging Face folder (default: the demo model)"),
        OPT_TEXT('t', "threads", "LIST", &c->threads,
                 "threads that compute (default: all processors)"),
        GPU_OPTIONS(c->gpu),
        PROFILE_OPTION(c->gpu),
        OPT_HEADING("What is measured (lists 1,2,4 and ranges 1-4, 0-1024+256, 1-16*2)"),
        OPT_TEXT('p', "prompt", "LIST", &c->prompt, "tokens read; 0: none (default: 512)"),
        OPT_TEXT('n', "gen", "LIST", &c->gen, "tokens generated; 0: none (default: 128)"),
        OPT_TEXT('b', "batch", "LIST", &c->batch, "sequences that generate together (default: 1)"),
        OPT_TEXT('d', "depth", "LIST", &c->depth,
                 "tokens that each sequence has behind it (default: 0)"),
        OPT_U32('r', "repeat", "N", &c->n_repeats, 1, BENCH_REPEATS_MAX,
                "repetitions of each test (default: 5)"),
        OPT_U32(0, "chunk", "N", &c->n_chunk, 1, 1 << 16,
                "prompt tokens read in one pass (default: 512)"),
        OPT_TEXT(0, "against", "COMMAND", &c->against,
                 "run COMMAND after each repetition and compare: one of\n"
                 "llama-bench -o json, isobit bench --json,\n"
                 "llama-batched-bench --output-format jsonl"),
        OPT_HEADING("Output"),
        OPT_FLAG(0, "json", &c->json, "one JSON object"),
        OPT_FLAG(0, "csv", &c->csv, "a line for each test"),
        OPT_FLAG(0, "markdown", &c->markdown, "a Markdown table"),
        OPT_TEXT(0, "svg", "FILE", &c->svg, "plots too, with their roofs"),
        OPT_FLAG('q', "quiet", &c->quiet, "say nothing but errors"),
    };
    const struct arg_command command = {
        .name = "bench",
        .summary = "measure speed beside what the machine could do",
        .usage = "bench [-m MODEL] [options]",
        .about =
            "Beside every figure stands its roof: how fast the same threads read the model's\n"
            "bytes or multiply, measured before and after each repetition. Prompts are tested\n"
            "at every depth, generation at every depth and batch.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit bench\n"
                    "isobit bench -m model.gguf --prompt 512,4096 --gen 128 --depth 0,3072\n"
                    "isobit bench -m model.gguf --prompt 0 --gen 64 --batch 1-16*2\n"
                    "isobit bench -m model.gguf -t 2 --against \\\n"
                    "    \"llama-bench -m model.gguf -t 2 -p 512 -n 128 -r 1 -o json\"",
    };
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, note);
    *help = !rc && args.help;
    if (*help)
        args_help(&command, stdout);
    if (!rc && c->json + c->csv + c->markdown > 1)
        rc = err_set(note, ERR_USAGE, "--json, --csv and --markdown are three outputs; give one");
    return rc;
}

static enum err add_test(struct bench_command *c, struct bench_test t, struct err_note *note)
{
    if (t.n_tokens == 0)
        return ERR_OK;
    if (c->n_tests == TESTS_MAX)
        return err_set(note, ERR_LIMIT, "these lists make more than %d tests", TESTS_MAX);
    c->tests[c->n_tests++] = t;
    return ERR_OK;
}

/* Every combination; a prompt is read by one sequence. */
static enum err make_tests(struct bench_command *c, struct err_note *note)
{
    struct number_list prompt, gen, batch, depth;
    enum err rc = number_list_parse("prompt", c->prompt, 0, BENCH_TOKENS_MAX, &prompt, note);
    rc = rc ? rc : number_list_parse("gen", c->gen, 0, BENCH_TOKENS_MAX, &gen, note);
    rc = rc ? rc : number_list_parse("batch", c->batch, 1, BATCH_MAX, &batch, note);
    rc = rc ? rc : number_list_parse("depth", c->depth, 0, BENCH_TOKENS_MAX, &depth, note);
    c->thread_counts = (struct number_list){{(uint32_t)threads_online()}, 1};
    if (!rc && c->threads)
        rc = number_list_parse("threads", c->threads, 1, THREADS_MAX, &c->thread_counts, note);
    c->tests = mem_array(TESTS_MAX, sizeof c->tests[0]);
    if (!rc && !c->tests)
        rc = err_set(note, ERR_MEMORY, "out of memory for the tests");
    for (size_t d = 0; !rc && d < depth.n_items; d++) {
        struct bench_test t = {BENCH_PROMPT, 0, 0, 1, depth.items[d]};
        for (size_t i = 0; !rc && i < prompt.n_items; i++) {
            t.n_tokens = prompt.items[i];
            rc = add_test(c, t, note);
        }
        t.kind = BENCH_GEN;
        for (size_t i = 0; i < gen.n_items; i++)
            for (size_t b = 0; !rc && b < batch.n_items; b++) {
                t.n_tokens = gen.items[i];
                t.n_batch = batch.items[b];
                rc = add_test(c, t, note);
            }
    }
    if (!rc && c->n_tests == 0)
        rc = err_set(note, ERR_USAGE, "nothing to measure: --prompt and --gen are both 0");
    return rc;
}

static enum err open_engine(struct bench_command *c, uint32_t n_threads, struct err_note *note)
{
    struct iso_engine_options o = {0};
    bench_needs(c->tests, c->n_tests, &o);
    struct model_options m = {
        .n_threads = n_threads, .n_ctx = o.n_ctx, .n_chunk = c->n_chunk, .gpu = c->gpu};
    enum err rc = load_engine(&c->loaded, &m, &o, note);
    if (rc)
        return rc;
    iso_session_close(c->loaded.session);
    c->loaded.session = NULL;
    return bench_open(&c->bench, c->loaded.engine, c->tests, c->n_tests, note);
}

static void close_engine(struct bench_command *c)
{
    bench_close(&c->bench);
    iso_engine_close(c->loaded.engine);
    c->loaded.engine = NULL;
}

static void tell_engine(struct bench_command *c)
{
    struct iso_engine_info info = iso_engine_info(c->loaded.engine);
    struct bench_report *r = &c->report;
    r->isa = strcmp(info.device, "cpu") == 0 ? info.isa : info.device;
    snprintf(r->arch, sizeof r->arch, "%s", info.arch);
    r->n_params = info.n_params;
    r->n_bytes_weights = info.n_bytes_weights;
}

/* ---- the baseline ---- */

static enum err nothing_to_compare(const struct bench_peer *p, const struct bench_test *t,
                                   struct err_note *note)
{
    char ours[BENCH_NAME], theirs[BENCH_NAME], threads[40] = "";
    if (p->rows[0].test.n_threads)
        snprintf(threads, sizeof threads, " with %u threads", p->rows[0].test.n_threads);
    return err_set(note, ERR_NOT_FOUND,
                   "--against: the baseline ran no test that runs here; its first was %s%s, the "
                   "first here is %s with %u threads",
                   bench_test_name(&p->rows[0].test, theirs), threads, bench_test_name(t, ours),
                   t->n_threads);
}

/* Adds the baseline's rate to every test that it ran: the same ones each time. */
static enum err take_baseline(struct bench_command *c, const struct bench_peer *p,
                              struct bench_row *rows, struct err_note *note)
{
    size_t n_found = 0;
    snprintf(c->report.baseline, sizeof c->report.baseline, "%s", p->name);
    for (size_t i = 0; i < c->n_tests; i++) {
        struct bench_row *row = &rows[i];
        const struct bench_peer_row *theirs = bench_peer_find(p, &row->series.test);
        bool was_found = row->n_theirs > 0, is_first = row->series.n_samples == 1;
        char name[BENCH_NAME];
        if (!is_first && was_found != (theirs != NULL))
            return err_set(note, ERR_FORMAT, "--against: the baseline ran %s only sometimes",
                           bench_test_name(&row->series.test, name));
        if (theirs)
            row->theirs[row->n_theirs++] = theirs->tokens_per_second;
        n_found += theirs != NULL;
    }
    return n_found ? ERR_OK : nothing_to_compare(p, &rows[0].series.test, note);
}

static enum err run_baseline(struct bench_command *c, struct bench_row *rows, struct err_note *note)
{
    static const char *const drop[] = {"OPENBLAS_", "OMP_", "GOMP_", "KMP_", NULL};
    struct bench_peer peer = {0};
    struct buf out;
    buf_init(&out, BASELINE_BYTES_MAX);
    enum err rc = child_run(c->against, drop, &out, note);
    if (!rc)
        rc = bench_peer_parse(&peer, (struct str){out.n_bytes ? out.bytes : "", out.n_bytes}, note);
    if (rc)
        err_wrap(note, rc, "--against");
    else
        rc = take_baseline(c, &peer, rows, note);
    bench_peer_release(&peer);
    buf_release(&out);
    return rc;
}

static void compare(struct bench_row *row)
{
    double ours[BENCH_REPEATS_MAX];
    for (size_t i = 0; i < row->n_theirs; i++)
        ours[i] = row->series.samples[i].tokens_per_second;
    if (row->n_theirs)
        row->versus = bench_versus_of(ours, row->theirs, row->n_theirs);
}

/* All tests once, then all again: what drifts meets every test alike. */
static enum err run_rounds(struct bench_command *c, struct bench_row *rows, struct err_note *note)
{
    enum err rc = ERR_OK;
    size_t n_all = c->report.n_rows * c->n_repeats;
    for (uint32_t round = 0; !rc && round < c->n_repeats; round++) {
        for (size_t i = 0; !rc && i < c->n_tests; i++) {
            rc = bench_repeat(&c->bench, &rows[i].series, note);
            progress_show(&c->progress, ++c->n_done, n_all);
        }
        if (!rc && c->against)
            rc = run_baseline(c, rows, note);
    }
    for (size_t i = 0; !rc && i < c->n_tests; i++) {
        rc = bench_summarize(&rows[i].series, &rows[i].summary, note);
        compare(&rows[i]);
    }
    return rc;
}

static enum err run_threads(struct bench_command *c, uint32_t n_threads, struct bench_row *rows,
                            struct err_note *note)
{
    enum err rc = open_engine(c, n_threads, note);
    if (!rc) {
        tell_engine(c);
        for (size_t i = 0; i < c->n_tests; i++) {
            struct bench_test t = c->tests[i];
            t.n_threads = n_threads;
            bench_series_init(&rows[i].series, &c->bench, &t);
        }
        rc = run_rounds(c, rows, note);
    }
    close_engine(c);
    return rc;
}

static enum err measure(struct bench_command *c, struct err_note *note)
{
    struct bench_report *r = &c->report;
    r->n_rows = c->n_tests * c->thread_counts.n_items;
    r->rows = mem_array(r->n_rows, sizeof r->rows[0]);
    if (!r->rows)
        return err_set(note, ERR_MEMORY, "out of memory for the results");
    enum err rc = load_file(&c->loaded, c->model, note);
    if (rc)
        return rc;
    r->model = base_name(c->loaded.table.path);
    for (size_t i = 0; i < c->loaded.table.n_tensors; i++)
        r->n_bytes_file += c->loaded.table.tensors[i].n_bytes;
    progress_begin(&c->progress, "measuring");
    for (size_t i = 0; !rc && i < c->thread_counts.n_items; i++)
        rc = run_threads(c, c->thread_counts.items[i], r->rows + i * c->n_tests, note);
    progress_end(&c->progress);
    return rc;
}

static enum err print_report(struct bench_command *c, struct err_note *note)
{
    struct bench_report *r = &c->report;
    r->commit = ISOBIT_COMMIT;
    r->against = c->against;
    machine_read(&r->machine);
    r->n_bytes_resident = taken_now().n_bytes_peak;
    enum err rc = c->svg ? bench_plot_write(r, c->svg, note) : ERR_OK;
    if (rc)
        return rc;
    if (c->csv)
        bench_report_csv(r, stdout);
    else if (c->markdown)
        bench_report_markdown(r, stdout);
    else if (!c->json)
        bench_report_table(r, stdout);
    if (!c->json)
        return ERR_OK;
    json_t *all = bench_report_json(r);
    if (!all)
        return err_set(note, ERR_MEMORY, "out of memory for the results");
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
    return ERR_OK;
}

static void release(struct bench_command *c)
{
    for (size_t i = 0; c->report.rows && i < c->report.n_rows; i++)
        bench_series_release(&c->report.rows[i].series);
    mem_free(c->report.rows);
    mem_free(c->tests);
    load_close(&c->loaded);
}

int cmd_bench(int argc, char **argv)
{
    struct bench_command c = {
        .prompt = "512", .gen = "128", .batch = "1", .depth = "0", .n_repeats = 5};
    struct err_note note = {""};
    bool help;
    enum err rc = parse(&c, argc, argv, &help, &note);
    if (help)
        return EXIT_OK;
    say_quiet(c.quiet);
    rc = rc ? rc : make_tests(&c, &note);
    rc = rc ? rc : measure(&c, &note);
    rc = rc ? rc : print_report(&c, &note);
    release(&c);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
