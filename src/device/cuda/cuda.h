/* cuda.h - an NVIDIA card as a device: device/device.h's operations by kernels of ours, the same
 * bits as the CPU's. */
#ifndef DEVICE_CUDA_CUDA_H
#define DEVICE_CUDA_CUDA_H

#include <stdint.h>

#include "base/err.h"
#include "device/device.h"

/* cuda_device_open - the card with this ordinal. n_bytes_limit: device memory that this program may
 * take; 0: 80 % of the card's, less if others have taken more than the rest.
 * ERR_NOT_FOUND: no driver or no such card; ERR_UNSUPPORTED: a card or a driver older than this
 * program's kernels, or a program without kernels; ERR_MEMORY, ERR_IO: what the driver says.
 * A second or so, most of it the driver's. */
enum err cuda_device_open(int ordinal, uint64_t n_bytes_limit, struct device **d,
                          struct err_note *note);

#endif
