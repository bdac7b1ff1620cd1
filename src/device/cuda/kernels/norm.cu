/* norm.cu - RMSNorm and LayerNorm of rows (docs/arithmetic.md, "Rows").
 *
 * A block has a row, or a warp has one where rows are short (heads). A thread asks for 8 columns at
 * a time before it adds them in order; the second look at a row finds it in the first cache. */
#include "device/cuda/kernels/args_rows.h"
#include "device/cuda/kernels/lanes.h"
#include "numeric/func.h"

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

KERNEL_BOUNDS(rmsnorm, struct norm_args, LANES, 4)
{
    SHARED(float, places, LANES);
    const float *x = a.x + blockIdx.x * a.stride_x;
    float *y = a.y + blockIdx.x * a.stride_y;
    float sum = lanes_sum(lane_squares(x, a.n, 0.0f), places);
    float r = num_rsqrt(sum * num_recip((float)a.n) + a.eps), v[8];
    for (uint32_t i = threadIdx.x; i < a.n; i += 8 * LANES) {
        load_strides(x, i, a.n, v);
        UNROLL
        for (uint32_t k = 0; k < 8; k++)
            if (i + LANES * k < a.n)
                y[i + LANES * k] = v[k] * r * a.w[i + LANES * k];
    }
}

/* A warp per row, its 16 columns per lane in registers. */
KERNEL_BOUNDS(rmsnorm_short, struct norm_args, ROW_THREADS, 4)
{
    uint32_t t = blockIdx.x * (ROW_THREADS / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    bool is_there = t < a.n_rows;
    const float *x = a.x + t * a.stride_x;
    float *y = a.y + t * a.stride_y, v[SHORT_ROW_MAX / 32], sums[LANE_PARTS];
    UNROLL
    for (uint32_t k = 0; k < SHORT_ROW_MAX / 32; k++)
        v[k] = is_there && lane + 32 * k < a.n ? x[lane + 32 * k] : 0.0f;
    UNROLL
    for (uint32_t k = 0; k < LANE_PARTS; k++)
        sums[k] = 0.0f + v[k] * v[k] + v[k + LANE_PARTS] * v[k + LANE_PARTS];
    float r = num_rsqrt(lanes_fold(sums) * num_recip((float)a.n) + a.eps);
    UNROLL
    for (uint32_t k = 0; k < SHORT_ROW_MAX / 32; k++)
        if (is_there && lane + 32 * k < a.n)
            y[lane + 32 * k] = v[k] * r * a.w[lane + 32 * k];
}

DEVICE_FN float lane_total(const float *x, uint32_t n)
{
    float lane = 0, v[8];
    for (uint32_t i = threadIdx.x; i < n; i += 8 * LANES) {
        load_strides(x, i, n, v);
        UNROLL
        for (uint32_t k = 0; k < 8; k++)
            lane = lane + v[k];
    }
    return lane;
}

KERNEL_BOUNDS(layernorm, struct norm_args, LANES, 4)
{
    SHARED(float, places, LANES);
    SHARED(float, more, LANES);
    const float *x = a.x + blockIdx.x * a.stride_x;
    float *y = a.y + blockIdx.x * a.stride_y, per_n = num_recip((float)a.n);
    float mean = lanes_sum(lane_total(x, a.n), places) * per_n;
    float r = num_rsqrt(lanes_sum(lane_squares(x, a.n, mean), more) * per_n + a.eps);
    for (uint32_t i = threadIdx.x; i < a.n; i += LANES) {
        float c = (x[i] - mean) * r * a.w[i];
        y[i] = a.b ? c + a.b[i] : c;
    }
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
