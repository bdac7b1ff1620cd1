/* chat_habits.h - what a chat template does with tools, found by trying it.
 *
 * Templates differ in what they want of a conversation: arguments as an object or as text, null or
 * nothing where a call has no text beside it, no tools at all. Each is tried once, with small
 * conversations; what a client sends is then put into the shape that the template takes. Where it
 * takes no tools, they are explained in the system message; where it says nothing of how to call
 * them, in the form "hermes". */
#ifndef TEXT_CHAT_HABITS_H
#define TEXT_CHAT_HABITS_H

#include "text/answer_form.h"
#include "text/chat_face.h"

struct chat_habits {
    struct answer_style style;
    bool explains_tools;                /* by us: the template shows none */
    bool explains_calls;                /* earlier ones, and what came of them */
    bool arguments_object;              /* of earlier calls; else a text */
    bool content_null;                  /* of an earlier call without text; else empty */
    bool takes_system, takes_developer; /* roles */
};

/* chat_habits_find - f has a template. form: by name, or NULL for what the template's text tells.
 * ERR_NOT_FOUND lists the forms. */
enum err chat_habits_find(struct chat_habits *h, const struct chat_face *f,
                          const struct tokenizer *t, const char *form, struct err_note *note);

/* chat_habits_messages - the conversation as the template takes it: a new reference; NULL without
 * memory. messages and tools (or NULL) as the chat interface has them. The template is to be given
 * the tools too, unless they are explained. */
struct json_t *chat_habits_messages(const struct chat_habits *h, const struct json_t *messages,
                                    const struct json_t *tools);

#endif
