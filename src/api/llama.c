/* llama.c - reads requests of llama-server's /completion, says its answers. */
#include "api/llama.h"

#include <stdlib.h>

#include "api/generate_int.h"
#include "api/tables.h"
#include "base/check.h"

#define FIELD(member) offsetof(struct raw, member)
#define TOKENS_MAX    2147483647.0

struct raw {
    struct api_generate r;
    const json_t *prompt, *stop, *json_schema, *samplers, *lora;
    struct str grammar;
    bool cache_prompt;
    int32_t n_predict, top_k, repeat_last_n, dry_last_n, t_max_ms, min_keep;
    float top_n_sigma, dynatemp_range;
    uint32_t n_probs;
};

static const struct api_field fields[] = {
    {"prompt", API_VALUE, FIELD(prompt), 0, 0,
     "a text, token ids, both in one array, or an array of such prompts"},
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model answers; absent: the first one"},
    {"n_predict", API_I32, FIELD(n_predict), -2, TOKENS_MAX,
     "tokens of the answer, at most; -1, -2: to the context's end"},
    {"max_tokens", API_I32, FIELD(n_predict), -1, TOKENS_MAX, "the same by OpenAI's name"},
    {"temperature", API_FLOAT, FIELD(r.sampling.temperature), -100, 100,
     "0 and below: always the likeliest token"},
    {"dynatemp_range", API_FLOAT, FIELD(dynatemp_range), 0, 100, "only 0"},
    {"dynatemp_exponent", API_NO_EFFECT, 0, 0, 0, "of dynatemp_range"},
    {"top_k", API_I32, FIELD(top_k), -2147483648.0, TOKENS_MAX,
     "among the k likeliest; 0 and below: off"},
    {"top_p", API_FLOAT, FIELD(r.sampling.top_p), 0, 1,
     "among the fewest tokens that reach p together"},
    {"min_p", API_FLOAT, FIELD(r.sampling.min_p), 0, 1,
     "at least p times as likely as the likeliest"},
    {"top_n_sigma", API_FLOAT, FIELD(top_n_sigma), -100, 100, "only -1 or 0: off"},
    {"typical_p", API_FLOAT, FIELD(r.sampling.typical_p), 0, 1,
     "among the most typical that reach p together"},
    {"xtc_probability", API_FLOAT, FIELD(r.sampling.xtc_probability), 0, 1,
     "of leaving out all but the last of the top choices"},
    {"xtc_threshold", API_FLOAT, FIELD(r.sampling.xtc_threshold), 0, 1,
     "a top choice has at least this probability"},
    {"repeat_last_n", API_I32, FIELD(repeat_last_n), -1, TOKENS_MAX,
     "tokens that penalties look at; -1: all"},
    {"repeat_penalty", API_FLOAT, FIELD(r.sampling.repeat_penalty), 0.01, 100,
     "divides positive, multiplies negative logits of tokens that occurred"},
    {"frequency_penalty", API_FLOAT, FIELD(r.sampling.frequency_penalty), -100, 100,
     "for each time that a token occurred"},
    {"presence_penalty", API_FLOAT, FIELD(r.sampling.presence_penalty), -100, 100,
     "once, if it occurred"},
    {"dry_multiplier", API_FLOAT, FIELD(r.sampling.dry_multiplier), 0, 100,
     "of the penalty on going on with a repetition; 0: off"},
    {"dry_base", API_FLOAT, FIELD(r.sampling.dry_base), 1, 100,
     "it grows by this factor with each token"},
    {"dry_allowed_length", API_U32, FIELD(r.sampling.dry_allowed_length), 0, TOKENS_MAX,
     "shorter repetitions go free"},
    {"dry_penalty_last_n", API_I32, FIELD(dry_last_n), -1, TOKENS_MAX,
     "tokens in which repetitions are sought; -1: all"},
    {"dry_sequence_breakers", API_VALUE, FIELD(r.breakers), 0, 0,
     "texts that no repetition reaches across"},
    {"mirostat", API_U32, FIELD(r.sampling.mirostat), 0, 2, "its version; 0: off"},
    {"mirostat_tau", API_FLOAT, FIELD(r.sampling.mirostat_tau), 0, 100, "the surprise aimed at"},
    {"mirostat_eta", API_FLOAT, FIELD(r.sampling.mirostat_eta), 0, 1, "how fast it gets there"},
    {"samplers", API_VALUE, FIELD(samplers), 0, 0, "the stages in their order, by name"},
    {"min_keep", API_I32, FIELD(min_keep), 0, TOKENS_MAX, "only 0 or 1"},
    {"seed", API_SEED, FIELD(r.sampling.seed), 0, 0, "-1: any"},
    {"stop", API_VALUE, FIELD(stop), 0, 0, "up to 16 texts that end the answer"},
    {"ignore_eos", API_BOOL, FIELD(r.ignore_eos), 0, 0, "go on after the model's end"},
    {"logit_bias", API_VALUE, FIELD(r.biases_told), 0, 0,
     "[[token id or text, bias, or false for never], ...], or an object of the same"},
    {"n_probs", API_U32, FIELD(n_probs), 0, ISO_LOGPROBS_MAX, "alternatives to each token"},
    {"json_schema", API_VALUE, FIELD(json_schema), 0, 0, "a schema that the answer follows"},
    {"grammar", API_TEXT, FIELD(grammar), 0, 0, "a grammar (GBNF) that it follows"},
    {"stream", API_BOOL, FIELD(r.stream), 0, 0, "send text as it comes"},
    {"cache_prompt", API_BOOL, FIELD(cache_prompt), 0, 0,
     "false: what was read before is read again"},
    {"cache_salt", API_TEXT, FIELD(r.cache_salt), 0, 0, "who shares prompts read before"},
    {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,
     "its receipt with the answer, where the server gives receipts"},
    {"return_tokens", API_BOOL, FIELD(r.return_token_ids), 0, 0, "the answer's token ids"},
    {"return_progress", API_BOOL, FIELD(r.return_progress), 0, 0,
     "in a stream: how much of the prompt was read"},
    {"post_sampling_probs", API_REFUSED, 0, 0, 0, "probabilities are the model's own"},
    {"n_indent", API_REFUSED, 0, 0, 0, "use a grammar"},
    {"lora", API_VALUE, FIELD(lora), 0, 0, "only an empty list: adapters are not supported"},
    {"t_max_predict_ms", API_I32, FIELD(t_max_ms), -2147483648.0, TOKENS_MAX, "only 0"},
    {"n_keep", API_NO_EFFECT, 0, 0, 0, "nothing is ever shifted out of the context"},
    {"n_discard", API_NO_EFFECT, 0, 0, 0, "nothing is ever shifted out of the context"},
    {"id_slot", API_NO_EFFECT, 0, 0, 0, "there are no slots: every prompt read is shared"},
    {"timings_per_token", API_NO_EFFECT, 0, 0, 0, "timings come at the end"},
    {"response_fields", API_NO_EFFECT, 0, 0, 0, "all are sent"},
};

