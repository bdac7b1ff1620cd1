/* test_quantize.c - a small model to every mix; the same bytes for any threads; every refusal. */
#include "lib/test.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"
#include "format/gguf_write.h"
#include "format/metas.h"
#include "format/quantize.h"
#include "tensor/quant/quant.h"

enum { WIDTH = 256, NARROW = 288, ROWS = 40 };

static char folder[] = "/tmp/isobit-quantize-XXXXXX";
static char path_in[64], path_out[64], path_again[64];
static float weights[NARROW * ROWS * 2];

static int make_folder(void **state)
{
    (void)state;
    uint64_t seed = 4;
    assert_non_null(mkdtemp(folder));
    snprintf(path_in, sizeof path_in, "%s/in.gguf", folder);
    snprintf(path_out, sizeof path_out, "%s/out.gguf", folder);
    snprintf(path_again, sizeof path_again, "%s/again.gguf", folder);
    for (size_t i = 0; i < COUNT_OF(weights); i++)
        weights[i] = 0.05f * test_randn(&seed);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path_in);
    unlink(path_out);
    unlink(path_again);
    assert_int_equal(rmdir(folder), 0); /* fails when a temporary file was left */
    return 0;
}

static struct tensor_view view(const char *name, enum dtype t, uint64_t k, uint64_t rows,
                               uint64_t experts, const void *data)
{
    int n_dims = experts > 1 ? 3 : rows > 1 ? 2 : 1;
    return (struct tensor_view){str_from(name), t,
                                n_dims,         {k, rows, experts, 1},
                                data,           dtype_row_bytes(t, k) * rows * experts};
}

/* A model of two layers; what is NULL takes the common weights. */
static void write_model(const float *ffn_up, enum dtype ffn_up_dtype)
{
    struct metas m;
    struct tensor_view v[] = {
        view("token_embd.weight", DTYPE_F32, WIDTH, ROWS, 1, weights),
        view("blk.0.attn_v.weight", DTYPE_F32, WIDTH, 8, 1, weights + 100),
        view("blk.1.attn_v.weight", DTYPE_F32, WIDTH, 8, 1, weights + 200),
        view("blk.0.ffn_down.weight", DTYPE_F32, NARROW, ROWS, 1, weights),
        view("blk.0.ffn_up.weight", ffn_up_dtype, WIDTH, ROWS, 1, ffn_up ? ffn_up : weights + 300),
        view("blk.0.ffn_up_exps.weight", DTYPE_F32, WIDTH, 4, 3, weights + 77),
        view("blk.0.ffn_norm.weight", DTYPE_F32, WIDTH, 1, 1, weights),
        view("blk.0.ffn_gate_inp.weight", DTYPE_F32, WIDTH, 4, 1, weights),
        view("output.weight", DTYPE_F32, WIDTH, ROWS, 1, weights),
    };
    metas_init(&m);
    metas_str(&m, "general.architecture", STR("llama"));
    metas_u32(&m, "llama.block_count", 2);
    metas_u32(&m, "llama.attention.head_count", 8);
    metas_u32(&m, "llama.attention.head_count_kv", 8);
    metas_u32(&m, "general.file_type", 0);
    metas_u32(&m, "split.count", 1);
    assert_ok(gguf_write(path_in, m.items, m.n_items, v, COUNT_OF(v), NULL, NULL, NULL));
    metas_release(&m);
}

static int n_remarks;
static uint64_t last_done;

static void count_remark(void *context, const char *line)
{
    assert_true(strlen(line) > 20);
    (*(int *)context)++;
}

static void keep_progress(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    assert_true(done > last_done && done <= total);
    last_done = done;
}

static enum err quantize(const char *to, const char *mix, bool allow, int n_threads,
                         struct quantize_result *result, struct err_note *note)
{
    struct table t;
    struct threads *threads = threads_new(n_threads);
    struct quantize_options o = {
        .mix = mix_find(mix), .allow_requantize = allow, .threads = threads};
    o.progress = keep_progress;
    o.remark = count_remark;
    o.remark_context = &n_remarks;
    n_remarks = 0;
    last_done = 0;
    assert_ok(gguf_open(path_in, &t, NULL));
    enum err rc = table_quantize(&t, to, &o, result, note);
    table_close(&t);
    threads_free(threads);
    return rc;
}

