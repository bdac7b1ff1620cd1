/* fake_model.h - a device and a model in place of the real ones, for tests of engine/: included by
 * one file of a test program, whose definitions then stand before the library's.
 *
 * A page holds, for each position, a running hash of the tokens up to it, made from the hash that
 * the page holds for the position before. The logits of a row hash what the pages hold: the row's
 * own position and one position of every earlier page. So a wrong page, a stale page, a row left
 * out, a page written by two sessions or a wrong position changes tokens, and cost is small.
 * fake_oracle says what the tokens must be, without engine, pages or batches.
 *
 * A pass takes virtual time: fake.now_ns grows by fake_cost's function of the batch. */
#ifndef LIB_FAKE_MODEL_H
#define LIB_FAKE_MODEL_H

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/cpu/scalar.h"
#include "engine/sampler.h"
#include "format/identity.h"
#include "lib/test.h"
#include "model/model.h"
#include "model/profile.h"

enum { FAKE_ROWS = 512 /* of a pass, where the device chooses */ };
enum { FAKE_VOCAB = 50, FAKE_CTX = 200, FAKE_BAD_TOKEN = 49, FAKE_FAR = 1000, FAKE_ROW = 2000 };

/* A bias that keeps FAKE_BAD_TOKEN out of answers. */
static const struct iso_bias fake_no_bad[] = {{FAKE_BAD_TOKEN, -1000}};

/* What the next model to be opened is like. */
static struct fake_options {
    uint32_t n_vocab;     /* 0: FAKE_VOCAB */
    uint32_t rope_border; /* LongRoPE's; 0: none */
    bool chooses;         /* its device chooses tokens, and passes are submitted ahead */
} fake_options;

/* Nanoseconds of a pass: once, for each row, for each row and position before it. */
static struct fake_cost {
    double pass, row, depth;
} fake_cost = {20e6, 1e6, 1e3};

struct model {
    struct model_info info;
    uint32_t n_rows_max, n_calls, n_rows_largest;
    uint64_t now_ns;
    uint32_t n_ahead;                  /* passes submitted while another was not collected */
    bool is_under_way[2], all_stay[2]; /* by turn; no logits of it are wanted */
    double ns[2];                      /* what it takes */
    int32_t token[FAKE_ROWS];          /* what was chosen last */
    uint8_t bad[2][FAKE_ROWS];
    struct sample_result results[2][FAKE_ROWS];
};
static struct model fake;

static uint32_t fake_n_devices; /* that are open */

static void fake_device_nothing(struct device *d)
{
    (void)d;
}
static void fake_close(struct device *d)
{
    (void)d;
    fake_n_devices--;
}
static enum err fake_status(struct device *d, struct err_note *note)
{
    (void)d, (void)note;
    return ERR_OK;
}
static enum err fake_mem_take(struct device *d, size_t n_bytes, const char *what, void **p,
                              struct err_note *note)
{
    (void)d;
    *p = mem_pages(n_bytes);
    return *p ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for %s", what);
}
static void fake_mem_give(struct device *d, void *p, size_t n_bytes)
{
    (void)d;
    mem_pages_free(p, n_bytes);
}
static void fake_move(struct device *d, void *to, const void *from, size_t n_bytes)
{
    (void)d;
    memcpy(to, from, n_bytes);
}
static size_t fake_mem_left(struct device *d, size_t *n_bytes)
{
    (void)d;
    return *n_bytes = (size_t)1 << 40;
}
#define FAKE_OPS(is_host_memory)                                                                   \
    {                                                                                              \
        .name = "fake", .host_memory = is_host_memory, .close = fake_close,                        \
        .wait = fake_device_nothing, .status = fake_status, .mem_take = fake_mem_take,             \
        .mem_give = fake_mem_give, .mem_left = fake_mem_left, .move = fake_move                    \
    }
static const struct device_ops fake_ops[2] = {FAKE_OPS(true), FAKE_OPS(false)};
static struct device fake_devices[2] = {{&fake_ops[false]}, {&fake_ops[true]}};

/* The first is the one that chooses, if any does; a second is the CPU beside it. */
enum err cpu_device_open(int n_threads, const char *isa, struct device **d, struct err_note *note)
{
    (void)n_threads, (void)isa, (void)note;
    *d = &fake_devices[fake_options.chooses && fake_n_devices == 0];
    fake_n_devices++;
    return ERR_OK;
}

const char *const *cpu_isa_names(void)
{
    static const char *const names[] = {"fake", NULL};
    return names;
}

static struct model_info fake_info(struct model_limits limits)
{
    return (struct model_info){.arch = "fake",
                               .n_embd = 1,
                               .n_layers = 1,
                               .n_vocab = fake_options.n_vocab ? fake_options.n_vocab : FAKE_VOCAB,
                               .n_ctx = limits.n_ctx_max ? limits.n_ctx_max : FAKE_CTX,
                               .rope_border = fake_options.rope_border,
                               .kv_page_bytes = KV_PAGE * sizeof(uint64_t),
                               .kv_file_bytes = KV_PAGE * sizeof(uint64_t)};
}

