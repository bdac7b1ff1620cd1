/* gpu.h - --gpu, --gpu-memory and --gpu-layers, and what a person is told of the cards. */
#ifndef CLI_GPU_H
#define CLI_GPU_H

#include <stdint.h>

#include "base/err.h"
#include "cli/args.h"

/* Zero: the defaults. */
struct gpu_options {
    const char *which, *memory, *layers, *profile;
};

#define GPU_OPTIONS(g)                                                                             \
    OPT_TEXT(0, "gpu", "WHICH", &(g).which,                                                        \
             "what computes: auto, cpu, cuda, cuda:N; debug says what\n"                           \
             "was found (default: auto)"),                                                         \
        OPT_TEXT(0, "gpu-memory", "SIZE", &(g).memory,                                             \
                 "how much of the GPU's memory may be taken: 20G, or a share\n"                    \
                 "of it (default: 80%)"),                                                          \
        OPT_TEXT(0, "gpu-layers", "N", &(g).layers,                                                \
                 "layers on the GPU, the last ones, with the output; the CPU\n"                    \
                 "has the others (default: auto, as many as fit)")
/* Of commands that may compute in another profile than exact. */
#define PROFILE_OPTION(g)                                                                          \
    OPT_TEXT(0, "profile", "NAME", &(g).profile,                                                   \
             "exact: the same bits on every machine; fast: F16 and BF16\n"                         \
             "weights on a GPU's tensor cores (default: exact, but fast\n"                         \
             "where such weights meet such a GPU)")

/* Of engine options. */
struct gpu_choice {
    const char *gpu;
    uint64_t n_bytes;
    uint32_t n_layers;
};

/* gpu_choose - gpu is NULL for the default, never "debug", which says here what was found; no
 * layers at all are the CPU. ERR_USAGE: no such device, size, number or profile; ERR_UNSUPPORTED:
 * "metal". */
enum err gpu_choose(const struct gpu_options *g, struct gpu_choice *c, struct err_note *note);

#endif
