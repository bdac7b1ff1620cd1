/* test_base.c - errors, memory, buffers, text, hash, files and the thread pool. */
#include "lib/test.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/threads.h"

static void notes_are_cut_and_wrapped(void **state)
{
    (void)state;
    struct err_note note;
    assert_int_equal(err_set(&note, ERR_IO, "%0600d", 7), ERR_IO);
    assert_string_equal(note.text + sizeof note.text - 4, "...");
    err_set(&note, ERR_FORMAT, "bad %s", "magic");
    assert_int_equal(err_wrap(&note, ERR_FORMAT, "file %d", 3), ERR_FORMAT);
    assert_string_equal(note.text, "file 3: bad magic");
    assert_int_equal(err_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
    assert_string_equal(err_name(ERR_NOT_FOUND), "NOT_FOUND");
}

static void memory_faults_on_purpose(void **state)
{
    (void)state;
    assert_null(mem_array(SIZE_MAX, 2));
    mem_fault_after(2);
    void *a = mem_alloc(1), *b = mem_alloc(1), *c = mem_alloc(1);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    mem_free(a);
    mem_free(c);
    struct arena arena;
    arena_init(&arena, 100);
    assert_non_null(arena_alloc(&arena, 90));
    assert_null(arena_alloc(&arena, 90));
    arena_release(&arena);
}

static void buffers_keep_their_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_printf(&b, "%s-%d", "abc", 42);
    assert_string_equal(b.bytes, "abc-42");
    buf_str(&b, "12345");
    assert_true(b.failed);
    buf_clear(&b);
    buf_str(&b, "1234567890");
    char *text = buf_take(&b);
    assert_string_equal(text, "1234567890");
    mem_free(text);
}

static void numbers_are_strict(void **state)
{
    (void)state;
    uint64_t u;
    int64_t i;
    double d;
    assert_true(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &u));
    assert_false(str_to_u64(STR(""), &u) || str_to_u64(STR(" 1"), &u) || str_to_u64(STR("1x"), &u));
    assert_true(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(str_to_i64(STR("9223372036854775808"), &i) || str_to_i64(STR("-"), &i));
    assert_true(str_to_f64(STR("0.7"), &d) && d == 0.7);
    assert_false(str_to_f64(STR("nan"), &d) || str_to_f64(STR("1e999"), &d));
}

static void utf8_is_strict(void **state)
{
    (void)state;
    char out[4];
    uint32_t c;
    for (uint32_t k = 0; k <= 0x10ffff; k += k < 0x900 ? 1 : 97) {
        if (k >= 0xd800 && k <= 0xdfff)
            continue;
        int n = utf8_encode(k, out);
        assert_int_equal(utf8_decode(out, 4 < n ? 4 : (size_t)n, &c), n);
        assert_int_equal(c, k);
        assert_int_equal(n > 1 ? utf8_decode(out, (size_t)n - 1, &c) : 0, 0);
    }
    assert_false(utf8_valid("\xc0\xaf", 2) || utf8_valid("\xed\xa0\x80", 3) ||
                 utf8_valid("\xf4\x90\x80\x80", 4) || utf8_valid("\xff", 1));
}

static void sha256_known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t digest[32];
    char hex[SHA256_HEX];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        sha256_of(cases[i].text, strlen(cases[i].text), digest);
        hex_of(digest, 32, hex);
        assert_string_equal(hex, cases[i].hex);
    }
    struct sha256 h; /* a million 'a' in uneven pieces */
    char piece[977];
    memset(piece, 'a', sizeof piece);
    sha256_init(&h);
    for (size_t left = 1000000; left > 0;) {
        size_t n = left < sizeof piece ? left : sizeof piece;
        sha256_add(&h, piece, n);
        left -= n;
    }
    sha256_end(&h, digest);
    hex_of(digest, 32, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void files_appear_whole_or_not_at_all(void **state)
{
    (void)state;
    char dir[] = "/tmp/isobit-test-XXXXXX", path[64];
    struct file_writer w;
    struct file_map m;
    struct err_note note;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/f", dir);
    assert_ok(file_writer_open(&w, path, &note));
    file_writer_add(&w, "hello", 5);
    file_writer_pad(&w, 32);
    assert_false(file_exists(path));
    file_writer_abort(&w);
    assert_int_equal(file_map_open(&m, path, &note), ERR_NOT_FOUND);
    assert_ok(file_writer_open(&w, path, &note));
    file_writer_add(&w, "hello", 5);
    file_writer_pad(&w, 32);
    assert_ok(file_writer_commit(&w, &note));
    assert_ok(file_map_open(&m, path, &note));
    assert_int_equal(m.n_bytes, 32);
    assert_memory_equal(m.bytes, "hello\0\0", 7);
    uint8_t part[4] = {0};
    assert_ok(file_map_read(&m, 3, part, 4, &note));
    assert_memory_equal(part, "lo\0\0", 4);
    assert_int_equal(truncate(path, 5), 0);
    assert_int_equal(file_map_read(&m, 3, part, 4, &note), ERR_IO);
    assert_non_null(strstr(note.text, "shorter"));
    assert_int_equal(truncate(path, 32), 0);
    file_map_close(&m);
    char *text;
    assert_int_equal(file_read(path, 31, &text, NULL, &note), ERR_LIMIT);
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* no temporary file left */
    assert_int_equal(file_writer_open(&w, "/nonexistent/f", &note), ERR_NOT_FOUND);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct file_writer w;
    struct err_note note;
    char path[64];
    snprintf(path, sizeof path, "/tmp/isobit-test-full-%d", (int)getpid());
    assert_ok(file_writer_open(&w, path, &note));
    int fd = w.fd;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_true(dup2(fileno(full), fd) == fd);
    file_writer_add(&w, "x", 1);
    assert_int_equal(file_writer_commit(&w, &note), ERR_IO);
    assert_non_null(strstr(note.text, "No space left"));
    assert_false(file_exists(path));
    fclose(full);
}

struct sum_job {
    uint32_t marks[1000];
};
static void mark(void *context, size_t i, int worker)
{
    (void)worker;
    ((struct sum_job *)context)->marks[i]++;
}

static void pool_runs_every_task_once(void **state)
{
    (void)state;
    static const int counts[] = {1, 2, 3, 5, 40}; /* many more than processors */
    for (size_t k = 0; k < COUNT_OF(counts); k++) {
        int n = counts[k];
        struct threads *t = threads_new(n);
        struct sum_job job = {{0}};
        assert_int_equal(threads_count(t), n);
        for (int round = 0; round < 200; round++) {
            threads_run(t, (size_t)(round * 5), mark, &job);
            if (round % 50 == 0)
                usleep(2000); /* let the workers sleep */
        }
        for (size_t i = 0; i < 995; i++)
            assert_int_equal(job.marks[i], 199 - i / 5);
        threads_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_are_cut_and_wrapped), cmocka_unit_test(memory_faults_on_purpose),
        cmocka_unit_test(buffers_keep_their_maximum), cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(utf8_is_strict), cmocka_unit_test(sha256_known_answers),
        cmocka_unit_test(files_appear_whole_or_not_at_all), cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(pool_runs_every_task_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
