/* neon.h - the functions that arm_neon/ puts into its table. */
#ifndef DEVICE_CPU_ARM_NEON_NEON_H
#define DEVICE_CPU_ARM_NEON_NEON_H

#include "device/cpu/isa.h"

void neon_matmul(const struct matmul_args *m, uint32_t row0, uint32_t row1);
void neon_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y);
void neon_glu(enum act_fn fn, const float *gate, const float *up, uint32_t n, float *y);
void neon_attention(const struct attention_unit *u);

/* The tree of R4 over 256 lanes; lane is overwritten. */
float neon_lane_tree(float lane[256]);

#endif
