/* roof_loops.c - reading and multiplying as fast as an instruction set can.
 *
 * Measured on Zen 5: two streams of plain vector loads are fastest; prefetching, more streams or
 * more than 4 MB at a time gain nothing. The peak loops are assembly, so that no compiler drops or
 * regroups them: sixteen sums hide the latency of any multiplier so far. */
#include "bench/roof_loops.h"

#include <string.h>

#include "base/check.h"

/* Two streams of 256 bytes a round, then what is left over. */
enum { ROUND = 256 };
typedef uint64_t vector64 __attribute__((vector_size(64), aligned(1), may_alias));
#define READ_LOOP(NAME, TARGET)                                                                    \
    TARGET static uint64_t NAME(const uint8_t *bytes, size_t n_bytes)                              \
    {                                                                                              \
        size_t half = n_bytes / 2 / ROUND * ROUND;                                                 \
        const uint8_t *left = bytes, *right = bytes + half;                                        \
        vector64 sum[4] = {{0}};                                                                   \
        for (size_t i = 0; i < half; i += ROUND)                                                   \
            for (int k = 0; k < 4; k++)                                                            \
                sum[k] |= *(const vector64 *)(left + i + 64 * k) |                                 \
                          *(const vector64 *)(right + i + 64 * k);                                 \
        uint64_t all = 0;                                                                          \
        for (int k = 0; k < 4; k++)                                                                \
            for (int j = 0; j < 8; j++)                                                            \
                all |= sum[k][j];                                                                  \
        for (size_t i = 2 * half; i < n_bytes; i++)                                                \
            all |= bytes[i];                                                                       \
        return all;                                                                                \
    }

/* The plain C definition is a set too: one product at a time, without vectors. */
READ_LOOP(read_plain, )

enum { PLAIN_SUMS = 8 };

static void integer_plain(void)
{
    int32_t sum[PLAIN_SUMS] = {0}, x = 3;
    for (int i = 0; i < ROOF_ROUNDS; i++)
        for (int k = 0; k < PLAIN_SUMS; k++) {
            __asm__ volatile("" : "+r"(x));
            sum[k] = (int32_t)((uint32_t)sum[k] + (uint32_t)x * (uint32_t)x);
            __asm__ volatile("" : "+r"(sum[k]));
        }
}

static void f32_plain(void)
{
    float sum[PLAIN_SUMS] = {0};
    volatile float start = 0.5f;
    float x = start;
    for (int i = 0; i < ROOF_ROUNDS; i++)
        for (int k = 0; k < PLAIN_SUMS; k++) {
            sum[k] = sum[k] + x * x;
#if defined(__x86_64__)
            __asm__ volatile("" : "+x"(sum[k]), "+x"(x));
#elif defined(__aarch64__)
            __asm__ volatile("" : "+w"(sum[k]), "+w"(x));
#endif
        }
}

/* One loop is one piece of assembly, so that its registers stay its own. */
#define TIMES12(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define TIMES16(M) TIMES12(M) M(12) M(13) M(14) M(15)

#if defined(__x86_64__)
#define CLOBBERS_256                                                                               \
    "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define CLOBBERS_512 CLOBBERS_256, "xmm30", "xmm31"
#define PEAK_LOOP(NAME, TARGET, CLOBBERS, OPERANDS, ROUND)                                         \
    TARGET static void NAME(void)                                                                  \
    {                                                                                              \
        int n = ROOF_ROUNDS;                                                                       \
        const float half = 0.5f;                                                                   \
        __asm__ volatile(TIMES16(CLEAR) OPERANDS "1:\n\t" ROUND "decl %0\n\tjnz 1b\n\tvzeroupper"  \
                         : "+r"(n)                                                                 \
                         : "m"(half)                                                               \
                         : CLOBBERS);                                                              \
    }
#define CLEAR(i)   "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
#define VNNI(i)    "vpdpbusd %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define DOT16(i)   "vpdpwssd %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define FMA_512(i) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define FMA_256(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n\t"
#define MADD(i)                                                                                    \
    "vpmaddubsw %%ymm12, %%ymm13, %%ymm14\n\tvpmaddwd %%ymm14, %%ymm13, %%ymm14\n\t"               \
    "vpaddd %%ymm14, %%ymm" #i ", %%ymm" #i "\n\t"
#define MADD16(i)                                                                                  \
    "vpmaddwd %%ymm12, %%ymm13, %%ymm14\n\tvpaddd %%ymm14, %%ymm" #i ", %%ymm" #i "\n\t"
