/* rope.c - rotary angles by integers. */
#include "numeric/rope.h"

#include "base/check.h"

__extension__ typedef __int128 i128;
__extension__ typedef unsigned __int128 u128;

enum { Q = 62 }; /* fractional bits */

static int64_t mul_q(int64_t a, int64_t b)
{
    return (int64_t)((i128)a * b >> Q);
}

/* Taylor series of sin(x)/x and cos(x) in x^2, for 0 <= x <= pi/4. Written out, since divisions by
 * constants are multiplications. */
static void small_sin_cos(int64_t x, int64_t *sin, int64_t *cos)
{
    const int64_t one = (int64_t)1 << Q;
    int64_t u = mul_q(x, x), s = one, c = one;
#define TERM(n)                                                                                    \
    s = one - mul_q(u, s) / (2 * (n) * (2 * (n) + 1));                                             \
    c = one - mul_q(u, c) / ((2 * (n)-1) * (2 * (n)))
    TERM(10);
    TERM(9);
    TERM(8);
    TERM(7);
    TERM(6);
    TERM(5);
    TERM(4);
    TERM(3);
    TERM(2);
    TERM(1);
#undef TERM
    *sin = mul_q(x, s);
    *cos = c;
}

void turns_sin_cos(uint64_t turns, int64_t *sin, int64_t *cos)
{
    /* Octants: inside an odd one the angle runs back from the next multiple of pi/4 * 2. */
    unsigned octant = (unsigned)(turns >> 61);
    uint64_t part = turns << 3; /* fraction of the octant, 2^-64 */
    if (octant & 1)
        part = ~part;
    const uint64_t quarter_pi = 0xc90fdaa22168c234u; /* pi/4 in 2^-64 */
    int64_t x = (int64_t)((u128)part * quarter_pi >> (128 - Q)), s, c;
    small_sin_cos(x, &s, &c);
    int swap = (octant + 1) >> 1 & 1; /* octants 1, 2, 5, 6 */
    int64_t a = swap ? c : s, b = swap ? s : c;
    *sin = octant >= 4 ? -a : a;
    *cos = octant >= 2 && octant <= 5 ? -b : b;
}

void rope_init(struct rope *r, struct fx theta, uint32_t n_rot, const struct fx *factor,
               struct fx magnitude)
{
    CHECK(n_rot % 2 == 0 && n_rot / 2 <= ROPE_PAIRS_MAX);
    struct fx log_theta = fx_log2(theta);
    struct fx two_pi = fx_mul(fx_int(2), fx_pi());
    r->n_pairs = n_rot / 2;
    r->magnitude = fx_to_f32(magnitude);
    for (uint32_t i = 0; i < r->n_pairs; i++) {
        struct fx power = fx_div(fx_mul(fx_int(-2 * (int64_t)i), log_theta), fx_int(n_rot));
        struct fx f = fx_exp2(power);
        if (factor)
            f = fx_div(f, factor[i]);
        r->step[i] = fx_to_turns(fx_div(f, two_pi));
    }
}

void rope_angles(const struct rope *r, uint32_t position, float *cos, float *sin)
{
    for (uint32_t i = 0; i < r->n_pairs; i++) {
        int64_t s, c;
        turns_sin_cos(r->step[i] * position, &s, &c);
        cos[i] = (float)(int32_t)(c >> (Q - 30)) * 0x1p-30f * r->magnitude;
        sin[i] = (float)(int32_t)(s >> (Q - 30)) * 0x1p-30f * r->magnitude;
    }
}
