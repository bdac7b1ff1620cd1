/* automaton.c - determining, products, trimming. */
#include "grammar/automaton.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

void automaton_release(struct automaton *a)
{
    mem_free(a->arrows);
    mem_free(a->is_final);
    *a = (struct automaton){0};
}

enum err budget_spend(struct budget *b, uint64_t n_steps)
{
    b->n_steps += n_steps;
    if (b->n_steps <= b->n_steps_max)
        return ERR_OK;
    return err_set(b->note, ERR_LIMIT,
                   "compiling the grammar takes more than %llu steps; make it smaller",
                   (unsigned long long)b->n_steps_max);
}

static enum err no_memory(struct budget *b)
{
    return err_set(b->note, ERR_MEMORY, "out of memory for the grammar's states");
}

enum err automaton_state(struct automaton *a, struct budget *b, uint32_t *state)
{
    if (a->n_states >= b->n_states_max)
        return err_set(b->note, ERR_LIMIT,
                       "the grammar needs more than %u states in one rule; make it smaller",
                       b->n_states_max);
    if (a->n_states == a->n_states_reserved) {
        uint32_t wanted = a->n_states_reserved ? 2 * a->n_states_reserved : 64;
        uint8_t *grown = mem_resize(a->is_final, wanted);
        if (!grown)
            return no_memory(b);
        a->is_final = grown;
        a->n_states_reserved = wanted;
    }
    a->is_final[a->n_states] = 0;
    *state = a->n_states++;
    return budget_spend(b, 1);
}

enum err automaton_arrow(struct automaton *a, struct budget *b, struct arrow arrow)
{
    if (a->n_arrows >= 8 * (uint64_t)b->n_states_max)
        return err_set(b->note, ERR_LIMIT,
                       "the grammar needs more than %u arrows in one rule; make it smaller",
                       8 * b->n_states_max);
    if (a->n_arrows == a->n_arrows_reserved) {
        uint32_t wanted = a->n_arrows_reserved ? 2 * a->n_arrows_reserved : 64;
        struct arrow *grown = mem_resize(a->arrows, wanted * sizeof grown[0]);
        if (!grown)
            return no_memory(b);
        a->arrows = grown;
        a->n_arrows_reserved = wanted;
    }
    a->arrows[a->n_arrows++] = arrow;
    return budget_spend(b, 1);
}

enum err automaton_index(const struct automaton *a, uint32_t **first, struct budget *b)
{
    *first = mem_array((size_t)a->n_states + 1, sizeof **first);
    if (!*first)
        return no_memory(b);
    for (uint32_t i = 0; i < a->n_arrows; i++)
        (*first)[a->arrows[i].from + 1]++;
    for (uint32_t s = 0; s < a->n_states; s++)
        (*first)[s + 1] += (*first)[s];
    return ERR_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct arrow *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    if (x->rule != y->rule)
        return x->rule < y->rule ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

static void sort_arrows(struct automaton *a)
{
    if (a->n_arrows > 1)
        qsort(a->arrows, a->n_arrows, sizeof a->arrows[0], by_place);
}

static bool same_arrow(const struct arrow *x, const struct arrow *y)
{
    return by_place(x, y) == 0;
}

/* Sorted arrows: drops doubles, joins neighbours that differ in their bytes alone. */
static void join_arrows(struct automaton *a)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < a->n_arrows; i++) {
        struct arrow x = a->arrows[i];
        struct arrow *last = k > 0 ? &a->arrows[k - 1] : NULL;
        if (last && same_arrow(last, &x))
            continue;
        if (last && x.kind == ARROW_BYTES && last->kind == ARROW_BYTES && last->from == x.from &&
            last->to == x.to && x.low == last->high + 1)
            last->high = x.high;
        else
            a->arrows[k++] = x;
    }
    a->n_arrows = k;
}

/* ---- sets of states -------------------------------------------------------------------------- */

/* The sets found so far, each a run of ascending states in pool. */
struct sets {
    const struct automaton *in;
    struct budget *b;
    uint32_t *first; /* arrows of the input, by state */
    struct arrow *arrows;
    uint32_t *pool;
    size_t n_pool, n_pool_reserved;
    size_t *begin; /* [n_sets + 1] */
    uint32_t n_sets, n_sets_max, n_begin_reserved;
    uint32_t *table; /* open addressing: set + 1 */
    uint32_t n_table;
    uint32_t *stamp, epoch; /* by input state */
    uint32_t *set, n_set;   /* the set being made */
};

