/* desk.c - steps over the store: jobs, nonces, checks, deliveries. */
#include "node/desk.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

struct desk_check_open {
    int64_t id, epoch;
    struct validated_batch v;
    size_t n_given, n_done;
};

struct courier {
    int64_t job; /* 0: free */
    bool is_out; /* with a delivery */
    unsigned n_failed;
    uint64_t due_ms;
};

struct desk {
    struct desk_options options;
    struct claims *store;
    int64_t job;
    enum poc_phase phase;
    struct init_request request;
    struct nonce_walk walks[DESK_GROUPS_MAX];
    struct desk_check_open checks[DESK_CHECKS_OPEN_MAX]; /* id 0: free */
    int64_t last_check, epoch;
    struct courier couriers[DESK_COURIERS];
    struct desk_stats stats;
};

static void add_lost(struct desk *d, const struct claims_lost *lost)
{
    d->stats.lost.n_claims += lost->n_claims;
    d->stats.lost.n_checks += lost->n_checks;
    d->stats.lost.n_results += lost->n_results;
}

/* ---- jobs --------------------------------------------------------------------------------- */

static void close_check(struct desk_check_open *c)
{
    validated_batch_release(&c->v);
    *c = (struct desk_check_open){0};
}

static void close_checks(struct desk *d)
{
    for (size_t i = 0; i < DESK_CHECKS_OPEN_MAX; i++)
        close_check(&d->checks[i]);
}

/* Every group's walk: from its beginning, or from where the store has it. */
static enum err find_walks(struct desk *d, struct err_note *note)
{
    const struct init_request *r = &d->request;
    enum err rc = ERR_OK;
    if (r->node_id == -1 || r->node_count == -1)
        return ERR_OK;
    for (size_t i = 0; i < d->options.n_groups && !rc; i++) {
        rc = nonce_walk_init(&d->walks[i], r->node_id, r->node_count, (int64_t)i,
                             (int64_t)d->options.n_groups, note);
        rc = rc ? rc : claims_walk(d->store, d->job, (int64_t)i, (int64_t)d->options.n_groups,
                                   &d->walks[i].next, note);
    }
    return rc;
}

static enum err resume(struct desk *d, struct err_note *note)
{
    struct buf text;
    int phase = PHASE_IDLE;
    buf_init(&text, INIT_TEXT_BYTES_MAX);
    enum err rc = claims_current(d->store, &d->job, &phase, &text, note);
    if (!rc && d->job) {
        rc = init_request_read(&d->request, (struct str){text.bytes, text.n_bytes}, note);
        d->phase = phase == PHASE_GENERATE || phase == PHASE_VALIDATE ? (enum poc_phase)phase
                                                                      : PHASE_IDLE;
        rc = rc ? rc : find_walks(d, note);
    }
    buf_release(&text);
    return rc;
}

enum err desk_open(const struct desk_options *options, struct desk **out, struct err_note *note)
{
    CHECK(options->n_groups >= 1 && options->n_groups <= DESK_GROUPS_MAX);
    *out = NULL;
    struct desk *d = mem_zalloc(sizeof *d);
    if (!d)
        return err_set(note, ERR_MEMORY, "no memory for the queues");
    d->options = *options;
    enum err rc = claims_open(options->path, &options->limits, &d->store, note);
    rc = rc ? rc : resume(d, note);
    if (rc)
        desk_close(d);
    else
        *out = d;
    return rc;
}

void desk_close(struct desk *d)
{
    if (!d)
        return;
    close_checks(d);
    claims_close(d->store);
    mem_free(d);
}

int64_t desk_job(const struct desk *d)
{
    return d->job;
}

enum poc_phase desk_phase(const struct desk *d)
{
    return d->phase;
}

const struct init_request *desk_request(const struct desk *d)
{
    return &d->request;
}

