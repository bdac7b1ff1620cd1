/* product.h - products of the exact profile: bytes by bytes, summed in integers.
 *
 * A weight is an integer w within +-127, times 2^-10. A row x of inputs has one scale: with a its
 * largest magnitude, q = rne(x * (num_recip(a) * 127)) within +-127, and the scale is a / 127. A
 * product is f32(sum of w q) * (a * 0x1.020408p-17): the sum is exact in any order and fits 32 bits
 * (PRODUCT_COLUMNS_MAX), so nothing depends on the machine. a < NUM_TINY is a row of zeros. */
#ifndef POC_PRODUCT_H
#define POC_PRODUCT_H

#include <stdint.h>

#include "base/err.h"
#include "base/threads.h"

enum { PRODUCT_COLUMNS_MAX = 1 << 17 };

struct products;

/* isa: of cpu_isa_names. Threads are borrowed. n_rows_max, n_columns_max: of inputs; columns are a
 * multiple of 32, at most PRODUCT_COLUMNS_MAX. NULL without memory. */
struct products *products_new(const char *isa, struct threads *threads, uint32_t n_rows_max,
                              uint32_t n_columns_max);
void products_free(struct products *p); /* NULL is nothing */
/* Bytes that it takes, at most. */
uint64_t products_bytes(int n_threads, uint64_t n_rows_max, uint64_t n_columns_max);

/* x[n_rows][n_columns] becomes the inputs of the products that follow; bad[t] = 1 where a row is
 * not finite: it is zeros. */
void products_take(struct products *p, const float *x, uint32_t n_rows, uint32_t n_columns,
                   uint8_t *bad);
/* y[t][n_rows] of weights[n_rows][n_columns] for every row t of the inputs. */
void products_run(struct products *p, const int8_t *weights, uint32_t n_rows, float *y);

#endif
