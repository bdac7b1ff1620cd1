/* completions.c - generated text: from a body to answers, from news to a dialect's words.
 *
 * States of a call: begun (its choices are with the engine) -> streaming, if asked (from when the
 * engine has taken all of them: until then it may still say that it is too busy) -> ended (END is
 * sent; freed). A call that fails before anything was sent is answered with an error; one that
 * fails later ends its stream with an error event. */
#include <inttypes.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/hash.h"
#include "base/mem.h"
#include "server/prompt.h"
#include "server/worker_int.h"
#include "text/spellings.h"

enum { TEXT_BYTES_MAX = 1 << 30, PIECE_BYTES_MAX = 1 << 20 };

static void make_id(char out[40], const char *prefix)
{
    snprintf(out, 40, "%s%016" PRIx64 "%08" PRIx32, prefix, entropy_u64(), (uint32_t)entropy_u64());
}

/* ---- release ------------------------------------------------------------------------------ */

static void free_call(struct call *c)
{
    for (uint32_t i = 0; i < c->n_choices; i++) {
        struct choice *k = &c->choices[i];
        token_list_release(&k->prompt);
        matcher_free(k->matcher);
        answer_text_release(&k->says);
        if (k->answer.maker)
            maker_release(&k->maker);
        buf_release(&k->prompt_text);
        mem_free(k->shown);
        mem_free(k->read);
        mem_free(k->forced);
        mem_free(k->ids);
        mem_free(k->failed);
    }
    shape_close(&c->shape);
    sampling_close(&c->sampling);
    api_generate_release(&c->api);
    mem_free(c->choices);
    mem_free(c->receipt.request);
    if (c->stream_state && c->dialect->release)
        c->dialect->release(c->stream_state);
    mem_free(c->stream_state);
    if (c->link) {
        *c->link = c->next;
        if (c->next)
            c->next->link = c->link;
    }
    mem_free(c);
}

void completions_release(struct worker *w)
{
    while (w->calls)
        free_call(w->calls);
}

/* ---- answers out -------------------------------------------------------------------------- */

static struct reply_head head_of(const struct call *c)
{
    return (struct reply_head){.id = c->answer_id,
                               .created_s = c->created_s,
                               .model = str_from(c->worker->options.name),
                               .fingerprint = c->worker->fingerprint,
                               .request = &c->api,
                               .receipts = c->receipt.wanted && c->api.receipt &&
                                           c->n_finished == c->n_choices};
}

/* The call's times, one choice's tokens. */
static struct reply_usage usage_of_choice(const struct choice *k)
{
    uint64_t now_ns = clock_ns(), first_ns = k->call->first_ns ? k->call->first_ns : now_ns;
    return (struct reply_usage){.n_prompt = (uint32_t)k->prompt.n_ids,
                                .n_answer = k->n_tokens,
                                .n_reasoning = k->n_reasoning,
                                .n_cached = k->n_cached,
                                .prompt_ns = first_ns - k->call->begin_ns,
                                .answer_ns = now_ns - first_ns};
}

static struct reply_usage usage_of(const struct call *c)
{
    struct reply_usage u = {0};
    uint64_t now_ns = clock_ns(), first_ns = c->first_ns ? c->first_ns : now_ns;
    u.prompt_ns = first_ns - c->begin_ns;
    u.answer_ns = now_ns - first_ns;
    for (uint32_t i = 0; i < c->n_choices; i++) {
        u.n_answer += c->choices[i].n_tokens;
        u.n_reasoning += c->choices[i].n_reasoning;
        if (i % c->api.n == 0) { /* choices of one prompt share it */
            u.n_prompt += (uint32_t)c->choices[i].prompt.n_ids;
            u.n_cached += c->choices[i].n_cached;
        }
    }
    return u;
}

