/* cmd_convert.c - a Hugging Face folder written as one GGUF file, tokenizer and chat template too.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/folder_text.h"
#include "cli/load.h"
#include "cli/say.h"
#include "format/convert.h"

struct convert {
    const char *type;
    bool json;
    struct convert_job job;
    struct loaded loaded;
    struct metas extra;
};

static enum err parse_type(struct convert *c, struct err_note *note)
{
    static const struct {
        const char *name;
        enum convert_type type;
    } types[] = {
        {"keep", CONVERT_KEEP}, {"F32", CONVERT_F32}, {"F16", CONVERT_F16}, {"BF16", CONVERT_BF16}};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (!c->type || strcasecmp(c->type, types[i].name) == 0) {
            c->job.type = types[i].type;
            return ERR_OK;
        }
    return err_set(note, ERR_USAGE, "--type is \"%s\"; it must be keep, F32, F16 or BF16", c->type);
}

static void print_result(const struct convert *c, double seconds)
{
    struct table table;
    struct err_note note;
    char size[SIZE_TEXT];
    if (table_open(c->job.out, &table, &note))
        return;
    if (c->json) {
        json_t *all = json_pack("{s:o?,s:I,s:I,s:f}", "path", json_string(c->job.out), "bytes",
                                (json_int_t)table.n_bytes_file, "tensors",
                                (json_int_t)table.n_tensors, "seconds", seconds);
        CHECK(all);
        json_dumpf(all, stdout, JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(all);
    } else {
        printf("%s: %zu tensors, %s, in %.1f s\n", c->job.out, table.n_tensors,
               size_text(table.n_bytes_file, size), seconds);
    }
    table_close(&table);
}

static enum err work(struct convert *c, struct err_note *note)
{
    struct progress bar;
    uint64_t start_ns = clock_ns();
    enum err rc = parse_type(c, note);
    if (!rc && file_exists(c->job.folder) && !file_is_dir(c->job.folder))
        rc = err_set(note, ERR_USAGE, "%s is no folder; isobit quantize rewrites GGUF files",
                     c->job.folder);
    if (!rc)
        rc = load_tokenizer(&c->loaded, c->job.folder, note);
    if (!rc)
        rc = folder_text_metas(c->job.folder, &c->loaded, &c->extra, note);
    if (rc)
        return rc;
    c->job.extra = &c->extra;
    c->job.progress = progress_show;
    c->job.context = &bar;
    progress_begin(&bar, "converting");
    rc = convert_folder(&c->job, note);
    progress_end(&bar);
    if (!rc)
        print_result(c, (double)(clock_ns() - start_ns) * 1e-9);
    return rc;
}

int cmd_convert(int argc, char **argv)
{
    struct convert c = {0};
    const struct arg_option options[] = {
        OPT_TEXT(0, "type", "TYPE", &c.type,
                 "what matrices become: keep, F32, F16 or BF16\n"
                 "(default: keep, as the folder has them)"),
        OPT_FLAG(0, "json", &c.json, "the sizes as one JSON object"),
    };
    const struct arg_command command = {
        .name = "convert",
        .summary = "write a Hugging Face folder as one GGUF file",
        .usage = "convert [options] DIR OUT.gguf",
        .about =
            "DIR holds config.json, tokenizer.json and safetensors. The file has the weights, the\n"
            "tokenizer and the chat templates. It appears complete or not at all.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit convert Qwen3-0.6B qwen3.gguf\n"
                    "isobit quantize qwen3.gguf qwen3-q4_k_m.gguf Q4_K_M",
        .n_positional_min = 2,
        .n_positional_max = 2,
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    metas_init(&c.extra);
    if (!rc) {
        c.job.folder = args.positional[0];
        c.job.out = args.positional[1];
        rc = work(&c, &note);
    }
    metas_release(&c.extra);
    load_close(&c.loaded);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
