/* kernel.h - what a kernel may use: the common subset of CUDA C++ and C17.
 *
 * A .cu file compiles twice: by nvcc for the device (-fmad=false), and as host C, where
 * tests/lib/cuda_emulate.c runs the threads of a block in lockstep. One kernel has one parameter
 * `a`, a struct by value. Arithmetic as docs/arithmetic.md allows; fmaf only for F16 and BF16
 * matrices. Every lane of a warp reaches every collective (shuffles, mma_*, __syncwarp), every
 * thread of a block every barrier: who has nothing to do comes along with zeros. */
#ifndef DEVICE_CUDA_KERNELS_KERNEL_H
#define DEVICE_CUDA_KERNELS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define KERNEL(name, args)         extern "C" __global__ void name(const __grid_constant__ args a)
#define DEVICE_FN                  static __device__ __forceinline__
#define SHARED(type, name, count)  __shared__ type name[count]
#define DYNAMIC_SHARED(type, name) extern __shared__ __align__(16) type name[]
/* A table of constants at file scope. */
#define DEVICE_TABLE static __constant__ const
#define UNROLL       _Pragma("unroll")
#define NO_UNROLL    _Pragma("unroll 1")
/* With the threads of a block, and how many blocks an SM should hold. */
#define KERNEL_BOUNDS(name, args, threads, blocks)                                                 \
    extern "C" __global__ void __launch_bounds__(threads, blocks)                                  \
        name(const __grid_constant__ args a)

DEVICE_FN int dp4a(uint32_t x, uint32_t y, int c)
{
    return __dp4a((int)x, (int)y, c);
}

/* The bytes of (y, x) that the low four nibbles of s name; 8 more: eight times that byte's sign. */
DEVICE_FN uint32_t byte_perm(uint32_t x, uint32_t y, uint32_t s)
{
    uint32_t d;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(x), "r"(y), "r"(s));
    return d;
}

/* By the low five bits of n. */
DEVICE_FN uint32_t shift_left(uint32_t x, uint32_t n)
{
    return __funnelshift_l(0, x, n);
}

/* Exact, subnormal halves included: equal to f16_widen. */
DEVICE_FN float half_float(uint32_t h)
{
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"((unsigned short)h));
    return x;
}

/* The nearest half, ties to even: equal to f16_round. */
DEVICE_FN uint32_t float_half(float x)
{
    unsigned short h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
    return h;
}

DEVICE_FN float bits_float(uint32_t bits)
{
    return __uint_as_float(bits);
}
DEVICE_FN uint32_t float_bits(float x)
{
    return __float_as_uint(x);
}

/* Loads for later, issued where they stand (compilers sink others to their first use, or behind a
 * branch): of something there or of nothing, then the result is any integer. load_once is not kept
 * in the first cache. */
#define LOAD16(name, instruction, before, out)                                                     \
    DEVICE_FN uint4 name(const uint8_t *p, bool is_there)                                          \
    {                                                                                              \
        uint4 v;                                                                                   \
        asm volatile("{.reg .pred q; setp.ne.u32 q, %5, 0;" before "@q " instruction               \
                     " {%0, %1, %2, %3}, [%4];}"                                                   \
                     : out(v.x), out(v.y), out(v.z), out(v.w)                                      \
                     : "l"(p), "r"((uint32_t)is_there)                                             \
                     : "memory");                                                                  \
        return v;                                                                                  \
    }
#define LOAD16_ZEROS "mov.u32 %0, 0; mov.u32 %1, 0; mov.u32 %2, 0; mov.u32 %3, 0;"
LOAD16(load_once16, "ld.global.nc.L1::no_allocate.v4.u32", "", "=r")
LOAD16(load_ahead16, "ld.global.nc.v4.u32", "", "=r")
/* Zeros where nothing is there. */
LOAD16(load_once16_or_0, "ld.global.nc.L1::no_allocate.v4.u32", LOAD16_ZEROS, "=&r")
LOAD16(load_ahead16_or_0, "ld.global.nc.v4.u32", LOAD16_ZEROS, "=&r")
#undef LOAD16
#undef LOAD16_ZEROS
DEVICE_FN uint2 load_ahead8(const uint8_t *p, bool is_there)
{
    uint2 v;
    asm volatile("{.reg .pred q; setp.ne.u32 q, %3, 0; @q ld.global.nc.v2.u32 {%0, %1}, [%2];}"
                 : "=r"(v.x), "=r"(v.y)
                 : "l"(p), "r"((uint32_t)is_there)
                 : "memory");
    return v;
}
DEVICE_FN uint32_t load_ahead4(const uint8_t *p, bool is_there)
{
    uint32_t v;
    asm volatile("{.reg .pred q; setp.ne.u32 q, %2, 0; @q ld.global.nc.u32 %0, [%1];}"
                 : "=r"(v)
                 : "l"(p), "r"((uint32_t)is_there)
                 : "memory");
    return v;
}
DEVICE_FN uint32_t load_ahead2(const uint8_t *p, bool is_there)
{
    unsigned short v;
    asm volatile("{.reg .pred q; setp.ne.u32 q, %2, 0; @q ld.global.nc.u16 %0, [%1];}"
                 : "=h"(v)
                 : "l"(p), "r"((uint32_t)is_there)
                 : "memory");
    return v;
}

