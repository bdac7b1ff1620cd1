/* gpu_bench.c - a card against the CPU, to the bit, and against its own limits, by the clock. Needs
 * the core alone. tools/gpu_check.sh runs it.
 *
 * usage: gpu_bench DEVICE card                its name and compute capability, as JSON
 *        gpu_bench DEVICE vectors             the conformance vectors: "ok", or which differ
 *        gpu_bench DEVICE logits MODEL N      the hash over the logits' hashes of N fixed tokens,
 * and over N / 4 tokens drawn after them gpu_bench DEVICE roof SCALE          what the card can do,
 * as JSON gpu_bench DEVICE decode MODEL BATCH DEPTH TOKENS READ INT8 BF16 gpu_bench DEVICE prefill
 * MODEL TOKENS READ INT8 BF16 gpu_bench DEVICE embed MODEL TEXTS TOKENS READ INT8 BF16 DEVICE: cpu,
 * cuda, cuda:N. The last three print one line of JSON, in the model's default profile; READ, INT8
 * and BF16 are what roof printed. SCALE: 1, or less where the card is emulated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/threads.h"
#include "bench/cost.h"
#include "bench/stats.h"
#include "device/conformance.h"
#include "device/cuda/driver.h"
#include "device/cuda/image.h"
#include "device/cuda/roof.h"
#include "device/open.h"
#include "engine/embedder.h"
#include "engine/engine.h"
#include "format/gguf.h"

enum { CHUNK = 2048, STEPS_MAX = 4096, PRODUCTS_MAX = 4096, EMBED_ROWS = 8192 };

struct run {
    const char *device;
    struct table table;
    struct iso_engine *engine;
    struct iso_session **sessions;
    int32_t *tokens;
    uint32_t n_batch, n_tokens;
    double seconds[STEPS_MAX]; /* of the steps that only write answers; of prefill: of all */
    size_t n_steps;
};

static void must(enum err rc, const struct err_note *note)
{
    if (!rc)
        return;
    fprintf(stderr, "gpu_bench: %s\n", note->text[0] ? note->text : err_text(rc));
    exit(1);
}

static struct device *open_device(const char *name)
{
    const struct device_choice choice = {name, 0, threads_online(), "auto"};
    struct err_note note = {""};
    struct device *d;
    must(device_open(&choice, &d, &note), &note);
    return d;
}

static int card(const char *name)
{
    struct driver v;
    struct cuda_card c;
    struct err_note note = {""};
    int ordinal = (int)strtol(name + strcspn(name, "0123456789"), NULL, 10);
    must(driver_open(&v, &note), &note);
    must(driver_card(&v, ordinal, &c, &note), &note);
    printf(
        "{\"name\": \"%s\", \"capability\": %d, \"multiprocessors\": %u, \"memory_bytes\": %llu, "
        "\"cuda\": %d, \"kernels\": \"%s\"}\n",
        c.name, c.capability, c.n_multiprocessors, (unsigned long long)c.n_bytes, v.version,
        cuda_images().cards);
    driver_close(&v);
    return 0;
}

static int vectors(const char *name)
{
    static struct conformance results[CONFORMANCE_MAX];
    uint8_t overall[SHA256_BYTES];
    struct device *d = open_device(name);
    struct err_note note = {"out of memory"};
    size_t n = conformance_run(d, results, overall), n_bad = 0;
    if (n == 0)
        must(d->ops->status(d, &note) ? ERR_IO : ERR_MEMORY, &note);
    for (size_t i = 0; i < n; i++)
        if (!conformance_ok(&results[i])) {
            printf("%s DIFFERS\n", results[i].name);
            n_bad++;
        }
    printf("%zu of %zu vectors as defined\n", n - n_bad, n);
    d->ops->close(d);
    return n_bad ? 1 : 0;
}

static int roof(const char *name, double scale)
{
    struct device *d = open_device(name);
    struct err_note note = {""};
    struct cuda_roof r;
    must(cuda_roof_find(d, (size_t)(scale * 0x1p30) + (1 << 20), (uint32_t)(1 + scale * 20000),
                        64 * (uint32_t)(1 + scale * 127), &r, &note),
         &note);
    double bf16 = r.library_ops > r.bf16_ops ? r.library_ops : r.bf16_ops;
    printf("{\"read_bytes\": %.4g, \"int8_ops\": %.4g, \"bf16_ops\": %.4g, \"bf16_ops_mma\": "
           "%.4g}\n",
           r.read_bytes, r.int8_ops, bf16, r.bf16_ops);
    d->ops->close(d);
    return 0;
}

