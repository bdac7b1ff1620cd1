/* embed_bench.c - texts that become vectors in a second: one at a time, and many in one call.
 *
 * usage: embed_bench MODEL [N_TOKENS [N_TEXTS [SECONDS [THREADS [ROWS]]]]]
 * Prints tokens per second of the best call of each kind; texts are random tokens. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "isobit.h"

static double best_rate(struct iso_embedder *e, const struct iso_text *texts, size_t n, float *out,
                        double seconds)
{
    uint64_t start_ns = clock_ns(), best_ns = UINT64_MAX;
    do {
        uint64_t begin_ns = clock_ns();
        if (iso_embed(e, texts, n, out, NULL))
            exit(1);
        uint64_t ns = clock_ns() - begin_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    } while ((double)(clock_ns() - start_ns) < seconds * 1e9);
    return (double)n * texts[0].n_tokens / ((double)best_ns / 1e9);
}

int main(int argc, char **argv)
{
    long given[] = {110, 64, 4, 0, 0};
    struct iso_embedder *e;
    struct iso_note note;
    for (int i = 2; i < argc && i < 7; i++)
        given[i - 2] = strtol(argv[i], NULL, 10);
    uint32_t n_tokens = (uint32_t)given[0], n_texts = (uint32_t)given[1];
    struct iso_embedder_options o = {
        .n_threads = (int)given[3], .n_rows = (uint32_t)given[4]};
    if (argc < 2 || iso_embedder_open(argv[1], &o, &e, &note)) {
        fprintf(stderr, "%s\n", argc < 2 ? "which model?" : note.text);
        return 1;
    }
    struct iso_embedder_info info = iso_embedder_info(e);
    int32_t *tokens = mem_array((size_t)n_tokens * n_texts, sizeof *tokens);
    struct iso_text *texts = mem_array(n_texts, sizeof *texts);
    float *out = mem_array((size_t)n_texts * info.n_dims, sizeof *out);
    if (!tokens || !texts || !out)
        return 1;
    for (size_t i = 0; i < (size_t)n_tokens * n_texts; i++)
        tokens[i] = (int32_t)((i * 2654435761u >> 7) % info.n_vocab);
    for (uint32_t i = 0; i < n_texts; i++)
        texts[i] = (struct iso_text){tokens + (size_t)i * n_tokens, n_tokens, 0};
    double alone = best_rate(e, texts, 1, out, (double)given[2] / 2);
    double together = best_rate(e, texts, n_texts, out, (double)given[2] / 2);
    printf("%s, %u tokens a text: alone %.0f tokens/s, %u together %.0f tokens/s\n", argv[1],
           n_tokens, alone, n_texts, together);
    iso_embedder_close(e);
    mem_free(tokens);
    mem_free(texts);
    mem_free(out);
    return 0;
}
