/* cpu.h - a device for tests of what only needs its memory. */
#ifndef LIB_CPU_H
#define LIB_CPU_H

#include "device/device.h"
#include "lib/test.h"

/* Opened once, and kept. */
static inline struct device *cpu(void)
{
    static struct device *d;
    if (!d)
        assert_ok(cpu_device_open(1, "scalar", &d, NULL));
    return d;
}

#endif
