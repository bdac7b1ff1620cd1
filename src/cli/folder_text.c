/* folder_text.c - tokenizer and chat templates of a folder, under GGUF's keys. */
#include "cli/folder_text.h"

#include <stdio.h>

#include "cli/say.h"
#include "text/chat_folder.h"
#include "text/tokenizer_meta.h"

/* "default" is tokenizer.chat_template; the others carry their names. */
static void add_templates(const struct chat_folder *chat, struct metas *m)
{
    struct str names[CHAT_FOLDER_MAX];
    size_t n_names = 0;
    for (size_t i = 0; i < chat->n_choices; i++) {
        const struct chat_choice *choice = &chat->choices[i];
        char key[200];
        if (str_is(choice->name, "default")) {
            metas_str(m, "tokenizer.chat_template", choice->source);
            continue;
        }
        snprintf(key, sizeof key, "tokenizer.chat_template.%.*s", STR_ARG(choice->name));
        metas_str(m, key, choice->source);
        names[n_names++] = choice->name;
    }
    if (n_names)
        metas_strs(m, "tokenizer.chat_templates", names, n_names);
}

enum err folder_text_metas(const char *folder, const struct loaded *l, struct metas *m,
                           struct err_note *note)
{
    const struct tensor_view *embd = table_tensor(&l->table, "token_embd.weight");
    struct tokenizer_meta tokenizer;
    struct chat_folder chat = {0};
    tokenizer_meta_init(&tokenizer);
    enum err rc = tokenizer_to_meta(l->tokenizer, embd ? embd->dim[1] : 0, &tokenizer, note);
    if (!rc)
        rc = tokenizer_meta_write(&tokenizer, m, note);
    if (rc)
        err_wrap(note, rc, "%s: tokenizer", folder);
    else
        rc = chat_folder_read(&chat, folder, note);
    if (!rc) {
        add_templates(&chat, m);
        if (chat.n_choices == 0)
            say("the folder has no chat template");
        rc = metas_status(m, note);
    }
    chat_folder_release(&chat);
    tokenizer_meta_release(&tokenizer);
    return rc;
}
