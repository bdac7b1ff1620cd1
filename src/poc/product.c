/* product.c - products shared among threads: panels outside, tiles inside; the plain C. */
#include "poc/product.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/cpu/isa.h"
#include "numeric/func.h"
#include "poc/product_ops.h"

/* Panels that are laid out together share the second cache with the tiles that pass by. */
enum { LAID_OUT_BYTES = 1 << 20, JOBS_PER_THREAD = 4, PANEL_MAX = 32, TILE_MAX = 12, SLACK = 64 };

struct products {
    const struct product_ops *ops;
    struct threads *threads;
    uint32_t n_rows_max, n_columns_max;
    size_t n_laid_out, n_bytes; /* of one thread; of memory */
    int8_t *memory, *laid_out;  /* [threads][n_laid_out] */
    /* The inputs: [tiles] of [n_columns / 4][n_tile][4]. */
    int8_t *q;
    float *scale;
    int32_t *sum;
    uint32_t n_rows, n_columns;
};

/* ---- the definition ----------------------------------------------------------------------- */

static bool quantize(const float *x, uint32_t n_columns, int8_t *q, float *scale, int32_t *sum)
{
    float a = 0;
    bool is_finite = true;
    for (uint32_t i = 0; i < n_columns; i++) {
        a = num_max(num_abs(x[i]), a);
        is_finite = is_finite && num_abs(x[i]) < NUM_LIMIT;
    }
    bool is_zero = !is_finite || a < NUM_TINY;
    float inverse = is_zero ? 0 : num_recip(a) * 127.0f;
    *scale = is_zero ? 0 : a * PRODUCT_STEP;
    *sum = 0;
    for (uint32_t i = 0; i < n_columns; i++) {
        float steps = is_zero ? 0 : num_min(num_max(x[i] * inverse, -127.0f), 127.0f);
        q[i] = (int8_t)num_to_int(steps);
        *sum += q[i];
    }
    return is_finite;
}

static void lay_out(const int8_t *rows, uint32_t n_rows, uint32_t n_columns, int8_t *panel)
{
    memcpy(panel, rows, (size_t)n_rows * n_columns);
}

static void multiply(const int8_t *panel, const struct product_tile *x, uint32_t n_columns,
                     const struct product_place *to)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < n_columns; i++)
        sum += panel[i] * x->q[i];
    *to->y = (float)sum * *x->scale;
}

static const struct product_ops plain = {
    .isa = "scalar",
    .n_panel = 1,
    .n_tile = 1,
    .quantize = quantize,
    .lay_out = lay_out,
    .multiply = multiply,
};

/* ---- memory ------------------------------------------------------------------------------- */

static const struct product_ops *find_ops(const char *isa)
{
    static const struct product_ops *const all[] = {
#if defined(ISOBIT_HAVE_AVX2)
        &product_avx2,
#endif
#if defined(ISOBIT_HAVE_AVX512)
        &product_avx512,
#endif
#if defined(ISOBIT_HAVE_NEON)
        &product_neon,
#endif
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(isa, all[i]->isa) == 0)
            return all[i];
    return &plain;
}

static uint64_t up_to(uint64_t n, uint64_t step)
{
    return (n + step - 1) / step * step;
}

static uint64_t laid_out_bytes(uint64_t n_panel, uint64_t n_columns)
{
    uint64_t one = n_panel * n_columns;
    return (one > LAID_OUT_BYTES ? one : LAID_OUT_BYTES) + SLACK;
}

/* Bytes of inputs: the integers, then a scale and a sum for each row. */
static uint64_t inputs_bytes(uint64_t n_rows, uint64_t n_columns)
{
    return n_rows * n_columns + up_to(n_rows * (sizeof(float) + sizeof(int32_t)), SLACK) + SLACK;
}

uint64_t products_bytes(int n_threads, uint64_t n_rows_max, uint64_t n_columns_max)
{
    return (uint64_t)n_threads * laid_out_bytes(PANEL_MAX, n_columns_max) +
           inputs_bytes(n_rows_max + TILE_MAX, n_columns_max) + sizeof(struct products);
}

struct products *products_new(const char *isa, struct threads *threads, uint32_t n_rows_max,
                              uint32_t n_columns_max)
{
    CHECK(n_columns_max <= PRODUCT_COLUMNS_MAX);
    struct products *p = mem_zalloc(sizeof *p);
    if (!p)
        return NULL;
    p->ops = find_ops(isa);
    p->threads = threads;
    p->n_rows_max = n_rows_max;
    p->n_columns_max = n_columns_max;
    p->n_laid_out = laid_out_bytes(p->ops->n_panel, n_columns_max);
    uint64_t n_all = p->n_laid_out * (uint64_t)threads_count(threads);
    uint64_t n_rows = up_to(n_rows_max, p->ops->n_tile);
    p->n_bytes = n_all + inputs_bytes(n_rows, n_columns_max);
    p->memory = mem_pages(p->n_bytes);
    if (!p->memory) {
        mem_free(p);
        return NULL;
    }
    p->laid_out = p->memory;
    p->scale = (float *)(void *)(p->memory + up_to(n_all, SLACK));
    p->sum = (int32_t *)(void *)(p->scale + n_rows);
    p->q = (int8_t *)(p->sum + n_rows);
    return p;
}

