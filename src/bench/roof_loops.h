/* roof_loops.h - the loops that roof.c times, one set for each instruction set. */
#ifndef BENCH_ROOF_LOOPS_H
#define BENCH_ROOF_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* Reads every byte; returns something that depends on all of them. */
typedef uint64_t roof_read_fn(const uint8_t *bytes, size_t n_bytes);
/* ROOF_ROUNDS rounds of the same instructions, none waiting for another. */
typedef void roof_peak_fn(void);
enum { ROOF_ROUNDS = 1 << 20 };

struct roof_loops {
    const char *isa;
    roof_read_fn *read;
    roof_peak_fn *int8, *int16, *f32;
    double int8_ops, int16_ops, f32_ops; /* of one round, two for each multiply-add */
};

/* NULL for a name that has no loops here. */
const struct roof_loops *roof_loops_find(const char *isa);

#endif
