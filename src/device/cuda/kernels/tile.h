/* tile.h - one warp's tile of a product on the int8 tensor cores: 16 or 32 rows of weights, 8, 16
 * or 32 rows of activations, a range of blocks of K. Rows that do not exist are zero (acts_rows).
 *
 * mma.m16n8k32 multiplies 16 rows of weights (two panels) by 8 rows of activations (one panel) over
 * one group of 32 columns; both lie in memory as its fragments, so that each register is one
 * coalesced load: lane = 4 r + w holds row r of a panel, word w. Its result, 4 integers per lane
 * (rows r and r + 8, activations 2w and 2w + 1), is multiplied by sub-scale and shift and added in
 * int32; floats come in once per block. 16 columns share a sub-scale in Q6_K (two mma.k16);
 * in Q2_K and Q3_K code times sub-scale fits a byte and is folded in before.
 *
 * Per mma (4,096 products) at best: 4 shifts on the integer lanes, 4 multiply-adds on the others,
 * the mma, and per 2 (big) or 1 (mid) tiles of weights a load of 8 bytes: 9 to 10 issue slots. 13.7
 * of them per quarter of an SM are 0.70 of the bf16 peak that H200s measure (790 TFLOP/s). Types of
 * 32: 4 conversions, 8 multiplications and 4 additions: 17 slots. What the compiler makes of it,
 * and what follows: bench/gpu-log.md.
 */
#ifndef DEVICE_CUDA_KERNELS_TILE_H
#define DEVICE_CUDA_KERNELS_TILE_H

#include "device/cuda/kernels/codes.h"

enum { TILE_N = 4, TILE_M_MAX = 2, TILE_STEP_MAX = 8 };

/* Where a lane's part of a tile lies. Rows beyond the matrix are those of its last panel again. */
struct tile_place {
    const uint8_t *panel[2 * TILE_M_MAX];
    const uint8_t *acts; /* of the tile of activations */
    uint32_t lane;
};

struct tile_words {
    struct code_words w[2 * TILE_M_MAX][TILE_STEP_MAX];
};
struct tile_sums {
    float v[TILE_M_MAX][TILE_N][4];
};

DEVICE_FN struct tile_place tile_at(int format, const struct product_args *a, int n_m, uint32_t row,
                                    uint32_t t)
{
    struct tile_place p;
    const uint8_t *w = a->w + expert_offset(&a->choice, t);
    uint32_t last = (a->n_out - 1) / PANEL_ROWS;
    UNROLL
    for (int i = 0; i < 2 * n_m; i++) {
        uint32_t panel = row / PANEL_ROWS + (uint32_t)i;
        p.panel[i] = w + (uint64_t)(panel < last ? panel : last) * a->planes.n_bytes;
    }
    p.lane = threadIdx.x % 32;
    p.acts =
        a->acts + t / ACTS_ROWS * acts_tile_bytes(format_of(format).group_len != 0, a->n_groups);
    return p;
}

/* The words of groups [group, group + n) as far as n_groups; those of absent groups are multiplied
 * with activations that are 0. */
