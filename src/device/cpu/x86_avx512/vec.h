/* vec.h - AVX-512 under the names that device/cpu/panel/ is written in: 16 lanes of 32 bits.
 *
 * The dot product takes unsigned weights: where a format's integers are signed, 128 is added to
 * them (WEIGHT_FLIP) and the accumulator starts at -128 times the sum of the activations. */
#ifndef DEVICE_CPU_X86_AVX512_VEC_H
#define DEVICE_CPU_X86_AVX512_VEC_H

#include <immintrin.h>
#include <stdint.h>

#define ISA_NAME(name) avx512_##name
#define LANES          16
#define VI             __m512i
#define VF             __m512
#define WEIGHT_FLIP    0x80
/* Tokens of a tile: up to TILE_SMALL_MAX for one panel, TILE_WIDE for two from TILE_ROWS_FEW on. */
#define TILE_SMALL_MAX 12
#define TILE_WIDE      6
#define TILE_ROWS_FEW  23
#define TILE_WIDTHS                                                                                \
    {                                                                                              \
        0, 1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 12, 12                                                  \
    }

/* Many tokens: weights are opened first (wide.h). */
#define WIDE

#define vi_load(p)          _mm512_loadu_si512(p)
#define vi_store(p, a)      _mm512_storeu_si512(p, a)
#define vi_zero()           _mm512_setzero_si512()
#define vi_set1(n)          _mm512_set1_epi32(n)
#define vi_set1_8(n)        _mm512_set1_epi8((char)(n))
#define vi_add(a, b)        _mm512_add_epi32(a, b)
#define vi_add8(a, b)       _mm512_add_epi8(a, b)
#define vi_mul(a, b)        _mm512_mullo_epi32(a, b)
#define vi_mul16(a, b)      _mm512_mullo_epi16(a, b)
#define vi_and(a, b)        _mm512_and_si512(a, b)
#define vi_or(a, b)         _mm512_or_si512(a, b)
#define vi_xor(a, b)        _mm512_xor_si512(a, b)
#define vi_srl(a, n)        _mm512_srli_epi32(a, n)
#define vi_sll(a, n)        _mm512_slli_epi32(a, n)
#define vi_sra(a, n)        _mm512_srai_epi32(a, n)
#define vi_sllv(a, n)       _mm512_sllv_epi32(a, n)
#define vi_and_or(a, m, b)  _mm512_ternarylogic_epi32(a, m, b, 0xea) /* (a & m) | b */
#define vi_lookup(table, a) _mm512_shuffle_epi8(table, a)
#define vi_table(p)         _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(p)))
/* acc + sums of four products; weights unsigned after WEIGHT_FLIP, activations signed. */
#define vi_dot(acc, w, x)         _mm512_dpbusd_epi32(acc, w, x)
#define vi_dot_flipped(acc, w, x) _mm512_dpbusd_epi32(acc, w, x)
/* acc + sums of two products of int16. */
#define vi_dot16(acc, a, b) _mm512_dpwssd_epi32(acc, a, b)
#define vi_load_i8(p)       _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define vi_load_u8(p)       _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define vi_load_u16(p)      _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p)))
#define vi_to_f(a)          _mm512_cvtepi32_ps(a)
#define vi_as_f(a)          _mm512_castsi512_ps(a)
#define vi_sum(a)           _mm512_reduce_add_epi32(a)
#define vi_sub(a, b)        _mm512_sub_epi32(a, b)
/* The lowest byte of each lane, LANES bytes. */
#define vi_store_i8(p, a)  _mm_storeu_si128((__m128i *)(p), _mm512_cvtepi32_epi8(a))
#define vi_store_i16(p, a) _mm256_storeu_si256((__m256i *)(p), _mm512_cvtepi32_epi16(a))

/* 16 bytes at `at` of each row: word i of row r becomes lane r of out[i]. */
static inline void vi_words(const uint8_t *const row[LANES], size_t at, __m512i out[4])
{
    __m512i z[4], pair[4];
    for (int k = 0; k < 4; k++) {
#define VI_ROW(r) _mm_loadu_si128((const __m128i *)(row[r] + at))
        z[k] = _mm512_inserti32x4(_mm512_castsi128_si512(VI_ROW(k)), VI_ROW(4 + k), 1);
        z[k] = _mm512_inserti32x4(z[k], VI_ROW(8 + k), 2);
        z[k] = _mm512_inserti32x4(z[k], VI_ROW(12 + k), 3);
#undef VI_ROW
    }
    for (int k = 0; k < 2; k++) {
        pair[k] = _mm512_unpacklo_epi32(z[2 * k], z[2 * k + 1]);
        pair[2 + k] = _mm512_unpackhi_epi32(z[2 * k], z[2 * k + 1]);
    }
    for (int i = 0; i < 4; i += 2) {
        out[i] = _mm512_unpacklo_epi64(pair[i], pair[i + 1]);
        out[i + 1] = _mm512_unpackhi_epi64(pair[i], pair[i + 1]);
    }
}

