/* shape.c - schemas, grammars, expressions and choices of a request to one grammar. */
#include "server/shape.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

static const char *const field_names[] = {
    [API_SHAPE_ANY] = "",           [API_SHAPE_JSON] = "response_format",
    [API_SHAPE_SCHEMA] = "schema",  [API_SHAPE_GRAMMAR] = "grammar",
    [API_SHAPE_REGEX] = "regex",    [API_SHAPE_CHOICE] = "choice",
};

static enum err from_schema(const json_t *schema, struct grammar **out, struct err_note *note)
{
    char *text = json_dumps(schema, JSON_COMPACT | JSON_ENCODE_ANY); /* keeps the order of keys */
    if (!text)
        return err_set(note, ERR_MEMORY, "out of memory for the schema");
    enum err rc = grammar_from_json_schema(str_from(text), NULL, out, note);
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    release(text);
    return rc;
}

static enum err from_choices(const json_t *choices, struct grammar **out, struct err_note *note)
{
    size_t n = json_array_size(choices);
    struct str *items = mem_array(n, sizeof items[0]);
    if (!items)
        return err_set(note, ERR_MEMORY, "out of memory for %zu choices", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(choices, i);
        items[i] = (struct str){json_string_value(item), json_string_length(item)};
    }
    enum err rc = grammar_from_choices(items, n, NULL, out, note);
    mem_free(items);
    return rc;
}

bool shape_open(struct shape *s, const struct api_generate *api, struct api_error *e)
{
    struct err_note note = {""};
    enum err rc = ERR_OK;
    *s = (struct shape){0};
    switch (api->shape) {
    case API_SHAPE_ANY:
        break;
    case API_SHAPE_JSON:
        rc = grammar_from_json(true, NULL, &s->grammar, &note);
        break;
    case API_SHAPE_SCHEMA:
        rc = from_schema(api->shape_value, &s->grammar, &note);
        break;
    case API_SHAPE_GRAMMAR:
        rc = grammar_from_gbnf(api->shape_text, NULL, &s->grammar, &note);
        break;
    case API_SHAPE_REGEX:
        rc = grammar_from_regex(api->shape_text, NULL, &s->grammar, &note);
        break;
    case API_SHAPE_CHOICE:
        rc = from_choices(api->shape_value, &s->grammar, &note);
        break;
    }
    if (rc)
        return api_fail(e, rc == ERR_MEMORY ? 500 : 400, field_names[api->shape], "%s: %s",
                        field_names[api->shape], note.text);
    if (s->grammar && api->ignore_eos)
        return api_fail(e, 400, "ignore_eos", "ignore_eos: an answer with a shape ends where the "
                                              "shape does");
    return true;
}

void shape_close(struct shape *s)
{
    grammar_free(s->grammar);
    s->grammar = NULL;
}