static enum err begin(struct desk *d, const struct init_request *r, enum poc_phase phase,
                      int64_t now_s, struct err_note *note)
{
    struct claims_lost lost;
    struct buf text;
    buf_init(&text, INIT_TEXT_BYTES_MAX);
    init_request_write(r, &text);
    enum err rc = text.failed ? err_set(note, ERR_LIMIT, "the request is too long")
                              : claims_begin(d->store, (struct str){text.bytes, text.n_bytes},
                                             phase, now_s, &d->job, &lost, note);
    buf_release(&text);
    if (rc)
        return rc;
    add_lost(d, &lost);
    close_checks(d);
    d->request = *r;
    d->phase = phase;
    return find_walks(d, note);
}

enum err desk_init(struct desk *d, const struct init_request *r, enum poc_phase phase,
                   int64_t now_s, struct err_note *note)
{
    if (d->job && init_request_equal(&d->request, r))
        return desk_set_phase(d, phase, note);
    return begin(d, r, phase, now_s, note);
}

enum err desk_set_phase(struct desk *d, enum poc_phase phase, struct err_note *note)
{
    enum err rc = d->phase == phase ? ERR_OK : claims_set_phase(d->store, d->job, phase, note);
    if (!rc)
        d->phase = phase;
    return rc;
}

enum err desk_stop(struct desk *d, int64_t now_s, struct err_note *note)
{
    struct claims_lost lost;
    enum err rc = claims_end(d->store, now_s, &lost, note);
    if (rc)
        return rc;
    add_lost(d, &lost);
    close_checks(d);
    d->job = 0;
    d->phase = PHASE_IDLE;
    return ERR_OK;
}

enum err desk_forget(struct desk *d, int64_t now_s, struct err_note *note)
{
    struct claims_lost lost;
    enum err rc = claims_forget(d->store, now_s - d->options.keep_s, &lost, note);
    if (!rc)
        add_lost(d, &lost);
    return rc;
}

enum err desk_stats(struct desk *d, struct desk_stats *stats, struct err_note *note)
{
    enum err rc = claims_count(d->store, &d->stats.waiting, note);
    *stats = d->stats;
    return rc;
}

/* ---- checks ------------------------------------------------------------------------------- */

static enum err check_batch(const struct desk *d, const struct proof_batch *b,
                            struct err_note *note)
{
    const struct init_request *r = &d->request;
    if (strcmp(b->block_hash, r->block_hash) != 0 || b->block_height != r->block_height)
        return err_set(note, ERR_FORMAT, "the batch is of block %.100s, height %" PRId64
                       "; this node works on %.100s, %" PRId64, b->block_hash, b->block_height,
                       r->block_hash, r->block_height);
    for (size_t i = 0; i < b->n; i++)
        if (!(b->claims[i].dist < r->r_target))
            return err_set(note, ERR_FORMAT, "nonce %" PRIu64 ": its distance %.17g is not under "
                           "r_target %.17g", b->claims[i].nonce, b->claims[i].dist, r->r_target);
    return ERR_OK;
}

enum err desk_check(struct desk *d, const struct proof_batch *b, struct err_note *note)
{
    struct buf text;
    if (!d->job)
        return err_set(note, ERR_NOT_FOUND, "PoW is not running");
    enum err rc = check_batch(d, b, note);
    if (rc)
        return rc;
    buf_init(&text, PROOF_TEXT_BYTES_MAX);
    proof_batch_write(b, &text);
    rc = text.failed ? err_set(note, ERR_MEMORY, "no memory for the batch")
                     : claims_add_check(d->store, d->job,
                                        (struct str){text.bytes, text.n_bytes}, b->n, note);
    buf_release(&text);
    return rc;
}

static enum err finish_check(struct desk *d, struct desk_check_open *c, struct err_note *note)
{
    struct claims_lost lost;
    struct buf text;
    enum err rc = validated_batch_judge(&c->v, note);
    if (rc)
        return rc;
    buf_init(&text, 2 * PROOF_TEXT_BYTES_MAX);
    validated_batch_write(&c->v, &text);
    rc = text.failed ? err_set(note, ERR_MEMORY, "no memory for a result")
                     : claims_checked(d->store, c->id, (struct str){text.bytes, text.n_bytes},
                                      &lost, note);
    buf_release(&text);
    if (rc)
        return rc;
    add_lost(d, &lost);
    d->stats.n_validated++;
    d->stats.n_fraud += c->v.verdict.fraud;
    close_check(c);
    return ERR_OK;
}

