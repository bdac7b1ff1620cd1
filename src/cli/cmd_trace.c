/* cmd_trace.c - a hash per operation, and the first difference between two traces. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/say.h"
#include "cli/trace_file.h"
#include "engine/engine.h"
#include "model/model.h"

enum { CHUNK_DEFAULT = 64 };

struct tracing {
    struct model_options model;
    struct token_options input;
    const char *out;
    bool values, compare, json;

    struct loaded loaded;
    struct token_list tokens;
    struct trace_writer writer;
    bool begins; /* the next operation is a pass's first */
};

/* ---- making a trace ---------------------------------------------------------------------------
 */

static void on_op(void *context, int layer, const char *op, const float *x, size_t stride,
                  uint32_t n_rows, uint32_t n)
{
    struct tracing *g = context;
    if (g->begins)
        trace_writer_pass(&g->writer, session_cached(g->loaded.session), n_rows);
    g->begins = false;
    trace_writer_op(&g->writer, layer, op, x, stride, n_rows, n);
}

static enum err run_chunk(struct tracing *g, uint32_t from, uint32_t n, struct err_note *note)
{
    struct iso_request r = iso_request_default();
    r.tokens = g->tokens.ids + from;
    r.n_tokens = n;
    r.n_answer_max = 0;
    r.want_logits_prompt = true; /* every row goes through every operation */
    enum err rc = (enum err)iso_session_submit(g->loaded.session, &r, (struct iso_note *)note);
    const struct iso_event *events;
    size_t n_events;
    g->begins = true;
    while (!rc && (n_events = iso_engine_step(g->loaded.engine, &events)) > 0) {
        for (size_t i = 0; i < n_events; i++)
            if (events[i].err)
                rc = err_set(note, (enum err)events[i].err, "%s", events[i].note);
        g->begins = true;
    }
    return rc;
}

static enum err make(struct tracing *g, struct err_note *note)
{
    const struct iso_engine_options o = {.n_logits = g->model.n_chunk};
    enum err rc = load_tokens(&g->loaded, g->model.path, &g->input, &g->tokens, note);
    if (!rc)
        rc = load_engine(&g->loaded, &g->model, &o, note);
    if (!rc)
        rc = check_context(&g->loaded, g->tokens.n_ids, note);
    if (!rc)
        rc = trace_writer_open(&g->writer, g->out, base_name(g->loaded.table.path), g->tokens.ids,
                               g->tokens.n_ids, g->values, note);
    if (rc)
        return rc;
    engine_set_tap(g->loaded.engine, (struct model_tap){on_op, g});
    uint32_t n = (uint32_t)g->tokens.n_ids;
    for (uint32_t from = 0; !rc && from < n; from += g->model.n_chunk)
        rc = run_chunk(g, from, n - from < g->model.n_chunk ? n - from : g->model.n_chunk, note);
    if (rc) {
        trace_writer_abort(&g->writer);
        return rc;
    }
    rc = trace_writer_close(&g->writer, note);
    if (!rc)
        say("%u tokens traced into %s", n, g->out);
    return rc;
}

/* ---- comparing two ----------------------------------------------------------------------------
 */

/* Where two traces differ first, in the order of operations. */
struct difference {
    bool found, has_element;
    size_t op_i;
    uint32_t row, element;
    float a, b;
    uint64_t n_rows; /* rows that differ in all */
};

static bool same_op(const struct trace_op *a, const struct trace_op *b)
{
    return a->layer == b->layer && a->n == b->n && str_eq(a->name, b->name);
}

static enum err check_comparable(const struct trace *a, const struct trace *b,
                                 struct err_note *note)
{
    if (!str_eq(a->tokens, b->tokens) || a->n_rows != b->n_rows)
        return err_set(note, ERR_FORMAT, "the traces read different tokens");
    for (size_t i = 0; i < a->n_ops && i < b->n_ops; i++)
        if (!same_op(&a->ops[i], &b->ops[i]))
            return err_set(note, ERR_FORMAT,
                           "the traces are of different models: operation %zu is %.*s of layer %d "
                           "with %u values in one, %.*s of layer %d with %u in the other",
                           i, STR_ARG(a->ops[i].name), a->ops[i].layer, a->ops[i].n,
                           STR_ARG(b->ops[i].name), b->ops[i].layer, b->ops[i].n);
    if (a->n_ops != b->n_ops)
        return err_set(note, ERR_FORMAT,
                       "the traces are of different models: %zu operations and %zu", a->n_ops,
                       b->n_ops);
    return ERR_OK;
}

static void find_element(const struct trace_op *op, struct str a, struct str b,
                         struct difference *d)
{
    for (uint32_t i = 0; i < op->n; i++) {
        if (!trace_value(a, i, &d->a) || !trace_value(b, i, &d->b))
            return;
        if (memcmp(&d->a, &d->b, sizeof d->a) == 0)
            continue;
        d->has_element = true;
        d->element = i;
        return;
    }
}

static struct difference find_difference(const struct trace *a, const struct trace *b)
{
    struct difference d = {0};
    for (size_t op_i = 0; op_i < a->n_ops; op_i++)
        for (uint32_t row = 0; row < a->n_rows; row++) {
            struct str row_a = trace_row(a, op_i, row), row_b = trace_row(b, op_i, row);
            if (str_eq(trace_hash(row_a), trace_hash(row_b)))
                continue;
            d.n_rows++;
            if (d.found)
                continue;
            d.found = true;
            d.op_i = op_i;
            d.row = row;
            find_element(&a->ops[op_i], row_a, row_b, &d);
        }
    return d;
}

