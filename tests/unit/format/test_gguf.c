/* test_gguf.c - the GGUF reader on files that the gguf Python package wrote, whole and damaged.
 *
 * Vectors: tests/golden/format, made by tools/gguf_vectors.py. */
#include "lib/test.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"

#define GOLDEN TEST_DIR "/golden/format/"

static uint8_t *read_all(const char *path, size_t *n_bytes)
{
    char *text;
    assert_ok(file_read(path, 1 << 20, &text, n_bytes, NULL));
    return (uint8_t *)text;
}

static const struct meta_value *meta(const struct table *t, const char *key)
{
    const struct meta_value *v = table_meta(t, key);
    if (!v)
        fail_msg("no metadata %s", key);
    return v;
}

static void check_metas(const struct table *t)
{
    assert_int_equal(meta(t, "t.u8")->uint_, 200);
    assert_int_equal(meta(t, "t.i8")->int_, -100);
    assert_int_equal(meta(t, "t.u16")->uint_, 60000);
    assert_int_equal(meta(t, "t.i16")->int_, -30000);
    assert_int_equal(meta(t, "t.u32")->uint_, 4000000000u);
    assert_int_equal(meta(t, "t.i32")->int_, -2000000000);
    assert_true(meta(t, "t.u64")->uint_ == UINT64_MAX);
    assert_true(meta(t, "t.i64")->int_ == INT64_MIN);
    assert_true(meta(t, "t.f32")->float_ == (double)0.1f);
    assert_true(meta(t, "t.f64")->float_ == 0.1);
    assert_true(meta(t, "t.bool")->bool_);
    assert_true(str_is(meta(t, "t.string")->string, "gr\xc3\xbc\xc3\x9f" "e"));
    const struct meta_array *ints = &meta(t, "t.array.ints")->array;
    assert_int_equal(ints->n_items, 3);
    assert_int_equal(ints->ints[1], -2);
    assert_true(meta(t, "t.array.floats")->array.floats[1] == -0.25);
    assert_false(meta(t, "t.array.bools")->array.bools[1]);
    const struct meta_array *strings = &meta(t, "t.array.strings")->array;
    assert_int_equal(strings->n_items, 3);
    assert_int_equal(strings->strings[1].len, 0);
    assert_true(str_is(strings->strings[2], "ccc"));
}

static void check_tensors(const struct table *t)
{
    static const struct {
        const char *name;
        enum dtype dtype;
        uint64_t k, rows, n_bytes;
    } want[] = {
        {"norm.weight", DTYPE_F32, 64, 1, 256},    {"half.weight", DTYPE_F16, 32, 3, 192},
        {"bf16.weight", DTYPE_BF16, 5, 2, 20},     {"q4_0.weight", DTYPE_Q4_0, 64, 3, 108},
        {"q4_1.weight", DTYPE_Q4_1, 32, 2, 40},    {"q5_0.weight", DTYPE_Q5_0, 32, 2, 44},
        {"q5_1.weight", DTYPE_Q5_1, 32, 2, 48},    {"q8_0.weight", DTYPE_Q8_0, 96, 2, 204},
        {"mxfp4.weight", DTYPE_MXFP4, 32, 2, 34},
    };
    assert_int_equal(t->n_tensors, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        const struct tensor_view *v = table_tensor(t, want[i].name);
        assert_ptr_equal(v, &t->tensors[i]);
        assert_int_equal(v->dtype, want[i].dtype);
        assert_int_equal(v->dim[0], want[i].k);
        assert_int_equal(v->dim[1], want[i].rows);
        assert_int_equal(v->dim[3], 1);
        assert_int_equal(v->n_bytes, want[i].n_bytes);
        assert_ok(tensor_view_check_finite(v, NULL));
    }
    assert_null(table_tensor(t, "absent.weight"));
}

static void every_type_is_read(void **state)
{
    (void)state;
    struct table t;
    assert_ok(table_open(GOLDEN "types.gguf", &t, NULL));
    assert_string_equal(t.source, "GGUF v3");
    assert_int_equal(t.n_bytes_file, 2080);
    check_metas(&t);
    check_tensors(&t);
    table_close(&t);
    assert_ok(table_open(GOLDEN "types_v2.gguf", &t, NULL));
    assert_string_equal(t.source, "GGUF v2");
    check_metas(&t);
    check_tensors(&t);
    table_close(&t);
}