static void sets_release(struct sets *s)
{
    mem_free(s->first);
    mem_free(s->arrows);
    mem_free(s->pool);
    mem_free(s->begin);
    mem_free(s->table);
    mem_free(s->stamp);
    mem_free(s->set);
}

static enum err sets_init(struct sets *s, const struct automaton *in, uint32_t n_sets_max,
                          struct budget *b)
{
    struct automaton sorted = *in;
    *s = (struct sets){.in = in, .b = b, .n_sets_max = n_sets_max, .n_table = 1024};
    s->arrows = mem_alloc(in->n_arrows * sizeof s->arrows[0]);
    s->stamp = mem_array(in->n_states, sizeof s->stamp[0]);
    s->set = mem_array(in->n_states, sizeof s->set[0]);
    s->table = mem_array(s->n_table, sizeof s->table[0]);
    s->begin = mem_array(64, sizeof s->begin[0]);
    s->n_begin_reserved = 64;
    s->pool = mem_array(64, sizeof s->pool[0]);
    s->n_pool_reserved = 64;
    if (!s->arrows || !s->stamp || !s->set || !s->table || !s->begin || !s->pool)
        return no_memory(b);
    if (in->n_arrows)
        memcpy(s->arrows, in->arrows, in->n_arrows * sizeof s->arrows[0]);
    sorted.arrows = s->arrows;
    sort_arrows(&sorted);
    return automaton_index(in, &s->first, b);
}

static void set_begin(struct sets *s)
{
    s->epoch++;
    s->n_set = 0;
}

/* Adds a state and all that free arrows lead to. */
static void set_add(struct sets *s, uint32_t state)
{
    uint32_t at = s->n_set;
    if (s->stamp[state] == s->epoch)
        return;
    s->stamp[state] = s->epoch;
    s->set[s->n_set++] = state;
    for (; at < s->n_set; at++) {
        uint32_t from = s->set[at];
        for (uint32_t i = s->first[from]; i < s->first[from + 1]; i++) {
            uint32_t to = s->arrows[i].to;
            if (s->arrows[i].kind != ARROW_FREE)
                break; /* free arrows come first */
            if (s->stamp[to] == s->epoch)
                continue;
            s->stamp[to] = s->epoch;
            s->set[s->n_set++] = to;
        }
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint64_t hash_of(const uint32_t *words, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++)
        h = (h ^ words[i]) * 0x9e3779b97f4a7c15u, h ^= h >> 29;
    return h;
}

static enum err grow_table(struct sets *s)
{
    uint32_t n = 2 * s->n_table;
    uint32_t *table = mem_array(n, sizeof table[0]);
    if (!table)
        return no_memory(s->b);
    for (uint32_t i = 0; i < s->n_sets; i++) {
        size_t n_states = s->begin[i + 1] - s->begin[i];
        uint32_t at = (uint32_t)hash_of(s->pool + s->begin[i], n_states) & (n - 1);
        while (table[at])
            at = (at + 1) & (n - 1);
        table[at] = i + 1;
    }
    mem_free(s->table);
    s->table = table;
    s->n_table = n;
    return ERR_OK;
}

static enum err append_set(struct sets *s)
{
    if (s->n_sets >= s->n_sets_max)
        return err_set(s->b->note, ERR_LIMIT,
                       "the grammar needs more than %u states in one rule; make it smaller",
                       s->n_sets_max);
    if (s->n_pool + s->n_set > s->n_pool_reserved) {
        size_t wanted = 2 * s->n_pool_reserved + s->n_set + 256;
        uint32_t *grown = mem_resize(s->pool, wanted * sizeof grown[0]);
        if (!grown)
            return no_memory(s->b);
        s->pool = grown;
        s->n_pool_reserved = wanted;
    }
    if (s->n_sets + 2 > s->n_begin_reserved) {
        size_t *grown = mem_resize(s->begin, 2 * s->n_begin_reserved * sizeof grown[0]);
        if (!grown)
            return no_memory(s->b);
        s->begin = grown;
        s->n_begin_reserved *= 2;
    }
    memcpy(s->pool + s->n_pool, s->set, s->n_set * sizeof s->set[0]);
    s->n_pool += s->n_set;
    s->begin[++s->n_sets] = s->n_pool;
    return ERR_OK;
}

/* The number of the set being made, new or not. */
static enum err set_end(struct sets *s, uint32_t *number)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < s->n_set; i++) {
        uint32_t state = s->set[i], last = s->first[state + 1];
        /* States with free arrows alone say nothing more. */
        if (s->in->is_final[state] ||
            (last > s->first[state] && s->arrows[last - 1].kind != ARROW_FREE))
            s->set[k++] = state;
    }
    s->n_set = k;
    qsort(s->set, k, sizeof s->set[0], by_number);
    enum err rc = budget_spend(s->b, k + 1);
    if (!rc && 2 * s->n_sets >= s->n_table)
        rc = grow_table(s);
    if (rc)
        return rc;
    uint32_t at = (uint32_t)hash_of(s->set, k) & (s->n_table - 1);
    for (; s->table[at]; at = (at + 1) & (s->n_table - 1)) {
        uint32_t i = s->table[at] - 1;
        if (s->begin[i + 1] - s->begin[i] == k &&
            memcmp(s->pool + s->begin[i], s->set, k * sizeof s->set[0]) == 0) {
            *number = i;
            return ERR_OK;
        }
    }
    *number = s->n_sets;
    rc = append_set(s);
    if (!rc)
        s->table[at] = *number + 1;
    return rc;
}

