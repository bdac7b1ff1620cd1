/* settings.c - options from the environment and from a file. */
#include "cli/settings.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "cli/folders.h"
#include "cli/say.h"

enum {
    FILE_BYTES_MAX = 1 << 20,
    TEXTS_BYTES_MAX = 4 << 20,
    VARIABLE_MAX = 64,
};

#define PREFIX "ISOBIT_"

/* Variables that are no option's: what computes, and where the demo model is. */
static const char *const other_variables[] = {"ISOBIT_ISA", "ISOBIT_MEMORY", "ISOBIT_DEMO",
                                              "ISOBIT_KEY", "ISOBIT_MODELS"};

static const char *variable_of(const struct arg_option *o, char out[VARIABLE_MAX])
{
    int n = snprintf(out, VARIABLE_MAX, PREFIX "%s", o->name);
    CHECK(n < VARIABLE_MAX);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return out;
}

static enum err no_memory(struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "out of memory for settings");
}

/* Whether option i may still be set; then it is from where. */
static bool take(struct settings *s, size_t i, const char *where)
{
    if (s->where[i] || s->command->options[i].kind == ARG_HEADING)
        return false;
    s->where[i] = arena_strndup(&s->texts, where, strlen(where));
    return s->where[i] != NULL;
}

static size_t find_option(const struct arg_command *c, const char *name)
{
    for (size_t i = 0; i < c->n_options; i++)
        if (c->options[i].kind != ARG_HEADING && strcmp(c->options[i].name, name) == 0)
            return i;
    return c->n_options;
}

/* ---- the environment ---------------------------------------------------------------------- */

static enum err store_flag(const struct arg_option *o, const char *called, const char *value,
                           struct err_note *note)
{
    static const char *const words[][2] = {
        {"0", "1"}, {"false", "true"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcasecmp(value, words[i][0]) == 0)
            return ERR_OK;
        if (strcasecmp(value, words[i][1]) == 0)
            return args_store(o, called, NULL, note);
    }
    return err_set(note, ERR_USAGE, "%s is \"%s\"; it must be true or false", called, value);
}

/* A variable's value; its parts, if the option is a list. */
static enum err store_variable(struct settings *s, size_t i, const char *called, const char *value,
                               struct err_note *note)
{
    const struct arg_option *o = &s->command->options[i];
    enum err rc = ERR_OK;
    if (o->kind == ARG_FLAG)
        return store_flag(o, called, value, note);
    for (const char *end; *value && !rc; value = *end ? end + 1 : end) {
        end = o->kind == ARG_TEXTS ? value + strcspn(value, ",") : value + strlen(value);
        char *copy = arena_strndup(&s->texts, value, (size_t)(end - value));
        rc = copy ? args_store(o, called, copy, note) : no_memory(note);
    }
    return rc;
}

static enum err read_variable(struct settings *s, size_t i, const char *name, struct err_note *note)
{
    char where[VARIABLE_MAX + 16];
    const char *value = getenv(name);
    if (!value || !*value)
        return ERR_OK;
    snprintf(where, sizeof where, "environment %s", name);
    return take(s, i, where) ? store_variable(s, i, name, value, note) : ERR_OK;
}

/* An ISOBIT_* variable that is nobody's is a mistake, though none to stop for. */
static void say_unknown(const struct arg_command *c)
{
    static char names[ARGS_OPTIONS_MAX][VARIABLE_MAX];
    const char *known[ARGS_OPTIONS_MAX + COUNT_OF(other_variables)];
    size_t n = 0;
    for (size_t i = 0; i < c->n_options; i++)
        if (c->options[i].kind != ARG_HEADING) {
            known[n] = variable_of(&c->options[i], names[n]);
            n++;
        }
    for (size_t i = 0; i < COUNT_OF(other_variables); i++)
        known[n++] = other_variables[i];
    for (char **v = environ; *v; v++) {
        char name[VARIABLE_MAX];
        bool found = false;
        if (strncmp(*v, PREFIX, strlen(PREFIX)) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*v, "="), *v);
        for (size_t i = 0; i < n && !found; i++)
            found = strcmp(name, known[i]) == 0;
        const char *nearest = found ? NULL : args_nearest(name, known, n);
        if (nearest)
            say("%s means nothing here; did you mean %s?", name, nearest);
        else if (!found)
            say("%s means nothing here", name);
    }
}