void products_free(struct products *p)
{
    if (!p)
        return;
    mem_pages_free(p->memory, p->n_bytes);
    mem_free(p);
}

/* ---- with threads ------------------------------------------------------------------------- */

struct taking {
    struct products *p;
    const float *x;
    uint8_t *bad;
};

/* One tile. */
static void take_job(void *context, size_t i, int worker)
{
    const struct taking *t = context;
    struct products *p = t->p;
    uint32_t n_tile = p->ops->n_tile;
    size_t n_columns = p->n_columns, first = i * n_tile;
    (void)worker;
    if (first + n_tile > p->n_rows) { /* rows that nobody asked for */
        memset(p->q + first * n_columns, 0, n_tile * n_columns);
        memset(p->scale + first, 0, n_tile * sizeof *p->scale);
        memset(p->sum + first, 0, n_tile * sizeof *p->sum);
    }
    for (size_t k = first; k < first + n_tile && k < p->n_rows; k++)
        if (!p->ops->quantize(t->x + k * n_columns, p->n_columns,
                              p->q + first * n_columns + 4 * (k - first), &p->scale[k],
                              &p->sum[k]))
            t->bad[k] = 1;
}

void products_take(struct products *p, const float *x, uint32_t n_rows, uint32_t n_columns,
                   uint8_t *bad)
{
    CHECK(n_rows <= p->n_rows_max && n_columns <= p->n_columns_max && n_columns % 32 == 0);
    p->n_rows = n_rows;
    p->n_columns = n_columns;
    struct taking t = {p, x, bad};
    threads_run(p->threads, (n_rows + p->ops->n_tile - 1) / p->ops->n_tile, take_job, &t);
}

struct running {
    struct products *p;
    const int8_t *weights;
    float *y;
    uint32_t n_rows, n_step; /* rows of a job: whole panels */
};

/* Some panels, laid out once for all tiles. */
static void run_job(void *context, size_t i, int worker)
{
    const struct running *r = context;
    const struct products *p = r->p;
    const struct product_ops *ops = p->ops;
    size_t n_columns = p->n_columns, first = i * r->n_step;
    uint32_t end = r->n_rows - first < r->n_step ? r->n_rows : (uint32_t)first + r->n_step;
    int8_t *laid_out = p->laid_out + (size_t)worker * p->n_laid_out;
    for (size_t k = first; k < end; k += ops->n_panel)
        ops->lay_out(r->weights + k * n_columns,
                     end - k < ops->n_panel ? end - (uint32_t)k : ops->n_panel, p->n_columns,
                     laid_out + (k - first) * n_columns);
    for (size_t t = 0; t < p->n_rows; t += ops->n_tile) {
        struct product_tile x = {p->q + t * n_columns, p->scale + t, p->sum + t};
        uint32_t n_tokens = p->n_rows - t < ops->n_tile ? p->n_rows - (uint32_t)t : ops->n_tile;
        for (size_t k = first; k < end; k += ops->n_panel) {
            struct product_place to = {
                .y = r->y + t * r->n_rows + k,
                .stride = r->n_rows,
                .n_tokens = n_tokens,
                .n_rows = end - k < ops->n_panel ? end - (uint32_t)k : ops->n_panel,
            };
            ops->multiply(laid_out + (k - first) * n_columns, &x, p->n_columns, &to);
        }
    }
}

void products_run(struct products *p, const int8_t *weights, uint32_t n_rows, float *y)
{
    uint64_t n_panels = (n_rows + p->ops->n_panel - 1) / p->ops->n_panel;
    uint64_t n_most = (p->n_laid_out - SLACK) / ((size_t)p->ops->n_panel * p->n_columns);
    uint64_t n_fair = n_panels / (JOBS_PER_THREAD * (uint64_t)threads_count(p->threads));
    uint64_t n_beside = n_fair < n_most ? n_fair : n_most;
    struct running r = {p, weights, y, n_rows,
                        (uint32_t)(n_beside ? n_beside : 1) * p->ops->n_panel};
    threads_run(p->threads, (n_rows + r.n_step - 1) / r.n_step, run_job, &r);
}
