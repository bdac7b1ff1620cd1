/* tile.h - one warp's tile of a product on the int8 tensor cores: 16 or 32 rows of weights, 8 to 64
 * rows of activations, a range of K. Rows of activations that do not exist are zero (acts_rows).
 *
 * mma.m16n8k32 multiplies 16 rows of weights (two panels) by 8 rows of activations (one panel) over
 * one group of 32 columns; both lie in memory as its fragments, so that each register is one
 * coalesced load: lane = 4 r + w holds row r of a panel, word w. Its result, 4 integers per lane
 * (rows r and r + 8, activations 2w and 2w + 1), is shifted, multiplied by its sub-scale and added
 * in int32; floats come in once per block. 16 columns share a sub-scale in Q6_K (two mma.k16);
 * in Q2_K and Q3_K code times sub-scale fits a byte and is folded in before.
 *
 * Half a block (4 groups) is unrolled, so that scales and shifts stand at constant places. The
 * weights of a group are loaded tile_slots groups ahead of their use, into the slot that is
 * emptied.
 *
 * Issue slots per mma (4,096 products), N = rows of activations / 8, M = rows of weights / 16; 13.7
 * of them per quarter of an SM are 0.70 of the bf16 peak that H200s measure (790 TFLOP/s):
 *   Q4_K   4 shifts, 4 multiply-adds, the mma; + 10 / N for weights (loads, opening, sub-scales),
 *          + 2.75 / M for activations and shifts, + 4.5 for the end of a block: 16.1 at N 8, M 2;
 *   Q8_0   the mma, 3 float operations per result (tile_group_32), + 10 / N + 2 / M: 15.2.
 * An mma takes the tensor cores 6.3 clocks: they are not what binds. What the compiler makes of
 * it, and what follows: bench/gpu-log.md. */
#ifndef DEVICE_CUDA_KERNELS_TILE_H
#define DEVICE_CUDA_KERNELS_TILE_H

#include "device/cuda/kernels/codes.h"

enum { TILE_M_MAX = 2, TILE_N_MAX = 8, TILE_SLOTS_MAX = 4, HALF_GROUPS = BLOCK_GROUPS / 2 };

/* Where a lane's words of weights lie, per panel: of a half's first group. */
struct tile_place {
    const uint8_t *nibbles[2 * TILE_M_MAX], *twos[2 * TILE_M_MAX], *ones[2 * TILE_M_MAX],
        *bytes[2 * TILE_M_MAX];
};
/* Of one group. */
struct tile_words {
    struct code_words w[2 * TILE_M_MAX];
};
/* Where the scales of a lane's rows lie, of one block. */
struct tile_scales {
    const uint8_t *head[2 * TILE_M_MAX], *tail[2 * TILE_M_MAX];
};
/* What is gathered: integers of a block (K types), and floats. */
struct tile_sums {
    uint32_t i1[TILE_M_MAX][TILE_N_MAX][4];
    float v[TILE_M_MAX][TILE_N_MAX][4];
};

/* Panel i of a tile of w whose first row is `row`; beyond the matrix the last panel again. */
DEVICE_FN const uint8_t *tile_panel(const struct product_args *a, const uint8_t *w, uint32_t row,
                                    uint32_t i)
{
    uint32_t last = (a->n_out - 1) / PANEL_ROWS, panel = row / PANEL_ROWS + i;
    return w + (uint64_t)(panel < last ? panel : last) * a->planes.n_bytes;
}

/* How many groups ahead, by the words that a lane loads per panel and group: more do not fit into
 * registers. */
DEVICE_FN int tile_slots(int format)
{
    struct format f = format_of(format);
    const int n_words = f.nibbles + 2 * f.twos + f.ones + 2 * f.bytes;
    return n_words == 1 ? 4 : n_words == 2 ? 2 : 1;
}

/* At the first group of a block. */
DEVICE_FN struct tile_place tile_at(int n_m, const struct product_args *a, const uint8_t *w,
                                    uint32_t row, uint32_t block)
{
    struct tile_place p;
    const uint32_t lane = threadIdx.x % 32, unit = 16 * PANEL_ROWS;
    UNROLL
    for (int i = 0; i < 2 * n_m; i++) {
        const uint8_t *panel = tile_panel(a, w, row, (uint32_t)i);
        uint64_t at = (uint64_t)block * (BLOCK_GROUPS * unit);
        p.nibbles[i] = panel + a->planes.nibbles + at + lane * 4;
        p.twos[i] = panel + a->planes.twos + at / 2 + lane / 4 * 16;
        p.ones[i] = panel + a->planes.ones + at / 4 + lane / 4 * 16;
        p.bytes[i] = panel + a->planes.bytes + at * 2 + lane * 4;
    }
    return p;
}

