/* cpu.c - the CPU as a device: splits every operation into tasks for the thread pool.
 *
 * Which worker runs a task, and how many there are, never changes a result: tasks write disjoint
 * memory, and no sum crosses a task. */
#include <float.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/room.h"
#include "base/threads.h"
#include "device/cpu/experts.h"
#include "device/cpu/isa.h"
#include "device/cpu/scalar.h"
#include "numeric/func.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

struct cpu {
    struct device base; /* first: a struct device * is a struct cpu * */
    struct threads *threads;
    struct cpu_isa isa;
    bool in_place;      /* the set multiplies GGUF rows as they are, but for F32's subnormals */
    uint8_t *raw;       /* for each thread, row_step rows of a raw matrix, packed */
    size_t n_bytes_raw; /* for one thread */
    /* Attention of rows that are cut along their pages: what each group gave, and how many ranges
     * of a row's kv head are done. Only what is used of it becomes memory. */
    float *parts;        /* PART_FLOATS */
    atomic_uint *n_done; /* [CELLS_MAX], all 0 between operations */
};

enum { TASKS_PER_THREAD = 16, RANGES_PER_THREAD = 4, CELLS_MAX = 4096, PART_FLOATS = 8 << 20 };

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

/* Up to TASKS_PER_THREAD tasks per thread, each a multiple of `unit` items: a thread walks through
 * its own in order, and the smaller they are the less the first to be ready waits for the last. */
static void run_split(struct cpu *c, uint32_t n, uint32_t unit, threads_fn *fn, const void *args)
{
    uint32_t n_parts = TASKS_PER_THREAD * (uint32_t)threads_count(c->threads);
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
    struct cpu *c = cpu_of(d);
    if (c->threads)
        mem_pages_free(c->raw, c->n_bytes_raw * (size_t)threads_count(c->threads));
    threads_free(c->threads);
    mem_pages_free(c->parts, PART_FLOATS * sizeof c->parts[0]);
    mem_free(c->n_done);
    mem_free(c);
}

/* ---- memory ---- */

static enum err cpu_status(struct device *d, struct err_note *note)
{
    (void)d, (void)note;
    return ERR_OK;
}

static enum err cpu_mem_take(struct device *d, size_t n_bytes, const char *what, void **p,
                             struct err_note *note)
{
    (void)d;
    *p = mem_pages(n_bytes);
    if (*p)
        return ERR_OK;
    return err_set(note, ERR_MEMORY, "out of memory for %s, %.1f MiB", what,
                   (double)n_bytes / 0x1p20);
}

static void cpu_mem_give(struct device *d, void *p, size_t n_bytes)
{
    (void)d;
    mem_pages_free(p, n_bytes);
}

static size_t cpu_mem_left(struct device *d, size_t *n_bytes)
{
    (void)d;
    *n_bytes = mem_room_find().n_bytes;
    return *n_bytes;
}

static void cpu_copy(struct device *d, void *to, const void *from, size_t n_bytes)
{
    (void)d;
    memcpy(to, from, n_bytes);
}

static void cpu_zero(struct device *d, void *to, size_t n_bytes)
{
    (void)d;
    memset(to, 0, n_bytes);
}

static void cpu_rows(struct device *d, const struct kv_row *rows, uint32_t n)
{
    (void)d, (void)rows, (void)n;
}

static bool cpu_pass_begin(struct device *d, uint64_t key)
{
    (void)d, (void)key;
    return false;
}

/* ---- operations ---- */

static size_t cpu_matrix_bytes(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    return cpu_of(d)->in_place && t != DTYPE_F32 ? 0
                                                 : cpu_of(d)->isa.matrix_bytes(t, n_rows, n_cols);
}

static void cpu_matrix_pack(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols,
                            const void *rows, void *packed)
{
    cpu_of(d)->isa.matrix_pack(t, n_rows, n_cols, rows, 0, n_rows, packed);
}