enum err settings_environment(struct settings *s, const struct arg_command *c,
                              const struct args *args, const struct settings_name *names,
                              size_t n_names, struct err_note *note)
{
    char name[VARIABLE_MAX];
    enum err rc = ERR_OK;
    *s = (struct settings){.command = c};
    arena_init(&s->texts, TEXTS_BYTES_MAX);
    for (size_t i = 0; i < c->n_options; i++)
        if (args->given[i])
            s->where[i] = "command line";
    for (size_t i = 0; i < c->n_options && !rc; i++)
        if (c->options[i].kind != ARG_HEADING)
            rc = read_variable(s, i, variable_of(&c->options[i], name), note);
    for (size_t k = 0; k < n_names && !rc; k++) {
        const char *value = getenv(names[k].variable);
        size_t i = names[k].option ? find_option(c, names[k].option) : c->n_options;
        CHECK(i < c->n_options || names[k].why);
        if (i < c->n_options)
            rc = read_variable(s, i, names[k].variable, note);
        else if (value && *value)
            say("%s means nothing here: %s", names[k].variable, names[k].why);
    }
    if (!rc)
        say_unknown(c);
    return rc;
}

/* ---- the file ----------------------------------------------------------------------------- */

static const char *kind_text(const struct arg_option *o)
{
    switch (o->kind) {
    case ARG_FLAG:
        return "true or false";
    case ARG_TEXT:
        return "a text";
    case ARG_TEXTS:
        return "a text, or an array of texts";
    default:
        return "a number";
    }
}

/* A number as the text that a flag would have; NULL: it is none. */
static const char *number_text(const json_t *v, char out[32])
{
    if (json_is_integer(v))
        snprintf(out, 32, "%" PRId64, (int64_t)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(out, 32, "%.17g", json_real_value(v));
    else
        return NULL;
    return out;
}

static enum err store_value(const struct arg_option *o, const char *called, const json_t *v,
                            struct err_note *note)
{
    char number[32];
    const char *text = json_string_value(v);
    enum err rc = ERR_OK;
    if (o->kind == ARG_FLAG && json_is_boolean(v))
        return json_is_true(v) ? args_store(o, called, NULL, note) : ERR_OK;
    if (o->kind == ARG_TEXTS && json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v) && !rc; i++) {
            text = json_string_value(json_array_get(v, i));
            rc = text ? args_store(o, called, text, note)
                      : err_set(note, ERR_USAGE, "%s[%zu] must be a text", called, i);
        }
        return rc;
    }
    if (o->kind != ARG_TEXT && o->kind != ARG_TEXTS)
        text = o->kind == ARG_FLAG ? NULL : number_text(v, number);
    return text ? args_store(o, called, text, note)
                : err_set(note, ERR_USAGE, "%s must be %s", called, kind_text(o));
}

static enum err unknown_name(const struct settings *s, const char *path, const char *name,
                             struct err_note *note)
{
    const char *names[ARGS_OPTIONS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->command->n_options; i++)
        if (s->command->options[i].kind != ARG_HEADING)
            names[n++] = s->command->options[i].name;
    const char *nearest = args_nearest(name, names, n);
    if (nearest)
        return err_set(note, ERR_USAGE, "%s: unknown setting \"%s\"; did you mean \"%s\"?", path,
                       name, nearest);
    return err_set(note, ERR_USAGE, "%s: unknown setting \"%s\"; isobit %s --help has them all",
                   path, name, s->command->name);
}

