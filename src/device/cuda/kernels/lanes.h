/* lanes.h - sums of a row in the defined order (numeric/reduce.h): 256 lanes, then halves.
 *
 * Either a block of 256 threads has a row, a lane to a thread, or a warp has one, 8 lanes to a
 * thread. Adding a +0 for a column behind the row's end changes nothing: a lane starts at +0, so it
 * is never -0. */
#ifndef DEVICE_CUDA_KERNELS_LANES_H
#define DEVICE_CUDA_KERNELS_LANES_H

#include "device/cuda/kernels/kernel.h"

enum { LANES = 256, LANE_PARTS = 8 /* of 32 lanes, one per warp */ };

/* Strides 128, 64 and 32, then 16 to 1, where lane j gives lane j + s the same sum: all get it. */
DEVICE_FN float lanes_fold(const float v[LANE_PARTS])
{
    float sum = ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
    UNROLL
    for (int s = 16; s > 0; s /= 2)
        sum = sum + __shfl_xor_sync(~0u, sum, s);
    return sum;
}

/* The sum over a block's 256 lanes, for every thread. `places` is shared, LANES floats, and may be
 * used again after another barrier. */
DEVICE_FN float lanes_sum(float lane, float *places)
{
    float v[LANE_PARTS];
    places[threadIdx.x] = lane;
    __syncthreads();
    UNROLL
    for (int i = 0; i < LANE_PARTS; i++)
        v[i] = places[threadIdx.x % 32 + 32 * i];
    return lanes_fold(v);
}

#endif
