/* reply.c - OpenAI's answers as JSON. */
#include "api/dialect.h"

#include "base/check.h"
#include "text/utf8.h"

enum { TOKEN_BYTES_MAX = 1 << 16 };

static bool is_chat(const struct reply_head *h)
{
    return h->request->messages != NULL;
}

static void write_head(struct writer *w, const struct reply_head *h, bool whole)
{
    const char *object = !is_chat(h) ? "text_completion"
                         : whole     ? "chat.completion"
                                     : "chat.completion.chunk";
    write_open(w, '{');
    write_key_text(w, "id", str_from(h->id));
    write_key_text(w, "object", str_from(object));
    write_key_int(w, "created", h->created_s);
    write_key_text(w, "model", h->model);
    write_key_text(w, "system_fingerprint", str_from(h->fingerprint));
}

static void write_usage(struct writer *w, const struct reply_usage *u)
{
    write_key(w, "usage");
    write_open(w, '{');
    write_key_int(w, "prompt_tokens", u->n_prompt);
    write_key_int(w, "completion_tokens", u->n_answer);
    write_key_int(w, "total_tokens", (int64_t)u->n_prompt + u->n_answer);
    write_key(w, "prompt_tokens_details");
    write_open(w, '{');
    write_key_int(w, "cached_tokens", u->n_cached);
    write_close(w, '}');
    write_key(w, "completion_tokens_details");
    write_open(w, '{');
    write_key_int(w, "reasoning_tokens", u->n_reasoning);
    write_close(w, '}');
    write_close(w, '}');
}

/* A token's bytes as text: what is no whole character becomes U+FFFD. */
static struct str bytes_as_text(struct str s, struct buf *text)
{
    buf_clear(text);
    utf8_repair(s, text);
    return (struct str){text->n_bytes ? text->bytes : "", text->n_bytes};
}

void write_reply_token(struct writer *w, struct str bytes, float logprob)
{
    write_key(w, "token");
    write_bytes(w, bytes);
    write_key(w, "logprob");
    write_float(w, logprob);
    write_key(w, "bytes");
    write_open(w, '[');
    for (size_t i = 0; i < bytes.len; i++)
        write_int(w, (unsigned char)bytes.ptr[i]);
    write_close(w, ']');
}

void reply_token_write(struct writer *w, const struct reply_token *t)
{
    write_open(w, '{');
    write_reply_token(w, t->bytes, t->logprob);
    write_key(w, "top_logprobs");
    write_open(w, '[');
    for (uint32_t k = 0; k < t->n_top; k++) {
        write_open(w, '{');
        write_reply_token(w, t->top_bytes[k], t->top[k].logprob);
        write_close(w, '}');
    }
    write_close(w, ']');
    write_close(w, '}');
}

static void write_chat_logprobs(struct writer *w, const struct reply_choice *c)
{
    write_key(w, "logprobs");
    write_open(w, '{');
    write_key(w, "content");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++)
        reply_token_write(w, &c->tokens[i]);
    write_close(w, ']');
    write_key_word(w, "refusal", "null");
    write_close(w, '}');
}

/* {token: logprob}. Tokens that look alike, being parts of characters, are shown once. */
static void write_top_map(struct writer *w, const struct reply_token *t)
{
    struct buf text, other;
    buf_init(&text, TOKEN_BYTES_MAX);
    buf_init(&other, TOKEN_BYTES_MAX);
    write_open(w, '{');
    for (uint32_t k = 0; k < t->n_top; k++) {
        struct str name = bytes_as_text(t->top_bytes[k], &text);
        bool seen = false;
        for (uint32_t j = 0; j < k && !seen; j++)
            seen = str_eq(name, bytes_as_text(t->top_bytes[j], &other));
        if (seen)
            continue;
        write_name(w, name);
        write_float(w, t->top[k].logprob);
    }
    write_close(w, '}');
    buf_release(&text);
    buf_release(&other);
}

/* Completions have parallel arrays instead. */
static void write_text_logprobs(struct writer *w, const struct reply_choice *c)
{
    uint32_t offset = c->text_offset;
    write_key(w, "logprobs");
    write_open(w, '{');
    write_key(w, "tokens");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++)
        write_bytes(w, c->tokens[i].bytes);
    write_close(w, ']');
    write_key(w, "token_logprobs");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++)
        write_float(w, c->tokens[i].logprob);
    write_close(w, ']');
    write_key(w, "top_logprobs");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++) {
        if (c->tokens[i].logprob != c->tokens[i].logprob) /* the first token: nothing before it */
            write_word(w, "null");
        else
            write_top_map(w, &c->tokens[i]);
    }
    write_close(w, ']');
    write_key(w, "text_offset");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++) {
        write_int(w, offset);
        offset += (uint32_t)c->tokens[i].bytes.len;
    }
    write_close(w, ']');
    write_close(w, '}');
}

