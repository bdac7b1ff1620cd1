/* chat_face.h - how a model wants to be spoken to: its chat template and the tokens around it. */
#ifndef TEXT_CHAT_FACE_H
#define TEXT_CHAT_FACE_H

#include "text/chat.h"
#include "text/tokenizer.h"

struct table;

struct chat_face {
    struct chat_template *template; /* NULL: the model has none */
    struct chat_template *of_tools; /* where there are tools; NULL: the same */
    char origin[80];                /* "the model's own template", "built-in template phi3" */
};

/* chat_face_open - of the file or folder that table was opened from. wanted: a built-in's name, a
 * file, or NULL for the model's own. A model without one is not an error when wanted is NULL:
 * template is NULL then. */
enum err chat_face_open(struct chat_face *f, const struct table *table, const char *wanted,
                        struct err_note *note);
void chat_face_close(struct chat_face *f);

/* The template for conversations with tools, or without. */
const struct chat_template *chat_face_template(const struct chat_face *f, bool has_tools);

/* chat_face_clock - the local wall clock, as strftime_now wants it. */
int64_t chat_face_clock(void);
/* chat_face_render - the conversation as the text that the model was trained on. request's special
 * tokens are filled in here, and the clock where it is 0; the rest is the caller's. out is appended
 * to. */
enum err chat_face_render(const struct chat_face *f, const struct tokenizer *t,
                          struct chat_request request, struct buf *out, struct err_note *note);
/* chat_face_tokens - the same as tokens. */
enum err chat_face_tokens(const struct chat_face *f, const struct tokenizer *t,
                          struct chat_request request, struct token_list *out,
                          struct err_note *note);

#endif
