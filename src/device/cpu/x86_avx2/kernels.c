/* kernels.c - products of quantised matrices with AVX2. */
#include "device/cpu/x86_avx2/vec.h"
#include "device/cpu/panel/kernels.h"
