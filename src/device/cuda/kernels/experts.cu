/* experts.cu - mixtures of experts: each row's choice, its order by expert, and the weighed sum of
 * what the chosen made (docs/arithmetic.md, "Experts"). */
#include "device/cuda/kernels/args_experts.h"
#include "device/cuda/kernels/heads.h"
#include "device/expert.h"

/* A warp's part of shared memory: the row's logits, then their parts; ids and parts of the chosen.
 */
struct choice {
    float *x, *part;
    uint32_t *id;
};

/* The largest x of the warp and the lowest id that has it. */
DEVICE_FN void warp_best(float *x, uint32_t *id)
{
    UNROLL
    for (int s = 16; s > 0; s /= 2) {
        float y = __shfl_xor_sync(~0u, *x, s);
        uint32_t other = __shfl_xor_sync(~0u, *id, s);
        if (y > *x || (y == *x && other < *id)) {
            *x = y;
            *id = other;
        }
    }
}

/* The n_used largest into id [n_used], in the order of their logits; returns the largest. A lane
 * remembers which of its logits, lane + 32 i, are taken. */
DEVICE_FN float choose(const struct choose_args *a, struct choice *c)
{
    uint32_t lane = threadIdx.x % 32, taken = 0;
    float largest = 0;
    for (uint32_t k = 0; k < a->n_used; k++) {
        float best = num_from_bits(0xff800000u); /* below every logit */
        uint32_t id = ~0u;
        for (uint32_t e = lane; e < a->n_experts; e += 32)
            if (!(taken >> e / 32 & 1) && c->x[e] > best) {
                best = c->x[e];
                id = e;
            }
        warp_best(&best, &id);
        if (id % 32 == lane)
            taken |= 1u << id / 32;
        if (lane == 0)
            c->id[k] = id;
        largest = k == 0 ? best : largest;
    }
    __syncwarp();
    return largest;
}

/* One row: ids ascending, and their weights. */
DEVICE_FN void choose_row(const struct choose_args *a, uint32_t t, struct choice *c)
{
    uint32_t lane = threadIdx.x % 32, n = a->n_experts, k = a->n_used;
    for (uint32_t e = lane; e < n; e += 32)
        if (expert_logit(a->logits[(uint64_t)t * n + e], &c->x[e]))
            a->bad[t] = 1;
    __syncwarp();
    float largest = choose(a, c), sum = 0;
    for (uint32_t e = lane; e < n; e += 32)
        c->x[e] = expert_part(c->x[e], largest);
    __syncwarp();
    uint32_t *chosen = a->chosen + (uint64_t)t * k;
    for (uint32_t i = lane; i < k; i += 32) {
        uint32_t rank = 0;
        for (uint32_t j = 0; j < k; j++)
            rank += c->id[j] < c->id[i];
        chosen[rank] = c->id[i];
        c->part[rank] = c->x[c->id[i]];
    }
    __syncwarp();
    const float *parts = a->is_normed ? c->part : c->x;
    for (uint32_t i = 0; i < (a->is_normed ? k : n); i++)
        sum = sum + parts[i];
    float inverse = num_recip(sum);
    for (uint32_t i = lane; i < k; i += 32)
        a->share[(uint64_t)t * k + i] = c->part[i] * inverse;
    __syncwarp();
}

/* Pairs into places, by one block: how many each expert has, where its tiles begin, then each pair
 * to the next free place of its expert. count, next: [n_experts]. */
DEVICE_FN void sort_pairs(const struct choose_args *a, uint32_t *count, uint32_t *next)
{
    uint32_t n_pairs = a->n_rows * a->n_used, n = a->n_experts;
    for (uint32_t e = threadIdx.x; e < n; e += EXPERT_THREADS)
        count[e] = 0;
    for (uint32_t i = threadIdx.x; i < a->n_tiles; i += EXPERT_THREADS)
        a->expert_of[i] = NO_ROW;
    for (uint32_t i = threadIdx.x; i < a->n_tiles * a->tile_rows; i += EXPERT_THREADS)
        a->row_of[i] = NO_ROW;
    __syncthreads();
    for (uint32_t p = threadIdx.x; p < n_pairs; p += EXPERT_THREADS)
        atomicAdd(&count[a->chosen[p]], 1u);
    __syncthreads();
    for (uint32_t e = threadIdx.x; e < n; e += EXPERT_THREADS) {
        uint32_t tile = 0, n_tiles = (count[e] + a->tile_rows - 1) / a->tile_rows;
        for (uint32_t before = 0; before < e; before++)
            tile += (count[before] + a->tile_rows - 1) / a->tile_rows;
        next[e] = tile * a->tile_rows;
        for (uint32_t i = 0; i < n_tiles; i++)
            a->expert_of[tile + i] = (int32_t)e;
    }
    __syncthreads();
    for (uint32_t p = threadIdx.x; p < n_pairs; p += EXPERT_THREADS) {
        uint32_t at = atomicAdd(&next[a->chosen[p]], 1u);
        a->row_of[at] = (int32_t)(p / a->n_used);
        a->place[p] = at;
    }
}

KERNEL_BOUNDS(choose_experts, struct choose_args, EXPERT_THREADS, 2)
{
    DYNAMIC_SHARED(float, shared);
    SHARED(uint32_t, n_done, 1);
    uint32_t warp = threadIdx.x / 32, t = blockIdx.x * (EXPERT_THREADS / 32) + warp;
    struct choice c;
    c.x = shared + warp * (a.n_experts + 2 * a.n_used);
    c.part = c.x + a.n_experts;
    c.id = (uint32_t *)(c.part + a.n_used);
    if (t < a.n_rows)
        choose_row(&a, t, &c);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        n_done[0] = atomicAdd(a.ticket, 1u) + 1;
        if (n_done[0] == gridDim.x)
            *a.ticket = 0;
        __threadfence();
    }
    __syncthreads();
    if (n_done[0] == gridDim.x)
        sort_pairs(&a, (uint32_t *)shared, (uint32_t *)shared + a.n_experts);
}

/* A thread has one column of one row. */
KERNEL_BOUNDS(combine_experts, struct combine_args, EXPERT_THREADS, 4)
{
    uint32_t i = blockIdx.x * EXPERT_THREADS + threadIdx.x, t = blockIdx.y;
    float sum = 0;
    if (i >= a.n)
        return;
    for (uint32_t k = 0; k < a.n_used; k++) {
        uint64_t pair = (uint64_t)t * a.n_used + k;
        sum = sum + a.y[a.place[pair] * a.stride_y + i] * a.share[pair];
    }
    a.out[t * a.stride_out + i] = sum;
}
