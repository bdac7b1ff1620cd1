/* socket_call.c - reads calls, writes what is said about them. */
#include "api/socket_call.h"

#include "base/check.h"

#define FIELD(member) offsetof(struct socket_call, member)

enum { UNKNOWN_BYTES_MAX = 1024 };

static const struct api_field auth_fields[] = {
    {"type", API_NO_EFFECT, 0, 0, 0, "auth"},
    {"api_key", API_TEXT, FIELD(api_key), 0, 0, "the client's key"},
};

static const struct api_field call_fields[] = {
    {"id", API_TEXT, FIELD(id), 0, 0, "the client's name of the call"},
    {"function", API_TEXT, FIELD(function), 0, 0, "generate, health, metadata or cancel"},
    {"params", API_VALUE, FIELD(params), 0, 0, "the function's, an object"},
    {"tenant_id", API_TEXT, FIELD(tenant_id), 0, 0, "must be the connection's own"},
};

bool socket_call_parse(struct str text, struct socket_call *c, struct api_error *e)
{
    *c = (struct socket_call){.root = api_parse(text, e), .id = {"", 0}};
    buf_init(&c->unknown, UNKNOWN_BYTES_MAX);
    if (!c->root)
        return false;
    const char *type = json_string_value(json_object_get(c->root, "type"));
    c->is_auth = type && strcmp(type, "auth") == 0;
    if (c->is_auth)
        return api_read(c->root, "", auth_fields, COUNT_OF(auth_fields), c, NULL, &c->unknown, e) &&
               (c->api_key.ptr || api_fail(e, 401, "api_key", "api_key is missing"));
    const json_t *id = json_object_get(c->root, "id"); /* for the error too */
    if (json_is_string(id) && json_string_length(id) <= SOCKET_ID_BYTES_MAX)
        c->id = (struct str){json_string_value(id), json_string_length(id)};
    if (!api_read(c->root, "", call_fields, COUNT_OF(call_fields), c, NULL, &c->unknown, e))
        return false;
    if (c->id.len == 0 || c->id.len > SOCKET_ID_BYTES_MAX) {
        c->id = (struct str){"", 0};
        return api_fail(e, 400, "id", "a call needs an id of 1 to %d bytes", SOCKET_ID_BYTES_MAX);
    }
    if (c->function.len == 0)
        return api_fail(e, 400, "function", "a call needs a function");
    if (json_is_null(c->params))
        c->params = NULL;
    if (c->params && !json_is_object(c->params))
        return api_fail(e, 400, "params", "params must be an object");
    return true;
}

void socket_call_release(struct socket_call *c)
{
    json_decref(c->root);
    buf_release(&c->unknown);
}

bool socket_call_target(const struct socket_call *c, struct str *id, struct api_error *e)
{
    const json_t *v = json_object_get(c->params, "id");
    if (!json_is_string(v))
        return api_fail(e, 400, "params.id", "params.id must be the id of a call");
    *id = (struct str){json_string_value(v), json_string_length(v)};
    return true;
}

/* ---- a worker's lines --------------------------------------------------------------------- */

#define TEXT_KEY "{\"text\":\""

struct socket_line socket_line_read(struct str line)
{
    struct str text = STR(TEXT_KEY), result = STR("{\"result\":"), error = STR("{\"error\":");
    size_t end = text.len;
    if (str_starts(line, result))
        return (struct socket_line){SOCKET_LINE_RESULT, str_sub(line, result.len, line.len - 1)};
    if (str_starts(line, error))
        return (struct socket_line){SOCKET_LINE_ERROR, str_sub(line, error.len, line.len - 1)};
    CHECK(str_starts(line, text));
    while (end < line.len && line.ptr[end] != '"')
        end += line.ptr[end] == '\\' ? 2 : 1;
    CHECK(end < line.len);
    return (struct socket_line){SOCKET_LINE_PIECE, line, str_sub(line, text.len, end)};
}

void socket_result(struct buf *out, struct str text, struct str result)
{
    buf_str(out, TEXT_KEY);
    buf_add(out, text.ptr, text.len);
    buf_str(out, "\",");
    buf_add(out, result.ptr + 1, result.len - 1);
}

/* ---- messages ----------------------------------------------------------------------------- */

void socket_say(struct buf *out, struct str id, const char *status, struct str data,
                struct str unknown)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "id", id);
    write_key_text(&w, "status", str_from(status));
    if (data.len) {
        write_key(&w, "data");
        buf_add(out, data.ptr, data.len);
        w.comma = true;
    }
    if (unknown.len)
        write_key_text(&w, "unknown_fields", unknown);
    write_close(&w, '}');
}

void socket_say_error(struct buf *out, struct str id, struct str error)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "id", id);
    write_key_text(&w, "status", STR("error"));
    write_key(&w, "error");
    buf_add(out, error.ptr, error.len);
    w.comma = true;
    write_close(&w, '}');
}

static const char *code_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return "UNAUTHORIZED";
    case 429:
        return "RATE_LIMIT_EXCEEDED";
    default:
        return status >= 500 ? "INTERNAL_ERROR" : "DISPATCH_ERROR";
    }
}

void socket_error(struct buf *out, const struct api_error *e)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "code", str_from(code_of(e->status)));
    write_key_text(&w, "message", str_from(e->message));
    if (e->field[0]) {
        write_key(&w, "details");
        write_open(&w, '{');
        write_key_text(&w, "field", str_from(e->field));
        write_close(&w, '}');
    }
    write_close(&w, '}');
}

void socket_say_hello(struct buf *out, const char *version, struct str tenant_id)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "status", STR("connected"));
    write_key_text(&w, "version", str_from(version));
    write_key_text(&w, "tenant_id", tenant_id);
    write_close(&w, '}');
}

void socket_say_auth(struct buf *out, const char *type, const char *key, struct str text)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "type", str_from(type));
    write_key_text(&w, key, text);
    write_close(&w, '}');
}
