/* tiles.h - every kernel of FORMAT, by including TILE_LOOP for each shape, and their table. */
#define TOKENS 1
#include TILE_LOOP
#define TOKENS 2
#include TILE_LOOP
#define TOKENS 3
#include TILE_LOOP
#define TOKENS 4
#include TILE_LOOP
#if TILE_SMALL_MAX >= 12
#define TOKENS 6
#include TILE_LOOP
#define TOKENS 8
#include TILE_LOOP
#define TOKENS 12
#include TILE_LOOP
#endif

#define T_(n) JOIN(FORMAT, JOIN(_tile_, n))
static const struct tile_table JOIN(FORMAT, _tiles) = {
    .by_tokens =
        {
            [1] = T_(1),
            [2] = T_(2),
            [3] = T_(3),
            [4] = T_(4),
#if TILE_SMALL_MAX >= 12
            [6] = T_(6),
            [8] = T_(8),
            [12] = T_(12),
#endif
        },
};
#undef T_
#undef FORMAT
