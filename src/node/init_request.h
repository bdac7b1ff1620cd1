/* init_request.h - what the chain asks of a node: a block, who asks, which model, where results go.
 */
#ifndef NODE_INIT_REQUEST_H
#define NODE_INIT_REQUEST_H

#include "node/proof_batch.h"
#include "poc/params.h"

enum { INIT_URL_BYTES = 1024, INIT_TEXT_BYTES_MAX = 64 << 10 };

struct init_request {
    char block_hash[PROOF_NAME_BYTES], public_key[PROOF_NAME_BYTES];
    char url[INIT_URL_BYTES];  /* results go to URL/generated and URL/validated */
    int64_t node_id, node_count; /* -1: not said */
    int64_t block_height, batch_size; /* batch_size: the node takes its own */
    double r_target, fraud_threshold;
    struct poc_params params;
};

/* Fields that are not known are let by, as the chain's nodes let them. ERR_FORMAT, ERR_LIMIT. */
enum err init_request_read(struct init_request *r, struct str text, struct err_note *note);
void init_request_write(const struct init_request *r, struct buf *out);
bool init_request_equal(const struct init_request *a, const struct init_request *b);

/* An object of parameters; absent fields are those of the set "default", as the chain's nodes have
 * them. poc_params_check is part of it. */
enum err params_read(struct poc_params *p, const json_t *object, struct err_note *note);

#endif
