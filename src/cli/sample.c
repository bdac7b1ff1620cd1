/* sample.c - how tokens are chosen: from options to a request. */
#include "cli/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/entropy.h"
#include "base/mem.h"

/* Ten digits at most, so that a person can type it again. */
static uint64_t random_seed(void)
{
    return (uint32_t)entropy_u64();
}

void sample_defaults(struct sample_options *o)
{
    struct iso_request r = iso_request_default();
    *o = (struct sample_options){.sampling = r.sampling, .n_answer_max = r.n_answer_max};
    o->sampling.seed = random_seed();
}

static enum err parse_order(const char *text, uint8_t order[ISO_ORDER_MAX], struct err_note *note)
{
    static const char *const names[ISO_STAGE_COUNT] = {
        NULL, "penalties", "dry", "top_k", "typical", "top_p", "min_p", "xtc", "temperature"};
    int n = 0;
    memset(order, 0, ISO_ORDER_MAX);
    for (const char *at = text; *at;) {
        struct str word = {at, strcspn(at, ",")};
        uint8_t stage = 1;
        while (stage < ISO_STAGE_COUNT && !str_is(word, names[stage]))
            stage++;
        if (stage == ISO_STAGE_COUNT || n == ISO_ORDER_MAX - 1 || memchr(order, stage, (size_t)n))
            return err_set(note, ERR_USAGE,
                           "--order has \"%.*s\"; it may name each of penalties, dry, top_k, "
                           "typical, top_p, min_p, xtc and temperature once",
                           STR_ARG(word));
        order[n++] = stage;
        at += word.len + (at[word.len] == ',');
    }
    return ERR_OK;
}

static int by_token(const void *a, const void *b)
{
    const struct iso_bias *x = a, *y = b;
    return (x->token > y->token) - (x->token < y->token);
}

static enum err parse_biases(struct sample_options *o, struct err_note *note)
{
    for (size_t i = 0; i < o->bias.n_items; i++) {
        const char *text = o->bias.items[i], *equals = strchr(text, '=');
        uint64_t id;
        double bias;
        bool is_ban = equals && strcmp(equals + 1, "-inf") == 0;
        bias = -INFINITY;
        if (!equals || !str_to_u64((struct str){text, (size_t)(equals - text)}, &id) ||
            id > INT32_MAX || (!is_ban && !str_to_f64(str_from(equals + 1), &bias)))
            return err_set(note, ERR_USAGE, "--logit-bias is \"%s\"; write ID=NUMBER", text);
        o->biases[i] = (struct iso_bias){(int32_t)id, (float)bias};
    }
    qsort(o->biases, o->bias.n_items, sizeof o->biases[0], by_token);
    o->sampling.bias = o->biases;
    o->sampling.n_bias = o->bias.n_items;
    return ERR_OK;
}

/* DRY's breakers as the tokenizer spells them. */
static enum err find_breakers(struct sample_options *o, const struct tokenizer *t,
                              struct err_note *note)
{
    static const char *const usual[] = {"\n", ":", "\"", "*"};
    struct str texts[ARG_TEXTS_MAX];
    size_t n = o->breakers.n_items ? o->breakers.n_items : COUNT_OF(usual);
    if (o->sampling.dry_multiplier == 0)
        return ERR_OK;
    for (size_t i = 0; i < n; i++)
        texts[i] = str_from(o->breakers.n_items ? o->breakers.items[i] : usual[i]);
    if (o->breakers.n_items == 1 && str_is(texts[0], "none"))
        return ERR_OK;
    enum err rc = breakers_find(t, texts, n, &o->found, note);
    if (rc)
        return rc;
    o->dry_breakers = mem_array(o->found.n_items, sizeof o->dry_breakers[0]);
    if (!o->dry_breakers)
        return err_set(note, ERR_MEMORY, "out of memory for DRY's breakers");
    for (size_t i = 0; i < o->found.n_items; i++) {
        struct breaker b = o->found.items[i];
        o->dry_breakers[i] =
            (struct iso_breaker){b.head, b.n_tail, b.n_tail ? o->found.tails.ids + b.tail : NULL};
    }
    o->sampling.dry_breakers = o->dry_breakers;
    o->sampling.n_dry_breakers = o->found.n_items;
    return ERR_OK;
}

void sample_release(struct sample_options *o)
{
    breakers_release(&o->found);
    mem_free(o->dry_breakers);
    o->dry_breakers = NULL;
}

enum err sample_request(struct sample_options *o, const struct tokenizer *t,
                        struct iso_request *request, struct err_note *note)
{
    static int32_t stops[ISO_STOPS_MAX]; /* the engine copies them */
    enum err rc = o->order ? parse_order(o->order, o->sampling.order, note) : ERR_OK;
    if (!rc)
        rc = parse_biases(o, note);
    *request = iso_request_default();
    if (!rc)
        rc = find_breakers(o, t, note);
    if (!rc)
        rc = tokenizer_ends(t, stops, ISO_STOPS_MAX, &request->n_stops, note);
    o->n_stop_items = 0;
    for (size_t i = 0; !rc && i < o->stops.n_items; i++) {
        o->stop_items[o->n_stop_items++] = str_from(o->stops.items[i]);
        if (!*o->stops.items[i])
            rc = err_set(note, ERR_USAGE, "--stop is empty");
    }
    request->stops = stops;
    request->sampling = o->sampling;
    request->n_answer_max = o->n_answer_max;
    request->n_answer_min = o->n_answer_min;
    request->ignore_stops = o->ignore_eos;
    return rc;
}