/* The arrows that leave set number, gathered. */
struct leaving {
    struct arrow *arrows;
    uint32_t n, n_reserved;
};

static enum err gather(const struct sets *s, uint32_t number, struct leaving *l)
{
    l->n = 0;
    for (size_t i = s->begin[number]; i < s->begin[number + 1]; i++) {
        uint32_t state = s->pool[i], n = s->first[state + 1] - s->first[state];
        if (l->n + n > l->n_reserved) {
            uint32_t wanted = 2 * l->n_reserved + n + 64;
            struct arrow *grown = mem_resize(l->arrows, wanted * sizeof grown[0]);
            if (!grown)
                return no_memory(s->b);
            l->arrows = grown;
            l->n_reserved = wanted;
        }
        for (uint32_t k = s->first[state]; k < s->first[state + 1]; k++)
            if (s->arrows[k].kind != ARROW_FREE)
                l->arrows[l->n++] = s->arrows[k];
    }
    return ERR_OK;
}

/* One arrow for each run of bytes that lead to the same states. */
static enum err determine_bytes(struct sets *s, const struct leaving *l, uint32_t from,
                                struct automaton *out)
{
    bool border[257] = {false};
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->arrows[i].kind == ARROW_BYTES)
            border[l->arrows[i].low] = border[l->arrows[i].high + 1] = true;
    for (int low = 0, high; low < 256 && !rc; low = high + 1) {
        for (high = low; high < 255 && !border[high + 1];)
            high++;
        set_begin(s);
        for (uint32_t i = 0; i < l->n; i++) {
            const struct arrow *a = &l->arrows[i];
            if (a->kind == ARROW_BYTES && a->low <= low && high <= a->high)
                set_add(s, a->to);
        }
        rc = budget_spend(s->b, l->n / 4 + 1);
        if (rc || s->n_set == 0)
            continue;
        struct arrow made = {
            .from = from, .kind = ARROW_BYTES, .low = (uint8_t)low, .high = (uint8_t)high};
        rc = set_end(s, &made.to);
        if (!rc)
            rc = automaton_arrow(out, s->b, made);
    }
    return rc;
}

static enum err determine_rules(struct sets *s, const struct leaving *l, uint32_t from,
                                struct automaton *out)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < l->n && !rc; i++) {
        uint32_t rule = l->arrows[i].rule;
        bool done = l->arrows[i].kind != ARROW_RULE;
        for (uint32_t k = 0; k < i && !done; k++)
            done = l->arrows[k].kind == ARROW_RULE && l->arrows[k].rule == rule;
        rc = budget_spend(s->b, i / 4 + 1);
        if (done || rc)
            continue;
        set_begin(s);
        for (uint32_t k = i; k < l->n; k++)
            if (l->arrows[k].kind == ARROW_RULE && l->arrows[k].rule == rule)
                set_add(s, l->arrows[k].to);
        struct arrow made = {.from = from, .kind = ARROW_RULE, .rule = rule};
        rc = set_end(s, &made.to);
        if (!rc)
            rc = automaton_arrow(out, s->b, made);
    }
    return rc;
}

