/* test_forward.c - the exact profile on tiny models: near the f64 yardstick, and the same bits for
 * every chunk, batch, thread count and instruction set. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "device/cuda/cuda.h"
#include "device/device.h"
#include "lib/guarded.h"
#include "model/model.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"
#include "unit/model/tiny.h"

enum { PAGES_MAX = 16 };

/* A model with one sequence's pages. */
struct runner {
    struct tiny tiny;
    struct device *device, *lower; /* lower: NULL, or what has the first layers */
    struct model *model;
    const struct model_info *info;
    uint8_t *memory, *lower_memory;
    void *pages[PAGES_MAX], *lower_pages[PAGES_MAX];
};

/* Every matrix of a tiny model as F16 or BF16; the new ones come from the arena. */
static void halve(struct tiny *m, enum dtype type, struct arena *arena)
{
    for (size_t i = 0; i < m->table.n_tensors; i++) {
        struct tensor_view *v = (struct tensor_view *)&m->table.tensors[i];
        size_t n = v->dim[0] * v->dim[1] * v->dim[2];
        if (v->dim[1] == 1 || v->dtype == DTYPE_F32)
            continue;
        float *x = mem_array(n, sizeof *x);
        uint16_t *to = arena_alloc(arena, n * sizeof *to);
        assert_true(x && to);
        quant_decode_row(v->dtype, v->data, x, n);
        for (size_t k = 0; k < n; k++)
            to[k] = type == DTYPE_F16 ? f16_round(x[k]) : bf16_round(x[k]);
        mem_free(x);
        v->dtype = type;
        v->data = to;
        v->n_bytes = n * sizeof *to;
    }
}

static uint8_t *take_pages(struct device *d, size_t page_bytes, void *pages[PAGES_MAX])
{
    void *memory = NULL;
    if (page_bytes)
        assert_ok(d->ops->mem_take(d, PAGES_MAX * page_bytes, "pages", &memory, NULL));
    for (size_t i = 0; i < PAGES_MAX; i++)
        pages[i] = page_bytes ? (uint8_t *)memory + i * page_bytes : NULL;
    return memory;
}

/* r->tiny is open. */
static void runner_begin(struct runner *r, const char *name, struct device *device,
                         struct model_limits limits)
{
    struct err_note note = {""};
    r->device = device;
    r->lower = limits.lower;
    if (model_open(&r->tiny.table, device, limits, NULL, NULL, &r->model, &note))
        fail_msg("%s: %s", name, note.text);
    r->info = model_info(r->model);
    r->memory = take_pages(device, r->info->kv_page_bytes, r->pages);
    r->lower_memory = take_pages(r->lower, r->info->kv_lower_bytes, r->lower_pages);
}

static void runner_open_split(struct runner *r, const char *name, struct device *device,
                              struct device *lower, uint32_t n_lower, uint32_t n_rows_max,
                              size_t packed_bytes_max)
{
    tiny_open(&r->tiny, name);
    runner_begin(r, name, device,
                 (struct model_limits){.n_rows_max = n_rows_max,
                                       .n_ctx_max = 1024,
                                       .packed_bytes_max = packed_bytes_max,
                                       .lower = lower,
                                       .n_lower = n_lower});
}

static void runner_open_on(struct runner *r, const char *name, struct device *device,
                           uint32_t n_rows_max, size_t packed_bytes_max)
{
    runner_open_split(r, name, device, NULL, 0, n_rows_max, packed_bytes_max);
}

static void runner_open_packed(struct runner *r, const char *name, int n_threads, const char *isa,
                               uint32_t n_rows_max, size_t packed_bytes_max)
{
    struct device *device = NULL;
    assert_ok(cpu_device_open(n_threads, isa, &device, NULL));
    runner_open_on(r, name, device, n_rows_max, packed_bytes_max);
}

static void runner_open(struct runner *r, const char *name, int n_threads, const char *isa,
                        uint32_t n_rows_max)
{
    runner_open_packed(r, name, n_threads, isa, n_rows_max, 0);
}

