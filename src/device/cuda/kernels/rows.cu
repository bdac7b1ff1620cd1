/* rows.cu - what is done to each element of rows of floats by itself: a thread for each, a row of
 * blocks for each row. */
#include "device/cuda/kernels/args_rows.h"
#include "numeric/func.h"

DEVICE_FN uint32_t column(void)
{
    return blockIdx.x * ROW_THREADS + threadIdx.x;
}

/* A thread has one pair of one head. */
KERNEL_BOUNDS(rope, struct rotate_args, ROW_THREADS, 4)
{
    uint32_t i = column(), t = blockIdx.y, pair = i % a.half;
    if (i >= a.n_heads * a.half)
        return;
    float *head = a.x + t * a.stride + (uint64_t)(i / a.half) * a.head_size;
    float *p = head + (a.is_interleaved ? 2 * pair : pair),
          *q = p + (a.is_interleaved ? 1 : a.half);
    float c = a.cos[(uint64_t)t * a.half + pair], s = a.sin[(uint64_t)t * a.half + pair];
    float u = *p * c - *q * s, v = *p * s + *q * c;
    *p = u;
    *q = v;
}

/* enum act_fn, which is in a header that kernels do not know. */
enum { SILU, GELU_TANH, GELU_ERF, SWIGLU_OAI };

DEVICE_FN float glu_one(int fn, float gate, float up)
{
    if (fn == SILU)
        return num_silu(gate) * up;
    if (fn == GELU_TANH)
        return num_gelu_tanh(gate) * up;
    if (fn == GELU_ERF)
        return num_gelu_erf(gate) * up;
    float g = num_min(gate, 7.0f), u = num_min(num_max(up, -7.0f), 7.0f);
    return g * num_sigmoid(g * 1.702f) * (u + 1.0f);
}

KERNEL_BOUNDS(glu, struct glu_args, ROW_THREADS, 4)
{
    uint32_t i = column(), t = blockIdx.y;
    if (i < a.n)
        a.y[t * a.stride_y + i] =
            glu_one(a.fn, a.gate[t * a.stride_gate + i], a.up[t * a.stride_up + i]);
}

KERNEL_BOUNDS(add, struct move_args, ROW_THREADS, 4)
{
    uint32_t i = column(), t = blockIdx.y;
    if (i >= a.n)
        return;
    float *x = a.x + t * a.stride_x + i, y = a.y[t * a.stride_y + i];
    *x = *x + (a.scale == 1.0f ? y : y * a.scale);
}

KERNEL_BOUNDS(gather, struct move_args, ROW_THREADS, 4)
{
    uint32_t i = column(), t = blockIdx.y;
    if (i < a.n)
        a.x[t * a.stride_x + i] = a.y[a.rows[t] * a.stride_y + i];
}

KERNEL_BOUNDS(scatter, struct move_args, ROW_THREADS, 4)
{
    uint32_t i = column(), t = blockIdx.y;
    if (i >= a.n)
        return;
    float *x = a.x + a.rows[t] * a.stride_x + i;
    *x = *x + a.y[t * a.stride_y + i] * a.by[t];
}

/* A thread has a column: rows go up in order, so none is read after it was written. Eight are asked
 * for before the first is written, which the order allows: rows[i] >= i. */
KERNEL_BOUNDS(keep_rows, struct move_args, ROW_THREADS, 4)
{
    uint32_t c = column();
    if (c >= a.n)
        return;
    for (uint32_t t = 0; t < a.n_rows; t += 8) {
        float v[8];
        UNROLL
        for (uint32_t k = 0; k < 8; k++)
            if (t + k < a.n_rows)
                v[k] = a.x[a.rows[t + k] * a.stride_x + c];
        UNROLL
        for (uint32_t k = 0; k < 8; k++)
            if (t + k < a.n_rows)
                a.x[(t + k) * a.stride_x + c] = v[k];
    }
}

KERNEL_BOUNDS(logits, struct logits_args, ROW_THREADS, 4)
{
    uint32_t i = column(), t = blockIdx.y;
    if (i >= a.n)
        return;
    float *x = a.x + t * a.stride + i;
    if ((num_bits(*x) & 0x7f800000u) == 0x7f800000u)
        a.bad[t] = 1;
    *x = a.cap != 0 ? num_tanh(*x * num_recip(a.cap)) * a.cap + 0.0f : *x + 0.0f;
}

KERNEL_BOUNDS(note_bad, struct note_args, ROW_THREADS, 4)
{
    uint32_t t = column();
    if (t < a.n && a.bad[t] && a.first[a.origin[t]] == 0)
        a.first[a.origin[t]] = (uint8_t)a.mark;
}
