/* test_disk.c - the folder of pages: what comes back, what is damaged, what fails. */
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/disk.h"
#include "engine/disk_file.h"

enum { PAYLOAD = 1000, FILE_BYTES = PAYLOAD + DISK_HEADER_BYTES, ROOM = 5 };

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/isobit-disk-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[400];
    DIR *dir = opendir(folder);
    for (struct dirent *item; dir && (item = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, item->d_name);
        unlink(path);
    }
    closedir(dir);
    return rmdir(folder);
}

static int n_files(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *item; (item = readdir(dir));)
        n += item->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void make_key(uint32_t i, uint8_t key[SHA256_BYTES])
{
    sha256_of(&i, sizeof i, key);
}

static void path_of(uint32_t i, char path[200])
{
    uint8_t key[SHA256_BYTES];
    char hex[SHA256_HEX];
    make_key(i, key);
    hex_of(key, SHA256_BYTES, hex);
    snprintf(path, 200, "%s/%s.kv", folder, hex);
}

static struct disk *open_disk(const struct disk_io *io)
{
    struct disk *d;
    struct err_note note = {""};
    if (disk_open(&d, folder, ROOM * FILE_BYTES, PAYLOAD, io, &note))
        fail_msg("%s", note.text);
    return d;
}

static bool put(struct disk *d, uint32_t i)
{
    uint8_t key[SHA256_BYTES];
    make_key(i, key);
    if (disk_use(d, key))
        return true;
    for (uint32_t k = 0; k < PAYLOAD; k++)
        disk_payload(d)[k] = (uint8_t)(i * 31 + k);
    bool ok = disk_put(d, key);
    disk_check(d);
    return ok;
}

static bool got(struct disk *d, uint32_t i)
{
    uint8_t key[SHA256_BYTES];
    make_key(i, key);
    mem_guard_begin("reading a page");
    const uint8_t *payload = disk_get(d, key);
    mem_guard_end();
    disk_check(d);
    for (uint32_t k = 0; payload && k < PAYLOAD; k++)
        assert_int_equal(payload[k], (uint8_t)(i * 31 + k));
    assert_true(!payload || disk_has(d, key));
    return payload != NULL;
}

static void pages_come_back_after_a_restart(void **state)
{
    (void)state;
    struct stat st;
    char path[200];
    for (int round = 0; round < 2; round++) {
        struct disk *d = open_disk(NULL);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(got(d, i), round);
            assert_true(put(d, i));
            assert_true(got(d, i));
        }
        assert_false(got(d, 9));
        assert_int_equal(disk_counts(d).n_files, 4);
        assert_int_equal(disk_counts(d).n_bytes, 4 * FILE_BYTES);
        assert_int_equal(disk_counts(d).n_written, round ? 0 : 4);
        assert_string_equal(disk_note(d), "");
        disk_close(d);
    }
    path_of(2, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, FILE_BYTES);
}

/* The oldest goes first; how old they are is known after a restart too. */
static void the_folder_keeps_its_size(void **state)
{
    (void)state;
    char path[200];
    struct disk *d = open_disk(NULL);
    for (uint32_t i = 0; i < ROOM; i++)
        assert_true(put(d, i));
    assert_true(put(d, 0)); /* used again */
    assert_true(put(d, 7));
    assert_int_equal(disk_counts(d).n_removed, 1);
    assert_false(got(d, 1));
    assert_true(got(d, 0));
    disk_close(d);
    for (uint32_t i = 0; i < 8; i++) {
        const struct timespec times[2] = {{100 + i * 7 % 5, 0}, {100 + i * 7 % 5, 0}};
        path_of(i, path);
        utimensat(AT_FDCWD, path, times, 0); /* order of age: 0, 3, 4, 2 and 7 */
    }
    d = open_disk(NULL);
    assert_true(put(d, 20));
    assert_false(got(d, 0));
    assert_true(put(d, 21));
    assert_false(got(d, 3));
    disk_close(d);
    assert_int_equal(n_files(), ROOM);

    struct err_note note;
    assert_ok(disk_open(&d, folder, 2 * FILE_BYTES, PAYLOAD, NULL, &note)); /* now smaller */
    assert_int_equal(disk_counts(d).n_removed, 3);
    assert_true(got(d, 20) && got(d, 21));
    disk_close(d);
    assert_int_equal(n_files(), 2);
}