const struct api_table api_llama_table = {"LlamaCompletionRequest", fields, COUNT_OF(fields),
                                          "prompt"};

/* ---- requests ----------------------------------------------------------------------------- */

static bool is_off(float value)
{
    return value <= 0;
}

static bool check_off(const struct raw *raw, struct api_error *e)
{
    const struct {
        const char *name;
        bool off;
    } must[] = {
        {"dynatemp_range", is_off(raw->dynatemp_range)}, {"top_n_sigma", is_off(raw->top_n_sigma)},
        {"t_max_predict_ms", raw->t_max_ms <= 0},        {"min_keep", raw->min_keep <= 1},
        {"lora", json_array_size(raw->lora) == 0},
    };
    for (size_t i = 0; i < COUNT_OF(must); i++)
        if (!must[i].off)
            return api_fail(e, 400, must[i].name, "%s is not supported", must[i].name);
    return true;
}

static bool read_samplers(const json_t *v, struct iso_sampling *p, struct api_error *e)
{
    static const struct {
        const char *name;
        uint8_t stage; /* ISO_STAGE_END: it is off anyway */
    } names[] = {
        {"penalties", ISO_STAGE_PENALTIES}, {"dry", ISO_STAGE_DRY},
        {"top_k", ISO_STAGE_TOP_K},         {"typ_p", ISO_STAGE_TYPICAL},
        {"typical_p", ISO_STAGE_TYPICAL},   {"top_p", ISO_STAGE_TOP_P},
        {"min_p", ISO_STAGE_MIN_P},         {"xtc", ISO_STAGE_XTC},
        {"temperature", ISO_STAGE_TEMPERATURE}, {"top_n_sigma", ISO_STAGE_END},
    };
    size_t n = 0;
    if (!json_is_array(v) || json_array_size(v) >= ISO_ORDER_MAX)
        return api_fail(e, 400, "samplers", "samplers must be an array of fewer than %d names",
                        ISO_ORDER_MAX);
    memset(p->order, ISO_STAGE_END, sizeof p->order);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *name = json_string_value(json_array_get(v, i));
        size_t k = 0;
        while (k < COUNT_OF(names) && !(name && strcmp(name, names[k].name) == 0))
            k++;
        if (k == COUNT_OF(names))
            return api_fail(e, 400, "samplers", "samplers[%zu] is \"%.40s\", which is not known", i,
                            name ? name : "?");
        if (memchr(p->order, names[k].stage, n))
            return api_fail(e, 400, "samplers", "samplers has \"%.40s\" twice", name);
        if (names[k].stage != ISO_STAGE_END)
            p->order[n++] = names[k].stage;
    }
    return true;
}

