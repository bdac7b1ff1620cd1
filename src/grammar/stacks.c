/* stacks.c - sets of stacks: making, joining, stepping, collecting. */
#include "grammar/stacks.h"

#include "base/check.h"
#include "base/mem.h"

enum {
    POOL_WORDS = 1 << 22, /* 16 MiB, of address space until they are used */
    POOL_FIRST = 2,
    TABLE_SIZE = 1 << 18,
    JOINS = 1 << 12,
    SCRATCH = 1 << 16,
};

/* joins[hash of a, b]: what was asked last. */
struct join {
    uint32_t a, b, result;
};

enum err stacks_init(struct stacks *s, const struct grammar *g, struct err_note *note)
{
    *s = (struct stacks){.g = g, .n_words = POOL_FIRST, .n_words_max = POOL_WORDS};
    s->n_table = TABLE_SIZE;
    s->pool = mem_pages(POOL_WORDS * sizeof s->pool[0]);
    s->spare = mem_pages(POOL_WORDS * sizeof s->pool[0]);
    s->table = mem_array(TABLE_SIZE, sizeof s->table[0]);
    s->joins = mem_array(JOINS, sizeof s->joins[0]);
    s->slot = mem_array(g->n_states, sizeof s->slot[0]);
    s->open = mem_array(STACKS_WIDTH_MAX, sizeof s->open[0]);
    s->todo = mem_array(STACKS_WIDTH_MAX, sizeof s->todo[0]);
    s->queued = mem_zalloc(STACKS_WIDTH_MAX);
    s->scratch = mem_array(SCRATCH, sizeof s->scratch[0]);
    if (s->pool && s->spare && s->table && s->joins && s->slot && s->open && s->todo && s->queued &&
        s->scratch)
        return ERR_OK;
    stacks_release(s);
    return err_set(note, ERR_MEMORY, "out of memory for a grammar of %u states", g->n_states);
}

void stacks_release(struct stacks *s)
{
    mem_pages_free(s->pool, POOL_WORDS * sizeof s->pool[0]);
    mem_pages_free(s->spare, POOL_WORDS * sizeof s->pool[0]);
    mem_free(s->table);
    mem_free(s->joins);
    mem_free(s->slot);
    mem_free(s->open);
    mem_free(s->todo);
    mem_free(s->queued);
    mem_free(s->scratch);
    *s = (struct stacks){0};
}

static uint32_t fail(struct stacks *s, enum stacks_trouble trouble)
{
    if (!s->trouble)
        s->trouble = trouble;
    return SET_DEAD;
}

static uint32_t take_words(struct stacks *s, uint32_t n)
{
    if (n > s->n_words_max - s->n_words) {
        fail(s, STACKS_FULL);
        return 0;
    }
    s->n_words += n;
    return s->n_words - n;
}

static uint32_t hash_edges(const struct set_edge *edges, uint32_t n)
{
    uint64_t h = n;
    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ edges[i].state) * 0x9e3779b97f4a7c15u;
        h = (h ^ h >> 32 ^ edges[i].below) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 29;
    }
    return (uint32_t)(h >> 16);
}

/* The number of the set of these edges, ascending by state, n >= 1. */
static uint32_t intern(struct stacks *s, const struct set_edge *edges, uint32_t n)
{
    uint32_t hash = hash_edges(edges, n), at = hash & (s->n_table - 1), depth = 0;
    for (; s->table[at]; at = (at + 1) & (s->n_table - 1)) {
        uint32_t set = s->table[at];
        if (s->pool[set + SET_HASH] == hash && s->pool[set + SET_EDGES] == n &&
            memcmp(s->pool + set + SET_WORDS, edges, n * sizeof edges[0]) == 0)
            return set;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t below = edges[i].below;
        if (below > SET_DEAD && s->pool[below + SET_DEPTH] >= depth)
            depth = s->pool[below + SET_DEPTH] + 1;
    }
    if (depth > STACKS_DEPTH_MAX)
        return fail(s, STACKS_DEEP);
    if (2 * s->n_sets >= s->n_table)
        return fail(s, STACKS_FULL);
    uint32_t set = take_words(s, SET_WORDS + 2 * n);
    if (!set)
        return SET_DEAD;
    s->pool[set + SET_HASH] = hash;
    s->pool[set + SET_EDGES] = n;
    s->pool[set + SET_DEPTH] = depth;
    s->pool[set + SET_CLOSED] = 0;
    s->pool[set + SET_STEPS] = 0;
    memcpy(s->pool + set + SET_WORDS, edges, n * sizeof edges[0]);
    s->table[at] = set;
    s->n_sets++;
    return set;
}