static enum err load_check(struct desk *d, struct desk_check_open *c, int64_t id, struct str body,
                           struct err_note *note)
{
    enum err rc = proof_batch_read(&c->v.claimed, body, note);
    if (rc)
        return rc;
    c->v.found = mem_array(c->v.claimed.n, sizeof c->v.found[0]);
    if (!c->v.found) {
        close_check(c);
        return err_set(note, ERR_MEMORY, "no memory to validate a batch");
    }
    c->id = id;
    c->epoch = ++d->epoch;
    c->v.exact = d->options.exact;
    c->v.r_target = d->request.r_target;
    c->v.fraud_threshold = d->request.fraud_threshold;
    rc = c->v.claimed.n ? ERR_OK : finish_check(d, c, note);
    if (rc)
        close_check(c);
    return rc;
}

/* An open check with nonces to give, the oldest first; *out NULL: there is none. */
static enum err find_check(struct desk *d, struct desk_check_open **out, struct err_note *note)
{
    *out = NULL;
    for (;;) {
        struct desk_check_open *empty = NULL;
        for (size_t i = 0; i < DESK_CHECKS_OPEN_MAX; i++) {
            struct desk_check_open *c = &d->checks[i];
            if (!c->id)
                empty = c;
            else if (c->n_given < c->v.claimed.n && (!*out || c->id < (*out)->id))
                *out = c;
        }
        if (*out || !empty)
            return ERR_OK;
        int64_t id;
        struct buf body;
        buf_init(&body, PROOF_TEXT_BYTES_MAX);
        enum err rc = claims_next_check(d->store, d->job, d->last_check, &id, &body, note);
        if (!rc && id)
            rc = load_check(d, empty, id, (struct str){body.bytes, body.n_bytes}, note);
        buf_release(&body);
        if (rc || !id)
            return rc;
        d->last_check = id;
    }
}

/* ---- nonces ------------------------------------------------------------------------------- */

static enum err take_check(struct desk *d, size_t n_max, struct desk_work *w,
                           struct err_note *note)
{
    struct desk_check_open *c;
    enum err rc = find_check(d, &c, note);
    if (rc || !c)
        return rc;
    const struct proof_batch *b = &c->v.claimed;
    w->kind = WORK_CHECK;
    w->check = c->id;
    w->epoch = c->epoch;
    w->first = c->n_given;
    w->n = b->n - c->n_given < n_max ? b->n - c->n_given : n_max;
    memcpy(w->public_key, b->public_key, sizeof w->public_key);
    for (size_t i = 0; i < w->n; i++)
        w->nonces[i] = b->claims[w->first + i].nonce;
    c->n_given += w->n;
    return ERR_OK;
}

static void take_nonces(struct desk *d, size_t group, size_t n_max, struct desk_work *w)
{
    struct nonce_walk *walk = &d->walks[group];
    w->kind = WORK_GENERATE;
    w->n = n_max;
    memcpy(w->public_key, d->request.public_key, sizeof w->public_key);
    w->before = walk->next;
    for (size_t i = 0; i < n_max; i++)
        w->nonces[i] = nonce_walk_next(walk);
    w->next = walk->next;
}

enum err desk_take(struct desk *d, size_t group, size_t n_max, struct desk_work *w,
                   struct err_note *note)
{
    CHECK(group < d->options.n_groups && n_max > 0);
    w->kind = WORK_NONE;
    w->job = d->job;
    w->group = group;
    w->n = 0;
    if (!d->job)
        return ERR_OK;
    if (d->phase == PHASE_VALIDATE)
        return take_check(d, n_max, w, note);
    /* Nonces end before the signed numbers of JSON do. */
    if (d->phase == PHASE_GENERATE && d->walks[group].next < (uint64_t)1 << 62)
        take_nonces(d, group, n_max, w);
    return ERR_OK;
}

