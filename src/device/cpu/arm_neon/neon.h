/* neon.h - the product that arm_neon/ puts into its table. */
#ifndef DEVICE_CPU_ARM_NEON_NEON_H
#define DEVICE_CPU_ARM_NEON_NEON_H

#include "device/cpu/isa.h"

void neon_matmul(const struct matmul_args *m, uint32_t row0, uint32_t row1);

#endif
