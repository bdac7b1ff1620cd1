/* test_desk.c - worlds from seeds: a chain that asks for anything in any order, groups that work
 * and fail, receivers that take and refuse, and a node that is killed at any moment. */
#include "lib/test.h"

#include <math.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/desk.h"

enum { SEEDS = 40, STEPS = 400, GROUPS = 3, JOBS_MAX = 500, NONCES = 8192, CHECKS_MAX = 400 };

/* Of the two participants. */
static double target_of(const char *key)
{
    return key[1] == '0' ? 1.0 : 0.8;
}

static double dist_of(uint64_t nonce, const char *key)
{
    uint64_t seed = nonce * 1000003 + (unsigned char)key[1];
    return (double)(test_rand(&seed) >> 11) * 0x1p-52; /* 0 to 2 */
}

struct check_model {
    size_t n;
    bool arrived;
};

struct world {
    uint64_t seed;
    struct desk_options options;
    char path[64];
    struct desk *desk;
    uint64_t now_ms;
    struct desk_work out[GROUPS]; /* kind WORK_NONE: nothing is out */
    uint64_t nonces[GROUPS][16];
    /* What must hold: of each job of the store, by its number. */
    uint8_t *claimed, *arrived; /* [JOBS_MAX][NONCES] */
    uint8_t *done;              /* computed, and that is stored */
    uint64_t due_ms[JOBS_MAX];
    struct check_model checks[CHECKS_MAX]; /* by node_id */
    size_t n_checks;
    uint64_t n_lost_claims, n_lost_checks, n_lost_results; /* of desks that were killed */
};

static size_t at(int64_t job, uint64_t nonce)
{
    assert_true(job < JOBS_MAX && nonce < NONCES);
    return (size_t)job * NONCES + nonce;
}

static uint64_t below(struct world *w, uint64_t n)
{
    return test_rand(&w->seed) % n;
}

static void note_losses(struct world *w)
{
    struct desk_stats s;
    assert_ok(desk_stats(w->desk, &s, NULL));
    w->n_lost_claims += s.lost.n_claims;
    w->n_lost_checks += s.lost.n_checks;
    w->n_lost_results += s.lost.n_results;
}

static void kill_node(struct world *w)
{
    note_losses(w);
    desk_close(w->desk);
    for (size_t i = 0; i < GROUPS; i++)
        w->out[i].kind = WORK_NONE;
    memset(w->due_ms, 0, sizeof w->due_ms);
    assert_ok(desk_open(&w->options, &w->desk, NULL));
}

static struct init_request request_of(struct world *w)
{
    struct init_request r = {.node_count = 1,
                             .fraud_threshold = 0.01,
                             .url = "http://127.0.0.1",
                             .params = *poc_params_named("test")};
    snprintf(r.block_hash, sizeof r.block_hash, "b%d", (int)below(w, 3));
    snprintf(r.public_key, sizeof r.public_key, "k%d", (int)below(w, 2));
    r.r_target = target_of(r.public_key);
    return r;
}

static void ask(struct world *w)
{
    struct init_request r = request_of(w);
    static const enum poc_phase PHASES[] = {PHASE_IDLE, PHASE_GENERATE, PHASE_VALIDATE,
                                            PHASE_GENERATE, PHASE_VALIDATE};
    enum poc_phase phase = PHASES[below(w, COUNT_OF(PHASES))];
    uint64_t what = below(w, 12);
    if (what == 0)
        assert_ok(desk_stop(w->desk, 0, NULL));
    else if (what < 4 || !desk_job(w->desk))
        assert_ok(desk_init(w->desk, &r, phase, 0, NULL));
    else
        assert_ok(desk_set_phase(w->desk, phase, NULL));
}

static void send_check(struct world *w)
{
    struct claim claims[40];
    struct proof_batch b = {.claims = claims, .n = below(w, 40), .node_id = (int64_t)w->n_checks};
    if (!desk_job(w->desk) || w->n_checks == CHECKS_MAX)
        return;
    snprintf(b.block_hash, sizeof b.block_hash, "%s", desk_request(w->desk)->block_hash);
    snprintf(b.public_key, sizeof b.public_key, "k%d", (int)below(w, 5));
    for (size_t i = 0; i < b.n; i++)
        claims[i] = (struct claim){i * 7 + below(w, 7), 0.5};
    enum err rc = desk_check(w->desk, &b, NULL);
    if (rc == ERR_OK)
        w->checks[w->n_checks++] = (struct check_model){.n = b.n};
    else
        assert_int_equal(rc, ERR_BUSY);
}

