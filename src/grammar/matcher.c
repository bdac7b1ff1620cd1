/* matcher.c - masks: tries of tokens walked along sets of stacks, remembered by state.
 *
 * What a token does depends on the whole stack only if it returns from the rule on top. So for each
 * (state, below) of the current set, the walk goes over the state alone, on top of a hole. Tokens
 * that never reach the hole are decided for every stack: a mask, kept by state. Where the hole is
 * reached, the trie node is noted, and the rest of its subtree is walked with what really lies
 * below. */
#include "grammar/matcher.h"

#include "base/check.h"
#include "base/mem.h"
#include "grammar/stacks.h"

enum {
    STATE_MASKS = 96,   /* remembered by state */
    SET_MASKS = 32,     /* remembered whole, by set */
    RETURNS_MAX = 8192, /* trie nodes of a state at which the hole is reached */
    PLAIN_LEVELS = 20,  /* characters looked ahead for the tries of plain text */
    PLAIN_PAIRS = 64,
    HISTORY = MATCHER_ROLLBACK_MAX + 1,
    SET_ENDED = 0, /* as the current set: an end token was accepted */
};

/* What is known of one state, whatever lies below it. */
struct state_mask {
    uint32_t state; /* 0: the slot is free */
    uint64_t used;  /* when, for replacing the one longest unused */
    uint32_t n_returns;
    bool too_many; /* returns do not fit: walk it each time */
};

/* Bytes of plain text, one of each class that the grammar tells apart. */
struct plain_step {
    uint8_t byte, next;
};

struct matcher {
    const struct grammar_vocab *v;
    struct plain_step plain[PLAIN_STATES][256];
    uint32_t n_plain[PLAIN_STATES];
    struct stacks s;
    uint32_t n_sets;           /* accepted tokens */
    uint32_t history[HISTORY]; /* ring: the set after n tokens is at n % HISTORY */
    enum stacks_trouble lost;  /* why an allowed token could not be accepted */
    uint64_t clock;
    struct state_mask states[STATE_MASKS];
    uint16_t *slot_of;    /* by state: its slot plus 1 */
    uint32_t *state_bits; /* [STATE_MASKS][n_words] */
    uint32_t *returns;    /* [STATE_MASKS][RETURNS_MAX]: trie << 28 | node */
    uint32_t set_of[SET_MASKS], next_set_mask;
    uint32_t *set_bits; /* [SET_MASKS][n_words] */
    uint32_t *path;     /* by depth: the set after so many bytes of a token */
    size_t n_state_bits, n_returns, n_set_bits;
};

static uint32_t *current(struct matcher *m)
{
    return &m->history[m->n_sets % HISTORY];
}

static void list_plain_steps(struct matcher *m)
{
    const struct grammar *g = m->s.g;
    for (int state = 0; state < PLAIN_STATES; state++)
        for (int byte = 0; byte < 256; byte++) {
            int next = plain_next(state, (uint8_t)byte);
            bool known = next < 0;
            for (uint32_t i = 0; i < m->n_plain[state] && !known; i++) {
                struct plain_step x = m->plain[state][i];
                known = x.next == next && g->class_of[x.byte] == g->class_of[byte];
            }
            if (!known)
                m->plain[state][m->n_plain[state]++] =
                    (struct plain_step){(uint8_t)byte, (uint8_t)next};
        }
}

enum err matcher_new(const struct grammar *g, const struct grammar_vocab *v, struct matcher **out,
                     struct err_note *note)
{
    struct matcher *m = mem_zalloc(sizeof *m);
    *out = NULL;
    if (!m)
        return err_set(note, ERR_MEMORY, "out of memory for a grammar");
    enum err rc = stacks_init(&m->s, g, note);
    if (rc) {
        mem_free(m);
        return rc;
    }
    m->v = v;
    m->n_state_bits = (size_t)STATE_MASKS * v->n_words * sizeof m->state_bits[0];
    m->n_set_bits = (size_t)SET_MASKS * v->n_words * sizeof m->set_bits[0];
    m->n_returns = (size_t)STATE_MASKS * RETURNS_MAX * sizeof m->returns[0];
    m->state_bits = mem_pages(m->n_state_bits);
    m->set_bits = mem_pages(m->n_set_bits);
    m->returns = mem_pages(m->n_returns);
    m->slot_of = mem_array(g->n_states, sizeof m->slot_of[0]);
    m->path = mem_array((size_t)v->n_bytes_token_max + 1, sizeof m->path[0]);
    if (!m->state_bits || !m->set_bits || !m->returns || !m->slot_of || !m->path) {
        matcher_free(m);
        return err_set(note, ERR_MEMORY, "out of memory for a grammar over %u tokens", v->n_vocab);
    }
    list_plain_steps(m);
    matcher_reset(m);
    *out = m;
    return ERR_OK;
}

