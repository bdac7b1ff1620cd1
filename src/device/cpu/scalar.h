/* scalar.h - the plain C definitions that scalar.c collects; others may call them for odd cases. */
#ifndef DEVICE_CPU_SCALAR_H
#define DEVICE_CPU_SCALAR_H

#include "device/cpu/isa.h"
#include "numeric/func.h"

/* 256 activations: value = q * 2^shift[i / 32] * d; sum[i / 16] of the q, for weights' minima. */
struct act256 {
    float d;
    uint8_t shift[8];
    int16_t sum[16];
    int8_t q[256];
};
struct act32 {
    float d;
    int32_t sum;
    int8_t q[32];
};

void scalar_rmsnorm(const float *x, const float *w, float eps, uint32_t n, float *y);
void scalar_layernorm(const float *x, const float *w, const float *b, float eps, uint32_t n,
                      float *y);
void scalar_glu(enum act_fn fn, const float *gate, const float *up, uint32_t n, float *y);
void scalar_rope(float *x, uint32_t n_rot, bool interleaved, const float *cos, const float *sin);
void scalar_add(float *x, const float *y, uint32_t n, float scale);
void scalar_reflect(float *x, const float *v, uint32_t n);
void scalar_sample(const struct sample_args *a, uint32_t row);

bool scalar_quantize_head(float *x, uint32_t n, int16_t *q, float *scale);
void scalar_kv_write(const struct kv_write_args *a, uint32_t kv_head);
void scalar_attention(const struct attention_unit *u);

/* One query head on its way over the pages. */
struct head_query {
    const struct attention_job *job;
    int16_t q[HEAD_SIZE_MAX];
    float scale; /* of q, times the softmax scale */
};

/* What a page, a group or the whole row has gathered: softmax weights are l * 2^m. */
struct gathered {
    float m, l;
    float o[HEAD_SIZE_MAX];
};

/* Positions [lo, hi] of one page, whose part for the query's kv head is given. */
typedef void page_fn(const struct head_query *h, const uint8_t *part, uint32_t lo, uint32_t hi,
                     struct gathered *g);
page_fn scalar_page;
/* page_weights - from the integer scores of positions [lo, hi], and the page's scales, to m and l
 * of g and the softmax weights w [KV_PAGE] in 14 bits, zero elsewhere. */
void page_weights(const struct head_query *h, const int32_t *isum, const float *scales, uint32_t lo,
                  uint32_t hi, int16_t *w, struct gathered *g);
/* attention_by_page - the ordered combine around an instruction set's page_fn. */
void attention_by_page(const struct attention_unit *u, page_fn *gather);

/* scalar_hadamard - butterflies in place, on each run of the largest power of two dividing n. */
void scalar_hadamard(float *x, uint32_t n);

/* The score scale in the log2 domain, or in natural units under a softcap: scale / hadamard_size,
 * times log2(e) without a softcap. */
float attention_scale(const struct attention_args *a);

#endif
