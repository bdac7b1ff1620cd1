/* anthropic_reply.c - answers of /v1/messages, whole and as events.
 *
 * A stream opens one block at a time: a piece of another kind closes the open one. The reason why
 * an answer ends is known before its tokens are counted, and both are said in one event, so the
 * state keeps the reason. A thinking block's signature is a digest of its text: clients want one
 * and send it back; nobody checks it, the conversation is the client's own. */
#include "api/anthropic.h"

#include "base/check.h"
#include "base/hash.h"

enum { EVENT_BYTES_MAX = 1 << 30 };

struct state {
    bool open;
    enum part_kind kind; /* of the open block */
    size_t i_block;      /* the open block's, or the next one's */
    struct sha256 thought;
    enum reply_finish finish;
    struct str stop_text;
};

static void write_signature(struct writer *w, struct sha256 *thought)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t digest[SHA256_BYTES];
    char text[2 * SHA256_BYTES];
    sha256_end(thought, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 15];
    }
    write_key_text(w, "signature", (struct str){text, sizeof text});
}

static void write_usage(struct writer *w, const struct reply_usage *u)
{
    write_key(w, "usage");
    write_open(w, '{');
    write_key_int(w, "input_tokens", (int64_t)u->n_prompt - u->n_cached);
    write_key_int(w, "cache_creation_input_tokens", 0);
    write_key_int(w, "cache_read_input_tokens", u->n_cached);
    write_key_int(w, "output_tokens", u->n_answer);
    write_key(w, "output_tokens_details");
    write_open(w, '{');
    write_key_int(w, "thinking_tokens", u->n_reasoning);
    write_close(w, '}');
    write_close(w, '}');
}

/* room: max_tokens were not used up: an answer of full length has filled the model's context. */
static void write_stop(struct writer *w, enum reply_finish finish, struct str stop_text, bool room)
{
    static const char *const words[] = {
        [REPLY_STOP] = "end_turn",
        [REPLY_STOP_TEXT] = "stop_sequence",
        [REPLY_LENGTH] = "max_tokens",
        [REPLY_CALLS] = "tool_use",
    };
    write_key(w, "stop_reason");
    if (finish == REPLY_GOES_ON)
        write_word(w, "null");
    else if (finish == REPLY_LENGTH && room)
        write_text(w, STR("model_context_window_exceeded"));
    else
        write_text(w, str_from(words[finish]));
    write_key(w, "stop_sequence");
    if (finish == REPLY_STOP_TEXT)
        write_text(w, stop_text);
    else
        write_word(w, "null");
}

/* Up to the blocks of content, whose array is open then. */
static void write_head(struct writer *w, const struct reply_head *h)
{
    write_open(w, '{');
    write_key_text(w, "id", str_from(h->id));
    write_key_text(w, "type", STR("message"));
    write_key_text(w, "role", STR("assistant"));
    write_key_text(w, "model", h->model);
    write_key(w, "content");
    write_open(w, '[');
}

/* A call that max_tokens cut off is none. */
static bool is_object(struct str text)
{
    json_t *v = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
    bool yes = json_is_object(v);
    json_decref(v);
    return yes;
}

/* A block; without its text it is as a stream begins it. */
static void write_block(struct writer *w, const struct part *p, bool with_text)
{
    struct str text = with_text ? part_text(p) : STR("");
    struct sha256 thought;
    write_open(w, '{');
    switch (p->kind) {
    case PART_TEXT:
        write_key_text(w, "type", STR("text"));
        write_key_text(w, "text", text);
        break;
    case PART_REASONING:
        write_key_text(w, "type", STR("thinking"));
        write_key_text(w, "thinking", text);
        sha256_init(&thought);
        sha256_add(&thought, text.ptr, text.len);
        if (with_text)
            write_signature(w, &thought);
        else
            write_key_text(w, "signature", STR(""));
        break;
    case PART_CALL:
        write_key_text(w, "type", STR("tool_use"));
        write_key_text(w, "id", str_from(p->id));
        write_key_text(w, "name", part_name(p));
        write_key(w, "input");
        write_word(w, with_text && is_object(text) ? p->text.bytes : "{}");
        break;
    }
    write_close(w, '}');
}

static void whole(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                  size_t n_choices, const struct reply_usage *usage)
{
    struct writer w;
    CHECK(n_choices == 1);
    write_begin(&w, out);
    write_head(&w, h);
    for (size_t i = 0; i < choices->n_parts; i++)
        write_block(&w, &choices->parts[i], true);
    write_close(&w, ']');
    write_stop(&w, choices->finish, choices->stop_text, usage->n_answer < h->request->n_max);
    write_usage(&w, usage);
    write_close(&w, '}');
}

/* ---- events ------------------------------------------------------------------------------- */

struct event {
    struct buf json;
    struct writer w;
    const char *type;
};

static void event_begin(struct event *v, const char *type)
{
    buf_init(&v->json, EVENT_BYTES_MAX);
    write_begin(&v->w, &v->json);
    v->type = type;
    write_open(&v->w, '{');
    write_key_text(&v->w, "type", str_from(type));
}

static void event_end(struct event *v, struct buf *out)
{
    write_close(&v->w, '}');
    CHECK(!v->json.failed);
    write_named_event(out, v->type, &v->json);
    buf_release(&v->json);
}

