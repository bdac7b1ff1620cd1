/* test_merkle.c - trees of hashes: the vectors of Certificate Transparency, every proof of every
 * size up to 64, every change to a proof. */
#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "proof/merkle.h"

enum { N_MAX = 64 };

static struct merkle_hash leaves[N_MAX], roots[N_MAX + 1];

static int make_leaves(void **state)
{
    (void)state;
    struct merkle m = {0};
    roots[0] = merkle_root(&m);
    for (int i = 0; i < N_MAX; i++) {
        leaves[i] = merkle_leaf(&i, sizeof i);
        merkle_add(&m, &leaves[i]);
        roots[i + 1] = merkle_root(&m);
    }
    return 0;
}

/* ---- vectors ------------------------------------------------------------------------------ */

static const struct {
    const char *bytes;
    size_t n_bytes;
} ct_leaves[8] = {{"", 0}, {"\0", 1}, {"\x10", 1}, {"\x20\x21", 2}, {"\x30\x31", 2},
                  {"\x40\x41\x42\x43", 4}, {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
                  {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16}};

static void assert_hash(const struct merkle_hash *h, const char *hex)
{
    char text[SHA256_HEX];
    hex_of(h->bytes, SHA256_BYTES, text);
    assert_string_equal(text, hex);
}

/* The words of a line after its numbers: the hashes of a proof. */
static void assert_proof(const struct merkle_proof *p, char **words)
{
    uint32_t n = 0;
    for (char *word; (word = strtok_r(NULL, " ", words)); n++) {
        assert_true(n < p->n_hashes);
        assert_hash(&p->hashes[n], word);
    }
    assert_int_equal(n, p->n_hashes);
}

static void vectors_hold(void **state)
{
    (void)state;
    struct merkle_hash ct[8], ct_roots[9];
    struct merkle m = {0};
    char *text, *lines, *words;
    int n_lines = 0;
    ct_roots[0] = merkle_root(&m);
    for (int i = 0; i < 8; i++) {
        ct[i] = merkle_leaf(ct_leaves[i].bytes, ct_leaves[i].n_bytes);
        merkle_add(&m, &ct[i]);
        ct_roots[i + 1] = merkle_root(&m);
    }
    assert_ok(file_read(TEST_DIR "/golden/proof/merkle.txt", 1 << 20, &text, NULL, NULL));
    for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
        const char *kind = strtok_r(line, " ", &words);
        unsigned long a = strtoul(strtok_r(NULL, " ", &words), NULL, 10);
        struct merkle_proof p;
        n_lines++;
        if (strcmp(kind, "root") == 0) {
            assert_hash(&ct_roots[a], strtok_r(NULL, " ", &words));
            continue;
        }
        unsigned long n = strtoul(strtok_r(NULL, " ", &words), NULL, 10);
        if (strcmp(kind, "leaf") == 0)
            merkle_prove_leaf(ct, n, a, &p);
        else
            merkle_prove_prefix(ct, n, a, &p);
        assert_proof(&p, &words);
    }
    assert_int_equal(n_lines, 9 + 36 + 36);
    mem_free(text);
}

/* ---- every proof, every change ------------------------------------------------------------ */

static bool leaf_ok(const struct merkle_proof *p, uint64_t i, uint64_t n)
{
    return merkle_check_leaf(&leaves[i], i, n, p, &roots[n]);
}

static bool prefix_ok(const struct merkle_proof *p, uint64_t old, uint64_t n)
{
    return merkle_check_prefix(old, &roots[old], n, &roots[n], p);
}

/* Calls ok for every way to spoil p: a bit, a hash fewer at either end, one more, two exchanged. */
static void assert_spoilt(const struct merkle_proof *p, uint64_t a, uint64_t n,
                          bool (*ok)(const struct merkle_proof *, uint64_t, uint64_t))
{
    struct merkle_proof q = *p;
    for (uint32_t k = 0; k < p->n_hashes; k++) {
        q.hashes[k].bytes[(a + k) % 32] ^= (uint8_t)(1 << n % 8);
        assert_false(ok(&q, a, n));
        q = *p;
    }
    for (uint32_t k = 0; k + 1 < p->n_hashes; k++) {
        q.hashes[k] = p->hashes[k + 1];
        q.hashes[k + 1] = p->hashes[k];
        assert_false(ok(&q, a, n));
        q = *p;
    }
    if (p->n_hashes) {
        q.n_hashes--;
        assert_false(ok(&q, a, n));
        memmove(q.hashes, q.hashes + 1, q.n_hashes * sizeof q.hashes[0]);
        assert_false(ok(&q, a, n));
        q = *p;
    }
    q.hashes[q.n_hashes++] = roots[n];
    assert_false(ok(&q, a, n));
    q.n_hashes = UINT32_MAX;
    assert_false(ok(&q, a, n));
}

static void leaves_are_proved(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= N_MAX; n += test_every(4))
        for (uint64_t i = 0; i < n; i++) {
            struct merkle_proof p;
            merkle_prove_leaf(leaves, n, i, &p);
            assert_true(leaf_ok(&p, i, n));
            for (uint64_t k = 0; k <= n + 1; k++)
                assert_true(k == i || !merkle_check_leaf(&leaves[i], k, n, &p, &roots[n]));
            assert_true(n == 1 || !merkle_check_leaf(&leaves[(i + 1) % n], i, n, &p, &roots[n]));
            assert_false(merkle_check_leaf(&leaves[i], i, n, &p, &roots[n - 1]));
            assert_false(merkle_check_leaf(&leaves[i], i, 0, &p, &roots[n]));
            assert_spoilt(&p, i, n, leaf_ok);
        }
}

