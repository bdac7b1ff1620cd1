/* wide.h - weights of two panels opened for many tokens: integers as the dot product takes them,
 * scales as the fold takes them.
 *
 * A block of 256 columns is opened once and stays in the nearest cache while all tiles of
 * activations pass by it; so the loops need no unpacking, and one serves every format that opens
 * alike. Opened, it holds the vectors below, panel 0 and 1 side by side. */
#ifndef DEVICE_CPU_PANEL_WIDE_H
#define DEVICE_CPU_PANEL_WIDE_H

#include "device/cpu/panel/panel.h"

enum {
    WIDE_W = 0,       /* [8 groups of 32][8][2 panels] integers */
    WIDE_SCALE = 128, /* [16 or 8][2] integers, or binary32 scales of 32 columns */
    WIDE_LESS = 160,  /* [4 or 8][2] int16 pairs of minima, or binary32 minima of 32 columns */
    WIDE_D = 176,     /* [2] binary32 */
    WIDE_DMIN = 178,  /* [2] binary32 */
    WIDE_VECTORS = 180,
};

/* An opened block times a tile of TILE_WIDE tokens. */
struct wide {
    const VI *w;       /* [WIDE_VECTORS] */
    const int32_t *x;  /* the tile's words of this block */
    size_t ahead;      /* bytes from x to the words to fetch meanwhile */
    uint32_t n_groups; /* of 32 columns: 8, or fewer at the end of a row */
    const VF *from;    /* [2][TILE_WIDE] sums so far */
    VF *to;            /* [2][TILE_WIDE]; may be from */
    /* Sums of the tree that this one completes: the last is at `to`, each before it `down` after.
     */
    uint32_t n_merges;
    size_t down;
};
typedef void wide_fn(const struct wide *t);

/* How a format is opened, and the loop that takes it. */
struct wide_format {
    void (*open)(const uint8_t *panel, uint32_t n_cols, uint32_t block, VI *to);
    wide_fn *multiply;
};
const struct wide_format *ISA_NAME(wide_format)(enum dtype t);

/* Sum i of a tile and the sums below it that it completes, to its place. */
static inline void wide_put(VF *to, int i, VF sum, uint32_t n_merges, size_t down)
{
    const VF *below = to + n_merges * down + i;
    for (uint32_t m = 0; m < n_merges; m++) {
        below -= down;
        sum = vf_add(*below, sum);
    }
    to[i] = sum;
}
/* The fields above by value: a store to a sum may alias the struct. */
#define WIDE_PLACES(t)                                                                             \
    const VF *from = (t)->from;                                                                    \
    VF *to = (t)->to;                                                                              \
    const uint32_t n_merges = (t)->n_merges;                                                       \
    const size_t down = (t)->down

#endif
