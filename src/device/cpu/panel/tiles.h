/* tiles.h - every kernel of FORMAT, by including TILE_LOOP for each shape, and their table. */
#define TOKENS 1
#define PANELS 1
#include TILE_LOOP
#define TOKENS 2
#define PANELS 1
#include TILE_LOOP
#define TOKENS 3
#define PANELS 1
#include TILE_LOOP
#define TOKENS 4
#define PANELS 1
#include TILE_LOOP
#if TILE_SMALL_MAX >= 12
#define TOKENS 6
#define PANELS 1
#include TILE_LOOP
#define TOKENS 8
#define PANELS 1
#include TILE_LOOP
#define TOKENS 12
#define PANELS 1
#include TILE_LOOP
#define TOKENS 6
#define PANELS 2
#include TILE_LOOP
#endif

#define T_(name) JOIN(JOIN(FORMAT, _tile_), name)
static const struct tile_table JOIN(FORMAT, _tiles) = {
    .one = {[1] = T_(1x1), [2] = T_(1x2), [3] = T_(1x3), [4] = T_(1x4),
#if TILE_SMALL_MAX >= 12
            [6] = T_(1x6), [8] = T_(1x8), [12] = T_(1x12)},
    .two = T_(2x6),
#else
    },
#endif
};
#undef T_
#undef FORMAT