enum { HAS_TEXT = 1, HAS_ID = 2, HAS_LIST = 4, HAS_OTHER = 8 };

static unsigned kinds_in(const json_t *array)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *v = json_array_get(array, i);
        kinds |= json_is_string(v)    ? HAS_TEXT
                 : json_is_integer(v) ? HAS_ID
                 : json_is_array(v)   ? HAS_LIST
                                      : HAS_OTHER;
    }
    return kinds;
}

/* Ids make an array one prompt, alone or among texts; else it is several prompts. */
static bool read_prompt(const json_t *v, struct api_generate *r, struct api_error *e)
{
    unsigned kinds = kinds_in(v);
    if (json_is_string(v)) {
        r->prompt = (struct str){json_string_value(v), json_string_length(v)};
        return true;
    }
    if (!json_is_array(v) || kinds == 0 || (kinds & HAS_OTHER) ||
        (kinds & (HAS_ID | HAS_LIST)) == (HAS_ID | HAS_LIST))
        return api_fail(e, 400, "prompt",
                        "prompt must be a text, token ids, both in one array, or an array of such "
                        "prompts");
    if (kinds & HAS_ID) {
        r->prompt_ids = v;
        return true;
    }
    for (size_t i = 0; i < json_array_size(v); i++)
        if (kinds_in(json_array_get(v, i)) & (HAS_LIST | HAS_OTHER))
            return api_fail(e, 400, "prompt", "prompt[%zu] is no prompt", i);
    r->prompts = v;
    return true;
}

static uint32_t window(int32_t n)
{
    return n < 0 ? UINT32_MAX : (uint32_t)n;
}

static bool finish(struct raw *raw, struct api_error *e)
{
    struct api_generate *r = &raw->r;
    r->sampling.top_k = raw->top_k > 0 ? (uint32_t)raw->top_k : 0;
    r->sampling.n_penalty_window = window(raw->repeat_last_n);
    r->sampling.n_dry_window = window(raw->dry_last_n);
    if (r->sampling.temperature < 0)
        r->sampling.temperature = 0;
    r->n_max = raw->n_predict < 0 ? UINT32_MAX : (uint32_t)raw->n_predict;
    r->has_seed = r->sampling.seed != UINT64_MAX && r->sampling.seed != UINT32_MAX;
    r->logprobs = raw->n_probs > 0;
    r->n_top = raw->n_probs;
    r->no_cache = !raw->cache_prompt;
    bool ok = read_prompt(raw->prompt, r, e) && check_off(raw, e);
    if (ok && raw->samplers)
        ok = read_samplers(raw->samplers, &r->sampling, e);
    if (ok && raw->stop)
        ok = api_stops_read(raw->stop, r, e);
    if (ok && raw->json_schema)
        ok = api_schema_read(r, raw->json_schema, "json_schema", e);
    if (ok && raw->grammar.len)
        ok = api_shape_set(r, API_SHAPE_GRAMMAR, NULL, raw->grammar, "grammar", e);
    return ok;
}

bool api_llama_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    struct iso_sampling usual = iso_request_default().sampling;
    struct raw raw = {.n_predict = -1,
                      .cache_prompt = true,
                      .top_k = (int32_t)usual.top_k,
                      .repeat_last_n = 64,
                      .dry_last_n = -1};
    api_generate_begin(&raw.r);
    raw.r.sampling = usual;
    raw.r.sampling.seed = UINT64_MAX;
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root &&
              api_read(root, "", fields, COUNT_OF(fields), &raw, NULL, &raw.r.unknown, e) &&
              finish(&raw, e);
    *r = raw.r;
    return ok;
}

/* ---- answers ------------------------------------------------------------------------------ */

static void write_token(struct writer *w, int32_t id, struct str bytes, float logprob)
{
    write_key_int(w, "id", id);
    write_reply_token(w, bytes, logprob);
}

