/* choices.c - a list of texts, one of which the answer is. */
#include "base/mem.h"
#include "grammar/grammar.h"

enum { CHOICES_MAX = 100000 };

uint32_t draft_choices(struct draft *d, const struct str *choices, size_t n)
{
    if (n == 0 || n > CHOICES_MAX) {
        draft_fail(d, ERR_LIMIT, "there are %zu choices; there must be from 1 to %d", n,
                   CHOICES_MAX);
        return DRAFT_NOTHING;
    }
    uint32_t *exprs = mem_array(n, sizeof exprs[0]);
    if (!exprs) {
        draft_fail(d, ERR_MEMORY, "out of memory for %zu choices", n);
        return DRAFT_NOTHING;
    }
    for (size_t i = 0; i < n; i++)
        exprs[i] = draft_literal(d, choices[i]);
    uint32_t made = draft_alt(d, exprs, n);
    mem_free(exprs);
    return made;
}

enum err grammar_from_choices(const struct str *choices, size_t n,
                              const struct grammar_limits *limits, struct grammar **out,
                              struct err_note *note)
{
    struct draft d;
    draft_init(&d);
    uint32_t expr = draft_choices(&d, choices, n);
    return grammar_from_expr(&d, expr, limits, out, note);
}
