/* node_int.h - what the files of a running node share.
 *
 * lock guards everything from desk on. The API's thread, the senders and the workers take it for
 * moments; nobody computes, draws weights or waits for a peer while holding it. */
#ifndef NODE_NODE_INT_H
#define NODE_NODE_INT_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "net/http_server.h"
#include "node/desk.h"
#include "node/groups.h"
#include "node/node.h"
#include "node/signature.h"
#include "poc/compute.h"
#include "poc/proof.h"

enum { NODE_BATCH_MAX = 64, NODE_LOG_S = 15 };

struct node;

/* What a worker did since its weights were drawn. */
struct tally {
    uint64_t n_checked, n_valid, begun_ms, told_ms;
};

struct node_worker {
    struct node *node;
    pthread_t thread;
    size_t group;
    cpu_set_t cores;
    int n_threads;
    int64_t job; /* whose weights it holds or draws; 0: none */
    bool ready;  /* they are drawn */
    /* Its thread's alone. */
    struct poc_compute *compute;
    struct tally tally;
    uint64_t nonces[NODE_BATCH_MAX];
    double dist[NODE_BATCH_MAX];
};

struct node {
    struct node_options options;
    struct event_base *loop;
    struct event *on_int, *on_term, *on_tick;
    struct http_server *server;
    struct signer *signer;
    atomic_bool stop;
    pthread_t senders[DESK_COURIERS]; /* so many deliveries may be under way */
    size_t n_senders, n_workers, n_started;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* something may be to do */
    pthread_cond_t vacant;  /* no sender looks for what is due */
    bool has_lookout;       /* one does, the others sleep or send */
    struct desk *desk;
    uint32_t n_batch;       /* of the current job */
    uint64_t n_bytes_held;  /* by all workers, while any holds weights */
    char failure[512];      /* why the last job could not be worked on; "": it could */
    struct claims_lost told; /* of what was lost, what was said */
    struct node_worker *workers; /* [n_workers] */
};

void node_say(struct node *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t node_now_ms(void);

/* node_settings - of a worker's compute. */
struct poc_settings node_settings(const struct node *n, const struct init_request *r,
                                  int n_threads, uint32_t n_batch);
/* node_fit - *n_batch: nonces at a time of each group, with the lock held. ERR_MEMORY: not one;
 * what poc_compute_need says. */
enum err node_fit(const struct node *n, const struct init_request *r, uint32_t *n_batch,
                  struct err_note *note);
/* node_tell_losses - says what the desk dropped since it was last said, with the lock held. */
void node_tell_losses(struct node *n);

/* Whose calls must be signed, where there is a signer. */
enum node_signing { NODE_OPEN, NODE_SIGNED, NODE_SIGNED_FROM_AFAR };
bool node_wants_signature(const struct node_options *o, enum node_signing signing,
                          const char *peer);

void *node_worker_main(void *worker);
void node_route(void *node, struct http_exchange *x);

#endif
