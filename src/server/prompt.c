/* prompt.c - messages, texts and token ids to a prompt's tokens. */
#include "server/prompt.h"

#include "base/mem.h"

enum { TEXT_BYTES_MAX = 256 << 20 };

static bool fail_note(struct api_error *e, const char *field, const struct err_note *note)
{
    return api_fail(e, 400, field, "%s", note->text);
}

/* ---- chats -------------------------------------------------------------------------------- */

/* made: the messages as the template takes them, for the caller to release. */
static bool chat_request(const struct speech *s, const struct api_generate *api,
                         struct chat_request *out, json_t **made, struct api_error *e)
{
    *made = NULL;
    if (s->face.template)
        *made = chat_habits_messages(&s->habits, api->messages, api->tools);
    *out = (struct chat_request){.messages_json = *made,
                                 .tools = s->habits.explains_tools ? NULL : api->tools,
                                 .kwargs = api->kwargs,
                                 .now_s = api->clock_s,
                                 .add_generation_prompt = api->add_generation_prompt};
    if (s->face.template && !*made)
        return api_fail(e, 500, NULL, "out of memory for the messages");
    return s->face.template ||
           api_fail(e, 400, api->messages_field,
                    "this model has no chat template; use /v1/completions, or start the server "
                    "with --template");
}

bool prompt_render(const struct speech *s, const struct api_generate *api, struct buf *out,
                   struct api_error *e)
{
    struct chat_request request;
    struct err_note note;
    json_t *made;
    if (!chat_request(s, api, &request, &made, e))
        return false;
    enum err rc = chat_face_render(&s->face, s->tokenizer, request, out, &note);
    json_decref(made);
    if (rc)
        return fail_note(e, api->messages_field, &note);
    buf_add(out, api->prefill.ptr, api->prefill.len);
    return !out->failed || api_fail(e, 500, NULL, "out of memory for the prompt");
}

static bool keep_text(struct str text, struct buf *kept, struct api_error *e)
{
    if (!kept)
        return true;
    buf_add(kept, text.ptr, text.len);
    return !kept->failed || api_fail(e, 500, NULL, "out of memory for the prompt");
}

static bool chat_prompt(const struct speech *s, const struct api_generate *api,
                        struct token_list *out, struct buf *kept, struct api_error *e)
{
    struct buf text;
    struct err_note note;
    buf_init(&text, TEXT_BYTES_MAX);
    bool ok = prompt_render(s, api, &text, e);
    const struct str rendered = {text.n_bytes ? text.bytes : "", text.n_bytes};
    if (ok && tokenizer_encode(s->tokenizer, rendered, ENCODE_PARSE_SPECIAL, out, &note))
        ok = fail_note(e, api->messages_field, &note);
    ok = ok && keep_text(rendered, kept, e);
    buf_release(&text);
    return ok;
}

/* ---- texts and ids ------------------------------------------------------------------------ */

static bool add_text(const struct speech *s, struct str text, unsigned flags, const char *field,
                     struct token_list *out, struct api_error *e)
{
    struct err_note note;
    return tokenizer_encode(s->tokenizer, text, flags, out, &note) ? fail_note(e, field, &note)
                                                                   : true;
}

static bool add_id(int32_t id, struct token_list *out, struct api_error *e)
{
    if (out->n_ids == out->n_reserved) {
        size_t n = out->n_reserved ? 2 * out->n_reserved : 64;
        int32_t *ids = mem_resize(out->ids, n * sizeof ids[0]);
        if (!ids)
            return api_fail(e, 500, NULL, "out of memory for the prompt");
        out->ids = ids;
        out->n_reserved = n;
    }
    out->ids[out->n_ids++] = id;
    return true;
}

static bool add_json_id(const json_t *id, const char *field, size_t i, struct token_list *out,
                        struct api_error *e)
{
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
        return api_fail(e, 400, field, "%s[%zu] is no token id", field, i);
    return add_id((int32_t)json_integer_value(id), out, e);
}

