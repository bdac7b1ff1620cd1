/* test_parity.c - nonces through tiny models: near PyTorch's artifacts, and the same bits whatever
 * else is in the batch, however it is cut, on every instruction set. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "device/device.h"
#include "model/model.h"
#include "poc/artifact.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"
#include "unit/model/tiny.h"

#include "golden/poc/parity.h"

enum { SEQUENCES = PARITY_NONCES + 1, PAGES = 2, TOKENS = 50, K = 12 };

/* A model, what its nonces put in, and pages for them and for one text. */
struct bench {
    struct tiny tiny;
    struct device *device;
    struct model *model;
    const struct model_info *info;
    uint8_t *memory;
    void *pages[SEQUENCES][PAGES];
    float *input;   /* [nonces, rows, D] */
    float *mirrors; /* [layers, D] */
    float *hidden;  /* [nonces, D] */
    float *logits;  /* [V] after the text's last token */
};

static const struct artifact_key parity_key = {"PARITY_BLOCK", "gonka1parity"};

static void bench_open(struct bench *b, const struct parity *p, int n_threads, const char *isa)
{
    struct err_note note = {""};
    struct model_limits limits = {.n_rows_max = 512};
    tiny_open(&b->tiny, p->name);
    if (cpu_device_open(n_threads, isa, &b->device, &note) ||
        model_open(&b->tiny.table, b->device, limits, NULL, NULL, &b->model, &note))
        fail_msg("%s: %s", p->name, note.text);
    b->info = model_info(b->model);
    size_t d = b->info->n_embd, n = PARITY_ROWS * d;
    enum dtype dtype = p->is_bf16 ? DTYPE_BF16 : DTYPE_F16;
    b->memory = mem_pages(SEQUENCES * PAGES * b->info->kv_page_bytes);
    for (size_t i = 0; i < SEQUENCES * PAGES; i++)
        b->pages[i / PAGES][i % PAGES] = b->memory + i * b->info->kv_page_bytes;
    b->input = mem_array(PARITY_NONCES * n, sizeof *b->input);
    b->mirrors = mem_array(b->info->n_layers * d, sizeof *b->mirrors);
    b->hidden = mem_array(PARITY_NONCES * d, sizeof *b->hidden);
    b->logits = mem_array(b->info->n_vocab, sizeof *b->logits);
    for (uint32_t i = 0; i < PARITY_NONCES; i++)
        artifact_inputs(&parity_key, i, false, dtype, 0, 1, n, b->input + i * n);
    for (uint32_t i = 0; i < b->info->n_layers; i++)
        artifact_mirror(parity_key.block_hash, i, dtype, b->info->n_embd, b->mirrors + i * d);
}

static void bench_close(struct bench *b)
{
    mem_pages_free(b->memory, SEQUENCES * PAGES * b->info->kv_page_bytes);
    mem_free(b->input);
    mem_free(b->mirrors);
    mem_free(b->hidden);
    mem_free(b->logits);
    model_close(b->model);
    b->device->ops->close(b->device);
    tiny_close(&b->tiny);
}

/* Every sequence advances by up to `each` rows a pass; the last one is a text of tokens. */
static void bench_run(struct bench *b, uint32_t each, bool with_nonces, bool with_text)
{
    enum { ROWS_MAX = 512 };
    size_t d = b->info->n_embd, v = b->info->n_vocab;
    int32_t token[ROWS_MAX];
    struct kv_row rows[ROWS_MAX];
    const float *input[ROWS_MAX], *mirrors[ROWS_MAX];
    uint32_t wanted[SEQUENCES], of[SEQUENCES];
    uint8_t bad[ROWS_MAX];
    float *hidden = mem_array(SEQUENCES * d, sizeof *hidden);
    float *logits = mem_array(SEQUENCES * v, sizeof *logits);
    memset(b->memory, 0xff, SEQUENCES * PAGES * b->info->kv_page_bytes);
    for (uint32_t at = 0; at < TOKENS; at += each) {
        struct batch batch = {.token = token, .rows = rows, .logit_rows = wanted, .bad = bad,
                              .logits = logits, .hidden = hidden, .input = input,
                              .mirrors = mirrors};
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            bool is_text = s == PARITY_NONCES;
            uint32_t end = is_text ? TOKENS : PARITY_ROWS;
            for (uint32_t i = at; (is_text ? with_text : with_nonces) && i < at + each && i < end;
                 i++) {
                uint32_t row = batch.n_rows++;
                token[row] = is_text ? b->tiny.tokens[i] : 0;
                rows[row] = (struct kv_row){b->pages[s], i};
                input[row] = is_text ? NULL : b->input + ((size_t)s * PARITY_ROWS + i) * d;
                mirrors[row] = is_text ? NULL : b->mirrors;
                if (i + 1 == end) {
                    of[batch.n_logits] = s;
                    wanted[batch.n_logits++] = row;
                }
            }
        }
        if (batch.n_rows == 0)
            continue;
        mem_guard_begin("model_forward");
        model_forward(b->model, &batch);
        mem_guard_end();
        b->device->ops->wait(b->device);
        for (uint32_t i = 0; i < batch.n_rows; i++)
            assert_int_equal(bad[i], 0);
        for (uint32_t i = 0; i < batch.n_logits; i++) {
            if (of[i] == PARITY_NONCES)
                memcpy(b->logits, logits + i * v, v * sizeof *logits);
            else
                memcpy(b->hidden + of[i] * d, hidden + i * d, d * sizeof *hidden);
        }
    }
    mem_free(hidden);
    mem_free(logits);
}

