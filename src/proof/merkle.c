/* merkle.c - trees of hashes after RFC 6962; the checks follow RFC 9162, 2.1.3.2 and 2.1.4.2. */
#include "proof/merkle.h"

#include <string.h>

#include "base/check.h"

struct merkle_hash merkle_leaf(const void *bytes, size_t n_bytes)
{
    static const uint8_t prefix = 0;
    struct merkle_hash out;
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, &prefix, 1);
    sha256_add(&h, bytes, n_bytes);
    sha256_end(&h, out.bytes);
    return out;
}

static struct merkle_hash node_of(const struct merkle_hash *left, const struct merkle_hash *right)
{
    uint8_t bytes[1 + 2 * SHA256_BYTES] = {1};
    struct merkle_hash out;
    memcpy(bytes + 1, left->bytes, SHA256_BYTES);
    memcpy(bytes + 1 + SHA256_BYTES, right->bytes, SHA256_BYTES);
    sha256_of(bytes, sizeof bytes, out.bytes);
    return out;
}

bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return memcmp(a->bytes, b->bytes, SHA256_BYTES) == 0;
}

void merkle_add(struct merkle *m, const struct merkle_hash *leaf)
{
    struct merkle_hash h = *leaf;
    int k = 0;
    CHECK(m->n_leaves < UINT64_MAX);
    for (; m->n_leaves >> k & 1; k++)
        h = node_of(&m->full[k], &h);
    m->full[k] = h;
    m->n_leaves++;
}

struct merkle_hash merkle_root(const struct merkle *m)
{
    struct merkle_hash h;
    bool any = false;
    for (int k = 0; k < MERKLE_DEPTH_MAX; k++)
        if (m->n_leaves >> k & 1) {
            h = any ? node_of(&m->full[k], &h) : m->full[k];
            any = true;
        }
    if (!any)
        sha256_of("", 0, h.bytes);
    return h;
}

/* ---- proofs ------------------------------------------------------------------------------- */

static struct merkle_hash root_of(const struct merkle_hash *leaves, uint64_t n_leaves)
{
    struct merkle m = {0};
    for (uint64_t i = 0; i < n_leaves; i++)
        merkle_add(&m, &leaves[i]);
    return merkle_root(&m);
}

/* The largest power of two below n >= 2. */
static uint64_t split_of(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

static void proof_add(struct merkle_proof *p, struct merkle_hash h)
{
    CHECK(p->n_hashes < COUNT_OF(p->hashes));
    p->hashes[p->n_hashes++] = h;
}

/* Both proofs are found from the root down, and said from the leaf up. */
static void proof_reverse(struct merkle_proof *p)
{
    for (uint32_t i = 0; i < p->n_hashes / 2; i++) {
        struct merkle_hash h = p->hashes[i];
        p->hashes[i] = p->hashes[p->n_hashes - 1 - i];
        p->hashes[p->n_hashes - 1 - i] = h;
    }
}

void merkle_prove_leaf(const struct merkle_hash *leaves, uint64_t n_leaves, uint64_t index,
                       struct merkle_proof *out)
{
    uint64_t n = n_leaves;
    CHECK(index < n_leaves);
    out->n_hashes = 0;
    while (n > 1) {
        uint64_t split = split_of(n);
        if (index < split) {
            proof_add(out, root_of(leaves + split, n - split));
            n = split;
        } else {
            proof_add(out, root_of(leaves, split));
            leaves += split;
            index -= split;
            n -= split;
        }
    }
    proof_reverse(out);
}

void merkle_prove_prefix(const struct merkle_hash *leaves, uint64_t n_leaves, uint64_t n_old,
                         struct merkle_proof *out)
{
    uint64_t n = n_leaves;
    bool whole = true; /* the old tree's root is what the checker has */
    CHECK(n_old > 0 && n_old <= n_leaves);
    out->n_hashes = 0;
    while (n_old != n) {
        uint64_t split = split_of(n);
        if (n_old <= split) {
            proof_add(out, root_of(leaves + split, n - split));
            n = split;
        } else {
            proof_add(out, root_of(leaves, split));
            leaves += split;
            n_old -= split;
            n -= split;
            whole = false;
        }
    }
    if (!whole)
        proof_add(out, root_of(leaves, n));
    proof_reverse(out);
}

/* ---- checks ------------------------------------------------------------------------------- */

bool merkle_check_leaf(const struct merkle_hash *leaf, uint64_t index, uint64_t n_leaves,
                       const struct merkle_proof *proof, const struct merkle_hash *root)
{
    if (index >= n_leaves || proof->n_hashes > COUNT_OF(proof->hashes))
        return false;
    uint64_t at = index, last = n_leaves - 1;
    struct merkle_hash h = *leaf;
    for (uint32_t i = 0; i < proof->n_hashes; i++) {
        if (last == 0)
            return false;
        if ((at & 1) || at == last) {
            h = node_of(&proof->hashes[i], &h);
            for (; at && !(at & 1); at >>= 1)
                last >>= 1;
        } else {
            h = node_of(&h, &proof->hashes[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && merkle_equal(&h, root);
}

bool merkle_check_prefix(uint64_t n_old, const struct merkle_hash *root_old, uint64_t n_leaves,
                         const struct merkle_hash *root, const struct merkle_proof *proof)
{
    if (n_old > n_leaves || proof->n_hashes > COUNT_OF(proof->hashes))
        return false;
    if (n_old == 0) {
        struct merkle_hash nothing = merkle_root(&(struct merkle){0});
        return proof->n_hashes == 0 && merkle_equal(root_old, &nothing) &&
               (n_leaves > 0 || merkle_equal(root, &nothing));
    }
    if (n_old == n_leaves)
        return proof->n_hashes == 0 && merkle_equal(root_old, root);
    uint32_t i = 0;
    uint64_t at = n_old - 1, last = n_leaves - 1;
    for (; at & 1; at >>= 1)
        last >>= 1;
    if (at && proof->n_hashes == 0)
        return false;
    struct merkle_hash h_old = at ? proof->hashes[i++] : *root_old, h = h_old;
    for (; i < proof->n_hashes; i++) {
        if (last == 0)
            return false;
        if ((at & 1) || at == last) {
            h_old = node_of(&proof->hashes[i], &h_old);
            h = node_of(&proof->hashes[i], &h);
            for (; at && !(at & 1); at >>= 1)
                last >>= 1;
        } else {
            h = node_of(&h, &proof->hashes[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && merkle_equal(&h_old, root_old) && merkle_equal(&h, root);
}
