/* pow_int.h - proof of compute, version 2, at the front: what pow*.c share.
 *
 * A JOB is a request for some nonces, the GENERATION goes on until it is stopped. Both are cut into
 * CHUNKS, calls to the model's worker behind everything that clients wait for. Jobs come first, in
 * order; the generation has what they leave. All of it lives here: a worker that dies takes nothing
 * along but the chunks it was at, which are given out again. */
#ifndef SERVER_POW_INT_H
#define SERVER_POW_INT_H

#include "api/pow.h"
#include "poc/artifact.h"
#include "poc/proof.h"
#include "node/signature.h"
#include "server/front_int.h"
#include "server/pow_sender.h"

enum {
    POW_CHUNK_NONCES = 8, /* at most; as many as take a second or so */
    POW_CHUNKS = 2,     /* with workers at once: one is computed, one is made */
    POW_CHUNK_TRIES = 3, /* workers that may die of one */
    POW_RESULT_S = 300,  /* an ended job is remembered */
    POW_WAIT_S_MAX = 600, /* a client waits so long for the next nonce */
    POW_KEPT_NONCES_MAX = 1000000, /* of ended jobs; the oldest are forgotten earlier */
};

enum pow_state { POW_QUEUED, POW_RUNNING, POW_COMPLETED, POW_FAILED, POW_CANCELLED };

struct pow_job {
    struct pow_job *next;
    char id[40];
    struct api_pow r;
    struct process *process;
    struct key *key;
    struct http_exchange *x; /* who waits; NULL: nobody, or no more */
    enum pow_state state;
    size_t n_given, n_done; /* to workers; known */
    size_t text_bytes;      /* of an artifact and its NUL */
    char *texts;            /* [n, text_bytes] "": none */
    uint64_t progress_ns, ended_ns;
    struct buf result; /* of a completed job */
    char error[300];
};

struct pow_generation {
    bool active;
    struct api_pow r;
    struct process *process;
    struct key *key;
    struct nonce_walk walk;
    uint64_t epoch, begun_ns, n_done; /* epoch: which generation, from 1 on */
    /* For its url: what was not yet given to the sender. */
    struct pow_block *blocks, *last_block;
    size_t n_buffered;
    uint64_t sent_ns;
};

struct pow_chunk {
    struct pow_chunk *next, **link;
    struct pow *pow;
    struct pow_job *job; /* NULL: of the generation */
    struct ticket *ticket; /* NULL: it waits to be given out again */
    size_t first, n;     /* of the job's nonces */
    uint64_t nonces[POW_CHUNK_NONCES];
    unsigned n_tries;
    uint64_t given_ns;
};

struct pow {
    struct front *front;
    struct pow_job *jobs; /* those that have not ended, in order, and those that are remembered */
    struct pow_generation generation;
    struct pow_chunk *chunks;
    size_t n_chunks_out, n_nonces_queued;
    size_t n_chunk; /* nonces of the next chunk */
    struct pow_sender *sender;
    struct signer *signer; /* whose signature requests need; NULL: they need none */
    size_t n_dropped;      /* artifacts, not yet said */
};

/* pow.c */
bool pow_job_has_ended(const struct pow_job *j);
/* pow_add - j joins the line; it is the pow's from then on. */
void pow_add(struct pow *p, struct pow_job *j);
void pow_pump(struct pow *p);
/* pow_fail - j ends with an error, which whoever waits is told. */
void pow_fail(struct pow *p, struct pow_job *j, enum pow_state state, int status,
              const char *error);
void pow_leave(struct pow *p, struct pow_job *j); /* who waited has gone: nobody wants it */
void pow_begin_generation(struct pow *p);         /* of what generation holds */
void pow_end_generation(struct pow *p);
void pow_job_release(struct pow_job *j);

/* pow_report.c: what is sent. */
void pow_report_keep(struct pow *p, const struct pow_chunk *c, const json_t *texts);
void pow_report_end(struct pow *p); /* the generation ends: its last artifacts go out */
void pow_report_drop(struct pow_generation *g);
void pow_report_tick(struct pow *p, uint64_t now_ns);
void pow_report_job(struct pow *p, const struct pow_job *j); /* before its artifacts go */

/* pow_result.c: what jobs come to, as JSON. */
void pow_write_findings(struct writer *w, const struct pow_job *j); /* artifacts or verdict */
void pow_write_result(struct buf *out, const struct pow_job *j);
void pow_write_artifact(struct writer *w, uint64_t nonce, const char *text);
void pow_write_encoding(struct writer *w, uint32_t k_dim);

#endif
