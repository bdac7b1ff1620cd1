/* schedule.c - rows of a forward pass shared among sessions. */
#include "engine/schedule.h"

#include "base/check.h"

enum { TURN = 16 }; /* rows that a tenant gets at a time */

static const double gap_stretch = 1.1, alone_stretch = 2, alone_ns = 50e6;

uint32_t schedule_logits(struct schedule_need need, uint32_t n_rows)
{
    uint32_t n_known = need.n_pending - need.n_expected;
    if (need.all_logits)
        return n_rows;
    return need.last_logits && n_rows > 0 && n_rows >= n_known ? n_rows - n_known + 1 : 0;
}

struct plan {
    const struct schedule_need *need;
    uint32_t n, *n_rows;
    uint64_t *served;
    const struct cost *cost;
    double ns_max;       /* of the step; 0: no bound */
    uint32_t rows_total; /* so far */
    uint64_t depth_total;
    uint32_t rows_left, logits_left;
};

static bool is_decoder(struct schedule_need need)
{
    return need.n_pending == 1;
}

/* What n more rows of need i would add to the pass's depth. */
static uint64_t depth_of(const struct plan *p, uint32_t i, uint32_t n)
{
    uint64_t first = (uint64_t)p->need[i].position + p->n_rows[i];
    return n * first + (uint64_t)n * (n - 1) / 2;
}

/* The most of n_wanted more rows of need i that rows and logits allow. */
static uint32_t rows_that_fit(const struct plan *p, uint32_t i, uint32_t n_wanted)
{
    struct schedule_need need = p->need[i];
    uint32_t had = p->n_rows[i], n = n_wanted < p->rows_left ? n_wanted : p->rows_left;
    uint32_t had_logits = schedule_logits(need, had);
    uint32_t more = schedule_logits(need, had + n) - had_logits;
    return more > p->logits_left ? n - (more - p->logits_left) : n;
}

/* The most of n more rows of need i that keep the step within its time. */
static uint32_t rows_in_time(const struct plan *p, uint32_t i, uint32_t n)
{
    uint32_t low = 0, high = n;
    while (p->ns_max > 0 && low < high) {
        uint32_t middle = (low + high + 1) / 2;
        uint64_t depth = p->depth_total + depth_of(p, i, middle);
        if (cost_of(p->cost, p->rows_total + middle, depth) <= p->ns_max)
            low = middle;
        else
            high = middle - 1;
    }
    return high;
}

static void give(struct plan *p, uint32_t i, uint32_t n)
{
    struct schedule_need need = p->need[i];
    p->logits_left -= schedule_logits(need, p->n_rows[i] + n) - schedule_logits(need, p->n_rows[i]);
    p->rows_left -= n;
    p->depth_total += depth_of(p, i, n);
    p->rows_total += n;
    p->n_rows[i] += n;
    p->served[need.tenant] += n;
}

/* Who is next among decoders, or among prompts: n if none can take a row. */
static uint32_t next_in_turn(const struct plan *p, bool decoders)
{
    uint32_t best = p->n;
    for (uint32_t i = 0; i < p->n; i++) {
        struct schedule_need need = p->need[i];
        if (is_decoder(need) != decoders || p->n_rows[i] >= need.n_pending ||
            rows_that_fit(p, i, 1) == 0)
            continue;
        if (best == p->n)
            best = i;
        else if (need.priority < p->need[best].priority)
            break; /* the line is in order of priority */
        else if (p->served[need.tenant] < p->served[p->need[best].tenant])
            best = i;
    }
    return best;
}

static void serve_first(struct plan *p)
{
    uint32_t i = 0;
    while (i < p->n && p->need[i].n_pending == 0)
        i++;
    if (i < p->n && p->n_rows[i] == 0)
        give(p, i, rows_that_fit(p, i, 1));
}

static void serve_decoders(struct plan *p)
{
    uint32_t n_decoders = 0;
    for (uint32_t i = 0; i < p->n; i++)
        n_decoders += is_decoder(p->need[i]);
    if (n_decoders >= p->rows_left || n_decoders > p->logits_left) {
        serve_first(p);
        for (uint32_t i; (i = next_in_turn(p, true)) < p->n;)
            give(p, i, 1);
        return;
    }
    for (uint32_t i = 0; i < p->n; i++)
        if (is_decoder(p->need[i]))
            give(p, i, 1);
}

/* Prompt rows end where a step within its time reads most rows a second. What was never tried is
 * approached by doubling: a guess far beyond what is known would stall every answer once. */
