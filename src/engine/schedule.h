/* schedule.h - how many rows each session gets in the next forward pass: a pure function.
 *
 * Sessions that generate need one row each and come first, so that reading a long prompt delays
 * nobody; what is left of the pass goes to prompts, in turn. */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule_need {
    uint32_t n_pending; /* tokens without cache; 0: idle */
    bool last_logits;   /* the last pending token's logits are wanted */
    bool all_logits;    /* those of every row */
};

/* schedule_rows - n_rows[i] <= n_pending of session i; their sum <= n_rows_max, and the rows of
 * logits that they imply <= n_logits_max. first: who is served first, for fairness. With both
 * maxima >= 1 and any need, at least one row is given. */
void schedule_rows(const struct schedule_need *need, uint32_t n_sessions, uint32_t first,
                   uint32_t n_rows_max, uint32_t n_logits_max, uint32_t *n_rows);

/* schedule_logits - rows of logits that n_rows rows of this need imply. */
uint32_t schedule_logits(struct schedule_need need, uint32_t n_rows);

#endif
