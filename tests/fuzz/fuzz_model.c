/* fuzz_model.c - any bytes as a model: an error line, or forward passes that end. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/device.h"
#include "format/gguf.h"
#include "model/model.h"

enum { TOKENS = 3, WORK_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void run_head(struct model *m, const struct model_info *info)
{
    uint8_t bad[TOKENS] = {0};
    float *rows = mem_array((size_t)TOKENS * info->n_embd, sizeof *rows);
    float *scores = mem_array((size_t)TOKENS * info->n_labels, sizeof *scores);
    CHECK(rows && scores);
    model_rank(m, rows, TOKENS, scores, bad);
    mem_free(rows);
    mem_free(scores);
}

static void run_exact(const struct table *t, struct device *d, const int32_t *token)
{
    struct model *m;
    struct err_note note = {{0}};
    struct model_limits limits = {TOKENS, TOKENS};
    if (model_open(t, d, limits, NULL, NULL, &m, &note) != ERR_OK) {
        CHECK(note.text[0]);
        return;
    }
    const struct model_info *info = model_info(m);
    void *page = mem_pages(info->kv_page_bytes);
    struct kv_row rows[TOKENS];
    uint32_t wanted[TOKENS];
    uint8_t bad[TOKENS], far[TOKENS];
    size_t n_out = info->n_vocab;
    n_out = n_out > info->n_embd ? n_out : info->n_embd;
    n_out = n_out > info->n_labels ? n_out : info->n_labels;
    float *out = mem_array(TOKENS * n_out, sizeof *out);
    CHECK(page && out);
    for (uint32_t i = 0; i < TOKENS; i++) {
        rows[i] = (struct kv_row){&page, i};
        wanted[i] = i;
        far[i] = info->rope_border && info->rope_border < TOKENS;
    }
    struct batch b = {.n_rows = TOKENS,
                      .token = token,
                      .rows = rows,
                      .logit_rows = wanted,
                      .n_logits = TOKENS,
                      .rope_far = far,
                      .logits = out,
                      .bad = bad};
    struct kv_row last = rows[TOKENS - 1], seen[TOKENS] = {last, last, last};
    struct encode_batch encode = {TOKENS, token, NULL, rows, seen, out, bad};
    if (info->is_encoder)
        model_encode(m, &encode);
    else
        model_forward(m, &b);
    if (info->n_labels)
        run_head(m, info);
    mem_free(out);
    mem_pages_free(page, info->kv_page_bytes);
    model_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct device *d;
    struct table t;
    struct err_note note = {{0}};
    struct model_info info;
    struct model_limits limits = {TOKENS, 0};
    int32_t token[TOKENS] = {0, 0, 0};
    CHECK(cpu_device_open(1, "scalar", &d, NULL) == ERR_OK);
    /* Tensors are read as numbers: the file is as aligned as a mapping is. */
    void *copy = mem_alloc(n_bytes ? n_bytes : 1);
    memcpy(copy, bytes, n_bytes);
    if (gguf_parse(copy, n_bytes, "fuzz", &t, &note) == ERR_OK) {
        if (model_plan(&t, limits, &info, &note) != ERR_OK) {
            CHECK(note.text[0]);
        } else if (info.n_params < WORK_MAX && info.kv_page_bytes < 1 << 24) {
            double *logits = mem_array((size_t)TOKENS * info.n_vocab, sizeof *logits);
            token[2] = (int32_t)info.n_vocab - 1;
            enum err rc = model_forward_f64(&t, token, TOKENS, NULL, logits, NULL);
            CHECK(rc == (info.is_encoder ? ERR_UNSUPPORTED : ERR_OK));
            mem_free(logits);
            run_exact(&t, d, token);
        }
        table_close(&t);
    }
    d->ops->close(d);
    mem_free(copy);
    return 0;
}
