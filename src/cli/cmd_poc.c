/* cmd_poc.c - isobit poc: finds which of its commands is meant. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"

static const struct {
    const char *name;
    command_fn *run;
} actions[] = {
#ifdef ISOBIT_HAVE_NET
    {"init", cmd_poc_init},
    {"generate", cmd_poc_generate},
    {"validate", cmd_poc_validate},
    {"serve", cmd_poc_serve},
#endif
    {"bench", cmd_poc_bench},
};

int cmd_poc(int argc, char **argv)
{
    const struct arg_command command = {
        .name = "poc",
        .summary = "compute Gonka's proof of compute, and check that of others",
        .usage = "poc init [options]\npoc generate [options]\npoc validate FILE [options]\n"
                 "poc serve [options]\npoc bench [options]",
        .about = "Each of them has --help.",
        .examples = "isobit poc generate --params test --block-hash b --public-key k -n 100",
        .n_positional_max = 1,
    };
    const char *names[COUNT_OF(actions) + 1];
    struct args args;
    struct err_note note = {""};
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        names[i] = actions[i].name;
        if (argc > 1 && strcmp(argv[1], names[i]) == 0)
            return actions[i].run(argc - 1, argv + 1);
    }
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc) {
        const char *meant =
            args.n_positional ? args_nearest(args.positional[0], names, COUNT_OF(actions)) : NULL;
        rc = err_set(&note, ERR_USAGE, meant ? "isobit poc has no \"%s\"; did you mean \"%s\"?"
                                             : "see isobit poc --help",
                     args.n_positional ? args.positional[0] : "", meant);
    }
    return say_error(rc, &note);
}
