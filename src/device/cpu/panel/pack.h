/* pack.h - GGUF rows to panels: the same integers and scales in formats.h's order. */
#include <string.h>

#include "device/cpu/panel/formats.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

/* A block of LANES rows on its way: opened, its bytes, and its codes as unsigned integers. */
struct pack {
    const uint8_t *bytes[LANES];
    struct quant_block open[LANES];
    uint8_t code[LANES][QUANT_LEN_MAX];
};

/* How one format is written. */
struct pack_format {
    uint32_t head, body, plane; /* bytes of f_HEAD, f_BODY, f_PLANE */
    int bits;                   /* of a code: which of weights_2 to weights_8 reads it */
    int bias;                   /* added to an integer to make its code */
    int raw_codes;              /* offset of 16-byte runs of codes in the block; 0: take integers */
    void (*head_write)(const struct pack *p, uint8_t *head); /* for one block of `len` columns */
};

static void put_words(uint8_t *to, int r, const uint8_t bytes[4])
{
    memcpy(to + 4 * r, bytes, 4);
}

/* Three words of which byte i holds six bits of low[4k + i] and two of top[i]. */
static void put_sixes(uint8_t *to, int r, const uint8_t low[12], const uint8_t top[4])
{
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 4; i++)
            to[k * V + 4 * r + i] = (uint8_t)(low[4 * k + i] | (top[i] >> 2 * k & 3) << 6);
}

static void put_half(uint8_t *to, int r, const uint8_t *half)
{
    memcpy(to + 2 * r, half, 2);
}

static void put_f32(uint8_t *to, int r, float x)
{
    memcpy(to + 4 * r, &x, 4);
}

static void head_q45_k(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++) {
        const int8_t *m = p->open[r].m, *sc = p->open[r].sc;
        const int8_t low[12] = {m[0], m[2], m[1],  m[3],  m[4],  m[6],
                                m[5], m[7], sc[0], sc[1], sc[2], sc[3]};
        put_half(head, r, p->bytes[r]);
        put_half(head + 2 * LANES, r, p->bytes[r] + 2);
        put_sixes(head + V, r, (const uint8_t *)low, (const uint8_t *)sc + 4);
    }
}

static void head_q6_k(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        for (int g = 0; g < 16; g++)
            head[g * LANES + r] = (uint8_t)p->open[r].sc[g];
}

static void head_q3_k(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++) {
        uint8_t sc[16];
        for (int g = 0; g < 16; g++)
            sc[g] = (uint8_t)(p->open[r].sc[g] + 32);
        put_sixes(head, r, sc, sc + 12);
    }
}

static void head_q2_k(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++) {
        const uint8_t *s = p->bytes[r];
        put_half(head, r, s + 80);
        put_half(head + 2 * LANES, r, s + 82);
        for (int i = 0; i < 16; i += 4, s += 4)
            put_words(head + (1 + i / 4) * V, r, (const uint8_t[4]){s[0], s[2], s[1], s[3]});
    }
}

static void head_q8_k(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        put_f32(head, r, p->open[r].d);
}

static void head_iq4_xs(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++) {
        put_half(head, r, p->bytes[r]);
        put_half(head + 2 * LANES, r, p->bytes[r] + 2);
        put_words(head + V, r, p->bytes[r] + 4);
    }
}

static void head_half(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        put_half(head, r, p->bytes[r]);
}

static void head_half2(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++) {
        put_half(head, r, p->bytes[r]);
        put_half(head + 2 * LANES, r, p->bytes[r] + 2);
    }
}

static void head_mxfp4(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        head[r] = (uint8_t)(f32_bits(p->open[r].d) >> 23);
}

static void head_nf4(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        put_f32(head, r, p->open[r].d * level_table(DTYPE_NF4)->unit);
}

static void head_fp4(const struct pack *p, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        put_f32(head, r, p->open[r].d * level_table(DTYPE_FP4)->unit);
}

