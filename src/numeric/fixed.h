/* fixed.h - load-time constants from integers alone, the same on every machine.
 *
 * A struct fx is sign * mantissa * 2^exponent with a 64-bit mantissa whose top bit is set (or
 * zero). Results are truncated: relative error below 2^-61 per operation. Not for speed: constants
 * of a model (RoPE steps, softmax scales, scaling factors) are made once. */
#ifndef NUMERIC_FIXED_H
#define NUMERIC_FIXED_H

#include <stdint.h>

struct fx {
    uint64_t mantissa; /* 0, or >= 2^63 */
    int32_t exponent;  /* value = mantissa * 2^exponent */
    int32_t sign;      /* +1 or -1; +1 for zero */
};

struct fx fx_int(int64_t v);
struct fx fx_f64(double v); /* exact; v finite */
struct fx fx_neg(struct fx a);
struct fx fx_add(struct fx a, struct fx b);
struct fx fx_sub(struct fx a, struct fx b);
struct fx fx_mul(struct fx a, struct fx b);
struct fx fx_div(struct fx a, struct fx b); /* b != 0 */
struct fx fx_sqrt(struct fx a);             /* a >= 0 */
struct fx fx_log2(struct fx a);             /* a > 0 */
struct fx fx_exp2(struct fx a);             /* |a| < 2^20 */
struct fx fx_pow(struct fx a, struct fx b); /* a > 0: exp2(b log2 a) */
struct fx fx_pi(void);
int fx_cmp(struct fx a, struct fx b); /* -1, 0, 1 */

float fx_to_f32(struct fx a);      /* nearest even; below 2^-126 zero (R3); must fit */
double fx_to_f64(struct fx a);     /* truncated to 53 bits, for reports and the f64 profile */
uint64_t fx_to_turns(struct fx a); /* a mod 1 in units of 2^-64; 0 <= a < 2^31 */

#endif
