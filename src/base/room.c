/* room.c - reading MemAvailable, control groups and limits. */
#include "base/room.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TEXT_BYTES = 8192 };

/* The beginning of a file of /proc or /sys as text; false: there is none. Allocates nothing. */
static bool read_text(const char *root, const char *folder, const char *name, char text[TEXT_BYTES])
{
    char path[PATH_MAX];
    size_t n_bytes = 0;
    int length = snprintf(path, sizeof path, "%s%s%s", root, folder, name);
    int fd = length > 0 && length < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    for (ssize_t n = 1; n > 0 && n_bytes<TEXT_BYTES - 1; n_bytes += n> 0 ? (size_t)n : 0)
        n = read(fd, text + n_bytes, TEXT_BYTES - 1 - n_bytes);
    text[n_bytes] = 0;
    close(fd);
    return true;
}

/* The number after `key` at the beginning of a line; "" is the first number. */
static bool number_of(const char *text, const char *key, uint64_t *out)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        char *end;
        if (strncmp(line, key, n) != 0)
            continue;
        const char *at = line + n + strspn(line + n, ": \t");
        *out = strtoull(at, &end, 10);
        return end > at; /* "max" is no number */
    }
    return false;
}

static bool file_number(const char *root, const char *folder, const char *name, const char *key,
                        uint64_t *out)
{
    char text[TEXT_BYTES];
    return read_text(root, folder, name, text) && number_of(text, key, out);
}

static void take_least(struct mem_room *room, uint64_t n_bytes, const char *from)
{
    if (n_bytes < room->n_bytes)
        *room = (struct mem_room){n_bytes, from};
}

/* The names of one version's files. */
struct group_files {
    const char *base, *limit, *used, *cache_key, *from;
};
static const struct group_files version_1 = {"/sys/fs/cgroup/memory", "/memory.limit_in_bytes",
                                             "/memory.usage_in_bytes", "total_inactive_file",
                                             "the control group's memory.limit_in_bytes"};
static const struct group_files version_2 = {"/sys/fs/cgroup", "/memory.max", "/memory.current",
                                             "inactive_file", "the control group's memory.max"};

/* A group and all above it: each may set a limit. */
static void read_groups(const char *root, const struct group_files *f, const char *group,
                        struct mem_room *room)
{
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%s%s", f->base, group);
    if (n < 0 || n >= (int)sizeof folder)
        return;
    for (size_t base = strlen(f->base);;) {
        uint64_t limit, used, cache = 0;
        if (file_number(root, folder, f->limit, "", &limit) &&
            file_number(root, folder, f->used, "", &used)) {
            (void)file_number(root, folder, "/memory.stat", f->cache_key, &cache);
            used -= cache < used ? cache : used;
            take_least(room, limit > used ? limit - used : 0, f->from);
        }
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= base || !slash)
            return;
        folder[(size_t)(slash - folder) < base ? base : (size_t)(slash - folder)] = 0;
    }
}

/* Lines of /proc/self/cgroup: "0::/path" for version 2, "7:memory:/path" for version 1. */
static void read_cgroups(const char *root, struct mem_room *room)
{
    char text[TEXT_BYTES], *rest = text, *line;
    if (!read_text(root, "/proc/self", "/cgroup", text))
        return;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        names++;
        const struct group_files *f = !*names                   ? &version_2
                                      : strstr(names, "memory") ? &version_1
                                                                : NULL;
        if (f)
            read_groups(root, f, strcmp(path, "/") == 0 ? "" : path, room);
    }
}

struct mem_room mem_room_of(const char *root)
{
    struct mem_room room = {UINT64_MAX, "no limit is known"};
    uint64_t n_kib;
    if (file_number(root, "/proc", "/meminfo", "MemAvailable", &n_kib))
        take_least(&room, n_kib * 1024, "MemAvailable");
    read_cgroups(root, &room);
    return room;
}

struct mem_room mem_room_find(void)
{
    struct mem_room room = mem_room_of("");
    struct rlimit limit;
    uint64_t n_pages;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        file_number("", "/proc/self", "/statm", "", &n_pages)) {
        uint64_t used = n_pages * (uint64_t)sysconf(_SC_PAGESIZE);
        take_least(&room, limit.rlim_cur > used ? limit.rlim_cur - used : 0, "RLIMIT_AS");
    }
    return room;
}
