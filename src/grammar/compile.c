/* compile.c - a draft's rules to the tables of one machine. */
#include "base/check.h"
#include "base/mem.h"
#include "grammar/automaton.h"
#include "grammar/grammar_int.h"

enum { STEPS_MAX = 100 * 1000 * 1000, STATES_MAX = 1 << 20 };

struct compile {
    struct draft *d;
    struct budget b;
    uint32_t n_states_max;
    struct automaton *automata; /* by rule */
    uint32_t n_automata;
    uint8_t *wanted;   /* by rule: reached from the root */
    uint8_t *is_dead;  /* by rule: no text matches it */
    uint8_t *nullable; /* by rule: matches the empty text */
    uint32_t *base;    /* by rule: its first state */
    uint64_t n_states;
};

static enum err no_memory(struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "out of memory for the grammar");
}

/* Determined, or, where that would be many times as many states, only freed of free arrows. */
static enum err build_rule(struct compile *c, uint32_t rule)
{
    struct automaton raw;
    struct automaton *out = &c->automata[rule];
    struct err_note ignored, *note = c->b.note;
    enum err rc = automaton_build(c->d, c->d->rules[rule].expr, &raw, &c->b);
    if (rc)
        return rc;
    uint32_t n_max = 4 * raw.n_states + 1000;
    if (n_max > c->b.n_states_max)
        n_max = c->b.n_states_max;
    c->b.note = &ignored;
    rc = automaton_determine(&raw, n_max, out, &c->b);
    c->b.note = note;
    if (rc == ERR_LIMIT)
        rc = automaton_without_free(&raw, out, &c->b);
    else if (rc)
        err_set(note, rc, "%s", ignored.text);
    automaton_release(&raw);
    c->n_states += rc ? 0 : out->n_states;
    if (!rc && c->n_states > c->n_states_max)
        return err_set(note, ERR_LIMIT,
                       "the grammar needs more than %u states; make it smaller, above all its "
                       "counted repetitions",
                       c->n_states_max);
    return rc;
}

/* Building may add rules (repeated parts): the arrays by rule grow with them. */
static enum err grow(struct compile *c)
{
    uint32_t n = c->d->n_rules, n_old = c->n_automata;
    if (n == n_old)
        return ERR_OK;
    struct automaton *automata = mem_resize(c->automata, n * sizeof automata[0]);
    if (automata)
        c->automata = automata;
    uint8_t *wanted = mem_resize(c->wanted, n);
    if (wanted)
        c->wanted = wanted;
    if (!automata || !wanted)
        return no_memory(c->b.note);
    memset(automata + n_old, 0, (n - n_old) * sizeof automata[0]);
    memset(wanted + n_old, 0, n - n_old);
    c->n_automata = n;
    return ERR_OK;
}

static enum err build_all(struct compile *c)
{
    uint32_t *todo = mem_array(DRAFT_RULES_MAX, sizeof todo[0]), n_todo = 0;
    enum err rc = todo ? grow(c) : no_memory(c->b.note);
    if (!rc) {
        c->wanted[c->d->root] = 1;
        todo[n_todo++] = c->d->root;
    }
    while (!rc && n_todo > 0) {
        uint32_t rule = todo[--n_todo];
        if (!c->d->rules[rule].is_set) {
            rc = err_set(c->b.note, ERR_FORMAT, "the rule \"%s\" is used but nowhere defined",
                         c->d->rules[rule].name);
            break;
        }
        rc = build_rule(c, rule);
        if (!rc)
            rc = grow(c);
        for (uint32_t i = 0; !rc && i < c->automata[rule].n_arrows; i++) {
            const struct arrow *a = &c->automata[rule].arrows[i];
            if (a->kind != ARROW_RULE || c->wanted[a->rule])
                continue;
            c->wanted[a->rule] = 1;
            todo[n_todo++] = a->rule;
        }
    }
    mem_free(todo);
    return rc;
}

/* Whether the final state is reached over arrows that `passes` allows. first: by state. */
typedef bool passes_fn(const struct compile *c, const struct arrow *a);

static bool passes_text(const struct compile *c, const struct arrow *a)
{
    return a->kind == ARROW_BYTES || !c->is_dead[a->rule];
}

static bool passes_empty(const struct compile *c, const struct arrow *a)
{
    return a->kind == ARROW_RULE && c->nullable[a->rule];
}

/* Marks the states of a rule that its start reaches over such arrows; returns whether a final one
 * is among them. */
static enum err reach(struct compile *c, uint32_t rule, passes_fn *passes, uint8_t *seen,
                      bool *final)
{
    const struct automaton *a = &c->automata[rule];
    uint32_t *first, *todo = mem_array(a->n_states, sizeof todo[0]), n_todo = 0;
    enum err rc = todo ? automaton_index(a, &first, &c->b) : no_memory(c->b.note);
    if (rc) {
        mem_free(todo);
        return rc;
    }
    memset(seen, 0, a->n_states);
    seen[0] = 1;
    todo[n_todo++] = 0;
    *final = false;
    while (n_todo > 0) {
        uint32_t s = todo[--n_todo];
        *final |= a->is_final[s];
        for (uint32_t i = first[s]; i < first[s + 1]; i++) {
            if (seen[a->arrows[i].to] || !passes(c, &a->arrows[i]))
                continue;
            seen[a->arrows[i].to] = 1;
            todo[n_todo++] = a->arrows[i].to;
        }
    }
    mem_free(first);
    mem_free(todo);
    return budget_spend(&c->b, a->n_arrows);
}

