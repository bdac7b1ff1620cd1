/* layout.c - GGUF's blocks to panels: codes by way of the opened block, scales as they stand.
 *
 * Codes are made from what quant_format opens, so this file knows no format's bit order; but where
 * it opens to levels (IQ4, MXFP4), from the nibbles that end the block. */
#include "device/cuda/layout.h"

#include <string.h>

#include "base/check.h"
#include "device/cuda/kernels/args_fast.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

int layout_format(enum dtype t)
{
    switch (t) {
#define FORMAT_OF(type, ...)                                                                       \
    case DTYPE_##type:                                                                             \
        return FORMAT_##type;
        CUDA_FORMATS(FORMAT_OF)
#undef FORMAT_OF
    default:
        return -1;
    }
}

static uint32_t units(uint32_t n, uint32_t per_unit)
{
    return (n + per_unit - 1) / per_unit;
}

struct panel_planes panel_planes(int format, uint32_t n_cols)
{
    struct format f = format_of(format);
    uint32_t n_groups = n_cols / 32, n_blocks = units(n_groups, BLOCK_GROUPS);
    struct panel_planes p = {0};
    p.twos = p.nibbles + (f.nibbles ? n_groups * 16 * PANEL_ROWS : 0);
    p.ones = p.twos + (f.twos ? units(n_groups, 2) * 16 * PANEL_ROWS : 0);
    p.bytes = p.ones + (f.ones ? units(n_groups, 4) * 16 * PANEL_ROWS : 0);
    p.head = p.bytes + (f.bytes ? n_groups * 32 * PANEL_ROWS : 0);
    p.tail = p.head + n_blocks * (uint32_t)f.head_bytes * PANEL_ROWS;
    p.n_bytes = (p.tail + n_blocks * (uint32_t)f.tail_bytes * PANEL_ROWS + 127) & ~127u;
    return p;
}

size_t layout_bytes(enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    int format = layout_format(t);
    if (format < 0)
        return n_rows * dtype_row_bytes(t, n_cols);
    return (size_t)units(n_rows, PANEL_ROWS) * panel_planes(format, n_cols).n_bytes;
}

static uint32_t word_at(const uint8_t *code, uint32_t mask)
{
    uint32_t w;
    memcpy(&w, code, 4);
    return w & mask;
}

/* The low halves of four bytes, side by side. */
static uint32_t gather_nibbles(uint32_t x)
{
    x = (x & 0x000f000f) | (x & 0x0f000f00) >> 4;
    return (x & 0xff) | (x >> 8 & 0xff00);
}

/* The codes of one row's group of 32 columns into its planes; row: of the panel. */
static void pack_codes(struct format f, const struct panel_planes *p, const uint8_t code[32],
                       uint32_t group, uint32_t row, uint8_t *panel)
{
    uint32_t high = f.nibbles ? 4 : 0, one = 0, two[2] = {0};
    if (f.bytes)
        for (uint32_t half = 0; half < 2; half++)
            memcpy(panel + p->bytes + ((2 * group + half) * PANEL_ROWS + row) * 16,
                   code + 16 * half, 16);
    for (uint32_t w = 0; w < 4; w++) {
        uint32_t low = word_at(code + 4 * w, ~0u), up = word_at(code + 16 + 4 * w, ~0u);
        if (f.nibbles) {
            uint32_t word = f.levels ? gather_nibbles(low) | gather_nibbles(up) << 16
                                     : (low & 0x0f0f0f0f) | (up & 0x0f0f0f0f) << 4;
            memcpy(panel + p->nibbles + (group * PANEL_ROWS + row) * 16 + 4 * w, &word, 4);
        }
        two[0] |= (low >> high & 0x03030303) << 2 * w;
        two[1] |= (up >> high & 0x03030303) << 2 * w;
        uint32_t top = f.nibbles ? 4 : 2;
        one |= (low >> top & 0x01010101) << w | (up >> top & 0x01010101) << (4 + w);
    }
    if (f.twos)
        memcpy(panel + p->twos + (group / 2 * PANEL_ROWS + row) * 16 + group % 2 * 8, two, 8);
    if (f.ones)
        memcpy(panel + p->ones + (group / 4 * PANEL_ROWS + row) * 16 + group % 4 * 4, &one, 4);
}

/* The codes of a file's block: unsigned but for bytes. */
static void open_codes(int format, enum dtype t, const uint8_t *block, uint8_t *code)
{
    struct format f = format_of(format);
    if (f.levels && t != DTYPE_NF4 && t != DTYPE_FP4) {
        int len = dtype_info(t)->block_len; /* codes end the block */
        const uint8_t *packed = block + dtype_info(t)->block_bytes - len / 2;
        for (int i = 0; i < len; i++)
            code[i] = packed[i / 32 * 16 + i % 16] >> i % 32 / 16 * 4 & 15;
        return;
    }
    struct quant_block b;
    quant_format(t)->open(block, &b);
    for (int i = 0; i < quant_format(t)->len; i++)
        code[i] = (uint8_t)(b.q[i] + f.bias);
}