static void open_engine(struct run *r, const char *path, uint32_t n_ctx, uint32_t n_logits,
                        const char *profile)
{
    struct err_note note = {""};
    const struct iso_engine_options o = {.gpu = r->device,
                                         .profile = profile,
                                         .n_ctx = n_ctx,
                                         .n_chunk = CHUNK,
                                         .n_sessions = r->n_batch,
                                         .n_logits = n_logits,
                                         .stretch = 1e6f, /* all prompts, then all answers */
                                         .no_speculation = true};
    must(gguf_open(path, &r->table, &note), &note);
    must(engine_open(&r->table, NULL, &o, &r->engine, &note), &note);
    r->sessions = mem_array(r->n_batch, sizeof r->sessions[0]);
    r->tokens = mem_array(n_ctx, sizeof r->tokens[0]);
    must(r->sessions && r->tokens ? ERR_OK : ERR_MEMORY, &note);
    for (uint32_t i = 0; i < r->n_batch; i++)
        must((enum err)iso_session_open(r->engine, &r->sessions[i], (struct iso_note *)&note),
             &note);
}

static void close_engine(struct run *r)
{
    iso_engine_close(r->engine);
    table_close(&r->table);
    mem_free(r->sessions);
    mem_free(r->tokens);
}

/* A prompt of its own for each session. */
static void submit(struct run *r, uint32_t session, uint32_t n_prompt, uint32_t n_answer)
{
    struct iso_request q = iso_request_default();
    struct err_note note = {""};
    uint32_t n_vocab = iso_engine_info(r->engine).n_vocab;
    for (uint32_t i = 0; i < n_prompt; i++)
        r->tokens[i] = (int32_t)((i * 2654435761u + session * 40503u) % n_vocab);
    q.tokens = r->tokens;
    q.n_tokens = n_prompt;
    q.n_answer_max = n_answer;
    q.no_cache = true;
    must((enum err)iso_session_submit(r->sessions[session], &q, (struct iso_note *)&note), &note);
}

/* Steps to the end. A step in which every session writes a token is one of decoding. */
static void run_steps(struct run *r, bool is_decode)
{
    const struct iso_event *events;
    struct err_note note = {""};
    for (;;) {
        uint64_t begin_ns = clock_ns();
        size_t n = iso_engine_step(r->engine, &events), n_chosen = 0;
        double seconds = (double)(clock_ns() - begin_ns) * 1e-9;
        if (n == 0)
            return;
        for (size_t i = 0; i < n; i++) {
            n_chosen += events[i].kind == ISO_EVENT_TOKEN;
            if (events[i].err)
                must(err_set(&note, (enum err)events[i].err, "%s", events[i].note), &note);
        }
        if ((!is_decode || n_chosen == r->n_batch) && r->n_steps < STEPS_MAX)
            r->seconds[r->n_steps++] = seconds;
    }
}

/* One line: seconds, and the share of the least that they could be. */
static void print(struct run *r, const struct bench_test *t, const char *model, double seconds,
                  char **limits)
{
    static struct model_product products[PRODUCTS_MAX];
    const struct model *m = engine_model(r->engine);
    size_t n = model_products(m, products, PRODUCTS_MAX);
    struct bench_cost cost = bench_cost(m, products, n, t, CHUNK);
    double read = cost.n_bytes / strtod(limits[0], NULL), bf16 = strtod(limits[2], NULL),
           int8 = cost.int8_ops / strtod(limits[1], NULL),
           compute = bf16 > 0 ? (cost.int8_ops + cost.f32_ops) / bf16 : int8, /* before 8.0: none */
        least = read > compute ? read : compute;
    struct iso_engine_info info = iso_engine_info(r->engine);
    printf("{\"model\": \"%s\", \"device\": \"%s\", \"arithmetic\": \"%s\", \"test\": \"%s\", "
           "\"batch\": %u, \"depth\": "
           "%u, \"tokens\": %u, \"seconds\": %.6g, \"tokens_per_second\": %.5g, "
           "\"least_seconds_read\": %.5g, \"least_seconds_bf16\": %.5g, \"least_seconds_int8\": "
           "%.5g, \"share\": %.4f}\n",
           model, info.device, info.arithmetic, t->kind == BENCH_GEN ? "decode" : "prefill",
           t->n_batch, t->n_depth, t->n_tokens, seconds, t->n_tokens * t->n_batch / seconds, read,
           compute, int8, least / seconds);
}

