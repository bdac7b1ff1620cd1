/* cpu.c - the CPU as a device: splits every operation into tasks for the thread pool.
 *
 * Which worker runs a task, and how many there are, never changes a result: tasks write disjoint
 * memory, and no sum crosses a task. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/threads.h"
#include "device/cpu/isa.h"
#include "device/cpu/scalar.h"
#include "numeric/func.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

struct cpu {
    struct device base; /* first: a struct device * is a struct cpu * */
    struct threads *threads;
    struct cpu_isa isa;
    bool in_place; /* the set multiplies GGUF rows as they are: nothing to pack */
};

static struct cpu *cpu_of(struct device *d)
{
    return (struct cpu *)d;
}

/* A range [0, n) cut into tasks of `step` items. */
struct split {
    const struct cpu *cpu;
    const void *args;
    uint32_t n, step;
};

static uint32_t split_begin(const struct split *s, size_t task)
{
    return (uint32_t)task * s->step;
}
static uint32_t split_end(const struct split *s, size_t task)
{
    uint32_t end = split_begin(s, task) + s->step;
    return end < s->n ? end : s->n;
}

/* About four tasks per thread, each a multiple of `unit` items, so that a slow thread waits little.
 */
static void run_split(struct cpu *c, uint32_t n, uint32_t unit, threads_fn *fn, const void *args)
{
    uint32_t n_parts = 4 * (uint32_t)threads_count(c->threads);
    uint32_t step = (n + n_parts - 1) / n_parts;
    step = (step + unit - 1) / unit * unit;
    struct split s = {c, args, n, step};
    if (n)
        threads_run(c->threads, (n + step - 1) / step, fn, &s);
}

static void cpu_wait(struct device *d)
{
    (void)d;
}

static void cpu_close(struct device *d)
{
    threads_free(cpu_of(d)->threads);
    mem_free(d);
}

static size_t cpu_matrix_bytes(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    return cpu_of(d)->in_place ? 0 : cpu_of(d)->isa.matrix_bytes(t, n_rows, n_cols);
}

struct pack_args {
    enum dtype t;
    uint32_t n_rows, n_cols;
    const void *rows;
    void *packed;
};

static void pack_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct pack_args *a = s->args;
    (void)worker;
    s->cpu->isa.matrix_pack(a->t, a->n_rows, a->n_cols, a->rows, split_begin(s, i), split_end(s, i),
                            a->packed);
}

static void cpu_matrix_pack(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols,
                            const void *rows, void *packed)
{
    struct pack_args a = {t, n_rows, n_cols, rows, packed};
    run_split(cpu_of(d), n_rows, cpu_of(d)->isa.row_step, pack_task, &a);
}

static size_t cpu_acts_bytes(struct device *d, enum act_kind kind, uint32_t n_rows, uint32_t n_cols)
{
    return cpu_of(d)->isa.acts_bytes(kind, n_rows, n_cols);
}

struct quantize_args {
    const float *x;
    size_t stride;
    struct acts *a;
    uint8_t *bad;
};

static void quantize_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct quantize_args *q = s->args;
    (void)worker;
    s->cpu->isa.quantize(q->x, q->stride, q->a, split_begin(s, i), split_end(s, i), q->bad);
}

static void cpu_quantize(struct device *d, const float *x, size_t stride, struct acts *a,
                         uint8_t *bad)
{
    struct quantize_args q = {x, stride, a, bad};
    run_split(cpu_of(d), a->n_rows, cpu_of(d)->isa.acts_step, quantize_task, &q);
}

static void matmul_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    (void)worker;
    s->cpu->isa.matmul(s->args, split_begin(s, i), split_end(s, i));
}

static void cpu_matmul(struct device *d, const struct matrix *w, const struct acts *a,
                       const float *bias, float *y, size_t stride)
{
    CHECK(w->n_cols == a->n_cols && a->kind == act_kind_of(w->dtype));
    struct matmul_args m = {w, a, bias, y, stride};
    if (a->n_rows)
        run_split(cpu_of(d), w->n_rows, cpu_of(d)->isa.row_step, matmul_task, &m);
}

