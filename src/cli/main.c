/* main.c - finds the command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "isobit.h"

static const struct {
    command_fn *run; /* NULL: a heading of the help */
    const char *name, *text;
} entries[] = {
#define ENTRY_HEADING(text)                 {NULL, NULL, text},
#define ENTRY_COMMAND(function, name, text) {function, name, text},
    COMMAND_LIST(ENTRY_HEADING, ENTRY_COMMAND)
#undef ENTRY_HEADING
#undef ENTRY_COMMAND
};

static void print_help(FILE *out)
{
    fputs("isobit - language models with one exact arithmetic: the same bits on every machine\n\n"
          "Usage: isobit COMMAND [options]\n",
          out);
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        if (entries[i].run)
            fprintf(out, "  %-12s%s\n", entries[i].name, entries[i].text);
        else
            fprintf(out, "\n%s\n", entries[i].text);
    }
    fputs(
        "\n"
        "A model is a GGUF file, the first part of a split one, or a Hugging Face folder; without\n"
        "-m it is the small demo model that comes with isobit. Every command has --help.\n"
        "\n"
        "Examples\n"
        "  isobit run -p \"What is isobit?\"\n"
        "  isobit chat -m model.gguf\n",
        out);
}

static int print_version(void)
{
    printf("isobit %s, arithmetic %s\n", ISOBIT_VERSION, ISO_ARITHMETIC);
    return EXIT_OK;
}

static command_fn *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        if (entries[i].run && strcmp(entries[i].name, name) == 0)
            return entries[i].run;
#ifdef ISOBIT_HAVE_NET
    if (strcmp(name, "worker") == 0)
        return cmd_worker;
#endif
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[COUNT_OF(entries)];
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        if (entries[i].run)
            names[n++] = entries[i].name;
    const char *nearest = args_nearest(name, names, n);
    if (nearest)
        say_failed("unknown command \"%s\"; did you mean \"%s\"?", name, nearest);
    else
        say_failed("unknown command \"%s\"; see isobit --help", name);
    return EXIT_USAGE;
}

/* isobit help COMMAND is isobit COMMAND --help. */
static int help(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stdout);
        return EXIT_OK;
    }
    command_fn *run = find_command(argv[1]);
    char option[] = "--help";
    char *arguments[] = {argv[1], option, NULL};
    return run ? run(2, arguments) : unknown_command(argv[1]);
}

/* Standard output may be a full disk: a result that was not written is a failure. */
static int check_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return say_failed("cannot write the result to standard output");
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* writes fail, and are reported */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return check_output(help(argc - 1, argv + 1));
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0)
        return check_output(print_version());
    command_fn *run = find_command(name);
    return run ? check_output(run(argc - 1, argv + 1)) : unknown_command(name);
}