static enum err determine(struct sets *s, struct automaton *out, struct leaving *l)
{
    uint32_t number;
    set_begin(s);
    set_add(s, 0);
    enum err rc = set_end(s, &number);
    for (uint32_t at = 0; !rc && at < s->n_sets; at++) {
        uint32_t state;
        rc = automaton_state(out, s->b, &state);
        for (size_t i = s->begin[at]; !rc && i < s->begin[at + 1]; i++)
            out->is_final[state] |= s->in->is_final[s->pool[i]];
        if (!rc)
            rc = gather(s, at, l);
        if (!rc)
            rc = determine_bytes(s, l, at, out);
        if (!rc)
            rc = determine_rules(s, l, at, out);
    }
    sort_arrows(out);
    join_arrows(out);
    return rc;
}

enum err automaton_determine(const struct automaton *in, uint32_t n_states_max,
                             struct automaton *out, struct budget *b)
{
    struct sets s;
    struct leaving l = {0};
    *out = (struct automaton){0};
    enum err rc = sets_init(&s, in, n_states_max, b);
    if (!rc)
        rc = determine(&s, out, &l);
    if (rc)
        automaton_release(out);
    sets_release(&s);
    mem_free(l.arrows);
    return rc;
}

enum err automaton_without_free(const struct automaton *in, struct automaton *out, struct budget *b)
{
    struct sets s;
    uint32_t state;
    *out = (struct automaton){0};
    enum err rc = sets_init(&s, in, 0, b);
    for (uint32_t from = 0; !rc && from < in->n_states; from++) {
        rc = automaton_state(out, b, &state);
        set_begin(&s);
        set_add(&s, from);
        for (uint32_t i = 0; !rc && i < s.n_set; i++) {
            uint32_t via = s.set[i];
            out->is_final[state] |= in->is_final[via];
            for (uint32_t k = s.first[via]; !rc && k < s.first[via + 1]; k++) {
                struct arrow a = s.arrows[k];
                a.from = from;
                if (a.kind != ARROW_FREE)
                    rc = automaton_arrow(out, b, a);
            }
        }
    }
    sort_arrows(out);
    join_arrows(out);
    if (rc)
        automaton_release(out);
    sets_release(&s);
    return rc;
}

/* ---- products -------------------------------------------------------------------------------- */

struct product {
    const struct automaton *a, *b;
    uint32_t *first_a, *first_b;
    bool minus;
    uint32_t *number; /* of the pair (p, q) at p * (n_b + 1) + q, plus 1; q = n_b: b has failed */
    uint32_t *pairs;  /* p, q of each state */
    size_t n_pairs_reserved;
    struct automaton *out;
    struct budget *budget;
};

static enum err pair_state(struct product *x, uint32_t p, uint32_t q, uint32_t *state)
{
    uint32_t n_b = x->b->n_states;
    uint32_t *number = &x->number[(size_t)p * (n_b + 1) + q];
    if (*number == 0) {
        enum err rc = automaton_state(x->out, x->budget, state);
        if (rc)
            return rc;
        if (*state >= x->n_pairs_reserved) {
            size_t wanted = 2 * x->n_pairs_reserved + 64;
            uint32_t *grown = mem_resize(x->pairs, 2 * wanted * sizeof grown[0]);
            if (!grown)
                return no_memory(x->budget);
            x->pairs = grown;
            x->n_pairs_reserved = wanted;
        }
        x->pairs[2 * *state] = p;
        x->pairs[2 * *state + 1] = q;
        bool in_b = q < n_b && x->b->is_final[q];
        x->out->is_final[*state] = x->a->is_final[p] && (x->minus ? !in_b : in_b);
        *number = *state + 1;
    }
    *state = *number - 1;
    return ERR_OK;
}

/* Where byte leads in a determined automaton; *high becomes the last byte of which that is so. */
static uint32_t next_of(const struct automaton *a, const uint32_t *first, uint32_t state, int byte,
                        int *high)
{
    for (uint32_t i = state < a->n_states ? first[state] : 0;
         state < a->n_states && i < first[state + 1]; i++) {
        const struct arrow *x = &a->arrows[i];
        if (x->low > byte) {
            *high = *high < x->low - 1 ? *high : x->low - 1;
            break;
        }
        if (x->high >= byte) {
            *high = *high < x->high ? *high : x->high;
            return x->to;
        }
    }
    return a->n_states;
}

static enum err product_arrows(struct product *x, uint32_t state)
{
    uint32_t p = x->pairs[2 * state], q = x->pairs[2 * state + 1];
    enum err rc = ERR_OK;
    for (int low = 0, high; low < 256 && !rc; low = high + 1) {
        high = 255;
        uint32_t to_p = next_of(x->a, x->first_a, p, low, &high);
        uint32_t to_q = next_of(x->b, x->first_b, q, low, &high);
        rc = budget_spend(x->budget, 1);
        if (rc || to_p == x->a->n_states || (to_q == x->b->n_states && !x->minus))
            continue;
        struct arrow made = {
            .from = state, .kind = ARROW_BYTES, .low = (uint8_t)low, .high = (uint8_t)high};
        rc = pair_state(x, to_p, to_q, &made.to);
        if (!rc)
            rc = automaton_arrow(x->out, x->budget, made);
    }
    return rc;
}

