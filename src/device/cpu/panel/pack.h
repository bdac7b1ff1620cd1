/* pack.h - GGUF rows to panels: the same integers and scales in formats.h's order.
 *
 * vi_words takes 16 bytes of LANES rows apart into four vectors with a word of every row each:
 * after it the bytes of a block lie as a panel wants them, row by lane, and are moved about by
 * shifts and masks. No byte outside a row is read. */
#include <string.h>

#include "device/cpu/panel/formats.h"
#include "tensor/half.h"

/* A block of LANES rows: where each row's bytes are. */
struct block_rows {
    const uint8_t *at[LANES];
};

/* ---- codes: c[j] holds columns 4j to 4j + 3 of 32 columns, a byte each ---- */

static inline VI low_nibbles(VI a, int right)
{
    return vi_and(vi_srl(a, right), vi_set1_8(15));
}

/* 16 bytes: the first 16 columns below, the others above. */
static inline void codes_halves(const struct block_rows *b, size_t at, VI c[8])
{
    VI w[4];
    vi_words(b->at, at, w);
    for (int i = 0; i < 4; i++) {
        c[i] = low_nibbles(w[i], 0);
        c[4 + i] = low_nibbles(w[i], 4);
    }
}

static inline void codes_q4_0(const struct block_rows *b, int g, VI c[8])
{
    (void)g;
    codes_halves(b, 2, c);
}
static inline void codes_q4_1(const struct block_rows *b, int g, VI c[8])
{
    (void)g;
    codes_halves(b, 4, c);
}
static inline void codes_mxfp4(const struct block_rows *b, int g, VI c[8])
{
    (void)g;
    codes_halves(b, 1, c);
}
static inline void codes_iq4_xs(const struct block_rows *b, int g, VI c[8])
{
    codes_halves(b, 8 + 16 * (size_t)g, c);
}

/* The fifth bits of 32 columns in one word: four of them become the bit 4 of four bytes. */
static inline void add_fifths(VI word, VI c[8])
{
    for (int j = 0; j < 8; j++) {
        VI four = vi_and(vi_srl(word, 4 * j), vi_set1(15));
        VI apart = vi_or(vi_or(four, vi_sll(four, 7)), vi_or(vi_sll(four, 14), vi_sll(four, 21)));
        c[j] = vi_or(c[j], vi_sll(vi_and(apart, vi_set1_8(1)), 4));
    }
}
static inline void codes_q5_0(const struct block_rows *b, int g, VI c[8])
{
    VI w[4];
    (void)g;
    codes_halves(b, 6, c);
    vi_words(b->at, 2, w);
    add_fifths(w[0], c);
}
static inline void codes_q5_1(const struct block_rows *b, int g, VI c[8])
{
    VI w[4];
    (void)g;
    codes_halves(b, 8, c);
    vi_words(b->at, 4, w);
    add_fifths(w[0], c);
}

static inline void words_8(const struct block_rows *b, size_t at, VI w[8])
{
    vi_words(b->at, at, w);
    vi_words(b->at, at + 16, w + 4);
}

static inline void codes_bytes(const struct block_rows *b, size_t at, VI c[8])
{
    words_8(b, at, c);
    for (int j = 0; j < 8; j++)
        c[j] = vi_xor(c[j], vi_set1_8(WEIGHT_FLIP));
}
static inline void codes_q8_0(const struct block_rows *b, int g, VI c[8])
{
    (void)g;
    codes_bytes(b, 2, c);
}
static inline void codes_q8_k(const struct block_rows *b, int g, VI c[8])
{
    codes_bytes(b, 4 + 32 * (size_t)g, c);
}

static inline void codes_q4_k(const struct block_rows *b, int g, VI c[8])
{
    words_8(b, 16 + 32 * (size_t)(g / 2), c);
    for (int j = 0; j < 8; j++)
        c[j] = low_nibbles(c[j], g % 2 * 4);
}

static inline void codes_q5_k(const struct block_rows *b, int g, VI c[8])
{
    VI high[8];
    words_8(b, 48 + 32 * (size_t)(g / 2), c);
    words_8(b, 16, high);
    for (int j = 0; j < 8; j++) {
        VI bit = vi_and(vi_srl(high[j], g), vi_set1_8(1));
        c[j] = vi_or(low_nibbles(c[j], g % 2 * 4), vi_sll(bit, 4));
    }
}

