/* test_embedder.c - embeddings against Transformers at float64, and their bits against themselves.
 *
 * Vectors: tests/golden/encoder, made by tools/mkencoder.py. */
#include "lib/test.h"

#include <math.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "device/device.h"
#include "format/table.h"
#include "isobit.h"

#define GOLDEN  TEST_DIR "/golden/encoder/"
#define DECODER TEST_DIR "/golden/model/"

enum { TEXTS_MAX = 16 };

/* What Transformers computes for the texts of a model. */
struct golden {
    char path[512];
    char *bytes;
    uint32_t n_texts, n_dims, n_labels;
    struct iso_text texts[TEXTS_MAX];
    int32_t *tokens[TEXTS_MAX];
    double *mean[TEXTS_MAX], *first[TEXTS_MAX], *last[TEXTS_MAX], *scores[TEXTS_MAX];
};

static void *take(const char **at, size_t n_bytes)
{
    void *copy = mem_alloc(n_bytes ? n_bytes : 1);
    memcpy(copy, *at, n_bytes);
    *at += n_bytes;
    return copy;
}

static void golden_open(struct golden *g, const char *name, const char *suffix)
{
    struct err_note note = {""};
    size_t n_bytes;
    snprintf(g->path, sizeof g->path, GOLDEN "%s.vec", name);
    if (file_read(g->path, 1 << 20, &g->bytes, &n_bytes, &note))
        fail_msg("%s", note.text);
    const char *at = g->bytes + 16;
    uint32_t head[3];
    assert_memory_equal(g->bytes, "IENC", 4);
    memcpy(head, g->bytes + 4, sizeof head);
    g->n_texts = head[0], g->n_dims = head[1], g->n_labels = head[2];
    assert_true(g->n_texts <= TEXTS_MAX);
    for (uint32_t i = 0; i < g->n_texts; i++) {
        uint32_t n[2];
        memcpy(n, at, sizeof n);
        at += sizeof n;
        g->tokens[i] = take(&at, n[0] * sizeof(int32_t));
        g->texts[i] = (struct iso_text){g->tokens[i], n[0], n[1]};
        g->mean[i] = take(&at, g->n_dims * sizeof(double));
        g->first[i] = take(&at, g->n_dims * sizeof(double));
        g->last[i] = take(&at, g->n_dims * sizeof(double));
        g->scores[i] = take(&at, g->n_labels * sizeof(double));
    }
    assert_int_equal(at - g->bytes, n_bytes);
    snprintf(g->path, sizeof g->path, GOLDEN "%s%s", name, suffix);
}

static void golden_close(struct golden *g)
{
    for (uint32_t i = 0; i < g->n_texts; i++) {
        mem_free(g->tokens[i]);
        mem_free(g->mean[i]);
        mem_free(g->first[i]);
        mem_free(g->last[i]);
        mem_free(g->scores[i]);
    }
    mem_free(g->bytes);
}

static struct iso_embedder *embedder(const char *path, struct iso_embedder_options o)
{
    struct iso_embedder *e;
    struct iso_note note = {""};
    if (iso_embedder_open(path, &o, &e, &note))
        fail_msg("%s: %s", path, note.text);
    return e;
}