static void print_text(const struct trace *a, const struct difference *d)
{
    const struct trace_op *op = &a->ops[d->op_i];
    if (!d->found) {
        printf("equal: %zu operations on %u rows\n", a->n_ops, a->n_rows);
        return;
    }
    printf("first difference: ");
    if (op->layer >= 0)
        printf("layer %d, ", op->layer);
    printf("operation %.*s, position %u", STR_ARG(op->name), a->positions[d->row]);
    if (d->has_element)
        printf(", element %u: %.9g and %.9g\n", d->element, (double)d->a, (double)d->b);
    else
        printf(" (trace with --values to see the element)\n");
    printf("%" PRIu64 " of %" PRIu64 " rows differ\n", d->n_rows, (uint64_t)a->n_ops * a->n_rows);
}

static void print_json(const struct trace *a, const struct difference *d)
{
    const struct trace_op *op = &a->ops[d->op_i];
    json_t *all =
        json_pack("{s:b,s:I,s:I,s:I}", "equal", !d->found, "operations", (json_int_t)a->n_ops,
                  "rows", (json_int_t)a->n_rows, "rows_different", (json_int_t)d->n_rows);
    if (d->found) {
        json_object_set_new(all, "layer", json_integer(op->layer));
        json_object_set_new(all, "operation", json_stringn(op->name.ptr, op->name.len));
        json_object_set_new(all, "position", json_integer(a->positions[d->row]));
    }
    if (d->has_element) {
        json_object_set_new(all, "element", json_integer(d->element));
        json_object_set_new(all, "a", json_real((double)d->a));
        json_object_set_new(all, "b", json_real((double)d->b));
    }
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(all);
}

static enum err compare_files(const struct tracing *g, const struct file_map maps[2],
                              const char *const paths[2], bool *equal, struct err_note *note)
{
    struct trace t[2] = {0};
    enum err rc = ERR_OK;
    for (int i = 0; !rc && i < 2; i++) {
        struct str text = {(const char *)maps[i].bytes, maps[i].n_bytes};
        rc = trace_parse(&t[i], text, paths[i], note);
    }
    if (!rc)
        rc = check_comparable(&t[0], &t[1], note);
    if (!rc) {
        struct difference d = find_difference(&t[0], &t[1]);
        *equal = !d.found;
        if (g->json)
            print_json(&t[0], &d);
        else
            print_text(&t[0], &d);
    }
    trace_release(&t[0]);
    trace_release(&t[1]);
    return rc;
}

static enum err compare(const struct tracing *g, const char *const paths[2], bool *equal,
                        struct err_note *note)
{
    struct file_map maps[2] = {{0}, {0}};
    enum err rc = file_map_open(&maps[0], paths[0], note);
    if (!rc)
        rc = file_map_open(&maps[1], paths[1], note);
    if (!rc)
        rc = compare_files(g, maps, paths, equal, note);
    file_map_close(&maps[0]);
    file_map_close(&maps[1]);
    return rc;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static enum err parse(struct tracing *g, int argc, char **argv, struct args *args,
                      struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_TEXT('o', "out", "FILE", &g->out, "the trace to write"),
        OPT_FLAG(0, "values", &g->values, "write the values too, so that the element is named"),
        OPT_FLAG(0, "compare", &g->compare, "compare two traces; exit status 1 if they differ"),
        OPT_FLAG(0, "json", &g->json, "the comparison as one JSON object"),
        TOKEN_OPTIONS(g->input),
        OPT_HEADING("Model"),
        MODEL_OPTION(g->model),
        CONTEXT_OPTION(g->model),
        COMPUTE_OPTIONS(g->model),
        OPT_U32(0, "chunk", "N", &g->model.n_chunk, 1, 1 << 16,
                "tokens read in one pass (default: 64)"),
    };
    const struct arg_command command = {
        .name = "trace",
        .summary = "write a hash per operation, or compare two such traces",
        .usage = "trace [-m MODEL] (-p TEXT | -f FILE | --tokens IDS) -o FILE [options]\n"
                 "trace --compare A B",
        .about =
            "Where two machines disagree, trace the same prompt on both and compare: the first\n"
            "layer, operation, position and element that differ are named. Traces compare across\n"
            "instruction sets, threads and chunks.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit trace -p \"What is isobit?\" -o here.trace --values\n"
                    "isobit trace --compare here.trace there.trace",
        .n_positional_max = 2,
    };
    enum err rc = args_parse(&command, argc, argv, args, note);
    if (rc || args->help) {
        if (args->help)
            args_help(&command, stdout);
        return rc;
    }
    if (g->compare && args->n_positional != 2)
        return err_set(note, ERR_USAGE, "--compare needs two traces");
    if (!g->compare && args->n_positional > 0)
        return err_set(note, ERR_USAGE, "\"%s\" is one argument too many; see isobit trace --help",
                       args->positional[0]);
    if (!g->compare && !g->out)
        return err_set(note, ERR_USAGE, "-o FILE is missing: where to write the trace");
    return ERR_OK;
}

int cmd_trace(int argc, char **argv)
{
    struct tracing g = {.model.n_chunk = CHUNK_DEFAULT};
    struct err_note note = {""};
    struct args args;
    bool equal = true;
    enum err rc = parse(&g, argc, argv, &args, &note);
    if (!rc && args.help)
        return EXIT_OK;
    if (!rc)
        rc = g.compare ? compare(&g, args.positional, &equal, &note) : make(&g, &note);
    token_list_release(&g.tokens);
    load_close(&g.loaded);
    return rc ? say_error(rc, &note) : equal ? EXIT_OK : EXIT_FAILED;
}
