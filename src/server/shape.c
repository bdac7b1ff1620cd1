/* shape.c - schemas, grammars, expressions, choices and calls of a request to one grammar.
 *
 * An answer is: reasoning, as far as its prompt leaves it open; then calls, text of the shape, or
 * (where nothing must be) any text with calls after it. */
#include "server/shape_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

static const char *const field_names[] = {
    [API_SHAPE_ANY] = "",          [API_SHAPE_JSON] = "response_format",
    [API_SHAPE_SCHEMA] = "schema", [API_SHAPE_GRAMMAR] = "grammar",
    [API_SHAPE_REGEX] = "regex",   [API_SHAPE_CHOICE] = "choice",
};

/* ---- pieces ------------------------------------------------------------------------------- */

uint32_t shape_literal(struct draft *d, const char *text)
{
    return text ? draft_literal(d, str_from(text)) : DRAFT_EMPTY;
}

uint32_t shape_without(struct draft *d, const char *const *words, size_t n)
{
    uint32_t any = draft_repeat(d, draft_class(d, NULL, 0, true), 0, DRAFT_ENDLESS);
    uint32_t exprs[SHAPE_WORDS_MAX] = {DRAFT_NOTHING};
    size_t n_exprs = 0;
    CHECK(n <= SHAPE_WORDS_MAX);
    for (size_t i = 0; i < n; i++)
        if (words[i])
            exprs[n_exprs++] = shape_literal(d, words[i]);
    if (n_exprs == 0)
        return any;
    return draft_minus(d, any, DRAFT_SEQ(d, any, draft_alt(d, exprs, n_exprs), any));
}

uint32_t shape_schema(struct draft *d, const json_t *schema)
{
    char *text = json_dumps(schema, JSON_COMPACT | JSON_ENCODE_ANY); /* keeps the order of keys */
    json_free_t release;
    if (!text) {
        draft_fail(d, ERR_MEMORY, "out of memory for the schema");
        return DRAFT_NOTHING;
    }
    uint32_t made = draft_json_schema(d, str_from(text));
    json_get_alloc_funcs(NULL, &release);
    release(text);
    return made;
}

static uint32_t choices(struct draft *d, const json_t *list)
{
    size_t n = json_array_size(list);
    struct str *items = mem_array(n, sizeof items[0]);
    if (!items) {
        draft_fail(d, ERR_MEMORY, "out of memory for %zu choices", n);
        return DRAFT_NOTHING;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        items[i] = (struct str){json_string_value(item), json_string_length(item)};
    }
    uint32_t made = draft_choices(d, items, n);
    mem_free(items);
    return made;
}

/* ---- what is asked for -------------------------------------------------------------------- */

static uint32_t shape_expr(struct draft *d, const struct api_generate *api)
{
    switch (api->shape) {
    case API_SHAPE_JSON:
        return draft_json(d, true);
    case API_SHAPE_SCHEMA:
        return shape_schema(d, api->shape_value);
    case API_SHAPE_GRAMMAR:
        return draft_gbnf(d, api->shape_text);
    case API_SHAPE_REGEX:
        return draft_regex(d, api->shape_text);
    case API_SHAPE_CHOICE:
        return choices(d, api->shape_value);
    case API_SHAPE_ANY:
        break;
    }
    return DRAFT_NOTHING;
}

/* The answer after its reasoning. */
static uint32_t said(struct draft *d, const struct api_generate *api,
                     const struct answer_form *form, char field[64])
{
    uint32_t shape = DRAFT_NOTHING, calls = DRAFT_NOTHING, text = DRAFT_EMPTY;
    if (api->shape != API_SHAPE_ANY && api->calls != API_CALLS_REQUIRED)
        shape = shape_expr(d, api);
    bool ok = !d->rc;
    if (ok && api->tools && form && (shape_has_calls(api) || api->shape != API_SHAPE_ANY))
        calls = shape_calls(d, api, form, field);
    if (form && form->channels) {
        const char *words[] = {"<|end|>", "<|start|>"};
        uint32_t final = shape_literal(d, "<|channel|>final<|message|>");
        if (api->shape == API_SHAPE_ANY && api->calls != API_CALLS_REQUIRED)
            shape = shape_without(d, words, COUNT_OF(words));
        return DRAFT_ALT(d, DRAFT_SEQ(d, final, shape), calls);
    }
    if (api->shape != API_SHAPE_ANY || api->calls == API_CALLS_REQUIRED)
        return DRAFT_ALT(d, shape, calls);
    text = shape_free_text(d, form);
    return DRAFT_ALT(d, text, form->bare ? calls : DRAFT_SEQ(d, text, calls));
}

/* ---- reasoning before it ------------------------------------------------------------------ */

static uint32_t channels_before(struct draft *d)
{
    const char *words[] = {"<|end|>", "<|start|>", "<|channel|>"};
    uint32_t channel = DRAFT_ALT(d, shape_literal(d, "analysis"), shape_literal(d, "commentary"));
    uint32_t message = DRAFT_SEQ(
        d, shape_literal(d, "<|channel|>"), channel, shape_literal(d, "<|message|>"),
        shape_without(d, words, COUNT_OF(words)), shape_literal(d, "<|end|><|start|>assistant"));
    return draft_repeat(d, message, 0, DRAFT_ENDLESS);
}

/* What may, or (where the prompt began it) must, come before what is said. */
static uint32_t reasoning_before(struct draft *d, struct shape_reading reading)
{
    const struct answer_tags *tags = reading.style->reasoning;
    if (reading.style->form->channels)
        return channels_before(d);
    if (!tags)
        return DRAFT_EMPTY;
    uint32_t line = draft_repeat(d, shape_literal(d, "\n"), 0, 2);
    uint32_t rest = DRAFT_SEQ(d, shape_without(d, &tags->close, 1), shape_literal(d, tags->close),
                              line, draft_repeat(d, shape_literal(d, tags->silent[0]), 0, 1));
    if (reading.reasoning > 0)
        return rest;
    if (reading.reasoning < 0)
        return draft_repeat(d, shape_literal(d, tags->silent[0]), 0, 1);
    return draft_repeat(d, DRAFT_SEQ(d, shape_literal(d, tags->open), rest), 0, 1);
}

bool shape_open(struct shape *s, const struct api_generate *api, struct shape_reading reading,
                struct api_error *e)
{
    struct err_note note = {""};
    char field[64];
    struct draft d;
    *s = (struct shape){0};
    if (api->shape == API_SHAPE_ANY && !(reading.style && shape_has_calls(api)))
        return true;
    snprintf(field, sizeof field, "%s", field_names[api->shape]);
    draft_init(&d);
    uint32_t expr = said(&d, api, reading.style ? reading.style->form : NULL, field);
    if (reading.style &&
        (reading.style->reasoning || reading.style->form->channels || api->tools)) {
        expr = DRAFT_SEQ(&d, reasoning_before(&d, reading), expr);
        s->marks = true;
    }
    enum err rc = grammar_from_expr(&d, expr, NULL, &s->grammar, &note);
    if (rc)
        return api_fail(e, rc == ERR_MEMORY ? 500 : 400, field, "%s: %s", field, note.text);
    if (api->ignore_eos)
        return api_fail(e, 400, "ignore_eos",
                        "ignore_eos: an answer with a shape ends where the "
                        "shape does");
    return true;
}

void shape_close(struct shape *s)
{
    grammar_free(s->grammar);
    s->grammar = NULL;
}
