/* stacks.h - all ways to have read a text so far, as one shared, hash-consed structure.
 *
 * A set is a list of (state, set below), ascending by state: the set below holds, in the same form,
 * the states to return to. So a set is the minimal tree of all stacks that begin alike, and equal
 * sets are one number: comparing, remembering and taking back are trivial, and an ambiguous grammar
 * costs no more than its distinct states times its depth. A set's steps are kept beside it, by
 * class of bytes: the machine is a finite automaton made as it is needed.
 *
 * Nothing is allocated after stacks_init: sets live in a fixed pool. When it is full, or the stack
 * too deep, or a set too wide, `trouble` says so, and the answer of that call means nothing. */
#ifndef GRAMMAR_STACKS_H
#define GRAMMAR_STACKS_H

#include "grammar/grammar_int.h"

enum {
    SET_NONE = 0, /* below everything */
    SET_DEAD = 1, /* no way: the text does not match */
    STACKS_DEPTH_MAX = 4000,
    STACKS_WIDTH_MAX = 4096,
};

enum stacks_trouble { STACKS_FINE, STACKS_FULL, STACKS_DEEP, STACKS_WIDE };

struct set_edge {
    uint32_t state, below;
};

struct stacks {
    const struct grammar *g;
    uint32_t *pool, *spare; /* [n_words_max] each; the other one is for stacks_collect */
    uint32_t n_words, n_words_max;
    uint32_t *table, n_table, n_sets; /* open addressing over pool */
    struct join *joins;               /* remembered results of joining two sets */
    uint32_t *slot;                   /* by state: place in open plus 1, while a set is made */
    struct set_edge *open;            /* [STACKS_WIDTH_MAX] the set being made */
    uint32_t n_open;
    uint32_t *todo, n_todo; /* ring of places in open that are to be looked at */
    uint32_t todo_from;
    uint8_t *queued;
    struct set_edge *scratch; /* a stack of edges for recursive functions */
    uint32_t n_scratch;
    enum stacks_trouble trouble;
};

enum err stacks_init(struct stacks *s, const struct grammar *g, struct err_note *note);
void stacks_release(struct stacks *s);

uint32_t stacks_single(struct stacks *s, uint32_t state, uint32_t below);
/* stacks_closed - the set with every call made and every return taken, down to states that read. */
uint32_t stacks_closed(struct stacks *s, uint32_t set);
/* stacks_step - the closed set after a byte; SET_DEAD: none. set is closed. Cost: a look-up once
 * the step is known. */
uint32_t stacks_step_new(struct stacks *s, uint32_t set, uint32_t class);
/* stacks_collect - keeps only the sets of roots, which get new numbers; all steps are forgotten. */
void stacks_collect(struct stacks *s, uint32_t *roots, size_t n_roots);

/* Words of a set in the pool, from its number on; then its edges. */
enum { SET_HASH, SET_EDGES, SET_DEPTH, SET_CLOSED, SET_STEPS, SET_WORDS };

static inline uint32_t set_n_edges(const struct stacks *s, uint32_t set)
{
    return s->pool[set + SET_EDGES];
}
static inline struct set_edge set_edge_at(const struct stacks *s, uint32_t set, uint32_t i)
{
    const uint32_t *edge = s->pool + set + SET_WORDS + 2 * i;
    return (struct set_edge){edge[0], edge[1]};
}
/* Pseudo-states have the lowest numbers and come first. */
static inline bool set_has_end(const struct stacks *s, uint32_t set)
{
    return set > SET_DEAD && s->pool[set + SET_WORDS] == STATE_END;
}
static inline bool set_has_hole(const struct stacks *s, uint32_t set)
{
    return s->pool[set + SET_WORDS] == STATE_HOLE;
}

static inline uint32_t stacks_step(struct stacks *s, uint32_t set, uint8_t byte)
{
    uint32_t class = s->g->class_of[byte], steps = s->pool[set + SET_STEPS];
    uint32_t next = steps ? s->pool[steps + class] : 0;
    return next ? next : stacks_step_new(s, set, class);
}

#endif
