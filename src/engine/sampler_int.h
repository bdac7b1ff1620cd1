/* sampler_int.h - the stages of the sampler and what they share, for engine/sampler*.c alone.
 *
 * Every stage works on the candidates s->token[0..n), s->logit[0..n): it changes logits or drops
 * candidates, and leaves at least one, in ascending token id. weight and rank are scratch. */
#ifndef ENGINE_SAMPLER_INT_H
#define ENGINE_SAMPLER_INT_H

#include "engine/sampler.h"
#include "numeric/sample.h"

#define BANNED (-__builtin_inff()) /* as a bias, and as the logit of what is to be dropped */

/* ---- sampler.c ------------------------------------------------------------------------------ */

/* Whether a stage has a part in these choices: not all have in greedy ones and in mirostat's. */
bool sampler_has_stage(const struct iso_sampling *p, uint8_t stage);

/* ---- sampler_select.c ----------------------------------------------------------------------- */

float max_logit(const float *logit, uint32_t n); /* n >= 1 */
/* Fills s->weight; returns the sum: at most 2^40 * n, and at least 2^40. */
uint64_t weigh(struct sampler *s);
void rank_by_logit(struct sampler *s);

/* Drops blocks of candidates with smaller logits than k others: quick, and none of the k first. */
void keep_likely_blocks(struct sampler *s, uint32_t k);
/* Keeps the k first by (rank descending, id ascending); 1 <= k. */
void keep_first(struct sampler *s, uint32_t k);
/* Keeps the fewest first whose weights sum to at least `least`, one at least. least <= the sum. */
void keep_mass(struct sampler *s, uint64_t least);
/* Keeps those that keep[i] != 0 says; keep may be s->rank. */
void keep_marked(struct sampler *s, const uint32_t *keep);
/* The candidate of a token, or -1 where it was dropped. */
int64_t candidate_of(const struct sampler *s, int32_t token);
/* The k <= n first in order into s->index; k is small. */
void find_first(struct sampler *s, uint32_t k);

/* Beside the number of times that a token counts. */
#define OCCURS 0x80000000u

/* How often each token of the penalties' window counts into s->count, with OCCURS; all 0 before,
 * and to be made so again. Returns the window's length. */
uint32_t penalty_counts(struct sampler *s, const struct sampler_row *row, const int32_t **window);

/* ---- stages --------------------------------------------------------------------------------- */

void stage_penalties(struct sampler *s, const struct sampler_row *row);
void stage_dry(struct sampler *s, const struct sampler_row *row);
void stage_top_k(struct sampler *s, const struct sampler_row *row);
void stage_typical(struct sampler *s, const struct sampler_row *row);
void stage_top_p(struct sampler *s, const struct sampler_row *row);
void stage_min_p(struct sampler *s, const struct sampler_row *row);
void stage_xtc(struct sampler *s, const struct sampler_row *row);
void stage_temperature(struct sampler *s, const struct sampler_row *row);

/* Mirostat's cut of the candidates, and its lesson from candidate `chosen` out of those left. */
void mirostat_cut(struct sampler *s, const struct sampler_row *row);
void mirostat_learn(const struct sampler *s, const struct sampler_row *row, uint32_t chosen,
                    uint64_t total);

#endif
