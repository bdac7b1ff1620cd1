/* prompts.c - reads requests of /batch, says its answers. */
#include "api/prompts.h"

#include "api/generate_int.h"
#include "api/tables.h"
#include "base/check.h"

#define FIELD(member) offsetof(struct raw, member)

struct raw {
    struct api_generate r;
    const json_t *stop;
    int32_t top_k;
};

static const struct api_field fields[] = {
    {"prompts", API_VALUE, FIELD(r.prompts), 0, 0, "up to 10000 texts"},
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model answers; absent: the first one"},
    {"max_tokens", API_U32, FIELD(r.n_max), 1, 4294967295.0, "of each answer, at most (256)"},
    {"temperature", API_FLOAT, FIELD(r.sampling.temperature), 0, 100,
     "0: always the likeliest token (0.7)"},
    {"top_p", API_FLOAT, FIELD(r.sampling.top_p), 0, 1,
     "among the fewest tokens that reach p together"},
    {"top_k", API_I32, FIELD(top_k), -1, 2147483647.0, "among the k likeliest; 0, -1: off"},
    {"seed", API_SEED, FIELD(r.sampling.seed), 0, 0, "the same seed gives the same texts"},
    {"stop", API_VALUE, FIELD(stop), 0, 0, "a text or up to 16 texts that end an answer"},
    {"cache_salt", API_TEXT, FIELD(r.cache_salt), 0, 0, "who shares prompts read before"},
    {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,
     "its receipt with the answer, where the server gives receipts"},
};

const struct api_table api_prompts_table = {"PromptsRequest", fields, COUNT_OF(fields), "prompts"};

static bool check_prompts(const json_t *prompts, struct api_error *e)
{
    size_t n = json_array_size(prompts);
    if (!json_is_array(prompts) || n == 0)
        return api_fail(e, 400, "prompts", "prompts must be an array of at least one text");
    if (n > API_PROMPTS_MAX)
        return api_fail(e, 400, "prompts", "prompts has %zu texts; at most %d", n,
                        API_PROMPTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!json_is_string(json_array_get(prompts, i)))
            return api_fail(e, 400, "prompts", "prompts[%zu] must be a text", i);
    return true;
}

bool api_prompts_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    struct raw raw = {.top_k = 0};
    api_generate_begin(&raw.r);
    raw.r.n_max = 256;
    raw.r.sampling.temperature = 0.7f;
    raw.r.each_alone = true;
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root &&
              api_read(root, "", fields, COUNT_OF(fields), &raw, NULL, &raw.r.unknown, e) &&
              check_prompts(raw.r.prompts, e) && (!raw.stop || api_stops_read(raw.stop, &raw.r, e));
    raw.r.sampling.top_k = raw.top_k > 0 ? (uint32_t)raw.top_k : 0;
    raw.r.has_seed = root && json_is_integer(json_object_get(root, "seed"));
    *r = raw.r;
    return ok;
}

static void whole(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                  size_t n_choices, const struct reply_usage *usage)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key(&w, "results");
    write_open(&w, '[');
    for (size_t i = 0; i < n_choices; i++) {
        const json_t *prompt = json_array_get(h->request->prompts, i);
        write_open(&w, '{');
        write_key_text(&w, "prompt",
                       (struct str){json_string_value(prompt), json_string_length(prompt)});
        if (choices[i].failed) {
            write_key_text(&w, "error", str_from(choices[i].failed->message));
        } else {
            write_key(&w, "response");
            write_parts(&w, &choices[i], PART_TEXT);
            write_key_int(&w, "tokens", choices[i].usage.n_answer);
        }
        write_close(&w, '}');
    }
    write_close(&w, ']');
    write_key_int(&w, "count", (int64_t)n_choices);
    write_key_int(&w, "total_tokens", usage->n_answer);
    write_key_int(&w, "processing_time_ms",
                  (int64_t)((usage->prompt_ns + usage->answer_ns) / 1000000));
    write_key_text(&w, "model", h->model);
    write_close(&w, '}');
}

void prompts_error(struct buf *out, const struct api_error *e)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "detail", str_from(e->message));
    write_close(&w, '}');
}

/* It never streams. */
const struct dialect dialect_prompts = {
    .path = "/batch", .id_prefix = "batch-", .parse = api_prompts_parse, .whole = whole};
