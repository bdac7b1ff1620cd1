/* machine.c - what Linux tells about processor and memory. */
#include "bench/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { CPUINFO_BYTES_MAX = 16 << 20 };

/* The first "model name : ..." of /proc/cpuinfo. */
static bool cpu_name(char out[128])
{
    char *text;
    size_t n_bytes;
    if (file_read("/proc/cpuinfo", CPUINFO_BYTES_MAX, &text, &n_bytes, NULL) != ERR_OK)
        return false;
    const char *name = strstr(text, "model name");
    name = name ? strchr(name, ':') : NULL;
    if (name) {
        name += strspn(name, ": \t");
        snprintf(out, 128, "%.*s", (int)strcspn(name, "\n"), name);
    }
    mem_free(text);
    return name != NULL;
}

void machine_read(struct machine *m)
{
    struct utsname u;
    *m = (struct machine){0};
    if (uname(&u) != 0)
        memset(&u, 0, sizeof u);
    snprintf(m->system, sizeof m->system, "%.20s %.32s %.20s", u.sysname, u.release, u.machine);
    if (!cpu_name(m->cpu))
        snprintf(m->cpu, sizeof m->cpu, "%s", u.machine);
    m->n_processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    m->n_bytes_memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}