static void begin(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_usage *usage)
{
    struct event v;
    (void)state;
    event_begin(&v, "message_start");
    write_key(&v.w, "message");
    write_head(&v.w, h);
    write_close(&v.w, ']');
    write_stop(&v.w, REPLY_GOES_ON, STR(""), false);
    write_usage(&v.w, usage);
    write_close(&v.w, '}');
    event_end(&v, out);
    event_begin(&v, "ping");
    event_end(&v, out);
}

static void add_delta(struct buf *out, const struct state *s, const char *type, const char *key,
                      struct str text)
{
    struct event v;
    event_begin(&v, "content_block_delta");
    write_key_int(&v.w, "index", (int64_t)s->i_block);
    write_key(&v.w, "delta");
    write_open(&v.w, '{');
    write_key_text(&v.w, "type", str_from(type));
    write_key_text(&v.w, key, text);
    write_close(&v.w, '}');
    event_end(&v, out);
}

static void add_signature(struct buf *out, struct state *s)
{
    struct event v;
    event_begin(&v, "content_block_delta");
    write_key_int(&v.w, "index", (int64_t)s->i_block);
    write_key(&v.w, "delta");
    write_open(&v.w, '{');
    write_key_text(&v.w, "type", STR("signature_delta"));
    write_signature(&v.w, &s->thought);
    write_close(&v.w, '}');
    event_end(&v, out);
}

static void close_block(struct buf *out, struct state *s)
{
    struct event v;
    if (!s->open)
        return;
    if (s->kind == PART_REASONING)
        add_signature(out, s);
    event_begin(&v, "content_block_stop");
    write_key_int(&v.w, "index", (int64_t)s->i_block);
    event_end(&v, out);
    s->open = false;
    s->i_block++;
}

static void open_block(struct buf *out, struct state *s, const struct part *p)
{
    struct event v;
    close_block(out, s);
    event_begin(&v, "content_block_start");
    write_key_int(&v.w, "index", (int64_t)s->i_block);
    write_key(&v.w, "content_block");
    write_block(&v.w, p, false);
    event_end(&v, out);
    s->open = true;
    s->kind = p->kind;
    sha256_init(&s->thought);
}

static void piece(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_choice *c)
{
    static const struct {
        const char *type, *key;
    } deltas[] = {
        [PART_TEXT] = {"text_delta", "text"},
        [PART_REASONING] = {"thinking_delta", "thinking"},
        [PART_CALL] = {"input_json_delta", "partial_json"},
    };
    struct state *s = state;
    (void)h;
    for (size_t i = 0; i < c->n_parts; i++) {
        const struct part *p = &c->parts[i];
        struct str text = part_text(p);
        if (!p->said)
            open_block(out, s, p);
        if (text.len == 0)
            continue;
        if (p->kind == PART_REASONING)
            sha256_add(&s->thought, text.ptr, text.len);
        add_delta(out, s, deltas[p->kind].type, deltas[p->kind].key, text);
    }
    if (c->finish) {
        s->finish = c->finish;
        s->stop_text = c->stop_text;
    }
}

static void end(struct buf *out, void *state, const struct reply_head *h,
                const struct reply_usage *usage)
{
    struct state *s = state;
    struct event v;
    close_block(out, s);
    event_begin(&v, "message_delta");
    write_key(&v.w, "delta");
    write_open(&v.w, '{');
    write_stop(&v.w, s->finish, s->stop_text, usage->n_answer < h->request->n_max);
    write_close(&v.w, '}');
    write_usage(&v.w, usage);
    event_end(&v, out);
    event_begin(&v, "message_stop");
    reply_receipts(&v.w, h);
    event_end(&v, out);
}

/* ---- errors ------------------------------------------------------------------------------- */

static const char *error_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {401, "authentication_error"}, {402, "billing_error"},      {403, "permission_error"},
        {404, "not_found_error"},      {413, "request_too_large"},  {429, "rate_limit_error"},
        {503, "overloaded_error"},     {504, "timeout_error"},      {529, "overloaded_error"},
    };
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (types[i].status == status)
            return types[i].type;
    return status < 500 ? "invalid_request_error" : "api_error";
}

void anthropic_error(struct buf *out, const struct api_error *e)
{
    struct writer w;
    CHECK(e->status >= 400);
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "type", STR("error"));
    write_key(&w, "error");
    write_open(&w, '{');
    write_key_text(&w, "type", str_from(error_type(e->status)));
    write_key_text(&w, "message", str_from(e->message));
    write_close(&w, '}');
    write_close(&w, '}');
}

static void broken(struct buf *out, const struct api_error *e)
{
    struct buf json;
    buf_init(&json, 1 << 16);
    anthropic_error(&json, e);
    write_named_event(out, "error", &json);
    buf_release(&json);
}

const struct dialect dialect_anthropic = {
    .path = "/v1/messages",
    .id_prefix = "msg_",
    .stream_type = "text/event-stream",
    .n_state_bytes = sizeof(struct state),
    .parse = anthropic_parse,
    .whole = whole,
    .begin = begin,
    .piece = piece,
    .end = end,
    .broken = broken,
};
