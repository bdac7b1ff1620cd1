/* test_hparams.c - metadata that is wrong is told in one line; what is right is read. */
#include "lib/test.h"

#include "model/arch.h"
#include "model/hparams.h"
#include "unit/model/patch.h"

static void numbers_and_choices_are_read(void **state)
{
    (void)state;
    struct patched p;
    struct hparams h;
    patched_open(&p, "gemma3", NULL, NULL, 0);
    assert_ok(hparams_read(&p.table, &h, NULL));
    assert_string_equal(h.arch->name, "gemma3");
    assert_int_equal(h.n_layers, 7);
    assert_int_equal(h.n_vocab, 71);
    assert_int_equal(h.window, 40);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(h.windowed[i], i != 5);
    assert_int_equal(h.rope.scaling, ROPE_SCALING_LINEAR);
    assert_true(h.rope.theta == 1e6);
    assert_int_equal(h.rope_windowed.scaling, ROPE_SCALING_NONE);
    assert_true(h.rope_windowed.theta == 1e4);
    patched_close(&p);
    patched_open(&p, "phi3-long", NULL, NULL, 0);
    assert_ok(hparams_read(&p.table, &h, NULL));
    assert_int_equal(h.rope.scaling, ROPE_SCALING_LONGROPE);
    assert_int_equal(h.rope.n_ctx_orig, 96);
    assert_int_equal(h.n_rot, 24);
    assert_int_equal(h.head_size, 32);
    patched_close(&p);
}

/* What a file says when a few of its bytes are other ones. */
static void wrong_metadata_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *model, *find, *replace; /* of the same length; found once */
        uint32_t value;                     /* not 0: replaces the number behind `find` */
        enum err rc;
        const char *says;
    } cases[] = {
        {"llama", "\5\0\0\0\0\0\0\0llama", "\5\0\0\0\0\0\0\0lhama", 0, ERR_UNSUPPORTED,
         "architecture 'lhama' is not supported; known: llama, qwen2, qwen3, qwen3moe, phi3, "
         "gemma2, gemma3, gpt-oss"},
        {"llama", "general.architecture", "general.architectura", 0, ERR_FORMAT,
         "general.architecture is missing"},
        {"llama", "llama.block_count", "llama.block_bount", 0, ERR_FORMAT,
         "metadata llama.block_count is missing"},
        {"llama", "llama.block_count", NULL, 100000, ERR_FORMAT,
         "metadata block_count is 100000, but must be between 1 and 254"},
        {"llama", "llama.attention.head_count", NULL, 3, ERR_OK, ""},
        {"mistral", "llama.attention.head_count_kv", NULL, 2, ERR_UNSUPPORTED,
         "7 heads do not share 2 key-value heads evenly"},
        {"llama", "llama.attention.key_length", NULL, 26, ERR_UNSUPPORTED,
         "attention.value_length differs from key_length"},
        {"llama", "llama.rope.dimension_count", NULL, 23, ERR_UNSUPPORTED, "part 23 even"},
        {"llama", "llama.rope.dimension_count", NULL, 30, ERR_FORMAT,
         "metadata rope.dimension_count is 30, but must be between 2 and 24"},
        {"llama", "llama.rope.freq_base", NULL, 0x3f000000, ERR_FORMAT, "base 0.5"},
        {"llama", "llama.attention.layer_norm_rms_epsilon", NULL, 0xbf000000, ERR_FORMAT,
         "layer_norm_rms_epsilon is -0.5"},
        {"mixtral", "llama.expert_used_count", NULL, 5, ERR_FORMAT,
         "metadata expert_used_count is 5, but must be between 1 and 4"},
        {"llama-yarn", "\4\0\0\0\0\0\0\0yarn", "\4\0\0\0\0\0\0\0yarm", 0, ERR_UNSUPPORTED,
         "rope scaling 'yarm' is not supported; known: none, linear, dynamic, yarn"},
        {"llama-yarn", "llama.rope.scaling.yarn_beta_fast", NULL, 0x3e000000, ERR_FORMAT,
         "beta 0.5..0.125"},
        {"llama", "llama.feed_forward_length", "llama.attention.clamp_kqv", 0, ERR_UNSUPPORTED,
         "metadata llama.attention.clamp_kqv asks for something that is not supported"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct patched p;
        struct hparams h;
        struct err_note note = {""};
        patched_open(&p, cases[i].model, cases[i].find, cases[i].replace, cases[i].value);
        assert_int_equal(hparams_read(&p.table, &h, &note), cases[i].rc);
        if (!strstr(note.text, cases[i].says))
            fail_msg("case %zu says: %s", i, note.text);
        patched_close(&p);
    }
}

static void every_architecture_has_one_name(void **state)
{
    (void)state;
    size_t n = 0;
    for (; archs[n]; n++)
        assert_ptr_equal(arch_find(str_from(archs[n]->name)), archs[n]);
    assert_int_equal(n, 10);
    assert_null(arch_find(STR("llam")));
    assert_null(arch_find(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_choices_are_read),
        cmocka_unit_test(wrong_metadata_is_named),
        cmocka_unit_test(every_architecture_has_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