static double length_of(const double *x, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* 1 - cosine, and the largest difference of any dimension as a part of the vector's length. */
static void compare(const float *got, const double *want, uint32_t n, double *angle, double *worst)
{
    double dot = 0, sum = 0, length = length_of(want, n);
    for (uint32_t i = 0; i < n; i++) {
        dot += got[i] * want[i];
        sum += (double)got[i] * got[i];
        *worst = fmax(*worst, fabs(got[i] - want[i]) / length);
    }
    *angle = fmax(*angle, 1 - dot / (length * sqrt(sum)));
}

static const struct {
    const char *name, *suffix;
    double tolerance; /* of 1 - cosine */
} models[] = {
    {"bert", ".gguf", 5e-6},  {"bert-rank", ".gguf", 5e-6}, {"xlmr", ".gguf", 2e-3},
    {"nomic", ".gguf", 5e-6}, {"folder-bert", "", 5e-6},    {"folder-xlmr", "", 5e-6},
};

static void agrees(const struct golden *g, const char *name, enum iso_pooling pooling,
                   double *const *want, double tolerance)
{
    struct iso_embedder_options o = {.n_threads = 2, .pooling = pooling, .no_normalize = true};
    struct iso_embedder *e = embedder(g->path, o);
    float *out = mem_array((size_t)g->n_texts * g->n_dims, sizeof *out);
    double angle = 0, worst = 0;
    struct iso_note note = {""};
    assert_int_equal(iso_embedder_info(e).n_dims, g->n_dims);
    if (iso_embed(e, g->texts, g->n_texts, out, &note))
        fail_msg("%s: %s", name, note.text);
    for (uint32_t i = 0; i < g->n_texts; i++)
        compare(out + (size_t)i * g->n_dims, want[i], g->n_dims, &angle, &worst);
    printf("%-12s %-5s 1 - cosine %.1e, worst difference %.1e\n", name, iso_pooling_text(pooling),
           angle, worst);
    if (!(angle < tolerance && worst < sqrt(tolerance)))
        fail_msg("%s: 1 - cosine %g", name, angle);
    mem_free(out);
    iso_embedder_close(e);
}

static void encoders_agree_with_transformers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(models); i += test_every(3)) {
        struct golden g;
        golden_open(&g, models[i].name, models[i].suffix);
        agrees(&g, models[i].name, ISO_POOLING_MEAN, g.mean, models[i].tolerance);
        agrees(&g, models[i].name, ISO_POOLING_CLS, g.first, models[i].tolerance);
        agrees(&g, models[i].name, ISO_POOLING_LAST, g.last, models[i].tolerance);
        golden_close(&g);
    }
}

static void heads_agree_with_transformers(void **state)
{
    static const struct {
        const char *name, *suffix;
    } ranks[] = {{"bert-rank", ".gguf"}, {"folder-xlmr", ""}};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(ranks); k++) {
        struct golden g;
        golden_open(&g, ranks[k].name, ranks[k].suffix);
        struct iso_embedder *e = embedder(g.path, (struct iso_embedder_options){0});
        float out[TEXTS_MAX * 4];
        assert_int_equal(iso_embedder_info(e).pooling, ISO_POOLING_RANK);
        assert_int_equal(iso_embedder_info(e).n_dims, g.n_labels);
        assert_int_equal(iso_embed(e, g.texts, g.n_texts, out, NULL), ISO_OK);
        for (uint32_t i = 0; i < g.n_texts; i++)
            for (uint32_t j = 0; j < g.n_labels; j++)
                if (!(fabs(out[i * g.n_labels + j] - g.scores[i][j]) < 3e-3))
                    fail_msg("%s: score %g of text %u, not %g", ranks[k].name,
                             (double)out[i * g.n_labels + j], i, g.scores[i][j]);
        iso_embedder_close(e);
        golden_close(&g);
    }
}

/* Vectors of these texts, all at once or one by one. */
static void vectors(const char *path, struct iso_embedder_options o, const struct iso_text *texts,
                    uint32_t n, bool alone, float *out)
{
    struct iso_embedder *e = embedder(path, o);
    uint32_t d = iso_embedder_info(e).n_dims;
    for (uint32_t i = 0; alone && i < n; i++)
        assert_int_equal(iso_embed(e, texts + i, 1, out + i * d, NULL), ISO_OK);
    if (!alone)
        assert_int_equal(iso_embed(e, texts, n, out, NULL), ISO_OK);
    iso_embedder_close(e);
}

