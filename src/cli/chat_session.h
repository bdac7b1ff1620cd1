/* chat_session.h - a chat that is kept under a name: $XDG_DATA_HOME/isobit/sessions/NAME (or
 * ~/.local/share/...), a folder that its owner alone may read.
 *
 * session.json holds the conversation, its tokens, the options it was begun with and what model
 * computed it; pages/ is the engine's page cache (docs/formats/kv-page.md). One process at a time:
 * the folder is locked while it is open. */
#ifndef CLI_CHAT_SESSION_H
#define CLI_CHAT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "cli/conversation.h"

enum { SESSION_OPTIONS_MAX = 1000 };

/* What session.json holds. */
struct chat_record {
    struct conversation conversation;
    int32_t *tokens; /* the timeline that the pages belong to */
    size_t n_tokens;
    char **options; /* as they were given on the command line, "--session NAME" taken out */
    size_t n_options;
    uint64_t seed;
    double temperature;
    char arithmetic[32];
    uint8_t model_key[SHA256_BYTES]; /* engine_model_key */
};
void chat_record_release(struct chat_record *r);

/* chat_record_parse - the bytes of a session.json; name is for the note. On error r is empty. */
enum err chat_record_parse(struct chat_record *r, struct str text, const char *name,
                           struct err_note *note);
struct json_t;
struct json_t *chat_record_json(const struct chat_record *r); /* NULL: no memory, no UTF-8 */

/* An open session. */
struct chat_session {
    char *name, *folder, *pages; /* NULL: none is open */
    int lock;
    bool is_new;
};

/* chat_session_open - makes the folder if there is none, locks it and reads the record (empty when
 * the session is new). BUSY when another process has it. */
enum err chat_session_open(struct chat_session *s, const char *name, struct chat_record *r,
                           struct err_note *note);
enum err chat_session_save(const struct chat_session *s, const struct chat_record *r,
                           struct err_note *note);
void chat_session_close(struct chat_session *s);

/* chat_session_forget - deletes a session; ERR_NOT_FOUND, BUSY. */
enum err chat_session_forget(const char *name, struct err_note *note);
/* chat_session_list - a line for each session to standard output, by name. */
enum err chat_session_list(struct err_note *note);

/* chat_record_add_options - appends a command's arguments without --session and its name, then
 * "-m model" unless model is NULL. Where the very same were there already, those go. */
enum err chat_record_add_options(struct chat_record *r, int argc, char **argv, const char *model,
                                 struct err_note *note);

#endif