static int decode(struct run *r, const char *model, uint32_t n_depth, uint32_t n_tokens,
                  char **limits)
{
    open_engine(r, model, n_depth + n_tokens + 1, r->n_batch, NULL);
    for (uint32_t i = 0; i < r->n_batch; i++)
        submit(r, i, n_depth, n_tokens);
    run_steps(r, true);
    struct err_note note = {""};
    must(r->n_steps > 1 ? ERR_OK : err_set(&note, ERR_LIMIT, "no step of all sessions"), &note);
    stats_sort(r->seconds, r->n_steps);
    struct bench_test t = {BENCH_GEN, 0, 1, r->n_batch, n_depth + n_tokens / 2};
    print(r, &t, model, stats_median(r->seconds, r->n_steps), limits);
    close_engine(r);
    return 0;
}

static int prefill(struct run *r, const char *model, uint32_t n_tokens, char **limits)
{
    enum { REPEATS = 4 };
    double seconds[REPEATS];
    open_engine(r, model, n_tokens + 1, 1, NULL);
    for (int i = 0; i < REPEATS; i++) {
        r->n_steps = 0;
        submit(r, 0, n_tokens, 0);
        run_steps(r, false);
        seconds[i] = 0;
        for (size_t k = 0; k < r->n_steps; k++)
            seconds[i] += r->seconds[k];
        iso_session_cut(r->sessions[0], 0);
    }
    stats_sort(seconds, REPEATS);
    struct bench_test t = {BENCH_PROMPT, 0, n_tokens, 1, 0};
    print(r, &t, model, stats_median(seconds, REPEATS), limits);
    close_engine(r);
    return 0;
}

/* Many texts of one length. Two operations for each weight and row are the least; every row goes
 * through all matrices. */
static int embed(const char *device, const char *path, uint32_t n_texts, uint32_t n_tokens,
                 char **limits)
{
    enum { REPEATS = 5 };
    const struct iso_embedder_options o = {.gpu = device, .n_rows = EMBED_ROWS};
    struct err_note note = {""};
    struct table table;
    struct iso_embedder *e;
    double seconds[REPEATS], n_weights = 0, bf16 = strtod(limits[2], NULL);
    must(gguf_open(path, &table, &note), &note);
    must(embedder_open(&table, &o, &e, &note), &note);
    struct iso_embedder_info info = iso_embedder_info(e);
    int32_t *tokens = mem_array((size_t)n_texts * n_tokens, sizeof *tokens);
    struct iso_text *texts = mem_array(n_texts, sizeof *texts);
    float *out = mem_array((size_t)n_texts * info.n_dims, sizeof *out);
    must(tokens && texts && out ? ERR_OK : ERR_MEMORY, &note);
    for (size_t i = 0; i < (size_t)n_texts * n_tokens; i++)
        tokens[i] = (int32_t)((i * 2654435761u >> 7) % info.n_vocab);
    for (uint32_t i = 0; i < n_texts; i++)
        texts[i] = (struct iso_text){tokens + (size_t)i * n_tokens, n_tokens, 0};
    for (size_t i = 0; i < table.n_tensors; i++)
        if (str_starts(table.tensors[i].name, STR("blk.")) && table.tensors[i].dim[1] > 1)
            n_weights += (double)table.tensors[i].dim[0] * (double)table.tensors[i].dim[1];
    for (int i = -1; i < REPEATS; i++) { /* the first does not count */
        uint64_t begin_ns = clock_ns();
        must((enum err)iso_embed(e, texts, n_texts, out, (struct iso_note *)&note), &note);
        seconds[i < 0 ? 0 : i] = (double)(clock_ns() - begin_ns) * 1e-9;
    }
    stats_sort(seconds, REPEATS);
    double s = stats_median(seconds, REPEATS), n_rows = (double)n_texts * n_tokens;
    double least = bf16 > 0 ? 2 * n_weights * n_rows / bf16 : 0;
    printf("{\"model\": \"%s\", \"device\": \"%s\", \"arithmetic\": \"%s\", \"test\": \"embed\", "
           "\"batch\": %u, \"depth\": 0, \"tokens\": %u, \"seconds\": %.6g, \"tokens_per_second\": "
           "%.5g, \"least_seconds_bf16\": %.5g, \"share\": %.4f}\n",
           path, info.device, info.arithmetic, n_texts, n_tokens, s, n_rows / s, least, least / s);
    iso_embedder_close(e);
    table_close(&table);
    mem_free(tokens);
    mem_free(texts);
    mem_free(out);
    return 0;
}