enum err automaton_product(const struct automaton *a, const struct automaton *b_, bool minus,
                           struct automaton *out, struct budget *b)
{
    struct product x = {.a = a, .b = b_, .minus = minus, .out = out, .budget = b};
    size_t n_pairs_max = (size_t)a->n_states * (b_->n_states + 1);
    uint32_t state;
    *out = (struct automaton){0};
    if (n_pairs_max > 1 << 24)
        return err_set(b->note, ERR_LIMIT, "two patterns of %u and %u states are too many to join",
                       a->n_states, b_->n_states);
    x.number = mem_array(n_pairs_max, sizeof x.number[0]);
    enum err rc = x.number ? ERR_OK : no_memory(b);
    if (!rc)
        rc = automaton_index(a, &x.first_a, b);
    if (!rc)
        rc = automaton_index(b_, &x.first_b, b);
    if (!rc)
        rc = pair_state(&x, 0, 0, &state);
    for (uint32_t at = 0; !rc && at < out->n_states; at++)
        rc = product_arrows(&x, at);
    mem_free(x.number);
    mem_free(x.pairs);
    mem_free(x.first_a);
    mem_free(x.first_b);
    join_arrows(out);
    if (!rc)
        rc = automaton_trim(out, NULL, b);
    if (rc)
        automaton_release(out);
    return rc;
}

/* ---- trimming -------------------------------------------------------------------------------- */

/* Marks the states from which a final one is reached. Arrows are walked backwards. */
static enum err mark_live(const struct automaton *a, const uint8_t *is_dead, uint8_t *live,
                          struct budget *b)
{
    uint32_t *first = mem_array((size_t)a->n_states + 2, sizeof first[0]);
    uint32_t *into = mem_array((size_t)a->n_arrows + 1, sizeof into[0]);
    uint32_t *todo = mem_array(a->n_states, sizeof todo[0]), n_todo = 0;
    enum err rc = first && into && todo ? budget_spend(b, a->n_arrows) : no_memory(b);
    if (!rc) {
        for (uint32_t i = 0; i < a->n_arrows; i++)
            first[a->arrows[i].to + 2]++;
        for (uint32_t s = 0; s < a->n_states; s++)
            first[s + 2] += first[s + 1];
        for (uint32_t i = 0; i < a->n_arrows; i++)
            into[first[a->arrows[i].to + 1]++] = i;
        for (uint32_t s = 0; s < a->n_states; s++)
            if ((live[s] = a->is_final[s] != 0))
                todo[n_todo++] = s;
    }
    while (!rc && n_todo > 0) {
        uint32_t to = todo[--n_todo];
        for (uint32_t i = first[to]; i < first[to + 1]; i++) {
            const struct arrow *x = &a->arrows[into[i]];
            if (live[x->from] || (x->kind == ARROW_RULE && is_dead && is_dead[x->rule]))
                continue;
            live[x->from] = 1;
            todo[n_todo++] = x->from;
        }
    }
    mem_free(first);
    mem_free(into);
    mem_free(todo);
    return rc;
}

enum err automaton_trim(struct automaton *a, const uint8_t *is_dead, struct budget *b)
{
    uint8_t *live = mem_zalloc(a->n_states);
    uint32_t *number = mem_array(a->n_states, sizeof number[0]), n = 0, k = 0;
    enum err rc = live && number ? mark_live(a, is_dead, live, b) : no_memory(b);
    if (!rc) {
        for (uint32_t s = 0; s < a->n_states; s++) {
            number[s] = n;
            if (live[s] || s == 0)
                a->is_final[n++] = a->is_final[s];
        }
        for (uint32_t i = 0; i < a->n_arrows; i++) {
            struct arrow x = a->arrows[i];
            if (!live[x.from] || !live[x.to] ||
                (x.kind == ARROW_RULE && is_dead && is_dead[x.rule]))
                continue;
            x.from = number[x.from];
            x.to = number[x.to];
            a->arrows[k++] = x;
        }
        a->n_states = n;
        a->n_arrows = k;
    }
    mem_free(live);
    mem_free(number);
    return rc;
}