static enum err cpu_raw_reserve(struct device *d, enum dtype t, uint32_t n_cols,
                                struct err_note *note)
{
    struct cpu *c = cpu_of(d);
    size_t n_bytes = c->isa.matrix_bytes(t, c->isa.row_step, n_cols), all;
    size_t n_threads = (size_t)threads_count(c->threads);
    if (n_bytes <= c->n_bytes_raw)
        return ERR_OK;
    mem_pages_free(c->raw, c->n_bytes_raw * n_threads);
    n_bytes = (n_bytes + 63) & ~(size_t)63;
    c->raw = mul_ok(n_bytes, n_threads, &all) ? mem_pages(all) : NULL;
    c->n_bytes_raw = c->raw ? n_bytes : 0;
    return c->raw ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for products from a file");
}

static size_t cpu_acts_bytes(struct device *d, enum act_kind kind, uint32_t n_rows, uint32_t n_cols)
{
    return cpu_of(d)->isa.acts_bytes(kind, n_rows, n_cols);
}

/* `exact` is the CPU's only profile. */
static enum act_kind cpu_fast_kind(struct device *d, enum dtype t, uint32_t n_cols)
{
    (void)d, (void)n_cols;
    return act_kind_of(t);
}

static void cpu_fast_begin(struct device *d, struct err_note *note)
{
    (void)d;
    note->text[0] = 0;
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

/* Rows [row0, row1) of a product with a raw matrix: row_step rows are packed, then multiplied. */
static void matmul_raw(const struct cpu *c, const struct matmul_args *m, uint32_t row0,
                       uint32_t row1, uint8_t *packed)
{
    const struct matrix *w = m->w;
    size_t row_bytes = dtype_row_bytes(w->dtype, w->n_cols);
    for (uint32_t n = row0; n < row1; n += c->isa.row_step) {
        uint32_t n_rows = row1 - n < c->isa.row_step ? row1 - n : c->isa.row_step;
        const uint8_t *rows = (const uint8_t *)w->data + n * row_bytes;
        struct matrix piece = {w->dtype, n_rows, w->n_cols, packed, c->n_bytes_raw, false};
        struct matmul_args part = {&piece, m->a, m->bias ? m->bias + n : NULL, m->y + n, m->stride};
        c->isa.matrix_pack(w->dtype, n_rows, w->n_cols, rows, 0, n_rows, packed);
        c->isa.matmul(&part, 0, n_rows);
    }
}

static void matmul_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct matmul_args *m = s->args;
    const struct cpu *c = s->cpu;
    if (m->w->is_raw)
        matmul_raw(c, m, split_begin(s, i), split_end(s, i),
                   c->raw + (size_t)worker * c->n_bytes_raw);
    else
        c->isa.matmul(m, split_begin(s, i), split_end(s, i));
}

static void cpu_matmul(struct device *d, const struct matrix *w, const struct acts *a,
                       const float *bias, float *y, size_t stride)
{
    CHECK(w->n_cols == a->n_cols && a->kind == act_kind_of(w->dtype));
    CHECK(!w->is_raw || cpu_of(d)->isa.matrix_bytes(w->dtype, cpu_of(d)->isa.row_step, w->n_cols) <=
                            cpu_of(d)->n_bytes_raw);
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

/* The second half of an operation whose rows go into products. */
static void quantize_all(struct device *d, const float *x, size_t stride, const struct acts *acts,
                         uint32_t n_acts, uint8_t *bad)
{
    for (uint32_t i = 0; i < n_acts; i++) {
        struct acts a = acts[i];
        cpu_quantize(d, x, stride, &a, bad);
    }
}

static void norm_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct norm_args *a = s->args;
    const struct cpu_isa *isa = &s->cpu->isa;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++) {
        float *x = a->x + t * a->stride_x, *y = a->y + t * a->stride_y;
        float *add = a->add ? a->add + t * a->stride_add : NULL;
        if (add && a->add_norm)
            isa->rmsnorm(add, a->add_norm, a->eps, a->n, add);
        if (add)
            isa->add(x, add, a->n, 1.0f);
        if (a->is_layernorm)
            isa->layernorm(x, a->w, a->b, a->eps, a->n, y);
        else
            isa->rmsnorm(x, a->w, a->eps, a->n, y);
    }
}

