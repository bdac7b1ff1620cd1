/* settings.h - a command's options from elsewhere than its flags: environment, and a JSON file.
 *
 * Every option of the command's table has a variable, ISOBIT_ and its name in capitals, and a place
 * in the file under its name: {"port": 8080, "allow-host": ["llm.example"]}. Flags come first, then
 * variables, then the file, then the default. Lists are separated by commas in a variable; flags
 * are true or false. An empty variable is none. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include <jansson.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/args.h"

/* Another program's name for an option, or why it has none here. */
struct settings_name {
    const char *variable;
    const char *option; /* NULL: see why */
    const char *why;
};

struct settings {
    const struct arg_command *command;
    struct arena texts; /* what options point to */
    json_t *file;       /* the same; NULL: there is none */
    const char *where[ARGS_OPTIONS_MAX]; /* each value is from; NULL: the default */
};

struct settings_options {
    const char *file;
    bool print;
};
#define SETTINGS_OPTIONS(o)                                                                        \
    OPT_HEADING("Settings"),                                                                       \
        OPT_TEXT(0, "config", "FILE", &(o).file,                                                   \
                 "options as JSON: {\"port\": 9000} (default:\n"                                   \
                 "$XDG_CONFIG_HOME/isobit/config.json or\n"                                        \
                 "~/.config/isobit/config.json, if it is there); variables\n"                      \
                 "such as ISOBIT_PORT come before it, flags before those"),                        \
        OPT_FLAG(0, "print-config", &(o).print, "show every option, and where it is from")

/* settings_read - after args_parse: environment and file into what no flag gave. names: others'
 * variables, which come after ISOBIT_*; of both kinds those that mean nothing here are said, a
 * line each. ERR_USAGE: a value that its option does not take; ERR_NOT_FOUND, ERR_FORMAT: the file.
 * To be released in any case, after the options were used. */
enum err settings_read(struct settings *s, const struct arg_command *c, const struct args *args,
                       const struct settings_options *o, const struct settings_name *names,
                       size_t n_names, struct err_note *note);
/* Its parts: settings_environment begins s; settings_parse takes a file's text, called path. */
enum err settings_environment(struct settings *s, const struct arg_command *c,
                              const struct args *args, const struct settings_name *names,
                              size_t n_names, struct err_note *note);
enum err settings_parse(struct settings *s, struct str text, const char *path,
                        struct err_note *note);
/* settings_print - every option: its value, and where that came from. */
void settings_print(const struct settings *s, FILE *out);
void settings_release(struct settings *s);

#endif