static void write_probabilities(struct writer *w, const struct reply_choice *c)
{
    write_key(w, "completion_probabilities");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++) {
        const struct reply_token *t = &c->tokens[i];
        write_open(w, '{');
        write_token(w, t->id, t->bytes, t->logprob);
        write_key(w, "top_logprobs");
        write_open(w, '[');
        for (uint32_t k = 0; k < t->n_top; k++) {
            write_open(w, '{');
            write_token(w, t->top[k].token, t->top_bytes[k], t->top[k].logprob);
            write_close(w, '}');
        }
        write_close(w, ']');
        write_close(w, '}');
    }
    write_close(w, ']');
}

static void write_rates(struct writer *w, const char *const names[4], uint32_t n, uint64_t ns)
{
    float ms = (float)ns / 1e6f;
    write_key_int(w, names[0], n);
    write_key(w, names[1]);
    write_float(w, ms);
    write_key(w, names[2]);
    write_float(w, n ? ms / (float)n : 0);
    write_key(w, names[3]);
    write_float(w, ms > 0 ? (float)n * 1e3f / ms : 0);
}

static void write_timings(struct writer *w, const struct reply_usage *u)
{
    static const char *const prompt[] = {"prompt_n", "prompt_ms", "prompt_per_token_ms",
                                         "prompt_per_second"};
    static const char *const predicted[] = {"predicted_n", "predicted_ms",
                                            "predicted_per_token_ms", "predicted_per_second"};
    write_key(w, "timings");
    write_open(w, '{');
    write_key_int(w, "cache_n", u->n_cached);
    write_rates(w, prompt, u->n_prompt - u->n_cached, u->prompt_ns);
    write_rates(w, predicted, u->n_answer, u->answer_ns);
    write_close(w, '}');
}

static void write_settings(struct writer *w, const struct api_generate *r)
{
    const struct iso_sampling *p = &r->sampling;
    const struct {
        const char *name;
        float value;
    } numbers[] = {
        {"temperature", p->temperature},
        {"top_p", p->top_p},
        {"min_p", p->min_p},
        {"typical_p", p->typical_p},
        {"xtc_probability", p->xtc_probability},
        {"xtc_threshold", p->xtc_threshold},
        {"repeat_penalty", p->repeat_penalty},
        {"frequency_penalty", p->frequency_penalty},
        {"presence_penalty", p->presence_penalty},
        {"dry_multiplier", p->dry_multiplier},
        {"dry_base", p->dry_base},
        {"mirostat_tau", p->mirostat_tau},
        {"mirostat_eta", p->mirostat_eta},
    };
    write_key(w, "generation_settings");
    write_open(w, '{');
    write_key_int(w, "seed", (int64_t)p->seed);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        write_key(w, numbers[i].name);
        write_float(w, numbers[i].value);
    }
    write_key_int(w, "top_k", p->top_k);
    write_key_int(w, "mirostat", p->mirostat);
    write_key_int(w, "repeat_last_n",
                  p->n_penalty_window == UINT32_MAX ? -1 : (int64_t)p->n_penalty_window);
    write_key_int(w, "dry_penalty_last_n",
                  p->n_dry_window == UINT32_MAX ? -1 : (int64_t)p->n_dry_window);
    write_key_int(w, "dry_allowed_length", p->dry_allowed_length);
    write_key_int(w, "n_predict", r->n_max == UINT32_MAX ? -1 : (int64_t)r->n_max);
    write_key_int(w, "n_probs", r->n_top);
    write_key_word(w, "ignore_eos", r->ignore_eos ? "true" : "false");
    write_key_word(w, "stream", r->stream ? "true" : "false");
    write_key(w, "stop");
    write_open(w, '[');
    for (size_t i = 0; i < r->n_stops; i++)
        write_text(w, r->stops[i]);
    write_close(w, ']');
    write_close(w, '}');
}

/* What every object begins with. */
static void write_text_so_far(struct writer *w, const struct reply_head *h,
                              const struct reply_choice *c)
{
    write_key_int(w, "index", c->index);
    write_key(w, "content");
    write_parts(w, c, PART_TEXT);
    write_key(w, "tokens");
    write_open(w, '[');
    for (size_t i = 0; h->request->return_token_ids && i < c->n_tokens; i++)
        write_int(w, c->tokens[i].id);
    write_close(w, ']');
    write_key_int(w, "id_slot", 0);
    write_key_word(w, "stop", c->finish ? "true" : "false");
    write_key_int(w, "tokens_predicted", c->usage.n_answer);
    write_key_int(w, "tokens_evaluated", c->usage.n_prompt);
    if (h->request->logprobs)
        write_probabilities(w, c);
}

