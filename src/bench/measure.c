/* measure.c - sessions set up, steps timed, roofs around them. */
#include "bench/measure.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "device/cuda/roof.h"
#include "engine/engine.h"

enum { WARM_TOKENS = 32, PRODUCTS_MAX = 1 << 16, STEP_BYTES_MAX = 1 << 28 };

/* ---- what the engine must have ---- */

static uint32_t pages_of(uint64_t n_positions)
{
    return (uint32_t)((n_positions + ISO_PAGE_POSITIONS - 1) / ISO_PAGE_POSITIONS);
}

/* A sequence begins with one token, and ends with one that nothing follows. */
static uint32_t positions_of(const struct bench_test *t)
{
    return t->n_depth + t->n_tokens + 1;
}

void bench_needs(const struct bench_test *tests, size_t n_tests, struct iso_engine_options *o)
{
    uint32_t n_ctx = WARM_TOKENS * 2, n_batch = 1, n_depth = 0, n_pages = 2;
    for (size_t i = 0; i < n_tests; i++) {
        const struct bench_test *t = &tests[i];
        uint32_t own = t->n_batch * (pages_of(t->n_tokens + 1) + 1);
        n_ctx = positions_of(t) > n_ctx ? positions_of(t) : n_ctx;
        n_batch = t->n_batch > n_batch ? t->n_batch : n_batch;
        n_depth = t->n_depth > n_depth ? t->n_depth : n_depth;
        n_pages = own > n_pages ? own : n_pages;
    }
    o->no_speculation = true; /* a figure is that of computing every token */
    o->n_ctx = n_ctx;
    o->n_sessions = n_batch + 1;
    o->n_kv_pages = pages_of(n_depth) + n_pages;
}

/* ---- opening ---- */

static enum err no_memory(struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "out of memory for measuring");
}

/* The matrices' bytes; those that lie side by side are one span. */
static enum err open_roof(struct bench *b, struct err_note *note)
{
    struct iso_engine_info info = iso_engine_info(b->engine);
    if (strcmp(info.device, "cuda") == 0) {
        b->device = engine_device(b->engine);
        return ERR_OK;
    }
    size_t n = 0, n_all = 0;
    for (size_t i = 0; i < b->n_products; i++)
        n_all += b->products[i].n_alike;
    struct roof_span *spans = mem_array(n_all, sizeof *spans);
    if (!spans)
        return no_memory(note);
    for (size_t i = 0; i < b->n_products; i++)
        for (uint32_t k = 0; k < b->products[i].n_alike; k++) {
            const struct matrix *w = &b->products[i].matrix[k];
            const uint8_t *end = n ? (const uint8_t *)spans[n - 1].bytes + spans[n - 1].n_bytes : 0;
            const uint8_t *at = w->data;
            if (n && at >= end && at - end < 64)
                spans[n - 1].n_bytes += (size_t)(at - end) + w->n_bytes;
            else
                spans[n++] = (struct roof_span){at, w->n_bytes};
        }
    enum err rc = roof_open(info.n_threads, info.isa, spans, n, &b->roof, note);
    mem_free(spans);
    return rc;
}

static enum err open_products(struct bench *b, struct err_note *note)
{
    const struct model *m = engine_model(b->engine);
    b->n_products = model_products(m, NULL, 0);
    CHECK(b->n_products <= PRODUCTS_MAX);
    b->products = mem_array(b->n_products, sizeof b->products[0]);
    if (!b->products)
        return no_memory(note);
    model_products(m, b->products, b->n_products);
    return ERR_OK;
}

static enum err warm_up(struct bench *b, struct err_note *note);