static void runner_close_model(struct runner *r)
{
    r->device->ops->mem_give(r->device, r->memory, PAGES_MAX * r->info->kv_page_bytes);
    if (r->lower_memory)
        r->lower->ops->mem_give(r->lower, r->lower_memory, PAGES_MAX * r->info->kv_lower_bytes);
    model_close(r->model);
    r->device->ops->close(r->device);
    if (r->lower)
        r->lower->ops->close(r->lower);
}

static void runner_close(struct runner *r)
{
    runner_close_model(r);
    tiny_close(&r->tiny);
}

/* Tokens [from, to) in chunks; logits of every position go to logits + position * V. */
static void runner_feed(struct runner *r, uint32_t from, uint32_t to, uint32_t chunk, bool far,
                        float *logits)
{
    struct kv_row *rows = mem_array(chunk, sizeof *rows);
    struct kv_row *lower_rows = mem_array(chunk, sizeof *lower_rows);
    uint32_t *wanted = mem_array(chunk, sizeof *wanted);
    uint8_t *bad = mem_array(chunk, 1), *fars = mem_array(chunk, 1);
    memset(fars, far, chunk);
    for (uint32_t at = from; at < to; at += chunk) {
        uint32_t n = to - at < chunk ? to - at : chunk;
        for (uint32_t i = 0; i < n; i++) {
            rows[i] = (struct kv_row){r->pages, at + i};
            lower_rows[i] = (struct kv_row){r->lower_pages, at + i};
            wanted[i] = i;
        }
        struct batch b = {.n_rows = n,
                          .token = r->tiny.tokens + at,
                          .rows = rows,
                          .lower_rows = lower_rows,
                          .logit_rows = wanted,
                          .n_logits = n,
                          .rope_far = fars,
                          .logits = logits + (size_t)at * r->info->n_vocab,
                          .bad = bad};
        mem_guard_begin("model_forward");
        model_forward(r->model, &b);
        mem_guard_end();
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(bad[i], 0);
    }
    mem_free(rows);
    mem_free(lower_rows);
    mem_free(wanted);
    mem_free(bad);
    mem_free(fars);
}

/* All of the tokens; past a LongRoPE border the sequence is read again. */
static float *runner_logits(struct runner *r, uint32_t chunk)
{
    uint32_t n = r->tiny.n_tokens, border = r->info->rope_border;
    size_t v = r->info->n_vocab;
    float *logits = mem_array(n * v, sizeof *logits);
    if (border == 0 || border > n)
        border = n;
    runner_feed(r, 0, border, chunk, false, logits);
    if (border < n) {
        float *again = mem_array(n * v, sizeof *again);
        runner_feed(r, 0, n, chunk, true, again);
        memcpy(logits + border * v, again + border * v, (n - border) * v * sizeof *again);
        mem_free(again);
    }
    return logits;
}

struct distance {
    double kl;    /* mean over positions, nats */
    double worst; /* largest difference of a logit */
    double rms;   /* of the differences, over that of the logits around their mean */
};

static void softmax(const double *x, uint32_t n, double *p)
{
    double max = -INFINITY, sum = 0.0;
    for (uint32_t i = 0; i < n; i++)
        max = fmax(max, x[i]);
    for (uint32_t i = 0; i < n; i++)
        sum += p[i] = exp(x[i] - max);
    for (uint32_t i = 0; i < n; i++)
        p[i] /= sum;
}

