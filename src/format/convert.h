/* convert.h - a Hugging Face folder written as one GGUF file. */
#ifndef FORMAT_CONVERT_H
#define FORMAT_CONVERT_H

#include "format/metas.h"

/* What the matrices become. Vectors, biases and routers are F32 always; MXFP4 stays MXFP4. */
enum convert_type {
    CONVERT_KEEP, /* as the folder has them; NF4 and FP4 are refused, GGUF has no such types */
    CONVERT_F32,
    CONVERT_F16, /* a finite number that overflows is an error */
    CONVERT_BF16,
};

struct convert_job {
    const char *folder, *out;
    enum convert_type type;
    const struct metas *extra; /* the tokenizer's metadata, from its reader; may be NULL */
    void (*progress)(void *context, uint64_t done, uint64_t total); /* in bytes; may be NULL */
    void *context;
};

/* convert_folder - the file appears complete or not at all. Memory: a few rows at a time. */
enum err convert_folder(const struct convert_job *job, struct err_note *note);

#endif