enum err bench_open(struct bench *b, struct iso_engine *engine, const struct bench_test *tests,
                    size_t n_tests, struct err_note *note)
{
    *b = (struct bench){.engine = engine, .seed = 1, .n_tokens_max = WARM_TOKENS};
    for (size_t i = 0; i < n_tests; i++) {
        uint32_t n = tests[i].n_tokens > tests[i].n_depth ? tests[i].n_tokens : tests[i].n_depth;
        b->n_tokens_max = n > b->n_tokens_max ? n : b->n_tokens_max;
    }
    b->n_sessions_max = iso_engine_info(engine).n_sessions;
    b->tokens = mem_array(b->n_tokens_max, sizeof b->tokens[0]);
    b->sessions = mem_array(b->n_sessions_max, sizeof b->sessions[0]);
    enum err rc = b->tokens && b->sessions ? open_products(b, note) : no_memory(note);
    rc = rc ? rc : open_roof(b, note);
    rc = rc ? rc : warm_up(b, note);
    if (rc)
        bench_close(b);
    return rc;
}

void bench_close(struct bench *b)
{
    if (b->base)
        iso_session_close(b->base);
    roof_close(b->roof);
    mem_free(b->products);
    mem_free(b->tokens);
    mem_free(b->sessions);
    *b = (struct bench){0};
}

void bench_series_init(struct bench_series *s, const struct bench *b, const struct bench_test *t)
{
    s->test = *t;
    s->cost = bench_cost(engine_model(b->engine), b->products, b->n_products, t,
                         iso_engine_info(b->engine).n_chunk);
    s->n_samples = 0;
    buf_init(&s->steps, STEP_BYTES_MAX);
}

void bench_series_release(struct bench_series *s)
{
    buf_release(&s->steps);
}

/* ---- sequences ---- */

static void draw_tokens(struct bench *b, uint32_t n)
{
    uint32_t n_vocab = iso_engine_info(b->engine).n_vocab;
    for (uint32_t i = 0; i < n; i++) { /* splitmix64 */
        uint64_t z = (b->seed += 0x9e3779b97f4a7c15u);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        b->tokens[i] = (int32_t)((z ^ z >> 31) % n_vocab);
    }
}

/* n_tokens fresh ones to read, n_answer to choose, greedily and without an end. */
static enum err submit(struct bench *b, struct iso_session *s, uint32_t n_tokens, uint32_t n_answer,
                       struct err_note *note)
{
    struct iso_request r = iso_request_default();
    draw_tokens(b, n_tokens);
    r.tokens = b->tokens;
    r.n_tokens = n_tokens;
    r.n_answer_max = n_answer;
    r.sampling.temperature = 0;
    r.no_cache = true;
    return (enum err)iso_session_submit(s, &r, (struct iso_note *)note);
}

/* Steps until n requests have finished. steps may be NULL. */
static enum err run_steps(struct bench *b, uint32_t n, struct buf *steps, struct err_note *note)
{
    enum err rc = ERR_OK;
    while (n > 0) {
        const struct iso_event *events;
        uint64_t start = clock_ns();
        size_t n_events = iso_engine_step(b->engine, &events);
        double ms = (double)(clock_ns() - start) * 1e-6;
        CHECK(n_events > 0);
        for (size_t i = 0; i < n_events; i++) {
            n -= events[i].kind == ISO_EVENT_FINISH;
            if (events[i].err && !rc)
                rc = err_set(note, (enum err)events[i].err, "%s", events[i].note);
        }
        if (steps)
            buf_add(steps, &ms, sizeof ms);
    }
    return rc;
}

/* The base holds at least n_depth tokens afterwards. */
static enum err read_base(struct bench *b, uint32_t n_depth, struct err_note *note)
{
    uint32_t n_have = 0;
    if (!b->base) {
        enum err rc = (enum err)iso_session_open(b->engine, &b->base, (struct iso_note *)note);
        if (rc)
            return rc;
    }
    iso_session_tokens(b->base, &n_have);
    if (n_have >= n_depth)
        return ERR_OK;
    enum err rc = submit(b, b->base, n_depth - n_have, 0, note);
    return rc ? rc : run_steps(b, 1, NULL, note);
}

