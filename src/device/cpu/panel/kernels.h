/* kernels.h - the tile loops of every quantised format, and which table is whose. */
#include "device/cpu/panel/formats.h"

#define TILE_LOOP "device/cpu/panel/tile_k.h"
#define FORMAT    q2_k
#include "device/cpu/panel/tiles.h"
#define FORMAT q3_k
#include "device/cpu/panel/tiles.h"
#define FORMAT q4_k
#include "device/cpu/panel/tiles.h"
#define FORMAT q5_k
#include "device/cpu/panel/tiles.h"
#define FORMAT q6_k
#include "device/cpu/panel/tiles.h"
#define FORMAT q8_k
#include "device/cpu/panel/tiles.h"
#define FORMAT iq4_xs
#include "device/cpu/panel/tiles.h"
#undef TILE_LOOP

#define TILE_LOOP "device/cpu/panel/tile_32.h"
#define FORMAT    q4_0
#include "device/cpu/panel/tiles.h"
#define FORMAT q4_1
#include "device/cpu/panel/tiles.h"
#define FORMAT q5_0
#include "device/cpu/panel/tiles.h"
#define FORMAT q5_1
#include "device/cpu/panel/tiles.h"
#define FORMAT q8_0
#include "device/cpu/panel/tiles.h"
#define FORMAT iq4_nl
#include "device/cpu/panel/tiles.h"
#define FORMAT mxfp4
#include "device/cpu/panel/tiles.h"
#define FORMAT nf4
#include "device/cpu/panel/tiles.h"
#define FORMAT fp4
#include "device/cpu/panel/tiles.h"
#undef TILE_LOOP

#ifdef WIDE
#include "device/cpu/panel/wide.h"

#define WIDE_LOOP "device/cpu/panel/wide_k.h"
#define WIDE_NAME multiply_minima32 /* Q4_K, Q5_K */
#define START     NO_START
#define GROUP     32
#define MINIMA    4
#include WIDE_LOOP
#define WIDE_NAME multiply_scale32 /* IQ4_XS */
#define START     A256_START32
#define GROUP     32
#define MINIMA    0
#include WIDE_LOOP
#define WIDE_NAME multiply_scale16 /* Q6_K */
#define START     A256_START16
#define GROUP     16
#define MINIMA    0
#include WIDE_LOOP
#define WIDE_NAME multiply_ready /* Q3_K, Q8_K */
#define START     A256_START32
#define GROUP     0
#define MINIMA    0
#include WIDE_LOOP
#define WIDE_NAME multiply_ready_minima16 /* Q2_K */
#define START     NO_START
#define GROUP     0
#define MINIMA    8
#include WIDE_LOOP
#undef WIDE_LOOP

#define WIDE_LOOP "device/cpu/panel/wide_32.h"
#define WIDE_NAME multiply_bias128 /* Q8_0, IQ4_NL, MXFP4, NF4, FP4 */
#define START     A32_START128
#define MINIMA    0
#include WIDE_LOOP
#define WIDE_NAME multiply_bias16 /* Q5_0 */
#define START     A32_START16
#define MINIMA    0
#include WIDE_LOOP
#define WIDE_NAME multiply_bias8 /* Q4_0 */
#define START     A32_START8
#define MINIMA    0
#include WIDE_LOOP
#define WIDE_NAME multiply_minimum /* Q4_1, Q5_1 */
#define START     NO_START
#define MINIMA    1
#include WIDE_LOOP
#undef WIDE_LOOP

#define WIDE_OPEN "device/cpu/panel/wide_open.h"
#define K_FORMAT  1
#define FORMAT    q2_k
#include WIDE_OPEN
#define FORMAT q3_k
#include WIDE_OPEN
#define FORMAT q4_k
#include WIDE_OPEN
#define FORMAT q5_k
#include WIDE_OPEN
#define FORMAT q6_k
#include WIDE_OPEN
#define FORMAT q8_k
#include WIDE_OPEN
#define FORMAT iq4_xs
#include WIDE_OPEN
#undef K_FORMAT
#define K_FORMAT 0
#define FORMAT   q4_0
#include WIDE_OPEN
#define FORMAT q4_1
#include WIDE_OPEN
#define FORMAT q5_0
#include WIDE_OPEN
#define FORMAT q5_1
#include WIDE_OPEN
#define FORMAT q8_0
#include WIDE_OPEN
#define FORMAT iq4_nl
#include WIDE_OPEN
#define FORMAT mxfp4
#include WIDE_OPEN
#define FORMAT nf4
#include WIDE_OPEN
#define FORMAT fp4
#include WIDE_OPEN

const struct wide_format *ISA_NAME(wide_format)(enum dtype t)
{
    static const struct wide_format formats[DTYPE_COUNT] = {
        [DTYPE_Q2_K] = {q2_k_open, multiply_ready_minima16},
        [DTYPE_Q3_K] = {q3_k_open, multiply_ready},
        [DTYPE_Q4_K] = {q4_k_open, multiply_minima32},
        [DTYPE_Q5_K] = {q5_k_open, multiply_minima32},
        [DTYPE_Q6_K] = {q6_k_open, multiply_scale16},
        [DTYPE_Q8_K] = {q8_k_open, multiply_ready},
        [DTYPE_IQ4_XS] = {iq4_xs_open, multiply_scale32},
        [DTYPE_Q4_0] = {q4_0_open, multiply_bias8},
        [DTYPE_Q4_1] = {q4_1_open, multiply_minimum},
        [DTYPE_Q5_0] = {q5_0_open, multiply_bias16},
        [DTYPE_Q5_1] = {q5_1_open, multiply_minimum},
        [DTYPE_Q8_0] = {q8_0_open, multiply_bias128},
        [DTYPE_IQ4_NL] = {iq4_nl_open, multiply_bias128},
        [DTYPE_MXFP4] = {mxfp4_open, multiply_bias128},
        [DTYPE_NF4] = {nf4_open, multiply_bias128},
        [DTYPE_FP4] = {fp4_open, multiply_bias128},
    };
    return &formats[t];
}
#endif

const struct tile_table *ISA_NAME(tile_table)(enum dtype t)
{
    static const struct tile_table *const tables[DTYPE_COUNT] = {
        [DTYPE_Q2_K] = &q2_k_tiles,     [DTYPE_Q3_K] = &q3_k_tiles,   [DTYPE_Q4_K] = &q4_k_tiles,
        [DTYPE_Q5_K] = &q5_k_tiles,     [DTYPE_Q6_K] = &q6_k_tiles,   [DTYPE_Q8_K] = &q8_k_tiles,
        [DTYPE_IQ4_XS] = &iq4_xs_tiles, [DTYPE_Q4_0] = &q4_0_tiles,   [DTYPE_Q4_1] = &q4_1_tiles,
        [DTYPE_Q5_0] = &q5_0_tiles,     [DTYPE_Q5_1] = &q5_1_tiles,   [DTYPE_Q8_0] = &q8_0_tiles,
        [DTYPE_IQ4_NL] = &iq4_nl_tiles, [DTYPE_MXFP4] = &mxfp4_tiles, [DTYPE_NF4] = &nf4_tiles,
        [DTYPE_FP4] = &fp4_tiles,
    };
    return tables[t];
}