/* The words of group i after p; of nothing they are any integers, which meet activations that
 * are 0, or nothing. */
DEVICE_FN void tile_load(int format, int n_m, const struct tile_place *p, uint32_t i, bool is_there,
                         struct tile_words *s)
{
    struct format f = format_of(format);
    const uint32_t unit = 16 * PANEL_ROWS;
    UNROLL
    for (int m = 0; m < 2 * n_m; m++) {
        struct code_words *c = &s->w[m];
        if (f.nibbles)
            c->nibbles = load_ahead4(p->nibbles[m] + i * unit, is_there);
        if (f.twos) {
            uint2 v = load_ahead8(p->twos[m] + i / 2 * unit + i % 2 * 8, is_there);
            c->twos[0] = v.x;
            c->twos[1] = v.y;
        }
        if (f.ones)
            c->ones = load_ahead4(p->ones[m] + i / 4 * unit + i % 4 * 4, is_there);
        if (f.bytes) {
            c->bytes[0] = load_ahead4(p->bytes[m] + i * (2 * unit), is_there);
            c->bytes[1] = load_ahead4(p->bytes[m] + i * (2 * unit) + unit, is_there);
        }
    }
}

DEVICE_FN void tile_advance(int n_m, struct tile_place *p)
{
    const uint32_t unit = 16 * PANEL_ROWS;
    UNROLL
    for (int m = 0; m < 2 * n_m; m++) {
        p->nibbles[m] += HALF_GROUPS * unit;
        p->twos[m] += HALF_GROUPS / 2 * unit;
        p->ones[m] += HALF_GROUPS / 4 * unit;
        p->bytes[m] += HALF_GROUPS * (2 * unit);
    }
}

/* Where the panels' activations of a group lie, 8 rows each, from the place of the first. */
DEVICE_FN uint32_t tile_acts(uint32_t j, uint32_t tile_bytes, uint32_t row_bytes)
{
    return j / 4 * tile_bytes + j % 4 * PANEL_ROWS * row_bytes;
}

DEVICE_FN uint4 tile_head(int format, const uint8_t *p)
{
    struct format f = format_of(format);
    uint4 h = {0, 0, 0, 0};
    if (f.head_bytes >= 16)
        return load16(p);
    if (f.head_bytes >= 8) {
        h.x = load4(p);
        h.y = load4(p + 4);
    }
    if (f.head_bytes == 12)
        h.z = load4(p + 8);
    return h;
}

/* Four codes of up to 3 bits times a sub-scale, plus 4 times its negative: Q3_K's -(code - 4) sc
 * with factor -sc and 4 sc, Q2_K's code sc; within int8 either way. */
DEVICE_FN uint32_t fold(uint32_t codes, uint32_t factor, uint32_t plus)
{
    uint32_t even = (codes & 0x00ff00ff) * factor + plus * 0x00010001;
    uint32_t odd = (codes >> 8 & 0x00ff00ff) * factor + plus * 0x00010001;
    return (even & 0x00ff00ff) | (odd & 0x00ff00ff) << 8;
}

/* The sub-scales of half a block, one or two per group. */
DEVICE_FN void half_scales(int format, int n_m, const struct tile_scales *scales, uint32_t half,
                           uint32_t sc[2 * TILE_M_MAX][2])
{
    UNROLL
    for (int m = 0; m < 2 * n_m; m++) {
        uint32_t all[4];
        sub_scales(format, tile_head(format, scales->head[m]), all);
        if (format_of(format).group_len == 16) {
            sc[m][0] = half ? all[2] : all[0];
            sc[m][1] = half ? all[3] : all[1];
        } else {
            sc[m][0] = half ? all[1] : all[0];
        }
    }
}

/* Byte i, with its sign. */
DEVICE_FN int byte_at(const uint32_t w[2], int i)
{
    return (int)byte_perm(w[i / 4], 0, 0x8880u + (uint32_t)(i % 4) * 0x1111u);
}

