/* vec.h - NEON under the names that device/cpu/panel/ is written in: 4 lanes of 32 bits. */
#ifndef DEVICE_CPU_ARM_NEON_VEC_H
#define DEVICE_CPU_ARM_NEON_VEC_H

#include <arm_neon.h>
#include <stdint.h>

#define ISA_NAME(name) neon_##name
#define LANES          4
#define VI             int32x4_t
#define VF             float32x4_t

#define vi_load(p)     vld1q_s32((const int32_t *)(p))
#define vi_store(p, a) vst1q_s32((int32_t *)(p), a)
#define vi_zero()      vdupq_n_s32(0)
#define vi_set1(n)     vdupq_n_s32(n)
#define vi_add(a, b)   vaddq_s32(a, b)
#define vi_sub(a, b)   vsubq_s32(a, b)
#define vi_and(a, b)   vandq_s32(a, b)
#define vi_or(a, b)    vorrq_s32(a, b)
#define vi_sll(a, n)   vshlq_n_s32(a, n)
#define vi_to_f(a)     vcvtq_f32_s32(a)
#define vi_as_f(a)     vreinterpretq_f32_s32(a)
#define vi_sum(a)      vaddvq_s32(a)
/* The low half of each lane, whose value fits. */
#define vi_store_i16(p, a) vst1_s16((int16_t *)(p), vmovn_s32(a))

/* acc + sums of two products of int16. */
static inline int32x4_t vi_dot16(int32x4_t acc, int32x4_t a, int32x4_t b)
{
    int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y));
    return vaddq_s32(acc, vpaddq_s32(low, vmull_high_s16(x, y)));
}
#define VI_DOT16_INTO(acc, a, b) ((acc) = vi_dot16(acc, a, b))

#define vf_load(p)     vld1q_f32(p)
#define vf_store(p, a) vst1q_f32(p, a)
#define vf_zero()      vdupq_n_f32(0)
#define vf_set1(x)     vdupq_n_f32(x)
#define vf_add(a, b)   vaddq_f32(a, b)
#define vf_sub(a, b)   vsubq_f32(a, b)
#define vf_mul(a, b)   vmulq_f32(a, b)
#define vf_as_i(a)     vreinterpretq_s32_f32(a)
#define vf_to_i(a)     vcvtnq_s32_f32(a) /* nearest even */
#define vf_abs(a)      vabsq_f32(a)
#define vf_top(a)      vmaxvq_f32(a)
/* a < b ? x : y, by lane; maxima and minima the same way, for NaN and zeros as they are defined. */
#define vf_less(a, b, x, y) vbslq_f32(vcltq_f32(a, b), x, y)
#define vf_max(a, b)        vf_less(b, a, a, b)
#define vf_min(a, b)        vf_less(a, b, a, b)
/* Whether |a| < limit in every lane; false for a NaN. */
#define vf_all_below(a, limit) (vminvq_u32(vcaltq_f32(a, vf_set1(limit))) != 0)

/* Lane i and lane i ^ h: their sum where bit h of i is clear, else their difference. */
static inline float32x4_t vf_butterfly(float32x4_t x, uint32_t h)
{
    static const uint32_t upper[2][4] = {{0, ~0u, 0, ~0u}, {0, 0, ~0u, ~0u}};
    float32x4_t y = h == 1 ? vrev64q_f32(x) : vextq_f32(x, x, 2);
    return vbslq_f32(vld1q_u32(upper[h - 1]), vsubq_f32(y, x), vaddq_f32(x, y));
}
/* Neighbours exchanged; every second lane from 0 on negated; LANES / 2 floats, each twice. */
#define vf_swap(a)       vrev64q_f32(a)
#define vf_load_twice(p) vcombine_f32(vdup_n_f32((p)[0]), vdup_n_f32((p)[1]))
static inline float32x4_t vf_negate_even(float32x4_t a)
{
    static const int32_t signs[4] = {INT32_MIN, 0, INT32_MIN, 0};
    return vi_as_f(veorq_s32(vf_as_i(a), vld1q_s32(signs)));
}

/* The largest lane of each of four vectors; their sums of lanes. */
static inline void vf_store_tops(float *p, float32x4_t a, float32x4_t b, float32x4_t c,
                                 float32x4_t d)
{
    vst1q_f32(p, vpmaxq_f32(vpmaxq_f32(a, b), vpmaxq_f32(c, d)));
}
static inline void vi_store_sums(int32_t *p, int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d)
{
    vst1q_s32(p, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
}

/* Lanes i of a row of 64, low <= LANES * v + i <= high; and a choice by them. */
#define VM uint32x4_t
static inline uint32x4_t vm_range(int v, uint32_t low, uint32_t high)
{
    static const uint32_t lane[4] = {0, 1, 2, 3};
    uint32x4_t i = vaddq_u32(vld1q_u32(lane), vdupq_n_u32((uint32_t)v * LANES));
    return vandq_u32(vcgeq_u32(i, vdupq_n_u32(low)), vcleq_u32(i, vdupq_n_u32(high)));
}
#define vf_pick(mask, a, b) vbslq_f32(mask, a, b)

/* Attention: vectors of positions per pass over the keys, heads per pass over the values. */
#define SCORE_RUN   4
#define VALUE_HEADS 4

#define prefetch(p) __builtin_prefetch(p)

#endif
