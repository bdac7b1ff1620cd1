/* responses_reply.c - answers of /v1/responses, whole and as events.
 *
 * Each part of an answer is one item of output: reasoning, a message, a call. A stream opens one
 * item at a time and numbers its events; its last event holds the whole answer, so the state
 * gathers the parts. Tokens with their probabilities belong to the first message; what the model
 * wrote before it (reasoning) counts as that message's, too. */
#include "api/responses.h"

#include "base/check.h"

enum { TEXT_BYTES_MAX = 1 << 30, ITEM_ID_BYTES = 64 };

struct state {
    struct parts parts; /* all so far, each an item */
    struct buf tokens;  /* JSON of those of the first message */
    size_t n_tokens_said;
    int64_t sequence;
    bool open; /* the last item */
    enum reply_finish finish;
};

static const struct json_t *asked(const struct reply_head *h, const char *field)
{
    const struct json_t *v = json_object_get(h->request->root, field);
    return v && !json_is_null(v) ? v : NULL;
}

/* A field of the request, given back, or what it is when absent. */
static void write_asked(struct writer *w, const struct reply_head *h, const char *field,
                        const char *absent)
{
    const struct json_t *v = asked(h, field);
    write_key(w, field);
    if (v)
        write_value(w, v);
    else
        write_word(w, absent);
}

/* ---- items -------------------------------------------------------------------------------- */

static void make_item_id(char out[ITEM_ID_BYTES], const struct reply_head *h,
                         const struct part *p, size_t i)
{
    static const char *const prefixes[] = {
        [PART_TEXT] = "msg", [PART_REASONING] = "rs", [PART_CALL] = "fc"};
    const char *own = strchr(h->id, '_');
    snprintf(out, ITEM_ID_BYTES, "%s_%.40s_%zu", prefixes[p->kind], own ? own + 1 : h->id, i);
}

static void write_text_part(struct writer *w, const char *type, struct str text, struct str tokens)
{
    bool is_output = strcmp(type, "output_text") == 0;
    write_open(w, '{');
    write_key_text(w, "type", str_from(type));
    write_key_text(w, "text", text);
    if (is_output) {
        write_key(w, "annotations");
        write_open(w, '[');
        write_close(w, ']');
        write_key(w, "logprobs");
        write_open(w, '[');
        buf_add(w->out, tokens.ptr, tokens.len);
        write_close(w, ']');
    }
    write_close(w, '}');
}

/* with_text: false as a stream begins it. */
static void write_item(struct writer *w, const struct reply_head *h, const struct part *p,
                       size_t i, const char *status, bool with_text, struct str tokens)
{
    char id[ITEM_ID_BYTES];
    make_item_id(id, h, p, i);
    write_open(w, '{');
    write_key_text(w, "id", str_from(id));
    switch (p->kind) {
    case PART_TEXT:
        write_key_text(w, "type", STR("message"));
        write_key_text(w, "role", STR("assistant"));
        break;
    case PART_REASONING:
        write_key_text(w, "type", STR("reasoning"));
        write_key_word(w, "summary", "[]");
        break;
    case PART_CALL:
        write_key_text(w, "type", STR("function_call"));
        write_key_text(w, "call_id", str_from(p->id));
        write_key_text(w, "name", part_name(p));
        write_key_text(w, "arguments", with_text ? part_text(p) : STR(""));
        break;
    }
    write_key_text(w, "status", str_from(status));
    if (p->kind != PART_CALL) {
        write_key(w, "content");
        write_open(w, '[');
        if (with_text)
            write_text_part(w, p->kind == PART_TEXT ? "output_text" : "reasoning_text",
                            part_text(p), tokens);
        write_close(w, ']');
    }
    write_close(w, '}');
}

/* ---- the response ------------------------------------------------------------------------- */

static const char *status_of(enum reply_finish finish)
{
    if (finish == REPLY_GOES_ON)
        return "in_progress";
    return finish == REPLY_LENGTH ? "incomplete" : "completed";
}