/* The bytes that a token spells, kept in spelled. */
static struct str spell(const struct call *c, int32_t id, struct buf *spelled)
{
    const struct tokenizer *t = c->worker->speech.tokenizer;
    struct err_note note;
    buf_clear(spelled);
    if (is_enforced(c)) /* validators compare ids */
        buf_printf(spelled, "%d", id);
    else if ((size_t)id < tokenizer_n_tokens(t)) /* vocabularies are padded: others spell nothing */
        tokenizer_decode(t, &id, 1, DECODE_SPECIAL | DECODE_CONTINUE, spelled, &note);
    return (struct str){spelled->n_bytes ? spelled->bytes : "", spelled->n_bytes};
}

/* Tokens for the reply; all memory in arena. */
static const struct reply_token *spell_shown(const struct choice *k, const struct shown *shown,
                                             size_t n_shown, struct arena *arena)
{
    struct buf spelled;
    buf_init(&spelled, PIECE_BYTES_MAX);
    struct reply_token *tokens = arena_alloc(arena, (n_shown + 1) * sizeof tokens[0]);
    CHECK(tokens);
    for (size_t i = 0; i < n_shown; i++) {
        const struct shown *s = &shown[i];
        struct str bytes = spell(k->call, s->id, &spelled);
        tokens[i] = (struct reply_token){
            .id = s->id, .logprob = s->logprob, .n_top = s->n_top, .top = s->top, .rank = s->rank};
        tokens[i].bytes = (struct str){arena_strndup(arena, bytes.ptr, bytes.len), bytes.len};
        tokens[i].top_bytes = arena_alloc(arena, (s->n_top + 1) * sizeof(struct str));
        for (uint32_t j = 0; j < s->n_top; j++) {
            bytes = spell(k->call, s->top[j].token, &spelled);
            tokens[i].top_bytes[j] =
                (struct str){arena_strndup(arena, bytes.ptr, bytes.len), bytes.len};
        }
    }
    buf_release(&spelled);
    return tokens;
}

static struct reply_choice reply_of(const struct choice *k, struct arena *arena)
{
    const struct stops *stops = &k->says.stops;
    return (struct reply_choice){
        .index = k->index,
        .parts = k->says.parts.items,
        .n_parts = k->says.parts.n,
        .is_first = !k->said,
        .finish = k->finished ? k->finish : REPLY_GOES_ON,
        .stop_text = stops->found ? stops->items[stops->i_found] : (struct str){0},
        .tokens = spell_shown(k, k->shown, k->n_shown, arena),
        .n_tokens = k->n_shown,
        .read = spell_shown(k, k->read, k->n_read_shown, arena),
        .n_read = k->n_read_shown,
        .failed = k->failed,
        .prompt = k->prompt.ids,
        .ids = k->ids,
        .n_ids = k->n_ids,
        .usage = usage_of_choice(k),
        .text_offset = k->text_offset,
    };
}

static void send_events(struct call *c, const struct buf *events)
{
    CHECK(!events->failed);
    if (events->n_bytes > 0)
        frames_send(c->worker->frames, FRAME_DATA, c->id, STR(""),
                    (struct str){events->bytes, events->n_bytes});
}

static void begin_stream(struct call *c, struct buf *events)
{
    struct reply_head head = head_of(c);
    struct reply_usage usage = usage_of(c);
    struct str unknown = {c->api.unknown.bytes, c->api.unknown.n_bytes};
    struct reply_line line = {
        .status = 200, .n_receipts = receipts_count_of(c), .n_unknown = (uint32_t)unknown.len};
    c->streaming = true;
    frames_send(c->worker->frames, FRAME_STREAM, c->id, (struct str){(char *)&line, sizeof line},
                unknown);
    if (c->dialect->begin)
        c->dialect->begin(events, c->stream_state, &head, &usage);
}

