/* chat_face.h - how a model wants to be spoken to: its chat template and the tokens around it. */
#ifndef CLI_CHAT_FACE_H
#define CLI_CHAT_FACE_H

#include "cli/load.h"
#include "text/chat.h"

struct chat_face {
    struct chat_template *template; /* NULL: the model has none */
    char origin[80];                /* "the model's own template", "built-in template phi3" */
};

/* chat_face_open - wanted: a built-in's name, a file, or NULL for the model's own. A model without
 * one is not an error when wanted is NULL: template is NULL then. */
enum err chat_face_open(struct chat_face *f, const struct loaded *l, const char *wanted,
                        struct err_note *note);
void chat_face_close(struct chat_face *f);

/* chat_face_tokens - the conversation as the tokens that the model was trained on, up to where the
 * assistant begins to speak. out is appended to. */
enum err chat_face_tokens(const struct chat_face *f, const struct tokenizer *t,
                          const struct chat_message *messages, size_t n_messages,
                          struct token_list *out, struct err_note *note);

#endif