static void cpu_embed(struct device *d, enum dtype t, const void *rows, uint32_t n_cols,
                      const int32_t *token, uint32_t n_tokens, float scale, float *y, size_t stride)
{
    size_t n_bytes = dtype_row_bytes(t, n_cols);
    (void)d;
    for (uint32_t i = 0; i < n_tokens; i++) {
        float *out = y + i * stride;
        quant_decode_row(t, (const uint8_t *)rows + (size_t)token[i] * n_bytes, out, n_cols);
        for (uint32_t k = 0; scale != 1.0f && k < n_cols; k++)
            out[k] = out[k] * scale;
    }
}

struct rmsnorm_args {
    const float *x, *w;
    size_t stride_x, stride_y;
    float eps, *y;
    uint32_t n;
};

static void rmsnorm_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct rmsnorm_args *a = s->args;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++)
        s->cpu->isa.rmsnorm(a->x + t * a->stride_x, a->w, a->eps, a->n, a->y + t * a->stride_y);
}

static void cpu_rmsnorm(struct device *d, const float *x, size_t stride_x, const float *w,
                        float eps, uint32_t n_rows, uint32_t n, float *y, size_t stride_y)
{
    struct rmsnorm_args a = {x, w, stride_x, stride_y, eps, y, n};
    run_split(cpu_of(d), n_rows, 1, rmsnorm_task, &a);
}

static void rope_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct rope_args *a = s->args;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++)
        for (uint32_t h = 0; h < a->n_heads; h++)
            s->cpu->isa.rope(a->x + t * a->stride + h * a->head_size, a->n_rot, a->interleaved,
                             a->cos + (size_t)t * (a->n_rot / 2),
                             a->sin + (size_t)t * (a->n_rot / 2));
}

static void cpu_rope(struct device *d, const struct rope_args *a)
{
    CHECK(a->n_rot % 2 == 0 && a->n_rot <= a->head_size);
    run_split(cpu_of(d), a->n_rows, 1, rope_task, a);
}

static void kv_write_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    (void)worker;
    for (uint32_t g = split_begin(s, i); g < split_end(s, i); g++)
        s->cpu->isa.kv_write(s->args, g);
}

static void cpu_kv_write(struct device *d, const struct kv_write_args *a)
{
    CHECK(a->shape.head_size % 4 == 0 && a->shape.head_size <= HEAD_SIZE_MAX);
    run_split(cpu_of(d), a->shape.n_kv_heads, 1, kv_write_task, a);
}

static void attention_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct attention_args *a = s->args;
    (void)worker;
    for (uint32_t k = split_begin(s, i); k < split_end(s, i); k++)
        s->cpu->isa.attention(a, k / a->shape.n_kv_heads, k % a->shape.n_kv_heads);
}

static void cpu_attention(struct device *d, const struct attention_args *a)
{
    CHECK(a->n_heads % a->shape.n_kv_heads == 0);
    CHECK(a->n_heads / a->shape.n_kv_heads <= GROUP_HEADS_MAX);
    run_split(cpu_of(d), a->n_rows * a->shape.n_kv_heads, 1, attention_task, a);
}

struct glu_args {
    enum act_fn fn;
    const float *gate, *up;
    size_t stride_gate, stride_up, stride_y;
    uint32_t n;
    float *y;
};

static void glu_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct glu_args *a = s->args;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++)
        s->cpu->isa.glu(a->fn, a->gate + t * a->stride_gate, a->up + t * a->stride_up, a->n,
                        a->y + t * a->stride_y);
}

static void cpu_glu(struct device *d, enum act_fn fn, const float *gate, size_t stride_gate,
                    const float *up, size_t stride_up, uint32_t n_rows, uint32_t n, float *y,
                    size_t stride_y)
{
    struct glu_args a = {fn, gate, up, stride_gate, stride_up, stride_y, n, y};
    run_split(cpu_of(d), n_rows, 1, glu_task, &a);
}

struct add_args {
    float *x;
    const float *y;
    size_t stride_x, stride_y;
    uint32_t n;
    float scale;
};

static void add_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct add_args *a = s->args;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++)
        s->cpu->isa.add(a->x + t * a->stride_x, a->y + t * a->stride_y, a->n, a->scale);
}

static void cpu_add(struct device *d, float *x, size_t stride_x, const float *y, size_t stride_y,
                    uint32_t n_rows, uint32_t n, float scale)
{
    struct add_args a = {x, y, stride_x, stride_y, n, scale};
    run_split(cpu_of(d), n_rows, 1, add_task, &a);
}