static void prefixes_are_proved(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= N_MAX; n += test_every(4))
        for (uint64_t old = 1; old <= n; old++) {
            struct merkle_proof p;
            merkle_prove_prefix(leaves, n, old, &p);
            assert_true(prefix_ok(&p, old, n));
            assert_false(merkle_check_prefix(old, &roots[old - 1], n, &roots[n], &p));
            assert_false(merkle_check_prefix(old, &roots[old], n, &roots[n - 1], &p));
            assert_false(merkle_check_prefix(n + 1, &roots[old], n, &roots[n], &p));
            for (uint64_t k = 1; k <= n; k++)
                assert_true(k == old || !prefix_ok(&p, k, n));
            assert_spoilt(&p, old, n, prefix_ok);
        }
}

static void nothing_begins_everything(void **state)
{
    (void)state;
    struct merkle_proof none = {.n_hashes = 0};
    for (uint64_t n = 0; n <= 3; n++)
        assert_true(merkle_check_prefix(0, &roots[0], n, &roots[n], &none));
    assert_false(merkle_check_prefix(0, &roots[1], 3, &roots[3], &none));
    assert_false(merkle_check_prefix(0, &roots[0], 0, &roots[1], &none));
    none.n_hashes = 1;
    assert_false(merkle_check_prefix(0, &roots[0], 3, &roots[3], &none));
}

/* ---- forgeries ---------------------------------------------------------------------------- */

static void a_leaf_is_no_node(void **state)
{
    (void)state;
    uint8_t both[64];
    struct merkle m = {0};
    memcpy(both, leaves[0].bytes, 32);
    memcpy(both + 32, leaves[1].bytes, 32);
    struct merkle_hash leaf = merkle_leaf(both, 64), root;
    merkle_add(&m, &leaf);
    root = merkle_root(&m);
    assert_false(merkle_equal(&root, &roots[2]));
}

static void a_last_leaf_twice_is_another_tree(void **state)
{
    (void)state;
    for (int n = 1; n < N_MAX; n++) {
        struct merkle m = {0};
        for (int i = 0; i < n; i++)
            merkle_add(&m, &leaves[i]);
        merkle_add(&m, &leaves[n - 1]);
        struct merkle_hash root = merkle_root(&m);
        assert_false(merkle_equal(&root, &roots[n]));
    }
}

/* Sizes whose numbers fill 64 bits are walked without a fault. */
static void huge_trees_are_refused_quietly(void **state)
{
    (void)state;
    struct merkle_proof p = {.n_hashes = MERKLE_DEPTH_MAX};
    assert_false(merkle_check_leaf(&leaves[0], UINT64_MAX - 1, UINT64_MAX, &p, &roots[1]));
    assert_false(merkle_check_leaf(&leaves[0], UINT64_MAX, UINT64_MAX, &p, &roots[1]));
    assert_false(merkle_check_prefix(1ull << 63, &roots[1], UINT64_MAX, &roots[2], &p));
    p.n_hashes = MERKLE_DEPTH_MAX + 1;
    assert_false(merkle_check_prefix(UINT64_MAX - 1, &roots[1], UINT64_MAX, &roots[2], &p));
}

/* ---- trees whose nodes lie elsewhere ------------------------------------------------------ */

static struct merkle_hash nodes[8][N_MAX]; /* [level][i] */
static int n_failing = -1;                 /* calls before one fails; -1: none does */

static bool node(void *context, uint32_t level, uint64_t i, struct merkle_hash *out)
{
    (void)context;
    if (n_failing-- == 0)
        return false;
    assert_true(level < 8 && i < (uint64_t)(N_MAX >> level));
    *out = nodes[level][i];
    return true;
}

static void proofs_of_nodes_are_the_same(void **state)
{
    (void)state;
    const struct merkle_nodes t = {node, NULL};
    struct merkle m = {0};
    struct merkle_hash made[MERKLE_DEPTH_MAX + 1];
    for (uint64_t n = 1; n <= N_MAX; n++) {
        uint32_t n_made = merkle_grow(&m, &leaves[n - 1], made);
        for (uint32_t k = 0; k < n_made; k++)
            nodes[k][(n - 1) >> k] = made[k];
        struct merkle_hash root = merkle_root(&m);
        assert_true(merkle_equal(&root, &roots[n]));
        for (uint64_t i = 0; n % test_every(4) == 0 && i < n; i++) {
            struct merkle_proof p, q;
            assert_true(merkle_nodes_prove_leaf(&t, n, i, &p));
            assert_true(leaf_ok(&p, i, n));
            merkle_prove_leaf(leaves, n, i, &q);
            assert_int_equal(p.n_hashes, q.n_hashes);
            assert_memory_equal(p.hashes, q.hashes, p.n_hashes * sizeof p.hashes[0]);
            assert_true(merkle_nodes_prove_prefix(&t, n, i + 1, &p));
            assert_true(prefix_ok(&p, i + 1, n));
        }
    }
    struct merkle_proof p;
    for (n_failing = 0;; n_failing++) {
        int n_before = n_failing;
        if (merkle_nodes_prove_leaf(&t, 61, 3, &p))
            break;
        n_failing = n_before;
    }
    assert_true(leaf_ok(&p, 3, 61));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_of_nodes_are_the_same),
        cmocka_unit_test(vectors_hold),
        cmocka_unit_test(leaves_are_proved),
        cmocka_unit_test(prefixes_are_proved),
        cmocka_unit_test(nothing_begins_everything),
        cmocka_unit_test(a_leaf_is_no_node),
        cmocka_unit_test(a_last_leaf_twice_is_another_tree),
        cmocka_unit_test(huge_trees_are_refused_quietly),
    };
    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