/* Steps to the end; what events tell goes into the hash. */
static void hash_events(struct run *r, struct sha256 *hash)
{
    const struct iso_event *events;
    struct err_note note = {""};
    for (size_t n; (n = iso_engine_step(r->engine, &events)) > 0;)
        for (size_t i = 0; i < n; i++) {
            if (events[i].err)
                must(err_set(&note, (enum err)events[i].err, "%s", events[i].note), &note);
            if (events[i].kind == ISO_EVENT_LOGITS)
                sha256_add(hash, events[i].digest, ISO_DIGEST_BYTES);
            if (events[i].kind == ISO_EVENT_TOKEN)
                sha256_add(hash, &events[i].token, sizeof events[i].token);
        }
}

/* As isobit logits has it, of tokens that need no tokenizer; then an answer, whose tokens a card
 * chooses itself. */
static int logits(struct run *r, const char *model, uint32_t n_tokens)
{
    struct err_note note = {""};
    struct iso_request q = iso_request_default();
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    open_engine(r, model, n_tokens + n_tokens / 4, n_tokens, "exact");
    for (uint32_t i = 0; i < n_tokens; i++)
        r->tokens[i] = (int32_t)(i * 40503u % iso_engine_info(r->engine).n_vocab);
    q.tokens = r->tokens;
    q.n_tokens = n_tokens;
    q.n_answer_max = 0;
    q.want_logits_prompt = q.want_digests = true;
    must((enum err)iso_session_submit(r->sessions[0], &q, (struct iso_note *)&note), &note);
    sha256_init(&hash);
    hash_events(r, &hash);
    q.want_logits_prompt = q.want_digests = false;
    q.n_tokens = 0; /* after the last of them */
    q.n_answer_max = n_tokens / 4;
    must((enum err)iso_session_submit(r->sessions[0], &q, (struct iso_note *)&note), &note);
    hash_events(r, &hash);
    sha256_end(&hash, digest);
    hex_of(digest, sizeof digest, hex);
    printf("%s %s\n", hex, iso_engine_info(r->engine).device);
    close_engine(r);
    return 0;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    static struct run r = {.n_batch = 1};
    const char *what = argc > 2 ? argv[2] : "";
    r.device = argc > 1 ? argv[1] : "";
    if (strcmp(what, "card") == 0)
        return card(r.device);
    if (strcmp(what, "vectors") == 0)
        return vectors(r.device);
    if (strcmp(what, "roof") == 0 && argc == 4)
        return roof(r.device, strtod(argv[3], NULL));
    if (strcmp(what, "logits") == 0 && argc == 5)
        return logits(&r, argv[3], number(argv[4]));
    if (strcmp(what, "prefill") == 0 && argc == 8)
        return prefill(&r, argv[3], number(argv[4]), argv + 5);
    if (strcmp(what, "embed") == 0 && argc == 9)
        return embed(r.device, argv[3], number(argv[4]), number(argv[5]), argv + 6);
    if (strcmp(what, "decode") == 0 && argc == 10) {
        r.n_batch = number(argv[4]);
        return decode(&r, argv[3], number(argv[5]), number(argv[6]), argv + 7);
    }
    fputs("usage: gpu_bench DEVICE card | vectors | roof SCALE | logits MODEL N | decode MODEL "
          "BATCH DEPTH "
          "TOKENS READ INT8 BF16 | prefill MODEL TOKENS READ INT8 BF16 | embed MODEL TEXTS TOKENS "
          "READ INT8 BF16\n",
          stderr);
    return 2;
}
