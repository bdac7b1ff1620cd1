/* test_matcher.c - masks against trying every token; words against a plain definition of what a
 * grammar matches; taking back; no allocation; the limits of a matcher. */
#include "lib/probe.h"

#include "base/mem.h"

enum { LETTERS = 3, WORD_MAX = 6, WORDS = 1093, RULES = 4 }; /* 1 + 3 + ... + 3^6 words */

/* ---- what a grammar matches, from the definition --------------------------------------------- */

/* A set of the words over a, b, c of up to WORD_MAX letters. Word numbers: those of length n follow
 * those of length n - 1, in order. */
struct words {
    bool has[WORDS];
};

static int first_of_length(int n)
{
    int first = 0, count = 1;
    for (int i = 0; i < n; i++, count *= LETTERS)
        first += count;
    return first;
}

static int word_spell(int word, char out[WORD_MAX + 1])
{
    int n = 0;
    while (n < WORD_MAX && word >= first_of_length(n + 1))
        n++;
    word -= first_of_length(n);
    out[n] = 0;
    for (int i = n; i-- > 0; word /= LETTERS)
        out[i] = (char)('a' + word % LETTERS);
    return n;
}

static int word_number(const char *text, int n)
{
    int at = 0;
    for (int i = 0; i < n; i++)
        at = at * LETTERS + (text[i] - 'a');
    return first_of_length(n) + at;
}

static struct words concatenated(const struct words *x, const struct words *y)
{
    struct words made = {{false}};
    char text[2 * WORD_MAX + 1];
    for (int i = 0; i < WORDS; i++) {
        if (!x->has[i])
            continue;
        int n = word_spell(i, text);
        for (int k = 0; k < first_of_length(WORD_MAX - n + 1); k++) {
            if (!y->has[k])
                continue;
            int n_all = n + word_spell(k, text + n);
            made.has[word_number(text, n_all)] = true;
        }
    }
    return made;
}

static void unite(struct words *x, const struct words *y)
{
    for (int i = 0; i < WORDS; i++)
        x->has[i] |= y->has[i];
}

/* The words of an expression, where rules match what `rules` says so far. */
static struct words evaluate(const struct draft *d, uint32_t expr, const struct words *rules)
{
    const struct expr *e = &d->exprs[expr];
    struct words made = {{false}}, part;
    switch ((enum expr_kind)e->kind) {
    case EXPR_EMPTY:
        made.has[0] = true;
        break;
    case EXPR_LITERAL:
        made.has[word_number(d->bytes + e->first, (int)e->n)] = true;
        break;
    case EXPR_CLASS:
        for (uint32_t i = 0; i < e->n; i++)
            for (uint32_t c = d->links[e->first + 2 * i]; c <= d->links[e->first + 2 * i + 1]; c++)
                made.has[1 + c - 'a'] = true;
        break;
    case EXPR_SEQ:
        made.has[0] = true;
        for (uint32_t i = 0; i < e->n; i++) {
            part = evaluate(d, d->links[e->first + i], rules);
            made = concatenated(&made, &part);
        }
        break;
    case EXPR_ALT:
        for (uint32_t i = 0; i < e->n; i++) {
            part = evaluate(d, d->links[e->first + i], rules);
            unite(&made, &part);
        }
        break;
    case EXPR_REPEAT: {
        struct words once = evaluate(d, e->a, rules), power = {{true}};
        uint32_t min = d->links[e->b], max = d->links[e->b + 1];
        for (uint32_t n = 0; n <= max && n <= min + WORD_MAX; n++) {
            if (n >= min)
                unite(&made, &power);
            power = concatenated(&power, &once);
        }
        break;
    }
    case EXPR_RULE:
        return rules[e->a];
    case EXPR_AND:
    case EXPR_MINUS:
        made = evaluate(d, e->a, rules);
        part = evaluate(d, e->b, rules);
        for (int i = 0; i < WORDS; i++)
            made.has[i] &= part.has[i] == (e->kind == EXPR_AND);
        break;
    case EXPR_GRAPH:
    case EXPR_NOTHING:
        break;
    }
    return made;
}

/* The smallest solution: repeated until nothing is added. */
static struct words solve(const struct draft *d)
{
    static struct words rules[RULES];
    memset(rules, 0, sizeof rules);
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t r = 0; r < d->n_rules; r++) {
            struct words now = evaluate(d, d->rules[r].expr, rules);
            changed |= memcmp(&now, &rules[r], sizeof now) != 0;
            rules[r] = now;
        }
    }
    return rules[d->root];
}

/* ---- random grammars ------------------------------------------------------------------------- */