/* The fragment of 16 rows of weights for a group, number g of its half. */
DEVICE_FN void tile_weights(int format, const struct product_args *a, const struct tile_words *s,
                            int m, const uint32_t sc[2 * TILE_M_MAX][2], int g, uint32_t out[4])
{
    UNROLL
    for (int h = 0; h < 2; h++) {
        open_codes(format, &s->w[2 * m + h], threadIdx.x % 4, a->levels, &out[h], &out[2 + h]);
        UNROLL
        for (int k = 0; k < 2; k++) { /* columns 0..15, 16..31 */
            if (format == FORMAT_Q2_K)
                out[2 * k + h] =
                    fold(out[2 * k + h], (uint32_t)byte_at(sc[2 * m + h], 2 * g + k), 0);
            if (format == FORMAT_Q3_K) {
                int scale = byte_at(sc[2 * m + h], 2 * g + k);
                out[2 * k + h] =
                    fold(out[2 * k + h], (uint32_t)-scale & 255, (uint32_t)(4 * scale) & 255);
            }
        }
    }
}

/* K types: group g of a half into the integer sums; acts: the lane's place in the group. */
DEVICE_FN void tile_group_k(int format, int n_m, int n_n, const uint8_t *acts, uint32_t tile_bytes,
                            const uint2 shifts[TILE_N_MAX], int g, uint32_t weights[TILE_M_MAX][4],
                            const uint32_t sc[2 * TILE_M_MAX][2], struct tile_sums *sum)
{
    const bool folded = format == FORMAT_Q2_K || format == FORMAT_Q3_K;
    UNROLL
    for (uint32_t j = 0; j < (uint32_t)n_n; j++) {
        uint2 q = load8(acts + tile_acts(j, tile_bytes, 32));
        uint32_t b[2] = {q.x, q.y}, shift[2] = {shifts[j].x >> 8 * g, shifts[j].y >> 8 * g};
        uint32_t power[2] = {shift_left(1, shift[0]), shift_left(1, shift[1])};
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
                uint32_t part;
                if (format == FORMAT_Q6_K)
                    part = (uint32_t)(d[k] * byte_at(scales, 2 * g) +
                                      e[k] * byte_at(scales, 2 * g + 1)) *
                           power[k % 2];
                else if (folded || format == FORMAT_Q8_K)
                    part = shift_left((uint32_t)d[k], shift[k % 2]);
                else
                    part = shift_left((uint32_t)d[k], shift[k % 2]) * (uint32_t)byte_at(scales, g);
                sum->i1[m][j][k] += part;
            }
        }
    }
}

/* K types: the end of a block: sums of activations, then one term per result. acts: the tail of
 * the block's activations. */
DEVICE_FN void tile_finish_k(int format, int n_m, int n_n, const uint8_t *acts, uint32_t tile_bytes,
                             const struct tile_scales *scales, struct tile_sums *sum)
{
    struct format f = format_of(format);
    const uint32_t lane = threadIdx.x % 32;
    const bool sums = has_sums(format) && format != FORMAT_Q3_K;
    UNROLL
    for (int m = 0; m < n_m; m++) {
        float d[2], dmin[2];
        uint32_t factors[4] = {0, 0, 0, 0};
        UNROLL
        for (int h = 0; h < 2; h++) {
            uint4 head = tile_head(format, scales->head[2 * m + h]);
            const uint8_t *tail = scales->tail[2 * m + h];
            block_scales(format, head,
                         f.tail_bytes == 4   ? load4(tail)
                         : f.tail_bytes == 2 ? *(const uint16_t *)tail
                                             : 0,
                         &d[h], &dmin[h]);
            if (sums)
                factors[h] = sum_factors(format, head, lane % 4);
        }
        UNROLL
        for (uint32_t j = 0; j < (uint32_t)n_n; j++) {
            int low[4] = {0, 0, 0, 0}, high[4] = {0, 0, 0, 0};
            if (sums) {
                const uint8_t *at = acts + tile_acts(j, tile_bytes, 16) + lane * 4;
                mma_s8_m16n8k16(low, factors, load4(at + ACTS_LOW));
                mma_s8_m16n8k16(high, factors, load4(at + ACTS_HIGH));
            }
            uint2 dx = load8(acts + tile_acts(j, tile_bytes, 4) + ACTS_D + lane % 4 * 8);
            UNROLL
            for (int k = 0; k < 4; k++) {
                int i2 = low[k] + high[k] * 256;
                uint32_t total = sum->i1[m][j][k] - (sums ? (uint32_t)(f.bias * i2) : 0);
                if (format == FORMAT_Q3_K) /* folded in negative */
                    total = 0 - total;
                sum->v[m][j][k] = add_term(sum->v[m][j][k], (int)total, d[k / 2], f.minima, i2,
                                           dmin[k / 2], bits_float(k % 2 ? dx.y : dx.x));
                sum->i1[m][j][k] = 0;
            }
        }
    }
}