static void limit_rows(struct plan *p)
{
    uint32_t i = next_in_turn(p, false), best = 0, known = p->rows_total;
    double best_rate = 0;
    for (uint32_t n = 1; i < p->n && p->ns_max > 0 && n <= p->rows_left; n++) {
        if (cost_was_tried(p->cost, p->rows_total + n))
            known = p->rows_total + n;
        else if (p->rows_total + n > 2 * known)
            break;
        uint64_t depth = p->depth_total + (uint64_t)n * p->need[i].position;
        double ns = cost_of(p->cost, p->rows_total + n, depth);
        if (ns > p->ns_max)
            break;
        if (n >= best_rate * ns) {
            best_rate = n / ns;
            best = n;
        }
    }
    if (best > 0)
        p->rows_left = best;
}

/* One row at least, so that no decoder's speed can hold prompts up for ever. */
static void serve_prompts(struct plan *p)
{
    bool any = false;
    limit_rows(p);
    for (uint32_t i; (i = next_in_turn(p, false)) < p->n; any = true) {
        uint32_t n = p->need[i].n_pending - p->n_rows[i];
        n = rows_in_time(p, i, rows_that_fit(p, i, n < TURN ? n : TURN));
        if (n == 0 && any)
            return;
        give(p, i, n > 0 ? n : 1);
    }
}

static void serve_guesses(struct plan *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->need[i].n_extra > 0 && p->n_rows[i] == p->need[i].n_pending)
            give(p, i, rows_that_fit(p, i, p->need[i].n_extra));
}

/* How many rows in gaps are fastest in the time that there is. Alone, twice the largest known count
 * is tried, whatever is expected of it: that lasts twice the time at worst. */
static uint32_t gap_rows(const struct plan *p, uint32_t i, double ns_max, bool alone)
{
    uint32_t best = alone, known = alone ? 1 : p->rows_total;
    double best_rate = 0;
    for (uint32_t n = 1; n <= p->rows_left && p->rows_total + n <= 2 * known; n++) {
        uint32_t total = p->rows_total + n;
        double ns = cost_of(p->cost, total, p->depth_total + depth_of(p, i, n));
        bool is_sure = cost_is_sure(p->cost, total), is_trial = alone && total == 2 * known;
        if (ns > ns_max && is_sure)
            break;
        if (is_sure)
            known = total;
        else if (ns > ns_max && !is_trial)
            continue;
        if (ns == 0 || n >= best_rate * ns) {
            best_rate = ns == 0 ? 0 : n / ns;
            best = n;
        }
    }
    return best;
}

/* Needs [p->n, n) are those in gaps. There is no gap while one of the others lacks a row. */
static void serve_gaps(struct plan *p, uint32_t n)
{
    bool alone = p->rows_total == 0;
    uint32_t first = p->n;
    double ns_max = (alone ? alone_stretch : gap_stretch) *
                    cost_of(p->cost, alone ? 1 : p->rows_total, p->depth_total);
    for (uint32_t i = 0; i < p->n; i++)
        if (p->n_rows[i] < p->need[i].n_pending)
            return;
    while (first < n && p->need[first].n_pending == 0)
        first++;
    if (first == n || (!alone && !cost_is_sure(p->cost, p->rows_total)))
        return;
    if (alone && ns_max < alone_ns)
        ns_max = alone_ns;
    p->rows_left = gap_rows(p, first, ns_max, alone);
    for (uint32_t i = first; i < n && p->rows_left > 0; i++) {
        CHECK(p->need[i].in_gaps);
        give(p, i, rows_that_fit(p, i, p->need[i].n_pending));
    }
}

void schedule_rows(const struct schedule_need *need, uint32_t n, struct schedule_limits limits,
                   const struct cost *cost, uint64_t *served, uint32_t *n_rows)
{
    struct plan p = {.need = need,
                     .n_rows = n_rows,
                     .served = served,
                     .cost = cost,
                     .rows_left = limits.n_rows,
                     .logits_left = limits.n_logits};
    for (uint32_t i = 0; i < n; i++)
        n_rows[i] = 0;
    while (p.n < n && !need[p.n].in_gaps)
        p.n++;
    serve_decoders(&p);
    uint32_t n_decoders = p.rows_total;
    if (n_decoders > 0)
        p.ns_max = limits.stretch * cost_of(cost, n_decoders, p.depth_total);
    if (n_decoders > 0 && !cost_is_sure(cost, n_decoders))
        return;
    serve_first(&p);
    serve_prompts(&p);
    serve_guesses(&p);
    serve_gaps(&p, n);
}
