/* nonce.c - inputs, permutations, the target and distances to it. */
#include "poc/nonce.h"

#include <math.h>

#include "poc/chain.h"
#include "poc/normals.h"
#include "poc/ziggurat.h"

void poc_input(const struct poc_params *p, const char *block_hash, const char *public_key,
               uint64_t nonce, uint16_t *input)
{
    struct pcg64 rng;
    chain_input(&rng, block_hash, public_key, nonce);
    normals_draw(&rng, 1, (uint64_t)p->seq_len * p->dim, input);
}

void poc_order(uint32_t n, const char *block_hash, const char *public_key, uint64_t nonce,
               uint32_t *order)
{
    struct pcg64 rng;
    chain_order(&rng, block_hash, public_key, nonce);
    pcg64_permutation(&rng, n, order);
}

void poc_target(uint32_t n, const char *block_hash, double *target)
{
    struct pcg64 rng;
    chain_target(&rng, block_hash);
    uint64_t n_raws = 0;
    long double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        target[i] = ziggurat_next(&rng, &n_raws);
        sum += (long double)target[i] * target[i];
    }
    double norm = sqrt((double)sum);
    for (uint32_t i = 0; i < n; i++)
        target[i] /= norm;
}

double poc_distance(uint32_t n, const float *logits, const uint32_t *order, const double *target)
{
    double sum = 0, square = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)logits[i] * logits[i];
    float norm = (float)sqrt(sum);
    for (uint32_t i = 0; i < n; i++) {
        double gap = logits[order[i]] / norm - target[i];
        square += gap * gap;
    }
    return sqrt(square);
}