/* Where a block of 256 keeps its scales: `head` bytes at head_at, `tail` bytes at tail_at. */
static void pack_scales_k(enum dtype t, struct format f, const uint8_t *block, uint8_t *head,
                          uint8_t *tail)
{
    int head_at = t == DTYPE_Q3_K ? 96 : t == DTYPE_Q6_K ? 192 : 0;
    int tail_at = t == DTYPE_Q2_K ? 80 : t == DTYPE_Q3_K ? 108 : t == DTYPE_Q6_K ? 208 : 0;
    memcpy(head, block + head_at, (size_t)f.head_bytes);
    memcpy(tail, block + tail_at, (size_t)f.tail_bytes);
}

/* One row of a type with its own scale per 32 or 64 columns: scales begin the block. */
static void pack_row_32(enum dtype t, int format, const struct panel_planes *p, const uint8_t *row,
                        uint32_t n_cols, uint32_t at, uint8_t *panel)
{
    struct format f = format_of(format);
    uint32_t len = (uint32_t)dtype_info(t)->block_len,
             block_bytes = (uint32_t)dtype_info(t)->block_bytes;
    uint32_t n_scale = (uint32_t)f.head_bytes * len / BLOCK_COLS;
    for (uint32_t i = 0; i < n_cols / len; i++) {
        const uint8_t *block = row + (size_t)i * block_bytes;
        uint8_t code[64];
        open_codes(format, t, block, code);
        for (uint32_t g = 0; g < len / 32; g++)
            pack_codes(f, p, code + 32 * g, i * (len / 32) + g, at, panel);
        uint32_t per_block = BLOCK_COLS / len;
        memcpy(panel + p->head + (i / per_block * PANEL_ROWS + at) * (uint32_t)f.head_bytes +
                   i % per_block * n_scale,
               block, n_scale);
    }
}

static void pack_row_k(enum dtype t, int format, const struct panel_planes *p, const uint8_t *row,
                       uint32_t n_cols, uint32_t at, uint8_t *panel)
{
    struct format f = format_of(format);
    for (uint32_t i = 0; i < n_cols / BLOCK_COLS; i++) {
        const uint8_t *block = row + (size_t)i * (uint32_t)dtype_info(t)->block_bytes;
        uint8_t code[BLOCK_COLS];
        open_codes(format, t, block, code);
        for (uint32_t g = 0; g < BLOCK_GROUPS; g++)
            pack_codes(f, p, code + 32 * g, i * BLOCK_GROUPS + g, at, panel);
        pack_scales_k(t, f, block, panel + p->head + (i * PANEL_ROWS + at) * (uint32_t)f.head_bytes,
                      panel + p->tail + (i * PANEL_ROWS + at) * (uint32_t)f.tail_bytes);
    }
}

void layout_pack(enum dtype t, uint32_t n_rows, uint32_t n_cols, const void *rows, void *packed)
{
    int format = layout_format(t);
    size_t row_bytes = dtype_row_bytes(t, n_cols);
    if (format < 0) {
        if (t == DTYPE_F32)
            quant_decode_row(t, rows, packed, (size_t)n_rows * n_cols);
        else
            memcpy(packed, rows, n_rows * row_bytes);
        return;
    }
    struct panel_planes p = panel_planes(format, n_cols);
    bool is_k = act_kind_of(t) == ACT_Q256;
    memset(packed, 0, layout_bytes(t, n_rows, n_cols));
    for (uint32_t r = 0; r < n_rows; r++)
        (is_k ? pack_row_k : pack_row_32)(t, format, &p, (const uint8_t *)rows + r * row_bytes,
                                          n_cols, r % PANEL_ROWS,
                                          (uint8_t *)packed + (size_t)(r / PANEL_ROWS) * p.n_bytes);
}

size_t layout_acts_bytes(enum act_kind kind, uint32_t n_rows, uint32_t n_cols)
{
    size_t n_tiles = units(acts_rows(n_rows), ACTS_ROWS);
    if (acts_are_halves(kind))
        return fast_scales_at(n_rows, n_cols) + n_rows * sizeof(float);
    if (kind == ACT_F32)
        return (size_t)n_rows * n_cols * sizeof(float);
    return n_tiles * acts_tile_bytes(kind == ACT_Q256, n_cols / 32);
}
