/* weights.c - drawing the values; finding each tensor among them. */
#include "poc/weights.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/room.h"
#include "poc/chain.h"
#include "poc/normals.h"

static const uint64_t POOL_MIN = 50000;
static const double DEVIATION = 0.02;

static uint64_t tensor_size(const struct poc_params *p, uint32_t tensor)
{
    struct poc_tensor t = poc_tensor_at(p, tensor);
    return t.n_rows * t.n_columns;
}

uint64_t poc_weights_held(const struct poc_params *p, double fraction)
{
    uint64_t total = poc_n_values(p);
    if (fraction == 0)
        return total;
    uint64_t pool = (uint64_t)((double)total * fraction);
    return pool > POOL_MIN ? pool : POOL_MIN;
}

static void find_firsts(struct poc_weights *w, const char *block_hash, bool pooled)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < poc_n_tensors(&w->params); i++) {
        uint64_t n = tensor_size(&w->params, i);
        if (pooled) {
            uint64_t places = n <= w->n_values ? w->n_values - n + 1 : n;
            w->firsts[i] = chain_name_hash(block_hash, poc_tensor_at(&w->params, i).name) % places;
        } else {
            w->firsts[i] = sum;
        }
        sum += n;
    }
}

enum err poc_weights_open(struct poc_weights *w, const struct poc_params *p, const char *block_hash,
                          double fraction, struct threads *threads, struct err_note *note)
{
    *w = (struct poc_weights){0};
    enum err rc = poc_params_check(p, note);
    if (rc != ERR_OK)
        return rc;
    if (!(fraction >= 0 && fraction <= 1))
        return err_set(note, ERR_LIMIT, "pool_fraction is %g; it must be 0 (in sequence) to 1",
                       fraction);
    if (strlen(block_hash) > CHAIN_KEY_MAX)
        return err_set(note, ERR_LIMIT, "block_hash is longer than %d bytes", CHAIN_KEY_MAX);
    uint64_t n_bytes = poc_weights_held(p, fraction) * sizeof *w->values;
    struct mem_room room = mem_room_find();
    if (n_bytes > room.n_bytes)
        return err_set(note, ERR_MEMORY, "the weights need %.2f GiB, and %.2f GiB are free (%s)",
                       (double)n_bytes * 0x1p-30, (double)room.n_bytes * 0x1p-30, room.from);
    w->params = *p;
    w->n_values = poc_weights_held(p, fraction);
    w->values = mem_pages(n_bytes);
    w->firsts = mem_array(poc_n_tensors(p), sizeof *w->firsts);
    struct pcg64 rng;
    struct normals normals = {0};
    chain_weights(&rng, block_hash);
    if (!w->values || !w->firsts)
        rc = err_set(note, ERR_MEMORY, "no memory for %.2f GiB of weights",
                     (double)n_bytes * 0x1p-30);
    else
        rc = normals_init(&normals, &rng, DEVIATION, threads, note);
    if (rc != ERR_OK) {
        poc_weights_close(w);
        return rc;
    }
    normals_read(&normals, w->n_values, w->values);
    normals_release(&normals);
    find_firsts(w, block_hash, fraction > 0);
    return ERR_OK;
}

void poc_weights_close(struct poc_weights *w)
{
    if (w->values)
        mem_pages_free(w->values, w->n_values * sizeof *w->values);
    mem_free(w->firsts);
    *w = (struct poc_weights){0};
}

const uint16_t *poc_weights_view(const struct poc_weights *w, uint32_t tensor)
{
    return tensor_size(&w->params, tensor) <= w->n_values ? w->values + w->firsts[tensor] : NULL;
}

void poc_weights_copy(const struct poc_weights *w, uint32_t tensor, uint64_t first, uint64_t n,
                      uint16_t *out)
{
    uint64_t size = tensor_size(&w->params, tensor);
    CHECK(first <= size && n <= size - first);
    const uint16_t *view = poc_weights_view(w, tensor);
    if (view) {
        memcpy(out, view + first, n * sizeof *out);
        return;
    }
    /* The pool again and again, cut at the tensor's size, then turned left. */
    while (n > 0) {
        uint64_t at = (first + w->firsts[tensor]) % size, in_pool = at % w->n_values;
        uint64_t run = size - at < w->n_values - in_pool ? size - at : w->n_values - in_pool;
        run = run < n ? run : n;
        memcpy(out, w->values + in_pool, run * sizeof *out);
        out += run;
        first += run;
        n -= run;
    }
}