static void write_usage(struct writer *w, const struct reply_usage *u)
{
    write_key(w, "usage");
    if (!u) {
        write_word(w, "null");
        return;
    }
    write_open(w, '{');
    write_key_int(w, "input_tokens", u->n_prompt);
    write_key(w, "input_tokens_details");
    write_open(w, '{');
    write_key_int(w, "cached_tokens", u->n_cached);
    write_key_int(w, "cache_write_tokens", 0);
    write_close(w, '}');
    write_key_int(w, "output_tokens", u->n_answer);
    write_key(w, "output_tokens_details");
    write_open(w, '{');
    write_key_int(w, "reasoning_tokens", u->n_reasoning);
    write_close(w, '}');
    write_key_int(w, "total_tokens", (int64_t)u->n_prompt + u->n_answer);
    write_close(w, '}');
}

static void write_output(struct writer *w, const struct reply_head *h, const struct part *parts,
                         size_t n_parts, enum reply_finish finish, struct str tokens)
{
    bool told = false;
    write_key(w, "output");
    write_open(w, '[');
    for (size_t i = 0; i < n_parts; i++) {
        bool first = parts[i].kind == PART_TEXT && !told;
        const char *status = i + 1 < n_parts ? "completed" : status_of(finish);
        write_item(w, h, &parts[i], i, status, true, first ? tokens : STR(""));
        told = told || first;
    }
    write_close(w, ']');
}

/* What was asked, given back. */
static void write_request(struct writer *w, const struct reply_head *h)
{
    const struct json_t *previous = json_object_get(asked(h, "previous"), "id");
    write_asked(w, h, "instructions", "null");
    write_asked(w, h, "max_output_tokens", "null");
    write_asked(w, h, "max_tool_calls", "null");
    write_key_text(w, "model", h->model);
    write_asked(w, h, "parallel_tool_calls", "true");
    write_key(w, "previous_response_id");
    if (previous)
        write_value(w, previous);
    else
        write_word(w, "null");
    write_asked(w, h, "prompt_cache_key", "null");
    write_asked(w, h, "reasoning", "{\"effort\":null,\"summary\":null}");
    write_asked(w, h, "safety_identifier", "null");
    write_key_text(w, "service_tier", STR("default"));
    write_asked(w, h, "store", "true");
    write_asked(w, h, "temperature", "1.0");
    write_asked(w, h, "text", "{\"format\":{\"type\":\"text\"}}");
    write_asked(w, h, "tool_choice", "\"auto\"");
    write_asked(w, h, "tools", "[]");
    write_asked(w, h, "top_logprobs", "0");
    write_asked(w, h, "top_p", "1.0");
    write_key_text(w, "truncation", STR("disabled"));
    write_asked(w, h, "user", "null");
    write_asked(w, h, "metadata", "{}");
}

/* usage: NULL: not known yet. */
static void write_response(struct writer *w, const struct reply_head *h, const struct part *parts,
                           size_t n_parts, enum reply_finish finish, struct str tokens,
                           const struct reply_usage *usage)
{
    write_open(w, '{');
    write_key_text(w, "id", str_from(h->id));
    write_key_text(w, "object", STR("response"));
    write_key_int(w, "created_at", h->created_s);
    write_key_text(w, "status", str_from(status_of(finish)));
    write_key_word(w, "background", "false");
    write_key_word(w, "error", "null");
    write_key_word(w, "incomplete_details",
                   finish == REPLY_LENGTH ? "{\"reason\":\"max_output_tokens\"}" : "null");
    write_output(w, h, parts, n_parts, finish, tokens);
    write_request(w, h);
    write_usage(w, usage);
    write_close(w, '}');
}

static void add_tokens(struct buf *out, const struct reply_token *tokens, size_t n)
{
    struct writer w;
    write_begin(&w, out);
    w.comma = out->n_bytes > 0;
    for (size_t i = 0; i < n; i++)
        reply_token_write(&w, &tokens[i]);
}

static struct str bytes_of(const struct buf *b)
{
    return (struct str){b->n_bytes ? b->bytes : "", b->n_bytes};
}

static void whole(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                  size_t n_choices, const struct reply_usage *usage)
{
    struct writer w;
    struct buf tokens;
    CHECK(n_choices == 1);
    buf_init(&tokens, TEXT_BYTES_MAX);
    if (h->request->logprobs)
        add_tokens(&tokens, choices->tokens, choices->n_tokens);
    write_begin(&w, out);
    write_response(&w, h, choices->parts, choices->n_parts, choices->finish, bytes_of(&tokens),
                   usage);
    out->failed = out->failed || tokens.failed;
    buf_release(&tokens);
}