void matcher_free(struct matcher *m)
{
    if (!m)
        return;
    stacks_release(&m->s);
    mem_pages_free(m->state_bits, m->n_state_bits);
    mem_pages_free(m->set_bits, m->n_set_bits);
    mem_pages_free(m->returns, m->n_returns);
    mem_free(m->slot_of);
    mem_free(m->path);
    mem_free(m);
}

/* Room in the pool again: only the sets that may be current again are kept. */
static void collect(struct matcher *m)
{
    stacks_collect(&m->s, m->history, HISTORY);
    memset(m->set_of, 0, sizeof m->set_of);
}

void matcher_reset(struct matcher *m)
{
    memset(m->history, 0, sizeof m->history);
    m->n_sets = 0;
    m->lost = STACKS_FINE;
    collect(m);
    uint32_t below = stacks_single(&m->s, STATE_END, SET_NONE);
    m->history[0] = stacks_closed(&m->s, stacks_single(&m->s, m->s.g->start, below));
}

/* ---- walking --------------------------------------------------------------------------------- */

/* Where noted returns go; NULL where no hole can be reached. */
struct returns {
    uint32_t *nodes;
    uint32_t n, trie;
    bool too_many;
};

static void set_bit(uint32_t *bits, uint32_t token)
{
    bits[token / 32] |= 1u << token % 32;
}

/* Sets the bits of the tokens below node that set allows. */
static void walk(struct matcher *m, const struct trie *t, uint32_t node, uint32_t set,
                 uint32_t *bits, struct returns *returns)
{
    struct stacks *s = &m->s;
    uint32_t *path = m->path;
    const struct trie_node *nodes = t->nodes;
    uint32_t end = nodes[node].next;
    path[nodes[node].depth] = set;
    for (uint32_t i = node + 1; i < end;) {
        const struct trie_node *x = &nodes[i];
        uint32_t next = stacks_step(s, path[x->depth - 1], x->byte);
        if (next == SET_DEAD) {
            i = x->next;
            continue;
        }
        path[x->depth] = next;
        for (uint32_t k = x->first; k < x[1].first; k++)
            set_bit(bits, t->tokens[k]);
        if (returns && set_has_hole(s, next) && x->next > i + 1) {
            if (returns->n == RETURNS_MAX)
                returns->too_many = true;
            else
                returns->nodes[returns->n++] = returns->trie << 28 | i;
        }
        i++;
    }
}

/* ---- plain text ------------------------------------------------------------------------------ */

struct pair {
    int plain; /* state of plain_next */
    uint32_t set;
};

static bool add_pair(struct pair *pairs, uint32_t *n, int plain, uint32_t set)
{
    for (uint32_t i = 0; i < *n; i++)
        if (pairs[i].plain == plain && pairs[i].set == set)
            return true;
    if (*n == PLAIN_PAIRS)
        return false;
    pairs[(*n)++] = (struct pair){plain, set};
    return true;
}

/* Whether every plain character may follow each of the n whole sets; they become the sets after
 * it. */
static bool plain_character(struct matcher *m, struct pair *whole, uint32_t *n)
{
    struct pair open[PLAIN_PAIRS], next[PLAIN_PAIRS];
    uint32_t n_open = 0, n_next = 0;
    for (uint32_t i = 0; i < *n; i++)
        if (stacks_step(&m->s, whole[i].set, 'e') == SET_DEAD ||
            !add_pair(open, &n_open, PLAIN_WHOLE, whole[i].set))
            return false;
    for (uint32_t i = 0; i < n_open; i++)
        for (uint32_t k = 0; k < m->n_plain[open[i].plain]; k++) {
            struct plain_step step = m->plain[open[i].plain][k];
            int plain = step.next;
            uint32_t set = stacks_step(&m->s, open[i].set, step.byte);
            if (set == SET_DEAD)
                return false;
            if (plain == PLAIN_WHOLE ? !add_pair(next, &n_next, plain, set)
                                     : !add_pair(open, &n_open, plain, set))
                return false;
        }
    memcpy(whole, next, n_next * sizeof next[0]);
    *n = n_next;
    return true;
}

/* How many plain characters, whichever they are, may follow set: PLAIN_ENDLESS, or as far as was
 * looked. */
static uint32_t plain_chars(struct matcher *m, uint32_t set)
{
    struct pair whole[PLAIN_PAIRS] = {{PLAIN_WHOLE, set}}, all[PLAIN_PAIRS];
    uint32_t n_whole = 1, n_all = 0;
    for (uint32_t n = 0; n < PLAIN_LEVELS; n++) {
        uint32_t n_known = n_all;
        for (uint32_t i = 0; i < n_whole; i++)
            if (!add_pair(all, &n_all, PLAIN_WHOLE, whole[i].set))
                return n;
        if (n_all == n_known)
            return PLAIN_ENDLESS;
        if (!plain_character(m, whole, &n_whole))
            return n;
    }
    return PLAIN_LEVELS;
}

