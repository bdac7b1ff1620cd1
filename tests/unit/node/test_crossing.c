/* test_crossing.c - proofs of one configuration, through JSON, validated by another: instruction
 * sets, groups and batches differ, and no honest claim is refuted. */
#include "lib/test.h"

#include "base/mem.h"
#include "device/device.h"
#include "node/proof_batch.h"
#include "poc/compute.h"
#include "poc/weights.h"
#include "poc/wide.h"

static const double R_TARGET = 1.3971164020989417;
enum { N_NONCES = 16, N_GROUPS = 2 };

/* Groups are workers of their own, each with its walk of nonces. */
struct config {
    const char *isa;
    uint32_t n_groups, n_batch;
    enum poc_profile profile;
};

static struct poc_compute *compute_of(const struct config *c)
{
    struct poc_compute *compute;
    struct poc_settings s = {.params = *poc_params_named("test"),
                             .profile = c->profile,
                             .block_hash = "block",
                             .pool_fraction = POC_POOL_FRACTION,
                             .n_threads = 1,
                             .isa = c->isa,
                             .n_batch = c->n_batch};
    assert_ok(poc_compute_open(&compute, &s, NULL));
    return compute;
}

/* What all groups together send: a ProofBatch. */
static void generate(const struct config *c, struct buf *out)
{
    struct claim claims[N_NONCES];
    struct proof_batch all = {"key", "block", 7, 0, claims, 0};
    for (uint32_t g = 0; g < c->n_groups; g++) {
        struct poc_compute *compute = compute_of(c);
        struct nonce_walk walk;
        uint64_t nonces[N_NONCES];
        double dist[N_NONCES];
        size_t n = N_NONCES / test_every(2) / c->n_groups;
        assert_ok(nonce_walk_init(&walk, 0, 1, g, c->n_groups, NULL));
        for (size_t i = 0; i < n; i++)
            nonces[i] = nonce_walk_next(&walk);
        assert_ok(poc_compute_run(compute, "key", nonces, n, dist, NULL, NULL, NULL));
        for (size_t i = 0; i < n; i++)
            claims[all.n++] = (struct claim){nonces[i], dist[i]};
        poc_compute_close(compute);
    }
    proof_batch_keep_under(&all, R_TARGET);
    assert_true(all.n > 2);
    proof_batch_write(&all, out);
}

/* The text of a ProofBatch to that of a ValidatedBatch, its claims spread over the groups. */
static void validate(const struct config *c, struct str text, struct buf *out)
{
    struct validated_batch v = {.r_target = R_TARGET, .fraud_threshold = 0.01};
    struct err_note note;
    assert_ok(proof_batch_read(&v.claimed, text, &note));
    v.found = mem_array(v.claimed.n, sizeof *v.found);
    for (uint32_t g = 0; g < c->n_groups; g++) {
        struct poc_compute *compute = compute_of(c);
        size_t from = v.claimed.n * g / c->n_groups, to = v.claimed.n * (g + 1) / c->n_groups;
        uint64_t nonces[N_NONCES];
        for (size_t i = from; i < to; i++)
            nonces[i] = v.claimed.claims[i].nonce;
        assert_ok(poc_compute_run(compute, v.claimed.public_key, nonces + from, to - from,
                                  v.found + from, NULL, NULL, NULL));
        poc_compute_close(compute);
    }
    assert_ok(validated_batch_judge(&v, &note));
    validated_batch_write(&v, out);
    validated_batch_release(&v);
}

static void check_crossing(const struct config *from, const struct config *to)
{
    struct buf batch, validated;
    struct validated_batch v;
    buf_init(&batch, PROOF_TEXT_BYTES_MAX);
    buf_init(&validated, PROOF_TEXT_BYTES_MAX);
    generate(from, &batch);
    validate(to, (struct str){batch.bytes, batch.n_bytes}, &validated);
    assert_ok(validated_batch_read(&v, (struct str){validated.bytes, validated.n_bytes}, NULL));
    if (v.verdict.n_invalid != 0 || v.verdict.fraud)
        fail_msg("%s to %s: %d refuted", from->isa, to->isa, (int)v.verdict.n_invalid);
    for (size_t i = 0; i < v.claimed.n; i++) {
        double gap = v.found[i] - v.claimed.claims[i].dist;
        if (from->profile == POC_EXACT ? gap != 0 : !(gap < 5e-5 && gap > -5e-5))
            fail_msg("%s to %s, nonce %d: off by %g", from->isa, to->isa,
                     (int)v.claimed.claims[i].nonce, gap);
    }
    validated_batch_release(&v);
    buf_release(&batch);
    buf_release(&validated);
}

/* Two groups in batches of 8 against one group, nonce by nonce, and back. */
static void check_both_ways(const char *a, const char *b, enum poc_profile profile)
{
    struct config wide = {a, N_GROUPS, 8, profile}, narrow = {b, 1, 1, profile};
    check_crossing(&wide, &narrow);
    check_crossing(&narrow, &wide);
}

static void honest_proofs_cross_configurations(void **state)
{
    (void)state;
    const char *best = NULL;
    for (const char *const *a = cpu_isa_names(); *a; a++)
        best = *a;
    for (const char *const *a = cpu_isa_names(); *a; a++)
        for (const char *const *b = cpu_isa_names(); *b; b++) {
            bool plain_a = strcmp(*a, "scalar") == 0, plain_b = strcmp(*b, "scalar") == 0;
            bool is_slow = test_every(2) > 1;
            if (plain_a || ((plain_b || is_slow) && *a != best) || (plain_b && is_slow))
                continue; /* plain C is slow: it meets the best alone, and nobody where all is */
            if ((plain_b || wide_ops_find(*b)) && wide_ops_find(*a))
                check_both_ways(*a, *b, POC_COMPATIBLE);
            if (!plain_b)
                check_both_ways(*a, *b, POC_EXACT);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_proofs_cross_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
