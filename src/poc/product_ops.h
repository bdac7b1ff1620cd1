/* product_ops.h - what an instruction set does for product.c: functions over panels, no threads.
 *
 * A panel is n_panel rows of weights, laid out for the set's dot product of four bytes; a tile is
 * n_tile rows of inputs, [n_columns / 4][n_tile][4], with a scale and a sum for each. */
#ifndef POC_PRODUCT_OPS_H
#define POC_PRODUCT_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one tile. */
struct product_tile {
    const int8_t *q;
    const float *scale;
    const int32_t *sum; /* of q */
};

/* Where a panel's outputs of a tile go: y[n_tokens][n_rows], rows `stride` floats apart. */
struct product_place {
    float *y;
    size_t stride;
    uint32_t n_tokens, n_rows;
};

/* The scale of a row is so much of its largest magnitude: 1 / 127, and a weight's 2^-10. */
static const float PRODUCT_STEP = 0x1.020408p-17f;

struct product_ops {
    const char *isa;
    uint32_t n_panel, n_tile;
    /* One row x[n_columns] to its place in a tile, 4 bytes each n_tile * 4. False: a value is not
     * finite, and the row is zeros. */
    bool (*quantize)(const float *x, uint32_t n_columns, int8_t *q, float *scale, int32_t *sum);
    /* rows[n_rows][n_columns]; what is missing up to n_panel is nobody's. */
    void (*lay_out)(const int8_t *rows, uint32_t n_rows, uint32_t n_columns, int8_t *panel);
    void (*multiply)(const int8_t *panel, const struct product_tile *x, uint32_t n_columns,
                     const struct product_place *to);
};

extern const struct product_ops product_avx512, product_avx2, product_neon;

#endif
