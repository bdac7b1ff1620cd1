/* products.c - matrices, activations and their products with AVX2; the loops are kernels.c's. */
#include "device/cpu/x86_avx2/vec.h"
#include "device/cpu/panel/acts.h"
#include "device/cpu/panel/matmul.h"
#include "device/cpu/panel/pack.h"
#include "device/cpu/panel/plain.h"
