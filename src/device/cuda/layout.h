/* layout.h - matrices and activations as they lie in the device's memory (kernels/formats.h).
 *
 * A packed matrix has the file's bits in another order: 8 rows make a panel, whose planes of codes
 * and of scales the kernels read 16 bytes per thread. Padding: rows up to a multiple of 8, a panel
 * up to 128 bytes, a last block of 32 to 224 columns up to whole units of scales: under 0.5 % from
 * 4,096 columns on. F32, F16 and BF16 rows stay as they are, F32 without subnormals.
 * Host memory; no state, any thread. */
#ifndef DEVICE_CUDA_LAYOUT_H
#define DEVICE_CUDA_LAYOUT_H

#include "device/cuda/kernels/formats.h"
#include "device/device.h"

/* The row of CUDA_FORMATS; -1 for F32, F16, BF16. */
int layout_format(enum dtype t);
struct panel_planes panel_planes(int format, uint32_t n_cols);

/* As the slots of device_ops. Pieces of a multiple of MATRIX_STEP rows are packed on their own. */
size_t layout_bytes(enum dtype t, uint32_t n_rows, uint32_t n_cols);
void layout_pack(enum dtype t, uint32_t n_rows, uint32_t n_cols, const void *rows, void *packed);
/* Rows rounded to halves lie as they are, and after them a scale for each (kernels/args_fast.h). */
static inline bool acts_are_halves(enum act_kind kind)
{
    return kind == ACT_F16 || kind == ACT_BF16;
}
size_t layout_acts_bytes(enum act_kind kind, uint32_t n_rows, uint32_t n_cols);

#endif