static void add_piece(struct choice *k, const struct reply_head *head, struct buf *events)
{
    struct call *c = k->call;
    bool ends = k->finished && k->finish;
    struct parts *parts = &k->says.parts;
    struct arena arena;
    if (!ends && !parts_waiting(parts) && k->n_shown == 0)
        return;
    if (!ends && c->api.calls_whole && parts->n_calls > 0)
        return;
    arena_init(&arena, TEXT_BYTES_MAX);
    struct reply_choice piece = reply_of(k, &arena);
    c->dialect->piece(events, c->stream_state, head, &piece);
    arena_release(&arena);
    k->said = true;
    for (size_t i = 0; i < parts->n; i++)
        k->text_offset += (uint32_t)parts->items[i].text.n_bytes;
    k->n_shown = 0;
    parts_taken(parts);
    if (ends)
        k->finish = REPLY_GOES_ON; /* it is said once */
}

static void send_pieces(struct call *c)
{
    struct reply_head head = head_of(c);
    struct buf events;
    if (c->n_begun < c->n_choices)
        return;
    buf_init(&events, TEXT_BYTES_MAX);
    if (!c->streaming)
        begin_stream(c, &events);
    usage_progress(c, &head, &events);
    for (uint32_t i = 0; i < c->n_choices; i++)
        add_piece(&c->choices[i], &head, &events);
    send_events(c, &events);
    buf_release(&events);
}

static void end_stream(struct call *c)
{
    struct reply_head head = head_of(c);
    struct reply_usage usage = usage_of(c);
    struct buf events;
    buf_init(&events, TEXT_BYTES_MAX);
    c->dialect->end(&events, c->stream_state, &head, &usage);
    send_events(c, &events);
    frames_send(c->worker->frames, FRAME_END, c->id, STR(""), STR(""));
    buf_release(&events);
}

static void send_whole(struct call *c)
{
    struct reply_head head = head_of(c);
    struct reply_usage usage = usage_of(c);
    struct arena arena;
    struct buf json, with_receipts;
    arena_init(&arena, TEXT_BYTES_MAX);
    buf_init(&json, TEXT_BYTES_MAX);
    buf_init(&with_receipts, TEXT_BYTES_MAX);
    struct reply_choice *choices = arena_alloc(&arena, c->n_choices * sizeof choices[0]);
    CHECK(choices);
    for (uint32_t i = 0; i < c->n_choices; i++)
        choices[i] = reply_of(&c->choices[i], &arena);
    c->dialect->whole(&json, &head, choices, c->n_choices, &usage);
    CHECK(!json.failed);
    const struct reply_line line = {.status = 200,
                                    .n_receipts = receipts_count_of(c),
                                    .n_unknown = (uint32_t)c->api.unknown.n_bytes};
    struct str body = {json.bytes, json.n_bytes};
    if (head.receipts)
        body = receipts_place(&json, &with_receipts);
    worker_reply_line(c->worker, c->id, &line, c->api.unknown.bytes, body);
    buf_release(&with_receipts);
    buf_release(&json);
    arena_release(&arena);
}

static int status_of(enum iso_err err)
{
    switch (err) {
    case ISO_ERR_USAGE:
    case ISO_ERR_LIMIT:
    case ISO_ERR_UNSUPPORTED:
        return 400;
    case ISO_ERR_BUSY:
        return 429;
    default:
        return 500;
    }
}

/* Those that have not begun never do. */
static void leave(struct call *c)
{
    for (uint32_t i = 0; i < c->n_submitted; i++)
        atomic_store(&c->choices[i].answer.leave, ISO_FINISH_CANCELLED);
    c->n_finished += c->n_choices - c->n_submitted;
    c->n_submitted = c->n_choices;
}

/* Many prompts go to the engine little by little: a call must not fill its queue alone. */
static void submit(struct call *c)
{
    uint32_t n_ahead = c->api.each_alone ? 2 * c->worker->n_running : c->n_choices;
    while (c->n_submitted < c->n_choices && c->n_submitted - c->n_finished < n_ahead) {
        struct choice *k = &c->choices[c->n_submitted++];
        if (k->failed)
            c->n_finished++;
        else
            answers_submit(c->worker->answers, &k->answer);
    }
}