static void cpu_norm(struct device *d, const struct norm_args *a)
{
    CHECK(!a->add_norm || a->add);
    run_split(cpu_of(d), a->n_rows, 1, norm_task, a);
    quantize_all(d, a->y, a->stride_y, a->acts, a->n_acts, a->bad);
}

/* Norm and rotation of a row's heads of queries, then of keys. */
static void turn_heads(const struct cpu_isa *isa, const struct kv_write_args *a, float *x,
                       uint32_t n_heads, const float *w, uint32_t t)
{
    uint32_t e = a->shape.head_size, half = a->n_rot / 2;
    for (uint32_t h = 0; h < n_heads; h++, x += e) {
        if (w)
            isa->rmsnorm(x, w, a->eps, e, x);
        if (half)
            isa->rope(x, a->n_rot, a->interleaved, a->cos + (size_t)t * half,
                      a->sin + (size_t)t * half);
    }
}

static void turn_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct kv_write_args *a = s->args;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++) {
        turn_heads(&s->cpu->isa, a, a->q + t * a->stride_q, a->n_heads, a->q_norm, t);
        turn_heads(&s->cpu->isa, a, a->k + t * a->stride_k, a->shape.n_kv_heads, a->k_norm, t);
    }
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
    CHECK(a->n_rot % 2 == 0 && a->n_rot <= a->shape.head_size);
    if (a->n_rot || a->q_norm || a->k_norm)
        run_split(cpu_of(d), a->n_rows, 1, turn_task, a);
    run_split(cpu_of(d), a->shape.n_kv_heads, 1, kv_write_task, a);
}

/* How an attention operation is cut: blocks of rows times kv heads, and where those are few, each
 * row's pages into n_ranges runs of whole groups as well. */
struct attention_split {
    const struct cpu *cpu;
    struct attention_job job;
    uint32_t n_rows; /* of a block */
    uint32_t n_ranges;
    size_t part_floats; /* of a kv head of a row */
};

/* Later rows see more: the longest come first, so that the last to be taken are short. */
static void attention_task(void *context, size_t i, int worker)
{
    const struct attention_split *s = context;
    const struct attention_args *a = s->job.args;
    uint32_t g = a->shape.n_kv_heads, n_blocks = (a->n_rows + s->n_rows - 1) / s->n_rows;
    struct attention_unit u = {.job = &s->job, .kv_head = (uint32_t)(i % g)};
    (void)worker;
    u.row0 = (n_blocks - 1 - (uint32_t)(i / g)) * s->n_rows;
    u.row1 = u.row0 + s->n_rows < a->n_rows ? u.row0 + s->n_rows : a->n_rows;
    s->cpu->isa.attention(&u);
}

static uint32_t count_groups(const struct attention_args *a, const struct kv_row *row)
{
    uint32_t first = attention_first(a, row) / KV_PAGE / KV_PAGES_PER_GROUP;
    return row->position / KV_PAGE / KV_PAGES_PER_GROUP - first + 1;
}

/* One range of the groups of one row and kv head; whoever is last to finish one joins them all. */
static void attention_range_task(void *context, size_t i, int worker)
{
    const struct attention_split *s = context;
    const struct attention_args *a = s->job.args;
    size_t cell = i / s->n_ranges;
    uint32_t range = (uint32_t)(i % s->n_ranges), t = (uint32_t)(cell / a->shape.n_kv_heads);
    uint32_t n_groups = count_groups(a, &a->rows[t]);
    struct attention_unit u = {.job = &s->job,
                               .row0 = t,
                               .row1 = t + 1,
                               .kv_head = (uint32_t)(cell % a->shape.n_kv_heads),
                               .group0 = n_groups * range / s->n_ranges,
                               .group1 = n_groups * (range + 1) / s->n_ranges,
                               .parts = s->cpu->parts + cell * s->part_floats};
    (void)worker;
    if (u.group0 < u.group1)
        s->cpu->isa.attention_groups(&u);
    if (atomic_fetch_add(&s->cpu->n_done[cell], 1) + 1 < s->n_ranges)
        return;
    atomic_store(&s->cpu->n_done[cell], 0);
    u.group0 = 0;
    u.group1 = n_groups;
    s->cpu->isa.attention_join(&u);
}

