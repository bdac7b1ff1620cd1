/* sampling.c - texts in a request's sampling become tokens. */
#include "server/sampling.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

enum { BREAKERS_MAX = 32 };

/* ---- biases ------------------------------------------------------------------------------- */

/* The later one of a token counts. */
static bool add_bias(struct api_generate *api, int32_t token, float bias, struct api_error *e)
{
    for (size_t i = 0; i < api->n_biases; i++)
        if (api->biases[i].token == token) {
            api->biases[i].bias = bias;
            return true;
        }
    if (api->n_biases == API_BIASES_MAX)
        return api_fail(e, 400, "logit_bias", "logit_bias names more than %d tokens",
                        API_BIASES_MAX);
    api->biases[api->n_biases++] = (struct iso_bias){token, bias};
    return true;
}

/* The token id, or with -1 all tokens of text; a number or false. */
static bool take_bias(const struct speech *speech, struct api_generate *api, int32_t id,
                      struct str text, const json_t *value, struct api_error *e)
{
    float bias = json_is_false(value) ? -__builtin_inff() : (float)json_number_value(value);
    struct token_list list = {.n_ids_max = API_BIASES_MAX};
    struct err_note note;
    if (!json_is_false(value) && !json_is_number(value))
        return api_fail(e, 400, "logit_bias", "a bias in logit_bias must be a number or false");
    if (id >= 0)
        return add_bias(api, id, bias, e);
    bool ok = true;
    if (tokenizer_encode(speech->tokenizer, text, ENCODE_PARSE_SPECIAL, &list, &note))
        ok = api_fail(e, 400, "logit_bias", "%s", note.text);
    for (size_t i = 0; ok && i < list.n_ids; i++)
        ok = add_bias(api, list.ids[i], bias, e);
    token_list_release(&list);
    return ok;
}

static int by_token(const void *a, const void *b)
{
    const struct iso_bias *x = a, *y = b;
    return (x->token > y->token) - (x->token < y->token);
}

static bool read_pairs(const struct speech *speech, struct api_generate *api, struct api_error *e)
{
    const json_t *told = api->biases_told;
    for (size_t i = 0; i < json_array_size(told); i++) {
        const json_t *pair = json_array_get(told, i), *who = json_array_get(pair, 0);
        struct str text = {json_string_value(who), json_string_length(who)};
        bool is_id = json_is_integer(who) && json_integer_value(who) >= 0 &&
                     json_integer_value(who) <= INT32_MAX;
        if (json_array_size(pair) != 2 || !(is_id || json_is_string(who)))
            return api_fail(e, 400, "logit_bias",
                            "logit_bias[%zu] must be [token id or text, number or false]", i);
        if (!take_bias(speech, api, is_id ? (int32_t)json_integer_value(who) : -1, text,
                       json_array_get(pair, 1), e))
            return false;
    }
    return true;
}

static bool read_biases(const struct speech *speech, struct api_generate *api, struct api_error *e)
{
    const char *name;
    json_t *value;
    if (!json_is_array(api->biases_told) && !json_is_object(api->biases_told))
        return api_fail(e, 400, "logit_bias", "logit_bias must be an array of pairs or an object");
    api->biases = mem_array(API_BIASES_MAX, sizeof api->biases[0]);
    if (!api->biases)
        return api_fail(e, 500, NULL, "out of memory for logit_bias");
    if (!read_pairs(speech, api, e))
        return false;
    json_object_foreach ((json_t *)api->biases_told, name, value) {
        uint64_t id;
        bool is_id = str_to_u64(str_from(name), &id) && id <= INT32_MAX;
        if (!take_bias(speech, api, is_id ? (int32_t)id : -1, str_from(name), value, e))
            return false;
    }
    if (api->n_biases > 0)
        qsort(api->biases, api->n_biases, sizeof api->biases[0], by_token);
    api->sampling.bias = api->biases;
    api->sampling.n_bias = api->n_biases;
    return true;
}

/* ---- DRY ---------------------------------------------------------------------------------- */

static bool find_breakers(struct sampling *s, const struct speech *speech, struct api_generate *api,
                          struct api_error *e)
{
    struct str texts[BREAKERS_MAX] = {STR("\n"), STR(":"), STR("\""), STR("*")};
    struct err_note note;
    size_t n = api->breakers ? json_array_size(api->breakers) : 4;
    if (n > BREAKERS_MAX || (api->breakers && !json_is_array(api->breakers)))
        return api_fail(e, 400, "dry_sequence_breakers",
                        "dry_sequence_breakers must be an array of at most %d texts", BREAKERS_MAX);
    for (size_t i = 0; api->breakers && i < n; i++) {
        const json_t *item = json_array_get(api->breakers, i);
        if (!json_is_string(item))
            return api_fail(e, 400, "dry_sequence_breakers",
                            "dry_sequence_breakers[%zu] must be a text", i);
        texts[i] = (struct str){json_string_value(item), json_string_length(item)};
    }
    if (breakers_find(speech->tokenizer, texts, n, &s->found, &note))
        return api_fail(e, 400, "dry_sequence_breakers", "%s", note.text);
    s->breakers = mem_array(s->found.n_items + 1, sizeof s->breakers[0]);
    if (!s->breakers)
        return api_fail(e, 500, NULL, "out of memory for DRY's breakers");
    for (size_t i = 0; i < s->found.n_items; i++) {
        struct breaker b = s->found.items[i];
        s->breakers[i] =
            (struct iso_breaker){b.head, b.n_tail, b.n_tail ? s->found.tails.ids + b.tail : NULL};
    }
    api->sampling.dry_breakers = s->breakers;
    api->sampling.n_dry_breakers = s->found.n_items;
    return true;
}

bool sampling_open(struct sampling *s, const struct speech *speech, struct api_generate *api,
                   struct api_error *e)
{
    *s = (struct sampling){0};
    return (!api->biases_told || read_biases(speech, api, e)) &&
           (api->sampling.dry_multiplier == 0 || find_breakers(s, speech, api, e));
}

void sampling_close(struct sampling *s)
{
    breakers_release(&s->found);
    mem_free(s->breakers);
    *s = (struct sampling){0};
}
