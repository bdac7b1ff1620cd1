/* merkle.h - trees of hashes as RFC 6962 has them: roots, and proofs about them.
 *
 * A leaf is SHA-256(0x00 || bytes), a node SHA-256(0x01 || left || right), the tree of nothing
 * SHA-256(""); a tree of n leaves splits at the largest power of two below n. A root alone does not
 * say how many leaves it has: whoever signs one signs the count beside it. Any thread. */
#ifndef PROOF_MERKLE_H
#define PROOF_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

enum { MERKLE_DEPTH_MAX = 64 };

struct merkle_hash {
    uint8_t bytes[SHA256_BYTES];
};

struct merkle_hash merkle_leaf(const void *bytes, size_t n_bytes);
bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b);

/* A tree that grows at its end. State: the roots of its full subtrees alone; a leaf costs one node
 * on average, a root at most MERKLE_DEPTH_MAX. Begins as zeros. */
struct merkle {
    uint64_t n_leaves;
    struct merkle_hash full[MERKLE_DEPTH_MAX]; /* [k] holds 2^k leaves where bit k of n_leaves is */
};
void merkle_add(struct merkle *m, const struct merkle_hash *leaf);
/* merkle_grow - the same; made[k] is the root of the last 2^k leaves, for each k below what is
 * returned: the full subtrees that this leaf completes. */
uint32_t merkle_grow(struct merkle *m, const struct merkle_hash *leaf,
                     struct merkle_hash made[MERKLE_DEPTH_MAX + 1]);
struct merkle_hash merkle_root(const struct merkle *m);

/* Hashes from the leaf's side to the root's, as RFC 6962 orders them. */
struct merkle_proof {
    struct merkle_hash hashes[MERKLE_DEPTH_MAX + 1];
    uint32_t n_hashes;
};

/* merkle_prove_leaf - that leaves[index] is in the tree of n_leaves > index.
 * merkle_prove_prefix - that the tree of the first n_old leaves, 0 < n_old <= n_leaves, is its
 * beginning. Cost of both: about n_leaves hashes. */
void merkle_prove_leaf(const struct merkle_hash *leaves, uint64_t n_leaves, uint64_t index,
                       struct merkle_proof *out);
void merkle_prove_prefix(const struct merkle_hash *leaves, uint64_t n_leaves, uint64_t n_old,
                         struct merkle_proof *out);

/* A tree whose full subtrees lie somewhere: node gives the root of leaves [i 2^level, (i + 1)
 * 2^level); false: it cannot. */
struct merkle_nodes {
    bool (*node)(void *context, uint32_t level, uint64_t i, struct merkle_hash *out);
    void *context;
};
/* The same proofs of it; false: a node was not to be had. Cost: log2(n_leaves)^2 / 2 nodes. */
bool merkle_nodes_prove_leaf(const struct merkle_nodes *t, uint64_t n_leaves, uint64_t index,
                             struct merkle_proof *out);
bool merkle_nodes_prove_prefix(const struct merkle_nodes *t, uint64_t n_leaves, uint64_t n_old,
                               struct merkle_proof *out);

/* The checks believe nothing: any numbers, any n_hashes up to the array's size. Every proof has
 * exactly one form, so a hash too many or too few is refused. */
bool merkle_check_leaf(const struct merkle_hash *leaf, uint64_t index, uint64_t n_leaves,
                       const struct merkle_proof *proof, const struct merkle_hash *root);
/* An old tree of nothing is a beginning of every tree: its root must be SHA-256(""). */
bool merkle_check_prefix(uint64_t n_old, const struct merkle_hash *root_old, uint64_t n_leaves,
                         const struct merkle_hash *root, const struct merkle_proof *proof);

#endif
