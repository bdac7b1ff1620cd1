/* turns.c - builds messages. */
#include "api/turns.h"

#include <string.h>

enum { TEXT_BYTES_MAX = 1 << 30 };

static json_t *text_of(const struct buf *b)
{
    return json_stringn(b->n_bytes ? b->bytes : "", b->n_bytes);
}

static void close_message(struct turns *t)
{
    if (!t->role)
        return;
    json_t *m = json_pack("{s:s}", "role", t->role);
    bool ok = m && !t->text.failed && !t->reasoning.failed;
    if (ok && t->reasoning.n_bytes > 0)
        ok = json_object_set_new(m, "reasoning_content", text_of(&t->reasoning)) == 0;
    if (ok)
        ok = json_object_set_new(m, "content",
                                 t->calls && !t->has_text ? json_null() : text_of(&t->text)) == 0;
    if (ok && t->calls)
        ok = json_object_set(m, "tool_calls", t->calls) == 0;
    ok = ok && json_array_append(t->messages, m) == 0;
    t->failed = t->failed || !ok;
    json_decref(m);
    json_decref(t->calls);
    t->calls = NULL;
    t->role = NULL;
    t->has_text = false;
    buf_clear(&t->text);
    buf_clear(&t->reasoning);
}

void turns_init(struct turns *t)
{
    *t = (struct turns){.messages = json_array()};
    t->failed = !t->messages;
    buf_init(&t->text, TEXT_BYTES_MAX);
    buf_init(&t->reasoning, TEXT_BYTES_MAX);
}

void turns_release(struct turns *t)
{
    json_decref(t->messages);
    json_decref(t->calls);
    buf_release(&t->text);
    buf_release(&t->reasoning);
    *t = (struct turns){0};
}

void turns_begin(struct turns *t, const char *role)
{
    close_message(t);
    t->role = role;
}

static void continue_or_begin(struct turns *t, const char *role)
{
    if (!t->role || strcmp(t->role, role) != 0)
        turns_begin(t, role);
}

static void add(struct buf *to, struct str text)
{
    if (to->n_bytes > 0)
        buf_char(to, '\n');
    buf_add(to, text.ptr, text.len);
}

void turns_text(struct turns *t, const char *role, struct str text)
{
    continue_or_begin(t, role);
    add(&t->text, text);
    t->has_text = true;
}

void turns_reasoning(struct turns *t, struct str text)
{
    continue_or_begin(t, "assistant");
    add(&t->reasoning, text);
}

void turns_call(struct turns *t, struct str id, struct str name, struct str arguments)
{
    continue_or_begin(t, "assistant");
    json_t *call = json_pack("{s:s%, s:s, s:{s:s%, s:s%}}", "id", id.ptr, id.len, "type",
                             "function", "function", "name", name.ptr, name.len, "arguments",
                             arguments.ptr, arguments.len);
    if (!t->calls)
        t->calls = json_array();
    if (json_array_append_new(t->calls, call) != 0)
        t->failed = true;
}

void turns_result(struct turns *t, struct str call_id, struct str text)
{
    close_message(t);
    json_t *m = json_pack("{s:s, s:s%, s:s%}", "role", "tool", "tool_call_id", call_id.ptr,
                          call_id.len, "content", text.ptr, text.len);
    if (json_array_append_new(t->messages, m) != 0)
        t->failed = true;
}

json_t *turns_end(struct turns *t)
{
    close_message(t);
    return t->failed ? NULL : json_incref(t->messages);
}