static inline void codes_q6_k(const struct block_rows *b, int g, VI c[8])
{
    VI high[8];
    int half = g / 4, quarter = g % 4;
    words_8(b, 64 * (size_t)half + 32 * (size_t)(quarter % 2), c);
    words_8(b, 128 + 32 * (size_t)half, high);
    for (int j = 0; j < 8; j++) {
        VI two = vi_and(vi_srl(high[j], 2 * quarter), vi_set1_8(3));
        c[j] = vi_or(low_nibbles(c[j], quarter / 2 * 4), vi_sll(two, 4));
    }
}

static inline void codes_twos(const struct block_rows *b, size_t at, int g, VI c[8])
{
    words_8(b, at + 32 * (size_t)(g / 4), c);
    for (int j = 0; j < 8; j++)
        c[j] = vi_and(vi_srl(c[j], g % 4 * 2), vi_set1_8(3));
}
static inline void codes_q2_k(const struct block_rows *b, int g, VI c[8])
{
    codes_twos(b, 16, g, c);
}
static inline void codes_q3_k(const struct block_rows *b, int g, VI c[8])
{
    VI third[8];
    codes_twos(b, 32, g, c);
    words_8(b, 0, third);
    for (int j = 0; j < 8; j++)
        c[j] = vi_or(c[j], vi_sll(vi_and(vi_srl(third[j], g), vi_set1_8(1)), 2));
}

/* Two columns in a byte, the first above. */
static inline void codes_nf4(const struct block_rows *b, int g, VI c[8])
{
    VI w[4];
    vi_words(b->at, 4 + 16 * (size_t)(g % 2), w);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            VI two = vi_srl(w[i], 16 * k);
            VI first = vi_or(vi_and(vi_srl(two, 4), vi_set1(15)),
                             vi_and(vi_sll(two, 4), vi_set1(15 << 16)));
            VI second = vi_or(vi_and(vi_sll(two, 8), vi_set1(15 << 8)),
                              vi_and(vi_sll(two, 16), vi_set1(15 << 24)));
            c[2 * i + k] = vi_or(first, second);
        }
}

/* ---- bodies: what weights_2 to weights_8 of formats.h read ---- */

static inline void put_2(const VI c[8], uint8_t *to)
{
    for (int h = 0; h < 2; h++) {
        VI low = vi_or(c[4 * h], vi_sll(c[4 * h + 1], 2));
        vi_store(to + h * V, vi_or(low, vi_or(vi_sll(c[4 * h + 2], 4), vi_sll(c[4 * h + 3], 6))));
    }
}

static inline void put_3(const VI c[8], uint8_t *to)
{
    VI two[8], third = vi_zero();
    for (int j = 0; j < 8; j++) {
        two[j] = vi_and(c[j], vi_set1_8(3));
        third = vi_or(third, vi_sll(vi_and(vi_srl(c[j], 2), vi_set1_8(1)), j));
    }
    vi_store(to, third);
    put_2(two, to + V);
}

static inline void put_4(const VI c[8], uint8_t *to)
{
    for (int i = 0; i < 4; i++)
        vi_store(to + i * V, vi_or(c[2 * i], vi_sll(c[2 * i + 1], 4)));
}

/* Bits [from, from + n) of each byte of a, moved up to bit `to`. */
static inline VI move_bits(VI a, int from, int n, int to)
{
    return vi_sll(vi_and(vi_srl(a, from), vi_set1_8((1 << n) - 1)), to);
}

static inline void put_5(const VI c[8], uint8_t *to)
{
    VI b = vi_or(move_bits(c[5], 3, 2, 6), move_bits(c[7], 3, 1, 5));
    VI d = vi_or(move_bits(c[6], 3, 2, 6), move_bits(c[7], 4, 1, 5));
    vi_store(to, vi_or(c[0], move_bits(c[5], 0, 3, 5)));
    vi_store(to + V, vi_or(c[1], b));
    vi_store(to + 2 * V, vi_or(c[2], move_bits(c[6], 0, 3, 5)));
    vi_store(to + 3 * V, vi_or(c[3], d));
    vi_store(to + 4 * V, vi_or(c[4], move_bits(c[7], 0, 3, 5)));
}

static inline void put_6(const VI c[8], uint8_t *to)
{
    for (int h = 0; h < 8; h += 4)
        for (int k = 0; k < 3; k++, to += V)
            vi_store(to, vi_or(c[h + k], move_bits(c[h + 3], 2 * k, 2, 6)));
}

static inline void put_8(const VI c[8], uint8_t *to)
{
    for (int j = 0; j < 8; j++)
        vi_store(to + j * V, c[j]);
}

/* ---- heads ---- */