static void typed_lookups_name_the_key(void **state)
{
    (void)state;
    struct table t;
    struct err_note note;
    uint32_t u;
    double f;
    bool b;
    struct str s;
    const struct meta_array *a;
    assert_ok(gguf_open(GOLDEN "types.gguf", &t, NULL));
    assert_ok(table_u32(&t, "absent", 7, &u, &note));
    assert_int_equal(u, 7);
    assert_ok(table_u32(&t, "t.u32", 7, &u, &note));
    assert_int_equal(u, 4000000000u);
    assert_int_equal(table_u32(&t, "t.u64", 7, &u, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "t.u64"));
    assert_int_equal(table_u32(&t, "t.i8", 7, &u, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "-100"));
    assert_int_equal(table_u32(&t, "t.string", 7, &u, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "string"));
    assert_ok(table_f64(&t, "t.f64", 7, &f, &note));
    assert_true(f == 0.1);
    assert_int_equal(table_f64(&t, "t.u8", 7, &f, &note), ERR_FORMAT);
    assert_ok(table_bool(&t, "t.bool", false, &b, &note));
    assert_true(b);
    assert_int_equal(table_bool(&t, "t.u8", false, &b, &note), ERR_FORMAT);
    assert_ok(table_str(&t, "general.architecture", STR("none"), &s, &note));
    assert_true(str_is(s, "llama"));
    assert_ok(table_array(&t, "absent", META_INT, &a, &note));
    assert_null(a);
    assert_ok(table_array(&t, "t.array.ints", META_INT, &a, &note));
    assert_int_equal(a->n_items, 3);
    assert_int_equal(table_array(&t, "t.array.ints", META_STRING, &a, &note), ERR_FORMAT);
    table_close(&t);
}

static void split_equals_whole(void **state)
{
    (void)state;
    struct table t, whole;
    assert_ok(table_open(GOLDEN "split-00001-of-00003.gguf", &t, NULL));
    assert_ok(table_open(GOLDEN "types.gguf", &whole, NULL));
    assert_string_equal(t.source, "GGUF v3, 3 files");
    assert_int_equal(t.n_bytes_file, 1248 + 576 + 672);
    check_metas(&t);
    check_tensors(&t);
    for (size_t i = 0; i < t.n_tensors; i++)
        assert_memory_equal(t.tensors[i].data, whole.tensors[i].data, whole.tensors[i].n_bytes);
    table_close(&t);
    table_close(&whole);
}

/* Copies a golden file to another name in a fresh folder. */
static void copy_to(const char *from, const char *folder, const char *name)
{
    char path[600];
    size_t n;
    uint8_t *bytes = read_all(from, &n);
    struct file_writer w;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(file_writer_open(&w, path, NULL));
    file_writer_add(&w, bytes, n);
    assert_ok(file_writer_commit(&w, NULL));
    mem_free(bytes);
}

static void remove_from(const char *folder, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static void bad_splits_say_what_is_wrong(void **state)
{
    (void)state;
    struct table t;
    struct err_note note;
    char folder[] = "/tmp/isobit-split-XXXXXX", path[512];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(table_open(GOLDEN "split-00002-of-00003.gguf", &t, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "name the first file"));

    copy_to(GOLDEN "split-00001-of-00003.gguf", folder, "m-00001-of-00003.gguf");
    copy_to(GOLDEN "split-00002-of-00003.gguf", folder, "m-00002-of-00003.gguf");
    snprintf(path, sizeof path, "%s/m-00001-of-00003.gguf", folder);
    assert_int_equal(table_open(path, &t, &note), ERR_NOT_FOUND);
    assert_non_null(strstr(note.text, "m-00003-of-00003.gguf"));

    copy_to(GOLDEN "split-00002-of-00003.gguf", folder, "m-00003-of-00003.gguf");
    assert_int_equal(table_open(path, &t, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "m-00003-of-00003.gguf: it says file 2 of 3"));

    copy_to(GOLDEN "types.gguf", folder, "m-00003-of-00003.gguf");
    assert_int_equal(table_open(path, &t, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "not of the same model"));

    copy_to(GOLDEN "split-00001-of-00003.gguf", folder, "renamed.gguf");
    snprintf(path, sizeof path, "%s/renamed.gguf", folder);
    assert_int_equal(table_open(path, &t, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "-00001-of-00003.gguf"));
    remove_from(folder, "m-00001-of-00003.gguf");
    remove_from(folder, "m-00002-of-00003.gguf");
    remove_from(folder, "m-00003-of-00003.gguf");
    remove_from(folder, "renamed.gguf");
    assert_int_equal(rmdir(folder), 0);
}

static void one_line(const struct err_note *note)
{
    assert_true(note->text[0] != 0);
    assert_null(strchr(note->text, '\n'));
}

static void views_are_inside(const struct table *t, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < t->n_tensors; i++) {
        const struct tensor_view *v = &t->tensors[i];
        const uint8_t *data = v->data;
        assert_true(data >= bytes && data <= bytes + n && v->n_bytes <= (size_t)(bytes + n - data));
    }
}