static struct distance distance_of(const double *want, const float *got, uint32_t n_rows,
                                   uint32_t n_vocab)
{
    struct distance d = {0};
    double p[256], q[256], x[256], wrong = 0.0, power = 0.0, mean = 0.0;
    size_t n = (size_t)n_rows * n_vocab;
    assert_true(n_vocab <= 256);
    for (size_t i = 0; i < n; i++)
        mean += want[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double off = fabs((double)got[i] - want[i]);
        d.worst = fmax(d.worst, off);
        wrong += off * off;
        power += (want[i] - mean) * (want[i] - mean);
    }
    d.rms = sqrt(wrong / power);
    for (uint32_t t = 0; t < n_rows; t++) {
        for (uint32_t i = 0; i < n_vocab; i++)
            x[i] = (double)got[(size_t)t * n_vocab + i];
        softmax(want + (size_t)t * n_vocab, n_vocab, p);
        softmax(x, n_vocab, q);
        for (uint32_t i = 0; i < n_vocab; i++)
            d.kl += p[i] > 0.0 ? p[i] * log(p[i] / q[i]) / n_rows : 0.0;
    }
    return d;
}

/* These models are random with attention peaked far beyond real ones and expert choices that nearly
 * tie, so rounding shows. A wrong window, scale, bias or rotation shows far more. */
static void the_exact_profile_is_near_f64(void **state)
{
    (void)state;
    for (size_t i = 0; i < TINY_COUNT; i += test_every(3)) {
        struct runner r;
        runner_open(&r, tiny_names[i], 1, "auto", 128);
        if (r.tiny.n_tokens > 200)
            r.tiny.n_tokens = 200;
        uint32_t n = r.tiny.n_tokens, v = r.info->n_vocab;
        double *want = mem_array((size_t)n * v, sizeof *want);
        assert_ok(model_forward_f64(&r.tiny.table, r.tiny.tokens, n, NULL, want, NULL));
        float *got = runner_logits(&r, 128);
        struct distance d = distance_of(want, got, n, v);
        printf("%-14s KL %.1e, logits off by %.1f %% (rms), at most %.2f\n", tiny_names[i], d.kl,
               100 * d.rms, d.worst);
        /* Halves and bfloat16s meet float activations: only the cache rounds. */
        enum dtype t = table_tensor(&r.tiny.table, "blk.0.attn_q.weight")
                           ? table_tensor(&r.tiny.table, "blk.0.attn_q.weight")->dtype
                           : DTYPE_Q8_0;
        bool plain = t == DTYPE_F16 || t == DTYPE_BF16;
        assert_true(d.kl < (plain ? 1e-3 : 0.1));
        assert_true(d.rms < (plain ? 0.01 : 0.2));
        mem_free(want);
        mem_free(got);
        runner_close(&r);
    }
}

static void chunks_and_threads_change_no_bit(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {7, 64, 1};
    for (size_t i = 0; i < TINY_COUNT; i += test_every(3)) {
        float *first = NULL;
        size_t n_bytes = 0;
        for (size_t c = 0; c < COUNT_OF(chunks); c++) {
            struct runner r;
            runner_open(&r, tiny_names[i], chunks[c] == 64 ? 3 : 1, "auto", 64);
            if (r.tiny.n_tokens > 100)
                r.tiny.n_tokens = 100;
            float *logits = runner_logits(&r, chunks[c]);
            n_bytes = (size_t)r.tiny.n_tokens * r.info->n_vocab * sizeof *logits;
            if (!first) {
                first = logits;
            } else {
                assert_memory_equal(logits, first, n_bytes);
                mem_free(logits);
            }
            runner_close(&r);
        }
        mem_free(first);
    }
}

/* Packed at load, packed at every product, and some of both. */
static void matrices_left_in_the_file_change_no_bit(void **state)
{
    (void)state;
    static const size_t rooms[] = {1, 20000, 40000};
    for (size_t i = 0; i < TINY_COUNT; i += test_every(3)) {
        struct runner r;
        runner_open(&r, tiny_names[i], 2, "auto", 16);
        size_t n_bytes = r.tiny.n_tokens * (size_t)r.info->n_vocab * sizeof(float);
        size_t weight_bytes = r.info->weight_bytes;
        bool is_packed = r.device->ops->matrix_bytes(r.device, DTYPE_Q8_0, 64, 64) > 0;
        float *want = runner_logits(&r, 16);
        assert_int_equal(r.info->raw_bytes, 0);
        runner_close(&r);
        for (size_t k = 0; k < COUNT_OF(rooms); k++) {
            runner_open_packed(&r, tiny_names[i], 3, "auto", 16, rooms[k]);
            if (is_packed)
                assert_true(r.info->raw_bytes > 0 && r.info->raw_bytes < weight_bytes);
            float *got = runner_logits(&r, k ? 16 : 1);
            assert_memory_equal(want, got, n_bytes);
            mem_free(got);
            runner_close(&r);
        }
        mem_free(want);
    }
}