/* All tokens that set allows, over every trie. */
static void walk_all(struct matcher *m, uint32_t set, uint32_t *bits, struct returns *returns)
{
    uint32_t n_plain = plain_chars(m, set);
    for (uint32_t k = 0; k < VOCAB_TRIES && !m->s.trouble; k++) {
        const struct trie *t = &m->v->tries[k];
        if (returns)
            returns->trie = k;
        if (k == 0 || t->n_chars_max > n_plain)
            walk(m, t, 0, set, bits, returns);
        else
            for (uint32_t w = 0; w < m->v->n_words; w++)
                bits[w] |= t->bits[w];
    }
}

/* ---- masks by state -------------------------------------------------------------------------- */

static uint32_t oldest_slot(const struct matcher *m)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < STATE_MASKS; i++)
        if (m->states[i].used < m->states[oldest].used)
            oldest = i;
    return oldest;
}

/* The slot of a state's mask, made now if need be. */
static uint32_t state_slot(struct matcher *m, uint32_t state)
{
    if (m->slot_of[state]) {
        m->states[m->slot_of[state] - 1].used = ++m->clock;
        return m->slot_of[state] - 1;
    }
    uint32_t slot = oldest_slot(m);
    struct state_mask *x = &m->states[slot];
    uint32_t *bits = m->state_bits + (size_t)slot * m->v->n_words;
    struct returns returns = {.nodes = m->returns + (size_t)slot * RETURNS_MAX};
    if (x->state)
        m->slot_of[x->state] = 0;
    memset(bits, 0, m->v->n_words * sizeof bits[0]);
    uint32_t hole = stacks_single(&m->s, STATE_HOLE, SET_NONE);
    walk_all(m, stacks_single(&m->s, state, hole), bits, &returns);
    *x = (struct state_mask){.n_returns = returns.n, .too_many = returns.too_many};
    if (!m->s.trouble) {
        x->state = state;
        x->used = ++m->clock;
        m->slot_of[state] = (uint16_t)(slot + 1);
    }
    return slot;
}

/* Adds what one edge of the current set allows. */
static void mask_edge(struct matcher *m, struct set_edge edge, uint32_t *bits)
{
    uint32_t slot = state_slot(m, edge.state);
    const struct state_mask *x = &m->states[slot];
    const uint32_t *known = m->state_bits + (size_t)slot * m->v->n_words;
    if (x->too_many) {
        walk_all(m, stacks_single(&m->s, edge.state, edge.below), bits, NULL);
        return;
    }
    for (uint32_t w = 0; w < m->v->n_words; w++)
        bits[w] |= known[w];
    if (x->n_returns == 0)
        return;
    uint32_t below = stacks_closed(&m->s, edge.below);
    const uint32_t *returns = m->returns + (size_t)slot * RETURNS_MAX;
    for (uint32_t i = 0; i < x->n_returns && !m->s.trouble; i++)
        walk(m, &m->v->tries[returns[i] >> 28], returns[i] & 0xfffffff, below, bits, NULL);
}

static void mask_set(struct matcher *m, uint32_t set, uint32_t *bits)
{
    uint32_t n_words = m->v->n_words;
    for (uint32_t i = 0; i < SET_MASKS; i++)
        if (m->set_of[i] == set) {
            memcpy(bits, m->set_bits + (size_t)i * n_words, n_words * sizeof bits[0]);
            return;
        }
    memset(bits, 0, n_words * sizeof bits[0]);
    for (uint32_t i = 0; i < set_n_edges(&m->s, set) && !m->s.trouble; i++) {
        struct set_edge edge = set_edge_at(&m->s, set, i);
        if (edge.state >= STATE_FIRST)
            mask_edge(m, edge, bits);
    }
    if (set_has_end(&m->s, set))
        for (uint32_t w = 0; w < n_words; w++)
            bits[w] |= m->v->end_bits[w];
    if (m->s.trouble)
        return;
    uint32_t slot = m->next_set_mask++ % SET_MASKS;
    m->set_of[slot] = set;
    memcpy(m->set_bits + (size_t)slot * n_words, bits, n_words * sizeof bits[0]);
}

static enum err trouble_note(enum stacks_trouble trouble, struct err_note *note)
{
    if (trouble == STACKS_DEEP)
        return err_set(note, ERR_LIMIT, "the grammar nests more than %d deep in this answer",
                       STACKS_DEPTH_MAX);
    if (trouble == STACKS_WIDE)
        return err_set(note, ERR_LIMIT, "the grammar can be read in more than %d ways here",
                       STACKS_WIDTH_MAX);
    return err_set(note, ERR_LIMIT, "the grammar needs more memory than a matcher has");
}

