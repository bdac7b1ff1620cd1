/* test_statistics.c - measures of likeness: by hand, and against Python's vectors. */
#include <math.h>

#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "proof/statistics.h"

enum { POSITIONS_MAX = 200, TOP_MAX = 24 };

static void assert_close(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * (1 + fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

/* ---- by hand ------------------------------------------------------------------------------ */

#define TOP(...) (const struct stat_choice[]){__VA_ARGS__}
#define AT(token, logprob, n_top, top)                                                             \
    (const struct stat_position[]){{token, logprob, top, n_top}}
#define ANSWER(at) (&(const struct stat_answer){at, 1})

static void similarity_by_hand(void **state)
{
    (void)state;
    const struct stat_answer *two = ANSWER(AT(1, -0.5, 2, TOP({1, -0.5}, {2, -1.5})));
    /* |1.0 - 1.5| / (1e-6 + 2.5) / 2, over 100 times 2 */
    assert_close(stat_similarity(two, ANSWER(AT(1, -0.5, 2, TOP({1, -0.5}, {2, -1.0})))),
                 1 - 0.5 / 2.500001 / 2 / 200);
    /* Token 3 was not claimed: -1.5 - (-0.5 - -1.5) = -2.5, as it is recomputed. */
    assert_close(stat_similarity(two, ANSWER(AT(1, -0.5, 1, TOP({3, -2.5})))), 1);
    /* One alone, -1: the next is taken to be -1 - (-101 - -1) = 99. */
    const struct stat_answer *one = ANSWER(AT(1, -1, 1, TOP({1, -1})));
    assert_close(stat_similarity(one, ANSWER(AT(1, -1, 1, TOP({2, -1})))),
                 1 - 100 / 100.000001 / 2 / 100);
    /* Told twice: the later counts. */
    assert_close(stat_similarity(ANSWER(AT(1, -1, 2, TOP({1, -7}, {1, -1}))),
                                 ANSWER(AT(1, -1, 1, TOP({1, -1})))),
                 1);
    assert_true(stat_similarity(ANSWER(AT(1, -1, 0, NULL)), one) == 0);
    assert_true(stat_similarity(one, ANSWER(AT(1, -1, 0, NULL))) == 0);
    const struct stat_answer nothing = {0};
    assert_true(stat_similarity(&nothing, &nothing) == 1);
    /* No answer falls below 0: 250 recomputed tokens where 1 was claimed. */
    struct stat_choice many[250];
    for (int i = 0; i < 250; i++)
        many[i] = (struct stat_choice){i + 2, -1};
    assert_true(stat_similarity(one, ANSWER(AT(1, -1, 250, many))) == 0);
}

static void other_measures_by_hand(void **state)
{
    (void)state;
    const struct stat_answer *o = ANSWER(AT(1, -0.5, 2, TOP({1, -0.5}, {2, -1.5})));
    const struct stat_answer *v = ANSWER(AT(1, -0.5, 1, TOP({1, -0.5})));
    /* Token 2 was not recomputed: -0.5 - (-1.5 - -0.5) = 0.5. */
    struct stat_distance2 d = stat_distance2(o, v);
    assert_close(d.distance, (2.0 / (2 + 1e-10) / 2 + 1) / 201);
    assert_close(d.matches, 0.5);
    assert_true(stat_distance2(o, ANSWER(AT(2, -0.5, 1, TOP({1, -0.5})))).distance == -1);
    assert_int_equal(stat_agreement(o, v), STAT_SAME_TOKENS);
    assert_int_equal(stat_agreement(o, ANSWER(AT(2, -0.5, 1, TOP({1, -0.5})))),
                     STAT_DIFFERENT_TOKENS);
    const struct stat_answer longer = {
        (const struct stat_position[]){{.token = 1, .logprob = -1}, {.token = 9, .logprob = -50}},
        2};
    assert_int_equal(stat_agreement(o, &longer), STAT_DIFFERENT_LENGTH);
    assert_close(stat_fill(&longer), exp((-1 - 10) / 2.0));

    /* -1.0 and -1.0078125 differ by the mantissa's last bit, -0.5 and -1.0 by their exponents. */
    struct stat_block b = stat_block(ANSWER(AT(1, 0, 2, TOP({1, -1.0}, {2, -0.5}))),
                                     ANSWER(AT(1, 0, 2, TOP({1, -1.0078125}, {2, -1.0}))), 0);
    assert_int_equal(b.n, 2);
    assert_int_equal(b.n_exponents_off, 1);
    assert_true(b.mantissa_mean == 1 && b.mantissa_median == 1);
    b = stat_block(ANSWER(AT(1, 0, 0, NULL)), ANSWER(AT(1, 0, 1, TOP({1, -1}))), 0);
    assert_true(b.n_exponents_off == 1 && b.mantissa_median == STAT_MANTISSA);
}

/* ---- a seed ------------------------------------------------------------------------------- */

/* Two tokens, the first of probability 0.5 as the verifier has it. */
static void seed_by_hand(void **state)
{
    (void)state;
    const struct stat_draw hit = {.random = 0.25, .below = 0, .upto = 0.5};
    const struct stat_draw miss = {.random = 0.75, .below = 0, .upto = 0.5};
    const struct stat_draw none = {.random = 0.75, .below = 0.5, .upto = 0.5};
    const struct stat_draw mark = {.random = 0.5, .below = 0, .upto = 0.5};
    assert_true(stat_draw_matches(&hit));
    assert_false(stat_draw_matches(&miss));
    assert_false(stat_draw_matches(&none));
    assert_false(stat_draw_matches(&mark));
    assert_close(stat_draw_evidence(&hit), log(0.999 / 0.5 + 0.001));
    assert_close(stat_draw_evidence(&miss), log(0.001));
    assert_close(stat_draw_evidence(&none), log(0.001));
    assert_close(stat_draw_evidence(&mark), 0); /* half of the noise is on its side */
    const struct stat_draw sure = {.random = 0.7, .below = 0, .upto = 1};
    assert_close(stat_draw_evidence(&sure), 0);
    assert_int_equal(stat_seed_of(6.9), STAT_SEED_OPEN);
    assert_int_equal(stat_seed_of(6.91), STAT_SEED_SHOWN);
    assert_int_equal(stat_seed_of(-6.91), STAT_SEED_REFUTED);
}

/* Who draws with another seed is taken for honest once in 1,000 times at most; who has the seed and
 * noise of the size that is allowed for is refuted as seldom. 50 positions of four tokens. */
static void seeds_are_told_apart(void **state)
{
    (void)state;
    enum { RUNS = 4000, POSITIONS = 50 };
    uint64_t random = 7;
    uint32_t wrong_shown = 0, right_shown = 0, right_refuted = 0;
    for (int run = 0; run < 2 * RUNS; run++) {
        double sum = 0;
        for (int i = 0; i < POSITIONS; i++) {
            static const double marks[5] = {0, 0.1, 0.35, 0.4, 1};
            double told = (test_rand(&random) >> 11) * 0x1p-53;
            double drawn = run % 2 ? told : (test_rand(&random) >> 11) * 0x1p-53;
            double noise = run % 2 ? 0.005 * (double)test_randn(&random) : 0;
            int k = 0;
            while (k < 3 && drawn >= marks[k + 1] + noise)
                k++;
            const struct stat_draw d = {told, marks[k], marks[k + 1]};
            sum += stat_draw_evidence(&d);
        }
        enum stat_seed said = stat_seed_of(sum);
        wrong_shown += run % 2 == 0 && said == STAT_SEED_SHOWN;
        right_shown += run % 2 == 1 && said == STAT_SEED_SHOWN;
        right_refuted += run % 2 == 1 && said == STAT_SEED_REFUTED;
    }
    assert_int_equal(wrong_shown, 0);
    assert_int_equal(right_refuted, 0);
    assert_int_equal(right_shown, RUNS);
}

/* ---- vectors ------------------------------------------------------------------------------ */

static char *vectors;

static int read_vectors(void **state)
{
    (void)state;
    return file_read(TEST_DIR "/golden/proof/statistics.txt", 1 << 20, &vectors, NULL, NULL);
}

static int free_vectors(void **state)
{
    (void)state;
    mem_free(vectors);
    return 0;
}

struct side {
    struct stat_position at[POSITIONS_MAX];
    struct stat_choice top[POSITIONS_MAX][TOP_MAX];
};

static bool word_is(const char **at, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

static double number(const char **at)
{
    char *end;
    double x = strtod(*at, &end);
    if (end == *at)
        fail_msg("no number at \"%.20s\"", *at);
    *at = end;
    return x;
}

static struct stat_answer read_side(const char **at, struct side *s)
{
    size_t n = (size_t)number(at);
    assert_true(n <= POSITIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        s->at[i] = (struct stat_position){.token = (int32_t)number(at), .top = s->top[i]};
        s->at[i].logprob = number(at);
        s->at[i].n_top = (size_t)number(at);
        assert_true(s->at[i].n_top <= TOP_MAX);
        for (size_t k = 0; k < s->at[i].n_top; k++) {
            s->top[i][k].token = (int32_t)number(at);
            s->top[i][k].logprob = number(at);
        }
    }
    return (struct stat_answer){s->at, n};
}

static void vectors_agree(void **state)
{
    (void)state;
    static struct side sides[2];
    struct stat_answer claimed = {0}, recomputed = {0};
    int n_pairs = 0, n_draws = 0;
    for (const char *at = vectors; *at; at += strspn(at, "\n")) {
        if (word_is(&at, "claimed")) {
            claimed = read_side(&at, &sides[0]);
        } else if (word_is(&at, "recomputed")) {
            recomputed = read_side(&at, &sides[1]);
        } else if (word_is(&at, "similarity")) {
            assert_close(stat_similarity(&claimed, &recomputed), number(&at));
            n_pairs++;
        } else if (word_is(&at, "distance2")) {
            struct stat_distance2 d = stat_distance2(&claimed, &recomputed);
            assert_close(d.distance, number(&at));
            assert_close(d.matches, number(&at));
        } else if (word_is(&at, "fill")) {
            assert_close(stat_fill(&recomputed), number(&at));
        } else if (word_is(&at, "blocks")) {
            struct stat_blocks b = stat_blocks(&claimed, &recomputed);
            assert_close((double)b.n_blocks, number(&at));
            assert_close(b.exponents_off, number(&at));
            assert_close(b.mantissa_mean, number(&at));
            assert_close(b.mantissa_median, number(&at));
        } else if (word_is(&at, "draw")) {
            struct stat_draw d = {.random = number(&at)};
            d.below = number(&at);
            d.upto = number(&at);
            assert_int_equal(stat_draw_matches(&d), (int)number(&at));
            double e = number(&at);
            if (fabs(stat_draw_evidence(&d) - e) > 1e-9)
                fail_msg("evidence %.17g is not %.17g", stat_draw_evidence(&d), e);
            n_draws++;
        } else {
            fail_msg("a line that is not known: \"%.20s\"", at);
        }
    }
    assert_int_equal(n_pairs, 12);
    assert_int_equal(n_draws, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarity_by_hand),
        cmocka_unit_test(other_measures_by_hand),
        cmocka_unit_test(seed_by_hand),
        cmocka_unit_test(seeds_are_told_apart),
        cmocka_unit_test_setup_teardown(vectors_agree, read_vectors, free_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
