/* test_proof.c - walks of nonces, batches of claims, the test for fraud, statuses. */
#include "lib/test.h"

#include <math.h>

#include "poc/proof.h"

static void walks_never_meet_and_miss_nothing(void **state)
{
    (void)state;
    enum { NODES = 3, GROUPS = 4, STEPS = 50 };
    uint8_t seen[NODES * GROUPS * STEPS] = {0};
    for (int node = 0; node < NODES; node++)
        for (int group = 0; group < GROUPS; group++) {
            struct nonce_walk w;
            assert_ok(nonce_walk_init(&w, node, NODES, group, GROUPS, NULL));
            for (int i = 0; i < STEPS; i++) {
                uint64_t nonce = nonce_walk_next(&w);
                assert_int_equal(nonce, node + group * NODES + i * NODES * GROUPS);
                assert_int_equal(seen[nonce]++, 0);
            }
        }
    static const struct {
        int64_t node, n_nodes, group, n_groups;
        const char *name;
    } BAD[] = {{-1, -1, 0, 1, "node_id"}, {2, 2, 0, 1, "node_id"}, {0, 1, 1, 1, "group_id"},
               {0, 1, 0, 0, "group_id"},  {0, (int64_t)1 << 40, 0, 1, "node_id"}};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct nonce_walk w;
        struct err_note note;
        assert_int_equal(nonce_walk_init(&w, BAD[i].node, BAD[i].n_nodes, BAD[i].group,
                                         BAD[i].n_groups, &note),
                         ERR_LIMIT);
        assert_non_null(strstr(note.text, BAD[i].name));
    }
}

static void claims_weigh_once(void **state)
{
    (void)state;
    struct claim claims[] = {{9, 1.25}, {2, 1.5}, {9, 1.25}, {0, 0}, {2, 1.5}, {7, 2}};
    size_t n = COUNT_OF(claims);
    assert_ok(claims_merge(claims, &n, NULL));
    static const uint64_t NONCES[] = {0, 2, 7, 9};
    assert_int_equal(n, COUNT_OF(NONCES));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(claims[i].nonce, NONCES[i]);
    assert_int_equal(claims_under(claims, n, 1.5), 2); /* the border itself is no claim */
    assert_true(claims[0].nonce == 0 && claims[1].nonce == 9);

    struct err_note note;
    struct claim torn[] = {{4, 1.25}, {5, 1}, {4, 1.26}};
    n = COUNT_OF(torn);
    assert_int_equal(claims_merge(torn, &n, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "nonce 4 is claimed twice"));
    static const double BAD[] = {NAN, INFINITY, -1e-9, 2.1};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct claim one = {3, BAD[i]};
        n = 1;
        assert_int_equal(claims_merge(&one, &n, &note), ERR_FORMAT);
        assert_non_null(strstr(note.text, "nonce 3"));
    }
    n = 0;
    assert_ok(claims_merge(NULL, &n, NULL));
}

/* Against mpmath with 40 digits. */
static void binomial_tails(void **state)
{
    (void)state;
    static const struct {
        uint64_t n, k;
        double want, error;
    } CASES[] = {
        {100, 1, 0.048782469757671, 1e-11},
        {100, 5, 2.26145660853217e-9, 1e-11},
        {200, 2, 0.00465846780447474, 1e-11},
        {200, 5, 7.30611588242338e-8, 1e-11},
        {1000, 1, 0.393545177159938, 1e-11},
        {1000, 4, 0.00174373118010471, 1e-11},
        {1000, 8, 6.06835103207807e-8, 1e-11},
        {2000, 1, 0.63221254785403, 1e-11},
        {2000, 5, 0.00364835650710527, 1e-11},
        {2000, 11, 9.82177372051649e-9, 1e-11},
        {10000000, 5000, 0.501882044895789, 1e-7},
        {10000000, 5300, 1.34814825681208e-5, 1e-7},
        {2000, 0, 1, 0},
        {3, 4, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        double got = binomial_at_least(CASES[i].n, CASES[i].k, POC_MISMATCH);
        if (!(fabs(got - CASES[i].want) <= CASES[i].error * CASES[i].want))
            fail_msg("case %zu: %.15g, not %.15g", i, got, CASES[i].want);
    }
    assert_true(fabs(binomial_at_least(2, 2, 0.5) - 0.25) < 1e-15);
    assert_true(fabs(binomial_at_least(2, 1, 0.9) - 0.99) < 1e-14);
}

/* The least number of refuted nonces that flags a batch, as the contract lists it. */
static void fraud_begins_where_the_contract_says(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double threshold;
        size_t least;
    } CASES[] = {{100, 1e-7, 5}, {200, 1e-7, 5}, {1000, 1e-7, 8}, {2000, 1e-7, 11},
                 {100, 0.01, 2}, {200, 0.01, 2}, {1000, 0.01, 4}, {2000, 0.01, 5}};
    const double r = 1.4013564660458173;
    static double claimed[2000], found[2000];
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        size_t n = CASES[i].n;
        for (size_t k = 0; k < n; k++) {
            claimed[k] = 1.39;
            found[k] = r; /* refutes nothing: only what is over it does */
        }
        struct verdict v;
        for (size_t bad = 0; bad <= CASES[i].least; bad++) {
            if (bad > 0)
                found[7 * bad] = bad % 2 ? 1.41 : NAN;
            assert_ok(verdict_of(&v, claimed, found, n, r, CASES[i].threshold, NULL));
            assert_int_equal(v.n_invalid, bad);
            assert_int_equal(v.fraud, bad >= CASES[i].least);
        }
    }
    struct verdict v;
    struct err_note note;
    assert_ok(verdict_of(&v, NULL, NULL, 0, r, 0.01, NULL));
    assert_true(v.honest == 1 && !v.fraud);
    static const double BAD[] = {1.5, NAN, 1.4013564660458173};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        claimed[3] = BAD[i];
        assert_int_equal(verdict_of(&v, claimed, found, 5, r, 0.01, &note), ERR_FORMAT);
        assert_non_null(strstr(note.text, "claim 3"));
    }
}

static void statuses(void **state)
{
    (void)state;
    static const struct {
        struct poc_worker_state workers[2];
        const char *want;
    } CASES[] = {
        {{{PHASE_IDLE, false}, {PHASE_IDLE, true}}, "LOADING"},
        {{{PHASE_IDLE, true}, {PHASE_IDLE, true}}, "IDLE"},
        {{{PHASE_GENERATE, true}, {PHASE_GENERATE, false}}, "GENERATING"},
        {{{PHASE_VALIDATE, true}, {PHASE_VALIDATE, true}}, "VALIDATING"},
        {{{PHASE_STOP, true}, {PHASE_STOP, true}}, "STOPPED"},
        {{{PHASE_STOP, true}, {PHASE_VALIDATE, true}}, "MIXED"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_string_equal(poc_status(CASES[i].workers, 2), CASES[i].want);
    assert_string_equal(poc_status(NULL, 0), "NOT_LOADED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_never_meet_and_miss_nothing),
        cmocka_unit_test(claims_weigh_once),
        cmocka_unit_test(binomial_tails),
        cmocka_unit_test(fraud_begins_where_the_contract_says),
        cmocka_unit_test(statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