static struct desk_check_open *check_of(struct desk *d, const struct desk_work *w)
{
    for (size_t i = 0; i < DESK_CHECKS_OPEN_MAX; i++)
        if (d->checks[i].id == w->check && d->checks[i].epoch == w->epoch)
            return &d->checks[i];
    return NULL;
}

/* Of an earlier job too: its claims stand, whoever works on what meanwhile. */
static enum err add_claims(struct desk *d, const struct desk_work *w, const double *dist,
                           size_t *n_valid, struct err_note *note)
{
    struct claims_lost lost;
    struct init_request earlier;
    struct buf text;
    double r_target = d->request.r_target;
    enum err rc = ERR_OK;
    if (w->job != d->job) {
        buf_init(&text, INIT_TEXT_BYTES_MAX);
        rc = claims_request(d->store, w->job, &text, note);
        rc = rc ? rc : init_request_read(&earlier, (struct str){text.bytes, text.n_bytes}, note);
        buf_release(&text);
        r_target = earlier.r_target;
    }
    struct claim *claims = rc ? NULL : mem_array(w->n, sizeof claims[0]);
    if (!rc && !claims)
        rc = err_set(note, ERR_MEMORY, "no memory for %zu claims", w->n);
    if (rc)
        return rc;
    for (size_t i = 0; i < w->n; i++)
        claims[i] = (struct claim){w->nonces[i], dist[i]};
    *n_valid = claims_under(claims, w->n, r_target);
    rc = claims_add(d->store, w->job, (int64_t)w->group, (int64_t)d->options.n_groups, w->next,
                    (struct str){(const char *)claims, *n_valid * sizeof claims[0]}, *n_valid,
                    &lost, note);
    mem_free(claims);
    if (rc)
        return rc;
    add_lost(d, &lost);
    d->stats.n_generated += *n_valid;
    return ERR_OK;
}

enum err desk_done(struct desk *d, const struct desk_work *w, const double *dist, size_t *n_valid,
                   struct err_note *note)
{
    *n_valid = 0;
    if (w->kind == WORK_GENERATE)
        return add_claims(d, w, dist, n_valid, note);
    struct desk_check_open *c = check_of(d, w);
    if (!c)
        return ERR_OK; /* its job ended */
    memcpy(c->v.found + w->first, dist, w->n * sizeof dist[0]);
    c->n_done += w->n;
    return c->n_done < c->v.claimed.n ? ERR_OK : finish_check(d, c, note);
}

void desk_give_back(struct desk *d, const struct desk_work *w)
{
    if (w->kind == WORK_GENERATE && w->job == d->job && d->walks[w->group].next == w->next)
        d->walks[w->group].next = w->before;
    struct desk_check_open *c = w->kind == WORK_CHECK ? check_of(d, w) : NULL;
    if (c) { /* from its beginning; what others hold of it comes too late */
        c->epoch = ++d->epoch;
        c->n_given = c->n_done = 0;
    }
}

/* ---- deliveries --------------------------------------------------------------------------- */

uint64_t desk_retry_ms(unsigned n_failed)
{
    CHECK(n_failed > 0);
    return (uint64_t)1000 << (n_failed < 7 ? n_failed - 1 : 6);
}

/* The job's own, else a free one, else one that waits for an older job; NULL: all are out. */
static struct courier *courier_of(struct desk *d, int64_t job, uint64_t now_ms)
{
    struct courier *empty = NULL;
    for (size_t i = 0; i < DESK_COURIERS; i++) {
        struct courier *c = &d->couriers[i];
        if (c->job == job)
            return c;
        if (!c->is_out && c->job < (empty ? empty->job : job))
            empty = c;
    }
    if (empty)
        *empty = (struct courier){.job = job, .due_ms = now_ms};
    return empty;
}

/* Whose job owes nothing any more, and who waits for nothing, is free for another. */
static void free_couriers(struct desk *d, const int64_t *jobs, size_t n, uint64_t now_ms)
{
    for (size_t i = 0; i < DESK_COURIERS; i++) {
        bool owes = false;
        for (size_t j = 0; j < n; j++)
            owes |= d->couriers[i].job == jobs[j];
        if (!owes && !d->couriers[i].is_out && d->couriers[i].due_ms <= now_ms)
            d->couriers[i].job = 0;
    }
}

