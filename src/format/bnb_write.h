/* bnb_write.h - a Hugging Face folder quantised to 4 bits in the layout of bitsandbytes. */
#ifndef FORMAT_BNB_WRITE_H
#define FORMAT_BNB_WRITE_H

#include "format/table.h"

struct bnb_job {
    const char *folder, *out; /* out: a folder that does not exist yet */
    enum dtype type;          /* DTYPE_NF4 or DTYPE_FP4 */
    void (*progress)(void *context, uint64_t done, uint64_t total); /* elements; may be NULL */
    void *context;
};

/* bnb_write_folder - the matrices of attention and feed-forward layers in blocks of 64 with double
 * quantisation; embedding, output, norms and biases as they were; config.json says so; the
 * tokenizer's files are copied. The folder appears complete or not at all.
 * Errors: a mixture of experts, rows that blocks of 64 do not divide, input/output. */
enum err bnb_write_folder(const struct bnb_job *job, struct err_note *note);

#endif
