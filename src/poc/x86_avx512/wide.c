/* wide.c - the compatible profile's forward pass with AVX-512: 14 outputs by 32 positions. */
#include <stdbool.h>

#include "device/cpu/x86_avx512/vec.h"
#include "device/cpu/panel/func.h"
#include "tensor/half.h"

#define WIDE_NAME       avx512
#define WIDE_TEXT       "avx512"
#define TILE_ROWS       14
#define EACH_ROW(M)     M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)
#define vf_round_f16(a) _mm512_cvtph_ps(_mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT))

#include "poc/wide_kernels.h"