static const struct pack_format *pack_format(enum dtype t)
{
    static const struct pack_format formats[DTYPE_COUNT] = {
        [DTYPE_Q2_K] = {q2_k_HEAD, q2_k_BODY, 0, 2, 0, 0, head_q2_k},
        [DTYPE_Q3_K] = {q3_k_HEAD, q3_k_BODY, q3_k_PLANE, 3, 4, 0, head_q3_k},
        [DTYPE_Q4_K] = {q4_k_HEAD, q4_k_BODY, 0, 4, 0, 0, head_q45_k},
        [DTYPE_Q5_K] = {q5_k_HEAD, q5_k_BODY, 0, 5, 0, 0, head_q45_k},
        [DTYPE_Q6_K] = {q6_k_HEAD, q6_k_BODY, q6_k_PLANE, 6, 32, 0, head_q6_k},
        [DTYPE_Q8_K] = {q8_k_HEAD, q8_k_BODY, 0, 8, WEIGHT_FLIP, 0, head_q8_k},
        [DTYPE_IQ4_XS] = {iq4_xs_HEAD, iq4_xs_BODY, 0, 4, 0, 8, head_iq4_xs},
        [DTYPE_Q4_0] = {q4_0_HEAD, q4_0_BODY, 0, 4, 8, 0, head_half},
        [DTYPE_Q4_1] = {q4_1_HEAD, q4_1_BODY, 0, 4, 0, 0, head_half2},
        [DTYPE_Q5_0] = {q5_0_HEAD, q5_0_BODY, 0, 5, 16, 0, head_half},
        [DTYPE_Q5_1] = {q5_1_HEAD, q5_1_BODY, 0, 5, 0, 0, head_half2},
        [DTYPE_Q8_0] = {q8_0_HEAD, q8_0_BODY, 0, 8, WEIGHT_FLIP, 0, head_half},
        [DTYPE_IQ4_NL] = {iq4_nl_HEAD, iq4_nl_BODY, 0, 4, 0, 2, head_half},
        [DTYPE_MXFP4] = {mxfp4_HEAD, mxfp4_BODY, 0, 4, 0, 1, head_mxfp4},
        [DTYPE_NF4] = {2 * nf4_HEAD, nf4_BODY, 0, 4, 0, 0, head_nf4},
        [DTYPE_FP4] = {2 * fp4_HEAD, fp4_BODY, 0, 4, 0, 0, head_fp4},
    };
    return formats[t].bits ? &formats[t] : NULL;
}

/* Bits of code j of 8 where weights_5 finds them. */
static void put_five(uint8_t *at, int j, int v)
{
    static const uint8_t to[3][5][2] = {/* codes 5, 6, 7: vector and place of each bit */
                                        {{0, 5}, {0, 6}, {0, 7}, {1, 6}, {1, 7}},
                                        {{2, 5}, {2, 6}, {2, 7}, {3, 6}, {3, 7}},
                                        {{4, 5}, {4, 6}, {4, 7}, {1, 5}, {3, 5}}};
    for (int k = 0; k < 5; k++)
        if (j < 5)
            at[j * V] |= (uint8_t)(v & 1 << k);
        else
            at[to[j - 5][k][0] * V] |= (uint8_t)((v >> k & 1) << to[j - 5][k][1]);
}

/* 32 columns of codes from column `from` to one body. */
static void body_write(const struct pack *p, int bits, int from, uint8_t *to, uint32_t n_bytes)
{
    memset(to, 0, n_bytes);
    for (int r = 0; r < LANES; r++)
        for (int i = 0; i < 32; i++) {
            int v = p->code[r][from + i], j = i / 4;
            uint8_t *at = to + 4 * r + i % 4, *half = at + j / 4 * 3 * V;
            switch (bits) {
            case 2:
                at[j / 4 * V] |= (uint8_t)(v << j % 4 * 2);
                break;
            case 3:
                at[0] |= (uint8_t)(v >> 2 << j);
                at[V + j / 4 * V] |= (uint8_t)((v & 3) << j % 4 * 2);
                break;
            case 4:
                at[j / 2 * V] |= (uint8_t)(v << j % 2 * 4);
                break;
            case 5:
                put_five(at, j, v);
                break;
            case 6:
                for (int k = 0; k < 3 && j % 4 == 3; k++)
                    half[k * V] |= (uint8_t)((v >> 2 * k & 3) << 6);
                if (j % 4 < 3)
                    half[j % 4 * V] |= (uint8_t)v;
                break;
            default:
                at[j * V] = (uint8_t)v;
            }
        }
}

