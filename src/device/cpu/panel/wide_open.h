/* wide_open.h - opens a block of one panel of FORMAT for wide.h, included for each format.
 *
 * K_FORMAT: 1 for blocks of 256. */
#include "device/cpu/panel/each.h"

#define F(name) JOIN(JOIN(FORMAT, _), name)
#if F(TABLE)
#define WEIGHTS(j) vi_lookup(levels, F(weights)(body, j))
#else
#define WEIGHTS(j) F(weights)(body, j)
#endif
#if F(PRODUCTS)
#define PUT(j) to[2 * (j)] = F(product)(WEIGHTS(j), sc[2 * g + (j) / 4]);
#else
#define PUT(j) to[2 * (j)] = WEIGHTS(j);
#endif
#if K_FORMAT
#define BLOCK          (F(HEAD) + 8 * F(BODY))
#define HEAD(n_groups) F(HEAD)
#else
#define BLOCK          (8 * (F(HEAD) + F(BODY)))
#define HEAD(n_groups) ((n_groups)*F(HEAD))
#endif
#if F(PLANE)
#define SCALE_D vf_load_f16(plane + (size_t)block * F(PLANE))
#else
#define SCALE_D F(d)(head)
#endif

#if F(NEGATIVE)
#define D_BITS vi_xor(vf_as_i(SCALE_D), vi_set1(INT32_MIN))
#else
#define D_BITS vf_as_i(SCALE_D)
#endif

static void F(open)(const uint8_t *panel, uint32_t n_cols, uint32_t block, VI *to)
{
    const uint32_t n_groups = n_cols / 32 - 8 * block < 8 ? n_cols / 32 - 8 * block : 8;
    const uint8_t *head = panel + (size_t)block * BLOCK, *body = head + HEAD(n_groups);
#if F(TABLE)
    const VI levels = vi_xor(vi_table(F(LEVELS)), vi_set1_8(WEIGHT_FLIP));
#endif
#if F(PLANE)
    const uint8_t *plane = panel + (size_t)(n_cols / 256) * BLOCK;
#endif
#if K_FORMAT
    VI sc[256 / F(GROUP)];
    F(scales)(head, sc);
    for (int k = 0; k < 256 / F(GROUP); k++)
        to[WIDE_SCALE + 2 * k] = sc[k];
    to[WIDE_D] = D_BITS;
#if F(MINIMA)
    VI less[F(MINIMA)];
    F(minima)(head, less);
    for (int k = 0; k < F(MINIMA); k++)
        to[WIDE_LESS + 2 * k] = less[k];
    to[WIDE_DMIN] = vf_as_i(F(dmin)(head));
#endif
#else
    for (uint32_t g = 0; g < n_groups; g++) {
        to[WIDE_SCALE + 2 * g] = vf_as_i(F(d)(head, g));
#if F(MINIMA)
        to[WIDE_LESS + 2 * g] = vf_as_i(F(m)(head, g));
#endif
    }
#endif
    for (uint32_t g = 0; g < n_groups; g++, to += 16, body += F(BODY)) {
        PUT(0) PUT(1) PUT(2) PUT(3) PUT(4) PUT(5) PUT(6) PUT(7)
    }
}

#undef F
#undef WEIGHTS
#undef PUT
#undef SCALE_D
#undef D_BITS
#undef BLOCK
#undef HEAD
#undef FORMAT