/* Collects when little room is left, so that what follows does not meet the limit halfway. */
static void make_room(struct matcher *m)
{
    if (m->s.n_words > m->s.n_words_max / 4 * 3 || 4 * m->s.n_sets >= m->s.n_table)
        collect(m);
}

enum err matcher_mask(struct matcher *m, uint32_t *bits, struct err_note *note)
{
    uint32_t n_words = m->v->n_words;
    make_room(m);
    if (matcher_has_ended(m)) {
        memcpy(bits, m->v->end_bits, n_words * sizeof bits[0]);
        return ERR_OK;
    }
    memset(bits, 0, n_words * sizeof bits[0]);
    if (m->lost)
        return trouble_note(m->lost, note);
    if (*current(m) == SET_DEAD)
        return err_set(note, ERR_UNSUPPORTED, "a token was chosen that the grammar does not allow");
    mask_set(m, *current(m), bits);
    if (m->s.trouble == STACKS_FULL) { /* once more, with an empty pool */
        collect(m);
        mask_set(m, *current(m), bits);
    }
    if (m->s.trouble) {
        enum err rc = trouble_note(m->s.trouble, note);
        memset(bits, 0, n_words * sizeof bits[0]);
        collect(m);
        return rc;
    }
    for (uint32_t w = 0; w < n_words; w++)
        if (bits[w])
            return ERR_OK;
    return err_set(note, ERR_UNSUPPORTED,
                   "no token of the vocabulary can go on here under the grammar");
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static uint32_t after_token(struct matcher *m, uint32_t token)
{
    struct str text = vocab_token(m->v, token);
    uint32_t set = *current(m);
    if (m->v->end_bits[token / 32] >> token % 32 & 1) {
        if (set == SET_ENDED || set_has_end(&m->s, set))
            return SET_ENDED;
    }
    if (set <= SET_DEAD || text.len == 0)
        return SET_DEAD;
    for (size_t i = 0; i < text.len && set != SET_DEAD; i++)
        set = stacks_step(&m->s, set, (uint8_t)text.ptr[i]);
    return set;
}

bool matcher_accept(struct matcher *m, int32_t token)
{
    CHECK(token >= 0 && (uint32_t)token < m->v->n_vocab);
    make_room(m);
    uint32_t set = after_token(m, (uint32_t)token);
    if (m->s.trouble) {
        collect(m);
        set = after_token(m, (uint32_t)token);
    }
    if (m->s.trouble) {
        m->lost = m->s.trouble;
        collect(m);
        set = SET_DEAD;
    }
    m->n_sets++;
    *current(m) = set;
    return set != SET_DEAD;
}

void matcher_rollback(struct matcher *m, uint32_t n)
{
    CHECK(n <= MATCHER_ROLLBACK_MAX && n <= m->n_sets);
    m->n_sets -= n;
    if (n > 0)
        m->lost = STACKS_FINE;
}

bool matcher_may_end(const struct matcher *m)
{
    uint32_t set = m->history[m->n_sets % HISTORY];
    return set == SET_ENDED || set_has_end(&m->s, set);
}

bool matcher_has_ended(const struct matcher *m)
{
    return m->history[m->n_sets % HISTORY] == SET_ENDED;
}

/* The only byte that set allows, or -1. */
static int only_byte(struct matcher *m, uint32_t set)
{
    int only = -1;
    if (set <= SET_DEAD || set_has_end(&m->s, set))
        return -1;
    for (int byte = 0; byte < 256; byte++) {
        if (stacks_step(&m->s, set, (uint8_t)byte) == SET_DEAD)
            continue;
        if (only >= 0)
            return -1;
        only = byte;
    }
    return only;
}

size_t matcher_forced(struct matcher *m, char *bytes, size_t n_max)
{
    size_t n = 0;
    make_room(m);
    uint32_t set = *current(m);
    for (int byte; n < n_max && (byte = only_byte(m, set)) >= 0 && !m->s.trouble;) {
        bytes[n++] = (char)byte;
        set = stacks_step(&m->s, set, (uint8_t)byte);
    }
    if (m->s.trouble)
        collect(m);
    return n;
}

/* ---- the engine's face ----------------------------------------------------------------------- */

static bool constraint_mask(void *context, uint32_t *bits, struct iso_note *note)
{
    struct err_note own = {""};
    if (matcher_mask(context, bits, &own))
        memcpy(note->text, own.text, sizeof note->text);
    return true;
}

static void constraint_accept(void *context, int32_t token)
{
    (void)matcher_accept(context, token); /* the next mask tells */
}

static void constraint_rollback(void *context, uint32_t n_tokens)
{
    matcher_rollback(context, n_tokens);
}

struct iso_constraint matcher_constraint(struct matcher *m)
{
    return (struct iso_constraint){m, constraint_mask, constraint_accept, constraint_rollback};
}
