/* fuzz_embed.c - any bytes as the body of /v1/embeddings, /rerank and /score; what is taken can be
 * answered. */
#include <stddef.h>
#include <stdint.h>

#include "api/embed.h"
#include "base/check.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void answer(const struct api_embed *r)
{
    const struct embed_head head = {"id", 0, STR("m"), r->n_inputs};
    float *numbers = mem_array(r->n_inputs * 2, sizeof *numbers);
    struct buf out;
    CHECK(numbers && r->n_inputs > 0);
    buf_init(&out, 1 << 24);
    for (size_t i = 0; i < r->n_pairs; i++) {
        size_t left, right;
        api_embed_pair(r, i, &left, &right);
        CHECK(left < r->n_inputs && right < r->n_inputs && left < right);
    }
    if (r->kind == EMBED_VECTORS)
        reply_vectors(&out, &head, r, numbers, 2);
    else
        reply_scores(&out, &head, r, numbers);
    if (!out.failed) {
        json_t *json = json_loadb(out.bytes, out.n_bytes, 0, NULL);
        CHECK(json);
        json_decref(json);
    }
    buf_release(&out);
    mem_free(numbers);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str body = {(const char *)bytes, n_bytes};
    for (int kind = EMBED_VECTORS; kind <= EMBED_SCORE; kind++) {
        struct api_embed r;
        struct api_error e = {0};
        if (api_embed_parse((enum embed_kind)kind, body, &r, &e))
            answer(&r);
        else
            CHECK(e.status >= 400 && e.message[0]);
        api_embed_release(&r);
    }
    return 0;
}