static inline void put_halves(const struct block_rows *b, size_t at, uint8_t *to)
{
    for (int r = 0; r < LANES; r++)
        memcpy(to + 2 * r, b->at[r] + at, 2);
}

/* The lower and the upper halves of words. */
static inline void put_half_pairs(VI word, uint8_t *to)
{
    vi_store_i16(to, vi_sra(vi_sll(word, 16), 16));
    vi_store_i16(to + 2 * LANES, vi_sra(word, 16));
}

static inline void put_f32(uint8_t *to, int r, const uint8_t *from, float unit)
{
    float x;
    memcpy(&x, from, 4);
    x = f32_flush(x) * unit;
    memcpy(to + 4 * r, &x, 4);
}

/* Bytes 0, 2, 1, 3 of each word. */
static inline VI swap_middle(VI a)
{
    VI up = vi_and(vi_sll(a, 8), vi_set1(0xff0000)), down = vi_and(vi_srl(a, 8), vi_set1(0xff00));
    return vi_or(vi_and(a, vi_set1((int)0xff0000ffu)), vi_or(up, down));
}

/* Three words of which each byte holds six bits of low[k] and two of top. */
static inline void put_sixes(const VI low[3], VI top, uint8_t *to)
{
    for (int k = 0; k < 3; k++)
        vi_store(to + k * V, vi_or(low[k], move_bits(top, 2 * k, 2, 6)));
}

static void head_q45_k(const struct block_rows *b, uint8_t *head)
{
    VI w[4]; /* d and dmin; scales 0 to 3; minima 0 to 3; low nibbles of scales and minima 4 to 7 */
    vi_words(b->at, 0, w);
    VI six = vi_set1_8(63);
    VI sc = vi_or(low_nibbles(w[3], 0), move_bits(w[1], 6, 2, 4));
    VI m = vi_or(low_nibbles(w[3], 4), move_bits(w[2], 6, 2, 4));
    const VI low[3] = {swap_middle(vi_and(w[2], six)), swap_middle(m), vi_and(w[1], six)};
    put_half_pairs(w[0], head);
    put_sixes(low, sc, head + V);
}

static void head_q6_k(const struct block_rows *b, uint8_t *head)
{
    VI w[4];
    vi_words(b->at, 192, w);
    for (int g = 0; g < 16; g++)
        vi_store_i8(head + g * LANES, vi_sra(vi_sll(w[g / 4], 24 - g % 4 * 8), 24));
}

static void head_q3_k(const struct block_rows *b, uint8_t *head)
{
    VI w[4]; /* from the second on: low nibbles of scales 0 to 3 and 8 to 11, of the rest, tops */
    vi_words(b->at, 92, w);
    const VI low[3] = {
        vi_or(low_nibbles(w[1], 0), move_bits(w[3], 0, 2, 4)),
        vi_or(low_nibbles(w[2], 0), move_bits(w[3], 2, 2, 4)),
        vi_or(low_nibbles(w[1], 4), move_bits(w[3], 4, 2, 4)),
    };
    put_sixes(low, vi_or(low_nibbles(w[2], 4), move_bits(w[3], 6, 2, 4)), head);
}

static void head_q2_k(const struct block_rows *b, uint8_t *head)
{
    VI w[4];
    vi_words(b->at, 68, w);
    put_half_pairs(w[3], head);
    vi_words(b->at, 0, w);
    for (int i = 0; i < 4; i++)
        vi_store(head + (1 + i) * V, swap_middle(w[i]));
}

static void head_q8_k(const struct block_rows *b, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        put_f32(head, r, b->at[r], 1.0f);
}

static void head_iq4_xs(const struct block_rows *b, uint8_t *head)
{
    VI w[4];
    vi_words(b->at, 0, w);
    put_half_pairs(w[0], head);
    vi_store(head + V, w[1]);
}

static void head_half(const struct block_rows *b, uint8_t *head)
{
    put_halves(b, 0, head);
}

static void head_half2(const struct block_rows *b, uint8_t *head)
{
    put_halves(b, 0, head);
    put_halves(b, 2, head + 2 * LANES);
}

static void head_mxfp4(const struct block_rows *b, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        head[r] = b->at[r][0] < 2 ? 0 : (uint8_t)(b->at[r][0] - 1);
}

static void head_nf4(const struct block_rows *b, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        put_f32(head, r, b->at[r], level_table(DTYPE_NF4)->unit);
}

static void head_fp4(const struct block_rows *b, uint8_t *head)
{
    for (int r = 0; r < LANES; r++)
        put_f32(head, r, b->at[r], level_table(DTYPE_FP4)->unit);
}