static void codes_take(const struct pack_format *f, const struct quant_format *q, struct pack *p)
{
    for (int r = 0; r < LANES; r++) {
        q->open(p->bytes[r], &p->open[r]);
        for (int i = 0; i < q->len; i++)
            p->code[r][i] =
                f->raw_codes
                    ? p->bytes[r][f->raw_codes + i / 32 * 16 + i % 16] >> i % 32 / 16 * 4 & 15
                    : (uint8_t)(p->open[r].q[i] + f->bias);
    }
}

/* Bytes of a panel: a multiple of 64. */
static size_t panel_bytes(enum dtype t, uint32_t n_cols)
{
    const struct pack_format *f = pack_format(t);
    uint32_t len = (uint32_t)quant_format(t)->len;
    size_t n_bytes = (size_t)n_cols / len * (f->head + f->plane + len / 32 * f->body);
    return (n_bytes + 63) & ~(size_t)63;
}

/* Heads of the groups of 256 columns come before their bodies. */
static void panel_write(enum dtype t, uint32_t n_cols, const uint8_t *const row[LANES],
                        uint8_t *panel)
{
    const struct pack_format *f = pack_format(t);
    const struct quant_format *q = quant_format(t);
    uint32_t len = (uint32_t)q->len, n = n_cols / len, n_per = 256 / len;
    size_t block_bytes = (size_t)dtype_info(t)->block_bytes, bodies = len / 32 * f->body;
    uint8_t *plane = panel + n * (f->head + bodies);
    struct pack p;
    for (uint32_t i = 0; i < n; i += n_per) {
        uint32_t n_here = n - i < n_per ? n - i : n_per;
        uint8_t *head = panel + i * (f->head + bodies), *body = head + n_here * f->head;
        for (uint32_t k = i; k < i + n_here; k++, head += f->head) {
            for (int r = 0; r < LANES; r++)
                p.bytes[r] = row[r] ? row[r] + k * block_bytes : (const uint8_t[292]){0};
            codes_take(f, q, &p);
            f->head_write(&p, head);
            for (uint32_t g = 0; g < len / 32; g++, body += f->body)
                body_write(&p, f->bits, (int)(32 * g), body, f->body);
            for (int r = 0; f->plane && r < LANES; r++)
                put_half(plane + k * f->plane, r, p.bytes[r] + block_bytes - 2);
        }
    }
}

static size_t plain_row_bytes(enum dtype t, uint32_t n_cols)
{
    return t == DTYPE_F32 ? 4 * (size_t)n_cols : 2 * (size_t)n_cols;
}

size_t ISA_NAME(matrix_bytes)(enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    size_t n_panels = (n_rows + LANES - 1) / LANES;
    if (t == DTYPE_F32)
        return n_rows * plain_row_bytes(t, n_cols);
    if (!pack_format(t))
        return n_panels * LANES * plain_row_bytes(t, n_cols);
    return n_panels * panel_bytes(t, n_cols);
}

/* F16 and BF16: a column of LANES rows after another; a BF16 that would be subnormal is a zero. */
static void halves_write(enum dtype t, uint32_t n_cols, const uint8_t *const row[LANES],
                         uint8_t *panel)
{
    for (uint32_t k = 0; k < n_cols; k++)
        for (int r = 0; r < LANES; r++) {
            uint16_t h = 0;
            if (row[r])
                memcpy(&h, row[r] + 2 * (size_t)k, 2);
            if (t == DTYPE_BF16 && (h & 0x7f80) == 0)
                h &= 0x8000;
            memcpy(panel + 2 * ((size_t)k * LANES + (size_t)r), &h, 2);
        }
}

void ISA_NAME(matrix_pack)(enum dtype t, uint32_t n_rows, uint32_t n_cols, const void *rows,
                           uint32_t row0, uint32_t row1, void *packed)
{
    size_t row_bytes = dtype_row_bytes(t, n_cols);
    const uint8_t *from = rows;
    uint8_t *to = packed;
    if (t == DTYPE_F32) {
        memcpy(to + row0 * row_bytes, from + row0 * row_bytes, (row1 - row0) * row_bytes);
        return;
    }
    for (uint32_t n = row0; n < row1; n += LANES) {
        const uint8_t *row[LANES];
        for (uint32_t r = 0; r < LANES; r++)
            row[r] = n + r < n_rows ? from + (n + r) * row_bytes : NULL;
        if (pack_format(t))
            panel_write(t, n_cols, row, to + n / LANES * panel_bytes(t, n_cols));
        else
            halves_write(t, n_cols, row, to + n * row_bytes);
    }
}
