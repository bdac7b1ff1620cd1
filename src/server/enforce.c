/* enforce.c - answers that are given, of which a validator wants to know how likely they were; and
 * prompts that are said again before their answer (echo). */
#include "base/check.h"
#include "base/mem.h"
#include "server/worker_int.h"
#include "text/utf8.h"

enum { TEXT_BYTES_MAX = 1 << 30, ANSWER_TOKENS_MAX = INT32_MAX };

bool is_enforced(const struct call *c)
{
    return c->api.enforced || c->api.enforced_text.ptr;
}

bool enforce_check(const struct call *c, struct api_error *e)
{
    if (!is_enforced(c) && !c->api.processed_logprobs)
        return true;
    if (!c->may_verify)
        return api_fail(e, 403, is_enforced(c) ? "enforced_tokens" : "logprobs_mode",
                        "enforced answers and processed logprobs want a key with the scope verify");
    if (c->api.processed_logprobs && c->api.sampling.mirostat)
        return api_fail(e, 400, "logprobs_mode", "mirostat has no processed_logprobs");
    return true;
}

/* A token is told by its id, as validators do, else by its text. */
static bool add_token(const struct tokenizer *t, const json_t *token, size_t i,
                      struct token_list *out, struct api_error *e)
{
    struct str text = {json_string_value(token), json_string_length(token)};
    struct err_note note;
    size_t n_before = out->n_ids;
    uint64_t id;
    bool is_id = json_is_string(token) && str_to_u64(text, &id) && id <= INT32_MAX;
    if (is_id) {
        int32_t *ids = mem_resize(out->ids, (out->n_ids + 1) * sizeof ids[0]);
        if (!ids)
            return api_fail(e, 500, NULL, "out of memory for enforced_tokens");
        out->ids = ids;
        out->n_reserved = out->n_ids + 1;
        out->ids[out->n_ids++] = (int32_t)id;
        return true;
    }
    if (json_is_string(token) && !tokenizer_encode(t, text, ENCODE_PARSE_SPECIAL, out, &note) &&
        out->n_ids == n_before + 1)
        return true;
    return api_fail(e, 400, "enforced_tokens",
                    "enforced_tokens.tokens[%zu].token must be a token's id, as text", i);
}

static bool read_enforced(const struct call *c, struct token_list *out, struct api_error *e)
{
    const struct tokenizer *t = c->worker->speech.tokenizer;
    const json_t *tokens = json_object_get(c->api.enforced, "tokens");
    struct err_note note;
    if (!c->api.enforced)
        return tokenizer_encode(t, c->api.enforced_text, ENCODE_PARSE_SPECIAL, out, &note)
                   ? api_fail(e, 400, "enforced_str", "%s", note.text)
                   : true;
    if (!json_is_array(tokens) || json_array_size(tokens) == 0)
        return api_fail(e, 400, "enforced_tokens",
                        "enforced_tokens must be {tokens: [{token, top_tokens}, ...]}");
    for (size_t i = 0; i < json_array_size(tokens); i++)
        if (!add_token(t, json_object_get(json_array_get(tokens, i), "token"), i, out, e))
            return false;
    return true;
}

/* An answer that does not end with one of the model's ends gets one. */
bool enforce(struct choice *k, struct api_error *e)
{
    struct call *c = k->call;
    const struct tokenizer *t = c->worker->speech.tokenizer;
    struct token_list list = {.n_ids_max = ANSWER_TOKENS_MAX};
    struct iso_request *r = &k->answer.request;
    r->processed_logprobs = c->api.processed_logprobs;
    if (!is_enforced(c))
        return true;
    bool ok = read_enforced(c, &list, e);
    size_t n = list.n_ids;
    int32_t *ids = ok ? mem_resize(list.ids, (n + 1) * sizeof ids[0]) : NULL;
    if (!ids) {
        token_list_release(&list);
        return ok ? api_fail(e, 500, NULL, "out of memory for the answer") : false;
    }
    if (tokenizer_eos(t) != TOKEN_NONE && (n == 0 || !tokenizer_is_eog(t, ids[n - 1])))
        ids[n++] = tokenizer_eos(t);
    k->forced = ids;
    k->n_forced = n;
    r->forced = ids;
    r->n_forced = (uint32_t)n;
    if (r->n_answer_max > n)
        r->n_answer_max = (uint32_t)n;
    return true;
}

/* The prompt is the first that is said; nothing tells how likely its first token was. */
void echo(struct choice *k)
{
    const struct call *c = k->call;
    const json_t *item = json_array_get(c->api.prompts, k->index / c->api.n);
    struct str text = c->api.prompts ? (struct str){json_string_value(item),
                                                    json_string_length(item)}
                                     : c->api.prompt;
    struct buf spelled, repaired;
    struct err_note note;
    const struct news first = {.token = k->prompt.ids[0], .logprob = __builtin_nanf("")};
    if (!c->api.echo)
        return;
    buf_init(&spelled, TEXT_BYTES_MAX);
    if (!text.ptr && !tokenizer_decode(c->worker->speech.tokenizer, k->prompt.ids, k->prompt.n_ids,
                                       0, &spelled, &note))
        text = (struct str){spelled.n_bytes ? spelled.bytes : "", spelled.n_bytes};
    buf_init(&repaired, TEXT_BYTES_MAX);
    utf8_repair(text, &repaired);
    parts_text(&k->says.parts, PART_TEXT,
               (struct str){repaired.n_bytes ? repaired.bytes : "", repaired.n_bytes});
    buf_release(&spelled);
    buf_release(&repaired);
    if (c->api.logprobs)
        show(k, &first);
}
