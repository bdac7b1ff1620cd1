/* tokens.c - reads requests about tokens. */
#include "api/tokens.h"

#include "api/tables.h"
#include "base/check.h"

#define FIELD(member) offsetof(struct raw, member)

struct raw {
    struct api_tokenize t;
    const json_t *content, *prompt;
    bool add_llama, add_vllm;
};

static const struct api_field tokenize_fields[] = {
    {"model", API_TEXT, FIELD(t.chat.model), 0, 0, "whose tokens; absent: the first one's"},
    {"content", API_VALUE, FIELD(content), 0, 0,
     "a text, or an array of texts and token ids (llama-server's name)"},
    {"prompt", API_VALUE, FIELD(prompt), 0, 0, "the same by vLLM's name"},
    {"messages", API_VALUE, FIELD(t.chat.messages), 0, 0, "instead: a chat [{role, content}]"},
    {"tools", API_VALUE, FIELD(t.chat.tools), 0, 0, "of the chat"},
    {"chat_template_kwargs", API_VALUE, FIELD(t.chat.kwargs), 0, 0, "for the model's template"},
    {"add_generation_prompt", API_BOOL, FIELD(t.chat.add_generation_prompt), 0, 0,
     "begin the assistant's turn (true)"},
    {"add_special", API_BOOL, FIELD(add_llama), 0, 0,
     "add what the model begins a text with; by default only to prompt"},
    {"add_special_tokens", API_BOOL, FIELD(add_vllm), 0, 0, "the same by vLLM's name"},
    {"parse_special", API_BOOL, FIELD(t.parse_special), 0, 0,
     "special tokens in the text are tokens (true)"},
    {"with_pieces", API_BOOL, FIELD(t.pieces), 0, 0, "each token as {id, piece}"},
    {"return_token_strs", API_BOOL, FIELD(t.texts), 0, 0, "the tokens' texts as token_strs"},
    {"chat_template", API_REFUSED, 0, 0, 0, "the server's --template decides"},
    {"continue_final_message", API_REFUSED, 0, 0, 0, "send the text as a prompt"},
};

const struct api_table api_tokenize_table = {"TokenizeRequest", tokenize_fields,
                                             COUNT_OF(tokenize_fields),
                                             "content|prompt|messages"};

static bool was_given(uint64_t given, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(tokenize_fields); i++)
        if (strcmp(tokenize_fields[i].name, name) == 0)
            return given >> i & 1;
    CHECK(false);
    return false;
}

/* A text or an array; its items are checked where their meaning is known. */
static bool check_content(const struct api_tokenize *t, struct api_error *e)
{
    if (!t->content)
        return api_messages_check(t->chat.messages, e);
    for (size_t i = 0; i < json_array_size(t->content); i++) {
        const json_t *item = json_array_get(t->content, i);
        if (!json_is_string(item) && !json_is_integer(item))
            return api_fail(e, 400, t->field, "%s[%zu] is neither a text nor a token id", t->field,
                            i);
    }
    return json_is_string(t->content) || json_is_array(t->content) ||
           api_fail(e, 400, t->field, "%s must be a text, or an array of texts and token ids",
                    t->field);
}

bool api_tokenize_parse(struct str body, struct api_tokenize *r, struct api_error *e)
{
    struct raw raw = {.t = {.parse_special = true}};
    uint64_t given = 0;
    api_generate_begin(&raw.t.chat);
    json_t *root = raw.t.chat.root = api_parse(body, e);
    bool ok = root && api_read(root, "", tokenize_fields, COUNT_OF(tokenize_fields), &raw, &given,
                               &raw.t.chat.unknown, e);
    raw.t.content = raw.content ? raw.content : raw.prompt;
    raw.t.field = raw.content ? "content" : "prompt";
    raw.t.add_special = was_given(given, "add_special")          ? raw.add_llama
                        : was_given(given, "add_special_tokens") ? raw.add_vllm
                                                                 : raw.prompt != NULL;
    if (ok && (raw.content != NULL) + (raw.prompt != NULL) + (raw.t.chat.messages != NULL) != 1)
        ok = api_fail(e, 400, "content", "give one of content, prompt and messages");
    ok = ok && check_content(&raw.t, e);
    *r = raw.t;
    return ok;
}

static const struct api_field detokenize_fields[] = {
    {"model", API_TEXT, offsetof(struct api_generate, model), 0, 0,
     "whose tokens; absent: the first one's"},
    {"tokens", API_VALUE, offsetof(struct api_generate, prompt_ids), 0, 0, "token ids"},
};

const struct api_table api_detokenize_table = {"DetokenizeRequest", detokenize_fields,
                                               COUNT_OF(detokenize_fields), "tokens"};

bool api_detokenize_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    api_generate_begin(r);
    r->root = api_parse(body, e);
    if (!r->root || !api_read(r->root, "", detokenize_fields, COUNT_OF(detokenize_fields), r, NULL,
                              &r->unknown, e))
        return false;
    if (!json_is_array(r->prompt_ids))
        return api_fail(e, 400, "tokens", "tokens must be an array of token ids");
    for (size_t i = 0; i < json_array_size(r->prompt_ids); i++)
        if (!json_is_integer(json_array_get(r->prompt_ids, i)))
            return api_fail(e, 400, "tokens", "tokens[%zu] is no token id", i);
    return true;
}
