/* cmd_pull.c - isobit pull: a model from a hub or a URL into the models folder. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "hub/pull.h"
#include "hub/store.h"

enum { RETRIES_DEFAULT = 5 };

static atomic_bool stopped;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopped, true);
}

/* What a person sees, or a program that reads lines of JSON. */
struct shown {
    struct progress bar;
    bool json;
    uint64_t done, total, n_said;
};

static void print_json(json_t *line)
{
    CHECK(line);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    struct shown *s = context;
    s->done = done;
    s->total = total;
    if (!s->json) {
        progress_show(&s->bar, done, total);
    } else if (total && (done - s->n_said > total / 100 || done == total || done < s->n_said)) {
        print_json(json_pack("{s:s,s:I,s:I}", "status", "pulling", "completed", (json_int_t)done,
                             "total", (json_int_t)total));
        s->n_said = done;
    }
}

static void on_say(void *context, const char *line)
{
    struct shown *s = context;
    progress_end(&s->bar);
    say("%s", line);
}

static int print_result(const struct pull_result *r, bool json)
{
    char size[SIZE_TEXT];
    if (json) {
        print_json(json_pack("{s:s,s:s,s:s,s:I,s:i,s:b,s:b,s:s}", "status", "success", "name",
                             r->name, "path", r->path, "size", (json_int_t)r->n_bytes, "files",
                             (int)r->n_files, "was_there", r->was_there, "verified", r->is_verified,
                             "sha256", r->sha256));
        return EXIT_OK;
    }
    printf("%s: %s%s%s\n", r->name, size_text(r->n_bytes, size),
           r->was_there ? ", was there already" : "",
           r->is_verified ? ", verified" : ", not verified: its digest was not known before");
    if (r->sha256[0])
        printf("sha256 %s\n", r->sha256);
    printf("%s\n", r->path);
    return EXIT_OK;
}

static int run_pull(struct pull_options *o, bool json)
{
    struct shown shown = {.json = json};
    struct pull_result result;
    struct err_note note = {""};
    char folder[PATH_MAX];
    struct sigaction action = {.sa_handler = on_signal};
    enum err rc = o->folder ? ERR_OK : store_folder(folder, &note);
    if (rc)
        return say_error(rc, &note);
    if (!o->folder)
        o->folder = folder;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    o->endpoint = getenv("HF_ENDPOINT");
    o->token = getenv("HF_TOKEN");
    o->stop = &stopped;
    o->progress = on_progress;
    o->say = on_say;
    o->context = &shown;
    progress_begin(&shown.bar, "pulling");
    shown.bar.is_transfer = true;
    rc = pull(o, &result, &note);
    progress_end(&shown.bar);
    if (rc == ERR_CANCELLED)
        err_set(&note, rc, "stopped after %.0f %%; the same command goes on from there",
                shown.total ? 100.0 * (double)shown.done / (double)shown.total : 0);
    if (rc && json)
        print_json(json_pack("{s:s,s:s%}", "status", "error", "error", note.text,
                             utf8_valid(note.text, strlen(note.text)) ? strlen(note.text) : 0));
    if (rc == ERR_CANCELLED) {
        say_error(rc, &note);
        return EXIT_INTERRUPTED;
    }
    return rc ? say_error(rc, &note) : print_result(&result, json);
}

int cmd_pull(int argc, char **argv)
{
    struct pull_options o = {.n_retries = RETRIES_DEFAULT};
    bool json = false;
    const struct arg_option options[] = {
        OPT_TEXT(0, "name", "NAME", &o.name, "what it is called here (default: its file's name)"),
        OPT_TEXT(0, "into", "DIR", &o.folder, "another folder than the models folder"),
        OPT_TEXT(0, "sha256", "HEX", &o.sha256, "what the file's SHA-256 must be"),
        OPT_U32(0, "retries", "N", &o.n_retries, 0, 1000,
                "how often a request that brings nothing is repeated\n(default: 5)"),
        OPT_FLAG(0, "json", &json, "progress and result as lines of JSON"),
    };
    const struct arg_command command = {
        .name = "pull",
        .summary = "fetch a model by name",
        .usage = "pull hf:OWNER/REPO[:QUANT]|URL [options]",
        .about =
            "From the Hugging Face Hub (HF_ENDPOINT names another, HF_TOKEN opens what is not\n"
            "public) or a URL, into ISOBIT_MODELS or ~/.local/share/isobit/models. QUANT is\n"
            "Q4_K_M if it is not given; a repository without GGUF files is pulled as a folder.\n"
            "What was interrupted goes on where it ended; nothing has its name before its\n"
            "digest is right.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit pull hf:OWNER/REPO:Q8_0\n"
                    "isobit pull https://host/model.gguf --sha256 HEX --name model",
        .n_positional_min = 1,
        .n_positional_max = 1,
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (rc)
        return say_error(rc, &note);
    o.reference = args.positional[0];
    return run_pull(&o, json);
}
