/* ollama_reply.c - answers as Ollama says them: objects, one a line. */
#include <stdio.h>
#include <time.h>

#include "api/ollama.h"
#include "base/check.h"

#define TAG ":latest"

bool ollama_is_path(struct str path)
{
    struct str root = STR("/api/");
    return str_starts(path, root);
}

void ollama_write_name(struct writer *w, const char *key, struct str name)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_add(&text, name.ptr, name.len);
    if (!memchr(name.ptr, ':', name.len))
        buf_str(&text, TAG);
    write_key(w, key);
    write_bytes(w, (struct str){text.bytes, text.n_bytes});
    buf_release(&text);
}

void ollama_write_details(struct writer *w, const char *arch, uint64_t n_params, const char *quant)
{
    char size[32];
    if (n_params >= 1000000000)
        snprintf(size, sizeof size, "%.1fB", (double)n_params / 1e9);
    else
        snprintf(size, sizeof size, "%.2fM", (double)n_params / 1e6);
    write_open(w, '{');
    write_key_text(w, "parent_model", STR(""));
    write_key_text(w, "format", STR("gguf"));
    write_key_text(w, "family", str_from(arch));
    write_key(w, "families");
    write_open(w, '[');
    write_text(w, str_from(arch));
    write_close(w, ']');
    write_key_text(w, "parameter_size", str_from(size));
    write_key_text(w, "quantization_level", str_from(quant));
    write_close(w, '}');
}

struct str ollama_bare_name(struct str name)
{
    struct str tag = STR(TAG);
    return str_ends(name, tag) ? str_sub(name, 0, name.len - tag.len) : name;
}

static void write_time(struct writer *w, const char *key, int64_t since_1970_s)
{
    char text[32];
    time_t t = (time_t)since_1970_s;
    struct tm utc;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    write_key_text(w, key, str_from(text));
}

static void write_logprobs(struct writer *w, const struct reply_choice *c)
{
    write_key(w, "logprobs");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_tokens; i++) {
        const struct reply_token *t = &c->tokens[i];
        write_open(w, '{');
        write_reply_token(w, t->bytes, t->logprob);
        if (t->n_top > 0) {
            write_key(w, "top_logprobs");
            write_open(w, '[');
            for (uint32_t k = 0; k < t->n_top; k++) {
                write_open(w, '{');
                write_reply_token(w, t->top_bytes[k], t->top[k].logprob);
                write_close(w, '}');
            }
            write_close(w, ']');
        }
        write_close(w, '}');
    }
    write_close(w, ']');
}

static bool has(const struct reply_choice *c, enum part_kind kind)
{
    for (size_t i = 0; i < c->n_parts; i++)
        if (c->parts[i].kind == kind)
            return true;
    return false;
}

/* Arguments are an object here, not its text. */
static void write_calls(struct writer *w, const struct reply_choice *c)
{
    write_key(w, "tool_calls");
    write_open(w, '[');
    for (size_t i = 0; i < c->n_parts; i++) {
        const struct part *p = &c->parts[i];
        if (p->kind != PART_CALL)
            continue;
        json_t *arguments = json_loadb(part_text(p).ptr, part_text(p).len, 0, NULL);
        write_open(w, '{');
        write_key(w, "function");
        write_open(w, '{');
        write_key_int(w, "index", (int64_t)p->i_call);
        write_key_text(w, "name", part_name(p));
        write_key(w, "arguments");
        if (json_is_object(arguments)) {
            buf_add(w->out, part_text(p).ptr, part_text(p).len);
            w->comma = true;
        } else { /* the answer was cut off within it */
            write_word(w, "{}");
        }
        write_close(w, '}');
        write_close(w, '}');
        json_decref(arguments);
    }
    write_close(w, ']');
}

static void write_context(struct writer *w, const struct reply_choice *c)
{
    write_key(w, "context");
    write_open(w, '[');
    for (size_t i = 0; i < c->usage.n_prompt; i++)
        write_int(w, c->prompt[i]);
    for (size_t i = 0; i < c->n_ids; i++)
        write_int(w, c->ids[i]);
    write_close(w, ']');
}

