/* exact.h - the random model in integer arithmetic: the profile in which validation is equality.
 *
 * Same chain, same shapes; weights are bytes, products are product.h's, all else is computed by the
 * operations of device.h: their bits depend on no machine (docs/arithmetic.md). docs/poc.md defines
 * it. */
#ifndef POC_EXACT_H
#define POC_EXACT_H

#include "base/err.h"
#include "base/threads.h"
#include "poc/exact_weights.h"

struct poc_exact;

/* ERR_UNSUPPORTED, naming the field: the profile takes widths that are multiples of 32, heads that
 * are multiples of 4 up to 512, a pool; ERR_UNSUPPORTED for the instruction set. isa NULL: the
 * best. */
enum err poc_exact_check(const struct poc_params *p, double fraction, const char *isa,
                         struct err_note *note);
/* Bytes that it takes beside its weights. */
uint64_t poc_exact_bytes(const struct poc_params *p, int n_threads, uint32_t n_nonces);

/* The weights are borrowed until it closes, the threads too; the device has as many of its own.
 * What poc_exact_check says; ERR_MEMORY. isa NULL: the best. */
enum err poc_exact_open(struct poc_exact **e, const struct exact_weights *weights, const char *isa,
                        struct threads *threads, uint32_t n_nonces, struct err_note *note);
void poc_exact_close(struct poc_exact *e); /* may be NULL */
const char *poc_exact_isa(const struct poc_exact *e);

/* inputs[i][seq_len][dim] to logits[i][vocab_size], i < n_nonces; NaN where a value left the
 * arithmetic's range. The thread that opened it. */
void poc_exact_run(struct poc_exact *e, uint32_t n_nonces, const uint16_t *const *inputs,
                   float *const *logits);

#endif
