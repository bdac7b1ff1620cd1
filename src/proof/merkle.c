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

uint32_t merkle_grow(struct merkle *m, const struct merkle_hash *leaf,
                     struct merkle_hash made[MERKLE_DEPTH_MAX + 1])
{
    uint32_t k = 0;
    CHECK(m->n_leaves < UINT64_MAX);
    made[0] = *leaf;
    for (; m->n_leaves >> k & 1; k++)
        made[k + 1] = node_of(&m->full[k], &made[k]);
    m->full[k] = made[k];
    m->n_leaves++;
    return k + 1;
}

void merkle_add(struct merkle *m, const struct merkle_hash *leaf)
{
    struct merkle_hash made[MERKLE_DEPTH_MAX + 1];
    merkle_grow(m, leaf, made);
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

/* The largest power of two below n >= 2. */
static uint64_t split_of(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/* The root of leaves [from, from + n): full subtrees from the left, ever smaller ones. from is a
 * multiple of the largest power of two that n holds. */
static bool range_root(const struct merkle_nodes *t, uint64_t from, uint64_t n,
                       struct merkle_hash *out)
{
    struct merkle_hash parts[MERKLE_DEPTH_MAX];
    uint32_t n_parts = 0;
    for (uint32_t k = MERKLE_DEPTH_MAX; k-- > 0;) {
        if (!(n >> k & 1))
            continue;
        if (!t->node(t->context, k, from >> k, &parts[n_parts++]))
            return false;
        from += (uint64_t)1 << k;
    }
    *out = parts[--n_parts];
    while (n_parts-- > 0)
        *out = node_of(&parts[n_parts], out);
    return true;
}

static bool proof_add(struct merkle_proof *p, const struct merkle_nodes *t, uint64_t from,
                      uint64_t n)
{
    CHECK(p->n_hashes < COUNT_OF(p->hashes));
    return range_root(t, from, n, &p->hashes[p->n_hashes++]);
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

bool merkle_nodes_prove_leaf(const struct merkle_nodes *t, uint64_t n_leaves, uint64_t index,
                             struct merkle_proof *out)
{
    uint64_t from = 0, n = n_leaves;
    bool ok = true;
    CHECK(index < n_leaves);
    out->n_hashes = 0;
    while (ok && n > 1) {
        uint64_t split = split_of(n);
        if (index - from < split) {
            ok = proof_add(out, t, from + split, n - split);
            n = split;
        } else {
            ok = proof_add(out, t, from, split);
            from += split;
            n -= split;
        }
    }
    proof_reverse(out);
    return ok;
}

bool merkle_nodes_prove_prefix(const struct merkle_nodes *t, uint64_t n_leaves, uint64_t n_old,
                               struct merkle_proof *out)
{
    uint64_t from = 0, n = n_leaves;
    bool ok = true;
    CHECK(n_old > 0 && n_old <= n_leaves);
    out->n_hashes = 0;
    while (ok && n_old != from + n) {
        uint64_t split = split_of(n);
        if (n_old - from <= split) {
            ok = proof_add(out, t, from + split, n - split);
            n = split;
        } else {
            ok = proof_add(out, t, from, split);
            from += split;
            n -= split;
        }
    }
    if (ok && from > 0) /* else the old tree's root is what the checker has */
        ok = proof_add(out, t, from, n);
    proof_reverse(out);
    return ok;
}

/* Of leaves that are all there. */
static bool node_of_leaves(void *context, uint32_t level, uint64_t i, struct merkle_hash *out)
{
    const struct merkle_hash *leaves = context;
    struct merkle m = {0};
    uint64_t n = (uint64_t)1 << level;
    for (uint64_t k = 0; k < n; k++)
        merkle_add(&m, &leaves[i * n + k]);
    *out = merkle_root(&m);
    return true;
}

void merkle_prove_leaf(const struct merkle_hash *leaves, uint64_t n_leaves, uint64_t index,
                       struct merkle_proof *out)
{
    const struct merkle_nodes t = {node_of_leaves, (void *)leaves};
    CHECK(merkle_nodes_prove_leaf(&t, n_leaves, index, out));
}

void merkle_prove_prefix(const struct merkle_hash *leaves, uint64_t n_leaves, uint64_t n_old,
                         struct merkle_proof *out)
{
    const struct merkle_nodes t = {node_of_leaves, (void *)leaves};
    CHECK(merkle_nodes_prove_prefix(&t, n_leaves, n_old, out));
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
