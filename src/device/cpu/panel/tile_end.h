/* tile_end.h - undoes tile_begin.h and its parameters but FORMAT. */
#undef F
#undef TILE_NAME
#undef EACH
#undef FETCH
#undef START_AT
#undef DOT_FN
#undef WEIGHTS
#undef DOT
#undef STEP
#undef PUSH
#undef MERGE
#undef TOKENS
