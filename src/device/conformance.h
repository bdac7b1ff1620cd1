/* conformance.h - the arithmetic's conformance vectors: what every device must compute, as hashes.
 *
 * Inputs come from a fixed generator, results are hashed as little-endian bytes. Two devices that
 * agree on every hash compute the same logits for the same file (docs/arithmetic.md). The expected
 * hashes of this version stand in conformance.c; isobit selftest prints and compares them. */
#ifndef DEVICE_CONFORMANCE_H
#define DEVICE_CONFORMANCE_H

#include "base/hash.h"
#include "device/device.h"

struct conformance {
    const char *name; /* "matmul Q4_K", "attention", ... */
    uint8_t hash[SHA256_BYTES];
    const char *expected; /* the first 16 hexadecimal digits; compare with conformance_ok */
};

enum { CONFORMANCE_MAX = 48 };

/* conformance_run - fills results (at most CONFORMANCE_MAX), returns how many; 0: out of memory, or
 * the device was lost. overall is the hash over all of them. About a second with scalar kernels. */
size_t conformance_run(struct device *d, struct conformance *results,
                       uint8_t overall[SHA256_BYTES]);
bool conformance_ok(const struct conformance *c);

#endif
