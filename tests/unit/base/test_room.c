/* test_room.c - available memory from made-up /proc and /sys. */
#include "lib/test.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/room.h"

/* A file under a root, and the folders on its way. */
struct made {
    const char *path, *text;
};

static void make(const char *root, const struct made *m)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s", root, m->path);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        (void)mkdir(path, 0700);
        *at = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(m->text, f);
    assert_int_equal(fclose(f), 0);
}

/* Removes the files, and the folders that they leave empty. */
static void unmake(const char *root, const struct made *files)
{
    for (; files->path; files++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", root, files->path);
        assert_int_equal(unlink(path), 0);
        for (char *slash; (slash = strrchr(path, '/')) != NULL && slash > path + strlen(root);) {
            *slash = 0;
            (void)rmdir(path);
        }
    }
    assert_int_equal(rmdir(root), 0);
}

#define MEMINFO {"/proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    8000 kB\n"}

static const struct {
    const char *name;
    struct made files[8];
    uint64_t n_bytes;
    const char *from;
} systems[] = {
    {"nothing is known", {{0}}, UINT64_MAX, "no limit"},
    {"no group", {MEMINFO}, 8000 * 1024, "MemAvailable"},
    {"version 2, a limit above",
     {MEMINFO,
      {"/proc/self/cgroup", "0::/a/b\n"},
      {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
      {"/sys/fs/cgroup/a/b/memory.current", "100\n"},
      {"/sys/fs/cgroup/a/memory.max", "5000000\n"},
      {"/sys/fs/cgroup/a/memory.current", "3000000\n"},
      {"/sys/fs/cgroup/a/memory.stat", "anon 7\nactive_file 9\ninactive_file 1000000\n"}},
     3000000,
     "memory.max"},
    {"version 2, in the root of a namespace",
     {MEMINFO,
      {"/proc/self/cgroup", "0::/\n"},
      {"/sys/fs/cgroup/memory.max", "1000\n"},
      {"/sys/fs/cgroup/memory.current", "2000\n"}},
     0,
     "memory.max"},
    {"version 1",
     {MEMINFO,
      {"/proc/self/cgroup", "3:cpu,cpuacct:/x\n2:memory:/c\n0::/x\n"},
      {"/sys/fs/cgroup/memory/c/memory.limit_in_bytes", "4000000\n"},
      {"/sys/fs/cgroup/memory/c/memory.usage_in_bytes", "1500000\n"},
      {"/sys/fs/cgroup/memory/c/memory.stat", "total_inactive_file 500000\n"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
      {"/sys/fs/cgroup/memory/memory.usage_in_bytes", "1500000\n"}},
     3000000,
     "limit_in_bytes"},
    {"garbage",
     {{"/proc/meminfo", "MemAvailable: lots\n"}, {"/proc/self/cgroup", "0:\n::::\n\n0::\n"}},
     UINT64_MAX,
     "no limit"},
};

static void the_least_limit_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(systems); i++) {
        char root[] = "/tmp/isobit-test-XXXXXX";
        assert_non_null(mkdtemp(root));
        for (const struct made *m = systems[i].files; m->path; m++)
            make(root, m);
        struct mem_room room = mem_room_of(root);
        if (room.n_bytes != systems[i].n_bytes || !strstr(room.from, systems[i].from))
            fail_msg("%s: %llu (%s)", systems[i].name, (unsigned long long)room.n_bytes, room.from);
        unmake(root, systems[i].files);
    }
}

static void the_address_space_counts(void **state)
{
    (void)state;
    struct rlimit old, low, set;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    uint64_t before = mem_room_find().n_bytes;
    assert_true(before > 0);
    low = old;
    low.rlim_cur = 1 << 20; /* less than is in use */
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    assert_int_equal(getrlimit(RLIMIT_AS, &set), 0); /* qemu-user keeps this one to itself */
    struct mem_room room = mem_room_find();
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_int_equal(strcmp(room.from, "RLIMIT_AS") == 0, set.rlim_cur == low.rlim_cur);
    if (set.rlim_cur == low.rlim_cur)
        assert_int_equal(room.n_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_limit_counts),
        cmocka_unit_test(the_address_space_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
