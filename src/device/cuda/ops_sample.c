/* ops_sample.c - choosing tokens on the device. */
#include "device/cuda/ops_sample.h"

/* A block for each part of each row. */
static struct launch by_part(const char *kernel, const struct sample_args *args)
{
    return (struct launch){
        .kernel = kernel,
        .grid = {(args->n_vocab + SCAN_LOGITS - 1) / SCAN_LOGITS, args->n_rows, 1},
        .block = SCAN_THREADS,
        .args = args,
        .n_args_bytes = sizeof *args};
}

struct launch sample_scan_launch(const struct sample_args *args)
{
    return by_part("sample_scan", args);
}

struct launch sample_weigh_launch(const struct sample_args *args)
{
    return by_part("sample_weigh", args);
}

struct launch sample_choose_launch(const struct sample_args *args)
{
    return (struct launch){.kernel = "sample_choose",
                           .grid = {args->n_rows, 1, 1},
                           .block = CHOOSE_THREADS,
                           .args = args,
                           .n_args_bytes = sizeof *args};
}

void cuda_sample(struct device *d, const struct sample_args *a)
{
    struct launch scan = sample_scan_launch(a), weigh = sample_weigh_launch(a);
    struct launch choose = sample_choose_launch(a);
    cuda_launch(cuda_of(d), &scan);
    cuda_launch(cuda_of(d), &weigh);
    cuda_launch(cuda_of(d), &choose);
}