/* Rules that match some text, or the empty one: until nothing more is found. */
static enum err find(struct compile *c, passes_fn *passes, uint8_t *mark, uint8_t value)
{
    uint8_t *seen = mem_alloc(c->n_states_max + 1u);
    enum err rc = seen ? ERR_OK : no_memory(c->b.note);
    for (bool changed = true; changed && !rc;) {
        changed = false;
        /* Rules are mostly made after those that use them: backwards is the shorter way. */
        for (uint32_t rule = c->n_automata; rule-- > 0 && !rc;) {
            bool final = false;
            if (!c->wanted[rule] || mark[rule] == value)
                continue;
            rc = reach(c, rule, passes, seen, &final);
            if (final) {
                mark[rule] = value;
                changed = true;
            }
        }
    }
    mem_free(seen);
    return rc;
}

/* ---- rules that begin with themselves -------------------------------------------------------- */

enum { COLOUR_NEW, COLOUR_OPEN, COLOUR_DONE };

struct visit {
    uint32_t rule, next; /* the next of its arrows to look at */
};

/* Visits the rules that a rule may begin with; an open one met again is an error. */
static enum err check_beginnings_of(struct compile *c, uint32_t root, uint8_t *colour,
                                    struct visit *stack, uint8_t **seen)
{
    uint32_t n = 0;
    bool final;
    enum err rc = ERR_OK;
    stack[n++] = (struct visit){.rule = root};
    while (n > 0 && !rc) {
        struct visit *v = &stack[n - 1];
        const struct automaton *a = &c->automata[v->rule];
        if (colour[v->rule] == COLOUR_NEW) {
            colour[v->rule] = COLOUR_OPEN;
            seen[v->rule] = mem_alloc(a->n_states);
            rc = seen[v->rule] ? reach(c, v->rule, passes_empty, seen[v->rule], &final)
                               : no_memory(c->b.note);
            continue;
        }
        while (v->next < a->n_arrows &&
               (a->arrows[v->next].kind != ARROW_RULE || !seen[v->rule][a->arrows[v->next].from] ||
                colour[a->arrows[v->next].rule] == COLOUR_DONE))
            v->next++;
        if (v->next == a->n_arrows) {
            colour[v->rule] = COLOUR_DONE;
            mem_free(seen[v->rule]);
            seen[v->rule] = NULL;
            n--;
            continue;
        }
        uint32_t rule = a->arrows[v->next].rule;
        if (colour[rule] == COLOUR_OPEN)
            rc = err_set(c->b.note, ERR_UNSUPPORTED,
                         "the rule \"%s\" begins with itself (left recursion); write it as a "
                         "repetition",
                         c->d->rules[rule].name);
        else
            stack[n++] = (struct visit){.rule = rule};
    }
    return rc;
}