static bool has_part(const struct reply_choice *c, enum part_kind kind)
{
    for (size_t i = 0; i < c->n_parts; i++)
        if (c->parts[i].kind == kind)
            return true;
    return false;
}

void write_parts(struct writer *w, const struct reply_choice *c, enum part_kind kind)
{
    struct buf text;
    buf_init(&text, (size_t)1 << 30);
    for (size_t i = 0; i < c->n_parts; i++)
        if (c->parts[i].kind == kind)
            buf_add(&text, part_text(&c->parts[i]).ptr, part_text(&c->parts[i]).len);
    w->out->failed |= text.failed;
    write_text(w, (struct str){text.n_bytes ? text.bytes : "", text.n_bytes});
    buf_release(&text);
}

static void write_key_parts(struct writer *w, const char *key, const struct reply_choice *c,
                            enum part_kind kind)
{
    write_key(w, key);
    write_parts(w, c, kind);
}

/* In pieces, a call's first one says what it is and each says which it continues. */
static void write_calls(struct writer *w, const struct reply_choice *c, bool whole)
{
    write_key(w, "tool_calls");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_parts; i++) {
        const struct part *p = &c->parts[i];
        if (p->kind != PART_CALL)
            continue;
        write_open(w, '{');
        if (!whole)
            write_key_int(w, "index", (int64_t)p->i_call);
        if (!p->said) {
            write_key_text(w, "id", str_from(p->id));
            write_key_text(w, "type", STR("function"));
        }
        write_key(w, "function");
        write_open(w, '{');
        if (!p->said)
            write_key_text(w, "name", part_name(p));
        write_key_text(w, "arguments", part_text(p));
        write_close(w, '}');
        write_close(w, '}');
    }
    write_close(w, ']');
}

static void write_message(struct writer *w, const struct reply_choice *c, bool whole)
{
    bool text = has_part(c, PART_TEXT), calls = has_part(c, PART_CALL);
    write_open(w, '{');
    if (whole || c->is_first)
        write_key_text(w, "role", STR("assistant"));
    if (has_part(c, PART_REASONING))
        write_key_parts(w, "reasoning_content", c, PART_REASONING);
    if (whole && calls && !text)
        write_key_word(w, "content", "null");
    else if (whole || c->is_first || text)
        write_key_parts(w, "content", c, PART_TEXT);
    if (calls)
        write_calls(w, c, whole);
    if (whole)
        write_key_word(w, "refusal", "null");
    write_close(w, '}');
}

static const char *const finish_words[] = {
    [REPLY_STOP] = "stop",
    [REPLY_STOP_TEXT] = "stop",
    [REPLY_LENGTH] = "length",
    [REPLY_CALLS] = "tool_calls",
};

static void write_choice(struct writer *w, const struct reply_head *h, const struct reply_choice *c,
                         bool whole)
{
    const struct api_generate *r = h->request;
    write_open(w, '{');
    write_key_int(w, "index", c->index);
    if (is_chat(h)) {
        write_key(w, whole ? "message" : "delta");
        write_message(w, c, whole);
    } else {
        write_key_parts(w, "text", c, PART_TEXT);
    }
    if (!r->logprobs)
        write_key_word(w, "logprobs", "null");
    else if (is_chat(h))
        write_chat_logprobs(w, c);
    else
        write_text_logprobs(w, c);
    if (!is_chat(h) && r->n_prompt_top >= 0)
        write_prompt_logprobs(w, c);
    if (r->return_token_ids) {
        write_key(w, "token_ids");
        write_open(w, '[');
        for (size_t i = 0; i < c->n_tokens; i++)
            write_int(w, c->tokens[i].id);
        write_close(w, ']');
    }
    write_key(w, "finish_reason");
    if (c->finish)
        write_text(w, str_from(finish_words[c->finish]));
    else
        write_word(w, "null");
    write_close(w, '}');
}

static void write_whole(struct buf *out, const struct reply_head *h,
                        const struct reply_choice *choices, size_t n_choices,
                        const struct reply_usage *usage)
{
    struct writer w;
    write_begin(&w, out);
    write_head(&w, h, true);
    write_key(&w, "choices");
    write_open(&w, '[');
    for (size_t i = 0; i < n_choices; i++)
        write_choice(&w, h, &choices[i], true);
    write_close(&w, ']');
    write_usage(&w, usage);
    if (is_chat(h) && h->request->n_prompt_top >= 0 && n_choices > 0)
        write_prompt_logprobs(&w, &choices[0]);
    write_close(&w, '}');
}

