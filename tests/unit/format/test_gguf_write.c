/* test_gguf_write.c - the GGUF writer, against bytes of the gguf Python package; also metas.h. */
#include "lib/test.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"
#include "format/gguf_write.h"
#include "format/metas.h"

#define GOLDEN TEST_DIR "/golden/format/"

static char folder[] = "/tmp/isobit-write-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.gguf", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0); /* fails when a temporary file was left */
    return 0;
}

/* Serves rows from the views of an open table, in pieces. */
static enum err copy_rows(void *context, const struct tensor_view *v, uint64_t row, uint64_t n_rows,
                          void *out, struct err_note *note)
{
    const struct table *t = context;
    size_t n = dtype_row_bytes(v->dtype, v->dim[0]);
    char *name = mem_strndup(v->name.ptr, v->name.len);
    const struct tensor_view *from = table_tensor(t, name);
    mem_free(name);
    if (!from)
        return err_set(note, ERR_NOT_FOUND, "no such tensor");
    assert_true(row + n_rows <= tensor_rows(v));
    memcpy(out, (const uint8_t *)from->data + row * n, n_rows * n);
    return ERR_OK;
}

static void written_bytes_equal(gguf_rows_fn *rows)
{
    struct table t;
    char *want, *got;
    size_t n_want, n_got;
    assert_ok(gguf_open(GOLDEN "types.gguf", &t, NULL));
    assert_ok(gguf_write(path, t.metas, t.n_metas, t.tensors, t.n_tensors, rows, &t, NULL));
    assert_ok(file_read(GOLDEN "types.gguf", 1 << 20, &want, &n_want, NULL));
    assert_ok(file_read(path, 1 << 20, &got, &n_got, NULL));
    assert_int_equal(n_want, n_got);
    assert_memory_equal(want, got, n_got);
    mem_free(want);
    mem_free(got);
    table_close(&t);
    unlink(path);
}

static void same_bytes_as_the_python_writer(void **state)
{
    (void)state;
    written_bytes_equal(NULL);
    written_bytes_equal(copy_rows);
}

static void alignment_is_honoured(void **state)
{
    (void)state;
    struct metas m;
    struct table t;
    float ones[3] = {1, 1, 1};
    struct tensor_view v[2] = {
        {STR("a"), DTYPE_F32, 1, {3, 1, 1, 1}, ones, 12},
        {STR("b"), DTYPE_F32, 1, {2, 1, 1, 1}, ones, 8},
    };
    metas_init(&m);
    metas_u32(&m, "general.alignment", 128);
    assert_ok(metas_status(&m, NULL));
    assert_ok(gguf_write(path, m.items, m.n_items, v, 2, NULL, NULL, NULL));
    assert_ok(gguf_open(path, &t, NULL));
    assert_int_equal((const char *)t.tensors[1].data - (const char *)t.tensors[0].data, 128);
    assert_int_equal(t.n_bytes_file % 128, 0);
    table_close(&t);
    metas_release(&m);
    unlink(path);
}

static enum err failing_rows(void *context, const struct tensor_view *v, uint64_t row,
                             uint64_t n_rows, void *out, struct err_note *note)
{
    (void)v, (void)row, (void)n_rows, (void)out;
    return err_set(note, *(enum err *)context, "stopped here");
}

static void nothing_is_left_after_an_error(void **state)
{
    (void)state;
    struct err_note note;
    enum err code = ERR_CANCELLED;
    float one = 1;
    struct tensor_view v[2] = {
        {STR("a"), DTYPE_F32, 1, {1, 1, 1, 1}, &one, 4},
        {STR("a"), DTYPE_F32, 1, {1, 1, 1, 1}, &one, 4},
    };
    assert_int_equal(gguf_write(path, NULL, 0, v, 2, NULL, NULL, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "tensor a occurs twice"));
    assert_int_equal(gguf_write(path, NULL, 0, v, 1, failing_rows, &code, &note), ERR_CANCELLED);
    assert_string_equal(note.text, "stopped here");
    v[0].dtype = DTYPE_NF4;
    v[0].dim[0] = 64;
    assert_int_equal(gguf_write(path, NULL, 0, v, 1, NULL, NULL, &note), ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "NF4"));
    v[0].dtype = DTYPE_Q4_0;
    v[0].dim[0] = 31;
    assert_int_equal(gguf_write(path, NULL, 0, v, 1, NULL, NULL, &note), ERR_FORMAT);
    assert_int_equal(gguf_write("/nowhere/out.gguf", NULL, 0, v, 0, NULL, NULL, &note),
                     ERR_NOT_FOUND);
    assert_false(file_exists(path));
}

static void a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    struct err_note note;
    float one = 1;
    struct tensor_view v = {STR("a"), DTYPE_F32, 1, {1, 1, 1, 1}, &one, 4};
    char full[64];
    snprintf(full, sizeof full, "%s/full", folder);
    if (symlink("/dev/full", full) != 0)
        fail_msg("symlink");
    /* The temporary name is the one written to: make it lead to the device that is always full. */
    char tmp[96];
    snprintf(tmp, sizeof tmp, "%s.tmp-%ld", path, (long)getpid());
    assert_int_equal(rename(full, tmp), 0);
    assert_int_equal(gguf_write(path, NULL, 0, &v, 1, NULL, NULL, &note), ERR_IO);
    assert_non_null(strstr(note.text, "No space left"));
    assert_false(file_exists(path));
}

static void lists_of_metadata_set_and_copy(void **state)
{
    (void)state;
    struct metas m, copy;
    const struct str words[] = {STR("x"), STR("")};
    metas_init(&m);
    metas_init(&copy);
    metas_u32(&m, "a", 1);
    metas_str(&m, "b", STR("text"));
    metas_strs(&m, "c", words, 2);
    metas_f32(&m, "d", 0.1);
    metas_u32(&m, "a", 2);
    assert_int_equal(m.n_items, 4);
    assert_int_equal(metas_find(&m, "a")->uint_, 2);
    assert_true(metas_find(&m, "d")->float_ == (double)0.1f);
    metas_remove(&m, "b");
    metas_remove(&m, "absent");
    assert_null(metas_find(&m, "b"));
    for (size_t i = 0; i < m.n_items; i++)
        metas_copy(&copy, &m.items[i]);
    assert_ok(metas_status(&m, NULL));
    metas_release(&m);
    assert_true(str_is(metas_find(&copy, "c")->array.strings[0], "x"));
    assert_ok(metas_status(&copy, NULL));
    metas_u32(&copy, "bad\nkey", 1);
    assert_int_equal(metas_status(&copy, NULL), ERR_FORMAT);
    metas_release(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_as_the_python_writer),
        cmocka_unit_test(alignment_is_honoured),
        cmocka_unit_test(nothing_is_left_after_an_error),
        cmocka_unit_test(a_full_disk_leaves_nothing),
        cmocka_unit_test(lists_of_metadata_set_and_copy),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