static void every_instruction_set_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < TINY_COUNT; i += test_every(3)) {
        float *first = NULL;
        for (const char *const *isa = cpu_isa_names(); *isa; isa++) {
            struct runner r;
            runner_open(&r, tiny_names[i], 1, *isa, 33);
            if (r.tiny.n_tokens > 70)
                r.tiny.n_tokens = 70;
            float *logits = runner_logits(&r, 33);
            size_t n_bytes = (size_t)r.tiny.n_tokens * r.info->n_vocab * sizeof *logits;
            if (first)
                assert_memory_equal(logits, first, n_bytes);
            runner_close(&r);
            if (first)
                mem_free(logits);
            else
                first = logits;
        }
        mem_free(first);
    }
}

/* A device whose memory the host cannot touch, with the layouts of several instruction sets. */
static void memory_of_its_own_changes_no_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < TINY_COUNT; i += test_every(3)) {
        float *first = NULL;
        size_t n_bytes = 0;
        for (int k = 0; k < 4; k++) {
            struct runner r;
            if (k == 0)
                runner_open(&r, tiny_names[i], 1, "auto", 33);
            else
                runner_open_on(&r, tiny_names[i], guarded_open(2, k == 1 ? "scalar" : "auto"), 33,
                               0);
            if (r.tiny.n_tokens > 70)
                r.tiny.n_tokens = 70;
            n_bytes = (size_t)r.tiny.n_tokens * r.info->n_vocab * sizeof *first;
            float *logits = runner_logits(&r, k == 3 ? 1 : 33);
            if (k > 0)
                assert_memory_equal(logits, first, n_bytes);
            if (k == 3)
                assert_true(guarded_of(r.device)->n_repeated > 60 ||
                            guarded_of(r.device)->n_passes == 0); /* experts */
            runner_close(&r);
            if (k > 0)
                mem_free(logits);
            else
                first = logits;
        }
        mem_free(first);
    }
}

static struct device *cpu_open(const char *isa)
{
    struct device *d = NULL;
    assert_ok(cpu_device_open(2, isa, &d, NULL));
    return d;
}

/* What two models have in their first page: the same bytes, the same hash; and of those bytes a
 * page is made that is the same again. */
static void assert_same_page(const struct runner *a, const struct runner *b)
{
    uint8_t *bytes = mem_alloc(a->info->kv_file_bytes), *other = mem_alloc(a->info->kv_file_bytes);
    uint8_t digest[2][SHA256_BYTES];
    struct model_page of_a = {a->pages[0], NULL}, of_b = {b->pages[0], b->lower_pages[0]};
    struct model_page made = {b->pages[PAGES_MAX - 1], b->lower_pages[PAGES_MAX - 1]};
    assert_int_equal(a->info->kv_file_bytes, b->info->kv_file_bytes);
    assert_int_equal(a->info->kv_page_bytes, b->info->kv_page_bytes + b->info->kv_lower_bytes);
    model_kv_export(a->model, of_a, bytes);
    model_kv_export(b->model, of_b, other);
    assert_memory_equal(bytes, other, a->info->kv_file_bytes);
    assert_true(model_kv_plausible(b->model, bytes));
    model_kv_import(b->model, made, bytes);
    memset(other, 0, a->info->kv_file_bytes);
    model_kv_export(b->model, made, other);
    assert_memory_equal(bytes, other, a->info->kv_file_bytes);
    model_kv_digest(a->model, of_a, digest[0]);
    model_kv_digest(b->model, made, digest[1]);
    assert_memory_equal(digest[0], digest[1], SHA256_BYTES);
    mem_free(bytes);
    mem_free(other);
}