static void write_durations(struct writer *w, const struct reply_usage *u)
{
    write_key_int(w, "total_duration", (int64_t)(u->prompt_ns + u->answer_ns));
    write_key_int(w, "load_duration", 0);
    write_key_int(w, "prompt_eval_count", u->n_prompt);
    write_key_int(w, "prompt_eval_duration", (int64_t)u->prompt_ns);
    write_key_int(w, "eval_count", u->n_answer);
    write_key_int(w, "eval_duration", (int64_t)u->answer_ns);
}

/* c: NULL: nothing was asked for. */
static void write_text_of(struct writer *w, const struct reply_choice *c, bool is_chat)
{
    static const struct reply_choice nothing;
    c = c ? c : &nothing;
    if (is_chat) {
        write_key(w, "message");
        write_open(w, '{');
        write_key_text(w, "role", STR("assistant"));
    }
    write_key(w, is_chat ? "content" : "response");
    write_parts(w, c, PART_TEXT);
    if (has(c, PART_REASONING)) {
        write_key(w, "thinking");
        write_parts(w, c, PART_REASONING);
    }
    if (has(c, PART_CALL))
        write_calls(w, c);
    if (is_chat)
        write_close(w, '}');
}

static void write_answer(struct buf *out, const struct reply_head *h, const struct reply_choice *c,
                         bool is_chat)
{
    struct writer w;
    bool done = !c || c->finish;
    write_begin(&w, out);
    write_open(&w, '{');
    ollama_write_name(&w, "model", h->model);
    write_time(&w, "created_at", h->created_s);
    write_text_of(&w, c, is_chat);
    if (c && h->request->logprobs)
        write_logprobs(&w, c);
    write_key_word(&w, "done", done ? "true" : "false");
    if (done)
        write_key_text(&w, "done_reason", !c                          ? STR("load")
                                          : c->finish == REPLY_LENGTH ? STR("length")
                                                                      : STR("stop"));
    if (c && done && !is_chat)
        write_context(&w, c);
    if (c && done)
        write_durations(&w, &c->usage);
    if (c && done && h->request->stream) /* there is one choice: this is the last line */
        reply_receipts(&w, h);
    write_close(&w, '}');
}

static void generate_whole(struct buf *out, const struct reply_head *h,
                           const struct reply_choice *choices, size_t n_choices,
                           const struct reply_usage *usage)
{
    (void)usage;
    write_answer(out, h, n_choices ? choices : NULL, false);
}

static void chat_whole(struct buf *out, const struct reply_head *h,
                       const struct reply_choice *choices, size_t n_choices,
                       const struct reply_usage *usage)
{
    (void)usage;
    write_answer(out, h, n_choices ? choices : NULL, true);
}

static void generate_piece(struct buf *out, void *state, const struct reply_head *h,
                           const struct reply_choice *c)
{
    (void)state;
    write_answer(out, h, c, false);
    buf_char(out, '\n');
}

static void chat_piece(struct buf *out, void *state, const struct reply_head *h,
                       const struct reply_choice *c)
{
    (void)state;
    write_answer(out, h, c, true);
    buf_char(out, '\n');
}

/* The last piece was the end. */
static void end(struct buf *out, void *state, const struct reply_head *h,
                const struct reply_usage *usage)
{
    (void)out, (void)state, (void)h, (void)usage;
}

void ollama_error(struct buf *out, const struct api_error *e)
{
    struct writer w;
    CHECK(e->status >= 400);
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "error", str_from(e->message));
    write_close(&w, '}');
}

static void broken(struct buf *out, const struct api_error *e)
{
    ollama_error(out, e);
    buf_char(out, '\n');
}

const struct dialect dialect_ollama_generate = {
    .path = "/api/generate",
    .id_prefix = "gen-",
    .stream_type = "application/x-ndjson",
    .parse = api_ollama_generate_parse,
    .whole = generate_whole,
    .piece = generate_piece,
    .end = end,
    .broken = broken,
};

const struct dialect dialect_ollama_chat = {
    .path = "/api/chat",
    .id_prefix = "chat-",
    .stream_type = "application/x-ndjson",
    .parse = api_ollama_chat_parse,
    .whole = chat_whole,
    .piece = chat_piece,
    .end = end,
    .broken = broken,
};