/* ---- panels ---- */

struct pack_format {
    uint32_t head, body, plane; /* bytes of f_HEAD for a block, of f_BODY, of f_PLANE */
    void (*head_write)(const struct block_rows *b, uint8_t *head);
    void (*bodies_write)(const struct block_rows *b, int n_groups,
                         uint8_t *body); /* groups of 32 columns */
};

#define BODIES(f, codes, put)                                                                      \
    static void f##_bodies(const struct block_rows *b, int n_groups, uint8_t *body)                \
    {                                                                                              \
        for (int g = 0; g < n_groups; g++, body += f##_BODY) {                                     \
            VI c[8];                                                                               \
            codes(b, g, c);                                                                        \
            put(c, body);                                                                          \
        }                                                                                          \
    }
BODIES(q2_k, codes_q2_k, put_2)
BODIES(q3_k, codes_q3_k, put_3)
BODIES(q4_k, codes_q4_k, put_4)
BODIES(q5_k, codes_q5_k, put_5)
BODIES(q6_k, codes_q6_k, put_6)
BODIES(q8_k, codes_q8_k, put_8)
BODIES(iq4_xs, codes_iq4_xs, put_4)
BODIES(q4_0, codes_q4_0, put_4)
BODIES(q4_1, codes_q4_1, put_4)
BODIES(q5_0, codes_q5_0, put_5)
BODIES(q5_1, codes_q5_1, put_5)
BODIES(q8_0, codes_q8_0, put_8)
BODIES(mxfp4, codes_mxfp4, put_4)
BODIES(nf4, codes_nf4, put_4)

static const struct pack_format *pack_format(enum dtype t)
{
    static const struct pack_format formats[DTYPE_COUNT] = {
        [DTYPE_Q2_K] = {q2_k_HEAD, q2_k_BODY, 0, head_q2_k, q2_k_bodies},
        [DTYPE_Q3_K] = {q3_k_HEAD, q3_k_BODY, q3_k_PLANE, head_q3_k, q3_k_bodies},
        [DTYPE_Q4_K] = {q4_k_HEAD, q4_k_BODY, 0, head_q45_k, q4_k_bodies},
        [DTYPE_Q5_K] = {q5_k_HEAD, q5_k_BODY, 0, head_q45_k, q5_k_bodies},
        [DTYPE_Q6_K] = {q6_k_HEAD, q6_k_BODY, q6_k_PLANE, head_q6_k, q6_k_bodies},
        [DTYPE_Q8_K] = {q8_k_HEAD, q8_k_BODY, 0, head_q8_k, q8_k_bodies},
        [DTYPE_IQ4_XS] = {iq4_xs_HEAD, iq4_xs_BODY, 0, head_iq4_xs, iq4_xs_bodies},
        [DTYPE_Q4_0] = {q4_0_HEAD, q4_0_BODY, 0, head_half, q4_0_bodies},
        [DTYPE_Q4_1] = {q4_1_HEAD, q4_1_BODY, 0, head_half2, q4_1_bodies},
        [DTYPE_Q5_0] = {q5_0_HEAD, q5_0_BODY, 0, head_half, q5_0_bodies},
        [DTYPE_Q5_1] = {q5_1_HEAD, q5_1_BODY, 0, head_half2, q5_1_bodies},
        [DTYPE_Q8_0] = {q8_0_HEAD, q8_0_BODY, 0, head_half, q8_0_bodies},
        [DTYPE_IQ4_NL] = {iq4_nl_HEAD, iq4_nl_BODY, 0, head_half, q4_0_bodies},
        [DTYPE_MXFP4] = {mxfp4_HEAD, mxfp4_BODY, 0, head_mxfp4, mxfp4_bodies},
        [DTYPE_NF4] = {2 * nf4_HEAD, nf4_BODY, 0, head_nf4, nf4_bodies},
        [DTYPE_FP4] = {2 * fp4_HEAD, fp4_BODY, 0, head_fp4, nf4_bodies},
    };
    return formats[t].head ? &formats[t] : NULL;
}

/* Bytes of a panel: a multiple of 64. */
static size_t panel_bytes(enum dtype t, uint32_t n_cols)
{
    const struct pack_format *f = pack_format(t);
    uint32_t len = (uint32_t)quant_format(t)->len;
    size_t n_bytes = (size_t)n_cols / len * (f->head + f->plane + len / 32 * f->body);
    return (n_bytes + 63) & ~(size_t)63;
}