#define ONES_512   "vpternlogd $255, %%zmm30, %%zmm30, %%zmm30\n\tvmovdqa64 %%zmm30, %%zmm31\n\t"
#define HALVES_512 "vbroadcastss %1, %%zmm30\n\tvmovdqa64 %%zmm30, %%zmm31\n\t"
#define HALVES_256 "vbroadcastss %1, %%ymm14\n\tvmovdqa %%ymm14, %%ymm15\n\t"
#define TARGET_512 __attribute__((target("avx512f,avx512vnni")))
#define TARGET_256 __attribute__((target("avx2,fma")))

READ_LOOP(read_avx512, TARGET_512)
READ_LOOP(read_avx2, TARGET_256)
PEAK_LOOP(int8_avx512, TARGET_512, CLOBBERS_512, ONES_512, TIMES16(VNNI))
PEAK_LOOP(int16_avx512, TARGET_512, CLOBBERS_512, ONES_512, TIMES16(DOT16))
PEAK_LOOP(f32_avx512, TARGET_512, CLOBBERS_512, HALVES_512, TIMES16(FMA_512))
PEAK_LOOP(int8_avx2, TARGET_256, CLOBBERS_256, "", TIMES12(MADD))
PEAK_LOOP(int16_avx2, TARGET_256, CLOBBERS_256, "", TIMES12(MADD16))
PEAK_LOOP(f32_avx2, TARGET_256, CLOBBERS_256, HALVES_256, TIMES12(FMA_256))
#elif defined(__aarch64__)
#define PEAK_LOOP(NAME, TARGET, ROUND)                                                             \
    TARGET static void NAME(void)                                                                  \
    {                                                                                              \
        int n = ROOF_ROUNDS;                                                                       \
        __asm__ volatile(TIMES16(CLEAR) CLEAR(30) CLEAR(31) "1:\n\t" ROUND                         \
                                                            "subs %w0, %w0, #1\n\tb.ne 1b"         \
                         : "+r"(n)                                                                 \
                         :                                                                         \
                         : "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9",       \
                           "v10", "v11", "v12", "v13", "v14", "v15", "v30", "v31");                \
    }
#define CLEAR(i) "movi v" #i ".4s, #0\n\t"
#define SDOT(i)  "sdot v" #i ".4s, v30.16b, v31.16b\n\t"
#define SMLAL(i) "smlal v" #i ".4s, v30.4h, v31.4h\n\t"
#define FMLA(i)  "fmla v" #i ".4s, v30.4s, v31.4s\n\t"

PEAK_LOOP(int8_neon, __attribute__((target("arch=armv8.2-a+dotprod"))), TIMES16(SDOT))
PEAK_LOOP(int16_neon, , TIMES16(SMLAL))
PEAK_LOOP(f32_neon, , TIMES16(FMLA))
#endif

static const struct roof_loops all[] = {
    {.isa = "scalar",
     .read = read_plain,
     .int8 = integer_plain,
     .int16 = integer_plain,
     .f32 = f32_plain,
     .int8_ops = 2 * PLAIN_SUMS,
     .int16_ops = 2 * PLAIN_SUMS,
     .f32_ops = 2 * PLAIN_SUMS},
#if defined(__x86_64__)
    {.isa = "avx2",
     .read = read_avx2,
     .int8 = int8_avx2,
     .int16 = int16_avx2,
     .f32 = f32_avx2,
     .int8_ops = 2 * 12 * 32,
     .int16_ops = 2 * 12 * 16,
     .f32_ops = 2 * 12 * 8},
    {.isa = "avx512",
     .read = read_avx512,
     .int8 = int8_avx512,
     .int16 = int16_avx512,
     .f32 = f32_avx512,
     .int8_ops = 2 * 16 * 64,
     .int16_ops = 2 * 16 * 32,
     .f32_ops = 2 * 16 * 16},
#elif defined(__aarch64__)
    {.isa = "neon",
     .read = read_plain,
     .int8 = int8_neon,
     .int16 = int16_neon,
     .f32 = f32_neon,
     .int8_ops = 2 * 16 * 16,
     .int16_ops = 2 * 16 * 4,
     .f32_ops = 2 * 16 * 4},
#endif
};

const struct roof_loops *roof_loops_find(const char *isa)
{
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(all[i].isa, isa) == 0)
            return &all[i];
    return NULL;
}
