/* test_weights.c - tensors that are missing, misshapen or strange are named. */
#include "lib/test.h"

#include "model/weights.h"
#include "unit/model/patch.h"

static void every_tensor_finds_its_slot(void **state)
{
    (void)state;
    struct patched p;
    struct hparams h;
    struct weights w;
    patched_open(&p, "gpt-oss", NULL, NULL, 0);
    assert_ok(hparams_read(&p.table, &h, NULL));
    assert_ok(weights_bind(&p.table, &h, &w, NULL));
    assert_true(str_is(w.global[SLOT_OUTPUT]->name, "output.weight"));
    assert_ptr_equal(weights_head(&h, &w), w.global[SLOT_OUTPUT]);
    assert_true(str_is(w.layers[2].slot[SLOT_MOE_DOWN]->name, "blk.2.ffn_down_exps.weight"));
    assert_null(w.layers[0].slot[SLOT_FFN_GATE]);
    uint64_t n_params = 0;
    for (size_t i = 0; i < p.table.n_tensors; i++)
        n_params +=
            p.table.tensors[i].dim[0] * p.table.tensors[i].dim[1] * p.table.tensors[i].dim[2];
    assert_int_equal(w.n_params, n_params);
    weights_release(&w);
    patched_close(&p);
}

static void wrong_tensors_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *model, *find, *replace;
        uint32_t value;
        enum err rc;
        const char *says;
    } cases[] = {
        {"llama", "blk.1.attn_q.weight", "blk.1.attn_r.weight", 0, ERR_FORMAT,
         "tensor blk.1.attn_q.weight is missing (architecture 'llama' needs it)"},
        {"llama", "output_norm.weight", "outpux_norm.weight", 0, ERR_FORMAT,
         "tensor output_norm.weight is missing"},
        {"llama", "output.weight", "outpux.weight", 0, ERR_UNSUPPORTED,
         "tensor outpux.weight has no place in architecture 'llama' with 2 layers"},
        {"llama", "llama.block_count", NULL, 3, ERR_FORMAT,
         "tensor blk.2.attn_norm.weight is missing"},
        {"llama", "llama.block_count", NULL, 1, ERR_UNSUPPORTED,
         "tensor blk.1.attn_norm.weight has no place in architecture 'llama' with 1 layers"},
        {"llama", "llama.attention.head_count", NULL, 3, ERR_FORMAT,
         "tensor blk.0.attn_q.weight has shape [96, 96], expected [96, 72]"},
        {"llama", "llama.feed_forward_length", NULL, 256, ERR_FORMAT,
         "tensor blk.0.ffn_gate.weight has shape [96, 128], expected [96, 256]"},
        {"mixtral", "llama.expert_count", NULL, 8, ERR_FORMAT,
         "tensor blk.0.ffn_gate_inp.weight has shape [64, 4], expected [64, 8]"},
        {"llama-rope3", "llama.rope.dimension_count", NULL, 8, ERR_FORMAT,
         "tensor rope_freqs.weight has shape [8], expected [4]"},
        {"qwen3", "blk.0.attn_k_norm.weight", "blk.0.attn_k_nurm.weight", 0, ERR_FORMAT,
         "tensor blk.0.attn_k_norm.weight is missing (architecture 'qwen3' needs it)"},
        {"phi3-long", "rope_factors_short.weight", "rope_factors_shart.weight", 0, ERR_FORMAT,
         "tensor rope_factors_short.weight is missing"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct patched p;
        struct hparams h;
        struct weights w;
        struct err_note note = {""};
        patched_open(&p, cases[i].model, cases[i].find, cases[i].replace, cases[i].value);
        assert_ok(hparams_read(&p.table, &h, &note));
        assert_int_equal(weights_bind(&p.table, &h, &w, &note), cases[i].rc);
        if (!strstr(note.text, cases[i].says))
            fail_msg("case %zu says: %s", i, note.text);
        patched_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_finds_its_slot),
        cmocka_unit_test(wrong_tensors_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
