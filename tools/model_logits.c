/* model_logits.c - logits of both profiles as raw files, for tables of quality.
 *
 * usage: model_logits MODEL TOKENS.txt EXACT.f32 [F64.f64]   (token ids separated by white space)
 * One row of n_vocab values for each token. Beside it: llama_logits.c, quality.py. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/threads.h"
#include "model/model.h"

enum { TOKENS_MAX = 4096 };

static int32_t tokens[TOKENS_MAX];
static uint8_t bad[TOKENS_MAX];

static uint32_t read_tokens(const char *path)
{
    FILE *f = fopen(path, "r");
    uint32_t n = 0;
    while (f && n < TOKENS_MAX && fscanf(f, "%d", &tokens[n]) == 1)
        n++;
    if (f)
        fclose(f);
    return n;
}

static int write_all(const char *path, const void *bytes, size_t size, size_t n)
{
    FILE *f = fopen(path, "wb");
    size_t written = f ? fwrite(bytes, size, n, f) : 0;
    return f && fclose(f) == 0 && written == n ? 0 : 1;
}

static int exact(struct model *m, uint32_t n, const char *path)
{
    const struct model_info *info = model_info(m);
    uint32_t n_pages = (n + KV_PAGE - 1) / KV_PAGE;
    void **pages = mem_array(n_pages, sizeof *pages);
    struct kv_row *rows = mem_array(n, sizeof *rows);
    uint32_t *wanted = mem_array(n, sizeof *wanted);
    float *logits = mem_array((size_t)n * info->n_vocab, sizeof *logits);
    for (uint32_t i = 0; i < n_pages; i++)
        pages[i] = mem_pages(info->kv_page_bytes);
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct kv_row){pages, i};
        wanted[i] = i;
    }
    struct batch b = {.n_rows = n,
                      .token = tokens,
                      .rows = rows,
                      .logit_rows = wanted,
                      .n_logits = n,
                      .logits = logits,
                      .bad = bad};
    model_forward(m, &b);
    int rc = write_all(path, logits, sizeof *logits, (size_t)n * info->n_vocab);
    for (uint32_t i = 0; i < n_pages; i++)
        mem_pages_free(pages[i], info->kv_page_bytes);
    mem_free(pages);
    mem_free(rows);
    mem_free(wanted);
    mem_free(logits);
    return rc;
}

static int yardstick(const struct table *t, uint32_t n_vocab, uint32_t n, const char *path)
{
    struct err_note note;
    struct threads *threads = threads_new(threads_online());
    double *logits = mem_array((size_t)n * n_vocab, sizeof *logits);
    int rc = 1;
    if (threads && logits && model_forward_f64(t, tokens, n, threads, logits, &note) == ERR_OK)
        rc = write_all(path, logits, sizeof *logits, (size_t)n * n_vocab);
    mem_free(logits);
    threads_free(threads);
    return rc;
}

int main(int argc, char **argv)
{
    struct err_note note;
    struct table t;
    struct device *d;
    struct model *m;
    uint32_t n = argc >= 4 ? read_tokens(argv[2]) : 0;
    if (n == 0 || table_open(argv[1], &t, &note))
        return 2;
    struct model_limits limits = {n, n};
    if (cpu_device_open(threads_online(), "auto", &d, &note) ||
        model_open(&t, d, limits, NULL, NULL, &m, &note)) {
        fprintf(stderr, "%s\n", note.text);
        return 1;
    }
    uint32_t n_vocab = model_info(m)->n_vocab;
    int rc = exact(m, n, argv[3]);
    if (rc == 0 && argc > 4)
        rc = yardstick(&t, n_vocab, n, argv[4]);
    model_close(m);
    d->ops->close(d);
    table_close(&t);
    return rc;
}
