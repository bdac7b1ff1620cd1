/* cuda_emulate.h - kernels on the host: a grid runs block after block, the threads of a block as
 * fibres in lockstep.
 *
 * A collective (shuffle, mma, barrier) that not all threads reach ends the test with the kernel's
 * name; shared memory comes from the heap, so that a sanitizer sees its borders, and is filled with
 * a pattern that is a NaN and a large integer before each block. One launch at a time. */
#ifndef LIB_CUDA_EMULATE_H
#define LIB_CUDA_EMULATE_H

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/kernel.h"

/* kernel_named - NULL where no kernel has this name. */
const struct kernel_entry *kernel_named(const char *name);

/* cuda_emulate - n_threads is a multiple of 32, at most 1024. */
void cuda_emulate(const struct kernel_entry *k, const uint32_t grid[3], uint32_t n_threads,
                  size_t shared_bytes, const void *args);

/* Blocks from the last to the first: what kernels give may not depend on their order. */
extern bool cuda_emulate_backwards;

/* cuda_emulate_launch - what cuda_launch does on a device; a kernel that is not there aborts. */
void cuda_emulate_launch(const struct launch *l);

#endif
