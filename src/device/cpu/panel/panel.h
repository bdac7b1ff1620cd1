/* panel.h - matrices as panels of LANES rows, activations as tiles of tokens; for vector units.
 *
 * Included after an instruction set's vec.h, whose names it uses: everything in device/cpu/panel/
 * is compiled once per set, with its flags. A vector holds LANES rows x 4 columns, byte
 * r * 4 + column % 4: what one dot-product instruction takes. Panels hold a block of 256 columns
 * after another (the last may be shorter for types with blocks of 32 and 64): a head with the
 * block's scales, then a body for each 32 columns; formats.h says how for each type. Bytes are as
 * many as in GGUF, rows that pad the last panel are zero.
 *
 * Activations: T rows are cut into tiles of n tokens; a tile holds for each 256 columns the words
 * below, each word n times (one per token), so that every operand is a broadcast from one base. */
#ifndef DEVICE_CPU_PANEL_PANEL_H
#define DEVICE_CPU_PANEL_PANEL_H

#include "base/check.h"
#include "device/cpu/isa.h"
#include "numeric/reduce.h"

enum {
    VEC_BYTES = 4 * LANES,
    /* Words of a block of 256 activations with a shift per 32. */
    A256_Q = 0,         /* 64 words of 4 int8 */
    A256_SHIFT = 64,    /* [8] */
    A256_D = 72,        /* f32 */
    A256_PAIR32 = 73,   /* [4] int16 pairs: sums of 32, shifted */
    A256_PAIR16 = 77,   /* [8] int16 pairs: sums of 16, shifted */
    A256_START16 = 85,  /* [16] -32 times sums of 16, for weights biased by 32 */
    A256_START32 = 101, /* [8] -128 times sums of 32 */
    A256_WORDS = 109,
    /* Words of 256 activations with a scale per 32. */
    A32_Q = 0,         /* 64 words of 4 int8 */
    A32_D = 64,        /* [8] f32 */
    A32_START128 = 72, /* [8] -128, -16, -8 times the sum, for weights biased so */
    A32_START16 = 80,
    A32_START8 = 88,
    A32_SUM = 96, /* [8] f32 of the sum */
    A32_WORDS = 104,
    NO_START = -1, /* for formats whose integers are not biased */
};

/* Where segments of blocks end, and how many sums of the tree are complete after each: leaves are
 * pushed on a stack, and each merge adds the two on top. Empty segments do not appear. */
struct segments {
    uint32_t n;
    struct {
        uint32_t end; /* in blocks */
        uint32_t n_merges;
    } at[MATMUL_SEGMENTS];
};
enum { STACK_DEPTH = 4 };

/* One call of a kernel: a panel times a tile of activations. */
struct tile {
    const uint8_t *w;
    const void *x;
    const struct segments *segments;
    uint32_t n_cols;
    VF *out; /* [STACK_DEPTH][tokens] of scratch; the sums are left in the first level */
};
typedef void tile_fn(const struct tile *t);

/* Kernels of a format by tokens; NULL where there is none. */
struct tile_table {
    tile_fn *by_tokens[TILE_SMALL_MAX + 1];
};

void ISA_NAME(segments_init)(struct segments *s, uint32_t n_blocks);
const struct tile_table *ISA_NAME(tile_table)(enum dtype t);

size_t ISA_NAME(matrix_bytes)(enum dtype t, uint32_t n_rows, uint32_t n_cols);
void ISA_NAME(matrix_pack)(enum dtype t, uint32_t n_rows, uint32_t n_cols, const void *rows,
                           uint32_t row0, uint32_t row1, void *packed);
size_t ISA_NAME(acts_bytes)(enum act_kind kind, uint32_t n_rows, uint32_t n_cols);
void ISA_NAME(quantize)(const float *x, size_t stride, struct acts *a, uint32_t row0, uint32_t row1,
                        uint8_t *bad);
void ISA_NAME(matmul)(const struct matmul_args *m, uint32_t row0, uint32_t row1);
void ISA_NAME(matmul_plain)(const struct matmul_args *m, uint32_t row0, uint32_t row1);

/* Few rows are taken as many at once as there is a kernel for, one panel of packed weights at a
 * time; for more, panels are opened (wide.h), and their tiles are whole: rows that pad the last are
 * zero. The tile that row t is in begins here: */
static inline uint32_t tile_begin(uint32_t n_rows, uint32_t t)
{
    return t - t % (n_rows <= TILE_ROWS_FEW ? TILE_SMALL_MAX : TILE_WIDE);
}

/* Tokens of the tile that begins at row t. */
static inline uint32_t tile_width(uint32_t n_rows, uint32_t t)
{
    static const uint8_t widths[TILE_SMALL_MAX + 1] = TILE_WIDTHS;
    uint32_t n = n_rows - t;
    if (n_rows > TILE_ROWS_FEW)
        return TILE_WIDE;
    return widths[n < TILE_SMALL_MAX ? n : TILE_SMALL_MAX];
}

/* Words of one token for n_cols columns. */
static inline size_t acts_words(enum act_kind kind, uint32_t n_cols)
{
    uint32_t n_blocks = (n_cols + 255) / 256;
    return kind == ACT_Q256  ? (size_t)n_blocks * A256_WORDS
           : kind == ACT_Q32 ? (size_t)n_blocks * A32_WORDS
                             : n_cols;
}

#endif
