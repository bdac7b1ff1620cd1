/* cmd_models.c - isobit list and isobit rm: the models folder. */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "format/quant_name.h"
#include "hub/store.h"

/* What the model's own file says of it. */
struct facts {
    char arch[32], quant[QUANT_NAME_BYTES];
};

static struct facts facts_of(const struct store_model *m)
{
    struct facts f = {"?", "?"};
    struct table t;
    struct str arch;
    if (m->is_incomplete) {
        snprintf(f.quant, sizeof f.quant, "incomplete");
        return f;
    }
    if (table_open(m->path, &t, NULL) != ERR_OK) {
        snprintf(f.quant, sizeof f.quant, "unreadable");
        return f;
    }
    if (!table_str(&t, "general.architecture", STR("?"), &arch, NULL))
        snprintf(f.arch, sizeof f.arch, "%.*s", STR_ARG(arch));
    quant_name(&t, f.quant);
    table_close(&t);
    return f;
}

static void print_json(const struct store *s)
{
    json_t *all = json_array();
    CHECK(all);
    for (size_t i = 0; i < s->n_models; i++) {
        const struct store_model *m = &s->models[i];
        struct facts f = facts_of(m);
        CHECK(json_array_append_new(
                  all, json_pack("{s:o,s:o,s:I,s:s,s:o,s:I,s:b}", "name", json_string(m->name),
                                 "path", json_string(m->path), "size", (json_int_t)m->n_bytes,
                                 "quant", f.quant, "arch", json_string(f.arch), "modified",
                                 (json_int_t)m->mtime_s, "incomplete", m->is_incomplete)) == 0);
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void print_list(const struct store *s)
{
    int width = 4;
    for (size_t i = 0; i < s->n_models; i++)
        if ((int)strlen(s->models[i].name) > width)
            width = (int)strlen(s->models[i].name);
    if (s->n_models)
        printf("%-*s  %9s  %-10s  %-10s  %s\n", width, "NAME", "SIZE", "QUANT", "ARCH", "WHEN");
    for (size_t i = 0; i < s->n_models; i++) {
        const struct store_model *m = &s->models[i];
        struct facts f = facts_of(m);
        char size[SIZE_TEXT], when[32];
        time_t at = (time_t)m->mtime_s;
        struct tm local;
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", localtime_r(&at, &local));
        printf("%-*s  %9s  %-10s  %-10s  %s\n", width, m->name, size_text(m->n_bytes, size),
               f.quant, f.arch, when);
    }
}

int cmd_list(int argc, char **argv)
{
    bool json = false;
    const struct arg_option options[] = {
        OPT_FLAG(0, "json", &json, "as JSON"),
    };
    const struct arg_command command = {
        .name = "list",
        .summary = "show the models that were pulled",
        .usage = "list [--json]",
        .about = "They lie in ISOBIT_MODELS or ~/.local/share/isobit/models; -m NAME opens one.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit list",
    };
    struct err_note note = {""};
    struct args args;
    struct store s = {0};
    char folder[PATH_MAX];
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    rc = rc ? rc : store_folder(folder, &note);
    rc = rc ? rc : store_open(&s, folder, &note);
    if (rc)
        return say_error(rc, &note);
    if (json)
        print_json(&s);
    else
        print_list(&s);
    if (s.n_models == 0 && !json)
        say("no models in %s; isobit pull hf:OWNER/REPO fetches one", folder);
    store_close(&s);
    return EXIT_OK;
}

static enum err remove_named(const struct store *s, const char *folder, const char *name,
                             struct err_note *note)
{
    char size[SIZE_TEXT];
    bool found = false;
    enum err rc = ERR_OK;
    for (size_t i = 0; !rc && i < s->n_models; i++) {
        const struct store_model *m = &s->models[i];
        if (strcmp(m->name, name) != 0)
            continue;
        found = true;
        rc = store_remove(m, note);
        if (!rc)
            say("removed %s (%s)", m->path, size_text(m->n_bytes, size));
    }
    return rc || found ? rc
                       : err_set(note, ERR_NOT_FOUND,
                                 "no model %.200s in %s; isobit list shows what "
                                 "is there",
                                 name, folder);
}

int cmd_rm(int argc, char **argv)
{
    const struct arg_command command = {
        .name = "rm",
        .summary = "remove a model that was pulled",
        .usage = "rm NAME...",
        .about = "Also what an interrupted pull of it left.",
        .examples = "isobit rm llama-3.2-1b-instruct-q4_k_m",
        .n_positional_min = 1,
        .n_positional_max = 64,
    };
    struct err_note note = {""};
    struct args args;
    struct store s = {0};
    char folder[PATH_MAX];
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    rc = rc ? rc : store_folder(folder, &note);
    rc = rc ? rc : store_open(&s, folder, &note);
    for (int i = 0; !rc && i < args.n_positional; i++)
        rc = remove_named(&s, folder, args.positional[i], &note);
    store_close(&s);
    return rc ? say_error(rc, &note) : EXIT_OK;
}
