/* product.c - products of the exact profile with AVX-512 VNNI: 32 rows by 12 of inputs. */
#include "device/cpu/x86_avx512/vec.h"

#define PRODUCT_NAME      product_avx512
#define PRODUCT_TEXT      "avx512"
#define N_TILE            12
#define EACH_TOKEN(M)     M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define FLIP              0x80
#define DOT(acc, w, each) vi_dot(acc, w, each)

#include "poc/product_kernels.h"
