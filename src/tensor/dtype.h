/* dtype.h - the element types of tensors: name, block of elements, block of bytes.
 *
 * A quantised type stores blocks of `block_len` consecutive elements of a row in `block_bytes`
 * bytes; a row's length is a multiple of block_len. Layouts are GGUF's own, byte for byte, but for
 * NF4 and FP4, whose GGUF-less block is defined in tensor/quant/nf4.c. */
#ifndef TENSOR_DTYPE_H
#define TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, text, block_len, block_bytes, ggml_id); ggml_id -1: no GGUF type number. */
#define DTYPE_LIST(X)                                                                              \
    X(F32, "F32", 1, 4, 0)                                                                         \
    X(F16, "F16", 1, 2, 1)                                                                         \
    X(BF16, "BF16", 1, 2, 30)                                                                      \
    X(Q4_0, "Q4_0", 32, 18, 2)                                                                     \
    X(Q4_1, "Q4_1", 32, 20, 3)                                                                     \
    X(Q5_0, "Q5_0", 32, 22, 6)                                                                     \
    X(Q5_1, "Q5_1", 32, 24, 7)                                                                     \
    X(Q8_0, "Q8_0", 32, 34, 8)                                                                     \
    X(Q2_K, "Q2_K", 256, 84, 10)                                                                   \
    X(Q3_K, "Q3_K", 256, 110, 11)                                                                  \
    X(Q4_K, "Q4_K", 256, 144, 12)                                                                  \
    X(Q5_K, "Q5_K", 256, 176, 13)                                                                  \
    X(Q6_K, "Q6_K", 256, 210, 14)                                                                  \
    X(Q8_K, "Q8_K", 256, 292, 15)                                                                  \
    X(IQ4_NL, "IQ4_NL", 32, 18, 20)                                                                \
    X(IQ4_XS, "IQ4_XS", 256, 136, 23)                                                              \
    X(MXFP4, "MXFP4", 32, 17, 39)                                                                  \
    X(NF4, "NF4", 64, 36, -1)                                                                      \
    X(FP4, "FP4", 64, 36, -1)                                                                      \
    X(I8, "I8", 1, 1, 24)                                                                          \
    X(I16, "I16", 1, 2, 25)                                                                        \
    X(I32, "I32", 1, 4, 26)                                                                        \
    X(I64, "I64", 1, 8, 27)                                                                        \
    X(F64, "F64", 1, 8, 28)

enum dtype {
#define DTYPE_ENUM(name, text, len, bytes, id) DTYPE_##name,
    DTYPE_LIST(DTYPE_ENUM)
#undef DTYPE_ENUM
        DTYPE_COUNT
};

struct dtype_info {
    const char *name;
    int block_len;   /* elements */
    int block_bytes; /* bytes */
    int ggml_id;     /* type number in GGUF files, -1 if it has none */
};

const struct dtype_info *dtype_info(enum dtype t); /* static storage */
bool dtype_from_name(const char *name, enum dtype *out);
bool dtype_from_ggml(uint32_t id, enum dtype *out);

/* dtype_ggml_name - a name for any GGUF type number, also ones this program cannot read, so that
 * an error can say "IQ2_XXS"; NULL if the number is unknown. */
const char *dtype_ggml_name(uint32_t id);

/* dtype_row_bytes - bytes of a row of n elements; n must be a multiple of the block. */
size_t dtype_row_bytes(enum dtype t, size_t n);

#endif