static void take(struct world *w, size_t group)
{
    struct desk_work *out = &w->out[group];
    out->nonces = w->nonces[group];
    assert_ok(desk_take(w->desk, group, 1 + below(w, 16), out, NULL));
    if (out->kind != WORK_GENERATE)
        return;
    for (size_t i = 0; i < out->n; i++) {
        assert_int_equal(out->nonces[i] % GROUPS, group);
        assert_false(w->done[at(out->job, out->nonces[i])]); /* nothing twice */
    }
    if (out->nonces[0] >= GROUPS) /* nor left out */
        assert_true(w->done[at(out->job, out->nonces[0] - GROUPS)]);
}

static void finish(struct world *w, size_t group)
{
    struct desk_work *out = &w->out[group];
    double dist[16];
    size_t n_valid, n_wanted = 0;
    for (size_t i = 0; i < out->n; i++)
        dist[i] = dist_of(out->nonces[i], out->public_key);
    if (below(w, 10) == 0) {
        desk_give_back(w->desk, out);
    } else {
        assert_ok(desk_done(w->desk, out, dist, &n_valid, NULL));
        for (size_t i = 0; i < out->n && out->kind == WORK_GENERATE; i++) {
            w->done[at(out->job, out->nonces[i])] = 1;
            bool is_claim = dist[i] < target_of(out->public_key);
            w->claimed[at(out->job, out->nonces[i])] = is_claim;
            n_wanted += is_claim;
        }
        assert_int_equal(n_valid, n_wanted);
    }
    out->kind = WORK_NONE;
}

static void arrive(struct world *w, const struct desk_delivery *x)
{
    struct str text = {x->body.bytes, x->body.n_bytes};
    if (!x->is_result) {
        struct proof_batch b;
        assert_ok(proof_batch_read(&b, text, NULL));
        for (size_t i = 0; i < b.n; i++) {
            assert_true(w->claimed[at(x->job, b.claims[i].nonce)]);
            assert_true(b.claims[i].dist == dist_of(b.claims[i].nonce, b.public_key));
            w->arrived[at(x->job, b.claims[i].nonce)] = 1;
        }
        assert_string_equal(x->url, "http://127.0.0.1/generated");
        proof_batch_release(&b);
        return;
    }
    struct validated_batch v;
    size_t n_invalid = 0;
    assert_ok(validated_batch_read(&v, text, NULL));
    assert_true(v.claimed.node_id >= 0 && (size_t)v.claimed.node_id < w->n_checks);
    struct check_model *c = &w->checks[v.claimed.node_id];
    assert_int_equal(c->n, v.claimed.n);
    for (size_t i = 0; i < v.claimed.n; i++) {
        assert_true(v.found[i] == dist_of(v.claimed.claims[i].nonce, v.claimed.public_key));
        n_invalid += v.found[i] > v.r_target;
    }
    assert_int_equal(v.verdict.n_invalid, n_invalid);
    c->arrived = true;
    assert_string_equal(x->url, "http://127.0.0.1/validated");
    validated_batch_release(&v);
}

/* Somebody takes it, nobody does, or it is taken and the node does not live to know. */
static bool deliver(struct world *w, uint64_t n_moods)
{
    struct desk_delivery x;
    struct err_note note = {""};
    if (!desk_deliver(w->desk, w->now_ms, &x, &note)) {
        assert_string_equal(note.text, "");
        return false;
    }
    assert_true(w->now_ms >= w->due_ms[x.job]);
    uint64_t mood = below(w, n_moods);
    if (mood != 1)
        arrive(w, &x);
    if (mood == 2)
        kill_node(w);
    else
        assert_ok(desk_delivered(w->desk, &x, mood != 1, w->now_ms, NULL));
    if (mood == 1)
        w->due_ms[x.job] = w->now_ms + 1000;
    buf_release(&x.body);
    return true;
}

