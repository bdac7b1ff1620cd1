/* mutations.h - ways to break the engine that the simulation must find, chosen at run time.
 *
 * The linker sends calls between object files here (--wrap, tests/CMakeLists.txt): __wrap_f is
 * called for f, and __real_f is the engine's. Included once, by simulate.c. */
#ifndef SIM_MUTATIONS_H
#define SIM_MUTATIONS_H

#include "engine/engine_int.h"

enum mutation_kind {
    MUTATION_NONE,
    MUTATION_SHARE,
    MUTATION_LEAK,
    MUTATION_WRITE_SHARED,
    MUTATION_MATCH_TOO_FAR,
    MUTATION_OTHER_SPACE,
    MUTATION_FORGET_REQUEST,
    MUTATION_NO_ADMISSION,
    MUTATION_UNFAIR,
    MUTATION_SLOW_STEPS,
    MUTATION_NO_ROW_FOR_FIRST,
    MUTATION_LOSE_POSITION,
    MUTATION_TELL_TWICE,
    MUTATION_IGNORE_CANCEL,
    MUTATION_IGNORE_PRIORITY,
    MUTATION_KEEP_POSITIONS,
    MUTATION_NO_GAPS,
};

static const struct mutation {
    const char *name;
    enum mutation_kind kind;
} mutations[] = {
    {"a shared page counts once", MUTATION_SHARE},
    {"a page is never given back", MUTATION_LEAK},
    {"a shared page is written", MUTATION_WRITE_SHARED},
    {"one position too many is recalled", MUTATION_MATCH_TOO_FAR},
    {"far pages are recalled as near ones", MUTATION_OTHER_SPACE},
    {"a request leaves its line unfinished", MUTATION_FORGET_REQUEST},
    {"the last that waits is never admitted", MUTATION_NO_ADMISSION},
    {"what tenants had is not looked at", MUTATION_UNFAIR},
    {"steps are taken to be short", MUTATION_SLOW_STEPS},
    {"the first in line gets no row", MUTATION_NO_ROW_FOR_FIRST},
    {"a position counts as read that was not", MUTATION_LOSE_POSITION},
    {"logits are told twice", MUTATION_TELL_TWICE},
    {"a cancelled request goes on", MUTATION_IGNORE_CANCEL},
    {"priorities are forgotten", MUTATION_IGNORE_PRIORITY},
    {"what was lost to others is not read again", MUTATION_KEEP_POSITIONS},
    {"what comes in gaps is served like others", MUTATION_NO_GAPS},
};

static enum mutation_kind mutation;
static uint32_t mutation_calls;

/* The mutation is in force, once in n calls. */
static bool mutates(enum mutation_kind kind, uint32_t n)
{
    return mutation == kind && mutation_calls++ % n == n - 1;
}

#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

WRAP(void, kv_pages_share, struct kv_pages *p, uint32_t page)
{
    if (!mutates(MUTATION_SHARE, 20))
        __real_kv_pages_share(p, page);
}

WRAP(void, kv_pages_drop, struct kv_pages *p, uint32_t page)
{
    if (!mutates(MUTATION_LEAK, 100))
        __real_kv_pages_drop(p, page);
}

WRAP(uint32_t, kv_pages_own, struct kv_pages *p, uint32_t page)
{
    return mutates(MUTATION_WRITE_SHARED, 1) ? page : __real_kv_pages_own(p, page);
}

WRAP(uint32_t, prefix_match, const struct prefix *p, const struct prefix_space *space,
     const int32_t *tokens, uint32_t n, uint32_t *last)
{
    struct prefix_space other = *space;
    if (mutates(MUTATION_OTHER_SPACE, 1))
        other.far = !other.far;
    uint32_t n_matched = __real_prefix_match(p, &other, tokens, n, last);
    bool more = n_matched > 0 && n_matched < n && n_matched % KV_PAGE != 0;
    return more && mutates(MUTATION_MATCH_TOO_FAR, 1) ? n_matched + 1 : n_matched;
}

WRAP(void, queue_admit, struct iso_engine *e)
{
    if (e->queue.waiting.n != 1 || !mutates(MUTATION_NO_ADMISSION, 1))
        __real_queue_admit(e);
    if (e->queue.running.n > 1 && mutates(MUTATION_FORGET_REQUEST, 100))
        queue_leave(e->queue.running.s[0]);
}

WRAP(enum err, queue_enter, struct iso_session *s, struct err_note *note)
{
    if (mutates(MUTATION_IGNORE_PRIORITY, 1))
        s->request.priority = 0;
    return __real_queue_enter(s, note);
}

WRAP(void, session_drop_page, struct iso_session *s)
{
    uint32_t n_kv = s->n_kv;
    __real_session_drop_page(s);
    if (mutates(MUTATION_KEEP_POSITIONS, 1))
        s->n_kv = n_kv;
}

WRAP(void, schedule_rows, const struct schedule_need *need, uint32_t n,
     struct schedule_limits limits, const struct cost *cost, uint64_t *served, uint32_t *n_rows)
{
    uint64_t blind[4096] = {0};
    struct schedule_need alike[4096] = {{0}};
    bool unfair = mutates(MUTATION_UNFAIR, 1), no_gaps = mutates(MUTATION_NO_GAPS, 1);
    for (uint32_t i = 0; no_gaps && i < n; i++) {
        alike[i] = need[i];
        alike[i].in_gaps = false;
        alike[i].priority = 0;
    }
    __real_schedule_rows(no_gaps ? alike : need, n, limits, cost, unfair ? blind : served, n_rows);
    for (uint32_t i = 0; unfair && i < n; i++)
        served[need[i].tenant] += n_rows[i];
    if (n > 1 && n_rows[1] > 0 && mutates(MUTATION_NO_ROW_FOR_FIRST, 1))
        n_rows[0] = 0;
}

WRAP(double, cost_of, const struct cost *c, uint32_t n_rows, uint64_t depth)
{
    double ns = __real_cost_of(c, n_rows, depth);
    return n_rows > 4 && mutates(MUTATION_SLOW_STEPS, 1) ? ns / 2 : ns;
}

WRAP(struct schedule_need, session_need, struct iso_session *s)
{
    if (s->n_told > 0 && mutates(MUTATION_TELL_TWICE, 1))
        s->n_told = 0;
    if (s->n_pages > 0 && s->n_kv + 2 < s->n_tokens && s->n_kv % KV_PAGE &&
        mutates(MUTATION_LOSE_POSITION, 50))
        s->n_kv++;
    return __real_session_need(s);
}

WRAP(void, iso_session_cancel, struct iso_session *s, enum iso_finish reason)
{
    if (!mutates(MUTATION_IGNORE_CANCEL, 1))
        __real_iso_session_cancel(s, reason);
}

#endif
