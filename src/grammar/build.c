/* build.c - expressions to automata, one construction for each kind of expression. */
#include "base/check.h"
#include "base/mem.h"
#include "grammar/automaton.h"

enum {
    REPEAT_SIZE_MAX = 1 << 15, /* of repeated states in one rule; more go into blocks of rules */
    BLOCK_SIZE = 1 << 13,
    INLINE_DEPTH_MAX = 100,
};

struct build {
    struct draft *d;
    struct automaton *out;
    struct budget *b;
    int n_inlined; /* within AND or MINUS, rules are built in place: how many around this */
    bool inlines;
};

static enum err build(struct build *x, uint32_t expr, uint32_t from, uint32_t to);

static enum err free_arrow(struct build *x, uint32_t from, uint32_t to)
{
    return automaton_arrow(x->out, x->b,
                           (struct arrow){.from = from, .to = to, .kind = ARROW_FREE});
}

static enum err byte_arrow(struct build *x, uint32_t from, uint32_t to, uint32_t low, uint32_t high)
{
    return automaton_arrow(x->out, x->b,
                           (struct arrow){.from = from,
                                          .to = to,
                                          .kind = ARROW_BYTES,
                                          .low = (uint8_t)low,
                                          .high = (uint8_t)high});
}

static enum err build_literal(struct build *x, uint32_t first, uint32_t n, uint32_t from,
                              uint32_t to)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < n && !rc; i++) {
        uint32_t byte = (uint8_t)x->d->bytes[first + i], next = to;
        if (i + 1 < n)
            rc = automaton_state(x->out, x->b, &next);
        if (!rc)
            rc = byte_arrow(x, from, next, byte, byte);
        from = next;
    }
    return rc;
}

/* ---- characters as bytes --------------------------------------------------------------------- */

/* tail[k]: a state from which any k continuation bytes lead to `to`; 0: not made. */
struct tails {
    uint32_t state[4];
};

static enum err tail_state(struct build *x, struct tails *t, int k, uint32_t to, uint32_t *state)
{
    if (k == 0) {
        *state = to;
        return ERR_OK;
    }
    if (!t->state[k]) {
        uint32_t next;
        enum err rc = tail_state(x, t, k - 1, to, &next);
        if (!rc)
            rc = automaton_state(x->out, x->b, &t->state[k]);
        if (!rc)
            rc = byte_arrow(x, t->state[k], next, 0x80, 0xbf);
        if (rc)
            return rc;
    }
    *state = t->state[k];
    return ERR_OK;
}

/* The bytes from position i on of all sequences between low and high, which share what is before.
 * Both have n bytes. */
static enum err build_bytes(struct build *x, struct tails *t, const uint8_t *low,
                            const uint8_t *high, int n, uint32_t from, uint32_t to)
{
    static const uint8_t least[3] = {0x80, 0x80, 0x80}, most[3] = {0xbf, 0xbf, 0xbf};
    uint32_t state;
    enum err rc;
    if (n == 1)
        return byte_arrow(x, from, to, low[0], high[0]);
    bool low_is_least = memcmp(low + 1, least, (size_t)n - 1) == 0;
    bool high_is_most = memcmp(high + 1, most, (size_t)n - 1) == 0;
    if (low_is_least && high_is_most) {
        rc = tail_state(x, t, n - 1, to, &state);
        return rc ? rc : byte_arrow(x, from, state, low[0], high[0]);
    }
    if (low[0] == high[0]) {
        rc = automaton_state(x->out, x->b, &state);
        if (!rc)
            rc = byte_arrow(x, from, state, low[0], low[0]);
        return rc ? rc : build_bytes(x, t, low + 1, high + 1, n - 1, state, to);
    }
    /* A part below, a part above, and what lies between them whole. */
    uint8_t edge[4] = {low[0], 0xbf, 0xbf, 0xbf};
    uint32_t first = low[0], last = high[0];
    rc = ERR_OK;
    if (!low_is_least) {
        rc = build_bytes(x, t, low, edge, n, from, to);
        first++;
    }
    if (!rc && !high_is_most) {
        memcpy(edge, high, 1);
        memcpy(edge + 1, least, 3);
        rc = build_bytes(x, t, edge, high, n, from, to);
        last--;
    }
    if (rc || first > last)
        return rc;
    rc = tail_state(x, t, n - 1, to, &state);
    return rc ? rc : byte_arrow(x, from, state, first, last);
}

