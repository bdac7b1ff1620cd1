/* scalar.h - the plain C definitions that scalar.c collects; others may call them for odd cases. */
#ifndef DEVICE_CPU_SCALAR_H
#define DEVICE_CPU_SCALAR_H

#include "device/cpu/isa.h"

void scalar_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y);
void scalar_glu(enum act_fn fn, const float *gate, const float *up, uint32_t n, float *y);
void scalar_rope(float *x, uint32_t n_rot, bool interleaved, const float *cos, const float *sin);
void scalar_add(float *x, const float *y, uint32_t n, float scale);

bool scalar_quantize_head(float *x, uint32_t n, int8_t *q, float *scale);
void scalar_kv_write(const struct kv_write_args *a, uint32_t kv_head);
void scalar_attention(const struct attention_args *a, uint32_t t, uint32_t kv_head);

/* scalar_hadamard - butterflies in place, on each run of the largest power of two dividing n. */
void scalar_hadamard(float *x, uint32_t n);
uint32_t hadamard_size(uint32_t n);

/* The score scale in the log2 domain, or in natural units under a softcap: scale / hadamard_size,
 * times log2(e) without a softcap. */
float attention_scale(const struct attention_args *a);

#endif