/* The first layers on the CPU (all but one; one; none, but the embedding), the others on a device
 * that the host cannot touch, or on another CPU. */
static void layers_on_two_devices_change_no_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < TINY_COUNT; i += test_every(3)) {
        struct runner whole;
        runner_open(&whole, tiny_names[i], 1, "auto", 33);
        if (whole.tiny.n_tokens > 70)
            whole.tiny.n_tokens = 70;
        size_t n_bytes = (size_t)whole.tiny.n_tokens * whole.info->n_vocab * sizeof(float);
        float *want = runner_logits(&whole, 33);
        for (uint32_t n_own = 1; n_own <= whole.info->n_layers; n_own++) {
            struct runner r;
            bool guarded = n_own != 2;
            runner_open_split(&r, tiny_names[i],
                              guarded ? guarded_open(2, "auto") : cpu_open("scalar"),
                              cpu_open(n_own == 1 ? "scalar" : "auto"),
                              whole.info->n_layers - n_own, 33, n_own == 1 ? 20000 : 0);
            r.tiny.n_tokens = whole.tiny.n_tokens;
            float *got = runner_logits(&r, n_own == 1 ? 1 : 33);
            assert_memory_equal(want, got, n_bytes);
            assert_same_page(&whole, &r);
            mem_free(got);
            runner_close(&r);
        }
        mem_free(want);
        runner_close(&whole);
    }
}

enum { MIX = 12 };

/* Two sequences of MIX tokens side by side in one batch, rows alternating; logits of every third
 * row only. */
static void mix(struct runner *r, const int32_t *a, const int32_t *b, float *logits, uint8_t *bad)
{
    struct kv_row rows[2 * MIX], lower_rows[2 * MIX];
    int32_t token[2 * MIX];
    uint32_t wanted[2 * MIX], n_wanted = 0;
    for (uint32_t i = 0; i < 2 * MIX; i++) {
        rows[i] = (struct kv_row){r->pages + i % 2, i / 2};
        lower_rows[i] = (struct kv_row){r->lower_pages + i % 2, i / 2};
        token[i] = i % 2 ? b[i / 2] : a[i / 2];
        if (i % 3 == 2)
            wanted[n_wanted++] = i;
    }
    struct batch batch = {.n_rows = 2 * MIX,
                          .token = token,
                          .rows = rows,
                          .lower_rows = lower_rows,
                          .logit_rows = wanted,
                          .n_logits = n_wanted,
                          .logits = logits,
                          .bad = bad};
    model_forward(r->model, &batch);
}

static void neighbours_in_a_batch_change_no_bit(void **state)
{
    (void)state;
    static const char *const names[] = {"llama", "mixtral", "gemma3", "gpt-oss", "qwen3moe"};
    for (size_t k = 0; k < COUNT_OF(names); k++) {
        struct runner r;
        runner_open(&r, names[k], 2, "auto", 2 * MIX);
        uint32_t v = r.info->n_vocab;
        uint8_t bad[2 * MIX];
        float *mixed = mem_array((size_t)MIX * v, sizeof *mixed);
        mix(&r, r.tiny.tokens, r.tiny.tokens + 50, mixed, bad);
        float *alone = mem_array((size_t)MIX * v, sizeof *alone);
        struct runner split;
        float *apart = mem_array((size_t)MIX * v, sizeof *apart);
        runner_open_split(&split, names[k], guarded_open(2, "auto"), cpu_open("auto"), 1, 2 * MIX,
                          0);
        mix(&split, split.tiny.tokens, split.tiny.tokens + 50, apart, bad);
        assert_memory_equal(mixed, apart, (size_t)(2 * MIX / 3) * v * sizeof *apart);
        mem_free(apart);
        runner_close(&split);
        for (uint32_t s = 0; s < 2; s++) {
            r.tiny.tokens += 50 * s;
            runner_feed(&r, 0, MIX, 5, false, alone);
            r.tiny.tokens -= 50 * s;
            for (uint32_t i = 2, w = 0; i < 2 * MIX; i += 3, w++)
                if (i % 2 == s)
                    assert_memory_equal(mixed + (size_t)w * v, alone + (size_t)(i / 2) * v,
                                        v * sizeof *alone);
        }
        mem_free(mixed);
        mem_free(alone);
        runner_close(&r);
    }
}