struct logits_args {
    float *x, cap;
    size_t stride;
    uint32_t n;
    uint8_t *bad;
};

static void logits_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct logits_args *a = s->args;
    float per_cap = a->cap != 0 ? num_recip(a->cap) : 0.0f;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++) {
        float *x = a->x + t * a->stride;
        for (uint32_t k = 0; k < a->n; k++) {
            if (!f32_is_finite(x[k]))
                a->bad[t] = 1;
            x[k] = a->cap != 0 ? num_tanh(x[k] * per_cap) * a->cap + 0.0f : x[k] + 0.0f;
        }
    }
}

static void cpu_logits(struct device *d, float *x, size_t stride, uint32_t n_rows, uint32_t n,
                       float cap, uint8_t *bad)
{
    struct logits_args a = {x, cap, stride, n, bad};
    run_split(cpu_of(d), n_rows, 1, logits_task, &a);
}

static const struct device_ops cpu_ops = {
    .name = "cpu",
    .close = cpu_close,
    .wait = cpu_wait,
    .matrix_bytes = cpu_matrix_bytes,
    .matrix_pack = cpu_matrix_pack,
    .acts_bytes = cpu_acts_bytes,
    .quantize = cpu_quantize,
    .matmul = cpu_matmul,
    .embed = cpu_embed,
    .rmsnorm = cpu_rmsnorm,
    .rope = cpu_rope,
    .kv_write = cpu_kv_write,
    .attention = cpu_attention,
    .glu = cpu_glu,
    .add = cpu_add,
    .logits = cpu_logits,
};

enum err cpu_device_open(int n_threads, const char *isa, struct device **d, struct err_note *note)
{
    const char *const *names = cpu_isa_names(), *wanted = isa;
    if (strcmp(isa, "auto") == 0)
        for (const char *const *n = names; *n; n++)
            wanted = *n;
    struct cpu *c = mem_zalloc(sizeof *c);
    if (!c)
        return err_set(note, ERR_MEMORY, "out of memory opening the CPU");
    if (!cpu_isa_find(wanted, &c->isa)) {
        mem_free(c);
        char have[64] = "";
        for (const char *const *n = names; *n; n++) {
            strncat(have, n == names ? "" : ", ", sizeof have - strlen(have) - 1);
            strncat(have, *n, sizeof have - strlen(have) - 1);
        }
        return err_set(note, ERR_UNSUPPORTED,
                       "instruction set '%s' is not available on this machine (it has: %s)", wanted,
                       have);
    }
    struct cpu_isa scalar;
    cpu_isa_scalar(&scalar);
    c->in_place = c->isa.matrix_pack == scalar.matrix_pack;
    c->threads = threads_new(n_threads);
    if (!c->threads) {
        mem_free(c);
        return err_set(note, ERR_MEMORY, "cannot start %d threads", n_threads);
    }
    c->base.ops = &cpu_ops;
    *d = &c->base;
    return ERR_OK;
}

size_t kv_layer_bytes(struct kv_shape s)
{
    return s.n_kv_heads * kv_head_bytes(s.head_size);
}

static uint8_t *put_i16(uint8_t *out, int16_t x)
{
    *out++ = (uint8_t)x;
    *out++ = (uint8_t)((uint16_t)x >> 8);
    return out;
}

static uint8_t *put_f32(uint8_t *out, float x)
{
    uint32_t bits = num_bits(x);
    for (int i = 0; i < 4; i++)
        *out++ = (uint8_t)(bits >> 8 * i);
    return out;
}

size_t kv_export(const void *layer_part, struct kv_shape s, uint32_t n, uint8_t *out)
{
    uint8_t *start = out;
    uint32_t e = s.head_size;
    for (uint32_t g = 0; g < s.n_kv_heads; g++) {
        const uint8_t *part = (const uint8_t *)layer_part + g * kv_head_bytes(e);
        const float *scales = (const float *)(part + KV_PAGE * 2 * (e + kv_round16(e)));
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t d = 0; d < e; d++)
                out = put_i16(out, kv_load(part, kv_key_at(e, i, d)));
            for (uint32_t d = 0; d < e; d++)
                out = put_i16(out, kv_load(part, kv_value_at(e, i, d)));
            for (int k = 0; k < 3; k++)
                out = put_f32(out, scales[k * KV_PAGE + i]);
        }
    }
    return (size_t)(out - start);
}