DEVICE_FN void tile_load(int format, int n_m, int n, const struct product_args *a,
                         const struct tile_place *p, uint32_t group, uint32_t n_groups,
                         struct tile_words *s)
{
    struct format f = format_of(format);
    const uint32_t row = p->lane / 4, unit = 16 * PANEL_ROWS;
    UNROLL
    for (int m = 0; m < 2 * n_m; m++) {
        /* One address per plane: the rest are distances that the instructions hold. */
        const uint8_t *panel = p->panel[m], *at = panel + (uint64_t)group * unit + p->lane * 4;
        const uint8_t *nibbles = at + a->planes.nibbles;
        const uint8_t *bytes = at + (uint64_t)group * unit + a->planes.bytes;
        const uint8_t *twos = panel + a->planes.twos + (uint64_t)(group / 2) * unit + row * 16 +
                              (n < 2 ? group % 2 * 8 : 0);
        const uint8_t *ones = panel + a->planes.ones + (uint64_t)(group / 4) * unit + row * 16 +
                              (n < 4 ? group % 4 * 4 : 0);
        UNROLL
        for (uint32_t i = 0; i < (uint32_t)n; i++) {
            struct code_words *c = &s->w[m][i];
            bool is_there = group + (f.group_len ? 0 : i) < n_groups; /* K: whole blocks */
            if (f.nibbles)
                c->nibbles = load_ahead4(nibbles + i * unit, is_there);
            if (f.twos) {
                uint2 v = load_ahead8(twos + i / 2 * unit + i % 2 * 8, is_there);
                c->twos[0] = v.x;
                c->twos[1] = v.y;
            }
            if (f.ones)
                c->ones = load_ahead4(ones + i / 4 * unit + i % 4 * 4, is_there);
            if (f.bytes) {
                c->bytes[0] = load_ahead4(bytes + i * (2 * unit), is_there);
                c->bytes[1] = load_ahead4(bytes + i * (2 * unit) + unit, is_there);
            }
        }
    }
}

DEVICE_FN const uint8_t *tile_head(int format, const struct product_args *a,
                                   const struct tile_place *p, int m, uint32_t block)
{
    struct format f = format_of(format);
    return p->panel[m] + a->planes.head +
           (block * PANEL_ROWS + p->lane / 4) * (uint64_t)f.head_bytes;
}

/* Four codes of up to 3 bits times a sub-scale, plus 4 times its negative: Q3_K's -(code - 4) sc
 * with factor -sc and 4 sc, Q2_K's code sc; within int8 either way. */
DEVICE_FN uint32_t fold(uint32_t codes, uint32_t factor, uint32_t plus)
{
    uint32_t even = (codes & 0x00ff00ff) * factor + plus * 0x00010001;
    uint32_t odd = (codes >> 8 & 0x00ff00ff) * factor + plus * 0x00010001;
    return (even & 0x00ff00ff) | (odd & 0x00ff00ff) << 8;
}

/* The fragment of 16 rows of weights for group i of a step, number g of its block. */
DEVICE_FN void tile_weights(int format, const struct product_args *a, const struct tile_words *s,
                            int m, int i, uint32_t w, const uint32_t sc[2 * TILE_M_MAX][4], int g,
                            uint32_t out[4])
{
    UNROLL
    for (int h = 0; h < 2; h++) {
        open_codes(format, &s->w[2 * m + h][i], w, a->levels, &out[h], &out[2 + h]);
        UNROLL
        for (int k = 0; k < 2; k++) { /* columns 0..15, 16..31 */
            int scale = byte_of(sc[2 * m + h], 2 * g + k);
            if (format == FORMAT_Q2_K)
                out[2 * k + h] = fold(out[2 * k + h], (uint32_t)scale, 0);
            if (format == FORMAT_Q3_K)
                out[2 * k + h] =
                    fold(out[2 * k + h], (uint32_t)-scale & 255, (uint32_t)(4 * scale) & 255);
        }
    }
}

