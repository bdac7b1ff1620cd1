/* conversation.h - the messages of a chat, kept as text and as a JSON file. */
#ifndef CLI_CONVERSATION_H
#define CLI_CONVERSATION_H

#include "base/err.h"
#include "text/chat.h"

/* messages[i].content and .role are owned copies; the first may be the system's. */
struct conversation {
    struct chat_message *messages;
    size_t n_messages;
};

enum err conversation_add(struct conversation *c, const char *role, struct str content,
                          struct err_note *note);
void conversation_drop_last(struct conversation *c);
/* conversation_set_system - replaces or puts the system's message; empty text removes it. */
enum err conversation_set_system(struct conversation *c, struct str text, struct err_note *note);
/* Forget all but the system's message. */
void conversation_clear(struct conversation *c);
void conversation_release(struct conversation *c);

/* A JSON array of {"role", "content"}. Loading replaces c, or leaves it as it is on error. */
enum err conversation_save(const struct conversation *c, const char *path, struct err_note *note);
enum err conversation_load(struct conversation *c, const char *path, struct err_note *note);

/* The array itself: NULL when memory runs out or a text is no UTF-8. Reading adds to an empty c and
 * leaves it empty on error; the note does not name the file. */
struct json_t;
struct json_t *conversation_json(const struct conversation *c);
enum err conversation_from_json(struct conversation *c, const struct json_t *list,
                                struct err_note *note);

#endif
