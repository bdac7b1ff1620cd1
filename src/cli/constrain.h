/* constrain.h - the options that say what form an answer has, and the
 * constraint they make. */
#ifndef CLI_CONSTRAIN_H
#define CLI_CONSTRAIN_H

#include "cli/args.h"
#include "grammar/matcher.h"
#include "isobit.h"
#include "text/tokenizer.h"

/* At most one of them. */
struct constrain_options {
    const char *json_schema; /* a file, or the schema itself */
    const char *grammar, *regex, *choice;
    bool json_object;
    struct str source; /* in place of what the named file holds; ptr NULL: it is read */
};

#define CONSTRAIN_OPTIONS(c)                                                                       \
    OPT_HEADING("Form of the answer (at most one of these)"),                                      \
        OPT_TEXT(0, "json-schema", "FILE|TEXT", &(c).json_schema,                                  \
                 "JSON that this schema calls valid"),                                             \
        OPT_FLAG(0, "json-object", &(c).json_object, "a JSON object, whatever is in it"),          \
        OPT_TEXT(0, "grammar", "FILE", &(c).grammar, "a text of this GBNF grammar"),               \
        OPT_TEXT(0, "regex", "R", &(c).regex, "a text that the regular expression R matches"),     \
        OPT_TEXT(0, "choice", "A,B", &(c).choice, "one of these texts")

struct constrained {
    const char *kind; /* as a receipt's parameters have it; NULL: no constraint */
    char *source;     /* the text that it was made from */
    size_t n_source;
    struct grammar *grammar;
    struct grammar_vocab *vocab;
    struct matcher *matcher;
    struct iso_constraint constraint;
};

/* Whether an option is given. */
bool constrain_any(const struct constrain_options *o);
/* constrain_grammar - reads and compiles what the options name; *out NULL when
 * they name nothing. constrain_open - the constraint over a model's vocabulary;
 * request->constraint is set. */
enum err constrain_grammar(const struct constrain_options *o, struct grammar **out,
                           struct err_note *note);
enum err constrain_open(struct constrained *c, const struct constrain_options *o,
                        const struct tokenizer *t, uint32_t n_vocab, struct iso_request *request,
                        struct err_note *note);
void constrain_close(struct constrained *c);

#endif