/* To memory that others add to at the same time. */
DEVICE_FN void add64(uint64_t *p, uint64_t x)
{
    atomicAdd((unsigned long long *)p, (unsigned long long)x);
}

/* 16 bytes into shared memory, or zeros: done once copy_ahead_wait(n) says that of the copies that
 * were committed all but the last n groups have come, and a barrier has passed. */
DEVICE_FN void copy_ahead16_or_0(void *shared, const void *from, bool is_there)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     (uint32_t)__cvta_generic_to_shared(shared)),
                 "l"(from), "r"(is_there ? 16 : 0)
                 : "memory");
#else
    *(uint4 *)shared = load_ahead16_or_0((const uint8_t *)from, is_there);
#endif
}
DEVICE_FN void copy_ahead_commit(void)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
/* n: a constant. */
#if __CUDA_ARCH__ >= 800
#define copy_ahead_wait(n) asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory")
#else
#define copy_ahead_wait(n) ((void)(n))
#endif

/* x, from which nothing is computed before this place: compilers else carry through a loop what
 * does not change in it. */
DEVICE_FN uint32_t not_before(uint32_t x)
{
    asm volatile("" : "+r"(x));
    return x;
}

/* Into the second cache. */
DEVICE_FN void prefetch_line(const void *p)
{
    asm volatile("prefetch.global.L2 [%0];" ::"l"(p));
}

/* d[16x8] += a[16x32] b[32x8] over a warp, as PTX lays the fragments out: bytes of a with signs or
 * without. */
#if __CUDA_ARCH__ >= 800
#define MMA_M16N8K32(sign)                                                                         \
    asm("mma.sync.aligned.m16n8k32.row.col.s32." sign "8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "    \
        "{%8,%9}, {%0,%1,%2,%3};"                                                                  \
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])                                           \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
#else
#define MMA_M16N8K32(sign)                                                                         \
    UNROLL                                                                                         \
    for (int i = 0; i < 4; i++)                                                                    \
    asm("mma.sync.aligned.m8n8k16.row.col.s32." sign "8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"      \
        : "+r"(d[i % 2 * 2]), "+r"(d[i % 2 * 2 + 1])                                               \
        : "r"(a[i]), "r"(b[i / 2]))
#endif
DEVICE_FN void mma_u8s8_m16n8k32(int d[4], const uint32_t a[4], const uint32_t b[2])
{
    MMA_M16N8K32("u");
}
DEVICE_FN void mma_s8_m16n8k32(int d[4], const uint32_t a[4], const uint32_t b[2])
{
    MMA_M16N8K32("s");
}

/* The same for 16 columns: a[16x16], b[16x8]. */
DEVICE_FN void mma_s8_m16n8k16(int d[4], const uint32_t a[2], uint32_t b)
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
        "{%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b));
#else
    UNROLL
    for (int i = 0; i < 2; i++)
        asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
            : "+r"(d[2 * i]), "+r"(d[2 * i + 1])
            : "r"(a[i]), "r"(b));
#endif
}

/* d[16x8] += a[16x16] b[16x8] of halves with sums in binary32, in an order that is the card's own.
 * For code of 7.5 (F16) or 8.0 (BF16) and later; in older code they do nothing, and nobody asks. */
DEVICE_FN void mma_f16_m16n8k16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif __CUDA_ARCH__ >= 750
    UNROLL
    for (int i = 0; i < 2; i++)
        asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
            "{%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[2 * i]), "r"(a[2 * i + 1]), "r"(b[i]));
#else
    (void)d, (void)a, (void)b;
#endif
}
DEVICE_FN void mma_bf16_m16n8k16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    (void)d, (void)a, (void)b;
#endif
}

#else /* host C */
#include "device/cuda/kernels/host.h"
#endif
#endif
