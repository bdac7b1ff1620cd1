/* pow.h - requests of proof of compute, version 2, as vLLM's plug-in takes them. */
#ifndef API_POW_H
#define API_POW_H

#include "api/fields.h"

enum {
    POW_NONCES_MAX = 100000,
    POW_KEY_BYTES_MAX = 512, /* of block_hash and public_key each */
    POW_URL_BYTES_MAX = 1024,
};

/* /api/v1/pow/: init/generate has no nonces, generate has. */
struct api_pow {
    json_t *root; /* what texts point into */
    struct str block_hash, public_key, model, url; /* ended by a NUL; url "": none */
    int64_t block_height, node_id, node_count, group_id, n_groups, batch_size;
    uint32_t seq_len, k_dim;
    bool stronger, wait, validates;
    uint64_t *nonces; /* [n] each once, in the order of the request */
    const char **claims; /* [n] with validates: what was published of each */
    size_t n;
    double dist_threshold, p_mismatch, p_threshold;
    /* What texts and values are read into first. */
    const json_t *values[10];
};

/* false with e filled; to be released in any case. What is more than POW_NONCES_MAX is 429. */
bool api_pow_parse(bool has_nonces, struct str body, struct api_pow *r, struct api_error *e);
void api_pow_release(struct api_pow *r);

/* Whether a path is one of these, at a node or behind the network's fan-out. */
bool pow_is_path(struct str path);

#endif