static void damage(uint32_t i, int kind)
{
    char path[200], other[200];
    uint8_t byte;
    path_of(i, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    off_t at = kind * 13 % FILE_BYTES;
    if (kind == 0) {
        assert_int_equal(ftruncate(fd, FILE_BYTES - 1), 0);
    } else if (kind == 1) {
        assert_int_equal(ftruncate(fd, FILE_BYTES + 1), 0);
    } else if (kind == 2) {
        assert_int_equal(ftruncate(fd, 0), 0);
    } else if (kind == 3) { /* a whole file of another key */
        path_of(i + 1, other);
        assert_int_equal(rename(other, path), 0);
    } else {
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= (uint8_t)(1 << kind % 8);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

static void damaged_files_are_deleted(void **state)
{
    (void)state;
    char path[200];
    for (int kind = 0; kind < 100; kind++) {
        struct disk *d = open_disk(NULL);
        assert_true(put(d, 1) && put(d, 2));
        disk_close(d);
        damage(1, kind);
        d = open_disk(NULL);
        assert_false(got(d, 1));
        path_of(1, path);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(disk_counts(d).n_bad, 1);
        assert_non_null(strstr(disk_note(d), "damaged"));
        assert_non_null(strstr(disk_note(d), folder));
        assert_int_equal(got(d, 2), kind != 3);
        assert_true(put(d, 1));
        assert_true(got(d, 1));
        disk_close(d);
    }
}

static void what_a_crash_left_goes(void **state)
{
    (void)state;
    char path[208];
    path_of(3, path);
    snprintf(strrchr(path, '.'), 8, ".tmp");
    close(open(path, O_WRONLY | O_CREAT, 0600));
    snprintf(path, sizeof path, "%s/notes.txt", folder);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    disk_close(open_disk(NULL));
    assert_int_equal(n_files(), 1); /* others' files stay */
}

/* ---- calls that fail on purpose ---- */

static int fault_call, fault_errno, n_calls; /* the call number fault_call fails */
static bool fails(void)
{
    errno = fault_errno;
    return ++n_calls == fault_call;
}
static int faulty_open(int dir, const char *name, int flags)
{
    return fails() ? -1 : openat(dir, name, flags, 0600);
}
static ssize_t faulty_read(int fd, void *bytes, size_t n)
{
    return fails() ? -1 : read(fd, bytes, n < 300 ? n : 300);
}
static ssize_t faulty_write(int fd, const void *bytes, size_t n)
{
    return fails() ? -1 : write(fd, bytes, n < 500 ? n : 500);
}
static int faulty_close(int fd)
{
    close(fd);
    return fails() ? -1 : 0;
}
static int faulty_rename(int dir, const char *from, const char *to)
{
    return fails() ? -1 : renameat(dir, from, dir, to);
}
static int faulty_unlink(int dir, const char *name)
{
    return fails() ? -1 : unlinkat(dir, name, 0);
}
static const struct disk_io faulty = {faulty_open,  faulty_read,   faulty_write,
                                      faulty_close, faulty_rename, faulty_unlink};

/* Whichever call fails: no wrong bytes, a sentence, and pages that were there are read. */
static void any_call_may_fail(void **state)
{
    (void)state;
    static const int numbers[] = {EIO, ENOSPC, EINTR, EACCES, EFBIG};
    int n_ended = 0, n_lost = 0;
    for (size_t k = 0; k < COUNT_OF(numbers); k++)
        for (int call = 1; call < 60; call++) {
            fault_call = call;
            n_calls = 0;
            fault_errno = numbers[k];
            struct disk *d = open_disk(&faulty);
            for (uint32_t i = 0; i < ROOM + 3; i++) {
                put(d, i);
                if (i % 2)
                    n_lost += !got(d, i);
            }
            if (!disk_writes(d)) {
                n_ended++;
                assert_non_null(strstr(disk_note(d), "takes no more pages"));
                assert_non_null(strstr(disk_note(d), strerror(fault_errno)));
                assert_false(put(d, 50));
            }
            disk_close(d);
            fault_call = 0;
            d = open_disk(&faulty);
            for (uint32_t i = 0; i < ROOM + 3; i++)
                got(d, i);
            assert_int_equal(disk_counts(d).n_bad, 0);
            disk_close(d);
            remove_folder(NULL);
            mkdir(folder, 0700);
        }
    assert_true(n_ended > 50 && n_lost > 50);
}

static void some_folders_are_refused(void **state)
{
    (void)state;
    struct disk *d, *other = open_disk(NULL);
    struct err_note note;
    assert_int_equal(disk_open(&d, folder, 1 << 20, PAYLOAD, NULL, &note), ERR_BUSY);
    assert_non_null(strstr(note.text, "another process"));
    disk_close(other);
    assert_int_equal(disk_open(&d, folder, 1000, PAYLOAD, NULL, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "1000 bytes"));
    assert_non_null(strstr(note.text, "1128 bytes"));
    chmod(folder, 0750);
    assert_int_equal(disk_open(&d, folder, 1 << 20, PAYLOAD, NULL, &note), ERR_IO);
    assert_non_null(strstr(note.text, "750"));
    chmod(folder, 0700);
    assert_int_equal(disk_open(&d, "/no/such/folder", 1 << 20, PAYLOAD, NULL, &note), ERR_IO);
    for (uint64_t n = 1; n <= 6; n++) {
        mem_fault_after(n);
        assert_int_equal(disk_open(&d, folder, 1 << 20, PAYLOAD, NULL, &note), ERR_MEMORY);
        assert_null(d);
    }
    mem_fault_after(0);
    disk_close(NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(pages_come_back_after_a_restart),
        TEST(the_folder_keeps_its_size),
        TEST(damaged_files_are_deleted),
        TEST(what_a_crash_left_goes),
        TEST(any_call_may_fail),
        TEST(some_folders_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