/* Nothing more is sent for this call; the other choices are told to leave. */
static void fail_call(struct call *c, const struct api_error *e)
{
    leave(c);
    if (c->gone)
        return;
    c->gone = true;
    usage_say(c, true);
    if (!c->streaming) {
        worker_fail(c->worker, c->id, str_from(c->dialect->path), e);
        return;
    }
    struct buf events;
    buf_init(&events, TEXT_BYTES_MAX);
    c->dialect->broken(&events, e);
    send_events(c, &events);
    frames_send(c->worker->frames, FRAME_END, c->id, STR(""), STR("!"));
    buf_release(&events);
}

/* ---- news in ------------------------------------------------------------------------------ */

static void keep_id(struct choice *k, int32_t id)
{
    if (k->n_ids == k->n_ids_reserved) {
        k->n_ids_reserved = k->n_ids_reserved ? 2 * k->n_ids_reserved : 64;
        k->ids = mem_resize(k->ids, k->n_ids_reserved * sizeof k->ids[0]);
        CHECK(k->ids);
    }
    k->ids[k->n_ids++] = id;
}

static void add_shown(struct shown **list, size_t *n, size_t *n_reserved, const struct news *news,
                      uint32_t n_top)
{
    if (*n == *n_reserved) {
        *n_reserved = *n_reserved ? 2 * *n_reserved : 16;
        *list = mem_resize(*list, *n_reserved * sizeof **list);
        CHECK(*list);
    }
    struct shown *s = &(*list)[(*n)++];
    *s = (struct shown){.id = news->token, .logprob = news->logprob, .rank = news->rank};
    s->n_top = news->n_top < n_top ? news->n_top : n_top;
    memcpy(s->top, news->top, s->n_top * sizeof s->top[0]);
}

void show(struct choice *k, const struct news *news)
{
    const struct api_generate *api = &k->call->api;
    if (api->logprobs || api->return_token_ids)
        add_shown(&k->shown, &k->n_shown, &k->n_shown_reserved, news, api->n_top);
}

/* A token of the prompt. */
static void take_read(struct choice *k, const struct news *news)
{
    const struct api_generate *api = &k->call->api;
    if (api->n_prompt_top >= 0)
        add_shown(&k->read, &k->n_read_shown, &k->n_read_reserved, news,
                  (uint32_t)api->n_prompt_top);
    if (api->echo)
        show(k, news);
}

static void take_token(struct choice *k, const struct news *news)
{
    if (answer_text_is_over(&k->says))
        return; /* chosen before the engine knew */
    k->n_tokens++;
    k->n_reasoning += k->says.reads && answer_reader_reasons(&k->says.reader);
    if (!k->call->first_ns)
        k->call->first_ns = clock_ns();
    if (news->is_stop)
        return;
    keep_id(k, news->token);
    show(k, news);
    answer_text_add(&k->says, news->token);
    if (answer_text_is_over(&k->says))
        atomic_store(&k->answer.leave, ISO_FINISH_STOP);
}

static enum reply_finish finish_of(const struct choice *k, enum iso_finish finish)
{
    if (k->says.stops.found)
        return REPLY_STOP_TEXT;
    if (finish != ISO_FINISH_STOP && !answer_text_is_over(&k->says))
        return REPLY_LENGTH;
    return k->says.parts.n_calls > 0 ? REPLY_CALLS : REPLY_STOP;
}

static void fail_choice(struct choice *k, const struct api_error *e)
{
    k->failed = mem_alloc(sizeof *k->failed);
    CHECK(k->failed);
    *k->failed = *e;
}

static void take_finish(struct choice *k, const struct news *news)
{
    struct call *c = k->call;
    answer_text_end(&k->says);
    k->finished = true;
    k->finish = finish_of(k, news->finish);
    k->ended = answer_text_is_over(&k->says) ? ISO_FINISH_STOP : news->finish;
    c->n_finished++;
    if (news->finish == ISO_FINISH_ERROR) {
        struct api_error e;
        api_fail(&e, status_of(news->err), NULL, "%s", news->note->text);
        if (!c->api.each_alone)
            fail_call(c, &e);
        else
            fail_choice(k, &e);
    }
    mem_free(news->note);
    submit(c);
}

