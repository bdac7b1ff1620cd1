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
                                 .add_generation_prompt = api->add_generation_prompt};
    if (s->face.template && !*made)
        return api_fail(e, 500, NULL, "out of memory for the messages");
    return s->face.template ||
           api_fail(e, 400, "messages",
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
        return fail_note(e, "messages", &note);
    buf_add(out, api->prefill.ptr, api->prefill.len);
    return !out->failed || api_fail(e, 500, NULL, "out of memory for the prompt");
}

static bool chat_prompt(const struct speech *s, const struct api_generate *api,
                        struct token_list *out, struct api_error *e)
{
    struct buf text;
    struct err_note note;
    buf_init(&text, TEXT_BYTES_MAX);
    bool ok = prompt_render(s, api, &text, e);
    if (ok && tokenizer_encode(s->tokenizer, (struct str){text.bytes, text.n_bytes},
                               ENCODE_PARSE_SPECIAL, out, &note))
        ok = fail_note(e, "messages", &note);
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

static bool add_id(const json_t *id, const char *field, size_t i, struct token_list *out,
                   struct api_error *e)
{
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
        return api_fail(e, 400, field, "%s[%zu] is no token id", field, i);
    if (out->n_ids == out->n_reserved) {
        size_t n = out->n_reserved ? 2 * out->n_reserved : 64;
        int32_t *ids = mem_resize(out->ids, n * sizeof ids[0]);
        if (!ids)
            return api_fail(e, 500, NULL, "out of memory for the prompt");
        out->ids = ids;
        out->n_reserved = n;
    }
    out->ids[out->n_ids++] = (int32_t)json_integer_value(id);
    return true;
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
                                       : add_id(item, field, i, out, e);
        if (!ok)
            return false;
    }
    return true;
}

bool prompt_of(const struct speech *s, const struct api_generate *api, size_t i,
               struct token_list *out, struct api_error *e)
{
    const unsigned flags = ENCODE_ADD_SPECIAL | ENCODE_PARSE_SPECIAL;
    out->n_ids_max = INT32_MAX;
    if (api->messages)
        return chat_prompt(s, api, out, e);
    if (api->prompt_ids)
        return prompt_value(s, api->prompt_ids, flags, "prompt", out, e);
    if (api->prompts)
        return prompt_value(s, json_array_get(api->prompts, i), flags, "prompt", out, e);
    return add_text(s, api->prompt, flags, "prompt", out, e);
}
