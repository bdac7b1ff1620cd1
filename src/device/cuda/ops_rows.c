/* ops_rows.c - operations on rows of floats on the device. */
#include "device/cuda/ops_rows.h"

#include <string.h>

#include "base/check.h"
#include "device/cuda/kernels/formats.h"
#include "device/cuda/layout.h"

/* A block for each row. */
static struct launch by_row(const char *kernel, uint32_t n_rows, const void *args, size_t n_bytes)
{
    return (struct launch){.kernel = kernel,
                           .grid = {n_rows, 1, 1},
                           .block = ROW_THREADS,
                           .args = args,
                           .n_args_bytes = n_bytes};
}

/* A thread for each column of each row. */
static struct launch by_column(const char *kernel, uint32_t n, uint32_t n_rows, const void *args,
                               size_t n_bytes)
{
    return (struct launch){.kernel = kernel,
                           .grid = {cuda_parts(n, ROW_THREADS), n_rows, 1},
                           .block = ROW_THREADS,
                           .args = args,
                           .n_args_bytes = n_bytes};
}

/* Of a pointer and a stride: whether every row begins at 16 bytes. */
static bool is_aligned(const void *x, uint64_t stride)
{
    return (uintptr_t)x % 16 == 0 && stride % 4 == 0;
}

/* Where n_rows rows of n go; with acts that are tiles, how many rows those have. */
static uint32_t acts_of(const struct acts *acts, uint32_t n_acts, uint8_t *bad, uint32_t n_rows,
                        uint32_t n, struct acts_args *args)
{
    uint32_t n_filled = n_rows;
    *args = (struct acts_args){.bad = n_acts ? bad : NULL, .n_rows = n_rows, .n_cols = n};
    for (uint32_t i = 0; i < n_acts; i++) {
        CHECK(acts[i].n_rows == n_rows && acts[i].n_cols == n);
        if (acts_are_halves(acts[i].kind))
            continue;
        if (acts[i].kind == ACT_Q256)
            args->q256 = acts[i].data;
        else if (acts[i].kind == ACT_Q32)
            args->q32 = acts[i].data;
        else
            args->plain = acts[i].data;
        n_filled = acts[i].kind == ACT_F32 ? n_filled : acts_rows(n_rows);
    }
    return n_filled;
}

/* Acts of the profile `fast` are made of y afterwards, which is kept for them. */
static bool has_halves(const struct acts *acts, uint32_t n_acts)
{
    return n_acts > 0 && (acts_are_halves(acts[0].kind) || has_halves(acts + 1, n_acts - 1));
}

static void round_halves(struct cuda *c, const float *y, size_t stride, const struct acts *acts,
                         uint32_t n_acts, uint8_t *bad)
{
    for (uint32_t i = 0; i < n_acts; i++)
        if (acts_are_halves(acts[i].kind))
            cuda_round(c, y, stride, &acts[i], bad);
}

struct launch norm_launch(const struct norm_args *a, struct norm_row_args *args)
{
    CHECK(!a->add_norm || a->add);
    *args = (struct norm_row_args){.x = a->x,
                                   .add = a->add,
                                   .add_norm = a->add_norm,
                                   .w = a->w,
                                   .b = a->is_layernorm ? a->b : NULL,
                                   .y = a->keeps_y || has_halves(a->acts, a->n_acts) ? a->y : NULL,
                                   .stride_x = a->stride_x,
                                   .stride_add = a->stride_add,
                                   .stride_y = a->stride_y,
                                   .is_layernorm = a->is_layernorm,
                                   .eps = a->eps};
    uint32_t n_blocks = acts_of(a->acts, a->n_acts, a->bad, a->n_rows, a->n, &args->acts);
    args->acts.is_aligned = is_aligned(a->x, a->stride_x) && is_aligned(args->y, a->stride_y) &&
                            is_aligned(a->w, 0) && is_aligned(args->b, 0);
    return by_row("norm_rows", n_blocks, args, sizeof *args);
}

/* A block for each piece of each row. */
static struct launch by_piece(const char *kernel, uint32_t n_rows, const struct quantize_args *args)
{
    struct launch l = by_row(kernel, n_rows, args, sizeof *args);
    l.grid[1] = cuda_parts(args->acts.n_cols, PIECE_COLS);
    return l;
}

struct launch quantize_launch(const float *x, size_t stride, const struct acts *to, uint8_t *bad,
                              uint32_t *tickets, struct quantize_args *args)
{
    *args = (struct quantize_args){.x = x, .tickets = tickets, .stride_x = stride};
    uint32_t n_rows = acts_of(to, 1, bad, to->n_rows, to->n_cols, &args->acts);
    args->acts.is_aligned = is_aligned(x, stride);
    return by_piece("quantize", n_rows, args);
}

