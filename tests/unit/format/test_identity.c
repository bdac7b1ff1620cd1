/* test_identity.c - the identities of a model, against the vector of docs/formats/identity.md. */
#include "lib/test.h"

#include "base/mem.h"
#include "base/threads.h"
#include "format/gguf.h"
#include "format/identity.h"
#include "format/metas.h"
#include "format/table_build.h"

#define GOLDEN TEST_DIR "/golden/format/"

static void expect_hex(const uint8_t digest[SHA256_BYTES], const char *want)
{
    char hex[SHA256_HEX];
    hex_of(digest, SHA256_BYTES, hex);
    assert_string_equal(hex, want);
}

/* The model of the document: two tensors, a few values. */
static void document_model(struct table *t, bool other_order, bool other_comment)
{
    static const float norm[2] = {1.0f, 0.5f};
    static const uint8_t blocks[18] = {0, 0x3c, 1, 2,  3,  4,  5,  6,  7,
                                       8, 9,    10, 11, 12, 13, 14, 15, 16};
    struct tensor_view views[2] = {
        {STR("norm.weight"), DTYPE_F32, 1, {2}, norm, 0},
        {STR("blk.0.w"), DTYPE_Q4_0, 2, {32, 1}, blocks, 0},
    };
    struct metas m;
    metas_init(&m);
    if (other_comment)
        metas_str(&m, "general.name", STR("something else"));
    metas_str(&m, "general.architecture", STR("llama"));
    metas_u32(&m, "llama.block_count", 1);
    metas_f32(&m, "llama.rope.freq_base", 10000);
    metas_bool(&m, "llama.flag", true);
    metas_i32s(&m, "llama.list", (const int32_t[]){3, -4}, 2);
    metas_str(&m, "llama.rope.scaling.type", STR("linear"));
    metas_str(&m, "tokenizer.ggml.model", other_comment ? STR("gpt2") : STR("llama"));
    assert_ok(table_init(t, "document", NULL));
    assert_ok(table_take_metas(t, &m, NULL));
    for (int i = 0; i < 2; i++)
        assert_ok(table_add_tensor(t, &views[other_order ? 1 - i : i], 64, NULL));
    assert_ok(table_finish(t, "test", NULL));
}

static void the_documents_vector(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct table t;
        struct identity id;
        document_model(&t, i & 1, i & 2);
        assert_ok(identity_of(&t, NULL, NULL, NULL, &id, NULL));
        expect_hex(id.weights, "a7d9e9696bb7956fa3df45ea5ab026433b34ca2654a6c5e7c16ce52a8c8b211d");
        expect_hex(id.config, "eb4f3363bd0fb21a2a06f81109072cb402e1dfcadd21a3aaecf6507b11e0fa16");
        table_close(&t);
    }
}

static void a_value_or_a_weight_changes_it(void **state)
{
    (void)state;
    struct table t;
    struct identity a, b;
    document_model(&t, false, false);
    assert_ok(identity_of(&t, NULL, NULL, NULL, &a, NULL));
    ((struct meta_value *)(uintptr_t)table_meta(&t, "llama.block_count"))->uint_ = 2;
    assert_ok(identity_of(&t, NULL, NULL, NULL, &b, NULL));
    assert_memory_equal(a.weights, b.weights, SHA256_BYTES);
    assert_memory_not_equal(a.config, b.config, SHA256_BYTES);
    struct tensor_view *v = (struct tensor_view *)(uintptr_t)table_tensor(&t, "norm.weight");
    v->data = (const float[]){1.0f, 0.25f};
    assert_ok(identity_of(&t, NULL, NULL, NULL, &a, NULL));
    assert_memory_not_equal(a.weights, b.weights, SHA256_BYTES);
    table_close(&t);
}

static void remember(void *context, uint64_t done, uint64_t total)
{
    uint64_t *last = context;
    assert_true(done <= total);
    last[0] = done > last[0] ? done : last[0];
}

static void split_and_whole_agree(void **state)
{
    (void)state;
    struct table split, whole;
    struct identity a, b;
    uint64_t done = 0;
    struct threads *threads = threads_new(2);
    assert_ok(gguf_open(GOLDEN "split-00001-of-00003.gguf", &split, NULL));
    assert_ok(gguf_open(GOLDEN "types.gguf", &whole, NULL));
    assert_ok(identity_of(&split, threads, NULL, NULL, &a, NULL));
    assert_ok(identity_of(&whole, NULL, remember, &done, &b, NULL));
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(done, 256 + 192 + 20 + 108 + 40 + 44 + 48 + 204 + 34);
    threads_free(threads);
    table_close(&split);
    table_close(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documents_vector),
        cmocka_unit_test(a_value_or_a_weight_changes_it),
        cmocka_unit_test(split_and_whole_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