static void write_choice(struct writer *w, const struct reply_head *h, const struct reply_choice *c)
{
    static const char *const types[] = {[REPLY_GOES_ON] = "none",
                                        [REPLY_STOP] = "eos",
                                        [REPLY_STOP_TEXT] = "word",
                                        [REPLY_LENGTH] = "limit",
                                        [REPLY_CALLS] = "eos"};
    write_open(w, '{');
    write_text_so_far(w, h, c);
    if (c->finish) {
        write_key_text(w, "model", h->model);
        write_key_text(w, "system_fingerprint", str_from(h->fingerprint));
        write_settings(w, h->request);
        if (h->request->prompt.ptr)
            write_key_text(w, "prompt", h->request->prompt);
        write_key_word(w, "truncated", "false");
        write_key_text(w, "stop_type", str_from(types[c->finish]));
        write_key_text(w, "stopping_word", c->stop_text.ptr ? c->stop_text : STR(""));
        write_key_int(w, "tokens_cached", c->usage.n_cached);
        write_timings(w, &c->usage);
    }
    write_close(w, '}');
}

static void whole(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                  size_t n_choices, const struct reply_usage *usage)
{
    struct writer w;
    (void)usage;
    write_begin(&w, out);
    if (h->request->prompts)
        write_open(&w, '[');
    for (size_t i = 0; i < n_choices; i++)
        write_choice(&w, h, &choices[i]);
    if (h->request->prompts)
        write_close(&w, ']');
}

static void piece(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_choice *c)
{
    struct buf json;
    struct writer w;
    (void)state;
    buf_init(&json, (size_t)1 << 30);
    write_begin(&w, &json);
    write_choice(&w, h, c);
    CHECK(!json.failed);
    write_event(out, &json);
    buf_release(&json);
}

static void progress(struct buf *out, void *state, const struct reply_head *h,
                     const struct reply_progress *p)
{
    struct buf json;
    struct writer w;
    (void)state, (void)h;
    buf_init(&json, 1 << 16);
    write_begin(&w, &json);
    write_open(&w, '{');
    write_key_text(&w, "content", STR(""));
    write_key_word(&w, "stop", "false");
    write_key(&w, "prompt_progress");
    write_open(&w, '{');
    write_key_int(&w, "total", p->n_total);
    write_key_int(&w, "cache", p->n_cached);
    write_key_int(&w, "processed", p->n_read);
    write_key_int(&w, "time_ms", (int64_t)(p->ns / 1000000));
    write_close(&w, '}');
    write_close(&w, '}');
    write_event(out, &json);
    buf_release(&json);
}

/* llama-server ends this stream without [DONE]: the last piece says "stop". Receipts come after it,
 * where only those who asked for them look. */
static void end(struct buf *out, void *state, const struct reply_head *h,
                const struct reply_usage *usage)
{
    struct buf json;
    struct writer w;
    (void)state, (void)usage;
    if (!h->receipts)
        return;
    buf_init(&json, 1 << 16);
    write_begin(&w, &json);
    write_open(&w, '{');
    write_key_text(&w, "content", STR(""));
    write_key_word(&w, "stop", "true");
    reply_receipts(&w, h);
    write_close(&w, '}');
    write_event(out, &json);
    buf_release(&json);
}

static void broken(struct buf *out, const struct api_error *e)
{
    struct buf json;
    buf_init(&json, 1 << 16);
    llama_error(&json, e);
    write_event(out, &json);
    buf_release(&json);
}

void llama_error(struct buf *out, const struct api_error *e)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key(&w, "error");
    write_open(&w, '{');
    write_key_int(&w, "code", e->status);
    write_key_text(&w, "message", str_from(e->message));
    write_key_text(&w, "type", str_from(reply_error_type(e->status)));
    if (e->field[0])
        write_key_text(&w, "param", str_from(e->field));
    write_close(&w, '}');
    write_close(&w, '}');
}

#define LLAMA_DIALECT(its_path)                                                                    \
    {                                                                                              \
        .path = (its_path), .id_prefix = "cmpl-", .stream_type = "text/event-stream",              \
        .parse = api_llama_parse, .whole = whole, .progress = progress, .piece = piece,            \
        .end = end, .broken = broken,                                                              \
    }

const struct dialect dialect_llama = LLAMA_DIALECT("/completion");
const struct dialect dialect_llama_plural = LLAMA_DIALECT("/completions");