struct launch glu_launch(const struct glu_args *a, uint32_t *tickets, struct quantize_args *args)
{
    *args = (struct quantize_args){.x = a->gate,
                                   .up = a->up,
                                   .y = a->keeps_y || has_halves(a->acts, a->n_acts) ? a->y : NULL,
                                   .tickets = tickets,
                                   .stride_x = a->stride_gate,
                                   .stride_up = a->stride_up,
                                   .stride_y = a->stride_y,
                                   .fn = (int32_t)a->fn};
    uint32_t n_rows = acts_of(a->acts, a->n_acts, a->bad, a->n_rows, a->n, &args->acts);
    args->acts.is_aligned = is_aligned(a->gate, a->stride_gate) &&
                            is_aligned(a->up, a->stride_up) && is_aligned(args->y, a->stride_y);
    return by_piece("glu", n_rows, args);
}

struct launch reflect_launch(const struct reflect_args *args, uint32_t n_rows)
{
    return by_row("reflect", n_rows, args, sizeof *args);
}

struct launch move_launch(const char *kernel, const struct move_args *args)
{
    bool rows_in_order = strcmp(kernel, "keep_rows") == 0;
    return by_column(kernel, args->n, rows_in_order ? args->n_rows > 0 : args->n_rows, args,
                     sizeof *args);
}

struct launch logits_launch(const struct logits_args *args, uint32_t n_rows)
{
    return by_column("logits", args->n, n_rows, args, sizeof *args);
}

struct launch note_launch(const struct note_args *args)
{
    return by_column("note_bad", args->n, 1, args, sizeof *args);
}

void cuda_norm(struct device *d, const struct norm_args *a)
{
    struct norm_row_args args;
    struct launch l = norm_launch(a, &args);
    cuda_launch(cuda_of(d), &l);
    round_halves(cuda_of(d), a->y, a->stride_y, a->acts, a->n_acts, a->bad);
}

void cuda_quantize(struct device *d, const float *x, size_t stride, struct acts *a, uint8_t *bad)
{
    struct quantize_args args;
    if (acts_are_halves(a->kind)) {
        cuda_round(cuda_of(d), x, stride, a, bad);
        return;
    }
    struct launch l = quantize_launch(x, stride, a, bad, cuda_of(d)->tickets, &args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_glu(struct device *d, const struct glu_args *a)
{
    struct quantize_args args;
    struct launch l = glu_launch(a, cuda_of(d)->tickets, &args);
    cuda_launch(cuda_of(d), &l);
    round_halves(cuda_of(d), a->y, a->stride_y, a->acts, a->n_acts, a->bad);
}

void cuda_reflect(struct device *d, float *x, size_t stride, const float *const *mirrors, size_t at,
                  uint32_t n_rows, uint32_t n)
{
    struct reflect_args args = {x, mirrors, stride, at, n};
    struct launch l = reflect_launch(&args, n_rows);
    cuda_launch(cuda_of(d), &l);
}

void cuda_add(struct device *d, float *x, size_t stride_x, const float *y, size_t stride_y,
              uint32_t n_rows, uint32_t n, float scale)
{
    struct move_args args = {x, y, NULL, stride_x, stride_y, n_rows, n, scale};
    struct launch l = move_launch("add", &args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_keep_rows(struct device *d, float *x, size_t stride, uint32_t n, const uint32_t *from,
                    uint32_t n_kept)
{
    struct cuda *c = cuda_of(d);
    const uint32_t *rows = cuda_stage(c, from, n_kept * sizeof *from);
    struct move_args args = {x, x, rows, stride, stride, n_kept, n, 1.0f};
    struct launch l = move_launch("keep_rows", &args);
    cuda_launch(c, &l);
}

void cuda_logits(struct device *d, float *x, size_t stride, uint32_t n_rows, uint32_t n, float cap,
                 uint8_t *bad)
{
    struct logits_args args = {x, bad, stride, n, cap};
    struct launch l = logits_launch(&args, n_rows);
    cuda_launch(cuda_of(d), &l);
}

void cuda_note_bad(struct device *d, uint8_t *first, const uint32_t *origin, const uint8_t *bad,
                   uint32_t n, uint32_t n_marks, uint8_t mark)
{
    struct note_args args = {first, origin, bad, n, n_marks, mark};
    struct launch l = note_launch(&args);
    cuda_launch(cuda_of(d), &l);
}