/* c: NULL: no choices; usage: NULL: none, but null where it will come. */
static void write_piece(struct buf *out, const struct reply_head *h, const struct reply_choice *c,
                        const struct reply_usage *usage)
{
    struct buf json;
    struct writer w;
    buf_init(&json, (size_t)1 << 30);
    write_begin(&w, &json);
    write_head(&w, h, false);
    write_key(&w, "choices");
    write_open(&w, '[');
    if (c)
        write_choice(&w, h, c, false);
    write_close(&w, ']');
    if (usage)
        write_usage(&w, usage);
    else if (h->request->include_usage)
        write_key_word(&w, "usage", "null");
    write_close(&w, '}');
    CHECK(!json.failed);
    write_event(out, &json);
    buf_release(&json);
}

static void piece(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_choice *c)
{
    (void)state;
    write_piece(out, h, c, NULL);
}

/* llama-server's field, in a piece of which nothing else is new. */
static void progress(struct buf *out, void *state, const struct reply_head *h,
                     const struct reply_progress *p)
{
    (void)state;
    struct buf json;
    struct writer w;
    buf_init(&json, 1 << 16);
    write_begin(&w, &json);
    write_head(&w, h, false);
    write_key(&w, "choices");
    write_open(&w, '[');
    write_choice(&w, h, &(struct reply_choice){0}, false);
    write_close(&w, ']');
    write_key(&w, "prompt_progress");
    write_open(&w, '{');
    write_key_int(&w, "total", p->n_total);
    write_key_int(&w, "cache", p->n_cached);
    write_key_int(&w, "processed", p->n_read);
    write_key_int(&w, "time_ms", (int64_t)(p->ns / 1000000));
    write_close(&w, '}');
    write_close(&w, '}');
    CHECK(!json.failed);
    write_event(out, &json);
    buf_release(&json);
}

void reply_receipts(struct writer *w, const struct reply_head *h)
{
    const char here[] = {DIALECT_RECEIPTS_HERE, 0};
    if (h->receipts)
        write_key_word(w, "receipts", here);
}

/* A chunk without choices, as that of the usage is. */
static void write_receipts(struct buf *out, const struct reply_head *h)
{
    struct buf json;
    struct writer w;
    buf_init(&json, 1 << 16);
    write_begin(&w, &json);
    write_head(&w, h, false);
    write_key(&w, "choices");
    write_open(&w, '[');
    write_close(&w, ']');
    reply_receipts(&w, h);
    write_close(&w, '}');
    CHECK(!json.failed);
    write_event(out, &json);
    buf_release(&json);
}

static void end(struct buf *out, void *state, const struct reply_head *h,
                const struct reply_usage *usage)
{
    (void)state;
    if (h->request->include_usage)
        write_piece(out, h, NULL, usage);
    if (h->receipts)
        write_receipts(out, h);
    buf_str(out, "data: [DONE]\n\n");
}

static void broken(struct buf *out, const struct api_error *e)
{
    struct buf json;
    buf_init(&json, 1 << 16);
    reply_error(&json, e);
    write_event(out, &json);
    buf_release(&json);
}

const struct dialect dialect_chat = {
    .path = "/v1/chat/completions",
    .id_prefix = "chatcmpl-",
    .stream_type = "text/event-stream",
    .parse = api_chat_parse,
    .whole = write_whole,
    .progress = progress,
    .piece = piece,
    .end = end,
    .broken = broken,
};

const struct dialect dialect_completion = {
    .path = "/v1/completions",
    .id_prefix = "cmpl-",
    .stream_type = "text/event-stream",
    .parse = api_completion_parse,
    .whole = write_whole,
    .progress = progress,
    .piece = piece,
    .end = end,
    .broken = broken,
};

const char *reply_error_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 429:
        return "rate_limit_error";
    default:
        return status < 500 ? "invalid_request_error" : "server_error";
    }
}

void reply_error(struct buf *out, const struct api_error *e)
{
    struct writer w;
    CHECK(e->status >= 400);
    write_begin(&w, out);
    write_open(&w, '{');
    write_key(&w, "error");
    write_open(&w, '{');
    write_key_text(&w, "message", str_from(e->message));
    write_key_text(&w, "type", str_from(reply_error_type(e->status)));
    write_key(&w, "param");
    if (e->field[0])
        write_text(&w, str_from(e->field));
    else
        write_word(&w, "null");
    write_key(&w, "code");
    if (e->code)
        write_text(&w, str_from(e->code));
    else
        write_word(&w, "null");
    write_close(&w, '}');
    write_close(&w, '}');
}