/* Types with a scale per 32 or 64: one group, a term per result. Its integer r, |r| < 2^22, is
 * added to the bits of 1.5 2^23, which makes them those of the float 1.5 2^23 + r. From it r d
 * comes as one rounded operation, fma(1.5 2^23 + r, d, -1.5 2^23 d), where 1.5 2^23 d is exact:
 * scales of binary16 have 11 bits. */
DEVICE_FN void tile_group_32(int format, int n_m, int n_n, const struct product_args *a,
                             const uint8_t *acts, uint32_t tile_bytes,
                             const struct tile_scales *scales, int g,
                             uint32_t weights[TILE_M_MAX][4], struct tile_sums *sum)
{
    struct format f = format_of(format);
    const uint32_t lane = threadIdx.x % 32, unit_bits = 0x4b400000;
    const bool is_half = format != FORMAT_NF4 && format != FORMAT_FP4 && format != FORMAT_MXFP4;
    float d[2 * TILE_M_MAX], dmin[2 * TILE_M_MAX], less[2 * TILE_M_MAX];
    UNROLL
    for (int m = 0; m < 2 * n_m; m++) {
        group_scales(format, load4(scales->head[m] + 4 * scale_word(format, g)), g, a->unit, &d[m],
                     &dmin[m]);
        less[m] = d[m] * -0x1.8p23f;
    }
    UNROLL
    for (uint32_t j = 0; j < (uint32_t)n_n; j++) {
        uint2 q = load8(acts + tile_acts(j, tile_bytes, 32) + lane * 8);
        const uint8_t *at = acts + tile_acts(j, tile_bytes, 4) + lane % 4 * 8;
        uint2 dx = load8(at + ACTS32_D), total = {0, 0};
        if (f.bias || f.minima)
            total = load8(at + ACTS32_SUM);
        uint32_t b[2] = {q.x, q.y};
        int start[2] = {(int)(unit_bits - (uint32_t)f.bias * total.x),
                        (int)(unit_bits - (uint32_t)f.bias * total.y)};
        UNROLL
        for (int m = 0; m < n_m; m++) {
            int r[4] = {start[0], start[1], start[0], start[1]};
            mma_s8_m16n8k32(r, weights[m], b);
            UNROLL
            for (int k = 0; k < 4; k++) {
                float x = bits_float((uint32_t)r[k]), row_d = d[2 * m + k / 2];
                float t = is_half ? fmaf(x, row_d, less[2 * m + k / 2]) : (x - 0x1.8p23f) * row_d;
                if (f.minima)
                    t = t - (float)-(int)(k % 2 ? total.y : total.x) * dmin[2 * m + k / 2];
                sum->v[m][j][k] = sum->v[m][j][k] + t * bits_float(k % 2 ? dx.y : dx.x);
            }
        }
    }
}

/* Half a block from `group` on, of n_groups. acts: its activations; every fourth panel of 8 rows
 * lies tile_bytes further. */
DEVICE_FN void tile_half(int format, int n_m, int n_n, const struct product_args *a,
                         struct tile_place *p, uint32_t group, uint32_t n_groups,
                         struct tile_words *slots, const uint8_t *acts, uint32_t tile_bytes,
                         const struct tile_scales *scales, struct tile_sums *sum)
{
    struct format f = format_of(format);
    const uint32_t lane = threadIdx.x % 32, first = group % BLOCK_GROUPS;
    uint2 shifts[TILE_N_MAX];
    uint32_t sc[2 * TILE_M_MAX][2];
    const int n_slots = tile_slots(format);
    if (f.group_len)
        half_scales(format, n_m, scales, first / HALF_GROUPS, sc);
    UNROLL
    for (uint32_t j = 0; j < (uint32_t)n_n && f.group_len; j++)
        shifts[j] = load8(acts + ACTS_SHIFTS + tile_acts(j, tile_bytes, 4) + lane % 4 * 8);
    UNROLL
    for (int i = 0; i < HALF_GROUPS; i++) {
        uint32_t weights[TILE_M_MAX][4];
        UNROLL
        for (int m = 0; m < n_m; m++)
            tile_weights(format, a, &slots[i % n_slots], m, sc, i, weights[m]);
        uint32_t ahead = (uint32_t)(i + n_slots);
        tile_load(format, n_m, p, ahead, group + ahead < n_groups, &slots[i % n_slots]);
        if (f.group_len)
            tile_group_k(format, n_m, n_n, acts + i * ACTS_GROUP + lane * 8, tile_bytes, shifts, i,
                         weights, sc, sum);
        else
            tile_group_32(format, n_m, n_n, a, acts + i * ACTS32_BYTES, tile_bytes, scales,
                          (int)first + i, weights, sum);
    }
    tile_advance(n_m, p);
}

#endif
