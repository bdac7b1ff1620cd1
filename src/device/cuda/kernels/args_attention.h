/* args_attention.h - the parameters of the kernels of keys, values and attention, plain C for both
 * sides. Strides are floats between rows. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_ATTENTION_H
#define DEVICE_CUDA_KERNELS_ARGS_ATTENTION_H

#include "device/cuda/kernels/kernel.h"
#include "device/kv_page.h"

enum { ATTEND_THREADS = 128, WRITE_THREADS = 256, DIGEST_THREADS = 32 };
/* Tiles of queries whose groups of pages may be the work of several blocks. */
enum { ATTEND_SPLIT_MAX = 2048 };
/* Words from one query's planes to the next: 4 more than a multiple of 8, so that two queries lie
 * in different banks. */
enum { WEIGHT_STRIDE = KV_PAGE / 2 + 4 };

/* kv_write: blocks (row, kv head), then (row, 8 heads of queries). */
struct write_args {
    float *q, *k;
    const float *v, *q_norm, *k_norm, *cos, *sin; /* norms may be NULL; cos, sin: [T, half] */
    const struct kv_row *rows;
    uint8_t *bad;
    uint64_t stride_q, stride_k, stride_v, layer_offset;
    uint32_t n_rows, n_heads, n_kv_heads, head_size;
    uint32_t half, is_interleaved; /* half = n_rot / 2 pairs of each head, or 0 */
    float eps;
};

/* attend_*. */
struct attend_args {
    const float *q, *sinks; /* sinks may be NULL */
    float *out;
    const struct kv_row *rows;
    uint8_t *bad;
    uint64_t stride_q, stride_out, layer_offset;
    /* Where each group of pages is a block's work: what it gathered for query (t, h), n_groups for
     * each: m and l, and the vector. NULL: a block goes through all groups. */
    float *part_ml, *part_o;
    uint32_t
        *tickets; /* [ATTEND_SPLIT_MAX] which block of a tile is the last; 0 between launches */
    uint32_t n_rows, n_heads, n_kv_heads, head_size, window, n_groups;
    uint32_t tile_rows, tile_heads; /* of a block: rows, and heads that share a kv head */
    float score_scale, softcap, per_cap;
};

/* kv_digest. */
struct digest_args {
    const uint8_t *page;
    uint8_t *digests;
    uint32_t n_kv_heads, head_size;
};

NUM_FN uint32_t key_stride(uint32_t e)
{
    return (e / 2 + 7) / 8 * 8 + 4;
}

/* A query on its way over the pages; what it has gathered in a group, and in all. */
struct query {
    float scale;
    uint32_t bias, weight_bias; /* 2048 times the sum of q, and of a page's weights */
    uint32_t first, last;       /* positions seen */
    float m, l, all_m, all_l;
    uint32_t is_there, has_group, has_all;
    /* What a step does with the vectors: new = old keep + given take; take 0 alone: nothing. */
    float keep, take, unit;
    uint32_t step;
};
enum { STEP_NONE, STEP_FIRST, STEP_COMBINE };

/* The shared memory of a block with n queries. */
NUM_FN uint32_t attend_shared_bytes(uint32_t n, uint32_t e)
{
    return n * (uint32_t)(sizeof(struct query) + 4 * (key_stride(e) + WEIGHT_STRIDE + KV_PAGE) +
                          8 * kv_round16(e));
}

#endif