static enum err open_sequence(struct bench *b, const struct bench_test *t,
                              struct iso_session **session, struct err_note *note)
{
    struct iso_note *n = (struct iso_note *)note;
    if (t->n_depth == 0)
        return (enum err)iso_session_open(b->engine, session, n);
    enum err rc = read_base(b, t->n_depth, note);
    rc = rc ? rc : (enum err)iso_session_fork(b->base, session, n);
    if (!rc)
        iso_session_cut(*session, t->n_depth);
    return rc;
}

/* A card's, by work that is as much smaller as the model is than a large one: that of a small model
 * is read from the card's cache too. What is no product of bytes is set beside halves' peak. */
static enum err card_limits(struct bench *b, struct bench_limits *l, struct err_note *note)
{
    enum { LARGE = 1 << 30, ROUNDS = 20000, SIDE_STEPS = 127 };
    struct cuda_roof r;
    size_t n = iso_engine_info(b->engine).n_bytes_weights;
    n = n < LARGE ? n : LARGE;
    double scale = (double)n / LARGE;
    enum err rc = cuda_roof_find(b->device, n + (1 << 20), (uint32_t)(1 + scale * ROUNDS),
                                 64 * (uint32_t)(1 + scale * SIDE_STEPS), &r, note);
    *l = (struct bench_limits){.read = r.read_bytes,
                               .int8 = r.int8_ops,
                               .f32 = r.library_ops > r.bf16_ops ? r.library_ops : r.bf16_ops};
    return rc;
}

static enum err find_limits(struct bench *b, const struct bench_cost *c, struct bench_limits *l,
                            struct err_note *note)
{
    if (b->device)
        return card_limits(b, l, note);
    *l = (struct bench_limits){
        .read = roof_read(b->roof),
        .int8 = c->int8_ops > 0 ? roof_int8(b->roof) : 0,
        .f32 = c->f32_ops > 0 ? roof_f32(b->roof) : 0,
    };
    return ERR_OK;
}

/* The timed part: sequences stand ready. A generation begins with one token of its own; a prompt
 * ends with one that is chosen, so that its logits are computed. */
static enum err run_test(struct bench *b, struct bench_series *s, struct bench_sample *sample,
                         struct err_note *note)
{
    const struct bench_test *t = &s->test;
    bool gen = t->kind == BENCH_GEN;
    enum err rc = find_limits(b, &s->cost, &sample->before, note);
    uint32_t n = 0;
    for (; !rc && n < t->n_batch; n++)
        rc = submit(b, b->sessions[n], gen ? 1 : t->n_tokens, gen ? t->n_tokens : 1, note);
    if (rc)
        return rc;
    uint64_t start = clock_ns();
    rc = run_steps(b, t->n_batch, &s->steps, note);
    sample->seconds = (double)(clock_ns() - start) * 1e-9;
    sample->tokens_per_second = (double)t->n_tokens * t->n_batch / sample->seconds;
    return rc ? rc : find_limits(b, &s->cost, &sample->after, note);
}

enum err bench_repeat(struct bench *b, struct bench_series *s, struct err_note *note)
{
    enum err rc = ERR_OK;
    uint32_t n_open = 0;
    CHECK(s->test.n_batch < b->n_sessions_max && s->n_samples < BENCH_REPEATS_MAX);
    while (!rc && n_open < s->test.n_batch) {
        rc = open_sequence(b, &s->test, &b->sessions[n_open], note);
        n_open += !rc;
    }
    if (!rc)
        rc = run_test(b, s, &s->samples[s->n_samples], note);
    for (uint32_t i = 0; i < n_open; i++)
        iso_session_close(b->sessions[i]);
    s->n_samples += !rc;
    return rc;
}

static enum err warm_up(struct bench *b, struct err_note *note)
{
    struct iso_session *s;
    enum err rc = (enum err)iso_session_open(b->engine, &s, (struct iso_note *)note);
    if (rc)
        return rc;
    rc = submit(b, s, WARM_TOKENS, 2, note);
    rc = rc ? rc : run_steps(b, 1, NULL, note);
    iso_session_close(s);
    return rc;
}
