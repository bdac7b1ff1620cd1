/* rows.cu - what is done to each element of rows of floats by itself: a thread for each, a row of
 * blocks for each row. */
#include "device/cuda/kernels/args_rows.h"
#include "numeric/func.h"

DEVICE_FN uint32_t column(void)
{
    return blockIdx.x * ROW_THREADS + threadIdx.x;
}

KERNEL_BOUNDS(add, struct move_args, ROW_THREADS, 4)
{
    uint32_t i = column(), t = blockIdx.y;
    if (i >= a.n)
        return;
    float *x = a.x + t * a.stride_x + i, y = a.y[t * a.stride_y + i];
    *x = *x + (a.scale == 1.0f ? y : y * a.scale);
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
    uint32_t t = column(), l = 0;
    if (t >= a.n)
        return;
    while (l < a.n_marks && !a.bad[(uint64_t)l * a.n + t])
        l++;
    if (l < a.n_marks && a.first[a.origin[t]] == 0)
        a.first[a.origin[t]] = (uint8_t)(a.mark + l);
}