static void step(struct world *w)
{
    size_t group = below(w, GROUPS);
    switch (below(w, 16)) {
    case 0:
        ask(w);
        break;
    case 1:
    case 2:
        send_check(w);
        break;
    case 3:
    case 4:
        deliver(w, 3);
        break;
    case 5:
        w->now_ms += below(w, 5000);
        break;
    case 6:
        if (below(w, 8) == 0)
            kill_node(w);
        break;
    default:
        if (w->out[group].kind == WORK_NONE)
            take(w, group);
        else
            finish(w, group);
    }
}

/* Everybody does their part until nothing is owed. */
static void settle(struct world *w)
{
    struct desk_stats s;
    for (size_t group = 0; group < GROUPS; group++)
        if (w->out[group].kind != WORK_NONE)
            desk_give_back(w->desk, &w->out[group]);
    if (desk_job(w->desk))
        assert_ok(desk_set_phase(w->desk, PHASE_VALIDATE, NULL));
    for (int i = 0; i < 10000; i++) {
        take(w, 0);
        if (w->out[0].kind != WORK_NONE)
            finish(w, 0);
        w->now_ms += 70000;
        deliver(w, 1);
        assert_ok(desk_stats(w->desk, &s, NULL));
        bool owes = s.waiting.n_claims + s.waiting.n_checks + s.waiting.n_results > 0;
        if (!owes && i > 60) /* an empty batch weighs nothing */
            return;
    }
    fail_msg("what is owed never ends");
}

static void open_world(struct world *w, uint64_t seed, bool is_tight)
{
    *w = (struct world){.seed = seed,
                        .options = {.n_groups = GROUPS,
                                    .limits = {1000000, 1000000, 1000000},
                                    .n_send_max = 50,
                                    .interval_ms = 500,
                                    .keep_s = 1000}};
    if (is_tight)
        w->options.limits = (struct claims_limits){60, 60, 60};
    snprintf(w->path, sizeof w->path, "/tmp/test_desk-%ld.db", (long)getpid());
    unlink(w->path);
    w->options.path = w->path;
    w->claimed = mem_array(JOBS_MAX * NONCES, 1);
    w->arrived = mem_array(JOBS_MAX * NONCES, 1);
    w->done = mem_array(JOBS_MAX * NONCES, 1);
    assert_true(w->claimed && w->arrived && w->done);
    assert_ok(desk_open(&w->options, &w->desk, NULL));
}

static void close_world(struct world *w)
{
    char path[80];
    desk_close(w->desk);
    unlink(w->path);
    snprintf(path, sizeof path, "%s-wal", w->path);
    unlink(path);
    mem_free(w->claimed);
    mem_free(w->arrived);
    mem_free(w->done);
}

static void run_world(uint64_t seed, bool is_tight)
{
    struct world w;
    uint64_t n_missing = 0, n_unchecked = 0;
    open_world(&w, seed, is_tight);
    for (int i = 0; i < STEPS; i++)
        step(&w);
    settle(&w);
    note_losses(&w);
    for (size_t i = 0; i < (size_t)JOBS_MAX * NONCES; i++)
        n_missing += w.claimed[i] && !w.arrived[i];
    for (size_t i = 0; i < w.n_checks; i++)
        n_unchecked += w.checks[i].arrived ? 0 : w.checks[i].n;
    /* What was taken by somebody whose node died before it knew may be dropped later as well. */
    if (n_missing > w.n_lost_claims || n_unchecked > w.n_lost_checks + w.n_lost_results)
        fail_msg("seed %llu: %llu claims are missing, %llu said so; %llu checks, %llu + %llu",
                 (unsigned long long)seed, (unsigned long long)n_missing,
                 (unsigned long long)w.n_lost_claims, (unsigned long long)n_unchecked,
                 (unsigned long long)w.n_lost_checks, (unsigned long long)w.n_lost_results);
    if (!is_tight)
        assert_true(w.n_lost_claims == 0 && n_missing == 0 && w.n_lost_results == 0);
    close_world(&w);
}

static void nothing_is_lost_in_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed += test_every(5))
        run_world(seed, false);
}

