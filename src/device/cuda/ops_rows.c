/* ops_rows.c - operations on rows of floats on the device. */
#include "device/cuda/ops_rows.h"

#include <string.h>

static uint32_t parts(uint32_t n, uint32_t of)
{
    return (n + of - 1) / of;
}

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
                           .grid = {parts(n, ROW_THREADS), n_rows, 1},
                           .block = ROW_THREADS,
                           .args = args,
                           .n_args_bytes = n_bytes};
}

struct launch rmsnorm_launch(const struct norm_args *args)
{
    if (args->n > SHORT_ROW_MAX)
        return by_row("rmsnorm", args->n_rows, args, sizeof *args);
    return by_row("rmsnorm_short", parts(args->n_rows, ROW_THREADS / 32), args, sizeof *args);
}

struct launch layernorm_launch(const struct norm_args *args)
{
    return by_row("layernorm", args->n_rows, args, sizeof *args);
}

struct launch reflect_launch(const struct reflect_args *args, uint32_t n_rows)
{
    return by_row("reflect", n_rows, args, sizeof *args);
}

struct launch rope_launch(const struct rope_args *a, struct rotate_args *args)
{
    *args = (struct rotate_args){.x = a->x,
                                 .cos = a->cos,
                                 .sin = a->sin,
                                 .stride = a->stride,
                                 .n_heads = a->n_heads,
                                 .head_size = a->head_size,
                                 .half = a->n_rot / 2,
                                 .is_interleaved = a->interleaved};
    return by_column("rope", a->n_heads * args->half, a->n_rows, args, sizeof *args);
}

struct launch glu_launch(const struct glu_args *args, uint32_t n_rows)
{
    return by_column("glu", args->n, n_rows, args, sizeof *args);
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

void cuda_rmsnorm(struct device *d, const float *x, size_t stride_x, const float *w, float eps,
                  uint32_t n_rows, uint32_t n, float *y, size_t stride_y)
{
    struct norm_args args = {x, w, NULL, y, stride_x, stride_y, n_rows, n, eps};
    struct launch l = rmsnorm_launch(&args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_layernorm(struct device *d, const float *x, size_t stride_x, const float *w,
                    const float *b, float eps, uint32_t n_rows, uint32_t n, float *y,
                    size_t stride_y)
{
    struct norm_args args = {x, w, b, y, stride_x, stride_y, n_rows, n, eps};
    struct launch l = layernorm_launch(&args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_reflect(struct device *d, float *x, size_t stride, const float *const *mirrors, size_t at,
                  uint32_t n_rows, uint32_t n)
{
    struct reflect_args args = {x, mirrors, stride, at, n};
    struct launch l = reflect_launch(&args, n_rows);
    cuda_launch(cuda_of(d), &l);
}

void cuda_rope(struct device *d, const struct rope_args *a)
{
    struct rotate_args args;
    struct launch l = rope_launch(a, &args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_glu(struct device *d, enum act_fn fn, const float *gate, size_t stride_gate,
              const float *up, size_t stride_up, uint32_t n_rows, uint32_t n, float *y,
              size_t stride_y)
{
    struct glu_args args = {gate, up, y, stride_gate, stride_up, stride_y, n, (int32_t)fn};
    struct launch l = glu_launch(&args, n_rows);
    cuda_launch(cuda_of(d), &l);
}

void cuda_add(struct device *d, float *x, size_t stride_x, const float *y, size_t stride_y,
              uint32_t n_rows, uint32_t n, float scale)
{
    struct move_args args = {x, y, NULL, NULL, stride_x, stride_y, n_rows, n, scale};
    struct launch l = move_launch("add", &args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_gather(struct device *d, const float *x, size_t stride_x, const uint32_t *from,
                 uint32_t n_rows, uint32_t n, float *y, size_t stride_y)
{
    struct move_args args = {y, x, from, NULL, stride_y, stride_x, n_rows, n, 1.0f};
    struct launch l = move_launch("gather", &args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_scatter(struct device *d, float *x, size_t stride_x, const uint32_t *to, const float *y,
                  size_t stride_y, const float *scale, uint32_t n_rows, uint32_t n)
{
    struct move_args args = {x, y, to, scale, stride_x, stride_y, n_rows, n, 1.0f};
    struct launch l = move_launch("scatter", &args);
    cuda_launch(cuda_of(d), &l);
}

void cuda_keep_rows(struct device *d, float *x, size_t stride, uint32_t n, const uint32_t *from,
                    uint32_t n_kept)
{
    struct cuda *c = cuda_of(d);
    const uint32_t *rows = cuda_stage(c, from, n_kept * sizeof *from);
    struct move_args args = {x, x, rows, NULL, stride, stride, n_kept, n, 1.0f};
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
                   uint32_t n, uint8_t mark)
{
    struct note_args args = {first, origin, bad, n, mark};
    struct launch l = note_launch(&args);
    cuda_launch(cuda_of(d), &l);
}
