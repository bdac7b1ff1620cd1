/* chat_folder.h - the chat templates that a Hugging Face folder brings.
 *
 * chat_template.jinja, and additional_chat_templates/NAME.jinja, or else "chat_template" of
 * tokenizer_config.json: a text, or a list of {name, template}. */
#ifndef TEXT_CHAT_FOLDER_H
#define TEXT_CHAT_FOLDER_H

#include "text/chat.h"

enum { CHAT_FOLDER_MAX = 32 };

struct chat_folder {
    struct chat_choice choices[CHAT_FOLDER_MAX]; /* names and sources are owned */
    size_t n_choices;
};

/* chat_folder_read - no template at all is no error: n_choices is 0 then. ERR_FORMAT names the
 * file and what is wrong in it. */
enum err chat_folder_read(struct chat_folder *f, const char *folder, struct err_note *note);
void chat_folder_release(struct chat_folder *f);

#endif