#define vf_load(p)      _mm512_loadu_ps(p)
#define vf_store(p, a)  _mm512_storeu_ps(p, a)
#define vf_load_f16(p)  _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p)))
#define vf_zero()       _mm512_setzero_ps()
#define vf_set1(x)      _mm512_set1_ps(x)
#define vf_add(a, b)    _mm512_add_ps(a, b)
#define vf_sub(a, b)    _mm512_sub_ps(a, b)
#define vf_mul(a, b)    _mm512_mul_ps(a, b)
#define vf_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vf_max(a, b)    _mm512_max_ps(a, b) /* a > b ? a : b */
#define vf_min(a, b)    _mm512_min_ps(a, b) /* a < b ? a : b */
#define vf_as_i(a)      _mm512_castps_si512(a)
#define vf_to_i(a)      _mm512_cvtps_epi32(a) /* nearest even */
#define vf_top(a)       _mm512_reduce_max_ps(a)
/* a < b ? x : y, by lane. */
#define vf_less(a, b, x, y) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x)
/* Whether |a| < limit in every lane; false for a NaN. */
#define vf_all_below(a, limit)                                                                     \
    (_mm512_cmp_ps_mask(_mm512_abs_ps(a), vf_set1(limit), _CMP_LT_OQ) == 0xffff)
#define vf_abs(a) _mm512_abs_ps(a)

/* Lane i and lane i ^ h: their sum where bit h of i is clear, else their difference. */
static inline __m512 vf_butterfly(__m512 x, uint32_t h)
{
    __m512 y = h == 1   ? _mm512_permute_ps(x, 0xb1)
               : h == 2 ? _mm512_permute_ps(x, 0x4e)
               : h == 4 ? _mm512_shuffle_f32x4(x, x, 0xb1)
                        : _mm512_shuffle_f32x4(x, x, 0x4e);
    __mmask16 upper = h == 1 ? 0xaaaa : h == 2 ? 0xcccc : h == 4 ? 0xf0f0 : 0xff00;
    return _mm512_mask_sub_ps(_mm512_add_ps(x, y), upper, y, x);
}
/* Neighbours exchanged; every second lane from 0 on negated; LANES / 2 floats, each twice. */
#define vf_swap(a)        _mm512_permute_ps(a, 0xb1)
#define vf_negate_even(a) _mm512_xor_ps(a, _mm512_castsi512_ps(_mm512_set1_epi64(0x80000000)))
static inline __m512 vf_load_twice(const float *p)
{
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    return _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
}

static inline __m512 add_as_ints(__m512 a, __m512 b)
{
    return vi_as_f(vi_add(vf_as_i(a), vf_as_i(b)));
}
/* The largest lane of each of four vectors; their sums of lanes. */
#define QUADS(op, a, b) op(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd))
static inline __m128 quads_first(__m512 a)
{
    const __m512i first = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(first, a));
}
static inline void vf_store_tops(float *p, __m512 a, __m512 b, __m512 c, __m512 d)
{
    __m512 ab = QUADS(_mm512_max_ps, a, b), cd = QUADS(_mm512_max_ps, c, d);
    __m512 x = QUADS(_mm512_max_ps, ab, cd);
    x = _mm512_max_ps(x, _mm512_permute_ps(x, 0x4e));
    x = _mm512_max_ps(x, _mm512_permute_ps(x, 0xb1));
    _mm_storeu_ps(p, quads_first(x));
}
static inline void vi_store_sums(int32_t *p, __m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512 ab = QUADS(add_as_ints, vi_as_f(a), vi_as_f(b));
    __m512 cd = QUADS(add_as_ints, vi_as_f(c), vi_as_f(d)), x = QUADS(add_as_ints, ab, cd);
    x = add_as_ints(x, _mm512_permute_ps(x, 0x4e));
    x = add_as_ints(x, _mm512_permute_ps(x, 0xb1));
    _mm_storeu_si128((__m128i *)p, _mm_castps_si128(quads_first(x)));
}

/* Lanes i of a row of 64, low <= LANES * v + i <= high; and a choice by them. */
#define VM __mmask16
#define vm_range(v, low, high)                                                                     \
    ((__mmask16)((UINT64_MAX << (low)&UINT64_MAX >> (63 - (high))) >> (LANES * (v))))
#define vf_pick(mask, a, b) _mm512_mask_blend_ps(mask, b, a)

/* Attention: vectors of positions per pass over the keys, heads per pass over the values. */
#define SCORE_RUN   4
#define VALUE_HEADS 4
/* The dot product with its sum kept in place, where gcc would copy it. */
#if defined(__clang__)
#define VI_DOT16_INTO(acc, a, b) ((acc) = _mm512_dpwssd_epi32(acc, a, b))
#else
#define VI_DOT16_INTO(acc, a, b) __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b))
#endif

/* Panels x tokens of F16 and BF16 products, the largest first, and their cells. */
#define HALF_CELLS 24
#define HALF_TILES(M)                                                                              \
    M(2, 12, EACH_24)                                                                              \
    M(2, 8, EACH_16)                                                                               \
    M(2, 6, EACH_12)                                                                               \
    M(2, 4, EACH_8)                                                                                \
    M(1, 12, EACH_12)                                                                              \
    M(1, 8, EACH_8) M(4, 2, EACH_8) M(2, 2, EACH_4) M(1, 4, EACH_4) M(1, 2, EACH_2)                \
        M(2, 1, EACH_2) M(1, 1, EACH_1)

#define prefetch(p)    _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define prefetch_far(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)
#define prefetch_write(p) __builtin_prefetch(p, 1)
#define PREFETCH_AHEAD 6144

#endif
