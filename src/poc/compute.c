/* compute.c - settings checked, memory counted; batches of nonces shared among threads. */
#include "poc/compute.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/room.h"
#include "base/threads.h"
#include "device/device.h"
#include "poc/chain.h"
#include "poc/exact.h"
#include "poc/forward.h"
#include "poc/nonce.h"
#include "poc/weights.h"
#include "poc/wide.h"

/* What one nonce of a batch puts in and gives out. */
struct desk {
    uint16_t *input;
    uint32_t *order;
    float *logits;
};

/* Weights, of either profile, that computes share; read only once they are drawn. */
struct poc_held {
    atomic_uint n_users;
    char block_hash[CHAIN_KEY_MAX + 1];
    struct poc_params params;
    enum poc_profile profile;
    double pool_fraction;
    struct poc_weights weights;
    struct exact_weights exact;
};

struct poc_compute {
    char block_hash[CHAIN_KEY_MAX + 1];
    const char *isa;
    struct poc_params params;
    struct threads *threads;
    struct poc_held *held;
    struct poc_exact *exact; /* of the exact profile; else one of: */
    double *target;
    struct desk *desks; /* [n_batch] */
    uint32_t n_batch, n_forwards;
    struct poc_forward *forwards; /* [n_forwards], one a thread */
    struct poc_wide *wide;        /* all threads on all nonces of the batch */
    const uint16_t **inputs;      /* the desks' */
    float **logits;
};

/* What computes: vectors, or NULL for the plain C. */
static enum err ops_named(const char *isa, const struct wide_ops **ops, struct err_note *note)
{
    const char *const *here = cpu_isa_names();
    *ops = NULL;
    for (int i = 0; here[i]; i++) /* the best is last */
        if (!isa && wide_ops_find(here[i]))
            *ops = wide_ops_find(here[i]);
    if (!isa || strcmp(isa, "scalar") == 0)
        return ERR_OK;
    *ops = wide_ops_find(isa);
    if (*ops)
        return ERR_OK;
    char known[128] = "scalar";
    for (int i = 0; here[i]; i++)
        if (wide_ops_find(here[i]))
            snprintf(known + strlen(known), sizeof known - strlen(known), ", %s", here[i]);
    return err_set(note, ERR_UNSUPPORTED,
                   "proof of compute has no instruction set '%s' on this "
                   "machine; it has: %s",
                   isa, known);
}

static uint64_t input_size(const struct poc_params *p)
{
    return (uint64_t)p->seq_len * p->dim;
}

static enum err check(const struct poc_settings *s, struct err_note *note)
{
    enum err rc = poc_params_check(&s->params, note);
    if (rc != ERR_OK)
        return rc;
    if (!(s->pool_fraction >= 0 && s->pool_fraction <= 1))
        return err_set(note, ERR_LIMIT, "pool_fraction is %g; it must be 0 (in sequence) to 1",
                       s->pool_fraction);
    if (strlen(s->block_hash) > CHAIN_KEY_MAX)
        return err_set(note, ERR_LIMIT, "block_hash is longer than %d bytes", CHAIN_KEY_MAX);
    if (s->n_threads < 1 || s->n_batch < 1)
        return err_set(note, ERR_LIMIT, "threads (%d) and batch (%u) must be 1 and up",
                       s->n_threads, s->n_batch);
    const struct wide_ops *ops;
    return s->profile == POC_EXACT ? poc_exact_check(&s->params, s->pool_fraction, s->isa, note)
                                   : ops_named(s->isa, &ops, note);
}

static void count_exact(const struct poc_settings *s, struct poc_need *need)
{
    uint64_t one = poc_exact_bytes(&s->params, s->n_threads, 1);
    uint64_t two = poc_exact_bytes(&s->params, s->n_threads, 2);
    need->n_weights = exact_weights_bytes(&s->params, s->pool_fraction);
    need->n_fixed += 2 * one - two;
    need->n_nonce += two - one;
}

static void count_compatible(const struct poc_settings *s, const struct wide_ops *ops,
                             struct poc_need *need)
{
    const struct poc_params *p = &s->params;
    uint64_t n_held = poc_weights_held(p, s->pool_fraction);
    need->n_weights = n_held * sizeof(uint16_t);
    if (!ops) {
        need->n_fixed += (uint64_t)s->n_threads * poc_forward_bytes(p);
        return;
    }
    /* By whole panels of nonces, so that it grows evenly. */
    uint64_t one = poc_wide_bytes(p, n_held, ops, s->n_threads, ops->panel);
    uint64_t two = poc_wide_bytes(p, n_held, ops, s->n_threads, 2 * ops->panel);
    need->n_nonce += (two - one) / ops->panel;
    need->n_fixed += 2 * one - two;
}

