/* folder_text.h - what a Hugging Face folder says about text, as metadata for a GGUF file. */
#ifndef CLI_FOLDER_TEXT_H
#define CLI_FOLDER_TEXT_H

#include "cli/load.h"
#include "format/metas.h"

/* folder_text_metas - adds the tokenizer and the chat templates of the folder that l was opened
 * from (load_tokenizer) to m, as copies. Says if there is no template. */
enum err folder_text_metas(const char *folder, const struct loaded *l, struct metas *m,
                           struct err_note *note);

#endif