static enum err check_beginnings(struct compile *c)
{
    uint8_t *colour = mem_zalloc(c->n_automata);
    struct visit *stack = mem_array(c->n_automata + 1, sizeof stack[0]);
    uint8_t **seen = mem_array(c->n_automata, sizeof seen[0]);
    enum err rc = colour && stack && seen ? ERR_OK : no_memory(c->b.note);
    if (!rc)
        rc = check_beginnings_of(c, c->d->root, colour, stack, seen);
    for (uint32_t i = 0; seen && i < c->n_automata; i++)
        mem_free(seen[i]);
    mem_free(colour);
    mem_free(stack);
    mem_free(seen);
    return rc;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void number_classes(struct grammar *g, uint32_t n_steps)
{
    bool border[257] = {false};
    int class = -1;
    border[0] = true;
    for (uint32_t i = 0; i < n_steps; i++)
        border[g->steps[i].low] = border[g->steps[i].high + 1] = true;
    for (int byte = 0; byte < 256; byte++) {
        if (border[byte])
            g->byte_of[++class] = (uint8_t)byte;
        g->class_of[byte] = (uint8_t) class;
    }
    g->n_classes = (uint32_t) class + 1;
}

static void fill_rule(struct compile *c, struct grammar *g, uint32_t rule, uint32_t *n_steps,
                      uint32_t *n_calls)
{
    const struct automaton *a = &c->automata[rule];
    uint32_t at = 0;
    for (uint32_t s = 0; s < a->n_states; s++) {
        uint32_t state = c->base[rule] + s;
        uint32_t step = *n_steps, call = *n_calls;
        g->first_step[state] = step;
        g->first_call[state] = call;
        for (; at < a->n_arrows && a->arrows[at].from == s; at++) {
            const struct arrow *x = &a->arrows[at];
            uint32_t to = c->base[rule] + x->to;
            if (x->kind == ARROW_BYTES)
                g->steps[(*n_steps)++] = (struct step_arrow){x->low, x->high, to};
            else
                g->calls[(*n_calls)++] = (struct call){c->base[x->rule], to};
        }
        bool steps = *n_steps > step, calls = *n_calls > call;
        g->flags[state] = (a->is_final[s] ? STATE_FINAL : 0) | (steps ? STATE_READS : 0) |
                          (a->is_final[s] && !steps && !calls ? STATE_PLAIN_END : 0);
    }
}

static enum err make_tables(struct compile *c, struct grammar **out)
{
    size_t n_arrows = 0, n_states = STATE_FIRST;
    for (uint32_t rule = 0; rule < c->n_automata; rule++) {
        c->base[rule] = (uint32_t)n_states;
        if (!c->wanted[rule] || c->is_dead[rule])
            continue;
        n_states += c->automata[rule].n_states;
        n_arrows += c->automata[rule].n_arrows;
    }
    struct grammar *g = mem_zalloc(sizeof *g);
    if (!g)
        return no_memory(c->b.note);
    *out = g;
    g->flags = mem_zalloc(n_states);
    g->first_step = mem_array(n_states + 1, sizeof g->first_step[0]);
    g->first_call = mem_array(n_states + 1, sizeof g->first_call[0]);
    g->steps = mem_array(n_arrows, sizeof g->steps[0]);
    g->calls = mem_array(n_arrows, sizeof g->calls[0]);
    if (!g->flags || !g->first_step || !g->first_call || !g->steps || !g->calls)
        return no_memory(c->b.note);
    uint32_t n_steps = 0, n_calls = 0;
    for (uint32_t rule = 0; rule < c->n_automata; rule++)
        if (c->wanted[rule] && !c->is_dead[rule])
            fill_rule(c, g, rule, &n_steps, &n_calls);
    g->n_states = (uint32_t)n_states;
    g->first_step[n_states] = n_steps;
    g->first_call[n_states] = n_calls;
    g->start = c->base[c->d->root];
    number_classes(g, n_steps);
    return ERR_OK;
}

static enum err compile(struct compile *c, struct grammar **out)
{
    enum err rc = build_all(c);
    if (rc)
        return rc;
    c->is_dead = mem_alloc(c->n_automata);
    c->nullable = mem_zalloc(c->n_automata);
    c->base = mem_array(c->n_automata, sizeof c->base[0]);
    if (!c->is_dead || !c->nullable || !c->base)
        return no_memory(c->b.note);
    memset(c->is_dead, 1, c->n_automata);
    rc = find(c, passes_text, c->is_dead, 0);
    if (!rc && c->is_dead[c->d->root])
        rc = err_set(c->b.note, ERR_FORMAT, "no text at all matches the grammar");
    for (uint32_t rule = 0; rule < c->n_automata && !rc; rule++)
        if (c->wanted[rule] && !c->is_dead[rule])
            rc = automaton_trim(&c->automata[rule], c->is_dead, &c->b);
    if (!rc)
        rc = find(c, passes_empty, c->nullable, 1);
    if (!rc)
        rc = check_beginnings(c);
    return rc ? rc : make_tables(c, out);
}

enum err grammar_from_draft(struct draft *d, const struct grammar_limits *limits,
                            struct grammar **out, struct err_note *note)
{
    struct err_note own;
    struct compile c = {.d = d, .n_states_max = STATES_MAX};
    c.b = (struct budget){.n_steps_max = STEPS_MAX, .note = note ? note : &own};
    if (limits && limits->n_steps_max)
        c.b.n_steps_max = limits->n_steps_max;
    if (limits && limits->n_states_max)
        c.n_states_max = limits->n_states_max;
    c.b.n_states_max = c.n_states_max;
    *out = NULL;
    enum err rc = d->rc ? err_set(note, d->rc, "%s", d->note.text) : compile(&c, out);
    for (uint32_t i = 0; i < c.n_automata; i++)
        automaton_release(&c.automata[i]);
    mem_free(c.automata);
    mem_free(c.wanted);
    mem_free(c.is_dead);
    mem_free(c.nullable);
    mem_free(c.base);
    draft_release(d);
    if (rc) {
        grammar_free(*out);
        *out = NULL;
    }
    return rc;
}

enum err grammar_from_expr(struct draft *d, uint32_t expr, const struct grammar_limits *limits,
                           struct grammar **out, struct err_note *note)
{
    d->root = draft_rule(d, STR("root"));
    draft_set(d, d->root, expr);
    return grammar_from_draft(d, limits, out, note);
}

void grammar_free(struct grammar *g)
{
    if (!g)
        return;
    mem_free(g->flags);
    mem_free(g->first_step);
    mem_free(g->steps);
    mem_free(g->first_call);
    mem_free(g->calls);
    mem_free(g);
}

uint32_t grammar_n_states(const struct grammar *g)
{
    return g->n_states;
}