static void files_are_equal(const char *a, const char *b)
{
    char *x, *y;
    size_t n_x, n_y;
    assert_ok(file_read(a, 1 << 24, &x, &n_x, NULL));
    assert_ok(file_read(b, 1 << 24, &y, &n_y, NULL));
    assert_int_equal(n_x, n_y);
    assert_memory_equal(x, y, n_x);
    mem_free(x);
    mem_free(y);
}

/* Every tensor of the output, decoded, lies near the source's; what stays float is equal. */
static void outputs_are_near(const struct table *out)
{
    struct table in;
    static float x[NARROW], y[NARROW];
    assert_ok(gguf_open(path_in, &in, NULL));
    assert_int_equal(in.n_tensors, out->n_tensors);
    for (size_t i = 0; i < in.n_tensors; i++) {
        const struct tensor_view *a = &in.tensors[i], *b = &out->tensors[i];
        double sum = 0, error = 0;
        assert_true(str_eq(a->name, b->name) && tensor_rows(a) == tensor_rows(b));
        for (uint64_t row = 0; row < tensor_rows(a); row++) {
            size_t k = a->dim[0];
            quant_decode_row(a->dtype, (const char *)a->data + row * dtype_row_bytes(a->dtype, k),
                             x, k);
            quant_decode_row(b->dtype, (const char *)b->data + row * dtype_row_bytes(b->dtype, k),
                             y, k);
            for (size_t j = 0; j < k; j++) {
                sum += (double)x[j] * (double)x[j];
                error += pow((double)x[j] - (double)y[j], 2);
            }
        }
        assert_true(sqrt(error / sum) < 0.3);
        if (b->n_dims == 1)
            assert_true(b->dtype == DTYPE_F32 && error == 0);
    }
    table_close(&in);
}

static void every_mix(void **state)
{
    (void)state;
    write_model(NULL, DTYPE_F32);
    for (size_t i = 0; mix_at(i); i++) {
        struct quantize_result result;
        struct table out;
        uint32_t file_type, version;
        assert_ok(quantize(path_out, mix_name(mix_at(i)), false, 1, &result, NULL));
        assert_ok(gguf_open(path_out, &out, NULL));
        outputs_are_near(&out);
        assert_ok(table_u32(&out, "general.file_type", 99, &file_type, NULL));
        assert_int_equal(file_type, mix_file_type(mix_at(i)));
        assert_ok(table_u32(&out, "general.quantization_version", 0, &version, NULL));
        assert_int_equal(version, 2);
        assert_null(table_meta(&out, "split.count"));
        bool has_fallback = dtype_info(mix_base(mix_at(i)))->block_len == 256; /* rows of 288 */
        assert_int_equal(result.n_fallbacks, has_fallback ? 1 : 0);
        assert_int_equal(n_remarks, result.n_fallbacks);
        table_close(&out);
        assert_ok(quantize(path_again, mix_name(mix_at(i)), false, 3, &result, NULL));
        files_are_equal(path_out, path_again);
    }
}

static void non_finite_values_are_named(void **state)
{
    (void)state;
    struct quantize_result result;
    struct err_note note;
    static float bad[WIDTH * ROWS];
    memset(bad, 0, sizeof bad);
    unlink(path_out);
    bad[WIDTH * 7 + 3] = NAN;
    bad[WIDTH * 30] = INFINITY;
    write_model(bad, DTYPE_F32);
    static const char *const mixes[] = {"Q4_K_M", "Q8_0", "F16", "F32"};
    for (size_t i = 0; i < COUNT_OF(mixes); i++) {
        assert_int_equal(quantize(path_out, mixes[i], false, 3, &result, &note), ERR_NUMERIC);
        assert_non_null(strstr(note.text, "blk.0.ffn_up.weight"));
        assert_non_null(strstr(note.text, "1795"));
        assert_false(file_exists(path_out));
    }
    memset(bad, 0, sizeof bad);
    bad[5] = 1e6f;
    write_model(bad, DTYPE_F32);
    assert_int_equal(quantize(path_out, "Q4_0", false, 2, &result, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "element 5 is 1e+06, beyond what Q4_0 can hold"));
    assert_ok(quantize(path_out, "BF16", false, 2, &result, &note));
}