uint32_t stacks_single(struct stacks *s, uint32_t state, uint32_t below)
{
    return intern(s, &(struct set_edge){state, below}, 1);
}

/* ---- joining --------------------------------------------------------------------------------- */

static bool scratch_push(struct stacks *s, uint32_t state, uint32_t below)
{
    if (s->n_scratch == SCRATCH) {
        fail(s, STACKS_WIDE);
        return false;
    }
    s->scratch[s->n_scratch++] = (struct set_edge){state, below};
    return true;
}

/* The set of all stacks of a and b. As deep as the shallower of them, at most. */
static uint32_t join(struct stacks *s, uint32_t a, uint32_t b)
{
    if (a == b || b == SET_NONE)
        return a;
    if (a == SET_NONE)
        return b;
    if (a > b) {
        uint32_t t = a;
        a = b;
        b = t;
    }
    struct join *known = &s->joins[(a * 0x9e3779b1u ^ b * 0x85ebca6bu) >> 20 & (JOINS - 1)];
    if (known->a == a && known->b == b)
        return known->result;
    uint32_t n_a = set_n_edges(s, a), n_b = set_n_edges(s, b), base = s->n_scratch, result;
    for (uint32_t i = 0, k = 0; i < n_a || k < n_b;) {
        struct set_edge x = {UINT32_MAX, 0}, y = {UINT32_MAX, 0};
        if (i < n_a)
            x = set_edge_at(s, a, i);
        if (k < n_b)
            y = set_edge_at(s, b, k);
        uint32_t below = x.state < y.state   ? x.below
                         : x.state > y.state ? y.below
                                             : join(s, x.below, y.below);
        i += x.state <= y.state;
        k += y.state <= x.state;
        if (s->trouble || !scratch_push(s, x.state < y.state ? x.state : y.state, below))
            break;
    }
    result = s->trouble ? SET_DEAD : intern(s, s->scratch + base, s->n_scratch - base);
    s->n_scratch = base;
    if (!s->trouble)
        *known = (struct join){a, b, result};
    return result;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void enqueue(struct stacks *s, uint32_t place)
{
    if (s->queued[place])
        return;
    s->queued[place] = 1;
    s->todo[(s->todo_from + s->n_todo++) % STACKS_WIDTH_MAX] = place;
}

static void open_add(struct stacks *s, uint32_t state, uint32_t below)
{
    uint32_t place = s->slot[state];
    if (place) {
        struct set_edge *edge = &s->open[place - 1];
        uint32_t joined = join(s, edge->below, below);
        if (joined == edge->below)
            return;
        edge->below = joined;
        enqueue(s, place - 1);
    } else if (s->n_open == STACKS_WIDTH_MAX) {
        fail(s, STACKS_WIDE);
    } else {
        s->open[s->n_open] = (struct set_edge){state, below};
        s->slot[state] = ++s->n_open;
        enqueue(s, s->n_open - 1);
    }
}

/* What state leads to before the next byte. */
static void follow(struct stacks *s, struct set_edge edge)
{
    const struct grammar *g = s->g;
    uint32_t state = edge.state;
    if (g->flags[state] & STATE_FINAL)
        for (uint32_t i = 0; i < set_n_edges(s, edge.below) && !s->trouble; i++) {
            struct set_edge back = set_edge_at(s, edge.below, i);
            open_add(s, back.state, back.below);
        }
    for (uint32_t i = g->first_call[state]; i < g->first_call[state + 1] && !s->trouble; i++) {
        struct call c = g->calls[i];
        bool plain = g->flags[c.back] & STATE_PLAIN_END;
        uint32_t below = plain ? edge.below : stacks_single(s, c.back, edge.below);
        if (!s->trouble)
            open_add(s, c.start, below);
    }
}

static void sort_edges(struct set_edge *e, uint32_t n)
{
    uint32_t gap = 1;
    while (gap < n / 3)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (uint32_t i = gap; i < n; i++) {
            struct set_edge moving = e[i];
            uint32_t k = i;
            for (; k >= gap && e[k - gap].state > moving.state; k -= gap)
                e[k] = e[k - gap];
            e[k] = moving;
        }
}

/* Ends the set that open_add began. */
static uint32_t close_open(struct stacks *s)
{
    uint32_t k = 0;
    while (s->n_todo > 0 && !s->trouble) {
        uint32_t place = s->todo[s->todo_from];
        s->todo_from = (s->todo_from + 1) % STACKS_WIDTH_MAX;
        s->n_todo--;
        s->queued[place] = 0;
        follow(s, s->open[place]);
    }
    while (s->n_todo > 0) /* trouble */
        s->queued[s->todo[(s->todo_from + --s->n_todo) % STACKS_WIDTH_MAX]] = 0;
    for (uint32_t i = 0; i < s->n_open; i++) {
        uint32_t state = s->open[i].state;
        s->slot[state] = 0;
        if (state < STATE_FIRST || (s->g->flags[state] & STATE_READS))
            s->open[k++] = s->open[i];
    }
    s->n_open = 0;
    if (k == 0 || s->trouble)
        return SET_DEAD;
    sort_edges(s->open, k);
    return intern(s, s->open, k);
}

uint32_t stacks_closed(struct stacks *s, uint32_t set)
{
    if (set <= SET_DEAD)
        return SET_DEAD;
    uint32_t closed = s->pool[set + SET_CLOSED];
    if (closed)
        return closed;
    for (uint32_t i = 0; i < set_n_edges(s, set) && !s->trouble; i++) {
        struct set_edge edge = set_edge_at(s, set, i);
        open_add(s, edge.state, edge.below);
    }
    closed = close_open(s);
    if (!s->trouble)
        s->pool[set + SET_CLOSED] = closed;
    return closed;
}

uint32_t stacks_step_new(struct stacks *s, uint32_t set, uint32_t class)
{
    const struct grammar *g = s->g;
    uint8_t byte = g->byte_of[class];
    if (set <= SET_DEAD || s->trouble)
        return SET_DEAD;
    if (!s->pool[set + SET_STEPS]) {
        uint32_t steps = take_words(s, g->n_classes);
        if (!steps)
            return SET_DEAD;
        memset(s->pool + steps, 0, g->n_classes * sizeof s->pool[0]);
        s->pool[set + SET_STEPS] = steps;
    }
    for (uint32_t i = 0; i < set_n_edges(s, set); i++) {
        struct set_edge edge = set_edge_at(s, set, i);
        for (uint32_t k = g->first_step[edge.state]; k < g->first_step[edge.state + 1]; k++) {
            const struct step_arrow *arrow = &g->steps[k];
            if (arrow->low > byte)
                break; /* ascending */
            if (arrow->high >= byte && !s->trouble)
                open_add(s, arrow->to, edge.below);
        }
    }
    uint32_t next = close_open(s);
    if (!s->trouble)
        s->pool[s->pool[set + SET_STEPS] + class] = next;
    return next;
}

/* ---- collecting ------------------------------------------------------------------------------ */

enum { MOVED = 0x80000000u };

/* A set of `from` in the pool that s has now. Recursion: at most STACKS_DEPTH_MAX. */
static uint32_t move(struct stacks *s, uint32_t *from, uint32_t set)
{
    if (set <= SET_DEAD)
        return set;
    if (from[set + SET_EDGES] & MOVED)
        return from[set + SET_CLOSED];
    uint32_t n = from[set + SET_EDGES], base = s->n_scratch;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t state = from[set + SET_WORDS + 2 * i], below = from[set + SET_WORDS + 2 * i + 1];
        below = move(s, from, below);
        if (!scratch_push(s, state, below))
            break;
    }
    uint32_t to = s->trouble ? SET_DEAD : intern(s, s->scratch + base, s->n_scratch - base);
    s->n_scratch = base;
    from[set + SET_EDGES] |= MOVED;
    from[set + SET_CLOSED] = to;
    return to;
}

void stacks_collect(struct stacks *s, uint32_t *roots, size_t n_roots)
{
    uint32_t *from = s->pool;
    s->pool = s->spare;
    s->spare = from;
    s->n_words = POOL_FIRST;
    s->n_sets = 0;
    s->trouble = STACKS_FINE;
    memset(s->table, 0, s->n_table * sizeof s->table[0]);
    memset(s->joins, 0, JOINS * sizeof s->joins[0]);
    for (size_t i = 0; i < n_roots; i++)
        roots[i] = move(s, from, roots[i]);
}
