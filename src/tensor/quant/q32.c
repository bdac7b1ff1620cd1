/* q32.c - the formats of 32 elements with one half scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
 *
 * Bytes: d, then m (Q4_1, Q5_1), then four bytes of fifth bits (Q5_x: bit i of element i), then the
 * low four bits: byte j holds element j below and element j + 16 above. Q8_0 holds int8. */
#include "tensor/quant/layout.h"

/* Low four bits from `low`, the fifth from `fifth`, less `bias`. */
static void nibbles_open(const uint8_t *low, uint32_t fifth, int bias, int8_t *q)
{
    for (int j = 0; j < 16; j++) {
        q[j] = (int8_t)(((low[j] & 15) | (int)(fifth >> j & 1) << 4) - bias);
        q[j + 16] = (int8_t)((low[j] >> 4 | (int)(fifth >> (j + 16) & 1) << 4) - bias);
    }
}

/* value = d*q + m, written as d*q - dmin*(-1): negation is exact. */
static void minimum_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f16_widen(load_u16(bytes)));
    b->dmin = f16_widen(load_u16(bytes + 2));
    b->m[0] = -1;
}

static void nibbles_pack(const int8_t *q, int bias, uint8_t *fifth, uint8_t *low)
{
    uint32_t bits = 0;
    for (int j = 0; j < 32; j++)
        bits |= (uint32_t)((q[j] + bias) >> 4 & 1) << j;
    if (fifth)
        store_u32(fifth, bits);
    for (int j = 0; j < 16; j++)
        low[j] = (uint8_t)(((q[j] + bias) & 15) | ((q[j + 16] + bias) & 15) << 4);
}

void q4_0_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f16_widen(load_u16(bytes)));
    nibbles_open(bytes + 2, 0, 8, b->q);
}

void q4_0_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    nibbles_pack(b->q, 8, NULL, bytes + 2);
}

void q4_1_open(const uint8_t *bytes, struct quant_block *b)
{
    minimum_open(bytes, b);
    nibbles_open(bytes + 4, 0, 0, b->q);
}

void q4_1_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    store_u16(bytes + 2, f16_round(-b->dmin * (float)b->m[0]));
    nibbles_pack(b->q, 0, NULL, bytes + 4);
}

void q5_0_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f16_widen(load_u16(bytes)));
    nibbles_open(bytes + 6, load_u32(bytes + 2), 16, b->q);
}

void q5_0_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    nibbles_pack(b->q, 16, bytes + 2, bytes + 6);
}

void q5_1_open(const uint8_t *bytes, struct quant_block *b)
{
    minimum_open(bytes, b);
    nibbles_open(bytes + 8, load_u32(bytes + 4), 0, b->q);
}

void q5_1_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    store_u16(bytes + 2, f16_round(-b->dmin * (float)b->m[0]));
    nibbles_pack(b->q, 0, bytes + 4, bytes + 8);
}

void q8_0_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f16_widen(load_u16(bytes)));
    memcpy(b->q, bytes + 2, 32);
}

void q8_0_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    memcpy(bytes + 2, b->q, 32);
}
