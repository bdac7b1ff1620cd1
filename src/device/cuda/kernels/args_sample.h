/* args_sample.h - the parameters of the kernels that choose tokens: struct sample_args of both. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_SAMPLE_H
#define DEVICE_CUDA_KERNELS_ARGS_SAMPLE_H

#include "device/cuda/kernels/kernel.h"
#include "device/sample.h"

/* sample_scan, sample_weigh: a block has so many logits of a row. sample_choose: a block a row. */
enum { SCAN_THREADS = 256, SCAN_LOGITS = 2048, CHOOSE_THREADS = 512 };

#endif
