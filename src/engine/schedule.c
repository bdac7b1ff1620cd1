/* schedule.c - rows of a forward pass shared among sessions. */
#include "engine/schedule.h"

uint32_t schedule_logits(struct schedule_need need, uint32_t n_rows)
{
    if (need.all_logits)
        return n_rows;
    return need.last_logits && n_rows > 0 && n_rows == need.n_pending ? 1 : 0;
}

/* The most rows of one need that fit in what is left. */
static uint32_t rows_that_fit(struct schedule_need need, uint32_t n_rows_left,
                              uint32_t n_logits_left)
{
    uint32_t n = need.n_pending < n_rows_left ? need.n_pending : n_rows_left;
    if (need.all_logits && n > n_logits_left)
        n = n_logits_left;
    if (schedule_logits(need, n) > n_logits_left)
        n--;
    return n;
}

void schedule_rows(const struct schedule_need *need, uint32_t n_sessions, uint32_t first,
                   uint32_t n_rows_max, uint32_t n_logits_max, uint32_t *n_rows)
{
    for (int turn = 0; turn < 2; turn++) { /* one row first, then longer */
        for (uint32_t k = 0; k < n_sessions; k++) {
            uint32_t i = (first + k) % n_sessions;
            if ((need[i].n_pending > 1) != turn) {
                n_rows[i] = turn == 0 ? 0 : n_rows[i];
                continue;
            }
            n_rows[i] = rows_that_fit(need[i], n_rows_max, n_logits_max);
            n_rows_max -= n_rows[i];
            n_logits_max -= schedule_logits(need[i], n_rows[i]);
        }
    }
}