/* Few rows over many pages: enough ranges that no thread waits for another's long row. */
static uint32_t attention_ranges(const struct cpu *c, struct attention_split *s)
{
    const struct attention_args *a = s->job.args;
    size_t n_cells = (size_t)a->n_rows * a->shape.n_kv_heads;
    uint32_t n_groups = 0, n_tasks = RANGES_PER_THREAD * (uint32_t)threads_count(c->threads);
    if (!c->isa.attention_groups || threads_count(c->threads) == 1 || n_cells >= n_tasks)
        return 1;
    for (uint32_t t = 0; t < a->n_rows; t++) {
        uint32_t n = count_groups(a, &a->rows[t]);
        n_groups = n > n_groups ? n : n_groups;
    }
    uint32_t n_ranges = (uint32_t)((n_tasks + n_cells - 1) / n_cells);
    n_ranges = n_ranges < n_groups ? n_ranges : n_groups;
    s->part_floats = (size_t)n_groups * (a->n_heads / a->shape.n_kv_heads) *
                     attention_part_floats(a->shape.head_size);
    bool fits = n_cells <= CELLS_MAX && n_cells * s->part_floats <= PART_FLOATS;
    return fits ? n_ranges : 1;
}

static void cpu_attention(struct device *d, const struct attention_args *a)
{
    struct cpu *c = cpu_of(d);
    uint32_t g = a->shape.n_kv_heads, n_shared = a->n_heads / g;
    CHECK(a->n_heads % g == 0 && n_shared <= GROUP_HEADS_MAX);
    float per_cap = a->softcap != 0 ? num_recip(a->softcap) : 0.0f;
    struct attention_split s = {.cpu = c, .job = {a, attention_scale(a), per_cap}};
    s.n_ranges = attention_ranges(c, &s);
    if (s.n_ranges > 1) {
        threads_run(c->threads, (size_t)a->n_rows * g * s.n_ranges, attention_range_task, &s);
        return;
    }
    s.n_rows = n_shared < ATTENTION_QUERIES ? ATTENTION_QUERIES / n_shared : 1;
    threads_run(c->threads, (size_t)((a->n_rows + s.n_rows - 1) / s.n_rows) * g, attention_task,
                &s);
}

static void glu_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct glu_args *a = s->args;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++)
        s->cpu->isa.glu(a->fn, a->gate + t * a->stride_gate, a->up + t * a->stride_up, a->n,
                        a->y + t * a->stride_y);
}

static void cpu_glu(struct device *d, const struct glu_args *a)
{
    run_split(cpu_of(d), a->n_rows, 1, glu_task, a);
    quantize_all(d, a->y, a->stride_y, a->acts, a->n_acts, a->bad);
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

static void cpu_keep_rows(struct device *d, float *x, size_t stride, uint32_t n,
                          const uint32_t *from, uint32_t n_kept)
{
    (void)d;
    for (uint32_t i = 0; i < n_kept; i++) {
        CHECK(from[i] >= i);
        memmove(x + i * stride, x + from[i] * stride, n * sizeof *x);
    }
}

static void cpu_note_bad(struct device *d, uint8_t *first, const uint32_t *origin,
                         const uint8_t *bad, uint32_t n, uint32_t n_marks, uint8_t mark)
{
    (void)d;
    for (uint32_t l = 0; l < n_marks; l++)
        for (uint32_t t = 0; t < n; t++)
            if (bad[(size_t)l * n + t] && !first[origin[t]])
                first[origin[t]] = (uint8_t)(mark + l);
}

struct reflect_args {
    float *x;
    size_t stride, at;
    const float *const *mirrors;
    uint32_t n;
};

static void reflect_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    const struct reflect_args *a = s->args;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++)
        if (a->mirrors[t])
            s->cpu->isa.reflect(a->x + t * a->stride, a->mirrors[t] + a->at, a->n);
}