/* Names may have '_' for '-'. */
static enum err read_setting(struct settings *s, const char *path, const char *name,
                             const json_t *value, struct err_note *note)
{
    char option[VARIABLE_MAX], called[512];
    snprintf(option, sizeof option, "%s", name);
    for (char *c = option; *c; c++)
        *c = *c == '_' ? '-' : *c;
    size_t i = find_option(s->command, option);
    if (i == s->command->n_options || strcmp(name, "config") == 0)
        return unknown_name(s, path, name, note);
    snprintf(called, sizeof called, "%s: \"%s\"", path, name);
    return take(s, i, path) ? store_value(&s->command->options[i], called, value, note) : ERR_OK;
}

enum err settings_parse(struct settings *s, struct str text, const char *path,
                        struct err_note *note)
{
    json_error_t fault;
    const char *name;
    json_t *value;
    enum err rc = ERR_OK;
    CHECK(!s->file);
    s->file = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &fault);
    if (!s->file)
        return err_set(note, ERR_FORMAT, "%s, line %d: %s", path, fault.line, fault.text);
    if (!json_is_object(s->file))
        return err_set(note, ERR_FORMAT, "%s must be an object: {\"port\": 8080}", path);
    json_object_foreach (s->file, name, value) {
        rc = read_setting(s, path, name, value, note);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

static enum err read_file(struct settings *s, const char *path, struct err_note *note)
{
    char *text;
    size_t n_bytes;
    enum err rc = file_read(path, FILE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = settings_parse(s, (struct str){text, n_bytes}, path, note);
    mem_free(text);
    return rc;
}

enum err settings_read(struct settings *s, const struct arg_command *c, const struct args *args,
                       const struct settings_options *o, const struct settings_name *names,
                       size_t n_names, struct err_note *note)
{
    char path[PATH_MAX];
    struct err_note ignored;
    enum err rc = settings_environment(s, c, args, names, n_names, note);
    if (rc)
        return rc;
    if (o->file)
        return read_file(s, o->file, note);
    if (folder_path(FOLDER_CONFIG, "config.json", path, &ignored) || !file_exists(path))
        return ERR_OK;
    return read_file(s, path, note);
}

/* ---- what came of it ---------------------------------------------------------------------- */

static void print_value(const struct arg_option *o, char *out, size_t n_out)
{
    const struct arg_texts *texts = o->to;
    size_t n = 0;
    snprintf(out, n_out, "-");
    if (o->kind == ARG_FLAG)
        snprintf(out, n_out, "%s", *(const bool *)o->to ? "true" : "false");
    else if (o->kind == ARG_U32 && *(const uint32_t *)o->to >= o->min &&
             *(const uint32_t *)o->to <= o->max)
        snprintf(out, n_out, "%" PRIu32, *(const uint32_t *)o->to);
    else if (o->kind == ARG_U64)
        snprintf(out, n_out, "%" PRIu64, *(const uint64_t *)o->to);
    else if (o->kind == ARG_FLOAT)
        snprintf(out, n_out, "%g", *(const float *)o->to);
    else if (o->kind == ARG_TEXT && *(const char *const *)o->to)
        snprintf(out, n_out, "%s", *(const char *const *)o->to);
    for (size_t i = 0; o->kind == ARG_TEXTS && i < texts->n_items && n < n_out; i++)
        n += (size_t)snprintf(out + n, n_out - n, "%s%s", i ? "," : "", texts->items[i]);
}

void settings_print(const struct settings *s, FILE *out)
{
    for (size_t i = 0; i < s->command->n_options; i++) {
        const struct arg_option *o = &s->command->options[i];
        char value[4096];
        if (o->kind == ARG_HEADING)
            continue;
        print_value(o, value, sizeof value);
        fprintf(out, "%-20s  %-24s  %s\n", o->name, value, s->where[i] ? s->where[i] : "default");
    }
}

void settings_release(struct settings *s)
{
    json_decref(s->file);
    arena_release(&s->texts);
    *s = (struct settings){0};
}
