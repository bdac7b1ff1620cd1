/* product.c - products of the exact profile with NEON's dot product: 8 rows by 8 of inputs. */
#include <stddef.h>

#include "device/cpu/arm_neon/vec.h"

#define PRODUCT_NAME      product_neon
#define PRODUCT_TEXT      "neon"
#define N_TILE            8
#define EACH_TOKEN(M)     M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define FLIP              0
#define DOT(acc, w, each) vdotq_s32(acc, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(each))
#define vi_xor(a, b)      veorq_s32(a, b)
#define vi_set1_8(n)      vreinterpretq_s32_s8(vdupq_n_s8(n))

static inline void vi_store_i8(void *p, int32x4_t a)
{
    int16x4_t half = vmovn_s32(a);
    int8x8_t bytes = vmovn_s16(vcombine_s16(half, half));
    vst1_lane_s32(p, vreinterpret_s32_s8(bytes), 0);
}

/* 16 bytes at `at` of each row: word i of row r becomes lane r of out[i]. */
static inline void vi_words(const uint8_t *const row[LANES], size_t at, int32x4_t out[4])
{
    int32x4_t z[4];
    for (int k = 0; k < 4; k++)
        z[k] = vreinterpretq_s32_u8(vld1q_u8(row[k] + at));
    int32x4x2_t low = vtrnq_s32(z[0], z[1]), high = vtrnq_s32(z[2], z[3]);
    for (int i = 0; i < 2; i++) {
        out[i] = vcombine_s32(vget_low_s32(low.val[i]), vget_low_s32(high.val[i]));
        out[2 + i] = vcombine_s32(vget_high_s32(low.val[i]), vget_high_s32(high.val[i]));
    }
}

#include "poc/product_kernels.h"
