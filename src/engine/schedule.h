/* schedule.h - how many rows each session gets in the next forward pass: a pure function.
 *
 * 1. Decoders, sessions with one token to read, get a row each. They run alone for a few steps
 *    where it is not known how long that takes.
 * 2. The first in line gets a row, whatever else holds: somebody always advances.
 * 3. Prompts share the rest of the pass, as long as the step lasts at most `stretch` times what the
 *    decoders alone would take: reading a long prompt delays nobody by more. Of the row counts that
 *    allows it is the one that reads fastest, because kernels work in tiles.
 * 4. Rows that are left go to guesses (speculation).
 * 5. What nobody waits for (in_gaps) comes last: rows that make the step a tenth longer at most; if
 *    there are no others, a step of 50 ms, or of twice what one row takes, so that whoever comes
 *    meanwhile is not kept waiting. Here, too, the count that is fastest.
 * Higher priority first; within one, the tenant that was served least, a handful of rows at a time
 * (deficit round robin: what the most served tenant had more is the others' deficit, up to one full
 * pass); within a tenant, first come first served. */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/cost.h"

struct schedule_need {
    uint32_t n_pending; /* tokens without cache; 0: idle */
    bool last_logits;   /* the last pending token's logits are wanted */
    bool all_logits;    /* those of every row */
    uint32_t n_expected; /* of those pending, the last: logits from the row before them on */
    uint32_t n_extra; /* guesses behind the last pending token, with logits; found to be worth it */
    uint32_t position;  /* of the first pending token */
    int32_t priority;
    uint32_t tenant; /* an index of served */
    bool in_gaps;    /* rows that nobody waits for; behind all others in line */
};

struct schedule_limits {
    uint32_t n_rows, n_logits; /* of a pass, each at least 1 */
    double stretch;            /* above 1 */
};

/* schedule_rows - n_rows[i] <= n_pending + n_extra of need i; their sum <= limits.n_rows, and the
 * rows of logits that they imply <= limits.n_logits. need [n] is in line: higher priority first,
 * then older. served: rows that tenants have had; grows by what they get here. With any need, at
 * least one row is given. */
void schedule_rows(const struct schedule_need *need, uint32_t n, struct schedule_limits limits,
                   const struct cost *cost, uint64_t *served, uint32_t *n_rows);

/* schedule_logits - rows of logits that n_rows rows of this need imply. */
uint32_t schedule_logits(struct schedule_need need, uint32_t n_rows);

#endif