/* K types: group g of a block into the integer sums. */
DEVICE_FN void tile_group_k(int format, int n_m, int n_n, const struct tile_place *p,
                            const uint8_t *acts, int g, uint32_t weights[TILE_M_MAX][4],
                            const uint32_t sc[2 * TILE_M_MAX][4],
                            uint32_t i1[TILE_M_MAX][TILE_N][4])
{
    const bool folded = format == FORMAT_Q2_K || format == FORMAT_Q3_K;
    UNROLL
    for (uint32_t j = 0; j < (uint32_t)n_n; j++) {
        uint2 q = load8(acts + g * ACTS_GROUP + p->lane * 8 + j * 256);
        uint2 shifts = load8(acts + ACTS_SHIFTS + p->lane % 4 * 8 + j * 32);
        uint32_t b[2] = {q.x, q.y};
        uint32_t shift[2] = {shifts.x >> 4 * g & 15, shifts.y >> 4 * g & 15};
        UNROLL
        for (int m = 0; m < n_m; m++) {
            int d[4] = {0, 0, 0, 0}, e[4] = {0, 0, 0, 0};
            if (format == FORMAT_Q6_K) {
                mma_s8_m16n8k16(d, weights[m], b[0]);
                mma_s8_m16n8k16(e, weights[m] + 2, b[1]);
            } else {
                mma_s8_m16n8k32(d, weights[m], b);
            }
            UNROLL
            for (int k = 0; k < 4; k++) {
                const uint32_t *scales = sc[2 * m + k / 2];
                uint32_t part = (uint32_t)d[k] << shift[k % 2];
                if (format == FORMAT_Q6_K)
                    part = (uint32_t)(d[k] * byte_of(scales, 2 * g) +
                                      e[k] * byte_of(scales, 2 * g + 1))
                           << shift[k % 2];
                else if (!folded && format != FORMAT_Q8_K)
                    part *= (uint32_t)byte_of(scales, g);
                i1[m][j][k] += part;
            }
        }
    }
}

/* K types: the end of a block: sums of activations, then one term per result. */
DEVICE_FN void tile_finish_k(int format, int n_m, int n_n, const struct product_args *a,
                             const struct tile_place *p, const uint8_t *acts, uint32_t block,
                             uint32_t i1[TILE_M_MAX][TILE_N][4], struct tile_sums *sum)
{
    struct format f = format_of(format);
    const bool sums = has_sums(format) && format != FORMAT_Q3_K;
    UNROLL
    for (int m = 0; m < n_m; m++) {
        float d[2], dmin[2];
        uint32_t factors[4] = {0, 0, 0, 0};
        UNROLL
        for (int h = 0; h < 2; h++) {
            uint4 head = load_head(format, tile_head(format, a, p, 2 * m + h, block), true);
            uint32_t tail =
                load_tail(format,
                          p->panel[2 * m + h] + a->planes.tail +
                              (block * PANEL_ROWS + p->lane / 4) * (uint64_t)f.tail_bytes,
                          true);
            block_scales(format, head, tail, &d[h], &dmin[h]);
            if (sums)
                factors[h] = sum_factors(format, head, p->lane % 4);
        }
        UNROLL
        for (uint32_t j = 0; j < (uint32_t)n_n; j++) {
            int low[4] = {0, 0, 0, 0}, high[4] = {0, 0, 0, 0};
            if (sums) {
                mma_s8_m16n8k16(low, factors, load4(acts + ACTS_LOW + p->lane * 4 + j * 128));
                mma_s8_m16n8k16(high, factors, load4(acts + ACTS_HIGH + p->lane * 4 + j * 128));
            }
            uint2 dx = load8(acts + ACTS_D + p->lane % 4 * 8 + j * 32);
            UNROLL
            for (int k = 0; k < 4; k++) {
                int i2 = low[k] + high[k] * 256;
                uint32_t total = i1[m][j][k] - (sums ? (uint32_t)(f.bias * i2) : 0);
                if (format == FORMAT_Q3_K) /* folded in negative */
                    total = 0 - total;
                sum->v[m][j][k] = add_term(sum->v[m][j][k], (int)total, d[k / 2], f.minima, i2,
                                           dmin[k / 2], bits_float(k % 2 ? dx.y : dx.x));
                i1[m][j][k] = 0;
            }
        }
    }
}

