/* args.h - a command's options as one table, read from argv and printed as its help.
 *
 * Options may be written --name VALUE, --name=VALUE, -n VALUE or -nVALUE, and mixed with the
 * positional arguments; after "--" everything is positional. Values are checked against the
 * option's kind and range; an unknown option is answered with the nearest known one. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum arg_kind {
    ARG_HEADING, /* a line of the help; name is its text */
    ARG_FLAG,    /* bool */
    ARG_U32,     /* uint32_t, min..max */
    ARG_U64,
    ARG_FLOAT, /* float, min..max */
    ARG_TEXT,  /* const char * */
    ARG_TEXTS, /* struct arg_texts; may be repeated */
};

enum { ARG_TEXTS_MAX = 64 };
struct arg_texts {
    const char *items[ARG_TEXTS_MAX];
    size_t n_items;
};

struct arg_option {
    enum arg_kind kind;
    char letter; /* 0: none */
    const char *name;
    const char *value; /* what the help calls the value */
    void *to;
    double min, max;  /* of numbers */
    const char *help; /* may hold '\n' */
};

/* One line of a table of options. */
#define OPT_HEADING(text)                                                                          \
    {                                                                                              \
        .kind = ARG_HEADING, .name = (text)                                                        \
    }
#define OPT_FLAG(letter, name, to, help)                                                           \
    {                                                                                              \
        ARG_FLAG, letter, name, NULL, to, 0, 0, help                                               \
    }
#define OPT_U32(letter, name, value, to, min, max, help)                                           \
    {                                                                                              \
        ARG_U32, letter, name, value, to, min, max, help                                           \
    }
#define OPT_U64(letter, name, value, to, help)                                                     \
    {                                                                                              \
        ARG_U64, letter, name, value, to, 0, 18446744073709551615.0, help                          \
    }
#define OPT_FLOAT(letter, name, value, to, min, max, help)                                         \
    {                                                                                              \
        ARG_FLOAT, letter, name, value, to, min, max, help                                         \
    }
#define OPT_TEXT(letter, name, value, to, help)                                                    \
    {                                                                                              \
        ARG_TEXT, letter, name, value, to, 0, 0, help                                              \
    }
#define OPT_TEXTS(letter, name, value, to, help)                                                   \
    {                                                                                              \
        ARG_TEXTS, letter, name, value, to, 0, 0, help                                             \
    }

struct arg_command {
    const char *name;
    const char *summary; /* lower case, no full stop */
    const char *usage;   /* lines, without "isobit " */
    const char *about;   /* a paragraph; may be NULL */
    const struct arg_option *options;
    size_t n_options;
    const char *examples; /* lines */
    int n_positional_min, n_positional_max;
};

enum { ARGS_OPTIONS_MAX = 96 };
struct args {
    const char **positional; /* into argv */
    int n_positional;
    bool help; /* --help was asked for: nothing else was checked */
    bool given[ARGS_OPTIONS_MAX]; /* by index of the command's options */
};

/* args_parse - argv[0] is the command's name. argv is reordered: positional arguments first.
 * ERR_USAGE: note names the option and what is wrong with it. */
enum err args_parse(const struct arg_command *c, int argc, char **argv, struct args *out,
                    struct err_note *note);
/* args_store - value (NULL: none, of an ARG_FLAG) to where the option belongs; called: what the
 * note calls it, "--port". The text must outlive what it is stored in. */
enum err args_store(const struct arg_option *o, const char *called, const char *value,
                    struct err_note *note);
void args_help(const struct arg_command *c, FILE *out);

/* args_nearest - the candidate that a person may have meant, or NULL. */
const char *args_nearest(const char *word, const char *const *candidates, size_t n_candidates);

#endif
