/* kernels.h - the tile loops of every quantised format, and which table is whose. */
#include "device/cpu/panel/formats.h"

#define TILE_LOOP "device/cpu/panel/tile_k.h"
#define FORMAT q2_k
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
#define FORMAT q4_0
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

const struct tile_table *ISA_NAME(tile_table)(enum dtype t)
{
    static const struct tile_table *const tables[DTYPE_COUNT] = {
        [DTYPE_Q2_K] = &q2_k_tiles,     [DTYPE_Q3_K] = &q3_k_tiles,
        [DTYPE_Q4_K] = &q4_k_tiles,     [DTYPE_Q5_K] = &q5_k_tiles,
        [DTYPE_Q6_K] = &q6_k_tiles,     [DTYPE_Q8_K] = &q8_k_tiles,
        [DTYPE_IQ4_XS] = &iq4_xs_tiles, [DTYPE_Q4_0] = &q4_0_tiles,
        [DTYPE_Q4_1] = &q4_1_tiles,     [DTYPE_Q5_0] = &q5_0_tiles,
        [DTYPE_Q5_1] = &q5_1_tiles,     [DTYPE_Q8_0] = &q8_0_tiles,
        [DTYPE_IQ4_NL] = &iq4_nl_tiles, [DTYPE_MXFP4] = &mxfp4_tiles,
        [DTYPE_NF4] = &nf4_tiles,       [DTYPE_FP4] = &fp4_tiles,
    };
    return tables[t];
}
