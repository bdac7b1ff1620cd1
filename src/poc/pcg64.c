/* pcg64.c - seeding, seeking and integer draws of numpy's default generator. */
#include "poc/pcg64.h"

#include "base/check.h"

enum { POOL = 4 };

/* SeedSequence's hash: every call changes the constant that the next one uses. */
struct seed_hash {
    uint32_t constant, multiplier;
};

static uint32_t seed_hash(struct seed_hash *h, uint32_t v)
{
    v ^= h->constant;
    h->constant *= h->multiplier;
    v *= h->constant;
    return v ^ v >> 16;
}

static uint32_t seed_mix(uint32_t x, uint32_t y)
{
    uint32_t r = 0xca01f9ddu * x - 0x4973f715u * y;
    return r ^ r >> 16;
}

static void seed_pool(const uint32_t *entropy, size_t n_words, uint32_t pool[POOL])
{
    struct seed_hash h = {0x43b0d7e5u, 0x931e8875u};
    for (int i = 0; i < POOL; i++)
        pool[i] = seed_hash(&h, entropy[i]);
    for (int from = 0; from < POOL; from++)
        for (int to = 0; to < POOL; to++)
            if (from != to)
                pool[to] = seed_mix(pool[to], seed_hash(&h, pool[from]));
    for (size_t i = POOL; i < n_words; i++)
        for (int to = 0; to < POOL; to++)
            pool[to] = seed_mix(pool[to], seed_hash(&h, entropy[i]));
}

void pcg64_seed(struct pcg64 *rng, const uint32_t *entropy, size_t n_words)
{
    CHECK(n_words >= POOL);
    uint32_t pool[POOL];
    seed_pool(entropy, n_words, pool);
    struct seed_hash h = {0x8b51f9ddu, 0x58f38dedu};
    uint64_t words[4];
    for (int i = 0; i < 4; i++) {
        uint64_t low = seed_hash(&h, pool[2 * i % POOL]);
        words[i] = low | (uint64_t)seed_hash(&h, pool[(2 * i + 1) % POOL]) << 32;
    }
    pcg_word start = (pcg_word)words[0] << 64 | words[1];
    *rng = (struct pcg64){.increment = ((pcg_word)words[2] << 64 | words[3]) << 1 | 1};
    /* One step from 0 leaves the increment; another follows the seed. */
    rng->state = (rng->increment + start) * PCG64_MULTIPLIER + rng->increment;
}

void pcg64_advance(struct pcg64 *rng, pcg_word n)
{
    /* x -> multiplier x + increment, squared for every bit of n. */
    pcg_word multiplier = PCG64_MULTIPLIER, increment = rng->increment;
    for (; n != 0; n >>= 1) {
        if (n & 1)
            rng->state = rng->state * multiplier + increment;
        increment *= multiplier + 1;
        multiplier *= multiplier;
    }
    rng->has_high = false;
}

uint32_t pcg64_next32(struct pcg64 *rng)
{
    if (rng->has_high) {
        rng->has_high = false;
        return rng->high;
    }
    uint64_t x = pcg64_next(rng);
    rng->high = (uint32_t)(x >> 32);
    rng->has_high = true;
    return (uint32_t)x;
}

uint32_t pcg64_interval(struct pcg64 *rng, uint32_t max)
{
    if (max == 0)
        return 0; /* draws nothing */
    uint32_t mask = 0xffffffffu >> __builtin_clz(max), v;
    do
        v = pcg64_next32(rng) & mask;
    while (v > max);
    return v;
}

void pcg64_permutation(struct pcg64 *rng, uint32_t n, uint32_t *order)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = pcg64_interval(rng, i), swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}
