/* ops_sample.h - from shapes to the launches that choose tokens: cuda_sample submits them, tests
 * emulate them. `args` must live until the launch is submitted. */
#ifndef DEVICE_CUDA_OPS_SAMPLE_H
#define DEVICE_CUDA_OPS_SAMPLE_H

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_sample.h"

/* One after the other. */
struct launch sample_scan_launch(const struct sample_args *args);
struct launch sample_weigh_launch(const struct sample_args *args);
struct launch sample_choose_launch(const struct sample_args *args);

#endif
