/* worker.h - the process that serves one model: frames in, frames out. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct worker_options {
    const char *path, *name, *template; /* the model, what it is called, its template or NULL */
    const char *tool_format; /* the form of calls of tools, by name, or NULL */
    const char *isa, *gpu, *profile; /* as in iso_engine_options */
    uint64_t n_bytes_gpu;
    uint32_t n_gpu_layers;
    int n_threads;
    uint32_t n_ctx, n_sessions, n_running, n_queue, n_kv_pages, n_chunk; /* 0: defaults */
    bool poc; /* proof of compute: nonces run in the gaps */
    bool receipts; /* name the weights' hash: it is known before requests come */
    bool receipt_logits; /* receipts commit to all logits */
    void (*say)(const char *text); /* a line for whoever runs the server */
    int fd; /* a socket to the front */
};

/* worker_run - serves until the front is gone. An error has been told to the front, too. */
enum err worker_run(const struct worker_options *o, struct err_note *note);

#endif