void completion_take(const struct news *news)
{
    struct choice *k = news->answer->owner;
    switch (news->kind) {
    case NEWS_BEGIN:
        k->call->n_begun++;
        break;
    case NEWS_PROMPT:
        k->n_cached = news->n_cached;
        k->n_read = news->n_read;
        k->call->progressed = true;
        break;
    case NEWS_READ:
        take_read(k, news);
        break;
    case NEWS_TOKEN:
        take_token(k, news);
        break;
    case NEWS_FINISH:
        take_finish(k, news);
        break;
    }
}

void completion_flush(struct worker *w)
{
    for (struct call *c = w->calls, *next; c; c = next) {
        struct api_error e;
        bool ended = c->n_finished == c->n_choices;
        next = c->next;
        if (ended && (!c->gone || c->owes_end) && !receipts_send(c, &e))
            fail_call(c, &e);
        if (ended && c->owes_end)
            frames_send(w->frames, FRAME_END, c->id, STR(""), STR(""));
        if (!c->gone && c->api.stream)
            send_pieces(c);
        if (!c->gone)
            usage_say(c, ended);
        if (!ended)
            continue;
        if (!c->gone && c->api.stream)
            end_stream(c);
        else if (!c->gone)
            send_whole(c);
        free_call(c);
    }
}

void completion_cancel(struct worker *w, uint64_t id)
{
    for (struct call *c = w->calls; c; c = c->next) {
        if (c->id != id || c->gone)
            continue;
        c->gone = true;
        leave(c);
        usage_say(c, true);
        c->owes_end = c->receipt.wanted;
        if (!c->owes_end)
            frames_send(w->frames, FRAME_END, id, STR(""), STR(""));
    }
}

/* ---- a body in ---------------------------------------------------------------------------- */

static bool copy_prompt(const struct token_list *from, struct token_list *to, struct api_error *e)
{
    to->ids = mem_array(from->n_ids, sizeof to->ids[0]);
    if (!to->ids)
        return api_fail(e, 500, NULL, "out of memory for the prompt");
    memcpy(to->ids, from->ids, from->n_ids * sizeof to->ids[0]);
    to->n_ids = to->n_reserved = from->n_ids;
    return true;
}

/* A prompt that leaves no room for an answer is refused here, with both numbers; the engine would
 * only refuse one that is longer than the context. */
static bool check_length(const struct call *c, size_t n_tokens, struct api_error *e)
{
    uint32_t n_ctx = c->worker->info.n_ctx;
    const char *field = c->api.messages ? c->api.messages_field : "prompt";
    if (n_tokens == 0)
        return api_fail(e, 400, field, "the prompt has no tokens");
    if (n_tokens < n_ctx)
        return true;
    api_fail(e, 400, field,
             "the prompt has %zu tokens, but this model's context holds %u, answer included",
             n_tokens, n_ctx);
    e->code = "context_length_exceeded";
    return false;
}

static bool collect_stops(struct call *c, struct api_error *e)
{
    const struct speech *s = &c->worker->speech;
    memcpy(c->stops, s->stops, s->n_stops * sizeof c->stops[0]);
    c->n_stops = c->api.ignore_eos ? 0 : s->n_stops;
    if (c->n_stops + c->api.n_stop_ids > ISO_STOPS_MAX)
        return api_fail(e, 400, "stop_token_ids", "%zu stop tokens; at most %d beside the model's",
                        c->api.n_stop_ids, ISO_STOPS_MAX - (int)c->n_stops);
    for (size_t i = 0; i < c->api.n_stop_ids; i++)
        c->stops[c->n_stops++] = c->api.stop_ids[i];
    return true;
}

