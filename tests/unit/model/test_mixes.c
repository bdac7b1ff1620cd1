/* test_mixes.c - a model 256 wide in every mix that isobit quantises to: exact near f64 on the same
 * file, although one row of activations meets matrices of several kinds. */
#include "lib/test.h"

#include <math.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/threads.h"
#include "format/gguf.h"
#include "format/gguf_write.h"
#include "format/metas.h"
#include "format/quantize.h"
#include "model/model.h"

static char source[64], target[64];

enum { D = 256, KV = 128, F = 512, V = 90, LAYERS = 2, N = 40, TENSORS = 2 + 9 * LAYERS + 1 };

/* One tensor of the source; values come when they are written. */
struct maker {
    struct tensor_view views[TENSORS];
    char names[TENSORS][40];
    float gain[TENSORS];
    size_t n;
    uint64_t seed;
};

static void add(struct maker *m, const char *name, uint64_t k, uint64_t n_rows, float gain)
{
    struct tensor_view *v = &m->views[m->n];
    snprintf(m->names[m->n], sizeof m->names[0], "%s", name);
    *v = (struct tensor_view){str_from(m->names[m->n]), DTYPE_F32, n_rows > 1 ? 2 : 1,
                              {k, n_rows, 1, 1},        NULL,      k * n_rows * sizeof(float)};
    m->gain[m->n++] = gain;
}

static void add_layer(struct maker *m, int layer)
{
    static const struct {
        const char *name;
        uint32_t k, n_rows;
        float gain;
    } tensors[] = {
        {"attn_norm", D, 1, 0},   {"attn_q", D, D, 1.5f},   {"attn_k", D, KV, 1.5f},
        {"attn_v", D, KV, 1},     {"attn_output", D, D, 1}, {"ffn_norm", D, 1, 0},
        {"ffn_gate", D, F, 1.5f}, {"ffn_up", D, F, 1.5f},   {"ffn_down", F, D, 1},
    };
    for (size_t i = 0; i < COUNT_OF(tensors); i++) {
        char name[40];
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, tensors[i].name);
        add(m, name, tensors[i].k, tensors[i].n_rows, tensors[i].gain);
    }
}

static enum err draw(void *context, const struct tensor_view *v, uint64_t row, uint64_t n_rows,
                     void *out, struct err_note *note)
{
    struct maker *m = context;
    float gain = 0, *x = out;
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->views[i].name, v->name))
            gain = m->gain[i];
    (void)row;
    (void)note;
    for (uint64_t i = 0; i < v->dim[0] * n_rows; i++)
        x[i] = gain == 0 ? 1.0f + 0.3f * test_randn(&m->seed)
                         : test_randn(&m->seed) * gain / sqrtf((float)v->dim[0]);
    return ERR_OK;
}

static void write_source(void)
{
    struct metas metas;
    static struct maker m;
    struct err_note note = {""};
    m = (struct maker){.seed = 7};
    metas_init(&metas);
    metas_str(&metas, "general.architecture", STR("llama"));
    metas_u32(&metas, "llama.context_length", 512);
    metas_u32(&metas, "llama.embedding_length", D);
    metas_u32(&metas, "llama.block_count", LAYERS);
    metas_u32(&metas, "llama.feed_forward_length", F);
    metas_u32(&metas, "llama.attention.head_count", 8);
    metas_u32(&metas, "llama.attention.head_count_kv", 4);
    metas_f32(&metas, "llama.attention.layer_norm_rms_epsilon", 1e-5);
    add(&m, "token_embd.weight", D, V, 16);
    add(&m, "output_norm.weight", D, 1, 0);
    for (int i = 0; i < LAYERS; i++)
        add_layer(&m, i);
    add(&m, "output.weight", D, V, 2);
    assert_int_equal(m.n, TENSORS);
    assert_ok(metas_status(&metas, &note));
    if (gguf_write(source, metas.items, metas.n_items, m.views, m.n, draw, &m, &note))
        fail_msg("%s", note.text);
    metas_release(&metas);
}