enum err poc_compute_need(const struct poc_settings *s, struct poc_need *need,
                          struct err_note *note)
{
    enum err rc = check(s, note);
    if (rc != ERR_OK)
        return rc;
    const struct poc_params *p = &s->params;
    const struct wide_ops *ops = NULL;
    *need = (struct poc_need){
        .n_fixed = p->vocab_size * sizeof(double),
        .n_nonce = sizeof(struct desk) + 2 * sizeof(void *) + input_size(p) * sizeof(uint16_t) +
                   p->vocab_size * (sizeof(uint32_t) + sizeof(float)),
    };
    if (s->profile == POC_EXACT)
        count_exact(s, need);
    else if ((rc = ops_named(s->isa, &ops, note)) == ERR_OK)
        count_compatible(s, ops, need);
    return rc;
}

static enum err check_room(const struct poc_settings *s, struct err_note *note)
{
    struct poc_need need;
    enum err rc = poc_compute_need(s, &need, note);
    if (rc != ERR_OK)
        return rc;
    struct mem_room room = mem_room_find();
    need.n_fixed += s->held ? 0 : need.n_weights;
    if (need.n_fixed > room.n_bytes || (room.n_bytes - need.n_fixed) / need.n_nonce < s->n_batch)
        return err_set(note, ERR_MEMORY,
                       "the random model needs %.2f GiB, with %.2f MiB for each "
                       "of %u nonces at once, and %.2f GiB are free (%s)",
                       (double)need.n_fixed * 0x1p-30, (double)need.n_nonce * 0x1p-20, s->n_batch,
                       (double)room.n_bytes * 0x1p-30, room.from);
    return ERR_OK;
}

static bool desk_open(struct desk *d, const struct poc_params *p)
{
    d->input = mem_array(input_size(p), sizeof *d->input);
    d->order = mem_array(p->vocab_size, sizeof *d->order);
    d->logits = mem_array(p->vocab_size, sizeof *d->logits);
    return d->input && d->order && d->logits;
}

/* The memory of the batch, and its threads. */
static enum err take(struct poc_compute *c, const struct poc_settings *s, struct err_note *note)
{
    c->threads = threads_new(s->n_threads);
    c->target = mem_array(s->params.vocab_size, sizeof *c->target);
    c->desks = mem_array(s->n_batch, sizeof *c->desks);
    c->forwards = mem_array((size_t)s->n_threads, sizeof *c->forwards);
    c->inputs = mem_array(s->n_batch, sizeof *c->inputs);
    c->logits = mem_array(s->n_batch, sizeof *c->logits);
    bool taken = c->threads && c->target && c->desks && c->forwards && c->inputs && c->logits;
    for (uint32_t i = 0; taken && i < s->n_batch; i++, c->n_batch++) {
        taken = desk_open(&c->desks[i], &s->params);
        c->inputs[i] = c->desks[i].input;
        c->logits[i] = c->desks[i].logits;
    }
    if (!taken)
        return err_set(note, ERR_MEMORY, "no memory for %u nonces at once on %d threads",
                       s->n_batch, s->n_threads);
    return ERR_OK;
}

static enum err hold(struct poc_compute *c, const struct poc_settings *s, struct err_note *note)
{
    if (s->held) {
        CHECK(strcmp(s->held->block_hash, s->block_hash) == 0 && s->held->profile == s->profile &&
              poc_n_values(&s->held->params) == poc_n_values(&s->params) &&
              s->held->pool_fraction == s->pool_fraction);
        c->held = s->held;
        atomic_fetch_add(&c->held->n_users, 1);
        return ERR_OK;
    }
    c->held = mem_zalloc(sizeof *c->held);
    if (!c->held)
        return err_set(note, ERR_MEMORY, "no memory for weights");
    memcpy(c->held->block_hash, c->block_hash, sizeof c->block_hash);
    c->held->params = s->params;
    c->held->profile = s->profile;
    c->held->pool_fraction = s->pool_fraction;
    atomic_init(&c->held->n_users, 1);
    return s->profile == POC_EXACT
               ? exact_weights_open(&c->held->exact, &s->params, s->block_hash, s->pool_fraction,
                                    c->threads, note)
               : poc_weights_open(&c->held->weights, &s->params, s->block_hash, s->pool_fraction,
                                  c->threads, note);
}

struct poc_held *poc_compute_hold(struct poc_compute *c)
{
    atomic_fetch_add(&c->held->n_users, 1);
    return c->held;
}

void poc_held_release(struct poc_held *held)
{
    if (!held || atomic_fetch_sub(&held->n_users, 1) > 1)
        return;
    poc_weights_close(&held->weights);
    exact_weights_close(&held->exact);
    mem_free(held);
}

static enum err open_exact(struct poc_compute *c, const struct poc_settings *s,
                           struct err_note *note)
{
    enum err rc =
        poc_exact_open(&c->exact, &c->held->exact, s->isa, c->threads, s->n_batch, note);
    c->isa = rc == ERR_OK ? poc_exact_isa(c->exact) : NULL;
    return rc;
}