static double distance_of(const uint16_t *halves, const float *want)
{
    double square = 0;
    for (int i = 0; i < K; i++)
        square += pow((double)f16_widen(halves[i]) - (double)want[i], 2);
    return sqrt(square);
}

static void artifacts_are_near_pytorchs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(PARITY); i++) {
        const struct parity *p = &PARITY[i];
        struct bench b;
        double off[3] = {0};
        bench_open(&b, p, 1, "auto");
        bench_run(&b, 64, true, false);
        uint32_t d = b.info->n_embd;
        double *wide = mem_array(d, sizeof *wide);
        float *row = mem_array(d, sizeof *row);
        for (uint32_t n = 0; n < PARITY_NONCES; n += test_every(3)) {
            uint16_t halves[K];
            assert_true(artifact_make(&parity_key, n, b.hidden + n * d, d, K, ARTIFACT_ORDER_INDEX,
                                      halves));
            off[0] = fmax(off[0], distance_of(halves, p->artifacts[n]));
            off[1] = fmax(off[1], distance_of(halves, p->f64[n]));
            assert_ok(model_rows_f64(&b.tiny.table, b.input + n * PARITY_ROWS * d, b.mirrors,
                                     PARITY_ROWS, NULL, wide, NULL));
            for (uint32_t k = 0; k < d; k++)
                row[k] = (float)wide[k];
            assert_true(artifact_make(&parity_key, n, row, d, K, ARTIFACT_ORDER_INDEX, halves));
            off[2] = fmax(off[2], distance_of(halves, p->f64[n]));
        }
        printf("%-12s from PyTorch's %s %.4f, from its float64 %.4f; our f64 from it %.5f\n",
               p->name, p->is_bf16 ? "bfloat16" : "float16", off[0], off[1], off[2]);
        assert_true(off[0] < (p->is_bf16 ? 0.15 : 0.02)); /* bfloat16 itself is 0.08 off float64 */
        assert_true(off[1] < 0.02);
        assert_true(off[2] < 0.002);
        mem_free(wide);
        mem_free(row);
        bench_close(&b);
    }
}

static void batches_change_no_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(PARITY); i++) {
        struct bench first;
        bench_open(&first, &PARITY[i], 1, "scalar");
        size_t n_hidden = PARITY_NONCES * first.info->n_embd * sizeof(float);
        size_t n_logits = first.info->n_vocab * sizeof(float);
        bench_run(&first, TOKENS, true, false);
        bench_run(&first, TOKENS, false, true);
        for (const char *const *isa = cpu_isa_names(); *isa; isa++) {
            static const uint32_t each[] = {7, TOKENS, 1};
            for (size_t k = 0; k < COUNT_OF(each); k += test_every(3)) {
                struct bench b;
                bench_open(&b, &PARITY[i], k == 0 ? 3 : 1, *isa);
                bench_run(&b, each[k], true, true);
                assert_memory_equal(b.hidden, first.hidden, n_hidden);
                assert_memory_equal(b.logits, first.logits, n_logits);
                bench_close(&b);
            }
        }
        bench_close(&first);
    }
}

/* A text's embeddings given as rows are the text. */
static void rows_of_tokens_are_tokens(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, &PARITY[0], 1, "auto");
    const struct tensor_view *embd = table_tensor(&b.tiny.table, "token_embd.weight");
    uint32_t d = b.info->n_embd, v = b.info->n_vocab;
    float *given = mem_array((size_t)PARITY_ROWS * d, sizeof *given);
    struct kv_row rows[PARITY_ROWS];
    const float *input[PARITY_ROWS];
    int32_t none[PARITY_ROWS] = {0};
    uint8_t bad[PARITY_ROWS];
    uint32_t last = PARITY_ROWS - 1;
    float *logits[2];
    for (uint32_t i = 0; i < PARITY_ROWS; i++) {
        input[i] = given + (size_t)i * d;
        rows[i] = (struct kv_row){b.pages[0], i};
        quant_decode_row(embd->dtype,
                         (const uint8_t *)embd->data +
                             (size_t)b.tiny.tokens[i] * dtype_row_bytes(embd->dtype, d),
                         given + (size_t)i * d, d);
    }
    for (int k = 0; k < 2; k++) {
        logits[k] = mem_array(v, sizeof *logits[k]);
        struct batch batch = {.n_rows = PARITY_ROWS, .token = k ? none : b.tiny.tokens,
                              .rows = rows, .logit_rows = &last, .n_logits = 1,
                              .logits = logits[k], .bad = bad, .input = k ? input : NULL};
        model_forward(b.model, &batch);
    }
    assert_memory_equal(logits[0], logits[1], v * sizeof *logits[0]);
    mem_free(logits[0]);
    mem_free(logits[1]);
    mem_free(given);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(artifacts_are_near_pytorchs),
        cmocka_unit_test(batches_change_no_bit),
        cmocka_unit_test(rows_of_tokens_are_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
