/* layout.h - the block layouts that the table in quant.c collects; private to tensor/quant. */
#ifndef TENSOR_QUANT_LAYOUT_H
#define TENSOR_QUANT_LAYOUT_H

#include "tensor/half.h"
#include "tensor/quant/quant.h"

/* X(type, elements, group, least and greatest q, least and greatest sub-scale, stem, encoder): the
 * functions are <stem>_open, <stem>_pack and encode_<encoder>. With levels, q is a code. */
#define QUANT_LIST(X)                                                                              \
    X(Q4_0, 32, 32, -8, 7, 1, 1, q4_0, flat)                                                       \
    X(Q4_1, 32, 32, 0, 15, 1, 1, q4_1, minimum)                                                    \
    X(Q5_0, 32, 32, -16, 15, 1, 1, q5_0, flat)                                                     \
    X(Q5_1, 32, 32, 0, 31, 1, 1, q5_1, minimum)                                                    \
    X(Q8_0, 32, 32, -127, 127, 1, 1, q8_0, flat)                                                   \
    X(Q2_K, 256, 16, 0, 3, 0, 15, q2_k, super_min)                                                 \
    X(Q3_K, 256, 16, -4, 3, -32, 31, q3_k, super)                                                  \
    X(Q4_K, 256, 32, 0, 15, 0, 63, q4_k, super_min)                                                \
    X(Q5_K, 256, 32, 0, 31, 0, 63, q5_k, super_min)                                                \
    X(Q6_K, 256, 16, -32, 31, -128, 127, q6_k, super)                                              \
    X(Q8_K, 256, 256, -127, 127, 1, 1, q8_k, q8_k)                                                 \
    X(IQ4_NL, 32, 32, -127, 113, 1, 1, iq4_nl, flat)                                               \
    X(IQ4_XS, 256, 32, -127, 113, -32, 31, iq4_xs, super)                                          \
    X(MXFP4, 32, 32, -12, 12, 1, 1, mxfp4, mxfp4)                                                  \
    X(NF4, 64, 64, 0, 15, 1, 1, nf4, nf4)                                                          \
    X(FP4, 64, 64, 0, 15, 1, 1, fp4, fp4)

#define QUANT_DECLARE(type, len, group, q_lo, q_hi, sc_lo, sc_hi, stem, encoder)                   \
    void stem##_open(const uint8_t *bytes, struct quant_block *b);                                 \
    void stem##_pack(const struct quant_block *b, uint8_t *bytes);
QUANT_LIST(QUANT_DECLARE)
#undef QUANT_DECLARE

/* The encoders (encode.c, k.c, iq4.c, nf4.c): fill b for a block x with weights w. Inputs as
 * search.h.
 */
void encode_flat(const struct quant_format *f, const float *x, const float *w,
                 struct quant_block *b);
void encode_minimum(const struct quant_format *f, const float *x, const float *w,
                    struct quant_block *b);
void encode_super(const struct quant_format *f, const float *x, const float *w,
                  struct quant_block *b);
void encode_super_min(const struct quant_format *f, const float *x, const float *w,
                      struct quant_block *b);
void encode_q8_k(const struct quant_format *f, const float *x, const float *w,
                 struct quant_block *b);
void encode_mxfp4(const struct quant_format *f, const float *x, const float *w,
                  struct quant_block *b);
void encode_nf4(const struct quant_format *f, const float *x, const float *w,
                struct quant_block *b);
void encode_fp4(const struct quant_format *f, const float *x, const float *w,
                struct quant_block *b);

static inline uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void store_u32(uint8_t *p, uint32_t v)
{
    store_u16(p, (uint16_t)v);
    store_u16(p + 2, (uint16_t)(v >> 16));
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
