/* args.c - options: parsing, nearest names, help. */
#include "cli/args.h"

#include <string.h>

#include "base/check.h"
#include "base/str.h"

enum { WORD_MAX = 40, HELP_COLUMN = 28 };

/* Edit distance with insertions, deletions and substitutions; words longer than WORD_MAX are far
 * from everything. */
static int distance(const char *a, const char *b)
{
    size_t n_a = strlen(a), n_b = strlen(b);
    int row[WORD_MAX + 1];
    if (n_a > WORD_MAX || n_b > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n_a; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= n_b; j++) {
            int least = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < least)
                least = row[j] + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = least;
        }
    }
    return row[n_b];
}

const char *args_nearest(const char *word, const char *const *candidates, size_t n_candidates)
{
    const char *best = NULL;
    int best_distance = 3; /* two typing errors at most, and fewer than half of the letters */
    size_t length = strlen(word);
    for (size_t i = 0; i < n_candidates; i++) {
        int d = distance(word, candidates[i]);
        if (length >= 3 && strncmp(word, candidates[i], length) == 0)
            d = 0;
        if (d < best_distance && (size_t)d * 2 <= length + 1) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

static enum err unknown_option(const struct arg_command *c, struct str name, const char *written,
                               struct err_note *note)
{
    const char *names[ARGS_OPTIONS_MAX];
    char word[WORD_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < c->n_options; i++)
        if (c->options[i].kind != ARG_HEADING && c->options[i].name)
            names[n++] = c->options[i].name;
    snprintf(word, sizeof word, "%.*s", STR_ARG(name));
    const char *nearest = name.len > 1 ? args_nearest(word, names, n) : NULL;
    if (nearest)
        return err_set(note, ERR_USAGE, "unknown option %s; did you mean --%s?", written, nearest);
    return err_set(note, ERR_USAGE, "unknown option %s; see isobit %s --help", written, c->name);
}

static enum err wrong_value(const struct arg_option *o, const char *called, const char *value,
                            struct err_note *note)
{
    if (o->kind == ARG_FLOAT)
        return err_set(note, ERR_USAGE, "%s is \"%s\"; it must be a number from %g to %g", called,
                       value, o->min, o->max);
    return err_set(note, ERR_USAGE, "%s is \"%s\"; it must be a whole number from %.0f to %.0f",
                   called, value, o->min, o->max);
}

enum err args_store(const struct arg_option *o, const char *called, const char *value,
                    struct err_note *note)
{
    struct str s = value ? str_from(value) : STR("");
    struct arg_texts *texts = o->to;
    uint64_t u;
    double f;
    switch (o->kind) {
    case ARG_FLAG:
        *(bool *)o->to = true;
        return ERR_OK;
    case ARG_U32:
    case ARG_U64:
        if (!str_to_u64(s, &u) || (double)u < o->min || (double)u > o->max)
            return wrong_value(o, called, value, note);
        if (o->kind == ARG_U32)
            *(uint32_t *)o->to = (uint32_t)u;
        else
            *(uint64_t *)o->to = u;
        return ERR_OK;
    case ARG_FLOAT:
        if (!str_to_f64(s, &f) || f < o->min || f > o->max)
            return wrong_value(o, called, value, note);
        *(float *)o->to = (float)f;
        return ERR_OK;
    case ARG_TEXT:
        *(const char **)o->to = value;
        return ERR_OK;
    case ARG_TEXTS:
        if (texts->n_items == ARG_TEXTS_MAX)
            return err_set(note, ERR_USAGE, "%s is given more than %d times", called,
                           ARG_TEXTS_MAX);
        texts->items[texts->n_items++] = value;
        return ERR_OK;
    case ARG_HEADING:
        break;
    }
    CHECK(!"an option without a value kind");
    return ERR_USAGE;
}

static const struct arg_option *find(const struct arg_command *c, struct str name)
{
    for (size_t i = 0; i < c->n_options; i++) {
        const struct arg_option *o = &c->options[i];
        if (o->kind == ARG_HEADING)
            continue;
        if (name.len == 1 ? o->letter == name.ptr[0] : str_is(name, o->name))
            return o;
    }
    return NULL;
}

static bool takes_value(const struct arg_option *o)
{
    return o->kind != ARG_FLAG;
}

/* One option at argv[i]; returns through *n_used how many arguments it took. */
static enum err parse_option(const struct arg_command *c, int argc, char **argv, int i, int *n_used,
                             struct args *out, struct err_note *note)
{
    const char *word = argv[i], *value = NULL;
    bool is_long = word[1] == '-';
    struct str name = is_long ? str_from(word + 2) : (struct str){word + 1, 1};
    const char *equals = is_long ? strchr(word, '=') : NULL;
    if (equals) {
        name.len = (size_t)(equals - name.ptr);
        value = equals + 1;
    } else if (!is_long && word[2]) {
        value = word + 2;
    }
    const struct arg_option *o = is_long && name.len < 2 ? NULL : find(c, name);
    if (!o)
        return unknown_option(c, is_long ? name : str_from(word + 1), word, note);
    if (!takes_value(o)) {
        if (value)
            return err_set(note, ERR_USAGE, "--%s takes no value", o->name);
    } else if (!value) {
        if (i + 1 >= argc)
            return err_set(note, ERR_USAGE, "--%s needs a value: %s", o->name, o->value);
        value = argv[i + 1];
        *n_used = 2;
    }
    char called[WORD_MAX + 3];
    snprintf(called, sizeof called, "--%s", o->name);
    out->given[o - c->options] = true;
    return args_store(o, called, value, note);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

enum err args_parse(const struct arg_command *c, int argc, char **argv, struct args *out,
                    struct err_note *note)
{
    CHECK(c->n_options <= ARGS_OPTIONS_MAX);
    *out = (struct args){.positional = (const char **)argv + 1};
    if (asks_for_help(argc, argv)) {
        out->help = true;
        return ERR_OK;
    }
    bool options_end = false;
    for (int i = 1, n_used; i < argc; i += n_used) {
        char *word = argv[i];
        n_used = 1;
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
        } else if (!options_end && word[0] == '-' && word[1]) {
            enum err rc = parse_option(c, argc, argv, i, &n_used, out, note);
            if (rc)
                return rc;
        } else if (out->n_positional == c->n_positional_max) {
            return err_set(note, ERR_USAGE, "\"%s\" is one argument too many; see isobit %s --help",
                           word, c->name);
        } else {
            out->positional[out->n_positional++] = word;
        }
    }
    if (out->n_positional < c->n_positional_min)
        return err_set(note, ERR_USAGE, "an argument is missing; usage: isobit %s", c->usage);
    return ERR_OK;
}

/* Text after an indent; further lines of it are indented as far. */
static void print_indented(FILE *out, const char *text, int indent)
{
    for (const char *end; *text; text = end) {
        end = text + strcspn(text, "\n");
        fprintf(out, "%.*s\n", (int)(end - text), text);
        if (*end == '\n')
            fprintf(out, "%*s", *++end ? indent : 0, "");
    }
}

static void print_option(const struct arg_option *o, FILE *out)
{
    char left[80];
    if (o->kind == ARG_HEADING) {
        fprintf(out, "\n%s\n", o->name);
        return;
    }
    int n = o->letter ? snprintf(left, sizeof left, "  -%c, ", o->letter)
                      : snprintf(left, sizeof left, "      ");
    n += snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", o->name, o->value ? " " : "",
                  o->value ? o->value : "");
    if (n > HELP_COLUMN - 2)
        fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
    else
        fprintf(out, "%-*s", HELP_COLUMN, left);
    print_indented(out, o->help, HELP_COLUMN);
}

void args_help(const struct arg_command *c, FILE *out)
{
    fprintf(out, "isobit %s - %s\n\nUsage: ", c->name, c->summary);
    for (const char *at = c->usage, *end; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, "\n");
        fprintf(out, "%sisobit %.*s\n", at == c->usage ? "" : "       ", (int)(end - at), at);
    }
    if (c->about)
        fprintf(out, "\n%s\n", c->about);
    if (c->n_options && c->options[0].kind != ARG_HEADING)
        fputc('\n', out);
    for (size_t i = 0; i < c->n_options; i++)
        print_option(&c->options[i], out);
    if (c->examples) {
        fprintf(out, "\nExamples\n  ");
        print_indented(out, c->examples, 2);
    }
}