static void same_bits_however(const char *path, const struct iso_text *texts, uint32_t n,
                              enum iso_pooling pooling)
{
    struct iso_embedder_options o = {.n_threads = 1, .pooling = pooling, .isa = "scalar"};
    struct iso_embedder *e = embedder(path, o);
    size_t n_floats = (size_t)n * iso_embedder_info(e).n_dims;
    iso_embedder_close(e);
    float *want = mem_array(n_floats, sizeof *want), *got = mem_array(n_floats, sizeof *got);
    vectors(path, o, texts, n, true, want);
    for (const char *const *isa = cpu_isa_names(); *isa; isa++)
        for (int threads = isa == cpu_isa_names() ? 3 : 1; threads <= 3; threads += 2) {
            static const uint32_t rows[] = {0, 133};
            o.isa = *isa;
            o.n_threads = threads;
            for (size_t k = 0; k < COUNT_OF(rows); k++) {
                o.n_rows = rows[k];
                vectors(path, o, texts, n, false, got);
                if (memcmp(want, got, n_floats * sizeof *got) != 0)
                    fail_msg("%s: other bits with %s, %d threads, %u rows", path, *isa, threads,
                             rows[k]);
            }
        }
    mem_free(want);
    mem_free(got);
}

static void bits_do_not_depend_on_company(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(models); i += test_every(3)) {
        struct golden g;
        golden_open(&g, models[i].name, models[i].suffix);
        same_bits_however(g.path, g.texts, g.n_texts, ISO_POOLING_MODEL);
        golden_close(&g);
    }
}

/* Any file that generates; texts longer than a pass are read in pieces. */
static void decoders_are_pooled(void **state)
{
    static const char *const names[] = {"llama", "qwen3"};
    enum { D_MAX = 128, N = 90 };
    int32_t tokens[N];
    struct iso_text texts[] = {
        {tokens, 80, 0}, {tokens + 5, 3, 0}, {tokens + 9, 70, 0}, {tokens, N, 0}};
    (void)state;
    for (int i = 0; i < N; i++)
        tokens[i] = (i * 37 + 11) % 60;
    for (size_t k = 0; k < COUNT_OF(names); k++) {
        char path[512];
        float mean[D_MAX], sum[D_MAX] = {0}, last[D_MAX];
        snprintf(path, sizeof path, DECODER "%s.gguf", names[k]);
        same_bits_however(path, texts, COUNT_OF(texts), ISO_POOLING_MEAN);
        same_bits_however(path, texts, COUNT_OF(texts), ISO_POOLING_LAST);
        /* A causal model's mean is that of the last rows of every beginning. */
        struct iso_embedder_options o = {.no_normalize = true};
        struct iso_embedder *e = embedder(path, o);
        assert_int_equal(iso_embedder_info(e).pooling, ISO_POOLING_LAST);
        uint32_t d = iso_embedder_info(e).n_dims;
        for (uint32_t n = 1; n <= 20; n++) {
            struct iso_text begin = {tokens, n, 0};
            assert_int_equal(iso_embed(e, &begin, 1, last, NULL), ISO_OK);
            for (uint32_t i = 0; i < d; i++)
                sum[i] = sum[i] + last[i];
        }
        iso_embedder_close(e);
        o.pooling = ISO_POOLING_MEAN;
        struct iso_text all = {tokens, 20, 0};
        vectors(path, o, &all, 1, true, mean);
        for (uint32_t i = 0; i < d; i++)
            assert_true(fabsf(mean[i] - sum[i] / 20) <= 1e-6f * (1 + fabsf(mean[i])));
    }
}