static void cpu_reflect(struct device *d, float *x, size_t stride, const float *const *mirrors,
                        size_t at, uint32_t n_rows, uint32_t n)
{
    struct reflect_args a = {x, stride, at, mirrors, n};
    run_split(cpu_of(d), n_rows, 1, reflect_task, &a);
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

static void sample_task(void *context, size_t i, int worker)
{
    const struct split *s = context;
    (void)worker;
    for (uint32_t t = split_begin(s, i); t < split_end(s, i); t++)
        scalar_sample(s->args, t);
}

static void cpu_sample(struct device *d, const struct sample_args *a)
{
    run_split(cpu_of(d), a->n_rows, 1, sample_task, a);
}

static size_t position_bytes(uint32_t e)
{
    return 4 * (size_t)e + 12;
}

/* The canonical bytes of one position of one kv head. */
static void export_position(const uint8_t *part, uint32_t e, uint32_t i, uint8_t *out)
{
    const uint8_t *keys = part + kv_key_at(e, i, 0), *values = part + kv_value_at(e, i, 0);
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are exported as they lie");
    for (uint32_t d = 0; d < e; d += 2) /* pairs lie together */
        memcpy(out + 2 * d, keys + 32 * d, 4);
    out += 2 * e;
    for (uint32_t d = 0; d < e; d++)
        memcpy(out + 2 * d, values + 4 * d, 2);
    out += 2 * e;
    for (uint32_t k = 0; k < 3; k++)
        memcpy(out + 4 * k, kv_scales((uint8_t *)part, e) + k * KV_PAGE + i, 4);
}

struct kv_digest_args {
    const uint8_t *page;
    struct kv_shape shape;
    uint8_t (*digests)[SHA256_BYTES];
};

static void kv_digest_task(void *context, size_t layer, int worker)
{
    enum { POSITIONS = 8 }; /* hashed at a time, as many as stay in the nearest cache */
    const struct kv_digest_args *a = context;
    const uint8_t *part = a->page + layer * kv_layer_bytes(a->shape);
    uint32_t e = a->shape.head_size;
    uint8_t bytes[POSITIONS * (4 * HEAD_SIZE_MAX + 12)];
    struct sha256 h;
    (void)worker;
    sha256_init(&h);
    for (uint32_t g = 0; g < a->shape.n_kv_heads; g++, part += kv_head_bytes(e))
        for (uint32_t at = 0; at < KV_PAGE; at += POSITIONS) {
            for (uint32_t i = 0; i < POSITIONS; i++)
                export_position(part, e, at + i, bytes + i * position_bytes(e));
            sha256_add(&h, bytes, POSITIONS * position_bytes(e));
        }
    sha256_end(&h, a->digests[layer]);
}

static void cpu_kv_digest(struct device *d, const void *page, struct kv_shape s, uint32_t n_layers,
                          uint8_t (*digests)[SHA256_BYTES])
{
    struct kv_digest_args a = {page, s, digests};
    threads_run(cpu_of(d)->threads, n_layers, kv_digest_task, &a);
}

static const struct device_ops cpu_ops = {
    .name = "cpu",
    .host_memory = true,
    .close = cpu_close,
    .wait = cpu_wait,
    .status = cpu_status,
    .mem_take = cpu_mem_take,
    .mem_give = cpu_mem_give,
    .mem_left = cpu_mem_left,
    .put = cpu_copy,
    .get = cpu_copy,
    .move = cpu_copy,
    .zero = cpu_zero,
    .rows = cpu_rows,
    .pass_begin = cpu_pass_begin,
    .pass_end = cpu_wait,
    .matrix_bytes = cpu_matrix_bytes,
    .matrix_pack = cpu_matrix_pack,
    .raw_reserve = cpu_raw_reserve,
    .acts_bytes = cpu_acts_bytes,
    .fast_kind = cpu_fast_kind,
    .fast_begin = cpu_fast_begin,
    .quantize = cpu_quantize,
    .matmul = cpu_matmul,
    .embed = cpu_embed,
    .norm = cpu_norm,
    .kv_write = cpu_kv_write,
    .attention = cpu_attention,
    .kv_digest = cpu_kv_digest,
    .keep_rows = cpu_keep_rows,
    .experts_bytes = cpu_experts_bytes,
    .experts = cpu_experts,
    .note_bad = cpu_note_bad,
    .glu = cpu_glu,
    .add = cpu_add,
    .reflect = cpu_reflect,
    .logits = cpu_logits,
    .sample = cpu_sample,
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
    CHECK(MATRIX_STEP % c->isa.row_step == 0);
    struct cpu_isa scalar;
    cpu_isa_scalar(&scalar);
    c->in_place = c->isa.matrix_pack == scalar.matrix_pack;
    c->threads = threads_new(n_threads);
    c->parts = mem_pages(PART_FLOATS * sizeof c->parts[0]);
    c->n_done = mem_array(CELLS_MAX, sizeof c->n_done[0]);
    if (!c->threads || !c->parts || !c->n_done) {
        cpu_close(&c->base);
        return err_set(note, ERR_MEMORY, "no memory to start %d threads", n_threads);
    }
    c->base.ops = &cpu_ops;
    *d = &c->base;
    return ERR_OK;
}

size_t cpu_device_bytes(void)
{
    return sizeof(struct cpu) + PART_FLOATS * sizeof(float) + CELLS_MAX * sizeof(atomic_uint);
}

size_t kv_layer_bytes(struct kv_shape s)
{
    return s.n_kv_heads * kv_head_bytes(s.head_size);
}

size_t kv_export(const void *layer_part, struct kv_shape s, uint32_t n, uint8_t *out)
{
    size_t n_bytes = position_bytes(s.head_size);
    for (uint32_t g = 0; g < s.n_kv_heads; g++)
        for (uint32_t i = 0; i < n; i++)
            export_position((const uint8_t *)layer_part + g * kv_head_bytes(s.head_size),
                            s.head_size, i, out + (g * (size_t)n + i) * n_bytes);
    return s.n_kv_heads * (size_t)n * n_bytes;
}

static const uint8_t *get_i16(const uint8_t *in, uint8_t *at)
{
    int16_t x = (int16_t)(in[0] | in[1] << 8);
    memcpy(at, &x, sizeof x);
    return in + 2;
}

static const uint8_t *get_f32(const uint8_t *in, float *x)
{
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++)
        bits |= (uint32_t)*in++ << 8 * i;
    *x = num_from_bits(bits);
    return in;
}