enum err model_needs_find(const struct table *t, struct device *d, struct model_limits limits,
                          struct model_needs *needs, struct err_note *note)
{
    (void)t, (void)d, (void)note;
    *needs = (struct model_needs){.info = fake_info(limits)};
    return ERR_OK;
}

enum err model_open(const struct table *t, struct device *d, struct model_limits limits,
                    void (*progress)(void *, uint64_t, uint64_t), void *context, struct model **m,
                    struct err_note *note)
{
    (void)t, (void)d, (void)progress, (void)context, (void)note;
    fake = (struct model){.info = fake_info(limits), .n_rows_max = limits.n_rows_max};
    *m = &fake;
    return ERR_OK;
}
enum err model_plan(const struct table *t, struct model_limits limits, struct model_info *info,
                    struct err_note *note)
{
    (void)t, (void)note;
    *info = fake_info(limits);
    return ERR_OK;
}
enum err profile_choose(const char *asked, const struct table *t, struct device *d, bool *is_fast,
                        struct err_note *note)
{
    (void)asked, (void)t, (void)d, (void)note;
    *is_fast = false;
    return ERR_OK;
}
void profile_begin(struct device *d, bool is_fast, const struct err_note *said,
                   void (*tell)(void *context, const char *text), void *context)
{
    (void)d, (void)is_fast, (void)said, (void)tell, (void)context;
}
void model_close(struct model *m)
{
    (void)m;
}
void model_shed(struct model *m)
{
    (void)m;
}
const struct model_info *model_info(const struct model *m)
{
    return &m->info;
}
void model_set_tap(struct model *m, struct model_tap tap)
{
    (void)m, (void)tap;
}

void model_kv_export(const struct model *m, struct model_page page, uint8_t *out)
{
    memcpy(out, page.own, m->info.kv_file_bytes);
}
void model_kv_import(const struct model *m, struct model_page page, const uint8_t *in)
{
    memcpy(page.own, in, m->info.kv_file_bytes);
}
bool model_kv_plausible(const struct model *m, const uint8_t *in)
{
    (void)m, (void)in;
    return true;
}
void model_kv_digest(const struct model *m, struct model_page page, uint8_t digest[SHA256_BYTES])
{
    sha256_of(page.own, m->info.kv_file_bytes, digest);
}
enum err identity_find(const struct table *t, struct threads *threads,
                       void (*progress)(void *, uint64_t, uint64_t), void *context,
                       struct identity *out, struct err_note *note)
{
    (void)t, (void)threads, (void)progress, (void)context, (void)note;
    *out = (struct identity){.weights = {1}};
    return ERR_OK;
}

static uint64_t fake_mix(uint64_t hash, uint64_t x)
{
    hash ^= x + 1;
    return test_rand(&hash);
}

/* The position of an earlier page that the logits of a position look at. */
static uint32_t fake_glance(uint32_t page, uint32_t position)
{
    return page * KV_PAGE + (position * 37 + page * 11) % KV_PAGE;
}

static void fake_logits(uint64_t hash, uint32_t n_vocab, float *logits)
{
    for (uint32_t i = 0; i < n_vocab; i++)
        logits[i] = test_randf(&hash) * 6;
}

static uint64_t *fake_cell(struct kv_row r, uint32_t position)
{
    return (uint64_t *)r.pages[position / KV_PAGE] + position % KV_PAGE;
}

static int32_t fake_token(const struct batch *b, uint32_t row)
{
    return b->token ? b->token[row] : fake.token[row];
}

/* For a row of input stands FAKE_ROW and its one value, small and whole, with the mirrors'. */
static uint64_t fake_input(const struct batch *b, uint32_t row)
{
    const float *input = b->input ? b->input[row] : NULL;
    const float *mirrors = b->mirrors ? b->mirrors[row] : NULL;
    CHECK(input || !mirrors);
    return input ? FAKE_ROW + (uint64_t)(*input + (mirrors ? *mirrors : 0))
                 : (uint64_t)fake_token(b, row);
}

static void fake_row(const struct batch *b, uint32_t row, float *logits, uint8_t *bad)
{
    struct kv_row r = b->rows[row];
    uint32_t border = fake.info.rope_border;
    bool far = b->rope_far && b->rope_far[row];
    CHECK(far || !border || r.position < border);
    CHECK(fake_token(b, row) >= 0 && (uint32_t)fake_token(b, row) < fake.info.n_vocab);
    CHECK(r.position < fake.info.n_ctx);
    uint64_t hash = r.position ? *fake_cell(r, r.position - 1) : 0;
    hash = fake_mix(hash, fake_input(b, row) + (far ? FAKE_FAR : 0));
    *fake_cell(r, r.position) = hash;
    *bad = fake_token(b, row) == FAKE_BAD_TOKEN ? 3 : 0; /* layer 2 is not finite */
    if (!logits)
        return;
    for (uint32_t page = 0; page < r.position / KV_PAGE; page++)
        hash = fake_mix(hash, *fake_cell(r, fake_glance(page, r.position)));
    fake_logits(hash, fake.info.n_vocab, logits);
}