static enum err open_compatible(struct poc_compute *c, const struct poc_settings *s,
                                struct err_note *note)
{
    const struct wide_ops *ops;
    enum err rc = ops_named(s->isa, &ops, note);
    c->isa = ops ? ops->isa : "scalar";
    if (rc == ERR_OK && ops)
        rc = poc_wide_open(&c->wide, &c->held->weights, ops, c->threads, s->n_batch, note);
    for (int i = 0; rc == ERR_OK && !ops && i < s->n_threads; i++) {
        rc = poc_forward_open(&c->forwards[i], &c->held->weights, note);
        c->n_forwards += rc == ERR_OK;
    }
    return rc;
}

enum err poc_compute_open(struct poc_compute **out, const struct poc_settings *s,
                          struct err_note *note)
{
    *out = NULL;
    enum err rc = check_room(s, note);
    if (rc != ERR_OK)
        return rc;
    struct poc_compute *c = mem_zalloc(sizeof *c);
    if (!c)
        return err_set(note, ERR_MEMORY, "no memory for proof of compute");
    memcpy(c->block_hash, s->block_hash, strlen(s->block_hash));
    c->params = s->params;
    rc = take(c, s, note);
    rc = rc ? rc : hold(c, s, note);
    if (rc == ERR_OK)
        rc = s->profile == POC_EXACT ? open_exact(c, s, note) : open_compatible(c, s, note);
    if (rc != ERR_OK) {
        poc_compute_close(c);
        return rc;
    }
    poc_target(s->params.vocab_size, c->block_hash, c->target);
    *out = c;
    return ERR_OK;
}

void poc_compute_close(struct poc_compute *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n_forwards; i++)
        poc_forward_close(&c->forwards[i]);
    for (uint32_t i = 0; c->desks && i < c->n_batch; i++) {
        mem_free(c->desks[i].input);
        mem_free(c->desks[i].order);
        mem_free(c->desks[i].logits);
    }
    mem_free(c->forwards);
    poc_wide_close(c->wide);
    poc_exact_close(c->exact);
    mem_free(c->inputs);
    mem_free(c->logits);
    mem_free(c->desks);
    mem_free(c->target);
    poc_held_release(c->held);
    if (c->threads)
        threads_free(c->threads);
    mem_free(c);
}

const char *poc_compute_isa(const struct poc_compute *c)
{
    return c->isa;
}

/* One batch. */
struct job {
    struct poc_compute *c;
    const char *public_key;
    const uint64_t *nonces;
    double *dist;
};

static void draw(void *context, size_t i, int worker)
{
    (void)worker;
    struct job *job = context;
    struct poc_compute *c = job->c;
    const struct poc_params *p = &c->params;
    struct desk *d = &c->desks[i];
    poc_input(p, c->block_hash, job->public_key, job->nonces[i], d->input);
    poc_order(p->vocab_size, c->block_hash, job->public_key, job->nonces[i], d->order);
}

static void forward_plainly(void *context, size_t i, int worker)
{
    struct poc_compute *c = ((struct job *)context)->c;
    poc_forward_run(&c->forwards[worker], c->desks[i].input, c->desks[i].logits);
}

static void measure(void *context, size_t i, int worker)
{
    (void)worker;
    struct job *job = context;
    struct poc_compute *c = job->c;
    job->dist[i] =
        poc_distance(c->params.vocab_size, c->desks[i].logits, c->desks[i].order, c->target);
}

static void batch_run(struct job *job, uint32_t n)
{
    struct poc_compute *c = job->c;
    threads_run(c->threads, n, draw, job);
    if (c->exact)
        poc_exact_run(c->exact, n, c->inputs, c->logits);
    else if (c->wide)
        poc_wide_run(c->wide, n, c->inputs, c->logits);
    else
        threads_run(c->threads, n, forward_plainly, job);
    threads_run(c->threads, n, measure, job);
}

enum err poc_compute_run(struct poc_compute *c, const char *public_key, const uint64_t *nonces,
                         size_t n, double *dist, poc_watch_fn *watch, void *context,
                         struct err_note *note)
{
    if (strlen(public_key) > CHAIN_KEY_MAX)
        return err_set(note, ERR_LIMIT, "public_key is longer than %d bytes", CHAIN_KEY_MAX);
    for (size_t at = 0; at < n;) {
        size_t n_now = n - at < c->n_batch ? n - at : c->n_batch;
        struct job job = {c, public_key, nonces + at, dist + at};
        batch_run(&job, (uint32_t)n_now);
        at += n_now;
        if (watch && !watch(context, at))
            return err_set(note, ERR_CANCELLED, "stopped after %zu of %zu nonces", at, n);
    }
    return ERR_OK;
}
