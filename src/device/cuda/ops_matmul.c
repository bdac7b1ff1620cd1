/* ops_matmul.c - matrix products and embedding rows on the device.
 *
 * Which kernel multiplies is a matter of speed alone: all give the same bits. Up to 4 rows dp4a
 * with the weights read once; then tensor cores, up to 64 rows with all segments of K at once,
 * above with K in order, where a block of threads may have enough shared memory. */
#include "device/cuda/ops_matmul.h"

#include <stdlib.h>

#include "base/check.h"
#include "device/cpu/isa.h"
#include "device/cuda/layout.h"
#include "tensor/quant/quant.h"

enum {
    FEW_ROWS = 4,
    MID_ROWS = 64,
    MID_SMALL_ROWS = 2048, /* matrices up to which blocks of 32 rows are too few for the SMs */
};

static const struct {
    const char *few1, *few4, *mid, *big;
} kernels[FORMAT_COUNT] = {
#define KERNEL_NAMES(type, ...)                                                                    \
    {"matmul_few1_" #type, "matmul_few4_" #type, "matmul_mid_" #type, "matmul_big_" #type},
    CUDA_FORMATS(KERNEL_NAMES)
#undef KERNEL_NAMES
};

/* The magnitudes of the 16 integers that codes stand for, and what scales are multiplied by. */
static void levels_of(enum dtype t, struct product_args *args)
{
    const struct level_table *table = level_table(t);
    const int8_t *levels = table                                    ? table->level
                           : t == DTYPE_MXFP4                       ? quant_mxfp4_levels
                           : t == DTYPE_IQ4_NL || t == DTYPE_IQ4_XS ? quant_iq4_levels
                                                                    : NULL;
    args->unit = table ? table->unit : 1.0f;
    for (int i = 0; levels && i < 16; i++)
        args->levels[i / 4] |= (uint32_t)abs(levels[i]) << i % 4 * 8;
}

/* n_alike: how many rows of x meet the same matrix, which decides about the kernel. */
static struct launch product_launch(const struct matrix *w, const struct acts *x, uint32_t n_alike,
                                    const float *bias, float *y, size_t stride,
                                    uint32_t n_bytes_shared, struct product_args *args)
{
    int format = layout_format(w->dtype);
    uint32_t t = x->n_rows, n = w->n_rows;
    *args = (struct product_args){.w = w->data,
                                  .acts = x->data,
                                  .bias = bias,
                                  .y = y,
                                  .stride = stride,
                                  .n_rows = t,
                                  .n_out = n,
                                  .n_groups = w->n_cols / 32,
                                  .planes = panel_planes(format, w->n_cols)};
    levels_of(w->dtype, args);
    struct launch l = {.args = args, .n_args_bytes = sizeof *args};
    if (n_alike <= FEW_ROWS) {
        l.kernel = n_alike == 1 ? kernels[format].few1 : kernels[format].few4;
        l.grid[0] = cuda_parts(n, PANEL_ROWS), l.grid[1] = 1, l.grid[2] = 1;
        l.block = 64;
    } else if (n_alike <= MID_ROWS || n_bytes_shared < BIG_SHARED_BYTES) {
        l.kernel = kernels[format].mid;
        uint32_t n_rows = n <= MID_SMALL_ROWS ? 16 : 32;
        l.grid[0] = cuda_parts(t, 32), l.grid[1] = cuda_parts(n, n_rows), l.grid[2] = 1;
        l.block = 16 * n_rows;
    } else {
        l.kernel = kernels[format].big;
        l.grid[0] = cuda_parts(t, BIG_COLS), l.grid[1] = cuda_parts(n, BIG_ROWS), l.grid[2] = 1;
        l.block = BIG_THREADS;
        l.shared_bytes = BIG_SHARED_BYTES;
    }
    return l;
}

struct launch matmul_launch(const struct matrix *w, const struct acts *x, const float *bias,
                            float *y, size_t stride, uint32_t n_bytes_shared,
                            union matmul_launch_args *args)
{
    CHECK(w->n_cols == x->n_cols && act_kind_of(w->dtype) == x->kind);
    if (x->kind != ACT_F32)
        return product_launch(w, x, x->n_rows, bias, y, stride, n_bytes_shared, &args->product);
    bool is_float = w->dtype == DTYPE_F32;
    args->plain = (struct plain_args){.w = w->data,
                                      .acts = x->data,
                                      .bias = bias,
                                      .y = y,
                                      .stride = stride,
                                      .n_rows = x->n_rows,
                                      .n_out = w->n_rows,
                                      .n_cols = w->n_cols,
                                      .is_brain = w->dtype == DTYPE_BF16};
    return (struct launch){.kernel = is_float ? "matmul_float" : "matmul_half",
                           .grid = {is_float ? w->n_rows : cuda_parts(w->n_rows, 16),
                                    cuda_parts(x->n_rows, is_float ? 4 : 8), 1},
                           .block = is_float ? 256 : 128,
                           .args = args,
                           .n_args_bytes = sizeof args->plain};
}

struct launch expert_launch(const struct matrix *w, const struct expert_choice *choice,
                            uint32_t n_tiles, uint32_t fill, const struct acts *x,
                            const float *bias, float *y, size_t stride, uint32_t n_bytes_shared,
                            union matmul_launch_args *args)
{
    bool is_few = fill <= FEW_ROWS, is_big = choice->tile_rows > MID_ROWS / 2;
    struct launch l;
    if (x->kind == ACT_F32) {
        l = matmul_launch(w, x, bias, y, stride, n_bytes_shared, args);
        args->plain.choice = *choice;
        return l;
    }
    l = product_launch(w, x,
                       is_few   ? fill
                       : is_big ? MID_ROWS + 1
                                : MID_ROWS,
                       bias, y, stride, n_bytes_shared, &args->product);
    args->product.choice = *choice;
    if (is_few) {
        args->product.n_rows = fill;
        l.grid[1] = n_tiles;
    }
    return l;
}

struct launch embed_launch(enum dtype t, const void *rows, uint32_t n_cols, const int32_t *token,
                           uint32_t n_tokens, float scale, float *y, size_t stride,
                           struct embed_args *args)
{
    int format = layout_format(t);
    *args = (struct embed_args){.rows = rows,
                                .token = token,
                                .y = y,
                                .stride = stride,
                                .row_bytes = dtype_row_bytes(t, n_cols),
                                .n_cols = n_cols,
                                .block_len = (uint32_t)dtype_info(t)->block_len,
                                .block_bytes = (uint32_t)dtype_info(t)->block_bytes,
                                .format = format >= 0      ? format
                                          : t == DTYPE_F32 ? EMBED_F32
                                          : t == DTYPE_F16 ? EMBED_F16
                                                           : EMBED_BF16,
                                .scale = scale};
    for (int i = 0; i < 16; i++)
        args->levels[i] = t == DTYPE_NF4     ? quant_nf4_levels[i]
                          : t == DTYPE_FP4   ? quant_fp4_levels[i]
                          : t == DTYPE_MXFP4 ? (float)quant_mxfp4_levels[i]
                                             : (float)quant_iq4_levels[i];
    return (struct launch){.kernel = "embed",
                           .grid = {cuda_parts(n_cols, 256), n_tokens, 1},
                           .block = 256,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

size_t cuda_matrix_bytes(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    (void)d;
    return layout_bytes(t, n_rows, n_cols);
}

void cuda_matrix_pack(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols,
                      const void *rows, void *packed)
{
    (void)d;
    layout_pack(t, n_rows, n_cols, rows, packed);
}

size_t cuda_acts_bytes(struct device *d, enum act_kind kind, uint32_t n_rows, uint32_t n_cols)
{
    (void)d;
    return layout_acts_bytes(kind, n_rows, n_cols);
}

void cuda_matmul(struct device *d, const struct matrix *w, const struct acts *a, const float *bias,
                 float *y, size_t stride)
{
    union matmul_launch_args args;
    struct cuda *c = cuda_of(d);
    if (acts_are_halves(a->kind)) {
        cuda_fast_matmul(c, w, a, bias, y, stride);
        return;
    }
    struct launch l = matmul_launch(w, a, bias, y, stride, c->card.n_bytes_shared, &args);
    cuda_launch(c, &l);
}

void cuda_embed(struct device *d, enum dtype t, const void *rows, uint32_t n_cols,
                const int32_t *token, uint32_t n_tokens, float scale, float *y, size_t stride)
{
    struct embed_args args;
    struct launch l = embed_launch(t, rows, n_cols, token, n_tokens, scale, y, stride, &args);
    cuda_launch(cuda_of(d), &l);
}
