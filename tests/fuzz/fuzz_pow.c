/* fuzz_pow.c - any bytes as the body of /api/v1/pow's calls. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/pow.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void look(const struct api_pow *r, bool has_nonces)
{
    CHECK(r->block_hash.len > 0 && strlen(r->block_hash.ptr) == r->block_hash.len);
    CHECK(r->public_key.len <= POW_KEY_BYTES_MAX && r->model.len > 0 && r->seq_len > 0);
    CHECK(r->k_dim >= 1 && r->node_count >= 1 && r->n_groups >= 1 && r->p_mismatch > 0);
    CHECK(r->n <= POW_NONCES_MAX && (has_nonces || !r->nonces));
    for (size_t i = 0; r->validates && i < r->n; i++)
        CHECK(r->claims[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str body = {(const char *)bytes, n_bytes};
    for (int has_nonces = 0; has_nonces < 2; has_nonces++) {
        struct api_pow r;
        struct api_error e = {0};
        if (api_pow_parse(has_nonces, body, &r, &e))
            look(&r, has_nonces);
        else
            CHECK(e.status >= 400 && e.message[0]);
        api_pow_release(&r);
    }
    return 0;
}