bool prompt_value(const struct speech *s, const json_t *value, unsigned flags, const char *field,
                  struct token_list *out, struct api_error *e)
{
    out->n_ids_max = INT32_MAX;
    if (json_is_string(value))
        return add_text(s, (struct str){json_string_value(value), json_string_length(value)},
                        flags, field, out, e);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        unsigned here = i ? flags & ~(unsigned)ENCODE_ADD_SPECIAL : flags;
        struct str text = {json_string_value(item), json_string_length(item)};
        bool ok = json_is_string(item) ? add_text(s, text, here, field, out, e)
                                       : add_json_id(item, field, i, out, e);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- the middle --------------------------------------------------------------------------- */

/* The token of a GGUF's key, else of one of the spellings that models use. */
static int32_t find_token(const struct speech *s, const char *key, const char *const *spellings)
{
    uint32_t id;
    struct err_note note;
    if (!table_u32(&s->table, key, UINT32_MAX, &id, &note) && id < tokenizer_n_tokens(s->tokenizer))
        return (int32_t)id;
    for (; *spellings; spellings++) {
        int32_t token = tokenizer_token_id(s->tokenizer, str_from(*spellings));
        if (token != TOKEN_NONE)
            return token;
    }
    return TOKEN_NONE;
}

struct fill {
    int32_t before, hole, begin; /* TOKEN_NONE: the model has none */
};

static struct fill fill_of(const struct speech *s)
{
    /* "\xef\xbd\x9c" is DeepSeek's bar, "\xe2\x96\x81" SentencePiece's space. */
    static const char *const before[] = {"<|fim_prefix|>",
                                         "<fim_prefix>",
                                         "<fim-prefix>",
                                         "\xe2\x96\x81<PRE>",
                                         "<PRE>",
                                         "<|code_prefix|>",
                                         "<\xef\xbd\x9c" "fim\xe2\x96\x81" "begin\xef\xbd\x9c>",
                                         NULL};
    static const char *const hole[] = {"<|fim_suffix|>",
                                       "<fim_suffix>",
                                       "<fim-suffix>",
                                       "\xe2\x96\x81<SUF>",
                                       "<SUF>",
                                       "<|code_suffix|>",
                                       "<\xef\xbd\x9c" "fim\xe2\x96\x81" "hole\xef\xbd\x9c>",
                                       NULL};
    static const char *const begin[] = {"<|fim_middle|>",
                                        "<fim_middle>",
                                        "<fim-middle>",
                                        "\xe2\x96\x81<MID>",
                                        "<MID>",
                                        "<|code_middle|>",
                                        "<\xef\xbd\x9c" "fim\xe2\x96\x81" "end\xef\xbd\x9c>",
                                        NULL};
    return (struct fill){find_token(s, "tokenizer.ggml.fim_pre_token_id", before),
                         find_token(s, "tokenizer.ggml.fim_suf_token_id", hole),
                         find_token(s, "tokenizer.ggml.fim_mid_token_id", begin)};
}

bool prompt_can_fill(const struct speech *s)
{
    struct fill f = fill_of(s);
    return f.before != TOKEN_NONE && f.hole != TOKEN_NONE && f.begin != TOKEN_NONE;
}

/* Before, prefix, hole, suffix, and the answer begins: as models are trained for it. */
static bool fill_prompt(const struct speech *s, const struct api_generate *api,
                        struct token_list *out, struct api_error *e)
{
    struct fill f = fill_of(s);
    if (!prompt_can_fill(s))
        return api_fail(e, 400, "suffix", "suffix: this model has no tokens to fill in a middle");
    int32_t bos = tokenizer_adds_bos(s->tokenizer) ? tokenizer_bos(s->tokenizer) : TOKEN_NONE;
    return (bos == TOKEN_NONE || add_id(bos, out, e)) && add_id(f.before, out, e) &&
           add_text(s, api->prompt, 0, "prompt", out, e) && add_id(f.hole, out, e) &&
           add_text(s, api->suffix, 0, "suffix", out, e) && add_id(f.begin, out, e);
}

/* ---- all of them -------------------------------------------------------------------------- */

/* What goes on after other tokens has no beginning of its own. */
static void drop_beginning(const struct speech *s, struct token_list *l, size_t at)
{
    if (l->n_ids <= at || l->ids[at] != tokenizer_bos(s->tokenizer))
        return;
    memmove(&l->ids[at], &l->ids[at + 1], (l->n_ids - at - 1) * sizeof l->ids[0]);
    l->n_ids--;
}

static bool own_prompt(const struct speech *s, const struct api_generate *api, size_t i,
                       struct token_list *out, struct buf *kept, struct api_error *e)
{
    const unsigned flags = ENCODE_ADD_SPECIAL | ENCODE_PARSE_SPECIAL;
    const json_t *item = json_array_get(api->prompts, i);
    if (api->messages && (s->face.template || !api->prompt.ptr))
        return chat_prompt(s, api, out, kept, e);
    if (api->suffix.len > 0)
        return fill_prompt(s, api, out, e);
    if (api->prompt_ids)
        return prompt_value(s, api->prompt_ids, flags, "prompt", out, e);
    if (api->prompts)
        return prompt_value(s, item, flags, "prompt", out, e) &&
               keep_text((struct str){json_string_value(item), json_string_length(item)}, kept, e);
    return add_text(s, api->prompt, flags, "prompt", out, e) && keep_text(api->prompt, kept, e);
}

bool prompt_of(const struct speech *s, const struct api_generate *api, size_t i,
               struct token_list *out, struct buf *text, struct api_error *e)
{
    out->n_ids_max = INT32_MAX;
    if (api->prompt_before && !prompt_value(s, api->prompt_before, 0, "context", out, e))
        return false;
    size_t n_before = out->n_ids;
    if (!own_prompt(s, api, i, out, text, e))
        return false;
    if (n_before > 0)
        drop_beginning(s, out, n_before);
    return true;
}
