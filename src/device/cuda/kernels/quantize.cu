/* quantize.cu - rows of activations to int8, as they are or gated first.
 *
 * A row is read once: each block quantises its piece at once, and where one found a bad value the
 * last of the row's blocks empties the row. Short rows are one piece. A row of 14,336 gated
 * values by one block would take about as long as 14 MB of weights; so it is 7 blocks. */
#include "device/cuda/kernels/args_experts.h"
#include "device/cuda/kernels/quantize.h"

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

/* Whether the row is bad, for all threads of its last block; false for those of the others. */
DEVICE_FN bool last_finds_bad(uint32_t *ticket, bool is_bad)
{
    SHARED(uint32_t, sum, 1);
    if (threadIdx.x == 0) { /* behind a barrier: for what the whole block has written */
        __threadfence();
        sum[0] = atomicAdd(ticket, is_bad ? 0x10001u : 1u) + (is_bad ? 0x10001u : 1u);
        if ((sum[0] & 0xffff) == gridDim.y)
            *ticket = 0;
        __threadfence();
    }
    __syncthreads();
    return (sum[0] & 0xffff) == gridDim.y && sum[0] >> 16;
}

DEVICE_FN void quantize_piece(const struct quantize_args *q, bool is_gated)
{
    const struct acts_args *a = &q->acts;
    uint32_t t = blockIdx.x, n = a->n_cols, b = blockIdx.y * (PIECE_COLS / 256) + threadIdx.x / 32;
    uint32_t at = b * BLOCK_COLS + threadIdx.x % 32 * 8, row = t;
    bool is_there = t < a->n_rows;
    float v[8] = {0, 0, 0, 0, 0, 0, 0, 0}, up[8];
    if (q->row_of) {
        t = t / q->fill * q->tile_rows + t % q->fill;
        row = (uint32_t)q->row_of[t];
        is_there = q->row_of[t] != NO_ROW;
    }
    if (is_there && at < n) {
        load8(q->x + (q->gathers ? row : t) * q->stride_x, at, n, a->is_aligned, v);
        if (is_gated) {
            load8(q->up + t * q->stride_up, at, n, a->is_aligned, up);
            UNROLL
            for (int i = 0; i < 8; i++)
                v[i] = at + (uint32_t)i < n ? glu_one(q->fn, v[i], up[i]) : 0.0f;
        }
        if (q->y)
            store8(q->y + t * q->stride_y, at, n, a->is_aligned, v);
    }
    if (b * BLOCK_COLS < n)
        acts_write(a, t, b, v);
    if (!a->bad || !is_there)
        return;
    bool is_bad = block_any(any_bad8(v));
    if (gridDim.y > 1)
        is_bad = last_finds_bad(q->tickets + t, is_bad);
    if (!is_bad)
        return;
    acts_zero(a, t);
    if (threadIdx.x == 0)
        a->bad[row] = 1;
}

KERNEL_BOUNDS(quantize, struct quantize_args, ROW_THREADS, 4)
{
    quantize_piece(&a, false);
}

KERNEL_BOUNDS(glu, struct quantize_args, ROW_THREADS, 4)
{
    quantize_piece(&a, true);
}