size_t kv_import(void *layer_part, struct kv_shape s, uint32_t n, const uint8_t *in)
{
    const uint8_t *start = in;
    uint32_t e = s.head_size;
    for (uint32_t g = 0; g < s.n_kv_heads; g++) {
        uint8_t *part = (uint8_t *)layer_part + g * kv_head_bytes(e);
        float *scales = kv_scales(part, e);
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t d = 0; d < e; d++)
                in = get_i16(in, part + kv_key_at(e, i, d));
            for (uint32_t d = 0; d < e; d++)
                in = get_i16(in, part + kv_value_at(e, i, d));
            for (int k = 0; k < 3; k++)
                in = get_f32(in, &scales[k * KV_PAGE + i]);
        }
    }
    return (size_t)(in - start);
}

/* n integers of 16 bits, none beyond the levels of keys and values. */
static bool levels_are_in_range(const uint8_t *in, uint32_t n)
{
    for (uint32_t d = 0; d < n; d++) {
        int16_t x = (int16_t)(in[2 * d] | in[2 * d + 1] << 8);
        if (x < -HEAD_LEVELS || x > HEAD_LEVELS)
            return false;
    }
    return true;
}

bool kv_plausible(struct kv_shape s, uint32_t n, const uint8_t *in)
{
    for (uint32_t g = 0; g < s.n_kv_heads; g++) {
        float max = 0;
        for (uint32_t i = 0; i < n; i++) {
            float k, v, running;
            if (!levels_are_in_range(in, 2 * s.head_size))
                return false;
            in = get_f32(get_f32(get_f32(in + 4 * s.head_size, &k), &v), &running);
            max = v > max ? v : max;
            if (!(k >= 0 && k <= FLT_MAX && v >= 0 && v <= FLT_MAX && running == max))
                return false;
        }
    }
    return true;
}
