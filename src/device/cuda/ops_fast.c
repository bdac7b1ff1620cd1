/* ops_fast.c - products of the profile `fast`: F16 and BF16 matrices on tensor cores. */
#include "device/cuda/ops_fast.h"

#include "base/check.h"

/* Tensor cores for halves as our kernels use them: F16 from 7.5, BF16 from 8.0. */
enum { F16_LEAST = 75, BF16_LEAST = 80, COLUMNS_STEP = 32 };
/* From so many rows on the library multiplies, where there is one. Below, a row's bits depend on
 * the row alone: one sequence that guesses ahead (16 rows at most) gets what it would have got. */
enum { LIBRARY_ROWS = FAST_MID + 1 };

enum act_kind cuda_fast_kind(struct device *d, enum dtype t, uint32_t n_cols)
{
    int arch = cuda_of(d)->arch; /* at most the card's capability */
    if (n_cols % COLUMNS_STEP == 0 && t == DTYPE_F16 && arch >= F16_LEAST)
        return ACT_F16;
    if (n_cols % COLUMNS_STEP == 0 && t == DTYPE_BF16 && arch >= BF16_LEAST)
        return ACT_BF16;
    return act_kind_of(t);
}

static float *scales_of(const struct acts *a)
{
    return (float *)((uint8_t *)a->data + fast_scales_at(a->n_rows, a->n_cols));
}

struct launch round_launch(const float *x, size_t stride, const struct acts *to, uint8_t *bad,
                           struct round_args *args)
{
    uint32_t n_warps = cuda_parts(to->n_cols, 256);
    *args = (struct round_args){.x = x,
                                .stride = stride,
                                .halves = to->data,
                                .scales = scales_of(to),
                                .bad = bad,
                                .n_cols = to->n_cols,
                                .is_brain = to->kind == ACT_BF16};
    return (struct launch){.kernel = "fast_round",
                           .grid = {to->n_rows, 1, 1},
                           .block = 32 * (n_warps < 32 ? n_warps : 32),
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

struct launch fast_launch(const struct matrix *w, const struct acts *x, const float *bias, float *y,
                          size_t stride, struct fast_args *args)
{
    static const struct form {
        const char *kernels[2];
        uint32_t n_rows, tall, wide, block, shared_bytes;
    } forms[] = {
        {{"fast_few_f16", "fast_few_bf16"}, FAST_FEW, 16, FAST_FEW, FAST_THREADS, 0},
        {{"fast_mid_f16", "fast_mid_bf16"}, FAST_MID, 32, FAST_MID, FAST_THREADS, 0},
        {{"fast_big_f16", "fast_big_bf16"},
         UINT32_MAX,
         FAST_BIG,
         FAST_BIG,
         FAST_BIG_THREADS,
         FAST_BIG_BYTES},
    };
    bool is_brain = x->kind == ACT_BF16;
    uint32_t t = x->n_rows;
    const struct form *f = forms;
    while (t > f->n_rows)
        f++;
    CHECK(w->n_cols == x->n_cols && w->dtype == (is_brain ? DTYPE_BF16 : DTYPE_F16));
    *args = (struct fast_args){.w = w->data,
                               .halves = x->data,
                               .scales = scales_of(x),
                               .bias = bias,
                               .y = y,
                               .stride = stride,
                               .n_rows = t,
                               .n_out = w->n_rows,
                               .n_cols = w->n_cols};
    return (struct launch){.kernel = f->kernels[is_brain],
                           .grid = {cuda_parts(t, f->wide), cuda_parts(w->n_rows, f->tall), 1},
                           .block = f->block,
                           .shared_bytes = f->shared_bytes,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

void cuda_round(struct cuda *c, const float *x, size_t stride, const struct acts *to, uint8_t *bad)
{
    struct round_args args;
    struct launch l = round_launch(x, stride, to, bad, &args);
    cuda_launch(c, &l);
}

struct launch unscale_launch(const struct matrix *w, const struct acts *x, const float *bias,
                             float *y, size_t stride, struct unscale_args *args)
{
    *args = (struct unscale_args){scales_of(x), bias, y, stride, w->n_rows};
    return (struct launch){.kernel = "fast_unscale",
                           .grid = {x->n_rows, 1, 1},
                           .block = FAST_THREADS,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

void cuda_fast_begin(struct device *d, struct err_note *note)
{
    struct cuda *c = cuda_of(d);
    struct err_note why = {""};
    note->text[0] = 0;
    if (cuda_enter(c) && !c->cublas && cublas_open(&c->cublas, &why))
        err_set(note, ERR_OK, "%s: long prompts are multiplied by slower kernels of this program",
                why.text);
    cuda_leave(c);
}

/* True: it is submitted, or the device is lost. */
static bool by_library(struct cuda *c, const struct matrix *w, const struct acts *x,
                       const float *bias, float *y, size_t stride)
{
    const struct cublas_product p = {
        w->data, x->data, bias, y, stride, x->n_rows, w->n_rows, w->n_cols, x->kind == ACT_BF16};
    bool is_done = true;
    if (cuda_enter(c))
        c->failed = cublas_multiply(c->cublas, &p, c->scratch, CUDA_SCRATCH_BYTES, c->stream,
                                    &is_done, &c->failure);
    is_done |= c->failed != ERR_OK;
    cuda_leave(c);
    return is_done;
}

void cuda_fast_matmul(struct cuda *c, const struct matrix *w, const struct acts *x,
                      const float *bias, float *y, size_t stride)
{
    struct unscale_args unscale;
    struct fast_args args;
    struct launch l;
    if (!c->cublas || x->n_rows < LIBRARY_ROWS || !by_library(c, w, x, bias, y, stride))
        l = fast_launch(w, x, bias, y, stride, &args);
    else if (x->kind == ACT_F16)
        l = unscale_launch(w, x, bias, y, stride, &unscale);
    else
        return;
    cuda_launch(c, &l);
}