static void truncated_anywhere_is_an_error(void **state)
{
    (void)state;
    size_t n, end = 0;
    uint8_t *bytes = read_all(GOLDEN "types.gguf", &n);
    struct table t;
    struct err_note note;
    assert_ok(gguf_parse(bytes, n, "whole", &t, &note));
    for (size_t i = 0; i < t.n_tensors; i++) {
        size_t e = (size_t)((const uint8_t *)t.tensors[i].data - bytes) + t.tensors[i].n_bytes;
        end = e > end ? e : end;
    }
    table_close(&t);
    for (size_t k = 0; k < end; k++) {
        uint8_t *cut = malloc(k ? k : 1); /* so that AddressSanitizer sees a read past the end */
        memcpy(cut, bytes, k);
        memset(&note, 0, sizeof note);
        if (gguf_parse(cut, k, "cut", &t, &note) == ERR_OK)
            fail_msg("accepted a file cut to %zu of %zu bytes", k, end);
        one_line(&note);
        free(cut);
    }
    mem_free(bytes);
}

static void corrupt_anywhere_never_escapes(void **state)
{
    (void)state;
    static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};
    size_t n;
    int n_refused = 0;
    uint8_t *bytes = read_all(GOLDEN "types.gguf", &n);
    for (size_t k = 0; k < n; k++)
        for (size_t m = 0; m < COUNT_OF(masks); m++) {
            struct table t;
            struct err_note note = {{0}};
            bytes[k] ^= masks[m];
            if (gguf_parse(bytes, n, "corrupt", &t, &note) == ERR_OK) {
                views_are_inside(&t, bytes, n);
                table_close(&t);
            } else {
                one_line(&note);
                n_refused++;
            }
            bytes[k] ^= masks[m];
        }
    assert_true(n_refused > 1000);
    mem_free(bytes);
}

/* Offsets into types.gguf of what a case overwrites are searched by the name before them. */
static size_t after(const uint8_t *bytes, size_t n, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len <= n; i++)
        if (memcmp(bytes + i, name, len) == 0)
            return i + len;
    fail_msg("%s is not in the file", name);
    return 0;
}

static void damage_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name; /* the change is `at` bytes after it */
        size_t at, n_bytes;
        uint64_t value;
        enum err rc;
        const char *says;
    } cases[] = {
        {"GGUF", 0, 4, 1, ERR_UNSUPPORTED, "GGUF version 1"},
        {"GGUF", 0, 4, 0x03000000, ERR_UNSUPPORTED, "big-endian"},
        {"GGUF", 4, 8, UINT64_MAX, ERR_LIMIT, "18446744073709551615 tensors"},
        {"t.u8", 0, 4, 99, ERR_FORMAT, "metadata t.u8 has the unknown type 99"},
        {"t.bool", 4, 1, 2, ERR_FORMAT, "metadata t.bool: a bool with the value 2"},
        {"t.string", 4, 8, UINT64_MAX, ERR_FORMAT, "truncated?"},
        {"t.array.ints", 4, 4, 9, ERR_UNSUPPORTED, "t.array.ints is an array of arrays"},
        {"t.array.ints", 8, 8, UINT64_MAX, ERR_LIMIT, "t.array.ints"},
        {"t.array.ints", 8, 8, 1 << 20, ERR_FORMAT, "inside an array"},
        {"norm.weight", 0, 4, 0, ERR_FORMAT, "norm.weight has 0 dimensions"},
        {"norm.weight", 0, 4, 5, ERR_FORMAT, "norm.weight has 5 dimensions"},
        {"norm.weight", 4, 8, 0, ERR_FORMAT, "norm.weight: dimension 0 is 0"},
        {"norm.weight", 4, 8, 1u << 30, ERR_FORMAT, "norm.weight needs 4294967296 bytes"},
        {"norm.weight", 4, 8, 64 + 16, ERR_FORMAT, "norm.weight and half.weight overlap"},
        {"norm.weight", 12, 4, 16, ERR_UNSUPPORTED, "norm.weight has the type IQ2_XXS"},
        {"norm.weight", 12, 4, 12345, ERR_UNSUPPORTED, "norm.weight has the unknown type 12345"},
        {"half.weight", 24, 8, 1, ERR_FORMAT, "no multiple of the alignment 32"},
        {"half.weight", 24, 8, 1u << 20, ERR_FORMAT, "half.weight starts at offset 1048576"},
        {"half.weight", 12, 8, UINT64_MAX / 2, ERR_FORMAT, "half.weight: its shape overflows"},
        {"q4_0.weight", 4, 8, 33, ERR_FORMAT, "q4_0.weight: a row of 33 elements"},
        {"q4_1.weight", 0, 0, 0, ERR_FORMAT, "tensor q4_0.weight occurs twice"},
        {"t.i8", 0, 0, 0, ERR_FORMAT, "metadata key t.u8 occurs twice"},
    };
    size_t n;
    uint8_t *bytes = read_all(GOLDEN "types.gguf", &n), *copy = malloc(n);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct table t;
        struct err_note note = {{0}};
        memcpy(copy, bytes, n);
        uint8_t *p = copy + after(copy, n, cases[i].name) + cases[i].at;
        for (size_t b = 0; b < cases[i].n_bytes; b++)
            p[b] = (uint8_t)(cases[i].value >> 8 * b);
        if (strcmp(cases[i].name, "q4_1.weight") == 0)
            p[-8] = '0'; /* the name becomes q4_0.weight */
        if (strcmp(cases[i].name, "t.i8") == 0)
            p[-2] = 'u';
        enum err rc = gguf_parse(copy, n, "damaged.gguf", &t, &note);
        if (rc != cases[i].rc || !strstr(note.text, cases[i].says))
            fail_msg("case %zu: %s \"%s\", expected \"%s\"", i, err_name(rc), note.text,
                     cases[i].says);
        assert_non_null(strstr(note.text, "damaged.gguf: "));
    }
    free(copy);
    mem_free(bytes);
}

