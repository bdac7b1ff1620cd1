/* test_mix.c - the types of every mix, tensor by tensor, as llama-quantize gives them. */
#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "tensor/mix.h"

enum { WORDS_MAX = 32 };

/* Splits a line at spaces, in place; returns how many words. */
static int split(char *line, char *words[WORDS_MAX])
{
    int n = 0;
    for (char *save = NULL, *w = strtok_r(line, " ", &save); w && n < WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    return n;
}

static uint64_t number(const char *s)
{
    uint64_t v = 0;
    assert_true(str_to_u64(str_from(s), &v));
    return v;
}

/* tests/golden/tensor/mixes.txt, written by tools/mix_vectors.py: its top says the format. */
static void types_agree_with_llama_quantize(void **state)
{
    (void)state;
    char *text, *save = NULL, *words[WORDS_MAX], arch[32] = "", names[512] = "", *mixes[WORDS_MAX];
    size_t n_bytes;
    int n_mixes = 0, n_checked = 0;
    struct mix_model model = {0};
    assert_ok(file_read(TEST_DIR "/golden/tensor/mixes.txt", 1 << 20, &text, &n_bytes, NULL));
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "mixes ", 6) == 0) {
            snprintf(names, sizeof names, "%s", line + 6);
            n_mixes = split(names, mixes);
            continue;
        }
        int n = split(line, words);
        if (strcmp(words[0], "model") == 0) {
            snprintf(arch, sizeof arch, "%s", words[1]);
            model = (struct mix_model){str_from(arch), (int)number(words[2]), (int)number(words[3]),
                                       (int)number(words[4]), number(words[5]) != 0};
            continue;
        }
        uint64_t dim[] = {number(words[1]), number(words[2]), number(words[3])};
        enum dtype from = dim[1] > 1 && !strstr(words[0], "inp") ? DTYPE_F16 : DTYPE_F32;
        assert_int_equal(n, 4 + n_mixes);
        for (int i = 0; i < n_mixes; i++) {
            const struct mix *m = mix_find(mixes[i]);
            assert_non_null(m);
            enum dtype t = mix_dtype(m, &model, str_from(words[0]), from, 3, dim, NULL);
            if (strcmp(dtype_info(t)->name, words[4 + i]) != 0)
                fail_msg("%s %d layers, %s, %s: %s, llama-quantize gives %s", arch, model.n_layers,
                         mixes[i], words[0], dtype_info(t)->name, words[4 + i]);
            n_checked++;
        }
    }
    assert_true(n_checked > 10000);
    mem_free(text);
}

static void fallback_is_told(void **state)
{
    (void)state;
    const struct mix_model model = {STR("llama"), 4, 0, 1, true};
    enum dtype wanted;
    uint64_t dim[] = {288, 64};
    struct str name = STR("blk.0.ffn_up.weight");
    assert_int_equal(mix_dtype(mix_find("Q4_K_M"), &model, name, DTYPE_BF16, 2, dim, &wanted),
                     DTYPE_Q5_0);
    assert_int_equal(wanted, DTYPE_Q4_K);
    dim[0] = 100;
    assert_int_equal(mix_dtype(mix_find("Q8_0"), &model, name, DTYPE_BF16, 2, dim, &wanted),
                     DTYPE_F16);
    assert_int_equal(wanted, DTYPE_Q8_0);
}

/* Vectors and routers become F32 whatever they were; other unquantised tensors stay. */
static void small_tensors_stay_floats(void **state)
{
    (void)state;
    const struct mix_model model = {STR("llama"), 4, 8, 1, true};
    const struct mix *m = mix_find("Q4_0");
    const uint64_t vector[] = {256}, matrix[] = {256, 8}, column[] = {256, 1};
    assert_int_equal(mix_dtype(m, &model, STR("output_norm.weight"), DTYPE_BF16, 1, vector, NULL),
                     DTYPE_F32);
    assert_int_equal(
        mix_dtype(m, &model, STR("blk.0.ffn_gate_inp.weight"), DTYPE_BF16, 2, matrix, NULL),
        DTYPE_F32);
    assert_int_equal(
        mix_dtype(m, &model, STR("blk.0.ffn_gate_inp_shexp.weight"), DTYPE_F16, 2, column, NULL),
        DTYPE_F32);
    assert_int_equal(
        mix_dtype(m, &model, STR("blk.0.ffn_up_exps.bias"), DTYPE_F32, 2, matrix, NULL), DTYPE_F32);
    assert_int_equal(mix_dtype(m, &model, STR("blk.0.table"), DTYPE_I32, 2, matrix, NULL),
                     DTYPE_I32);
    assert_int_equal(mix_dtype(m, &model, STR("blk.0.x.weight"), DTYPE_F64, 2, matrix, NULL),
                     DTYPE_F64);
    assert_ptr_equal(mix_find("q4_k"), mix_find("Q4_K_M"));
    assert_null(mix_find("Q4_K_XXL"));
    assert_null(mix_at(1000));
    assert_string_equal(mix_name(mix_at(0)), "Q2_K");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_agree_with_llama_quantize),
        cmocka_unit_test(fallback_is_told),
        cmocka_unit_test(small_tensors_stay_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
