/* experts.h - mixtures of experts as other operations of the CPU's device make them. */
#ifndef DEVICE_CPU_EXPERTS_H
#define DEVICE_CPU_EXPERTS_H

#include "device/device.h"

/* The slots of device_ops. */
size_t cpu_experts_bytes(struct device *d, const struct experts_shape *s);
void cpu_experts(struct device *d, const struct experts_args *a);

#endif