/* Types with a scale per 32 or 64: one group, a term per result. */
DEVICE_FN void tile_group_32(int format, int n_m, int n_n, const struct product_args *a,
                             const struct tile_place *p, uint32_t group,
                             uint32_t weights[TILE_M_MAX][4], struct tile_sums *sum)
{
    struct format f = format_of(format);
    const int g = (int)(group % BLOCK_GROUPS);
    const uint8_t *acts = p->acts + (uint64_t)group * ACTS32_BYTES;
    float d[2 * TILE_M_MAX], dmin[2 * TILE_M_MAX];
    UNROLL
    for (int m = 0; m < 2 * n_m; m++)
        group_scales(
            format,
            load4(tile_head(format, a, p, m, group / BLOCK_GROUPS) + 4 * scale_word(format, g)), g,
            a->unit, &d[m], &dmin[m]);
    UNROLL
    for (uint32_t j = 0; j < (uint32_t)n_n; j++) {
        uint2 q = load8(acts + p->lane * 8 + j * 256);
        uint2 dx = load8(acts + ACTS32_D + p->lane % 4 * 8 + j * 32);
        uint2 total = {0, 0};
        if (f.bias || f.minima)
            total = load8(acts + ACTS32_SUM + p->lane % 4 * 8 + j * 32);
        uint32_t b[2] = {q.x, q.y};
        int start[2] = {-f.bias * (int)total.x, -f.bias * (int)total.y};
        UNROLL
        for (int m = 0; m < n_m; m++) {
            int r[4] = {start[0], start[1], start[0], start[1]};
            mma_s8_m16n8k32(r, weights[m], b);
            UNROLL
            for (int k = 0; k < 4; k++)
                sum->v[m][j][k] = add_term(sum->v[m][j][k], r[k], d[2 * m + k / 2], f.minima,
                                           -(int)(k % 2 ? total.y : total.x), dmin[2 * m + k / 2],
                                           bits_float(k % 2 ? dx.y : dx.x));
        }
    }
}

/* One step of n groups from `group` on, whose words are loaded. */
DEVICE_FN void tile_step(int format, int n_m, int n_n, int n, const struct product_args *a,
                         const struct tile_place *p, uint32_t group, const struct tile_words *s,
                         uint32_t sc[2 * TILE_M_MAX][4], uint32_t i1[TILE_M_MAX][TILE_N][4],
                         struct tile_sums *sum)
{
    struct format f = format_of(format);
    const uint32_t block = group / BLOCK_GROUPS;
    const int first = n == BLOCK_GROUPS ? 0 : (int)(group % BLOCK_GROUPS);
    const uint8_t *acts = p->acts + (uint64_t)block * ACTS_BLOCK_BYTES;
    if (f.group_len && first == 0) {
        UNROLL
        for (int m = 0; m < 2 * n_m; m++)
            sub_scales(format, load_head(format, tile_head(format, a, p, m, block), true), sc[m]);
    }
    UNROLL
    for (int i = 0; i < n; i++) {
        uint32_t weights[TILE_M_MAX][4];
        UNROLL
        for (int m = 0; m < n_m; m++)
            tile_weights(format, a, s, m, i, p->lane % 4, sc, first + i, weights[m]);
        if (f.group_len)
            tile_group_k(format, n_m, n_n, p, acts, first + i, weights, sc, i1);
        else
            tile_group_32(format, n_m, n_n, a, p, group + (uint32_t)i, weights, sum);
    }
    if (f.group_len && first + n == BLOCK_GROUPS)
        tile_finish_k(format, n_m, n_n, a, p, acts, block, i1, sum);
}

/* Blocks [block0, block1) into sum, n groups at a time: the next are loaded before these are used.
 */
DEVICE_FN void tile_blocks(int format, int n_m, int n_n, int n, const struct product_args *a,
                           const struct tile_place *p, uint32_t block0, uint32_t block1,
                           struct tile_sums *sum)
{
    uint32_t i1[TILE_M_MAX][TILE_N][4] = {{{0}}}, sc[2 * TILE_M_MAX][4] = {{0}};
    uint32_t group = block0 * BLOCK_GROUPS, end = block1 * BLOCK_GROUPS;
    if (end > a->n_groups)
        end = a->n_groups;
    if (group >= end)
        return;
    struct tile_words now, next;
    tile_load(format, n_m, n, a, p, group, end, &now);
    NO_UNROLL
    for (; group < end; group += (uint32_t)n) {
        tile_load(format, n_m, n, a, p, group + (uint32_t)n, end, &next);
        tile_step(format, n_m, n_n, n, a, p, group, &now, sc, i1, sum);
        now = next;
    }
}

#endif
