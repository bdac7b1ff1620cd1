/* reduce.c - the scalar definition of ordered sums. */
#include "numeric/reduce.h"

#include <stdbool.h>

static float lane_tree(float lane[REDUCE_LANES])
{
    for (int s = REDUCE_LANES / 2; s > 0; s /= 2)
        for (int j = 0; j < s; j++)
            lane[j] += lane[j + s];
    return lane[0];
}

float reduce_sum(const float *x, size_t n)
{
    float lane[REDUCE_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % REDUCE_LANES] += x[i];
    return lane_tree(lane);
}

float reduce_dot(const float *a, const float *b, size_t n)
{
    float lane[REDUCE_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % REDUCE_LANES] += a[i] * b[i];
    return lane_tree(lane);
}

float reduce_sum_squares(const float *x, size_t n)
{
    return reduce_dot(x, x, n);
}

float segment_tree(const float sum[MATMUL_SEGMENTS], uint32_t n_blocks)
{
    float level[MATMUL_SEGMENTS];
    bool full[MATMUL_SEGMENTS];
    for (int i = 0; i < MATMUL_SEGMENTS; i++) {
        full[i] = segment_begin(n_blocks, i) < segment_begin(n_blocks, i + 1);
        level[i] = sum[i];
    }
    for (int n = MATMUL_SEGMENTS / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++) {
            int a = 2 * i, b = 2 * i + 1;
            float both = full[a] && full[b] ? level[a] + level[b] : full[a] ? level[a] : level[b];
            level[i] = both;
            full[i] = full[a] || full[b];
        }
    return level[0];
}