/* A token whose embedding overflows spoils its own sequence from there on and nothing else. */
static void a_bad_row_leaves_the_others_alone(void **state)
{
    (void)state;
    struct runner r;
    struct table *t = &r.tiny.table;
    runner_open(&r, "qwen2", 2, "auto", 2 * MIX);
    uint32_t v = r.info->n_vocab;
    uint8_t bad[2 * MIX];
    int32_t a[MIX], b[MIX];
    for (int i = 0; i < MIX; i++) {
        a[i] = i;
        b[i] = 20 + i;
    }
    float *clean = mem_array((size_t)MIX * v, sizeof *clean);
    float *spoilt = mem_array((size_t)MIX * v, sizeof *spoilt);
    mix(&r, a, b, clean, bad);
    for (int i = 0; i < 2 * MIX; i++)
        assert_int_equal(bad[i], 0);
    model_close(r.model);
    /* BF16 0x6280 is 2^70: its square is infinite. The head is the same matrix, so that the token's
     * own logit is another one too, but finite. */
    const struct tensor_view *embd = table_tensor(t, "token_embd.weight");
    uint8_t *data = mem_alloc(embd->n_bytes);
    memcpy(data, embd->data, embd->n_bytes);
    for (uint64_t i = 0; i < embd->dim[0]; i++)
        memcpy(data + (24 * embd->dim[0] + i) * 2, "\x80\x62", 2);
    const void *kept = embd->data;
    ((struct tensor_view *)embd)->data = data;
    struct model_limits limits = {2 * MIX, 1024};
    assert_ok(model_open(t, r.device, limits, NULL, NULL, &r.model, NULL));
    r.info = model_info(r.model);
    mix(&r, a, b, spoilt, bad);
    for (uint32_t i = 0; i < 2 * MIX; i++)
        if (i % 2 == 0 || i / 2 < 4)
            assert_int_equal(bad[i], 0);
    assert_int_equal(bad[2 * 4 + 1], 1); /* the first layer */
    for (uint32_t i = 2, w = 0; i < 2 * MIX; i += 3, w++) {
        float *x = clean + (size_t)w * v, *y = spoilt + (size_t)w * v;
        x[24] = y[24];
        if (i % 2 == 0)
            assert_memory_equal(x, y, v * sizeof *x);
    }
    for (uint32_t n_lower = 0; n_lower < 2; n_lower++) { /* whichever side it goes bad on */
        struct runner split = {.tiny = r.tiny};
        uint8_t bad_split[2 * MIX];
        runner_begin(&split, "qwen2", guarded_open(2, "auto"),
                     (struct model_limits){.n_rows_max = 2 * MIX,
                                           .n_ctx_max = 1024,
                                           .lower = cpu_open("auto"),
                                           .n_lower = n_lower});
        mix(&split, a, b, clean, bad_split);
        assert_memory_equal(bad, bad_split, sizeof bad);
        assert_memory_equal(clean, spoilt, (size_t)(2 * MIX / 3) * v * sizeof *clean);
        runner_close_model(&split);
    }
    ((struct tensor_view *)embd)->data = kept;
    mem_free(data);
    mem_free(clean);
    mem_free(spoilt);
    runner_close(&r);
}

