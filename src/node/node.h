/* node.h - a node of the proof of compute's chain: its HTTP API over the groups that compute.
 *
 * One thread serves the API, some send results, one computes for each group. What was asked for
 * and what is owed lies in a store: a node that is killed goes on where it stood. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "node/callback.h"

struct node_options {
    const char *host;
    uint16_t port; /* 0: any free one */
    const char *tls_cert, *tls_key;
    const char *const *hosts; /* [n_hosts] names besides loopback's that Host may have */
    size_t n_hosts;
    const char *data;   /* the store's file */
    const char *signer; /* base64; requests must be signed by it; or NULL */
    bool compat_open;   /* as the chain's nodes: phases and stops are anybody's */
    struct callback_hosts callbacks;
    uint64_t n_group_bytes_min; /* cores form groups of so much memory; 0: n_groups of them */
    uint32_t n_groups, n_threads; /* 0: one; 0: every core that may be used */
    uint32_t n_batch;       /* 0: as memory allows */
    uint64_t interval_ms;   /* between deliveries */
    double pool_fraction;
    bool exact; /* profile: for networks whose every node has it */
    const char *isa; /* NULL: the best */
    /* Told one line at a time, from any thread. */
    void (*say)(void *context, const char *line);
    void *context;
};

/* node_run - serves until SIGINT or SIGTERM. ERR_USAGE: the options would serve strangers. */
enum err node_run(const struct node_options *o, struct err_note *note);

#endif
