/* cublas.h - large products of halves by NVIDIA's libcublasLt, found when the program runs: dlopen
 * with prototypes of our own. It comes with the CUDA toolkit, not with the driver.
 *
 * How a shape is multiplied is chosen once, by the library, and kept: the same call again gives the
 * same bits. Calls are made with the device's context current, by one thread at a time. */
#ifndef DEVICE_CUDA_CUBLAS_H
#define DEVICE_CUDA_CUBLAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct CUstream_st;
struct cublas;

/* Device memory. y[T,N] = x[T,K] . w[N,K]^T (+ bias[N]); halves are F16, or BF16, sums binary32. */
struct cublas_product {
    const void *w, *x;
    const float *bias; /* or NULL */
    float *y;
    uint64_t stride;                /* floats between rows of y */
    uint32_t n_rows, n_out, n_cols; /* T, N, K */
    bool is_brain;
};

/* cublas_open - ERR_NOT_FOUND: no such library, or none that works with this driver. */
enum err cublas_open(struct cublas **b, struct err_note *note);
void cublas_close(struct cublas *b); /* NULL is nothing */

/* cublas_multiply - submits the product to the stream; workspace: device memory that it may use
 * until it is done. *is_done false: the library has no way for this shape, and nothing was
 * submitted. ERR_IO: what it says. */
enum err cublas_multiply(struct cublas *b, const struct cublas_product *p, void *workspace,
                         size_t n_bytes_workspace, struct CUstream_st *stream, bool *is_done,
                         struct err_note *note);

#endif
