/* exact_weights.c - drawing the pool as integers; finding each tensor in it. */
#include "poc/exact_weights.h"

#include <math.h>

#include "base/mem.h"
#include "poc/chain.h"
#include "poc/normals.h"
#include "tensor/half.h"

enum { CHUNK = 1 << 20, LEVELS = 127 };
static const double DEVIATION = 0.02;
static const float STEPS = 1536;

static uint64_t tensor_size(const struct poc_params *p, uint32_t tensor)
{
    struct poc_tensor t = poc_tensor_at(p, tensor);
    return t.n_rows * t.n_columns;
}

/* The pool holds the largest tensor at least: a slice never wraps. */
static uint64_t pool_blocks(const struct poc_params *p, double fraction)
{
    uint64_t n = (uint64_t)((double)poc_n_values(p) * fraction);
    for (uint32_t i = 0; i < poc_n_tensors(p); i++)
        n = tensor_size(p, i) > n ? tensor_size(p, i) : n;
    return (n + EXACT_BLOCK - 1) / EXACT_BLOCK;
}

uint64_t exact_weights_bytes(const struct poc_params *p, double fraction)
{
    return pool_blocks(p, fraction) * EXACT_BLOCK;
}

/* Values of the chain's pool to integers. */
struct encode {
    const uint16_t *values;
    int8_t *out;
    size_t n;
};

enum { VALUES_PER_JOB = 1 << 15 };

static void encode_job(void *context, size_t i, int worker)
{
    const struct encode *e = context;
    (void)worker;
    for (size_t at = i * VALUES_PER_JOB; at < e->n && at < (i + 1) * VALUES_PER_JOB; at++) {
        float steps = f16_widen(e->values[at]) * STEPS;
        steps = steps > LEVELS ? LEVELS : steps < -LEVELS ? -LEVELS : steps;
        e->out[at] = (int8_t)lrintf(steps);
    }
}

static enum err draw_pool(struct exact_weights *w, const char *block_hash, struct threads *threads,
                          struct err_note *note)
{
    struct normals normals;
    struct pcg64 rng;
    uint16_t *values = mem_array(CHUNK, sizeof *values);
    if (!values)
        return err_set(note, ERR_MEMORY, "no memory to draw weights with");
    chain_weights(&rng, block_hash);
    enum err rc = normals_init(&normals, &rng, DEVIATION, threads, note);
    for (uint64_t at = 0; rc == ERR_OK && at < w->n_blocks; at += CHUNK / EXACT_BLOCK) {
        uint64_t n_left = (w->n_blocks - at) * EXACT_BLOCK;
        struct encode part = {values, w->pool + at * EXACT_BLOCK, n_left < CHUNK ? n_left : CHUNK};
        normals_read(&normals, part.n, values);
        threads_run(threads, (part.n + VALUES_PER_JOB - 1) / VALUES_PER_JOB, encode_job, &part);
    }
    if (rc == ERR_OK)
        normals_release(&normals);
    mem_free(values);
    for (uint32_t i = 0; rc == ERR_OK && i < poc_n_tensors(&w->params); i++) {
        uint64_t n = (tensor_size(&w->params, i) + EXACT_BLOCK - 1) / EXACT_BLOCK;
        w->firsts[i] =
            chain_name_hash(block_hash, poc_tensor_at(&w->params, i).name) % (w->n_blocks - n + 1);
    }
    return rc;
}

enum err exact_weights_open(struct exact_weights *w, const struct poc_params *p,
                            const char *block_hash, double fraction, struct threads *threads,
                            struct err_note *note)
{
    *w = (struct exact_weights){.params = *p, .n_blocks = pool_blocks(p, fraction)};
    w->pool = mem_pages(w->n_blocks * EXACT_BLOCK);
    w->firsts = mem_array(poc_n_tensors(p), sizeof *w->firsts);
    enum err rc = w->pool && w->firsts
                      ? draw_pool(w, block_hash, threads, note)
                      : err_set(note, ERR_MEMORY, "no memory for %.2f GiB of weights",
                                (double)(w->n_blocks * EXACT_BLOCK) * 0x1p-30);
    if (rc != ERR_OK)
        exact_weights_close(w);
    return rc;
}

void exact_weights_close(struct exact_weights *w)
{
    if (w->pool)
        mem_pages_free(w->pool, w->n_blocks * EXACT_BLOCK);
    mem_free(w->firsts);
    *w = (struct exact_weights){0};
}

const int8_t *exact_weights_view(const struct exact_weights *w, uint32_t tensor)
{
    return w->pool + w->firsts[tensor] * EXACT_BLOCK;
}
