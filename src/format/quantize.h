/* quantize.h - rewrites a model file with its matrices in the types of a mix. */
#ifndef FORMAT_QUANTIZE_H
#define FORMAT_QUANTIZE_H

#include "base/threads.h"
#include "format/metas.h"
#include "tensor/mix.h"

struct quantize_options {
    const struct mix *mix;
    bool allow_requantize; /* take sources that are quantised already, at the price of more error */
    struct threads *threads;
    const struct metas *extra; /* metadata to set besides (a folder's tokenizer); may be NULL */
    /* Called on the caller's thread; both may be NULL. remark gets one line: a tensor whose rows
     * the wanted type's block does not divide, a source that is quantised already. */
    void (*progress)(void *context, uint64_t done, uint64_t total); /* bytes of the source */
    void *progress_context;
    void (*remark)(void *context, const char *line);
    void *remark_context;
};

struct quantize_result {
    uint64_t n_bytes_before, n_bytes_after; /* of tensor data */
    uint64_t n_elements;
    size_t n_quantized; /* tensors whose type changed to a quantised one */
    size_t n_fallbacks; /* tensors that took another type than the mix wants */
};

/* table_quantize - writes path (GGUF v3), complete or not at all; the same bytes whatever the
 * number of threads. Metadata is copied; general.file_type and general.quantization_version are
 * set, split.* is dropped. Errors: a value that is not finite or that its new type cannot hold
 * (tensor and element named); a quantised source without allow_requantize; input or output (a full
 * disk). */
enum err table_quantize(const struct table *t, const char *path, const struct quantize_options *o,
                        struct quantize_result *result, struct err_note *note);

#endif