static enum err build_class(struct build *x, uint32_t links, uint32_t n, uint32_t from, uint32_t to)
{
    static const uint32_t length_ends[4] = {0x7f, 0x7ff, 0xffff, 0x10ffff};
    struct tails t = {{0}};
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < n && !rc; i++) {
        uint32_t low = x->d->links[links + 2 * i], high = x->d->links[links + 2 * i + 1];
        for (int length = 0; length < 4 && low <= high && !rc; length++) {
            char a[4], z[4];
            uint32_t end = high < length_ends[length] ? high : length_ends[length];
            if (low > end)
                continue;
            int n_bytes = utf8_encode(low, a);
            CHECK(utf8_encode(end, z) == n_bytes);
            rc = build_bytes(x, &t, (const uint8_t *)a, (const uint8_t *)z, n_bytes, from, to);
            low = end + 1;
        }
    }
    return rc;
}

/* ---- combinations ---------------------------------------------------------------------------- */

static enum err build_seq(struct build *x, uint32_t first, uint32_t n, uint32_t from, uint32_t to)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < n && !rc; i++) {
        uint32_t next = to;
        if (i + 1 < n)
            rc = automaton_state(x->out, x->b, &next);
        if (!rc)
            rc = build(x, x->d->links[first + i], from, next);
        from = next;
    }
    return n == 0 ? free_arrow(x, from, to) : rc;
}

/* expr as a rule of its own. */
static uint32_t as_rule(struct build *x, uint32_t expr)
{
    uint32_t rule = draft_rule(x->d, STR("a repeated part"));
    draft_set(x->d, rule, expr);
    return draft_ref(x->d, rule);
}

/* A repetition whose copies would be too many states, by way of a rule that holds several of them:
 * whole such blocks, and single copies for what they leave. */
static uint32_t in_blocks(struct build *x, uint32_t body, uint32_t min, uint32_t max)
{
    struct draft *d = x->d;
    uint32_t n = BLOCK_SIZE / x->d->exprs[body].size;
    if (n <= 1)
        return draft_repeat(d, as_rule(x, body), min, max);
    uint32_t block = as_rule(x, draft_repeat(d, body, n, n)), rest;
    uint32_t least = DRAFT_SEQ(d, draft_repeat(d, block, min / n, min / n),
                               draft_repeat(d, body, min % n, min % n));
    if (max == DRAFT_ENDLESS)
        return DRAFT_SEQ(d, least, draft_repeat(d, body, 0, DRAFT_ENDLESS));
    uint32_t n_blocks = (max - min) / n;
    rest = DRAFT_SEQ(d, draft_repeat(d, block, n_blocks, n_blocks),
                     draft_repeat(d, body, 0, (max - min) % n));
    if (n_blocks > 0)
        rest = DRAFT_ALT(
            d, rest,
            DRAFT_SEQ(d, draft_repeat(d, block, 0, n_blocks - 1), draft_repeat(d, body, 0, n - 1)));
    return DRAFT_SEQ(d, least, rest);
}

static enum err build_repeat(struct build *x, struct expr e, uint32_t from, uint32_t to)
{
    uint32_t min = x->d->links[e.b], max = x->d->links[e.b + 1], next, body = e.a;
    enum err rc = ERR_OK;
    if (e.size > REPEAT_SIZE_MAX && x->d->exprs[body].size > 1 && !x->inlines) {
        uint32_t blocks = in_blocks(x, body, min, max);
        return x->d->rc ? x->d->rc : build(x, blocks, from, to);
    }
    for (uint32_t i = 0; i < min && !rc; i++) {
        rc = automaton_state(x->out, x->b, &next);
        if (!rc)
            rc = build(x, body, from, next);
        from = next;
    }
    if (!rc && max == DRAFT_ENDLESS) {
        rc = automaton_state(x->out, x->b, &next);
        if (!rc)
            rc = free_arrow(x, from, next);
        if (!rc)
            rc = build(x, body, next, next);
        return rc ? rc : free_arrow(x, next, to);
    }
    for (uint32_t i = min; i < max && !rc; i++) {
        rc = free_arrow(x, from, to);
        if (!rc)
            rc = automaton_state(x->out, x->b, &next);
        if (!rc)
            rc = build(x, body, from, next);
        from = next;
    }
    return rc ? rc : free_arrow(x, from, to);
}

static enum err build_graph(struct build *x, uint32_t first, uint32_t n, uint32_t from, uint32_t to)
{
    uint32_t n_nodes = 2;
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < 2; k++)
            if (x->d->links[first + 3 * i + k] >= n_nodes)
                n_nodes = x->d->links[first + 3 * i + k] + 1;
    uint32_t base = x->out->n_states, state;
    for (uint32_t i = 0; i < n_nodes && !rc; i++)
        rc = automaton_state(x->out, x->b, &state);
    if (!rc)
        rc = free_arrow(x, from, base);
    for (uint32_t i = 0; i < n && !rc; i++) {
        const uint32_t *edge = x->d->links + first + 3 * i;
        rc = build(x, edge[2], base + edge[0], base + edge[1]);
    }
    return rc ? rc : free_arrow(x, base + 1, to);
}

