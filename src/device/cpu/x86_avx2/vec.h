/* vec.h - AVX2 under the names that device/cpu/panel/ is written in: 8 lanes of 32 bits.
 *
 * The dot product multiplies unsigned by signed bytes and adds pairs in int16, which would saturate
 * for weights biased to u8 above 128: signed integers stay signed (WEIGHT_FLIP 0) and lend their
 * sign to the activations. |w| <= 128 and |x| <= 127 keep a pair below 2^15. */
#ifndef DEVICE_CPU_X86_AVX2_VEC_H
#define DEVICE_CPU_X86_AVX2_VEC_H

#include <immintrin.h>
#include <stdint.h>

#define ISA_NAME(name) avx2_##name
#define LANES          8
#define VI             __m256i
#define VF             __m256
#define WEIGHT_FLIP    0
/* Tokens of a tile: 16 registers hold four accumulators and what feeds them. */
#define TILE_SMALL_MAX 4
#define TILE_WIDE      4
#define TILE_ROWS_FEW  4
#define TILE_WIDTHS                                                                                \
    {                                                                                              \
        0, 1, 2, 3, 4                                                                              \
    }

#define vi_load(p)          _mm256_loadu_si256((const __m256i *)(p))
#define vi_store(p, a)      _mm256_storeu_si256((__m256i *)(p), a)
#define vi_zero()           _mm256_setzero_si256()
#define vi_set1(n)          _mm256_set1_epi32(n)
#define vi_set1_8(n)        _mm256_set1_epi8((char)(n))
#define vi_add(a, b)        _mm256_add_epi32(a, b)
#define vi_sub(a, b)        _mm256_sub_epi32(a, b)
#define vi_add8(a, b)       _mm256_add_epi8(a, b)
#define vi_mul(a, b)        _mm256_mullo_epi32(a, b)
#define vi_mul16(a, b)      _mm256_mullo_epi16(a, b)
#define vi_and(a, b)        _mm256_and_si256(a, b)
#define vi_or(a, b)         _mm256_or_si256(a, b)
#define vi_xor(a, b)        _mm256_xor_si256(a, b)
#define vi_srl(a, n)        _mm256_srli_epi32(a, n)
#define vi_sll(a, n)        _mm256_slli_epi32(a, n)
#define vi_sra(a, n)        _mm256_srai_epi32(a, n)
#define vi_sllv(a, n)       _mm256_sllv_epi32(a, n)
#define vi_and_or(a, m, b)  _mm256_or_si256(_mm256_and_si256(a, m), b)
#define vi_lookup(table, a) _mm256_shuffle_epi8(table, a)
#define vi_table(p)         _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p)))
#define vi_load_i8(p)       _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#define vi_load_u8(p)       _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#define vi_load_u16(p)      _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define vi_to_f(a)          _mm256_cvtepi32_ps(a)
#define vi_as_f(a)          _mm256_castsi256_ps(a)
/* acc + sums of two products of int16. */
#define vi_dot16(acc, a, b)      _mm256_add_epi32(acc, _mm256_madd_epi16(a, b))
#define VI_DOT16_INTO(acc, a, b) ((acc) = vi_dot16(acc, a, b))

/* acc + sums of four products: weights unsigned, or signed where the format's integers are. */
static inline __m256i vi_dot(__m256i acc, __m256i w, __m256i x)
{
    return vi_dot16(acc, _mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
}
static inline __m256i vi_dot_flipped(__m256i acc, __m256i w, __m256i x)
{
    return vi_dot(acc, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

static inline int32_t vi_sum(__m256i a)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
/* The low halves, or lowest bytes, of the lanes, whose values fit. */
static inline __m128i vi_pack_i16(__m256i a)
{
    return _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}
static inline void vi_store_i16(void *p, __m256i a)
{
    _mm_storeu_si128((__m128i *)p, vi_pack_i16(a));
}
static inline void vi_store_i8(void *p, __m256i a)
{
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(vi_pack_i16(a), _mm_setzero_si128()));
}

/* 16 bytes at `at` of each row: word i of row r becomes lane r of out[i]. */
static inline void vi_words(const uint8_t *const row[LANES], size_t at, __m256i out[4])
{
    __m256i z[4], pair[4];
    for (int k = 0; k < 4; k++)
        z[k] = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(row[k] + at))),
            _mm_loadu_si128((const __m128i *)(row[4 + k] + at)), 1);
    for (int k = 0; k < 2; k++) {
        pair[k] = _mm256_unpacklo_epi32(z[2 * k], z[2 * k + 1]);
        pair[2 + k] = _mm256_unpackhi_epi32(z[2 * k], z[2 * k + 1]);
    }
    for (int i = 0; i < 4; i += 2) {
        out[i] = _mm256_unpacklo_epi64(pair[i], pair[i + 1]);
        out[i + 1] = _mm256_unpackhi_epi64(pair[i], pair[i + 1]);
    }
}

