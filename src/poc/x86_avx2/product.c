/* product.c - products of the exact profile with AVX2: 16 rows by 4 of inputs. */
#include "device/cpu/x86_avx2/vec.h"

#define PRODUCT_NAME      product_avx2
#define PRODUCT_TEXT      "avx2"
#define N_TILE            4
#define EACH_TOKEN(M)     M(0) M(1) M(2) M(3)
#define FLIP              0
#define DOT(acc, w, each) vi_dot_flipped(acc, w, each)

#include "poc/product_kernels.h"
