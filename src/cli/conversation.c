/* conversation.c - the messages of a chat. */
#include "cli/conversation.h"

#include <jansson.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { FILE_BYTES_MAX = 64 << 20 };

static void message_release(struct chat_message *m)
{
    mem_free((char *)(uintptr_t)m->role.ptr);
    mem_free((char *)(uintptr_t)m->content.ptr);
}

static enum err message_init(struct chat_message *m, const char *role, struct str content,
                             struct err_note *note)
{
    *m = (struct chat_message){0};
    m->role = (struct str){mem_strdup(role), strlen(role)};
    m->content = (struct str){mem_strndup(content.ptr, content.len), content.len};
    if (m->role.ptr && m->content.ptr)
        return ERR_OK;
    message_release(m);
    return err_set(note, ERR_MEMORY, "out of memory for a message");
}

enum err conversation_add(struct conversation *c, const char *role, struct str content,
                          struct err_note *note)
{
    struct chat_message *more =
        mem_resize(c->messages, (c->n_messages + 1) * sizeof c->messages[0]);
    if (!more)
        return err_set(note, ERR_MEMORY, "out of memory for a message");
    c->messages = more;
    enum err rc = message_init(&more[c->n_messages], role, content, note);
    c->n_messages += rc == ERR_OK;
    return rc;
}

void conversation_drop_last(struct conversation *c)
{
    message_release(&c->messages[--c->n_messages]);
}

static bool has_system(const struct conversation *c)
{
    return c->n_messages > 0 && str_is(c->messages[0].role, "system");
}

enum err conversation_set_system(struct conversation *c, struct str text, struct err_note *note)
{
    if (has_system(c)) {
        message_release(&c->messages[0]);
        c->n_messages--;
        memmove(c->messages, c->messages + 1, c->n_messages * sizeof c->messages[0]);
    }
    if (text.len == 0)
        return ERR_OK;
    enum err rc = conversation_add(c, "system", text, note);
    if (rc)
        return rc;
    struct chat_message system = c->messages[c->n_messages - 1];
    memmove(c->messages + 1, c->messages, (c->n_messages - 1) * sizeof c->messages[0]);
    c->messages[0] = system;
    return ERR_OK;
}

void conversation_clear(struct conversation *c)
{
    while (c->n_messages > (has_system(c) ? 1 : 0))
        conversation_drop_last(c);
}

void conversation_release(struct conversation *c)
{
    while (c->n_messages > 0)
        conversation_drop_last(c);
    mem_free(c->messages);
    *c = (struct conversation){0};
}

static int to_writer(const char *bytes, size_t n_bytes, void *writer)
{
    file_writer_add(writer, bytes, n_bytes);
    return 0;
}

struct json_t *conversation_json(const struct conversation *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->n_messages; i++) {
        const struct chat_message *m = &c->messages[i];
        json_t *item = json_pack("{s:s%,s:s%}", "role", m->role.ptr, m->role.len, "content",
                                 m->content.ptr, m->content.len);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

enum err conversation_save(const struct conversation *c, const char *path, struct err_note *note)
{
    struct file_writer w;
    json_t *list = conversation_json(c);
    if (!list)
        return err_set(note, ERR_FORMAT, "the conversation cannot be written as JSON");
    enum err rc = file_writer_open(&w, path, note);
    if (!rc) {
        json_dump_callback(list, to_writer, &w, JSON_INDENT(1));
        file_writer_add(&w, "\n", 1);
        rc = file_writer_commit(&w, note);
    }
    json_decref(list);
    return rc;
}

static enum err add_json(struct conversation *c, json_t *item, size_t i, struct err_note *note)
{
    const char *role, *content;
    size_t n_role, n_content;
    if (json_unpack(item, "{s:s%,s:s%}", "role", &role, &n_role, "content", &content, &n_content))
        return err_set(note, ERR_FORMAT, "message %zu is no object with role and content", i);
    return conversation_add(c, role, (struct str){content, n_content}, note);
}

enum err conversation_from_json(struct conversation *c, const struct json_t *list,
                                struct err_note *note)
{
    enum err rc = ERR_OK;
    for (size_t i = 0; !rc && i < json_array_size(list); i++)
        rc = add_json(c, json_array_get(list, i), i, note);
    if (rc)
        conversation_release(c);
    return rc;
}

enum err conversation_load(struct conversation *c, const char *path, struct err_note *note)
{
    struct conversation loaded = {0};
    json_error_t error;
    char *text;
    size_t n_bytes;
    enum err rc = file_read(path, FILE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    json_t *list = json_loadb(text, n_bytes, 0, &error);
    mem_free(text);
    if (!json_is_array(list))
        rc = err_set(note, ERR_FORMAT, "%s: line %d: %s", path, error.line,
                     list ? "not a list of messages" : error.text);
    else if ((rc = conversation_from_json(&loaded, list, note)))
        err_wrap(note, rc, "%s", path);
    json_decref(list);
    if (rc)
        return rc;
    conversation_release(c);
    *c = loaded;
    return ERR_OK;
}
