/* nvml.h - what a card does now, as NVIDIA's management library tells: libnvidia-ml.so.1 by dlopen,
 * with prototypes of our own. It comes with the driver, but for some containers. Any thread. */
#ifndef DEVICE_CUDA_NVML_H
#define DEVICE_CUDA_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { NVML_PROCESSES_MAX = 64 };

struct nvml_process {
    uint32_t pid;
    uint64_t n_bytes; /* 0: not known */
};

/* Of one card; what the card does not tell is not known. */
struct nvml_state {
    char driver[80]; /* its version */
    bool knows_use, knows_temperature, knows_memory;
    uint32_t use_percent, memory_use_percent; /* of the time a kernel ran, memory was used */
    uint32_t temperature_c;
    uint64_t n_bytes, n_bytes_used;
    /* Those that compute; more than fit are only counted. */
    struct nvml_process processes[NVML_PROCESSES_MAX];
    uint32_t n_processes, n_processes_all; /* told here; that there are */
};

/* nvml_read - bus_id: as the driver gives it. ERR_NOT_FOUND: no such library, or it does not know
 * the card; ERR_IO: what it says. Some milliseconds. */
enum err nvml_read(const char *bus_id, struct nvml_state *state, struct err_note *note);

#endif