static uint32_t random_expr(struct draft *d, uint64_t *seed, int depth, bool regular)
{
    uint32_t kind = (uint32_t)(test_rand(seed) % (depth > 0 ? 9 : 3)), low;
    char text[2];
    switch (kind) {
    case 0:
        low = 'a' + (uint32_t)(test_rand(seed) % 3);
        return DRAFT_RANGES(d, false, {low, low + (uint32_t)(test_rand(seed) % ('d' - low))});
    case 1:
        text[0] = (char)('a' + test_rand(seed) % 3);
        text[1] = (char)('a' + test_rand(seed) % 3);
        return draft_literal(d, (struct str){text, test_rand(seed) % 3});
    case 2:
        if (regular)
            return DRAFT_RANGES(d, false, {'a', 'c'});
        /* Behind a letter, so that no rule begins with itself. */
        return DRAFT_SEQ(d, draft_literal(d, STR("a")),
                         draft_ref(d, (uint32_t)(test_rand(seed) % RULES)));
    case 3:
    case 4:
        return DRAFT_SEQ(d, random_expr(d, seed, depth - 1, regular),
                         random_expr(d, seed, depth - 1, regular));
    case 5:
    case 6:
        return DRAFT_ALT(d, random_expr(d, seed, depth - 1, regular),
                         random_expr(d, seed, depth - 1, regular));
    case 7:
        low = (uint32_t)(test_rand(seed) % 3);
        return draft_repeat(d, random_expr(d, seed, depth - 1, regular), low,
                            test_rand(seed) % 2 ? DRAFT_ENDLESS : low + 2);
    default:
        if (test_rand(seed) % 2)
            return draft_and(d, random_expr(d, seed, depth - 1, true),
                             random_expr(d, seed, depth - 1, true));
        return draft_minus(d, random_expr(d, seed, depth - 1, true),
                           random_expr(d, seed, depth - 1, true));
    }
}

static void random_draft(struct draft *d, uint64_t *seed)
{
    draft_init(d);
    for (int i = 0; i < RULES; i++)
        draft_rule(d, STR("r"));
    for (uint32_t i = 0; i < RULES; i++)
        draft_set(d, i, random_expr(d, seed, 4, false));
    d->root = 0;
    assert_ok(d->rc);
}

static struct grammar_vocab *random_vocab(uint64_t *seed, uint32_t n)
{
    static char bytes[200][5];
    struct str tokens[200];
    int32_t ends[2] = {(int32_t)(test_rand(seed) % n), (int32_t)(n - 1)};
    for (uint32_t t = 0; t < n; t++) {
        size_t len = t < 3 ? 1 : test_rand(seed) % 5;
        for (size_t i = 0; i < 4; i++)
            bytes[t][i] = (char)('a' + (t < 3 ? t : test_rand(seed) % 4));
        tokens[t] = (struct str){bytes[t], len};
    }
    tokens[ends[0]] = tokens[ends[1]] = STR("");
    struct grammar_vocab *v;
    assert_ok(grammar_vocab_new(tokens, n, n, ends, ends[0] == ends[1] ? 1 : 2, &v, NULL));
    return v;
}

/* Every token, tried alone. */
static void check_mask(struct matcher *m, const struct grammar_vocab *v, uint64_t seed)
{
    uint32_t bits[(200 + 31) / 32];
    struct err_note note = {""};
    enum err rc = matcher_mask(m, bits, &note);
    if (rc && !strstr(note.text, "no token of the vocabulary"))
        fail_msg("seed %llu: %s", (unsigned long long)seed, note.text);
    for (uint32_t t = 0; t < v->n_vocab; t++) {
        bool allowed = matcher_accept(m, (int32_t)t);
        matcher_rollback(m, 1);
        if (allowed != (bits[t / 32] >> t % 32 & 1))
            fail_msg("seed %llu: token %u is %d in the mask", (unsigned long long)seed, t,
                     !allowed);
    }
}

static void masks_hold_what_can_be_accepted(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 300; round++) {
        uint64_t seed = round;
        struct draft d;
        struct grammar *g;
        struct matcher *m;
        random_draft(&d, &seed);
        if (grammar_from_draft(&d, NULL, &g, NULL))
            continue; /* matches nothing */
        uint32_t n = 10 + (uint32_t)(test_rand(&seed) % 150);
        struct grammar_vocab *v = random_vocab(&seed, n);
        assert_ok(matcher_new(g, v, &m, NULL));
        mem_guard_begin("a matcher at work");
        for (int step = 0; step < 12 && !matcher_has_ended(m); step++) {
            check_mask(m, v, round);
            uint32_t t = (uint32_t)(test_rand(&seed) % n), k = 0;
            while (k++ < n && !matcher_accept(m, (int32_t)t)) {
                matcher_rollback(m, 1);
                t = (t + 1) % n;
            }
            if (k > n)
                break;
        }
        mem_guard_end();
        matcher_free(m);
        grammar_vocab_free(v);
        grammar_free(g);
    }
}

