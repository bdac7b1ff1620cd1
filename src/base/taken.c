/* taken.c - the system's counters. */
#include "base/taken.h"

#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"

struct taken taken_now(void)
{
    struct taken t = {.wall_ns = clock_ns()};
    struct timespec cpu;
    struct rusage r;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    t.cpu_ns = (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec;
    if (getrusage(RUSAGE_SELF, &r) == 0)
        t.n_bytes_peak = (uint64_t)r.ru_maxrss * 1024;
    return t;
}

uint64_t taken_permille(const struct taken *from, const struct taken *to, int n_threads)
{
    double whole = (double)(to->wall_ns - from->wall_ns) * n_threads;
    double used = (double)(to->cpu_ns - from->cpu_ns);
    return whole <= 0 || used >= whole ? 1000 : (uint64_t)(used * 1000 / whole);
}