static enum err build_rule(struct build *x, uint32_t rule, uint32_t from, uint32_t to)
{
    if (!x->inlines)
        return automaton_arrow(
            x->out, x->b, (struct arrow){.from = from, .to = to, .rule = rule, .kind = ARROW_RULE});
    if (x->n_inlined == INLINE_DEPTH_MAX)
        return err_set(x->b->note, ERR_UNSUPPORTED,
                       "the rule %s contains itself, so that it cannot be joined with a pattern",
                       x->d->rules[rule].name);
    x->n_inlined++;
    enum err rc = build(x, x->d->rules[rule].expr, from, to);
    x->n_inlined--;
    return rc;
}

/* A determined automaton of its own. */
static enum err determined(struct build *x, uint32_t expr, struct automaton *out)
{
    struct automaton free_one = {0};
    struct build own = *x;
    own.out = &free_one;
    own.inlines = true;
    uint32_t from, to;
    enum err rc = automaton_state(&free_one, x->b, &from);
    if (!rc)
        rc = automaton_state(&free_one, x->b, &to);
    if (!rc)
        rc = build(&own, expr, from, to);
    if (!rc) {
        free_one.is_final[to] = 1;
        rc = automaton_determine(&free_one, x->b->n_states_max, out, x->b);
    }
    automaton_release(&free_one);
    return rc;
}

/* Arrows and states of a determined automaton, between from and to. */
static enum err embed(struct build *x, const struct automaton *a, uint32_t from, uint32_t to)
{
    uint32_t base = x->out->n_states, state;
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < a->n_states && !rc; i++) {
        rc = automaton_state(x->out, x->b, &state);
        if (!rc && a->is_final[i])
            rc = free_arrow(x, base + i, to);
    }
    for (uint32_t i = 0; i < a->n_arrows && !rc; i++) {
        struct arrow arrow = a->arrows[i];
        arrow.from += base;
        arrow.to += base;
        rc = automaton_arrow(x->out, x->b, arrow);
    }
    return rc ? rc : free_arrow(x, from, base);
}

static enum err build_product(struct build *x, struct expr e, uint32_t from, uint32_t to)
{
    struct automaton a = {0}, b = {0}, product = {0};
    enum err rc = determined(x, e.a, &a);
    if (!rc)
        rc = determined(x, e.b, &b);
    if (!rc)
        rc = automaton_product(&a, &b, e.kind == EXPR_MINUS, &product, x->b);
    if (!rc)
        rc = embed(x, &product, from, to);
    automaton_release(&a);
    automaton_release(&b);
    automaton_release(&product);
    return rc;
}

/* Adds what expr matches between two states. Nothing is added into `from` or out of `to`. */
static enum err build(struct build *x, uint32_t expr, uint32_t from, uint32_t to)
{
    const struct expr e = x->d->exprs[expr];
    enum err rc = budget_spend(x->b, 1);
    if (rc)
        return rc;
    switch ((enum expr_kind)e.kind) {
    case EXPR_NOTHING:
        return ERR_OK;
    case EXPR_EMPTY:
        return free_arrow(x, from, to);
    case EXPR_LITERAL:
        return build_literal(x, e.first, e.n, from, to);
    case EXPR_CLASS:
        return build_class(x, e.first, e.n, from, to);
    case EXPR_SEQ:
        return build_seq(x, e.first, e.n, from, to);
    case EXPR_ALT:
        for (uint32_t i = 0; i < e.n && !rc; i++)
            rc = build(x, x->d->links[e.first + i], from, to);
        return rc;
    case EXPR_REPEAT:
        return build_repeat(x, e, from, to);
    case EXPR_RULE:
        return build_rule(x, e.a, from, to);
    case EXPR_AND:
    case EXPR_MINUS:
        return build_product(x, e, from, to);
    case EXPR_GRAPH:
        return build_graph(x, e.first, e.n, from, to);
    }
    CHECK(!"an expression of no kind");
    return ERR_OK;
}

enum err automaton_build(struct draft *d, uint32_t expr, struct automaton *out, struct budget *b)
{
    struct build x = {.d = d, .out = out, .b = b};
    uint32_t from, to;
    *out = (struct automaton){0};
    enum err rc = automaton_state(out, b, &from);
    if (!rc)
        rc = automaton_state(out, b, &to);
    if (!rc)
        rc = build(&x, expr, from, to);
    if (d->rc) /* a repeated part could not become a rule */
        rc = err_set(b->note, d->rc, "%s", d->note.text);
    if (!rc)
        out->is_final[to] = 1;
    else
        automaton_release(out);
    return rc;
}
