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

static enum err from_file(const char *path, bool schema, struct grammar **out,
                          struct err_note *note)
{
    char *text;
    size_t n_bytes;
    enum err rc = file_read(path, SOURCE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    struct str source = {text, n_bytes};
    rc = schema ? grammar_from_json_schema(source, NULL, out, note)
                : grammar_from_gbnf(source, NULL, out, note);
    mem_free(text);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

bool constrain_any(const struct constrain_options *o)
{
    return o->json_schema || o->grammar || o->regex || o->choice || o->json_object;
}

enum err constrain_grammar(const struct constrain_options *o, struct grammar **out,
                           struct err_note *note)
{
    int n = !!o->json_schema + !!o->grammar + !!o->regex + !!o->choice + o->json_object;
    *out = NULL;
    if (n > 1)
        return err_set(note, ERR_USAGE,
                       "of --json-schema, --json-object, --grammar, --regex and "
                       "--choice, only one "
                       "can hold");
    if (o->json_schema && is_schema_text(o->json_schema))
        return grammar_from_json_schema(str_from(o->json_schema), NULL, out, note);
    if (o->json_schema)
        return from_file(o->json_schema, true, out, note);
    if (o->grammar)
        return from_file(o->grammar, false, out, note);
    if (o->regex)
        return grammar_from_regex(str_from(o->regex), NULL, out, note);
    if (o->choice)
        return choices(o->choice, out, note);
    return o->json_object ? grammar_from_json(true, NULL, out, note) : ERR_OK;
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
    enum err rc = constrain_grammar(o, &c->grammar, note);
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
    *c = (struct constrained){0};
}
