/* open.h - which device computes. */
#ifndef DEVICE_OPEN_H
#define DEVICE_OPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "device/device.h"

struct device_choice {
    const char *gpu;      /* "auto", "cpu", "cuda", "cuda:N" or "N"; NULL: "auto" */
    uint64_t n_bytes_gpu; /* of its memory that may be taken; 0: 80 % of it */
    int n_threads;        /* of the CPU, as cpu_device_open has them, */
    const char *isa;      /* this too; NULL: the best that works here */
};

/* device_name_check - ERR_USAGE for what is no device's name, ERR_UNSUPPORTED for one that no
 * version of this program has ("metal"). Looks at nothing but the name. */
enum err device_name_check(const char *gpu, struct err_note *note);

/* device_is_auto - whether nobody asked for this very device. */
bool device_is_auto(const char *gpu);

/* device_open - "auto" is the CPU in this version: no card has run it. A device that is named and
 * is not there is an error: ERR_NOT_FOUND, ERR_UNSUPPORTED, ERR_MEMORY, ERR_IO. */
enum err device_open(const struct device_choice *c, struct device **d, struct err_note *note);

#endif