/* Plain text within strings goes another way than the rest (vocab.h): here tokens are pieces of
 * text in several scripts, cut anywhere, long and short, over strings of every kind. */
static void masks_of_strings_are_exact(void **state)
{
    (void)state;
    enum { N = 190, TEXT = 4000 };
    static const char *const chars[] = {"a",
                                        "e",
                                        "Z",
                                        "7",
                                        " ",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x7f",
                                        "-",
                                        "\xc3\xa9",
                                        "\xe4\xb8\x96",
                                        "\xf0\x9f\x98\x80",
                                        "\xed\x9f\xbf"};
    static const char *const grammars[] = {
        "root ::= [^\"\\\\\\x00-\\x1F]* \"\\\"\" [a-e]*",
        "root ::= \"\\\"\" [^\"\\\\\\x00-\\x1F]{0,6} \"\\\"\" root?",
        "root ::= ([^\"\\\\\\x00-\\x1F]{5,30} | \"a\"*) \"\\\"\"",
        "root ::= s (\"-\" s)*\ns ::= [^\"\\\\\\x00-\\x1F\\x7f\\-]{2,9}",
        "root ::= . root | [^a]{3} \"\\\\\" root | \"\"",
        "root ::= c{0,3} [^e\xc3\xa9]{0,20}\nc ::= [^\"] [^\\\\]?",
    };
    for (uint64_t round = 0; round < 6 * 8; round++) {
        static char text[TEXT + 8];
        struct str tokens[N];
        struct grammar_vocab *v;
        struct grammar *g;
        struct matcher *m;
        uint64_t seed = round;
        size_t n = 0;
        const int32_t end = N - 1;
        while (n < TEXT) {
            const char *c = chars[test_rand(&seed) % (test_rand(&seed) % 4 ? 5 : COUNT_OF(chars))];
            memcpy(text + n, c, strlen(c));
            n += strlen(c);
        }
        for (size_t t = 0; t < N; t++) {
            size_t len = 1 + test_rand(&seed) % (t % 3 ? 4 : 50);
            tokens[t] = (struct str){text + test_rand(&seed) % (TEXT - 60), t == N - 1 ? 0 : len};
        }
        assert_ok(grammar_vocab_new(tokens, N, N, &end, 1, &v, NULL));
        assert_ok(grammar_from_gbnf(str_from(grammars[round % 6]), NULL, &g, NULL));
        assert_ok(matcher_new(g, v, &m, NULL));
        for (int step = 0; step < 10 && !matcher_has_ended(m); step++) {
            check_mask(m, v, round);
            uint32_t t = (uint32_t)(test_rand(&seed) % N), k = 0;
            for (; k < N && !matcher_accept(m, (int32_t)t); k++, t = (t + 1) % N)
                matcher_rollback(m, 1);
            if (k == N)
                break;
        }
        matcher_free(m);
        grammar_vocab_free(v);
        grammar_free(g);
    }
}

static void words_are_those_of_the_definition(void **state)
{
    (void)state;
    int n_grammars = 0;
    for (uint64_t round = 1000; round < 1150; round++) {
        uint64_t seed = round;
        struct draft d;
        struct grammar *g;
        struct err_note note = {""};
        random_draft(&d, &seed);
        struct words wanted = solve(&d);
        if (grammar_from_draft(&d, NULL, &g, &note)) {
            assert_non_null(strstr(note.text, "no text at all"));
            for (int w = 0; w < WORDS; w++)
                assert_false(wanted.has[w]);
            continue;
        }
        struct probe p = probe_open(g);
        for (int w = 0; w < WORDS; w++) {
            char text[WORD_MAX + 1];
            int n = word_spell(w, text);
            matcher_reset(p.matcher);
            bool found = true;
            for (int i = 0; i < n && found; i++)
                found = matcher_accept(p.matcher, text[i]);
            found = found && matcher_may_end(p.matcher);
            if (found != wanted.has[w])
                fail_msg("seed %llu: \"%s\" %s", (unsigned long long)round, text,
                         found ? "matches" : "does not match");
        }
        probe_close(&p);
        n_grammars++;
    }
    assert_true(n_grammars > 100);
}

