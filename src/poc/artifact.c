/* artifact.c - version 2's inputs, reflections, picks and vectors. */
#include "poc/artifact.h"

#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/check.h"
#include "numeric/func.h"
#include "numeric/reduce.h"
#include "poc/chain.h"
#include "poc/murmur.h"
#include "tensor/half.h"

enum { SEGMENTS = 8 };

static void round_as(enum dtype dtype, float *x, size_t n)
{
    CHECK(dtype == DTYPE_F16 || dtype == DTYPE_BF16);
    for (size_t i = 0; i < n; i++)
        x[i] = dtype == DTYPE_F16 ? f16_widen(f16_round(x[i])) : bf16_widen(bf16_round(x[i]));
}

/* Part i of n_parts of a seed's n numbers. */
static void draw_part(uint32_t seed, enum dtype dtype, uint32_t i, uint32_t n_parts, size_t n,
                      float *out)
{
    size_t n_pairs = pairs_of(n);
    struct pairs part = {n_pairs * i / n_parts, n_pairs * (i + 1) / n_parts};
    size_t n_sines = part.end < n - n_pairs ? part.end : n - n_pairs; /* the last may be missing */
    murmur_normals(seed, n, part, out);
    round_as(dtype, out + part.begin, part.end - part.begin);
    if (n_sines > part.begin)
        round_as(dtype, out + n_pairs + part.begin, n_sines - part.begin);
}

void artifact_inputs(const struct artifact_key *key, uint64_t nonce, bool stronger,
                     enum dtype dtype, uint32_t i, uint32_t n_parts, size_t n, float *out)
{
    uint32_t seeds[SEGMENTS];
    size_t n_segment = stronger ? (n + SEGMENTS - 1) / SEGMENTS : n;
    chain_nonce_seeds(key->block_hash, key->public_key, nonce, seeds);
    for (size_t at = 0, k = 0; at < n; at += n_segment, k++)
        draw_part(seeds[k], dtype, i, n_parts, n - at < n_segment ? n - at : n_segment, out + at);
}

static void draw_all(uint32_t seed, uint32_t n, float *out)
{
    murmur_normals(seed, n, (struct pairs){0, pairs_of(n)}, out);
}

/* Makes the length 1. false: it is 0 or not a number. */
static bool set_length_1(float *x, uint32_t n)
{
    float square = reduce_sum_squares(x, n);
    if (!(square >= 0x1p-100f && square <= 0x1p100f))
        return false;
    float inverse = num_rsqrt(square);
    for (uint32_t i = 0; i < n; i++)
        x[i] *= inverse;
    return true;
}

void artifact_mirror(const char *block_hash, uint32_t layer, enum dtype dtype, uint32_t n, float *v)
{
    draw_all(chain_mirror_seed(block_hash, layer), n, v);
    set_length_1(v, n);
    round_as(dtype, v, n);
}

/* ---- the vector --------------------------------------------------------------------------- */

struct pick {
    uint32_t score, dim;
};

static bool is_lower(struct pick a, struct pick b)
{
    return a.score < b.score || (a.score == b.score && a.dim < b.dim);
}

void artifact_pick(const struct artifact_key *key, uint64_t nonce, uint32_t n, uint32_t k,
                   enum artifact_order order, uint32_t *dims)
{
    struct pick best[ARTIFACT_DIMS_MAX];
    uint32_t n_best = 0;
    CHECK(k >= 1 && k <= n && k <= ARTIFACT_DIMS_MAX);
    uint32_t seed = chain_pick_seed(key->block_hash, key->public_key, nonce, k);
    for (uint32_t d = 0; d < n; d++) {
        struct pick p = {murmur(d, seed), d};
        if (n_best == k && !is_lower(p, best[k - 1]))
            continue;
        uint32_t i = n_best < k ? n_best++ : k - 1;
        for (; i > 0 && is_lower(p, best[i - 1]); i--)
            best[i] = best[i - 1];
        best[i] = p;
    }
    for (uint32_t i = 0; i < k; i++)
        dims[i] = best[i].dim;
    for (uint32_t i = 1; order == ARTIFACT_ORDER_INDEX && i + 1 < k; i++) {
        uint32_t d = dims[i], at = i;
        for (; at > 0 && dims[at - 1] > d; at--)
            dims[at] = dims[at - 1];
        dims[at] = d;
    }
}

/* k - 1 reflections, which together are a random rotation or its mirror image. */
static void rotate(const struct artifact_key *key, uint64_t nonce, uint32_t k, float *y)
{
    float v[ARTIFACT_DIMS_MAX];
    for (uint32_t j = 0; j + 1 < k; j++) {
        draw_all(chain_turn_seed(key->block_hash, key->public_key, nonce, k, j), k, v);
        set_length_1(v, k);
        float twice = 2.0f * reduce_dot(v, y, k);
        for (uint32_t i = 0; i < k; i++)
            y[i] = y[i] - twice * v[i];
    }
}

bool artifact_make(const struct artifact_key *key, uint64_t nonce, const float *x, uint32_t n,
                   uint32_t k, enum artifact_order order, uint16_t *halves)
{
    uint32_t dims[ARTIFACT_DIMS_MAX];
    float y[ARTIFACT_DIMS_MAX], square = reduce_sum_squares(x, n);
    if (!(square >= 0x1p-100f && square <= 0x1p100f))
        return false;
    float inverse = num_rsqrt(square);
    artifact_pick(key, nonce, n, k, order, dims);
    for (uint32_t i = 0; i < k; i++)
        y[i] = x[dims[i]] * inverse;
    rotate(key, nonce, k, y);
    if (!set_length_1(y, k))
        return false;
    for (uint32_t i = 0; i < k; i++)
        halves[i] = f16_round(y[i]);
    return true;
}

/* ---- as text ------------------------------------------------------------------------------ */

void artifact_write(const uint16_t *halves, uint32_t k, char *out)
{
    struct buf text;
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "artifacts are little-endian");
    buf_init(&text, ARTIFACT_TEXT_MAX);
    base64_encode(&text, halves, k * sizeof halves[0]);
    CHECK(!text.failed && text.n_bytes < ARTIFACT_TEXT_MAX);
    memcpy(out, text.bytes, text.n_bytes + 1);
    buf_release(&text);
}

bool artifact_read(struct str text, uint32_t k, uint16_t *halves)
{
    struct buf bytes;
    struct err_note note;
    buf_init(&bytes, k * sizeof halves[0] + 2);
    bool good = !base64_decode(text, &bytes, &note) && bytes.n_bytes == k * sizeof halves[0];
    if (good)
        memcpy(halves, bytes.bytes, bytes.n_bytes);
    buf_release(&bytes);
    for (uint32_t i = 0; good && i < k; i++)
        good = f32_is_finite(f16_widen(halves[i]));
    return good;
}

double artifact_distance(const uint16_t *halves, uint32_t k, struct str text)
{
    uint16_t claimed[ARTIFACT_DIMS_MAX];
    double square = 0;
    if (!artifact_read(text, k, claimed))
        return INFINITY;
    for (uint32_t i = 0; i < k; i++) {
        double gap = (double)f16_widen(claimed[i]) - (double)f16_widen(halves[i]);
        square += gap * gap;
    }
    return sqrt(square);
}
