/* norm.cu - sums over rows: RMSNorm and LayerNorm, with the addition before and the quantisation
 * after them; reflections (docs/arithmetic.md, "Rows" and "Activations").
 *
 * A block has a row. A thread asks for 8 columns at a time before it adds them in order; the second
 * look at a row finds it in the first cache. */
#include "device/cuda/kernels/lanes.h"
#include "device/cuda/kernels/quantize.h"

/* This thread's columns of eight strides of 256: x[i], x[i + 256].., 0 behind the end. */
DEVICE_FN void load_strides(const float *x, uint32_t i, uint32_t n, float v[8])
{
    UNROLL
    for (uint32_t k = 0; k < 8; k++)
        v[k] = i + LANES * k < n ? x[i + LANES * k] : 0.0f;
}

DEVICE_FN float lane_squares(const float *x, uint32_t n, float mean)
{
    float lane = 0, v[8];
    for (uint32_t i = threadIdx.x; i < n; i += 8 * LANES) {
        load_strides(x, i, n, v);
        UNROLL
        for (uint32_t k = 0; k < 8; k++) {
            float c = i + LANES * k < n ? v[k] - mean : 0.0f;
            lane = lane + c * c;
        }
    }
    return lane;
}

/* x += add in this thread's columns; their sum, of x itself or of its squares. */
DEVICE_FN float add_and_sum(const struct norm_row_args *a, float *x, const float *add, float r_add)
{
    float lane = 0, v[8], u[8];
    for (uint32_t i = threadIdx.x; i < a->acts.n_cols; i += 8 * LANES) {
        load_strides(x, i, a->acts.n_cols, v);
        if (add)
            load_strides(add, i, a->acts.n_cols, u);
        UNROLL
        for (uint32_t k = 0; k < 8; k++) {
            uint32_t c = i + LANES * k;
            if (add && c < a->acts.n_cols) {
                v[k] = v[k] + (a->add_norm ? u[k] * r_add * a->add_norm[c] : u[k]);
                x[c] = v[k];
            }
            lane = lane + (a->is_layernorm ? v[k] : v[k] * v[k]);
        }
    }
    return lane;
}

/* The normed row, 256 columns by a warp. */
DEVICE_FN void norm_write(const struct norm_row_args *a, const float *x, float *y, float mean,
                          float r)
{
    const struct acts_args *to = &a->acts;
    bool is_bad = false, is_aligned = to->is_aligned;
    uint32_t n = to->n_cols;
    for (uint32_t b = threadIdx.x / 32; b * BLOCK_COLS < n; b += LANES / 32) {
        uint32_t at = b * BLOCK_COLS + threadIdx.x % 32 * 8;
        float v[8], w[8], plus[8];
        load8(x, at, n, is_aligned, v);
        load8(a->w, at, n, is_aligned, w);
        if (a->b)
            load8(a->b, at, n, is_aligned, plus);
        UNROLL
        for (int i = 0; i < 8; i++) {
            v[i] = (a->is_layernorm ? v[i] - mean : v[i]) * r * w[i];
            v[i] = a->b ? v[i] + plus[i] : v[i];
            v[i] = at + (uint32_t)i < n ? v[i] : 0.0f;
        }
        if (y)
            store8(y, at, n, is_aligned, v);
        acts_write(to, blockIdx.x, b, v);
        is_bad = is_bad || any_bad8(v);
    }
    if (!to->bad || !block_any(is_bad))
        return;
    acts_zero(to, blockIdx.x);
    if (threadIdx.x == 0)
        to->bad[blockIdx.x] = 1;
}

KERNEL_BOUNDS(norm_rows, struct norm_row_args, LANES, 3)
{
    SHARED(float, places, LANES);
    SHARED(float, more, LANES);
    uint32_t t = blockIdx.x, n = a.acts.n_cols;
    if (t >= a.acts.n_rows) {
        acts_zero(&a.acts, t);
        return;
    }
    float *x = a.x + t * a.stride_x, per_n = num_recip((float)n), r = 0, mean = 0;
    const float *add = a.add ? a.add + t * a.stride_add : NULL;
    if (a.add_norm)
        r = num_rsqrt(lanes_sum(lane_squares(add, n, 0.0f), more) * per_n + a.eps);
    float sum = lanes_sum(add_and_sum(&a, x, add, r), places);
    if (a.is_layernorm) {
        mean = sum * per_n;
        sum = lanes_sum(lane_squares(x, n, mean), more);
    }
    norm_write(&a, x, a.y ? a.y + t * a.stride_y : NULL, mean, num_rsqrt(sum * per_n + a.eps));
}

KERNEL_BOUNDS(reflect, struct reflect_args, LANES, 4)
{
    SHARED(float, places, LANES);
    float *x = a.x + blockIdx.x * a.stride, lane = 0;
    const float *v = a.mirrors[blockIdx.x];
    if (!v)
        return;
    v += a.at;
    for (uint32_t i = threadIdx.x; i < a.n; i += LANES)
        lane = lane + v[i] * x[i];
    float twice = 2.0f * lanes_sum(lane, places);
    for (uint32_t i = threadIdx.x; i < a.n; i += LANES)
        x[i] = x[i] - twice * v[i];
}
