/* llama_logits.c - logits of llama.cpp for a list of tokens, for quality tables beside ours.
 *
 * Not part of the build: cc -O2 -I<llama.cpp>/include -I<llama.cpp>/ggml/include llama_logits.c
 *   -L<build>/bin -lllama -lggml -lggml-base -Wl,-rpath,<build>/bin -o llama_logits
 * usage: llama_logits MODEL.gguf TOKENS.txt OUT.f32   (token ids separated by white space) */
#include <stdio.h>
#include <stdlib.h>

#include "llama.h"

enum { TOKENS_MAX = 4096 };

static int read_tokens(const char *path, llama_token *out)
{
    FILE *f = fopen(path, "r");
    int n = 0;
    while (f && n < TOKENS_MAX && fscanf(f, "%d", &out[n]) == 1)
        n++;
    if (f)
        fclose(f);
    return n;
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level >= GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

int main(int argc, char **argv)
{
    static llama_token tokens[TOKENS_MAX];
    if (argc != 4)
        return 2;
    llama_log_set(quiet, NULL);
    struct llama_model *model =
        llama_model_load_from_file(argv[1], llama_model_default_params());
    int n = read_tokens(argv[2], tokens);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = (uint32_t)n;
    params.n_threads = params.n_threads_batch = 2;
    struct llama_context *context = model ? llama_init_from_model(model, params) : NULL;
    FILE *out = fopen(argv[3], "wb");
    if (!context || !out || n == 0)
        return 1;
    struct llama_batch batch = llama_batch_init(n, 0, 1);
    for (int i = 0; i < n; i++) {
        batch.token[i] = tokens[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    batch.n_tokens = n;
    if (llama_decode(context, batch) != 0)
        return 1;
    size_t n_vocab = (size_t)llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (int i = 0; i < n; i++)
        if (fwrite(llama_get_logits_ith(context, i), sizeof(float), n_vocab, out) != n_vocab)
            return 1;
    return fclose(out) != 0;
}