/* A family's matrices as halves, on the CPU or on the emulated card in the profile `fast`. */
static float *halves_logits(const char *name, enum dtype type, bool is_fast, uint32_t n_tokens,
                            uint32_t chunk, double *want, uint32_t *n_vocab)
{
    struct runner r;
    struct arena arena;
    struct device *d = NULL;
    struct err_note note = {""};
    struct model_limits limits = {.n_rows_max = chunk, .n_ctx_max = 1024, .is_fast = is_fast};
    arena_init(&arena, SIZE_MAX);
    tiny_open(&r.tiny, name);
    halve(&r.tiny, type, &arena);
    if (is_fast ? cuda_device_open(0, 0, &d, &note) : cpu_device_open(1, "auto", &d, &note))
        fail_msg("%s", note.text);
    if (is_fast)
        d->ops->fast_begin(d, &note);
    assert_string_equal(note.text, "");
    runner_begin(&r, name, d, limits);
    r.tiny.n_tokens = n_tokens;
    *n_vocab = r.info->n_vocab;
    if (want)
        assert_ok(model_forward_f64(&r.tiny.table, r.tiny.tokens, n_tokens, NULL, want, NULL));
    float *logits = runner_logits(&r, chunk);
    assert_ok(d->ops->status(d, NULL));
    runner_close(&r);
    arena_release(&arena);
    return logits;
}

/* Halves' rounding of activations shows more than the exact profile's cache; the same pass has the
 * same bits, and up to 16 rows every pass has. */
static void the_profile_fast_is_near_f64(void **state)
{
    enum { N = 18, FEW = 5 };
    (void)state;
    static const struct {
        const char *name;
        enum dtype type;
    } models[] = {{"llama", DTYPE_F16},    {"qwen2", DTYPE_BF16}, {"phi3", DTYPE_F16},
                  {"mixtral", DTYPE_BF16}, {"gemma2", DTYPE_F16}, {"gpt-oss", DTYPE_F16}};
    for (size_t i = 0; i < COUNT_OF(models); i += test_every(3)) {
        const char *name = models[i].name;
        enum dtype type = models[i].type;
        bool asks_experts = strcmp(name, "mixtral") == 0 || strcmp(name, "gpt-oss") == 0;
        double *want = mem_array(N * 256, sizeof *want);
        uint32_t v;
        float *exact = halves_logits(name, type, false, N, N, want, &v);
        float *fast = halves_logits(name, type, true, N, N, NULL, &v);
        float *again = halves_logits(name, type, true, N, N, NULL, &v);
        float *few = halves_logits(name, type, true, FEW, FEW, NULL, &v);
        float *one = halves_logits(name, type, true, FEW, 1, NULL, &v);
        struct distance e = distance_of(want, exact, N, v), f = distance_of(want, fast, N, v);
        printf("%-14s %-4s KL exact %.1e, fast %.1e; logits off by %.2f and %.2f %% (rms)\n", name,
               type == DTYPE_F16 ? "F16" : "BF16", e.kl, f.kl, 100 * e.rms, 100 * f.rms);
        assert_memory_equal(fast, again, N * v * sizeof *fast);
        assert_memory_equal(few, one, FEW * v * sizeof *few);
        /* Of experts that nearly tie, another may be asked. */
        assert_true(f.kl < (asks_experts ? 0.1 : (type == DTYPE_F16 ? 5 : 200) * e.kl + 1e-6));
        assert_true(f.rms < (asks_experts ? 0.2 : type == DTYPE_F16 ? 0.005 : 0.02));
        mem_free(want);
        mem_free(exact);
        mem_free(fast);
        mem_free(again);
        mem_free(few);
        mem_free(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_profile_fast_is_near_f64),
        cmocka_unit_test(the_exact_profile_is_near_f64),
        cmocka_unit_test(chunks_and_threads_change_no_bit),
        cmocka_unit_test(matrices_left_in_the_file_change_no_bit),
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(memory_of_its_own_changes_no_bit),
        cmocka_unit_test(layers_on_two_devices_change_no_bit),
        cmocka_unit_test(neighbours_in_a_batch_change_no_bit),
        cmocka_unit_test(a_bad_row_leaves_the_others_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