static enum err write_claims(const struct init_request *r, const struct buf *bytes,
                             struct desk_delivery *out, struct err_note *note)
{
    struct proof_batch b = {.block_height = r->block_height, .node_id = r->node_id};
    memcpy(b.public_key, r->public_key, sizeof b.public_key);
    memcpy(b.block_hash, r->block_hash, sizeof b.block_hash);
    b.claims = (struct claim *)bytes->bytes;
    b.n = bytes->n_bytes / sizeof b.claims[0];
    enum err rc = claims_merge(b.claims, &b.n, note);
    if (!rc)
        proof_batch_write(&b, &out->body);
    return rc;
}

/* What a job owes: its claims, then its results. *found false: nothing. */
static enum err load_delivery(struct desk *d, int64_t job, struct desk_delivery *out, bool *found,
                              struct err_note *note)
{
    struct init_request r;
    struct buf text, bytes;
    uint64_t n = 0;
    buf_init(&text, INIT_TEXT_BYTES_MAX);
    buf_init(&bytes, (size_t)PROOF_NONCES_MAX * sizeof(struct claim));
    enum err rc = claims_request(d->store, job, &text, note);
    rc = rc ? rc : init_request_read(&r, (struct str){text.bytes, text.n_bytes}, note);
    if (!rc)
        rc = claims_oldest(d->store, job, d->options.n_send_max, &bytes, &n, &out->last, note);
    if (!rc && n > 0) {
        out->is_full = n >= d->options.n_send_max;
        rc = write_claims(&r, &bytes, out, note);
    } else if (!rc) {
        out->is_result = true;
        rc = claims_oldest_result(d->store, job, &out->body, &out->last, note);
    }
    buf_release(&text);
    buf_release(&bytes);
    if (!rc && out->body.failed)
        rc = err_set(note, ERR_MEMORY, "no memory to send what was computed");
    *found = !rc && out->last != 0;
    if (*found)
        snprintf(out->url, sizeof out->url, "%s/%s", r.url,
                 out->is_result ? "validated" : "generated");
    return rc;
}

bool desk_deliver(struct desk *d, uint64_t now_ms, struct desk_delivery *out,
                  struct err_note *note)
{
    int64_t jobs[DESK_COURIERS];
    size_t n;
    if (claims_owing(d->store, jobs, DESK_COURIERS, &n, note))
        return false;
    free_couriers(d, jobs, n, now_ms);
    for (size_t i = 0; i < n; i++) {
        struct courier *c = courier_of(d, jobs[i], now_ms);
        bool found = false;
        if (!c || c->is_out || c->due_ms > now_ms)
            continue;
        *out = (struct desk_delivery){.job = jobs[i]};
        buf_init(&out->body, 2 * PROOF_TEXT_BYTES_MAX);
        enum err rc = load_delivery(d, jobs[i], out, &found, note);
        if (found) {
            c->is_out = true;
            return true;
        }
        buf_release(&out->body);
        if (rc) { /* not at every turn */
            c->due_ms = now_ms + desk_retry_ms(++c->n_failed);
            return false;
        }
    }
    return false;
}

enum err desk_delivered(struct desk *d, const struct desk_delivery *x, bool arrived,
                        uint64_t now_ms, struct err_note *note)
{
    struct courier *c = courier_of(d, x->job, now_ms);
    enum err rc = ERR_OK;
    if (arrived)
        rc = x->is_result ? claims_sent_result(d->store, x->last, note)
                          : claims_sent(d->store, x->job, x->last, note);
    if (!c)
        return rc;
    c->is_out = false;
    if (!arrived || rc) {
        c->due_ms = now_ms + desk_retry_ms(++c->n_failed);
    } else {
        c->n_failed = 0;
        c->due_ms = x->is_result || x->is_full ? now_ms : now_ms + d->options.interval_ms;
    }
    return rc;
}