/* The vocabulary is arranged once, when it is first wanted; with a family's marks or without. */
static enum err find_vocab(struct worker *w, bool marks, struct err_note *note)
{
    const struct speech *speech = &w->speech;
    struct grammar_vocab **vocab = &w->vocabs[marks];
    struct spellings s;
    if (*vocab)
        return ERR_OK;
    enum err rc = spellings_make(&s, speech->tokenizer, w->info.n_vocab, speech->marks,
                                 marks ? speech->n_marks : 0, note);
    if (!rc)
        rc =
            grammar_vocab_new(s.tokens, s.n_tokens, w->info.n_vocab, s.ends, s.n_ends, vocab, note);
    spellings_release(&s);
    return rc;
}

static bool constrain(struct call *c, struct choice *k, struct api_error *e)
{
    struct err_note note = {""};
    if (!c->shape.grammar)
        return true;
    enum err rc = find_vocab(c->worker, c->shape.marks, &note);
    if (!rc)
        rc = matcher_new(c->shape.grammar, c->worker->vocabs[c->shape.marks], &k->matcher, &note);
    if (rc)
        return api_fail(e, 500, NULL, "%s", note.text);
    k->constraint = matcher_constraint(k->matcher);
    k->answer.request.constraint = &k->constraint;
    return true;
}

/* Who names the same salt shares what was read; who names none shares with its tenant. */
static uint64_t pool_of(const struct call *c)
{
    struct str salt = c->api.cache_salt;
    uint8_t digest[SHA256_BYTES];
    uint64_t pool;
    if (salt.len == 0)
        return 0;
    sha256_of(salt.ptr, salt.len, digest);
    memcpy(&pool, digest, sizeof pool);
    return pool | 1;
}

static void fill_request(struct call *c, struct choice *k, uint32_t i_answer)
{
    const struct api_generate *api = &c->api;
    struct iso_request *r = &k->answer.request;
    *r = iso_request_default();
    r->tokens = k->prompt.ids;
    r->n_tokens = (uint32_t)k->prompt.n_ids;
    r->n_answer_max = api->n_max;
    r->n_answer_min = api->n_min;
    r->stops = c->stops;
    r->n_stops = c->n_stops;
    r->sampling = api->sampling;
    r->sampling.choice = i_answer;
    r->want_logits_prompt = api->n_prompt_top >= 0 || (api->echo && api->logprobs);
    r->want_logprob = api->logprobs || r->want_logits_prompt;
    r->n_logprobs = api->logprobs ? api->n_top : 0;
    if (api->n_prompt_top > (int32_t)r->n_logprobs)
        r->n_logprobs = (uint32_t)api->n_prompt_top;
    r->tenant = c->tenant;
    r->priority = c->priority;
    r->cache_pool = pool_of(c);
    r->no_cache = api->no_cache;
}

static bool make_choices(struct call *c, struct api_error *e)
{
    size_t n_prompts = c->api.only_load ? 0 : c->api.prompts ? json_array_size(c->api.prompts) : 1;
    uint32_t n_choices = (uint32_t)n_prompts * c->api.n;
    if (!c->api.each_alone && (n_prompts > API_CHOICES_MAX || n_choices > API_CHOICES_MAX))
        return api_fail(e, 400, n_prompts > 1 ? "prompt" : "n",
                        "%zu prompts with %u answers each; at most %d answers together", n_prompts,
                        c->api.n, API_CHOICES_MAX);
    c->choices = mem_array(n_choices + 1, sizeof c->choices[0]);
    if (!c->choices)
        return api_fail(e, 500, NULL, "out of memory for %u answers", n_choices);
    c->n_choices = n_choices;
    for (uint32_t i = 0; i < n_choices; i++) {
        struct choice *k = &c->choices[i];
        uint32_t i_answer = i % c->api.n;
        k->call = c;
        k->index = i;
        k->answer.owner = k;
        buf_init(&k->prompt_text, TEXT_BYTES_MAX);
        answer_text_init(&k->says, c->worker->speech.tokenizer, c->api.stops, c->api.n_stops);
        bool ok = i_answer == 0 ? prompt_of(&c->worker->speech, &c->api, i / c->api.n, &k->prompt,
                                            c->receipt.wanted ? &k->prompt_text : NULL, e) &&
                                      check_length(c, k->prompt.n_ids, e)
                                : copy_prompt(&c->choices[i - i_answer].prompt, &k->prompt, e);
        if (!ok && c->api.each_alone && e->status < 500)
            fail_choice(k, e);
        else if (!ok)
            return false;
        fill_request(c, k, i_answer);
        if (!k->failed)
            echo(k);
        if (!enforce(k, e) || !receipt_watch(k, e))
            return false;
        reading_begin(k);
    }
    return true;
}

