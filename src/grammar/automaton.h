/* automaton.h - finite automata over bytes and rules: how expressions become states.
 *
 * State 0 is the start. An arrow reads a byte of a range, or a text of a rule, or nothing.
 * Work is counted in a struct budget: what would take too long or too much is ERR_LIMIT by name. */
#ifndef GRAMMAR_AUTOMATON_H
#define GRAMMAR_AUTOMATON_H

#include "grammar/draft.h"

enum arrow_kind { ARROW_FREE, ARROW_BYTES, ARROW_RULE };

struct arrow {
    uint32_t from, to;
    uint32_t rule; /* ARROW_RULE */
    uint8_t kind, low, high;
};

struct automaton {
    struct arrow *arrows;
    uint32_t n_arrows, n_arrows_reserved;
    uint8_t *is_final; /* [n_states] */
    uint32_t n_states, n_states_reserved;
};

struct budget {
    uint64_t n_steps, n_steps_max;
    uint32_t n_states_max; /* of one automaton; arrows: 8 times that */
    struct err_note *note;
};

void automaton_release(struct automaton *a);
enum err automaton_state(struct automaton *a, struct budget *b, uint32_t *state);
enum err automaton_arrow(struct automaton *a, struct budget *b, struct arrow arrow);
/* Counts n steps. */
enum err budget_spend(struct budget *b, uint64_t n_steps);

/* automaton_build - the texts of an expression; AND and MINUS are computed here. A large repeated
 * part becomes a rule of its own, added to d. Arrows of kind ARROW_FREE remain. */
enum err automaton_build(struct draft *d, uint32_t expr, struct automaton *out, struct budget *b);

/* automaton_determine - at most one arrow for each byte and each rule, none of them free; sorted by
 * (from, kind, low). ERR_LIMIT at n_states_max. */
enum err automaton_determine(const struct automaton *in, uint32_t n_states_max,
                             struct automaton *out, struct budget *b);
/* automaton_without_free - the same texts without free arrows; sorted the same way. */
enum err automaton_without_free(const struct automaton *in, struct automaton *out,
                                struct budget *b);
/* automaton_product - what a matches and b too, or (minus) does not. Both determined and without
 * rules; so is the result. */
enum err automaton_product(const struct automaton *a, const struct automaton *b_, bool minus,
                           struct automaton *out, struct budget *b);
/* automaton_trim - drops arrows of rules that match nothing, and states that lead to no final one.
 * is_dead: by rule; NULL: none. The start stays. Not for automata with free arrows. */
enum err automaton_trim(struct automaton *a, const uint8_t *is_dead, struct budget *b);

/* first[n_states + 1]: the arrows of state s are first[s]..first[s + 1), once sorted. */
enum err automaton_index(const struct automaton *a, uint32_t **first, struct budget *b);

#endif
