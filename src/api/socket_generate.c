/* socket_generate.c - the dialect of the call generate: a text completion with other defaults. */
#include "api/socket_call.h"
#include "base/check.h"

enum { TEXT_BYTES_MAX = 1 << 30 };

/* The protocol's defaults, where the call says nothing. */
static bool add_defaults(json_t *params)
{
    const struct {
        const char *name;
        json_t *value;
    } defaults[] = {
        {"max_tokens", json_integer(100)},
        {"temperature", json_real(0.7)},
        {"top_p", json_real(0.9)},
    };
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        const json_t *given = json_object_get(params, defaults[i].name);
        if (given && !json_is_null(given))
            json_decref(defaults[i].value);
        else
            ok &= json_object_set_new(params, defaults[i].name, defaults[i].value) == 0;
    }
    return ok;
}

static bool parse(struct str body, struct api_generate *r, struct api_error *e)
{
    json_t *params = api_parse(body, e);
    *r = (struct api_generate){0};
    if (!params)
        return false;
    bool is_text = json_is_string(json_object_get(params, "prompt"));
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    bool ok = (add_defaults(params) && api_dump(params, &text)) ||
              api_fail(e, 500, NULL, "out of memory for a call");
    ok = ok && api_completion_parse((struct str){text.bytes, text.n_bytes}, r, e);
    json_decref(params);
    buf_release(&text);
    if (!ok)
        return false;
    if (!is_text)
        return api_fail(e, 400, "prompt", "prompt must be a text");
    if (r->n != 1)
        return api_fail(e, 400, "n", "a call has one answer");
    return true;
}

static void write_usage(struct writer *w, const struct reply_usage *u)
{
    write_key_int(w, "tokens_generated", u->n_answer);
    write_key_int(w, "prompt_tokens", u->n_prompt);
    write_key_int(w, "time_ms", (int64_t)((u->prompt_ns + u->answer_ns) / 1000000));
}

static const char *finish_word(enum reply_finish finish)
{
    return finish == REPLY_LENGTH ? "length" : "stop";
}

static void whole(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                  size_t n_choices, const struct reply_usage *usage)
{
    struct writer w;
    (void)n_choices;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key(&w, "text");
    write_parts(&w, choices, PART_TEXT);
    write_usage(&w, usage);
    write_key_text(&w, "finish_reason", str_from(finish_word(choices->finish)));
    write_key_text(&w, "model", h->model);
    write_close(&w, '}');
}

/* What a stream remembers. */
struct state {
    uint32_t n_pieces;
    enum reply_finish finish;
};

/* Reading the prompt: a piece without text. */
static void progress(struct buf *out, void *state, const struct reply_head *h,
                     const struct reply_progress *p)
{
    struct writer w;
    (void)state, (void)h;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "text", STR(""));
    write_key(&w, "prompt_progress");
    write_open(&w, '{');
    write_key_int(&w, "total", p->n_total);
    write_key_int(&w, "cache", p->n_cached);
    write_key_int(&w, "processed", p->n_read);
    write_key_int(&w, "time_ms", (int64_t)(p->ns / 1000000));
    write_close(&w, '}');
    write_key_word(&w, "is_final", "false");
    write_close(&w, '}');
    buf_char(out, '\n');
}

static void piece(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_choice *c)
{
    struct state *s = state;
    struct writer w;
    (void)h;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key(&w, "text");
    write_parts(&w, c, PART_TEXT);
    write_key_int(&w, "index", s->n_pieces++);
    if (c->n_tokens == 1 && h->request->logprobs) {
        write_key(&w, "logprob");
        write_float(&w, c->tokens[0].logprob);
    }
    write_key_word(&w, "is_final", c->finish != REPLY_GOES_ON ? "true" : "false");
    write_close(&w, '}');
    buf_char(out, '\n');
    s->finish = c->finish;
}

static void end(struct buf *out, void *state, const struct reply_head *h,
                const struct reply_usage *usage)
{
    const struct state *s = state;
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key(&w, "result");
    write_open(&w, '{');
    write_usage(&w, usage);
    write_key_text(&w, "finish_reason", str_from(finish_word(s->finish)));
    write_key_text(&w, "model", h->model);
    reply_receipts(&w, h);
    write_close(&w, '}');
    write_close(&w, '}');
    buf_char(out, '\n');
}

static void broken(struct buf *out, const struct api_error *e)
{
    buf_str(out, "{\"error\":");
    socket_error(out, e);
    buf_str(out, "}\n");
}

const struct dialect dialect_socket = {
    .path = SOCKET_GENERATE_PATH,
    .id_prefix = "call",
    .stream_type = "application/x-ndjson",
    .n_state_bytes = sizeof(struct state),
    .parse = parse,
    .whole = whole,
    .progress = progress,
    .piece = piece,
    .end = end,
    .broken = broken,
};
