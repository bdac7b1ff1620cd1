/* draw.h - weights and activations of every type for tests of kernels: tame ones, and the extremes
 * of codes and of scales. */
#ifndef LIB_DRAW_H
#define LIB_DRAW_H

#include "lib/test.h"
#include "tensor/dtype.h"

static const enum dtype draw_types[] = {
    DTYPE_F32,  DTYPE_F16,  DTYPE_BF16,  DTYPE_Q4_0,   DTYPE_Q4_1,   DTYPE_Q5_0, DTYPE_Q5_1,
    DTYPE_Q8_0, DTYPE_Q2_K, DTYPE_Q3_K,  DTYPE_Q4_K,   DTYPE_Q5_K,   DTYPE_Q6_K, DTYPE_Q8_K,
    DTYPE_NF4,  DTYPE_FP4,  DTYPE_MXFP4, DTYPE_IQ4_NL, DTYPE_IQ4_XS,
};

/* How weights and activations are drawn. */
enum drawing { TAME, EXTREME, SUBNORMAL, ZERO_ROWS, HUGE_VALUES, TINY_VALUES, N_DRAWINGS };
static inline const char *drawing_name(enum drawing how)
{
    static const char *const names[] = {"tame",      "extreme", "subnormal",
                                        "zero rows", "huge",    "tiny"};
    return names[how];
}

/* The scales of one block, whose other bytes are drawn already. */
static inline void scales_draw(enum dtype t, enum drawing how, uint8_t *b, uint64_t *seed)
{
    uint16_t half[2];
    for (int i = 0; i < 2; i++) {
        unsigned r = (unsigned)test_rand(seed);
        half[i] = (uint16_t)(how == SUBNORMAL     ? r & 0x83ff
                             : how == HUGE_VALUES ? 0x7800 | (r & 0x83ff)
                                                  : 0x2000 | (r & 0x83ff));
    }
    float f = how == SUBNORMAL ? 0x1p-127f : 0.01f + 0.005f * test_randf(seed);
    size_t at = t == DTYPE_Q2_K ? 80 : t == DTYPE_Q3_K ? 108 : t == DTYPE_Q6_K ? 208 : 0;
    if (t == DTYPE_F32) {
        f = test_randn(seed) * (how == SUBNORMAL && test_rand(seed) % 2 ? 0x1p-127f : 1.0f);
        memcpy(b, &f, 4);
    } else if (t == DTYPE_F16 || t == DTYPE_BF16) {
        uint16_t base = how == SUBNORMAL ? 0 : t == DTYPE_F16 ? 0x3000 : 0x3d00;
        half[0] = (uint16_t)(base | (test_rand(seed) & (t == DTYPE_F16 ? 0x83ff : 0x80ff)));
        memcpy(b, half, 2);
    } else if (t == DTYPE_Q8_K || t == DTYPE_NF4 || t == DTYPE_FP4) {
        memcpy(b, &f, 4);
    } else if (t == DTYPE_MXFP4) {
        b[0] = (uint8_t)(how == SUBNORMAL ? test_rand(seed) % 4 : 120 + test_rand(seed) % 8);
    } else {
        bool two = t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q2_K || t == DTYPE_Q4_K ||
                   t == DTYPE_Q5_K;
        memcpy(b + at, half, two ? 4 : 2);
    }
}

static inline void weights_draw(enum dtype t, enum drawing how, uint8_t *rows, uint32_t n_rows,
                                uint32_t n_cols, uint64_t *seed)
{
    size_t block = (size_t)dtype_info(t)->block_bytes, row = dtype_row_bytes(t, n_cols);
    for (uint32_t r = 0; r < n_rows; r++)
        for (size_t i = 0; i < row; i += block) {
            uint8_t *b = rows + r * row + i;
            if (how == ZERO_ROWS && r % 3 == 0) {
                memset(b, 0, block);
                continue;
            }
            for (size_t k = 0; k < block; k++)
                b[k] = how == EXTREME ? (uint8_t)(r % 2 ? 0xff : 0x80) : (uint8_t)test_rand(seed);
            scales_draw(t, how, b, seed);
        }
}

static inline void activations_draw(enum drawing how, float *x, uint32_t n_rows, uint32_t n_cols,
                                    uint64_t *seed)
{
    for (uint32_t t = 0; t < n_rows; t++)
        for (uint32_t i = 0; i < n_cols; i++) {
            float v = test_randn(seed);
            if (test_rand(seed) % 64 == 0)
                v *= 20;
            float *to = x + (size_t)t * n_cols + i;
            *to = how == EXTREME       ? (t % 3 == 0   ? 1.0f
                                          : t % 3 == 1 ? -1.0f
                                                       : (v < 0 ? -2.0f : 2.0f))
                  : how == ZERO_ROWS   ? (i / 32 % 3 ? 0.0f : v)
                  : how == HUGE_VALUES ? v * 0x1p40f
                  : how == TINY_VALUES ? v * (i / 256 % 2 ? 0x1p-61f : 0x1p-55f)
                                       : v;
        }
}

#endif