/* The engine's last row of a prompt is the embedder's, with and without remembered pages. */
static void engine_gives_the_same_row(void **state)
{
    enum { N = 150 };
    int32_t tokens[N];
    float want[256], got[256];
    struct iso_engine *engine;
    struct iso_session *session;
    struct iso_text text = {tokens, N, 0};
    struct iso_embedder_options o = {.no_normalize = true};
    (void)state;
    for (int i = 0; i < N; i++)
        tokens[i] = (i * 29 + 5) % 60;
    vectors(DECODER "llama.gguf", o, &text, 1, true, want);
    struct iso_engine_options options = {.n_chunk = 64, .n_sessions = 2};
    assert_int_equal(iso_engine_open(DECODER "llama.gguf", &options, &engine, NULL), ISO_OK);
    uint32_t d = iso_engine_info(engine).n_embd;
    for (int k = 0; k < 2; k++) {
        struct iso_request r = iso_request_default();
        const struct iso_event *events;
        bool found = false;
        r.tokens = tokens;
        r.n_tokens = N;
        r.n_answer_max = 0;
        r.want_hidden = true;
        assert_int_equal(iso_session_open(engine, &session, NULL), ISO_OK);
        assert_int_equal(iso_session_submit(session, &r, NULL), ISO_OK);
        for (size_t n; (n = iso_engine_step(engine, &events)) > 0;)
            for (size_t i = 0; i < n; i++)
                if (events[i].kind == ISO_EVENT_BORDER) {
                    memcpy(got, events[i].hidden, d * sizeof *got);
                    found = true;
                }
        assert_true(found);
        assert_memory_equal(want, got, d * sizeof *got);
        iso_session_close(session);
    }
    assert_int_equal(iso_engine_info(engine).cache.n_hits, 1);
    iso_engine_close(engine);
}

static void what_cannot_be_is_refused(void **state)
{
    struct golden g;
    struct iso_embedder *e;
    struct iso_engine *engine;
    struct iso_note note = {""};
    float out[256];
    int32_t tokens[200] = {5, 61, 3};
    (void)state;
    golden_open(&g, "bert", ".gguf");
    e = embedder(g.path, (struct iso_embedder_options){0});
    const struct {
        struct iso_text text;
        enum iso_err err;
        const char *says;
    } cases[] = {
        {{tokens, 111, 0}, ISO_ERR_LIMIT, "text 1 has 111 tokens; at most 110 fit"},
        {{tokens, 0, 0}, ISO_ERR_USAGE, "text 1 has no tokens"},
        {{tokens, 2, 0}, ISO_ERR_USAGE, "token 61 of text 1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct iso_text pair[2] = {{tokens, 1, 0}, cases[i].text};
        assert_int_equal(iso_embed(e, pair, 2, out, &note), cases[i].err);
        if (!strstr(note.text, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", note.text, cases[i].says);
    }
    iso_embedder_close(e);
    assert_int_equal(iso_engine_open(g.path, NULL, &engine, &note), ISO_ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "is an encoder"));
    struct iso_embedder_options o = {.n_ctx = 111};
    assert_int_equal(iso_embedder_open(g.path, &o, &e, &note), ISO_ERR_USAGE);
    o = (struct iso_embedder_options){.pooling = ISO_POOLING_RANK};
    assert_int_equal(iso_embedder_open(g.path, &o, &e, &note), ISO_ERR_UNSUPPORTED);
    golden_close(&g);
    golden_open(&g, "xlmr", ".gguf");
    e = embedder(g.path, (struct iso_embedder_options){0});
    struct iso_text second = {tokens, 1, 0};
    assert_int_equal(iso_embed(e, &second, 1, out, &note), ISO_OK);
    tokens[1] = 4;
    second = (struct iso_text){tokens, 3, 1};
    assert_int_equal(iso_embed(e, &second, 1, out, &note), ISO_ERR_UNSUPPORTED);
    iso_embedder_close(e);
    golden_close(&g);
}

static void lengths_are_one(void **state)
{
    float x[5] = {3, 0, -4, 0, 0}, zero[2] = {0, 0};
    (void)state;
    iso_normalize(x, 3);
    assert_true(fabsf(x[0] - 0.6f) < 1e-6f && fabsf(x[2] + 0.8f) < 1e-6f);
    iso_normalize(zero, 2);
    assert_true(zero[0] == 0 && zero[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_agree_with_transformers),
        cmocka_unit_test(heads_agree_with_transformers),
        cmocka_unit_test(bits_do_not_depend_on_company),
        cmocka_unit_test(decoders_are_pooled),
        cmocka_unit_test(engine_gives_the_same_row),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(lengths_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
