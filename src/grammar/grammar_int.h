/* grammar_int.h - the tables of a compiled grammar, for grammar/ alone.
 *
 * States of all rules stand in one numbering. A matcher holds (state, stack of states to return
 * to): reading a byte follows an arrow, a call enters a rule at its start and pushes where to go
 * on, a final state pops. Every state leads to a final one: no text runs into a dead end.
 * No rule begins with itself, so that calls before the next byte are finitely many. */
#ifndef GRAMMAR_GRAMMAR_INT_H
#define GRAMMAR_GRAMMAR_INT_H

#include "grammar/grammar.h"

enum {
    STATE_END = 0,  /* below the stack: the whole text is matched */
    STATE_HOLE = 1, /* below the stack when what lies there is left open (matcher.c) */
    STATE_FIRST = 2,
};

enum state_flag {
    STATE_FINAL = 1,
    STATE_PLAIN_END = 2, /* final and nothing else: need not be pushed */
    STATE_READS = 4,     /* has arrows */
};

struct step_arrow {
    uint8_t low, high;
    uint32_t to;
};
struct call {
    uint32_t start, back;
};

struct grammar {
    uint32_t n_states, start;
    uint8_t *flags;       /* [n_states] */
    uint32_t *first_step; /* [n_states + 1] into steps */
    struct step_arrow *steps;
    uint32_t *first_call; /* [n_states + 1] into calls */
    struct call *calls;
    /* Bytes that no arrow tells apart have one class. */
    uint8_t class_of[256];
    uint32_t n_classes;
    uint8_t byte_of[256]; /* one byte of each class */
};

#endif