static void quantize_to(const char *mix)
{
    struct table t;
    struct err_note note = {""};
    struct quantize_result result;
    struct quantize_options o = {.mix = mix_find(mix), .threads = threads_new(1)};
    assert_non_null(o.mix);
    assert_ok(gguf_open(source, &t, &note));
    if (table_quantize(&t, target, &o, &result, &note))
        fail_msg("%s: %s", mix, note.text);
    threads_free(o.threads);
    table_close(&t);
}

/* Logits of N tokens in chunks. */
static void run(struct model *m, const int32_t *token, uint32_t chunk, float *logits)
{
    uint8_t *page = mem_pages(model_info(m)->kv_page_bytes), bad[N];
    void *pages[1] = {page};
    struct kv_row rows[N];
    uint32_t wanted[N];
    for (uint32_t i = 0; i < N; i++) {
        rows[i] = (struct kv_row){pages, i};
        wanted[i] = i;
    }
    for (uint32_t at = 0; at < N; at += chunk) {
        uint32_t n = N - at < chunk ? N - at : chunk;
        struct batch b = {.n_rows = n,
                          .token = token + at,
                          .rows = rows + at,
                          .logit_rows = wanted,
                          .n_logits = n,
                          .logits = logits + (size_t)at * V,
                          .bad = bad};
        model_forward(m, &b);
    }
    mem_pages_free(page, model_info(m)->kv_page_bytes);
}

static double kl_of(const double *want, const float *got)
{
    double kl = 0;
    for (int t = 0; t < N; t++) {
        const double *w = want + t * V;
        const float *g = got + t * V;
        double sum_w = 0, sum_g = 0;
        for (int i = 0; i < V; i++) {
            sum_w += exp(w[i]);
            sum_g += exp((double)g[i]);
        }
        for (int i = 0; i < V; i++)
            kl += exp(w[i]) / sum_w * (w[i] - log(sum_w) - (double)g[i] + log(sum_g)) / N;
    }
    return kl;
}

static void measure(const char *mix)
{
    struct table t;
    struct device *device;
    struct model *model;
    struct err_note note = {""};
    struct model_limits limits = {N, 0};
    static double want[N * V];
    static float got[N * V], again[N * V];
    int32_t token[N];
    for (int i = 0; i < N; i++)
        token[i] = i * 37 % V;
    assert_ok(gguf_open(target, &t, &note));
    assert_ok(cpu_device_open(1, "auto", &device, &note));
    if (model_open(&t, device, limits, NULL, NULL, &model, &note))
        fail_msg("%s: %s", mix, note.text);
    assert_ok(model_forward_f64(&t, token, N, NULL, want, &note));
    run(model, token, N, got);
    run(model, token, 3, again);
    assert_memory_equal(got, again, sizeof got);
    double kl = kl_of(want, got);
    printf("%-7s KL %.1e\n", mix, kl);
    assert_true(kl < 4e-3);
    model_close(model);
    device->ops->close(device);
    table_close(&t);
}

static void exact_is_near_f64_in_every_mix(void **state)
{
    (void)state;
    static const char *const mixes[] = {"Q2_K", "Q3_K_M", "Q4_K_M", "Q6_K",
                                        "Q8_0", "Q4_0",   "IQ4_XS"};
    snprintf(source, sizeof source, "/tmp/isobit-test-mix-source-%d.gguf", (int)getpid());
    snprintf(target, sizeof target, "/tmp/isobit-test-mix-%d.gguf", (int)getpid());
    write_source();
    for (size_t i = 0; i < COUNT_OF(mixes); i += test_every(3)) {
        quantize_to(mixes[i]);
        measure(mixes[i]);
    }
    unlink(source);
    unlink(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_is_near_f64_in_every_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
