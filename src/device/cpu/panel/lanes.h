/* lanes.h - sums over 256 lanes, as numeric/reduce.c. */
#ifndef DEVICE_CPU_PANEL_LANES_H
#define DEVICE_CPU_PANEL_LANES_H

#include "numeric/reduce.h"

/* The sum of 256 lanes: halves added to each other, then the lanes of the last vector. */
static float lanes_sum(VF lane[REDUCE_LANES / LANES])
{
    for (int s = REDUCE_LANES / LANES / 2; s > 0; s /= 2)
        for (int j = 0; j < s; j++)
            lane[j] = vf_add(lane[j], lane[j + s]);
    float last[LANES];
    vf_store(last, lane[0]);
    for (int s = LANES / 2; s > 0; s /= 2)
        for (int j = 0; j < s; j++)
            last[j] += last[j + s];
    return last[0];
}

/* As reduce_dot: a short last run is padded with zeros, which leave a lane that began at +0. */
static float dot_lanes(const float *a, const float *b, uint32_t n)
{
    VF lane[REDUCE_LANES / LANES];
    for (int j = 0; j < REDUCE_LANES / LANES; j++)
        lane[j] = vf_zero();
    for (uint32_t i = 0, j = 0; i < n; i += LANES, j = (j + 1) % (REDUCE_LANES / LANES)) {
        VF u, v;
        if (n - i >= LANES) {
            u = vf_load(a + i);
            v = vf_load(b + i);
        } else {
            float rest[2][LANES] = {{0}};
            for (uint32_t k = 0; k < n - i; k++) {
                rest[0][k] = a[i + k];
                rest[1][k] = b[i + k];
            }
            u = vf_load(rest[0]);
            v = vf_load(rest[1]);
        }
        lane[j] = vf_add(lane[j], vf_mul(u, v));
    }
    return lanes_sum(lane);
}

/* As reduce_sum. */
static inline float sum_lanes(const float *x, uint32_t n)
{
    VF lane[REDUCE_LANES / LANES];
    for (int j = 0; j < REDUCE_LANES / LANES; j++)
        lane[j] = vf_zero();
    for (uint32_t i = 0, j = 0; i < n; i += LANES, j = (j + 1) % (REDUCE_LANES / LANES)) {
        float rest[LANES] = {0};
        for (uint32_t k = 0; n - i < LANES && k < n - i; k++)
            rest[k] = x[i + k];
        lane[j] = vf_add(lane[j], vf_load(n - i < LANES ? rest : x + i));
    }
    return lanes_sum(lane);
}

#endif
