/* test_bnb_write.c - the bitsandbytes writer: its codes against those of bitsandbytes itself. */
#include "lib/test.h"

#include <dirent.h>
#include <unistd.h>

#include "base/file.h"
#include "format/bnb_write.h"

#define GOLDEN TEST_DIR "/golden/format/hf/"

static char scratch[] = "/tmp/isobit-bnb-XXXXXX";
static char out[64];

static int make_scratch(void **state)
{
    (void)state;
    bool ok = mkdtemp(scratch) != NULL;
    snprintf(out, sizeof out, "%s/out", scratch);
    return ok ? 0 : 1;
}

static int remove_scratch(void **state)
{
    (void)state;
    return rmdir(scratch); /* fails when a file or folder was left */
}

static int remove_out(void)
{
    char path[600];
    struct dirent *e;
    DIR *dir = opendir(out);
    int n = 0;
    while (dir && (e = readdir(dir)))
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", out, e->d_name);
            n += unlink(path) == 0;
        }
    if (dir)
        closedir(dir);
    assert_int_equal(rmdir(out), 0);
    return n;
}

static float scale_of(const uint8_t *block)
{
    float scale;
    memcpy(&scale, block, sizeof scale);
    return scale;
}

/* A code as a value has it: FP4 has two zeros. */
static int code_of(enum dtype t, const uint8_t *codes, int i)
{
    int code = i & 1 ? codes[i / 2] & 15 : codes[i / 2] >> 4;
    return t == DTYPE_FP4 && code == 8 ? 0 : code;
}

/* How many codes differ; a scale may be the next of the 256 of its map. */
static int blocks_compare(const struct tensor_view *a, const struct tensor_view *b)
{
    int n_other = 0;
    const uint8_t *p = a->data, *q = b->data;
    assert_int_equal(a->n_bytes, b->n_bytes);
    for (size_t i = 0; i < a->n_bytes; i += 36) {
        for (int k = 0; k < 64; k++)
            n_other += code_of(a->dtype, p + i + 4, k) != code_of(b->dtype, q + i + 4, k);
        float x = scale_of(p + i), y = scale_of(q + i);
        assert_true(x - y < 0.03f * y && y - x < 0.03f * y);
    }
    return n_other;
}

static void count_calls(void *context, uint64_t done, uint64_t total)
{
    uint64_t *last = context;
    assert_true(done > *last && done <= total);
    *last = done;
}

static void codes_are_those_of_bitsandbytes(void **state)
{
    (void)state;
    static const struct {
        enum dtype type;
        const char *golden;
        int n_ties; /* values that lie midway between two levels, of 36864 */
    } cases[] = {{DTYPE_NF4, GOLDEN "bnb_nf4", 0}, {DTYPE_FP4, GOLDEN "bnb_fp4", 20}};
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct table ours, theirs;
        uint64_t done = 0;
        size_t n_packed = 0;
        int n_other = 0;
        struct bnb_job job = {GOLDEN "llama64", out, cases[c].type, count_calls, &done};
        assert_ok(bnb_write_folder(&job, NULL));
        assert_ok(table_open(out, &ours, NULL));
        assert_ok(table_open(cases[c].golden, &theirs, NULL));
        assert_int_equal(done, 64 * (64 + 32 + 32 + 64) + 3 * 64 * 128);
        assert_int_equal(ours.n_tensors, theirs.n_tensors);
        for (size_t i = 0; i < ours.n_tensors; i++) {
            const struct tensor_view *a = &ours.tensors[i], *b = &theirs.tensors[i];
            assert_true(str_eq(a->name, b->name) && a->dtype == b->dtype);
            if (a->dtype == cases[c].type) {
                n_other += blocks_compare(a, b);
                n_packed++;
            } else {
                assert_memory_equal(a->data, b->data, a->n_bytes);
            }
        }
        assert_int_equal(n_packed, 7);
        assert_in_range(n_other, 0, cases[c].n_ties);
        table_close(&ours);
        table_close(&theirs);
        assert_int_equal(remove_out(), 2);
    }
}

static void refusals_leave_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        enum err rc;
        const char *says;
    } cases[] = {
        {GOLDEN "mixtral", ERR_UNSUPPORTED, "a mixture of experts"},
        {GOLDEN "llama", ERR_UNSUPPORTED, "rows of 32 elements are no multiple of 64"},
        {GOLDEN "bnb_nf4", ERR_UNSUPPORTED, "is quantised already"},
        {GOLDEN "llama/config.json", ERR_USAGE, "is not a folder"},
        {TEST_DIR "/golden", ERR_NOT_FOUND, "config.json"},
    };
    struct err_note note;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bnb_job job = {.folder = cases[i].folder, .out = out, .type = DTYPE_NF4};
        assert_int_equal(bnb_write_folder(&job, &note), cases[i].rc);
        if (!strstr(note.text, cases[i].says))
            fail_msg("\"%s\", expected \"%s\"", note.text, cases[i].says);
        assert_false(file_exists(out));
    }
    struct bnb_job job = {.folder = GOLDEN "llama64", .out = scratch, .type = DTYPE_NF4};
    assert_int_equal(bnb_write_folder(&job, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "exists already"));
    job.out = "/nowhere/out";
    assert_int_equal(bnb_write_folder(&job, &note), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_bitsandbytes),
        cmocka_unit_test(refusals_leave_nothing),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
