/* probe.h - a kernel of the stand-in alone, for tests of the device that launches it: "probe_add"
 * adds `more` to n words. */
#ifndef STANDIN_PROBE_H
#define STANDIN_PROBE_H

#include <stdint.h>

struct probe_args {
    uint32_t *words;
    const uint32_t *more; /* one word of device memory */
    uint32_t n;
};

#endif
