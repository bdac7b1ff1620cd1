/* reply.c - OpenAI's answers as JSON. */
#include "api/reply.h"

#include "base/check.h"

enum { TOKEN_BYTES_MAX = 1 << 16 };

static void write_head(struct writer *w, const struct reply_head *h, bool whole)
{
    const char *object = !h->is_chat ? "text_completion"
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
    write_close(w, '}');
}

/* A token's bytes as text: what is no whole character becomes U+FFFD. */
static struct str bytes_as_text(struct str s, struct buf *text)
{
    uint32_t code_point;
    buf_clear(text);
    for (size_t i = 0; i < s.len;) {
        int n = utf8_decode(s.ptr + i, s.len - i, &code_point);
        if (n)
            buf_add(text, s.ptr + i, (size_t)n);
        else
            buf_str(text, "\xef\xbf\xbd");
        i += n ? (size_t)n : 1;
    }
    return (struct str){text->n_bytes ? text->bytes : "", text->n_bytes};
}

static void write_bytes_as_text(struct writer *w, struct str s)
{
    struct buf text;
    buf_init(&text, TOKEN_BYTES_MAX);
    write_text(w, bytes_as_text(s, &text));
    buf_release(&text);
}

static void write_token(struct writer *w, struct str bytes, float logprob)
{
    write_key(w, "token");
    write_bytes_as_text(w, bytes);
    write_key(w, "logprob");
    write_float(w, logprob);
    write_key(w, "bytes");
    write_open(w, '[');
    for (size_t i = 0; i < bytes.len; i++)
        write_int(w, (unsigned char)bytes.ptr[i]);
    write_close(w, ']');
}

static void write_chat_logprobs(struct writer *w, const struct reply_choice *c)
{
    write_key(w, "logprobs");
    write_open(w, '{');
    write_key(w, "content");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++) {
        const struct reply_token *t = &c->tokens[i];
        write_open(w, '{');
        write_token(w, t->bytes, t->logprob);
        write_key(w, "top_logprobs");
        write_open(w, '[');
        for (uint32_t k = 0; k < t->n_top; k++) {
            write_open(w, '{');
            write_token(w, t->top_bytes[k], t->top[k].logprob);
            write_close(w, '}');
        }
        write_close(w, ']');
        write_close(w, '}');
    }
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
        write_bytes_as_text(w, c->tokens[i].bytes);
    write_close(w, ']');
    write_key(w, "token_logprobs");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++)
        write_float(w, c->tokens[i].logprob);
    write_close(w, ']');
    write_key(w, "top_logprobs");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++)
        write_top_map(w, &c->tokens[i]);
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

static void write_choice(struct writer *w, const struct reply_head *h, const struct reply_choice *c,
                         bool whole)
{
    write_open(w, '{');
    write_key_int(w, "index", c->index);
    if (h->is_chat) {
        write_key(w, whole ? "message" : "delta");
        write_open(w, '{');
        if (whole || c->is_first)
            write_key_text(w, "role", STR("assistant"));
        if (whole || c->is_first || c->text.len > 0)
            write_key_text(w, "content", c->text);
        if (whole)
            write_key_word(w, "refusal", "null");
        write_close(w, '}');
    } else {
        write_key_text(w, "text", c->text);
    }
    if (!c->logprobs)
        write_key_word(w, "logprobs", "null");
    else if (h->is_chat)
        write_chat_logprobs(w, c);
    else
        write_text_logprobs(w, c);
    if (c->token_ids) {
        write_key(w, "token_ids");
        write_open(w, '[');
        for (size_t i = 0; i < c->n_tokens; i++)
            write_int(w, c->tokens[i].id);
        write_close(w, ']');
    }
    write_key(w, "finish_reason");
    if (c->finish_reason)
        write_text(w, str_from(c->finish_reason));
    else
        write_word(w, "null");
    write_close(w, '}');
}

void reply_whole(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                 size_t n_choices, const struct reply_usage *usage)
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
    write_close(&w, '}');
}

void reply_piece(struct buf *out, const struct reply_head *h, const struct reply_choice *c,
                 bool wants_usage)
{
    struct writer w;
    write_begin(&w, out);
    write_head(&w, h, false);
    write_key(&w, "choices");
    write_open(&w, '[');
    write_choice(&w, h, c, false);
    write_close(&w, ']');
    if (wants_usage)
        write_key_word(&w, "usage", "null");
    write_close(&w, '}');
}

void reply_usage_piece(struct buf *out, const struct reply_head *h, const struct reply_usage *usage)
{
    struct writer w;
    write_begin(&w, out);
    write_head(&w, h, false);
    write_key(&w, "choices");
    write_open(&w, '[');
    write_close(&w, ']');
    write_usage(&w, usage);
    write_close(&w, '}');
}

static const char *error_type(int status)
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
    write_key_text(&w, "type", str_from(error_type(e->status)));
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
