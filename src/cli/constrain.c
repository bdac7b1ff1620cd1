/* constrain.c - from options to a matcher over the model's tokens. */
#include "cli/constrain.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "text/spellings.h"

enum { SOURCE_BYTES_MAX = 4 << 20, CHOICES_MAX = 1000 };

static enum err choices(const char *text, struct grammar **out, struct err_note *note)
{
    struct str items[CHOICES_MAX];
    size_t n = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        if (n == CHOICES_MAX)
            return err_set(note, ERR_LIMIT, "--choice has more than %d texts", CHOICES_MAX);
        items[n++] = (struct str){at, len};
        at += len;
        if (!*at)
            return grammar_from_choices(items, n, NULL, out, note);
    }
}

/* A schema is given as text when it begins like one. */
static bool is_schema_text(const char *text)
{
    text += strspn(text, " \t\r\n");
    return *text == '{' || strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

/* The text that the options name, and what kind of text it is. *path: the file it is of or NULL. */
static enum err read_source(const struct constrain_options *o, struct constrained *c,
                            const char **path, struct err_note *note)
{
    const char *text = o->json_schema ? o->json_schema
                       : o->grammar   ? o->grammar
                       : o->regex     ? o->regex
                       : o->choice    ? o->choice
                                      : "";
    bool is_file = o->grammar || (o->json_schema && !is_schema_text(o->json_schema));
    c->kind = o->json_schema ? "json_schema"
              : o->grammar   ? "gbnf"
              : o->regex     ? "regex"
              : o->choice    ? "choice"
                             : "json_object";
    *path = is_file ? text : NULL;
    if (is_file && o->source.ptr) {
        c->source = mem_strndup(o->source.ptr, o->source.len);
        c->n_source = o->source.len;
        return c->source ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for a constraint");
    }
    if (is_file)
        return file_read(text, SOURCE_BYTES_MAX, &c->source, &c->n_source, note);
    c->source = mem_strdup(text);
    c->n_source = strlen(text);
    return c->source ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for a constraint");
}

bool constrain_any(const struct constrain_options *o)
{
    return o->json_schema || o->grammar || o->regex || o->choice || o->json_object;
}

/* Reads and compiles what the options name; nothing where they name nothing. */
static enum err make_grammar(const struct constrain_options *o, struct constrained *c,
                             struct err_note *note)
{
    int n = !!o->json_schema + !!o->grammar + !!o->regex + !!o->choice + o->json_object;
    const char *path;
    if (n > 1)
        return err_set(note, ERR_USAGE,
                       "of --json-schema, --json-object, --grammar, --regex and "
                       "--choice, only one "
                       "can hold");
    enum err rc = n ? read_source(o, c, &path, note) : ERR_OK;
    struct str source = {c->source, c->n_source};
    if (rc || n == 0)
        return rc;
    if (o->json_schema)
        rc = grammar_from_json_schema(source, NULL, &c->grammar, note);
    else if (o->grammar)
        rc = grammar_from_gbnf(source, NULL, &c->grammar, note);
    else if (o->regex)
        rc = grammar_from_regex(source, NULL, &c->grammar, note);
    else if (o->choice)
        rc = choices(c->source, &c->grammar, note);
    else
        rc = grammar_from_json(true, NULL, &c->grammar, note);
    return rc && path ? err_wrap(note, rc, "%s", path) : rc;
}

enum err constrain_grammar(const struct constrain_options *o, struct grammar **out,
                           struct err_note *note)
{
    struct constrained c = {0};
    enum err rc = make_grammar(o, &c, note);
    *out = rc ? NULL : c.grammar;
    mem_free(c.source);
    return rc;
}

static enum err make_vocab(const struct tokenizer *t, uint32_t n_vocab, struct grammar_vocab **out,
                           struct err_note *note)
{
    struct spellings s;
    enum err rc = spellings_make(&s, t, n_vocab, NULL, 0, note);
    if (!rc)
        rc = grammar_vocab_new(s.tokens, s.n_tokens, n_vocab, s.ends, s.n_ends, out, note);
    spellings_release(&s);
    return rc;
}

enum err constrain_open(struct constrained *c, const struct constrain_options *o,
                        const struct tokenizer *t, uint32_t n_vocab, struct iso_request *request,
                        struct err_note *note)
{
    enum err rc = make_grammar(o, c, note);
    if (rc || !c->grammar)
        return rc;
    rc = make_vocab(t, n_vocab, &c->vocab, note);
    if (!rc)
        rc = matcher_new(c->grammar, c->vocab, &c->matcher, note);
    if (rc)
        return rc;
    c->constraint = matcher_constraint(c->matcher);
    request->constraint = &c->constraint;
    return ERR_OK;
}

void constrain_close(struct constrained *c)
{
    matcher_free(c->matcher);
    grammar_vocab_free(c->vocab);
    grammar_free(c->grammar);
    mem_free(c->source);
    *c = (struct constrained){0};
}
