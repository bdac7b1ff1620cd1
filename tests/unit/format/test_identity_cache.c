/* test_identity_cache.c - identities are remembered while the file is what it was, and no longer.
 */
#include "lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/gguf.h"
#include "format/identity.h"

#define MODEL TEST_DIR "/golden/model/qwen3.gguf"

struct place {
    char dir[64], model[128], entry[512];
};

static void write_bytes(const char *path, const char *bytes, size_t n_bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n_bytes, f), n_bytes);
    assert_int_equal(fclose(f), 0);
}

static void set_age(const char *path, long seconds)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
    clock_gettime(CLOCK_REALTIME, &times[1]);
    times[1].tv_sec -= seconds;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A copy of a model in a folder of its own, where the cache is too. */
static void place_open(struct place *p)
{
    char *bytes;
    size_t n_bytes;
    snprintf(p->dir, sizeof p->dir, "/tmp/isobit-test-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->model, sizeof p->model, "%s/m.gguf", p->dir);
    assert_ok(file_read(MODEL, 1 << 20, &bytes, &n_bytes, NULL));
    write_bytes(p->model, bytes, n_bytes);
    mem_free(bytes);
    set_age(p->model, 60);
    setenv("XDG_CACHE_HOME", p->dir, 1);
}

static void find_entry(struct place *p)
{
    char folder[96];
    snprintf(folder, sizeof folder, "%s/isobit/identity", p->dir);
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') {
            snprintf(p->entry, sizeof p->entry, "%s/%s", folder, e->d_name);
            n++;
        }
    closedir(d);
    assert_int_equal(n, 1);
}

static void place_close(struct place *p)
{
    if (p->entry[0])
        assert_int_equal(unlink(p->entry), 0);
    assert_int_equal(unlink(p->model), 0);
    for (const char *const *sub = (const char *const[]){"/isobit/identity", "/isobit", "", NULL};
         *sub; sub++) {
        char folder[96];
        snprintf(folder, sizeof folder, "%s%s", p->dir, *sub);
        (void)rmdir(folder); /* not every test makes them all */
    }
    assert_false(file_exists(p->dir));
}

static bool recalls(const struct place *p, const struct identity *want)
{
    struct table t;
    struct identity got;
    assert_ok(gguf_open(p->model, &t, NULL));
    bool found = identity_recall(&t, &got);
    if (found)
        assert_memory_equal(&got, want, sizeof got);
    table_close(&t);
    return found;
}

static void finds(const struct place *p, const struct identity *want)
{
    struct table t;
    struct identity got;
    assert_ok(gguf_open(p->model, &t, NULL));
    assert_ok(identity_find(&t, NULL, NULL, NULL, &got, NULL));
    assert_memory_equal(&got, want, sizeof got);
    table_close(&t);
}

static void hash_it(const char *path, struct identity *out)
{
    struct table t;
    assert_ok(gguf_open(path, &t, NULL));
    assert_ok(identity_of(&t, NULL, NULL, NULL, out, NULL));
    table_close(&t);
}

static void what_was_hashed_is_remembered(void **state)
{
    (void)state;
    struct place p = {0};
    struct identity want;
    struct stat st;
    place_open(&p);
    hash_it(MODEL, &want);
    assert_false(recalls(&p, &want));
    finds(&p, &want);
    assert_true(recalls(&p, &want));
    find_entry(&p);
    assert_int_equal(stat(p.entry, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* A change, be it of the time alone, makes it unknown; so does one a moment ago. */
    set_age(p.model, 50);
    assert_false(recalls(&p, &want));
    finds(&p, &want);
    assert_true(recalls(&p, &want));
    set_age(p.model, 0);
    finds(&p, &want);
    assert_false(recalls(&p, &want));
    place_close(&p);
}

static void a_damaged_entry_is_replaced(void **state)
{
    (void)state;
    struct place p = {0};
    struct identity want;
    char *good, *text;
    size_t n_bytes, n_again;
    place_open(&p);
    hash_it(MODEL, &want);
    finds(&p, &want);
    find_entry(&p);
    assert_ok(file_read(p.entry, 1 << 20, &good, &n_bytes, NULL));
    for (size_t i = 0; i < n_bytes; i++) {
        good[i] ^= 1;
        write_bytes(p.entry, good, n_bytes);
        good[i] ^= 1;
        assert_false(recalls(&p, &want));
    }
    for (size_t n = 0; n < n_bytes; n += 7) {
        write_bytes(p.entry, good, n);
        assert_false(recalls(&p, &want));
    }
    finds(&p, &want);
    assert_ok(file_read(p.entry, 1 << 20, &text, &n_again, NULL));
    assert_int_equal(n_again, n_bytes);
    assert_memory_equal(text, good, n_bytes);
    mem_free(good);
    mem_free(text);
    place_close(&p);
}

static void it_is_found_in_the_background(void **state)
{
    (void)state;
    struct place p = {0};
    struct table t;
    struct identity want, got;
    struct identity_job *job;
    place_open(&p);
    hash_it(MODEL, &want);
    for (int i = 0; i < 2; i++) { /* hashed, then remembered */
        assert_ok(gguf_open(p.model, &t, NULL));
        assert_ok(identity_begin(&t, &job, NULL));
        for (int k = 0; k < 2; k++) {
            assert_ok(identity_wait(job, &got, NULL));
            assert_memory_equal(&got, &want, sizeof got);
        }
        identity_end(job);
        table_close(&t);
        assert_true(recalls(&p, &want));
    }
    find_entry(&p);
    set_age(p.model, 40);
    assert_ok(gguf_open(p.model, &t, NULL));
    assert_ok(identity_begin(&t, &job, NULL));
    identity_end(job); /* nobody waits */
    identity_end(NULL);
    table_close(&t);
    place_close(&p);
}

static void without_a_place_it_is_hashed(void **state)
{
    (void)state;
    struct place p = {0};
    struct identity want;
    place_open(&p);
    hash_it(MODEL, &want);
    setenv("XDG_CACHE_HOME", "/proc/no/such", 1);
    finds(&p, &want);
    assert_false(recalls(&p, &want));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    finds(&p, &want);
    assert_false(recalls(&p, &want));
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_hashed_is_remembered),
        cmocka_unit_test(a_damaged_entry_is_replaced),
        cmocka_unit_test(it_is_found_in_the_background),
        cmocka_unit_test(without_a_place_it_is_hashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