static void tokens_are_taken_back(void **state)
{
    (void)state;
    struct grammar *g;
    uint32_t before[(PROBE_TOKENS + 31) / 32], after[(PROBE_TOKENS + 31) / 32];
    assert_ok(grammar_from_gbnf(STR("root ::= \"(\" root \")\" | [a-z]{1,300}"), NULL, &g, NULL));
    struct probe p = probe_open(g);
    for (int i = 0; i < 300; i++)
        assert_true(matcher_accept(p.matcher, '('));
    assert_true(matcher_accept(p.matcher, 'x'));
    assert_ok(matcher_mask(p.matcher, before, NULL));
    for (int i = 0; i < MATCHER_ROLLBACK_MAX; i++)
        assert_true(matcher_accept(p.matcher, 'y'));
    matcher_rollback(p.matcher, MATCHER_ROLLBACK_MAX);
    assert_ok(matcher_mask(p.matcher, after, NULL));
    assert_memory_equal(before, after, sizeof before);
    /* A wrong token is an error until it is taken back; so is what follows an end. */
    struct err_note note = {""};
    assert_false(matcher_accept(p.matcher, '('));
    assert_int_equal(matcher_mask(p.matcher, after, &note), ERR_UNSUPPORTED);
    assert_false(matcher_accept(p.matcher, 'x'));
    matcher_rollback(p.matcher, 2);
    assert_ok(matcher_mask(p.matcher, after, NULL));
    assert_memory_equal(before, after, sizeof before);
    assert_false(matcher_accept(p.matcher, PROBE_END));
    probe_close(&p);
}

static void ends_are_forced(void **state)
{
    (void)state;
    struct grammar *g;
    uint32_t bits[(PROBE_TOKENS + 31) / 32];
    char bytes[20];
    assert_ok(grammar_from_gbnf(STR("root ::= [xy] \"--\\u00e9\" [ab]?"), NULL, &g, NULL));
    struct probe p = probe_open(g);
    assert_int_equal(matcher_forced(p.matcher, bytes, sizeof bytes), 0);
    assert_true(matcher_accept(p.matcher, 'x'));
    assert_int_equal(matcher_forced(p.matcher, bytes, sizeof bytes), 4);
    assert_memory_equal(bytes, "--\xc3\xa9", 4);
    for (const char *at = "--\xc3\xa9"
                          "b";
         *at; at++)
        assert_true(matcher_accept(p.matcher, (uint8_t)*at));
    for (int i = 0; i < 2; i++) { /* after the end too */
        assert_ok(matcher_mask(p.matcher, bits, NULL));
        for (uint32_t t = 0; t < PROBE_TOKENS; t++)
            assert_int_equal(bits[t / 32] >> t % 32 & 1, t == PROBE_END);
        assert_true(matcher_accept(p.matcher, PROBE_END));
    }
    assert_true(matcher_has_ended(p.matcher));
    probe_close(&p);
}

/* Deeper than a matcher goes. */
static void depth_is_limited(void **state)
{
    (void)state;
    struct grammar *g;
    uint32_t bits[(PROBE_TOKENS + 31) / 32];
    struct err_note note = {""};
    assert_ok(grammar_from_gbnf(STR("root ::= \"(\" root \")\" | \"x\""), NULL, &g, NULL));
    struct probe p = probe_open(g);
    enum err rc = ERR_OK;
    int n = 0;
    for (; n < 5000 && !rc; n++)
        if (!(rc = matcher_mask(p.matcher, bits, &note)))
            (void)matcher_accept(p.matcher, '(');
    assert_int_equal(rc, ERR_LIMIT);
    assert_true(n > 3900 && strstr(note.text, "4000 deep"));
    matcher_rollback(p.matcher, 200);
    assert_ok(matcher_mask(p.matcher, bits, &note));
    probe_close(&p);
}

/* A long walk over stacks that are ever different: the pool is collected on the way, and the
 * brackets that may close are always those that a plain stack says. */
static void pools_are_collected(void **state)
{
    (void)state;
    enum { STEPS = 150000, DEPTH = 1500 };
    struct grammar *g;
    uint32_t bits[(PROBE_TOKENS + 31) / 32];
    char stack[DEPTH];
    int depth = 0;
    bool rises = true;
    uint64_t seed = 5;
    assert_ok(grammar_from_gbnf(STR("root ::= ([a-z] | \"(\" root \")\" | \"[\" root \"]\")*"),
                                NULL, &g, NULL));
    struct probe p = probe_open(g);
    for (int i = 0; i < STEPS; i++) {
        assert_ok(matcher_mask(p.matcher, bits, NULL));
        for (const char *at = ")]"; *at; at++)
            assert_int_equal(bits[*at / 32] >> *at % 32 & 1, depth > 0 && stack[depth - 1] == *at);
        char next = "a(["[test_rand(&seed) % 3];
        rises = depth == 0 || (rises && depth < DEPTH);
        if (next != 'a' && rises)
            stack[depth++] = next == '(' ? ')' : ']';
        else if (next != 'a')
            next = stack[--depth];
        assert_true(matcher_accept(p.matcher, next));
    }
    probe_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_hold_what_can_be_accepted),
        cmocka_unit_test(masks_of_strings_are_exact),
        cmocka_unit_test(words_are_those_of_the_definition),
        cmocka_unit_test(tokens_are_taken_back),
        cmocka_unit_test(ends_are_forced),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(pools_are_collected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
