/* kernels.c - products of quantised matrices with AVX-512 VNNI. */
#include "device/cpu/x86_avx512/vec.h"
#include "device/cpu/panel/kernels.h"
