/* test_model.c - opening a model: what it needs, progress, damaged weights, no memory. */
#include "lib/test.h"

#include "device/device.h"
#include "model/model.h"
#include "unit/model/patch.h"

struct seen {
    uint64_t done, total;
    int n_calls;
};

static void see(void *context, uint64_t done, uint64_t total)
{
    struct seen *s = context;
    assert_true(done >= s->done && done <= total);
    *s = (struct seen){done, total, s->n_calls + 1};
}

static void the_plan_tells_what_opening_gives(void **state)
{
    (void)state;
    struct patched p;
    struct device *d;
    struct model *m;
    struct model_info plan;
    struct seen seen = {0};
    struct model_limits limits = {8, 300};
    patched_open(&p, "gemma2", NULL, NULL, 0);
    assert_ok(model_plan(&p.table, limits, &plan, NULL));
    assert_string_equal(plan.arch, "gemma2");
    assert_int_equal(plan.n_vocab, 71);
    assert_int_equal(plan.n_ctx, 300);
    assert_int_equal(plan.n_ctx_train, 2048);
    assert_int_equal(plan.n_layers, 3);
    assert_int_equal(plan.window_max, 0); /* one layer sees everything */
    struct kv_shape shape = {2, 32};
    assert_int_equal(plan.kv_page_bytes, 3 * kv_layer_bytes(shape));
    assert_ok(cpu_device_open(2, "scalar", &d, NULL));
    assert_ok(model_open(&p.table, d, limits, see, &seen, &m, NULL));
    const struct model_info *info = model_info(m);
    assert_int_equal(info->n_params, plan.n_params);
    assert_int_equal(info->kv_page_bytes, plan.kv_page_bytes);
    assert_true(info->weight_bytes > 0);
    assert_int_equal(seen.done, seen.total);
    assert_true(seen.n_calls > 0);
    model_close(m);
    patched_close(&p);
    patched_open(&p, "mistral", NULL, NULL, 0);
    assert_ok(model_plan(&p.table, limits, &plan, NULL));
    assert_int_equal(plan.window_max, 48);
    limits.n_ctx_max = 1u << 30;
    assert_int_equal(model_plan(&p.table, limits, &plan, NULL), ERR_USAGE);
    patched_close(&p);
    d->ops->close(d);
}

static void a_scale_that_is_no_number_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *tensor;
        size_t at; /* byte of the tensor */
        uint16_t bits;
        const char *says;
    } cases[] = {
        {"blk.1.ffn_up.weight", 34 * 5, 0x7e00,
         "tensor blk.1.ffn_up.weight (Q8_0): the scale of block 5 is NaN or infinite"},
        {"token_embd.weight", 34 * 7, 0x7c00,
         "tensor token_embd.weight (Q8_0): the scale of block 7"},
        {"blk.0.attn_norm.weight", 4 * 9 + 2, 0x7fc0,
         "tensor blk.0.attn_norm.weight (F32): element 9 is NaN or infinite"},
    };
    struct device *d;
    struct model_limits limits = {1, 0};
    assert_ok(cpu_device_open(1, "scalar", &d, NULL));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct patched p;
        struct model *m;
        struct err_note note = {""};
        patched_open(&p, "llama", NULL, NULL, 0);
        const struct tensor_view *v = table_tensor(&p.table, cases[i].tensor);
        size_t at = (size_t)((const char *)v->data - p.bytes) + cases[i].at;
        memcpy(p.bytes + at, &cases[i].bits, 2);
        assert_int_equal(model_open(&p.table, d, limits, NULL, NULL, &m, &note), ERR_NUMERIC);
        assert_null(m);
        if (!strstr(note.text, cases[i].says))
            fail_msg("says: %s", note.text);
        patched_close(&p);
    }
    d->ops->close(d);
}

/* Every allocation that can fail is made to, one after another. */
static void without_memory_opening_is_an_error(void **state)
{
    (void)state;
    struct patched p;
    struct device *d;
    struct model *m;
    struct model_limits limits = {4, 0};
    patched_open(&p, "mixtral", NULL, NULL, 0);
    assert_ok(cpu_device_open(1, "auto", &d, NULL));
    for (uint64_t n = 1;; n++) {
        struct err_note note = {""};
        mem_fault_after(n);
        enum err rc = model_open(&p.table, d, limits, NULL, NULL, &m, &note);
        mem_fault_after(0);
        if (rc == ERR_OK)
            break;
        assert_int_equal(rc, ERR_MEMORY);
        assert_null(m);
        assert_true(strlen(note.text) > 10);
        assert_true(n < 10000);
    }
    model_close(m);
    d->ops->close(d);
    patched_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_tells_what_opening_gives),
        cmocka_unit_test(a_scale_that_is_no_number_is_named),
        cmocka_unit_test(without_memory_opening_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