/* ---- events ------------------------------------------------------------------------------- */

struct event {
    struct buf json;
    struct writer w;
    const char *type;
};

static void event_begin(struct event *v, struct state *s, const char *type)
{
    buf_init(&v->json, TEXT_BYTES_MAX);
    write_begin(&v->w, &v->json);
    v->type = type;
    write_open(&v->w, '{');
    write_key_text(&v->w, "type", str_from(type));
    write_key_int(&v->w, "sequence_number", s->sequence++);
}

static void event_end(struct event *v, struct buf *out)
{
    write_close(&v->w, '}');
    CHECK(!v->json.failed);
    write_named_event(out, v->type, &v->json);
    buf_release(&v->json);
}

/* An event about the content of the last item. */
static void event_of_item(struct event *v, struct state *s, const struct reply_head *h,
                          const char *type)
{
    char id[ITEM_ID_BYTES];
    size_t i = s->parts.n - 1;
    make_item_id(id, h, &s->parts.items[i], i);
    event_begin(v, s, type);
    write_key_text(&v->w, "item_id", str_from(id));
    write_key_int(&v->w, "output_index", (int64_t)i);
    if (s->parts.items[i].kind != PART_CALL)
        write_key_int(&v->w, "content_index", 0);
}

static void add_response(struct buf *out, struct state *s, const struct reply_head *h,
                         const char *type, const struct reply_usage *usage)
{
    struct event v;
    event_begin(&v, s, type);
    write_key(&v.w, "response");
    write_response(&v.w, h, s->parts.items, s->parts.n, s->finish, bytes_of(&s->tokens), usage);
    reply_receipts(&v.w, h);
    event_end(&v, out);
}

static void begin(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_usage *usage)
{
    struct state *s = state;
    (void)usage;
    parts_init(&s->parts);
    buf_init(&s->tokens, TEXT_BYTES_MAX);
    add_response(out, s, h, "response.created", NULL);
    add_response(out, s, h, "response.in_progress", NULL);
}

static struct str tokens_of_last(const struct state *s)
{
    for (size_t i = 0; i + 1 < s->parts.n; i++)
        if (s->parts.items[i].kind == PART_TEXT)
            return STR("");
    return bytes_of(&s->tokens);
}

static void add_item_event(struct buf *out, struct state *s, const struct reply_head *h,
                           const char *type, const char *status, bool with_text)
{
    struct event v;
    size_t i = s->parts.n - 1;
    event_begin(&v, s, type);
    write_key_int(&v.w, "output_index", (int64_t)i);
    write_key(&v.w, "item");
    write_item(&v.w, h, &s->parts.items[i], i, status, with_text, tokens_of_last(s));
    event_end(&v, out);
}

static void add_part_event(struct buf *out, struct state *s, const struct reply_head *h,
                           const char *type, bool with_text)
{
    struct event v;
    const struct part *p = &s->parts.items[s->parts.n - 1];
    event_of_item(&v, s, h, type);
    write_key(&v.w, "part");
    write_text_part(&v.w, p->kind == PART_TEXT ? "output_text" : "reasoning_text",
                    with_text ? part_text(p) : STR(""), with_text ? tokens_of_last(s) : STR(""));
    event_end(&v, out);
}

static void close_item(struct buf *out, struct state *s, const struct reply_head *h,
                       const char *status)
{
    struct event v;
    if (!s->open)
        return;
    const struct part *p = &s->parts.items[s->parts.n - 1];
    if (p->kind == PART_CALL) {
        event_of_item(&v, s, h, "response.function_call_arguments.done");
        write_key_text(&v.w, "name", part_name(p));
        write_key_text(&v.w, "arguments", part_text(p));
        event_end(&v, out);
    } else {
        event_of_item(&v, s, h, p->kind == PART_TEXT ? "response.output_text.done"
                                                     : "response.reasoning_text.done");
        write_key_text(&v.w, "text", part_text(p));
        if (p->kind == PART_TEXT) {
            struct str tokens = tokens_of_last(s);
            write_key(&v.w, "logprobs");
            write_open(&v.w, '[');
            buf_add(&v.json, tokens.ptr, tokens.len);
            write_close(&v.w, ']');
        }
        event_end(&v, out);
        add_part_event(out, s, h, "response.content_part.done", true);
    }
    add_item_event(out, s, h, "response.output_item.done", status, true);
    s->open = false;
}