static void what_is_dropped_beyond_the_bound_is_counted(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed += test_every(5))
        run_world(seed, true);
}

static void waits_double_up_to_a_minute(void **state)
{
    (void)state;
    static const uint64_t WAITS[] = {1000, 2000, 4000, 8000, 16000, 32000, 64000, 64000, 64000};
    for (unsigned i = 0; i < COUNT_OF(WAITS); i++)
        assert_int_equal(desk_retry_ms(i + 1), WAITS[i]);
    assert_int_equal(desk_retry_ms(1000000), 64000);
}

/* A claim of a job of its own, for that receiver. */
static int64_t owe_a_claim(struct world *w, int i)
{
    struct init_request r = request_of(w);
    struct desk_work work = {.nonces = w->nonces[0]};
    double dist[16] = {0};
    size_t n_valid;
    snprintf(r.block_hash, sizeof r.block_hash, "block %d", i);
    snprintf(r.url, sizeof r.url, "http://127.0.0.%d", i + 1);
    assert_ok(desk_init(w->desk, &r, PHASE_GENERATE, 0, NULL));
    assert_ok(desk_take(w->desk, 0, 1, &work, NULL));
    assert_ok(desk_done(w->desk, &work, dist, &n_valid, NULL));
    assert_int_equal(n_valid, 1);
    return work.job;
}

/* Deliveries that nobody answers are out; each later job's is given out beside them. */
static void who_is_deaf_holds_up_nobody(void **state)
{
    (void)state;
    struct world w;
    struct desk_delivery x[DESK_COURIERS], other;
    open_world(&w, 9, false);
    for (int i = 0; i < DESK_COURIERS; i++) {
        int64_t job = owe_a_claim(&w, i);
        assert_true(desk_deliver(w.desk, w.now_ms, &x[i], NULL));
        assert_true(x[i].job == job);
        assert_false(desk_deliver(w.desk, w.now_ms, &other, NULL)); /* nothing goes out twice */
    }
    int64_t job = owe_a_claim(&w, DESK_COURIERS);
    assert_false(desk_deliver(w.desk, w.now_ms, &other, NULL)); /* all are out */
    assert_ok(desk_delivered(w.desk, &x[3], false, w.now_ms, NULL));
    assert_true(desk_deliver(w.desk, w.now_ms, &other, NULL)); /* before those that wait */
    assert_true(other.job == job);
    assert_ok(desk_delivered(w.desk, &other, true, w.now_ms, NULL));
    buf_release(&other.body);
    for (int i = 0; i < DESK_COURIERS; i++) {
        if (i != 3)
            assert_ok(desk_delivered(w.desk, &x[i], true, w.now_ms, NULL));
        buf_release(&x[i].body);
    }
    close_world(&w);
}

static void a_batch_that_cannot_be_checked_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct err_note note;
    struct claim claim = {7, 0.5};
    struct proof_batch b = {"k0", "b0", 0, 1, &claim, 1};
    open_world(&w, 5, false);
    assert_int_equal(desk_check(w.desk, &b, &note), ERR_NOT_FOUND);
    assert_string_equal(note.text, "PoW is not running");
    struct init_request r = request_of(&w);
    assert_ok(desk_init(w.desk, &r, PHASE_VALIDATE, 0, NULL));
    snprintf(b.block_hash, sizeof b.block_hash, "another");
    assert_int_equal(desk_check(w.desk, &b, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "block another"));
    snprintf(b.block_hash, sizeof b.block_hash, "%s", r.block_hash);
    b.block_height = 3;
    assert_int_equal(desk_check(w.desk, &b, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "height 3"));
    b.block_height = 0;
    claim.dist = r.r_target;
    assert_int_equal(desk_check(w.desk, &b, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "nonce 7"));
    claim.dist = nextafter(r.r_target, 0);
    assert_ok(desk_check(w.desk, &b, NULL));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_in_any_order),
        cmocka_unit_test(what_is_dropped_beyond_the_bound_is_counted),
        cmocka_unit_test(who_is_deaf_holds_up_nobody),
        cmocka_unit_test(waits_double_up_to_a_minute),
        cmocka_unit_test(a_batch_that_cannot_be_checked_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
