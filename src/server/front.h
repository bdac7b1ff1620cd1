/* front.h - the process that owns sockets: admits requests and passes them to models' workers.
 *
 * It computes nothing and holds no model: a worker that crashes takes its own streams down (they
 * end with an error), is started again with growing delay, and leaves the others alone. */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "node/callback.h"
#include "server/receipts.h"

enum { FRONT_MODELS_MAX = 128, FRONT_BODY_BYTES_MAX = 64 << 20 };

struct front_model {
    char name[128]; /* what requests call it */
    const char *path;
};

struct front_options {
    const char *host;
    uint16_t port; /* 0: any free one */
    bool has_sockets; /* calls over WebSockets, on their own port; 0: any free one */
    uint16_t socket_port;
    const char *tls_cert, *tls_key;
    const char *const *hosts; /* [n_hosts] names besides loopback's that Host may have */
    size_t n_hosts;
    const char *const *origins; /* [n_origins] web pages from elsewhere that may use it */
    size_t n_origins;
    size_t n_body_bytes_max; /* 0: FRONT_BODY_BYTES_MAX */
    uint32_t n_connections_max;
    bool no_auth; /* serve another address than loopback's to everybody */
    bool log_requests; /* a line for each answer */
    bool log_prompts;  /* and before it the body of each POST, whole, as a JSON text */
    const char *keys; /* file of those who may use it (keys.h), read again on SIGHUP; or NULL */
    struct front_model models[FRONT_MODELS_MAX];
    size_t n_models;
    const char *models_dir;  /* what lies there is loaded on demand; or NULL */
    uint32_t n_idle_s;       /* unused for so long, it is unloaded; 0: never */
    uint64_t n_bytes_memory; /* of all models together; 0: no limit but the machine's */
    struct receipts_options receipts;
    bool poc;          /* proof of compute, version 2, on /api/v1/pow */
    bool poc_by_score; /* the order of its picks: enum artifact_order */
    struct callback_hosts poc_callbacks; /* where its results may be sent */
    const char *poc_signer; /* whose signature its requests need (node/signature.h), or NULL */
    const char *data; /* folder of what is kept: files and batches; NULL: nothing is */
    /* How a worker is started: program, then options that every worker gets; -m, --name and --fd
     * are added. NULL-ended. */
    const char *const *worker;
    /* Told one line at a time, for the operator. May be NULL. */
    void (*say)(void *context, const char *line);
    void *context;
};

/* front_run - serves until SIGINT or SIGTERM, then lets open requests finish (a second signal ends
 * them). ERR_USAGE: the options would serve strangers. */
enum err front_run(const struct front_options *o, struct err_note *note);

#endif