static void scales_that_are_not_finite(void **state)
{
    (void)state;
    struct {
        enum dtype t;
        size_t at, n;
        uint8_t bad[4];
    } cases[] = {
        {DTYPE_F32, 0, 4, {0, 0, 0x80, 0x7f}},   {DTYPE_F16, 0, 2, {0, 0x7c}},
        {DTYPE_BF16, 0, 2, {0x80, 0xff}},        {DTYPE_Q4_0, 0, 2, {1, 0x7e}},
        {DTYPE_Q4_1, 2, 2, {0, 0xfc}},           {DTYPE_Q5_0, 0, 2, {0, 0x7c}},
        {DTYPE_Q5_1, 2, 2, {0, 0x7c}},           {DTYPE_Q8_0, 0, 2, {0, 0x7c}},
        {DTYPE_Q2_K, 82, 2, {0, 0x7c}},          {DTYPE_Q3_K, 108, 2, {0, 0x7c}},
        {DTYPE_Q4_K, 2, 2, {0, 0x7c}},           {DTYPE_Q5_K, 2, 2, {0, 0x7c}},
        {DTYPE_Q6_K, 208, 2, {0, 0x7c}},         {DTYPE_Q8_K, 0, 4, {0, 0, 0xc0, 0x7f}},
        {DTYPE_IQ4_NL, 0, 2, {0, 0x7c}},         {DTYPE_IQ4_XS, 0, 2, {0, 0x7c}},
        {DTYPE_Q8_K, 0, 4, {0, 0, 0, 0x7c}},     {DTYPE_MXFP4, 0, 1, {253}},
        {DTYPE_MXFP4, 0, 1, {0xff}},             {DTYPE_NF4, 0, 4, {0, 0, 0x80, 0xff}},
        {DTYPE_FP4, 0, 4, {0, 0, 0x80, 0x7f}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct dtype_info *info = dtype_info(cases[i].t);
        size_t size = (size_t)info->block_bytes;
        uint8_t *data = calloc(3, size);
        struct err_note note;
        struct tensor_view v = {.name = STR("w"), .dtype = cases[i].t, .n_dims = 1,
                                .data = data, .n_bytes = 3 * size};
        assert_ok(tensor_view_check_finite(&v, &note));
        memcpy(data + size + cases[i].at, cases[i].bad, cases[i].n);
        if (tensor_view_check_finite(&v, &note) != ERR_NUMERIC)
            fail_msg("%s: a scale that is not finite passed", info->name);
        assert_non_null(strstr(note.text, info->block_len == 1 ? "element 1" : "block 1"));
        free(data);
    }
}

/* Fails each allocation in turn; the sanitizers see what is left behind. */
static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    static const char *const paths[] = {GOLDEN "split-00001-of-00003.gguf", GOLDEN "hf/bnb_nf4",
                                        GOLDEN "hf/gptoss_mxfp4", GOLDEN "hf/qwen2"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        enum err rc = ERR_MEMORY;
        uint64_t n = 0;
        while (rc != ERR_OK && ++n < 10000) {
            struct table t;
            struct err_note note = {{0}};
            mem_fault_after(n);
            rc = table_open(paths[i], &t, &note);
            mem_fault_after(0);
            if (rc == ERR_OK)
                table_close(&t);
            else
                one_line(&note);
        }
        assert_in_range(n, 5, 9999);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(typed_lookups_name_the_key),
        cmocka_unit_test(split_equals_whole),
        cmocka_unit_test(bad_splits_say_what_is_wrong),
        cmocka_unit_test(truncated_anywhere_is_an_error),
        cmocka_unit_test(corrupt_anywhere_never_escapes),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(scales_that_are_not_finite),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