/* The tokens that were not said yet, as one array. */
static void write_new_tokens(struct event *v, struct state *s)
{
    struct str all = tokens_of_last(s);
    size_t from = s->n_tokens_said && s->n_tokens_said < all.len ? s->n_tokens_said + 1
                                                                 : s->n_tokens_said;
    write_key(&v->w, "logprobs");
    write_open(&v->w, '[');
    if (from < all.len)
        buf_add(&v->json, all.ptr + from, all.len - from);
    write_close(&v->w, ']');
    if (all.len)
        s->n_tokens_said = all.len;
}

static void add_delta(struct buf *out, struct state *s, const struct reply_head *h,
                      const struct part *p)
{
    static const char *const types[] = {
        [PART_TEXT] = "response.output_text.delta",
        [PART_REASONING] = "response.reasoning_text.delta",
        [PART_CALL] = "response.function_call_arguments.delta",
    };
    struct event v;
    if (part_text(p).len == 0)
        return;
    event_of_item(&v, s, h, types[p->kind]);
    write_key_text(&v.w, "delta", part_text(p));
    if (p->kind == PART_TEXT)
        write_new_tokens(&v, s);
    event_end(&v, out);
}

static void open_item(struct buf *out, struct state *s, const struct reply_head *h,
                      const struct part *p)
{
    close_item(out, s, h, "completed");
    if (p->kind == PART_CALL)
        parts_call(&s->parts, str_from(p->id), part_name(p));
    else
        parts_text(&s->parts, p->kind, part_text(p));
    add_item_event(out, s, h, "response.output_item.added", "in_progress", false);
    if (p->kind != PART_CALL)
        add_part_event(out, s, h, "response.content_part.added", false);
    s->open = true;
}

static void piece(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_choice *c)
{
    struct state *s = state;
    if (h->request->logprobs)
        add_tokens(&s->tokens, c->tokens, c->n_tokens);
    for (size_t i = 0; i < c->n_parts; i++) {
        const struct part *p = &c->parts[i];
        if (!p->said)
            open_item(out, s, h, p);
        if (p->kind == PART_CALL)
            parts_arguments(&s->parts, part_text(p));
        else if (p->said)
            parts_text(&s->parts, p->kind, part_text(p));
        add_delta(out, s, h, p);
    }
    if (c->finish)
        s->finish = c->finish;
}

static void end(struct buf *out, void *state, const struct reply_head *h,
                const struct reply_usage *usage)
{
    struct state *s = state;
    close_item(out, s, h, status_of(s->finish));
    add_response(out, s, h,
                 s->finish == REPLY_LENGTH ? "response.incomplete" : "response.completed", usage);
}

static void release(void *state)
{
    struct state *s = state;
    parts_release(&s->parts);
    buf_release(&s->tokens);
}

/* Who says this need not know how many events there were: it has no number of its own. */
static void broken(struct buf *out, const struct api_error *e)
{
    struct buf json;
    struct writer w;
    buf_init(&json, 1 << 16);
    write_begin(&w, &json);
    write_open(&w, '{');
    write_key_text(&w, "type", STR("error"));
    write_key_int(&w, "sequence_number", 0);
    write_key_text(&w, "code", str_from(e->code ? e->code : "server_error"));
    write_key_text(&w, "message", str_from(e->message));
    write_key_word(&w, "param", "null");
    write_close(&w, '}');
    write_named_event(out, "error", &json);
    buf_release(&json);
}

const struct dialect dialect_responses = {
    .path = "/v1/responses",
    .id_prefix = "resp_",
    .stream_type = "text/event-stream",
    .n_state_bytes = sizeof(struct state),
    .parse = responses_parse,
    .whole = whole,
    .begin = begin,
    .piece = piece,
    .end = end,
    .release = release,
    .broken = broken,
};
