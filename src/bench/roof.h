/* roof.h - what this machine could do at most: bytes read and multiply-adds per second.
 *
 * A figure means little without the limit that it runs into, and on a shared machine the limit
 * moves from minute to minute: a roof is measured with as many threads as the figure, just before
 * and just after it, over the very bytes that the figure reads. Its threads are its own; between
 * measurements they sleep.
 * Owner thread: the one that made it. */
#ifndef BENCH_ROOF_H
#define BENCH_ROOF_H

#include <stddef.h>

#include "base/err.h"

struct roof;

struct roof_span {
    const void *bytes;
    size_t n_bytes;
};

/* roof_open - isa names the instruction set whose multiply-add counts (cpu_isa_names). spans are
 * what roof_read reads; they are copied, and what they point to outlives the roof. */
enum err roof_open(int n_threads, const char *isa, const struct roof_span *spans, size_t n_spans,
                   struct roof **roof, struct err_note *note);
void roof_close(struct roof *r);

/* roof_read - bytes per second, all threads together: the spans once, or as often as it takes to
 * read 64 MB. Small spans are read from the cache that holds them, as a model that small is. */
double roof_read(struct roof *r);

/* Operations per second of all threads with operands in registers, two for each multiply-add:
 * bytes or 16-bit integers into 32-bit sums (vpdpbusd, sdot, vpmaddubsw with vpmaddwd; vpdpwssd,
 * smlal, vpmaddwd), and f32. About 5 ms. */
double roof_int8(struct roof *r);
double roof_int16(struct roof *r);
double roof_f32(struct roof *r);

#endif