/* Heads of the groups of 256 columns come before their bodies. A row that is NULL is zeros. */
static void panel_write(enum dtype t, uint32_t n_cols, const uint8_t *const row[LANES],
                        uint8_t *panel)
{
    static const uint8_t zeros[292];
    const struct pack_format *f = pack_format(t);
    uint32_t len = (uint32_t)quant_format(t)->len, n = n_cols / len, n_per = 256 / len;
    size_t block_bytes = (size_t)dtype_info(t)->block_bytes, bodies = len / 32 * f->body;
    uint8_t *plane = panel + n * (f->head + bodies);
    for (uint32_t i = 0; i < n; i += n_per) {
        uint32_t n_here = n - i < n_per ? n - i : n_per;
        uint8_t *head = panel + i * (f->head + bodies), *body = head + n_here * f->head;
        for (uint32_t k = i; k < i + n_here; k++, head += f->head, body += bodies) {
            struct block_rows b;
            for (int r = 0; r < LANES; r++)
                b.at[r] = row[r] ? row[r] + k * block_bytes : zeros;
            f->head_write(&b, head);
            f->bodies_write(&b, (int)len / 32, body);
            if (f->plane)
                put_halves(&b, block_bytes - 2, plane + k * f->plane);
        }
    }
}

/* ---- plain floats: what would be subnormal is a zero of its sign ---- */

static inline VF vf_flush(VF x)
{
    VF sign = vi_as_f(vi_and(vf_as_i(x), vi_set1(INT32_MIN)));
    return vf_less(vf_abs(x), vf_set1(0x1p-126f), sign, x);
}

static void floats_write(const uint8_t *from, size_t n, uint8_t *to)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store((float *)to + i, vf_flush(vf_load((const float *)from + i)));
    for (; i < n; i++) {
        float x;
        memcpy(&x, from + 4 * i, 4);
        x = f32_flush(x);
        memcpy(to + 4 * i, &x, 4);
    }
}

/* A column of LANES halves; a word of each row holds two columns. */
static inline void put_columns(enum dtype t, VI word, uint8_t *to)
{
    VI first = vi_sll(word, 16), second = word;
    if (t == DTYPE_BF16) {
        first = vf_as_i(vf_flush(vi_as_f(first)));
        second = vf_as_i(vf_flush(vi_as_f(vi_and(second, vi_set1((int)0xffff0000u)))));
    }
    vi_store_i16(to, vi_sra(first, 16));
    vi_store_i16(to + 2 * LANES, vi_sra(second, 16));
}

/* F16 and BF16: a column of LANES rows after another. */
static void halves_write(enum dtype t, uint32_t n_cols, const uint8_t *const row[LANES],
                         uint8_t *panel)
{
    static const uint8_t zeros[16];
    uint32_t k = 0;
    for (; k + 8 <= n_cols; k += 8, panel += 16 * LANES) {
        const uint8_t *b[LANES];
        VI w[4];
        for (int r = 0; r < LANES; r++)
            b[r] = row[r] ? row[r] + 2 * (size_t)k : zeros;
        vi_words(b, 0, w);
        for (int i = 0; i < 4; i++)
            put_columns(t, w[i], panel + 4 * i * LANES);
    }
    for (; k < n_cols; k++, panel += 2 * LANES)
        for (int r = 0; r < LANES; r++) {
            uint16_t h = 0;
            if (row[r])
                memcpy(&h, row[r] + 2 * (size_t)k, 2);
            if (t == DTYPE_BF16 && (h & 0x7f80) == 0)
                h &= 0x8000;
            memcpy(panel + 2 * r, &h, 2);
        }
}

/* ---- matrices ---- */

size_t ISA_NAME(matrix_bytes)(enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    size_t n_panels = (n_rows + LANES - 1) / LANES;
    if (t == DTYPE_F32)
        return n_rows * dtype_row_bytes(t, n_cols);
    if (!pack_format(t))
        return n_panels * LANES * dtype_row_bytes(t, n_cols);
    return n_panels * panel_bytes(t, n_cols);
}

void ISA_NAME(matrix_pack)(enum dtype t, uint32_t n_rows, uint32_t n_cols, const void *rows,
                           uint32_t row0, uint32_t row1, void *packed)
{
    size_t row_bytes = dtype_row_bytes(t, n_cols);
    const uint8_t *from = rows;
    uint8_t *to = packed;
    if (t == DTYPE_F32) {
        floats_write(from + row0 * row_bytes, (size_t)(row1 - row0) * n_cols,
                     to + row0 * row_bytes);
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