#define vf_load(p)      _mm256_loadu_ps(p)
#define vf_store(p, a)  _mm256_storeu_ps(p, a)
#define vf_load_f16(p)  _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p)))
#define vf_zero()       _mm256_setzero_ps()
#define vf_set1(x)      _mm256_set1_ps(x)
#define vf_add(a, b)    _mm256_add_ps(a, b)
#define vf_sub(a, b)    _mm256_sub_ps(a, b)
#define vf_mul(a, b)    _mm256_mul_ps(a, b)
#define vf_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vf_max(a, b)    _mm256_max_ps(a, b) /* a > b ? a : b */
#define vf_min(a, b)    _mm256_min_ps(a, b) /* a < b ? a : b */
#define vf_as_i(a)      _mm256_castps_si256(a)
#define vf_to_i(a)      _mm256_cvtps_epi32(a) /* nearest even */
#define vf_abs(a)       _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
/* a < b ? x : y, by lane. */
#define vf_less(a, b, x, y) _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ))
/* Whether |a| < limit in every lane; false for a NaN. */
#define vf_all_below(a, limit)                                                                     \
    (_mm256_movemask_ps(_mm256_cmp_ps(vf_abs(a), vf_set1(limit), _CMP_LT_OQ)) == 0xff)

static inline float vf_top(__m256 a)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* The largest lane of each of four vectors; their sums of lanes. */
static inline void vf_store_tops(float *p, __m256 a, __m256 b, __m256 c, __m256 d)
{
    __m256 ab = _mm256_max_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)); /* a b a b */
    __m256 cd = _mm256_max_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    __m256 x = _mm256_max_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    _mm_storeu_ps(p, _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
static inline void vi_store_sums(int32_t *p, __m256i a, __m256i b, __m256i c, __m256i d)
{
    __m256i x = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    x = _mm256_add_epi32(x, _mm256_permute2x128_si256(x, x, 1));
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(x));
}

/* Lane i and lane i ^ h: their sum where bit h of i is clear, else their difference. */
static inline __m256 vf_butterfly(__m256 x, uint32_t h)
{
    __m256 y = h == 1   ? _mm256_permute_ps(x, 0xb1)
               : h == 2 ? _mm256_permute_ps(x, 0x4e)
                        : _mm256_permute2f128_ps(x, x, 1);
    __m256 sum = _mm256_add_ps(x, y), difference = _mm256_sub_ps(y, x);
    return h == 1   ? _mm256_blend_ps(sum, difference, 0xaa)
           : h == 2 ? _mm256_blend_ps(sum, difference, 0xcc)
                    : _mm256_blend_ps(sum, difference, 0xf0);
}
/* Neighbours exchanged; every second lane from 0 on negated; LANES / 2 floats, each twice. */
#define vf_swap(a)        _mm256_permute_ps(a, 0xb1)
#define vf_negate_even(a) _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi64x(0x80000000)))
static inline __m256 vf_load_twice(const float *p)
{
    const __m256i twice = _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0);
    return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), twice);
}

/* Lanes i of a row of 64, low <= LANES * v + i <= high; and a choice by them. */
#define VM __m256
static inline __m256 vm_range(int v, uint32_t low, uint32_t high)
{
    __m256i i = _mm256_add_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0), vi_set1(v * LANES));
    __m256i before = _mm256_cmpgt_epi32(vi_set1((int)low), i);
    __m256i after = _mm256_cmpgt_epi32(i, vi_set1((int)high));
    return vi_as_f(_mm256_andnot_si256(_mm256_or_si256(before, after), _mm256_set1_epi8(-1)));
}
#define vf_pick(mask, a, b) _mm256_blendv_ps(b, a, mask)

/* Attention: vectors of positions per pass over the keys, heads per pass over the values. */
#define SCORE_RUN   2
#define VALUE_HEADS 2

/* Panels x tokens of F16 and BF16 products, the largest first, and their cells. */
#define HALF_CELLS 12
#define HALF_TILES(M)                                                                              \
    M(2, 6, EACH_12)                                                                               \
    M(2, 4, EACH_8)                                                                                \
    M(1, 8, EACH_8)                                                                                \
    M(4, 2, EACH_8) M(2, 2, EACH_4) M(4, 1, EACH_4) M(1, 4, EACH_4) M(1, 2, EACH_2)                \
        M(2, 1, EACH_2) M(1, 1, EACH_1)

#define prefetch(p)    _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define PREFETCH_AHEAD 6144

#endif
