/* wide.c - the compatible profile's forward pass with AVX2: 6 outputs by 16 positions. */
#include <stdbool.h>

#include "device/cpu/x86_avx2/vec.h"
#include "device/cpu/panel/func.h"
#include "tensor/half.h"

#define WIDE_NAME       avx2
#define WIDE_TEXT       "avx2"
#define TILE_ROWS       6
#define EACH_ROW(M)     M(0) M(1) M(2) M(3) M(4) M(5)
#define vf_round_f16(a) _mm256_cvtph_ps(_mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT))

#include "poc/wide_kernels.h"
