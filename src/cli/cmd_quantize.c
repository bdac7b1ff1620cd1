/* cmd_quantize.c - a model file rewritten with its matrices in smaller types. */
#include <jansson.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/folder_text.h"
#include "cli/say.h"
#include "format/bnb_write.h"
#include "format/quantize.h"

enum { REMARKS_SHOWN = 8 };

/* Says the first remarks and counts the others: a model may have hundreds of the same kind. */
static void say_remark(void *context, const char *line)
{
    size_t *n = context;
    if (++*n <= REMARKS_SHOWN)
        say("%s", line);
}

static int unknown_type(const char *name)
{
    const char *names[64];
    size_t n = 0;
    while (n < COUNT_OF(names) && mix_at(n)) {
        names[n] = mix_name(mix_at(n));
        n++;
    }
    const char *nearest = args_nearest(name, names, n);
    if (nearest)
        say_failed("unknown type \"%s\"; did you mean %s?", name, nearest);
    else
        say_failed("unknown type \"%s\"; see isobit quantize --help", name);
    return EXIT_USAGE;
}

static void print_json(const struct quantize_result *r, const char *path, double bits,
                       double seconds)
{
    json_t *all =
        json_pack("{s:o?,s:I,s:I,s:f,s:I,s:I,s:f}", "path", json_string(path), "bytes_before",
                  (json_int_t)r->n_bytes_before, "bytes_after", (json_int_t)r->n_bytes_after,
                  "bits_per_weight", bits, "quantized_tensors", (json_int_t)r->n_quantized,
                  "fallback_tensors", (json_int_t)r->n_fallbacks, "seconds", seconds);
    CHECK(all);
    json_dumpf(all, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
}

static void print_result(const struct quantize_result *r, const char *path, double seconds,
                         bool json)
{
    char before[SIZE_TEXT], after[SIZE_TEXT];
    double bits = 8 * (double)r->n_bytes_after / (double)r->n_elements;
    if (json)
        print_json(r, path, bits, seconds);
    else
        printf("%s: %s became %s, %.2f bits per weight, in %.1f s\n", path,
               size_text(r->n_bytes_before, before), size_text(r->n_bytes_after, after), bits,
               seconds);
}

/* A folder's tokenizer and templates lie beside the weights; a GGUF file's are in its metadata. */
static enum err open_source(const char *in, struct loaded *l, struct metas *text,
                            struct err_note *note)
{
    if (!file_is_dir(in))
        return load_file(l, in, note);
    enum err rc = load_tokenizer(l, in, note);
    return rc ? rc : folder_text_metas(in, l, text, note);
}

static int quantize(const char *in, const char *out, struct quantize_options *o, bool json)
{
    struct err_note note = {""};
    struct loaded source = {0};
    struct metas text;
    struct quantize_result result;
    struct progress bar;
    size_t n_remarks = 0;
    uint64_t start_ns = clock_ns();
    metas_init(&text);
    enum err rc = open_source(in, &source, &text, &note);
    o->extra = &text;
    o->progress = progress_show;
    o->progress_context = &bar;
    o->remark = say_remark;
    o->remark_context = &n_remarks;
    progress_begin(&bar, "quantising");
    if (!rc)
        rc = table_quantize(&source.table, out, o, &result, &note);
    progress_end(&bar);
    load_close(&source);
    metas_release(&text);
    if (rc)
        return say_error(rc, &note);
    if (n_remarks > REMARKS_SHOWN)
        say("(%zu more such lines; %zu tensors took another type in all)",
            n_remarks - REMARKS_SHOWN, result.n_fallbacks);
    print_result(&result, out, (double)(clock_ns() - start_ns) * 1e-9, json);
    return EXIT_OK;
}

/* The types of bitsandbytes have no GGUF: they go from folder to folder. */
static int quantize_folder(const char *in, const char *out, enum dtype type, bool json)
{
    struct err_note note = {""};
    struct progress bar;
    uint64_t start_ns = clock_ns();
    const struct bnb_job job = {in, out, type, progress_show, &bar};
    progress_begin(&bar, "quantising");
    enum err rc = bnb_write_folder(&job, &note);
    progress_end(&bar);
    if (rc)
        return say_error(rc, &note);
    double seconds = (double)(clock_ns() - start_ns) * 1e-9;
    if (!json) {
        printf("%s: %s in the layout of bitsandbytes, in %.1f s\n", out, dtype_info(type)->name,
               seconds);
        return EXIT_OK;
    }
    json_t *all = json_pack("{s:o?,s:s,s:f}", "path", json_string(out), "type",
                            dtype_info(type)->name, "seconds", seconds);
    CHECK(all);
    json_dumpf(all, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
    return EXIT_OK;
}

int cmd_quantize(int argc, char **argv)
{
    bool json = false;
    uint32_t n_threads = 0;
    struct quantize_options o = {0};
    const struct arg_option options[] = {
        OPT_U32('t', "threads", "N", &n_threads, 1, 1024,
                "threads that encode (default: all processors);\n"
                "the bytes are the same"),
        OPT_FLAG(0, "allow-requantize", &o.allow_requantize,
                 "take a source that is quantised already:\n"
                 "worse than from the original"),
        OPT_FLAG(0, "json", &json, "the sizes as one JSON object"),
    };
    const struct arg_command command = {
        .name = "quantize",
        .summary = "rewrite a model with smaller weights",
        .usage = "quantize [options] IN OUT TYPE",
        .about = "TYPE is a mix: Q4_K_M and Q5_K_M are good choices, Q8_0 is nearly lossless.\n"
                 "Mixes: Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K IQ4_NL IQ4_XS\n"
                 "       Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 MXFP4 (experts; Q8_0 elsewhere) F16 BF16 F32\n"
                 "Rows that a type's block does not divide take a type with blocks of 32, or F16.\n"
                 "NF4, FP4: IN is a Hugging Face folder, and so is OUT, as bitsandbytes has them.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M",
        .n_positional_min = 3,
        .n_positional_max = 3,
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (rc)
        return say_error(rc, &note);
    if (args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    enum dtype type;
    if (dtype_from_name(args.positional[2], &type) && (type == DTYPE_NF4 || type == DTYPE_FP4))
        return quantize_folder(args.positional[0], args.positional[1], type, json);
    o.mix = mix_find(args.positional[2]);
    if (!o.mix)
        return unknown_type(args.positional[2]);
    o.threads = threads_new(n_threads ? (int)n_threads : threads_online());
    if (!o.threads)
        return say_failed("cannot start threads");
    int status = quantize(args.positional[0], args.positional[1], &o, json);
    threads_free(o.threads);
    return status;
}
