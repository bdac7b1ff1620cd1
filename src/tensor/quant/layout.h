/* layout.h - the block layouts that the table in quant.c collects; private to tensor/quant. */
#ifndef TENSOR_QUANT_LAYOUT_H
#define TENSOR_QUANT_LAYOUT_H

#include "tensor/half.h"
#include "tensor/quant/quant.h"

/* X(type, elements, group, q_max, stem): the functions are <stem>_open. */
#define QUANT_LIST(X)                                                                              \
    X(Q4_0, 32, 32, 8, q4_0)                                                                       \
    X(Q4_1, 32, 32, 15, q4_1)                                                                      \
    X(Q5_0, 32, 32, 16, q5_0)                                                                      \
    X(Q5_1, 32, 32, 31, q5_1)                                                                      \
    X(Q8_0, 32, 32, 128, q8_0)                                                                     \
    X(Q2_K, 256, 16, 3, q2_k)                                                                      \
    X(Q3_K, 256, 16, 4, q3_k)                                                                      \
    X(Q4_K, 256, 32, 15, q4_k)                                                                     \
    X(Q5_K, 256, 32, 31, q5_k)                                                                     \
    X(Q6_K, 256, 16, 32, q6_k)                                                                     \
    X(Q8_K, 256, 256, 128, q8_k)                                                                   \
    X(IQ4_NL, 32, 32, 127, iq4_nl)                                                                 \
    X(IQ4_XS, 256, 32, 127, iq4_xs)                                                                \
    X(MXFP4, 32, 32, 12, mxfp4)                                                                    \
    X(NF4, 64, 64, 1, nf4)                                                                         \
    X(FP4, 64, 64, 1, fp4)

#define QUANT_DECLARE(type, len, group, q_max, stem)                                               \
    void stem##_open(const uint8_t *bytes, struct quant_block *b);
QUANT_LIST(QUANT_DECLARE)
#undef QUANT_DECLARE

static inline uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Formats with one scale for the whole block. */
static inline void block_flat(struct quant_block *b, float d)
{
    b->d = d;
    b->dmin = 0;
    b->levels = NULL;
    b->sc[0] = 1;
    b->m[0] = 0;
}

#endif