static void quantised_sources_need_leave(void **state)
{
    (void)state;
    struct quantize_result result;
    struct err_note note;
    static uint8_t blocks[WIDTH / 256 * 144 * ROWS];
    size_t bad;
    unlink(path_out);
    assert_true(quant_encode_row(DTYPE_Q4_K, weights, blocks, WIDTH * ROWS, NULL, &bad));
    write_model((const float *)(const void *)blocks, DTYPE_Q4_K);
    assert_int_equal(quantize(path_out, "Q6_K", false, 2, &result, &note), ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "blk.0.ffn_up.weight is Q4_K already"));
    assert_false(file_exists(path_out));
    assert_ok(quantize(path_out, "Q6_K", true, 2, &result, &note));
    assert_int_equal(n_remarks, 2); /* the source, and the row of 288 */
    assert_ok(quantize(path_out, "Q4_K_S", false, 2, &result, &note)); /* the same type: a copy */
    assert_int_equal(n_remarks, 1);
    blocks[144 * 9 + 1] = 0x7c; /* an infinite scale is no copy */
    write_model((const float *)(const void *)blocks, DTYPE_Q4_K);
    assert_int_equal(quantize(path_out, "Q4_K_S", false, 2, &result, &note), ERR_NUMERIC);
    assert_non_null(strstr(note.text, "blk.0.ffn_up.weight"));
}

static double small_columns_error(const float *x, const float *y)
{
    double sum = 0;
    for (size_t i = 0; i < WIDTH * ROWS; i += 16)
        sum += pow((double)x[i] - (double)y[i], 2);
    return sqrt(sum);
}

/* Columns a hundred times smaller meet activations that much larger: their error is kept down. */
static void small_columns_count_more(void **state)
{
    (void)state;
    struct quantize_result result;
    struct table out;
    static float x[WIDTH * ROWS], plain[WIDTH * ROWS], got[WIDTH * ROWS];
    static uint8_t blocks[144 * ROWS];
    size_t bad;
    for (size_t i = 0; i < WIDTH * ROWS; i++)
        x[i] = weights[i] * (i % 16 == 0 ? 0.01f : 1.0f);
    write_model(x, DTYPE_F32);
    assert_true(quant_encode_row(DTYPE_Q4_K, x, blocks, WIDTH * ROWS, NULL, &bad));
    quant_decode_row(DTYPE_Q4_K, blocks, plain, WIDTH * ROWS);
    assert_ok(quantize(path_out, "Q4_K_S", false, 2, &result, NULL));
    assert_ok(gguf_open(path_out, &out, NULL));
    const struct tensor_view *v = table_tensor(&out, "blk.0.ffn_up.weight");
    assert_int_equal(v->dtype, DTYPE_Q4_K);
    quant_decode_row(DTYPE_Q4_K, v->data, got, WIDTH * ROWS);
    assert_true(small_columns_error(x, got) < 0.25 * small_columns_error(x, plain));
    table_close(&out);
}

static void full_disks_leave_nothing(void **state)
{
    (void)state;
    struct quantize_result result;
    struct err_note note;
    struct rlimit before, small;
    unlink(path_out);
    write_model(NULL, DTYPE_F32);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 20000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err rc = quantize(path_out, "Q8_0", false, 2, &result, &note);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, ERR_IO);
    assert_non_null(strstr(note.text, "out.gguf"));
    assert_false(file_exists(path_out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mix),
        cmocka_unit_test(non_finite_values_are_named),
        cmocka_unit_test(quantised_sources_need_leave),
        cmocka_unit_test(small_columns_count_more),
        cmocka_unit_test(full_disks_leave_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
