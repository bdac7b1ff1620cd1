/* gguf_write.h - writes a whole GGUF v3 file: metadata, then tensors row by row. */
#ifndef FORMAT_GGUF_WRITE_H
#define FORMAT_GGUF_WRITE_H

#include "format/table.h"

/* Produces rows [row, row + n_rows) of tensor v, v's rows counted over all of its higher
 * dimensions, into out (n_rows * dtype_row_bytes(v->dtype, v->dim[0]) bytes, 64-byte aligned).
 * Called in file order on the caller's thread; a non-zero result ends the write. */
typedef enum err gguf_rows_fn(void *context, const struct tensor_view *v, uint64_t row,
                              uint64_t n_rows, void *out, struct err_note *note);

/* gguf_write - the file appears under path complete or not at all. Tensors keep their order; of a
 * view, data and n_bytes matter only when rows is NULL (its data is written then).
 * Each value is written as its gguf_type says; general.alignment is honoured.
 * Errors: a duplicate or unprintable name, a type that GGUF has no number for, what rows returns,
 * input/output (a full disk). */
enum err gguf_write(const char *path, const struct meta_value *metas, size_t n_metas,
                    const struct tensor_view *tensors, size_t n_tensors, gguf_rows_fn *rows,
                    void *context, struct err_note *note);

uint64_t tensor_rows(const struct tensor_view *v); /* the product of the higher dimensions */

#endif
