/* gpu.h - --gpu and --gpu-memory, and what a person is told of the cards. */
#ifndef CLI_GPU_H
#define CLI_GPU_H

#include <stdint.h>

#include "base/err.h"
#include "cli/args.h"

/* Zero: the defaults. */
struct gpu_options {
    const char *which, *memory, *profile;
};

#define GPU_OPTIONS(g)                                                                             \
    OPT_TEXT(0, "gpu", "WHICH", &(g).which,                                                        \
             "what computes: auto, cpu, cuda, cuda:N; debug says what\n"                           \
             "was found (default: auto)"),                                                         \
        OPT_TEXT(0, "gpu-memory", "SIZE", &(g).memory,                                             \
                 "how much of the GPU's memory may be taken: 20G, or a share\n"                    \
                 "of it (default: 80%)")
/* Of commands that may compute in another profile than exact. */
#define PROFILE_OPTION(g)                                                                          \
    OPT_TEXT(0, "profile", "NAME", &(g).profile,                                                   \
             "exact: the same bits on every machine; fast: F16 and BF16\n"                         \
             "weights on a GPU's tensor cores (default: exact, but fast\n"                         \
             "where such weights meet such a GPU)")

/* gpu_choose - for engine options: gpu is NULL for the default, never "debug", which says here what
 * was found. ERR_USAGE: no such device, size or profile; ERR_UNSUPPORTED: "metal". */
enum err gpu_choose(const struct gpu_options *g, const char **gpu, uint64_t *n_bytes,
                    struct err_note *note);

#endif
