/* machine.h - which machine a figure comes from. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>

struct machine {
    char cpu[128];   /* "AMD EPYC 9B14"; the architecture where the system names no model */
    char system[80]; /* "Linux 6.1.0 x86_64" */
    int n_processors;
    uint64_t n_bytes_memory;
};
void machine_read(struct machine *m);

#endif
