/* formats.h - how each weight format lies in device memory: one table for the packer on the host
 * and for the kernels.
 *
 * A panel is PANEL_ROWS rows of a matrix over all of K. Inside it each plane is [unit][row][bytes
 * of a unit]: what one thread takes in one load lies beside what its neighbours take. Units cover
 * groups of 32 columns or blocks of 256; a short last block has whole units. Nothing is re-rounded:
 * a panel holds the file's bits (Q8_K's sums, which nobody reads, excepted).
 *
 * Planes of codes, per row and group of 32 columns:
 *   nibbles 16 bytes per group: byte c of word w holds column 4w + c below and 16 + 4w + c above;
 *           where codes stand for levels, 4 bits from 4c up and from 16 + 4c up;
 *   twos    16 bytes per 2 groups: per group word A for columns 0..15, B for 16..31; bits 2w, 2w+1
 *           of byte c belong to column 4w + c (of B: 16 + 4w + c);
 *   ones    16 bytes per 4 groups: one word per group; bit w of byte c belongs to column 4w + c,
 *           bit 4 + w to column 16 + 4w + c;
 *   bytes   2 x 16 bytes per group: columns 0..15, then 16..31.
 * Word w of a row is what lane w of four needs for mma.m16n8k32, and what dp4a multiplies with
 * words w and w + 4 of the activations. */
#ifndef DEVICE_CUDA_KERNELS_FORMATS_H
#define DEVICE_CUDA_KERNELS_FORMATS_H

#include "device/cuda/kernels/kernel.h"

enum { PANEL_ROWS = 8, BLOCK_COLS = 256, BLOCK_GROUPS = 8 };

/* X(type, bits of a code, bytes of scales per block, bytes of a second plane of scales, columns
 * that share a sub-scale (0: blocks of 32 or 64 with their own scale), what is subtracted from a
 * code, whether it has minima, whether codes stand for levels). */
#define CUDA_FORMATS(X)                                                                            \
    X(Q4_0, 4, 16, 0, 0, 8, 0, 0)                                                                  \
    X(Q4_1, 4, 32, 0, 0, 0, 1, 0)                                                                  \
    X(Q5_0, 5, 16, 0, 0, 16, 0, 0)                                                                 \
    X(Q5_1, 5, 32, 0, 0, 0, 1, 0)                                                                  \
    X(Q8_0, 8, 16, 0, 0, 0, 0, 0)                                                                  \
    X(IQ4_NL, 4, 16, 0, 0, 0, 0, 1)                                                                \
    X(MXFP4, 4, 8, 0, 0, 0, 0, 1)                                                                  \
    X(NF4, 4, 16, 0, 0, 0, 0, 1)                                                                   \
    X(FP4, 4, 16, 0, 0, 0, 0, 1)                                                                   \
    X(Q2_K, 2, 16, 4, 16, 0, 1, 0)                                                                 \
    X(Q3_K, 3, 12, 2, 16, 4, 0, 0)                                                                 \
    X(Q4_K, 4, 16, 0, 32, 0, 1, 0)                                                                 \
    X(Q5_K, 5, 16, 0, 32, 0, 1, 0)                                                                 \
    X(Q6_K, 6, 16, 2, 16, 32, 0, 0)                                                                \
    X(Q8_K, 8, 0, 4, 32, 0, 0, 0)                                                                  \
    X(IQ4_XS, 4, 8, 0, 32, 0, 0, 1)

/* Numbers of this table, apart from enum dtype: kernels know no other header of the tree. */
enum {
#define FORMAT_ENUM(type, ...) FORMAT_##type,
    CUDA_FORMATS(FORMAT_ENUM)
#undef FORMAT_ENUM
        FORMAT_COUNT
};

struct format {
    int bits, head_bytes, tail_bytes, group_len, bias;
    bool minima, levels;
    bool nibbles, twos, ones, bytes;
};

/* A switch, not a table: with a constant f the compiler leaves nothing of it. */
DEVICE_FN struct format format_of(int f)
{
#define FORMAT_CASE(type, bits, head, tail, group, bias, minima, levels)                           \
    case FORMAT_##type: {                                                                          \
        struct format one = {bits,                                                                 \
                             head,                                                                 \
                             tail,                                                                 \
                             group,                                                                \
                             bias,                                                                 \
                             minima != 0,                                                          \
                             levels != 0,                                                          \
                             bits >= 4 && bits <= 6,                                               \
                             bits == 2 || bits == 3 || bits == 6,                                  \
                             bits == 3 || bits == 5,                                               \
                             bits == 8};                                                           \
        return one;                                                                                \
    }
    switch (f) {
        CUDA_FORMATS(FORMAT_CASE)
#undef FORMAT_CASE
    }
    struct format none = {0};
    return none;
}

/* Where the planes of a panel begin, in bytes from its base. */
struct panel_planes {
    uint32_t nibbles, twos, ones, bytes, head, tail;
    uint32_t n_bytes; /* of a panel, a multiple of 128 */
};

/* Activations: rows in tiles of 32, absent ones (acts_rows) zero; what a lane loads of the four
 * panels of 8 lies at constant distances. Q256, per tile and block of 256, two halves: q [4
 * groups][32 rows][32], shifts [32] words of 8 bits per group; then a tail: sums of 16 columns
 * shifted and cut in two signed bytes: low [32][16], high [32][16], d [32]. Q32, per tile and
 * group: q [32 rows][32], sum [32], d [32], up to whole blocks of 8 groups. The words of 32 columns
 * of q stand in the order 0 4 1 5 2 6 3 7. */
enum {
    ACTS_ROWS = 32,
    ACTS_GROUP = 32 * ACTS_ROWS,                 /* bytes of q */
    ACTS_SHIFTS = BLOCK_GROUPS / 2 * ACTS_GROUP, /* of a half */
    ACTS_HALF = ACTS_SHIFTS + 4 * ACTS_ROWS,
    ACTS_TAIL = 2 * ACTS_HALF,
    ACTS_LOW = 0, /* of the tail */
    ACTS_HIGH = ACTS_LOW + 16 * ACTS_ROWS,
    ACTS_D = ACTS_HIGH + 16 * ACTS_ROWS,
    ACTS_TAIL_BYTES = ACTS_D + 4 * ACTS_ROWS,
    ACTS_BLOCK_BYTES = ACTS_TAIL + ACTS_TAIL_BYTES,
    ACTS32_SUM = ACTS_GROUP,
    ACTS32_D = ACTS32_SUM + 4 * ACTS_ROWS,
    ACTS32_BYTES = ACTS32_D + 4 * ACTS_ROWS,
};

/* Where group g of a block of Q256 begins. */
DEVICE_FN uint32_t acts_group(uint32_t g)
{
    return g / 4 * ACTS_HALF + g % 4 * ACTS_GROUP;
}

/* How many rows activations are filled up to with zeros: what one tile of their kernel takes. */
DEVICE_FN uint32_t acts_rows(uint32_t n_rows)
{
    uint32_t step = n_rows <= 4 ? 8 : n_rows <= 16 ? 16 : n_rows <= 64 ? 32 : 64;
    return (n_rows + step - 1) / step * step;
}

/* Of a tile, whole blocks: absent groups of a short last block are zero, so that kernels
 * may multiply with them. */
DEVICE_FN uint64_t acts_tile_bytes(bool by_256, uint32_t n_groups)
{
    uint64_t n_blocks = (n_groups + BLOCK_GROUPS - 1) / BLOCK_GROUPS;
    return n_blocks * (by_256 ? ACTS_BLOCK_BYTES : BLOCK_GROUPS * ACTS32_BYTES);
}

#endif
