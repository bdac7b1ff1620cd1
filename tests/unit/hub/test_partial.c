/* test_partial.c - chunks that come in any order, come wrong, or are spoilt on the disk. */
#include "lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/partial.h"

enum { CHUNK = PARTIAL_CHUNK_BYTES_MIN, N_BYTES = 3 * CHUNK + 100 };

struct world {
    char folder[64], path[128];
    uint8_t *bytes;
};

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    snprintf(w->folder, sizeof w->folder, "/tmp/isobit-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/file", w->folder);
    w->bytes = mem_alloc(N_BYTES);
    for (size_t i = 0; i < N_BYTES; i++)
        w->bytes[i] = (uint8_t)(i * 7 + i / 251);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    static const char *const endings[] = {"", ".part", ".part.state"};
    char path[160];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", w->path, endings[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(w->folder), 0);
    mem_free(w->bytes);
    mem_free(w);
    return 0;
}

static void add(struct partial *p, const struct world *w, uint64_t from, uint64_t to, bool wanted)
{
    bool replaced;
    assert_int_equal(partial_add(p, from, w->bytes + from, (size_t)(to - from), &replaced, NULL),
                     ERR_OK);
    assert_int_equal(replaced, wanted);
}

static void expect_next(const struct partial *p, uint64_t from, uint64_t to)
{
    uint64_t f = 0, t = 0;
    assert_int_equal(partial_next(p, &f, &t), to > 0);
    assert_int_equal(f, from);
    assert_int_equal(t, to);
}

static void it_goes_on_where_it_ended(void **state)
{
    struct world *w = *state;
    struct partial p, second;
    assert_int_equal(partial_open(&p, w->path, "here", N_BYTES, NULL), ERR_OK);
    expect_next(&p, 0, N_BYTES);
    add(&p, w, 0, CHUNK + 1000, false);
    expect_next(&p, CHUNK + 1000, N_BYTES);
    add(&p, w, 2 * CHUNK, 3 * CHUNK, false); /* the chunk under way is given up */
    expect_next(&p, CHUNK, 2 * CHUNK);
    assert_int_equal(partial_open(&second, w->path, "here", N_BYTES, NULL), ERR_BUSY);
    assert_int_equal(partial_save(&p, NULL), ERR_OK);
    partial_close(&p);

    assert_int_equal(partial_open(&p, w->path, "here", N_BYTES, NULL), ERR_OK);
    assert_int_equal(p.n_bytes_has, 2 * CHUNK);
    expect_next(&p, CHUNK, 2 * CHUNK);
    add(&p, w, 0, N_BYTES, false); /* a server that ignores ranges */
    expect_next(&p, 0, 0);
    assert_int_equal(partial_finish(&p, NULL), ERR_OK);
    partial_close(&p);
    struct file_map m;
    assert_int_equal(file_map_open(&m, w->path, NULL), ERR_OK);
    assert_int_equal(m.n_bytes, N_BYTES);
    assert_memory_equal(m.bytes, w->bytes, N_BYTES);
    file_map_close(&m);
}

static void another_source_begins_anew(void **state)
{
    struct world *w = *state;
    struct partial p;
    assert_int_equal(partial_open(&p, w->path, "here", N_BYTES, NULL), ERR_OK);
    add(&p, w, 0, CHUNK, false);
    assert_int_equal(partial_save(&p, NULL), ERR_OK);
    partial_close(&p);
    assert_int_equal(partial_open(&p, w->path, "there", N_BYTES, NULL), ERR_OK);
    expect_next(&p, 0, N_BYTES);
    partial_close(&p);
    assert_int_equal(partial_open(&p, w->path, "here", N_BYTES - 1, NULL), ERR_OK);
    expect_next(&p, 0, N_BYTES - 1);
    partial_discard(&p);
    assert_int_equal(partial_save(&p, NULL), ERR_OK);
    partial_close(&p);
    assert_int_equal(rmdir(w->folder), 0); /* nothing is left */
    assert_int_equal(mkdir(w->folder, 0700), 0);
}

static void spoilt_chunks_are_missing_again(void **state)
{
    struct world *w = *state;
    struct partial p;
    assert_int_equal(partial_open(&p, w->path, "here", N_BYTES, NULL), ERR_OK);
    add(&p, w, 0, N_BYTES, false);
    assert_int_equal(partial_save(&p, NULL), ERR_OK);
    assert_int_equal(pwrite(p.fd, "X", 1, CHUNK + 5), 1);
    assert_int_equal(ftruncate(p.fd, 3 * CHUNK + 1), 0);
    partial_close(&p);
    assert_int_equal(partial_open(&p, w->path, "here", N_BYTES, NULL), ERR_OK);
    expect_next(&p, CHUNK, 2 * CHUNK);
    add(&p, w, CHUNK, 2 * CHUNK, false);
    expect_next(&p, 3 * CHUNK, N_BYTES);
    partial_close(&p);
}

static void a_second_reading_replaces_what_differs(void **state)
{
    struct world *w = *state;
    struct partial p;
    w->bytes[CHUNK + 3] ^= 1; /* comes wrong */
    assert_int_equal(partial_open(&p, w->path, "here", N_BYTES, NULL), ERR_OK);
    add(&p, w, 0, N_BYTES, false);
    assert_int_equal(partial_recheck(&p), 0);
    w->bytes[CHUNK + 3] ^= 1;
    partial_doubt(&p);
    expect_next(&p, 0, N_BYTES);
    add(&p, w, 0, CHUNK, false);
    add(&p, w, CHUNK, 2 * CHUNK, true);
    uint8_t byte;
    assert_int_equal(pread(p.fd, &byte, 1, CHUNK + 3), 1);
    assert_int_equal(byte, w->bytes[CHUNK + 3]);
    add(&p, w, 2 * CHUNK, N_BYTES, false);
    assert_int_equal(p.n_replaced, 1);
    expect_next(&p, 0, 0);
    partial_close(&p);
}

static void an_empty_file_is_whole(void **state)
{
    struct world *w = *state;
    struct partial p;
    assert_int_equal(partial_open(&p, w->path, "here", 0, NULL), ERR_OK);
    expect_next(&p, 0, 0);
    assert_int_equal(partial_finish(&p, NULL), ERR_OK);
    partial_close(&p);
    assert_true(file_exists(w->path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_goes_on_where_it_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(another_source_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(spoilt_chunks_are_missing_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_reading_replaces_what_differs, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_is_whole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