/* What the device says of all rows of logits, which nobody sees that stay there. */
static void fake_choose(const struct batch *b)
{
    static float work[64 * (4 * (SAMPLE_RUN + 6) + 2 * SAMPLE_BINS)];
    static const uint8_t bad[FAKE_ROWS];
    uint32_t v = fake.info.n_vocab;
    CHECK(b->n_logits <= FAKE_ROWS && b->n_rows <= FAKE_ROWS && b->turn < 2);
    CHECK(sample_work_floats(b->n_logits, v) <= COUNT_OF(work));
    struct sample_args a = {b->logits, v,    b->n_logits,           v,         b->sample, b->edits,
                            bad,       work, fake.results[b->turn], fake.token};
    for (uint32_t i = 0; i < b->n_logits; i++) {
        scalar_sample(&a, i);
        for (uint32_t k = 0; b->stays[i] && k < v; k++)
            b->logits[i * v + k] = __builtin_nanf("");
        fake.all_stay[b->turn] &= b->stays[i];
    }
}

void model_submit(struct model *m, const struct batch *b)
{
    uint32_t logits_i = 0;
    double ns = fake_cost.pass;
    CHECK(b->n_rows >= 1 && b->n_rows <= m->n_rows_max);
    CHECK(!m->is_under_way[!b->turn] || m->all_stay[!b->turn]);
    m->n_ahead += m->is_under_way[!b->turn];
    m->is_under_way[b->turn] = true;
    m->all_stay[b->turn] = b->sample && !b->hidden;
    m->n_calls++;
    m->n_rows_largest = b->n_rows > m->n_rows_largest ? b->n_rows : m->n_rows_largest;
    for (uint32_t row = 0; row < b->n_rows; row++) {
        bool wanted = logits_i < b->n_logits && b->logit_rows[logits_i] == row;
        float *logits = wanted ? b->logits + (size_t)m->info.n_vocab * logits_i : NULL;
        fake_row(b, row, logits, b->sample ? &m->bad[b->turn][row] : &b->bad[row]);
        if (wanted && b->hidden)
            b->hidden[logits_i] = logits[0];
        logits_i += wanted;
        ns += fake_cost.row + fake_cost.depth * b->rows[row].position;
    }
    CHECK(logits_i == b->n_logits);
    if (b->sample)
        fake_choose(b);
    m->ns[b->turn] = ns;
}

void model_collect(struct model *m, const struct batch *b)
{
    CHECK(m->is_under_way[b->turn]);
    m->is_under_way[b->turn] = false;
    m->now_ns += (uint64_t)m->ns[b->turn];
    if (!b->sample)
        return;
    memcpy(b->bad, m->bad[b->turn], b->n_rows);
    memcpy(b->results, m->results[b->turn], b->n_logits * sizeof b->results[0]);
}

void model_forward(struct model *m, const struct batch *b)
{
    model_submit(m, b);
    model_collect(m, b);
}

/* Logits after tokens[0..n): beyond LongRoPE's border every token was computed with the far set. */
static void fake_oracle_logits(const int32_t *tokens, uint32_t n, float *logits)
{
    uint64_t hash = 0, glances[(1 << 16) / KV_PAGE];
    uint32_t n_pages = (n - 1) / KV_PAGE;
    bool far = fake_options.rope_border && n > fake_options.rope_border;
    CHECK(n > 0 && n_pages < COUNT_OF(glances));
    for (uint32_t i = 0; i < n; i++) {
        hash = fake_mix(hash, (uint64_t)tokens[i] + (far ? FAKE_FAR : 0));
        if (i / KV_PAGE < n_pages && i == fake_glance(i / KV_PAGE, n - 1))
            glances[i / KV_PAGE] = hash;
    }
    for (uint32_t page = 0; page < n_pages; page++)
        hash = fake_mix(hash, glances[page]);
    fake_logits(hash, fake_options.n_vocab ? fake_options.n_vocab : FAKE_VOCAB, logits);
}

/* What a timeline must be: n_answer tokens chosen after tokens[0..n_prompt). The new length. */
static inline uint32_t fake_oracle(int32_t *tokens, uint32_t n_prompt, uint32_t n_answer,
                                   const struct iso_sampling *p)
{
    struct sampler s;
    uint32_t n_vocab = fake_options.n_vocab ? fake_options.n_vocab : FAKE_VOCAB;
    float *logits = mem_array(n_vocab, sizeof *logits);
    float mu = 2 * p->mirostat_tau;
    CHECK(logits && sampler_init(&s, n_vocab, n_prompt + n_answer, NULL) == ERR_OK);
    for (uint32_t n = n_prompt; n < n_prompt + n_answer; n++) {
        fake_oracle_logits(tokens, n, logits);
        tokens[n] = sampler_choose(
            &s, &(struct sampler_row){
                    .sampling = p, .logits = logits, .tokens = tokens, .n_tokens = n, .mu = &mu});
    }
    sampler_release(&s);
    mem_free(logits);
    return n_prompt + n_answer;
}

#endif