/* A chat has one prompt, in which the reasoning may have begun. */
static bool shape_choices(struct call *c, struct api_error *e)
{
    struct shape_reading reading = {0};
    if (c->n_choices == 0) /* the model is only to be loaded */
        return true;
    if (c->api.messages) {
        reading.style = &c->choices[0].says.reader.style;
        reading.reasoning = c->choices[0].reasoning;
    }
    if (!shape_open(&c->shape, &c->api, reading, e))
        return false;
    for (uint32_t i = 0; i < c->n_choices; i++)
        if (!constrain(c, &c->choices[i], e))
            return false;
    return true;
}

/* What was parsed becomes answers to be made. clock_s: what the template is told; 0: the time. */
static bool resolve(struct call *c, int64_t clock_s, struct api_error *e)
{
    c->api.clock_s = clock_s ? clock_s : chat_face_clock();
    if (!c->api.has_seed)
        c->api.sampling.seed = entropy_u64() >> 11; /* a number that every JSON reader can hold */
    return enforce_check(c, e) && api_tools_read(&c->api, e) && collect_stops(c, e) &&
           sampling_open(&c->sampling, &c->worker->speech, &c->api, e) && make_choices(c, e) &&
           (is_enforced(c) || shape_choices(c, e));
}

struct call *completion_read(struct worker *w, const struct dialect *dialect, struct str body,
                             int64_t clock_s, struct api_error *e)
{
    struct call *c = mem_zalloc(sizeof *c);
    if (!c) {
        api_fail(e, 500, NULL, "out of memory for a request");
        return NULL;
    }
    c->worker = w;
    c->dialect = dialect;
    c->may_verify = true;
    c->receipt.wanted = true;
    if (dialect->parse(body, &c->api, e) && resolve(c, clock_s, e))
        return c;
    free_call(c);
    return NULL;
}

void completion_forget(struct call *c)
{
    free_call(c);
}

void completion_begin(struct worker *w, uint64_t id, const struct call_head *head,
                      const struct dialect *dialect, struct str body)
{
    struct api_error e = {0};
    struct call *c = mem_zalloc(sizeof *c);
    void *state = mem_zalloc(dialect->n_state_bytes + 1);
    if (!c || !state) {
        mem_free(c);
        mem_free(state);
        api_fail(&e, 500, NULL, "out of memory for a request");
        worker_fail(w, id, str_from(dialect->path), &e);
        return;
    }
    c->worker = w;
    c->id = id;
    c->tenant = head->tenant;
    c->may_verify = head->may_verify;
    c->priority = head->priority;
    c->dialect = dialect;
    c->stream_state = state;
    c->created_s = (int64_t)time(NULL);
    c->begin_ns = clock_ns();
    make_id(c->answer_id, dialect->id_prefix);
    if (!dialect->parse(body, &c->api, &e) ||
        !receipt_begin(w, &c->receipt, (enum receipts_mode)head->receipts, c->api.receipt, body,
                       &e) ||
        !resolve(c, 0, &e)) {
        worker_fail(w, id, str_from(dialect->path), &e);
        free_call(c);
        return;
    }
    c->next = w->calls;
    c->link = &w->calls;
    if (c->next)
        c->next->link = &c->next;
    w->calls = c;
    submit(c);
    if (c->n_finished == c->n_choices) { /* there is nothing to generate */
        send_whole(c);
        free_call(c);
    }
}
