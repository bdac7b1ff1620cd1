/* test.h - cmocka with what it needs included first, and seeds for property tests. */
#ifndef LIB_TEST_H
#define LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/err.h"

/* splitmix64: the tests' own generator, so that a printed seed repeats a failure anywhere. */
static inline uint64_t test_rand(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
/* Uniform in [-1, 1). */
static inline float test_randf(uint64_t *seed)
{
    return (float)(int32_t)(test_rand(seed) >> 32) * 0x1p-31f;
}
/* The step through a test's cases: 1, or n where the same code takes many times as long (emulated,
 * or under a sanitizer) and only what is particular to that place is in question. */
static inline uint32_t test_every(uint32_t n)
{
#ifdef TEST_SLOW
    return n;
#else
    return n ? 1 : 0;
#endif
}
/* Roughly normal, variance 1: sum of 12 uniforms. */
static inline float test_randn(uint64_t *seed)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += test_randf(seed) * 0.5f;
    return sum;
}

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        enum err rc_ = (call);                                                                     \
        if (rc_ != ERR_OK)                                                                         \
            fail_msg("%s: %s", #call, err_name(rc_));                                              \
    } while (0)

#endif
