/* chat.h - a conversation becomes the text that a model was trained on.
 *
 * A model brings a template in the Jinja language; it is parsed once and rendered many times. A
 * template sees what Transformers' apply_chat_template gives it: messages, tools, documents,
 * add_generation_prompt, the special tokens by name, and further values. The output is byte-equal
 * to Jinja2's. A template is untrusted code: it can reach nothing but these values, and its steps,
 * memory, depth and output are limited. */
#ifndef TEXT_CHAT_H
#define TEXT_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct json_t; /* a value of the jansson library */
struct chat_template;

/* chat_template_new - parse source (copied). ERR_FORMAT names the line. Free with _free.
 * The result does not change: many threads may render it at once. */
enum err chat_template_new(struct chat_template **out, struct str source, struct err_note *note);

/* chat_template_builtin - for models that bring none: "r1", "llama3.1", "mistral", "qwen2",
 * "deepseek", "phi3", and "plain" ("role: content" lines). ERR_NOT_FOUND lists the names. */
enum err chat_template_builtin(struct chat_template **out, const char *name, struct err_note *note);
void chat_template_free(struct chat_template *t);

struct str chat_template_source(const struct chat_template *t); /* lives as long as t */

/* SHA-256 of the source bytes, for receipts; lives as long as t. */
const uint8_t *chat_template_hash(const struct chat_template *t);

/* A model may bring several templates by name. The choice is Transformers': the one wanted (NULL:
 * none in particular), else "tool_use" when there are tools, else "default", else the only one.
 * ERR_NOT_FOUND lists the names. */
struct chat_choice {
    struct str name, source;
};
enum err chat_choose(const struct chat_choice *choices, size_t n_choices, const char *wanted,
                     bool has_tools, size_t *index, struct err_note *note);

/* A text with ptr NULL is absent. tool_calls is a JSON array as text. */
struct chat_message {
    struct str role, content, reasoning_content, name, tool_call_id, tool_calls;
};

struct chat_request {
    const struct chat_message *messages;
    size_t n_messages;
    const struct json_t *messages_json; /* used instead of messages unless NULL: an array of
                                           objects, as the chat completion interface has them */
    const struct json_t *tools, *documents; /* arrays or NULL (the template sees none) */
    const struct json_t *kwargs; /* object or NULL: further variables, such as enable_thinking */
    struct str bos_token, eos_token, unk_token, pad_token; /* ptr NULL: not defined */
    bool add_generation_prompt;
    int64_t now_s; /* local civil time as seconds since 1970-01-01 00:00, for strftime_now */
};

/* chat_render - append the text to out (whose own maximum applies; on error out is as before).
 * ERR_FORMAT: the template failed or refused (its raise_exception text is passed on); ERR_LIMIT:
 * a limit, by name. */
enum err chat_render(const struct chat_template *t, const struct chat_request *request,
                     struct buf *out, struct err_note *note);

#endif
