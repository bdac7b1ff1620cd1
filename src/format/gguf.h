/* gguf.h - GGUF files, versions 2 and 3, single or split, as a table of views on mapped memory.
 *
 * Parsing copies nothing but arrays of numbers (widened once) and of strings (as pieces of the
 * file). Every length is checked against what is left of the file before it is used. Refused with
 * a line that says so: version 1, big-endian files, arrays of arrays, element types without a
 * decoder here (by name), names that are no printable text, tensors that overlap.
 * Source: github.com/ggml-org/ggml, docs/gguf.md. */
#ifndef FORMAT_GGUF_H
#define FORMAT_GGUF_H

#include "format/table.h"

/* Numbers of the metadata types in a file. X(NAME, number, bytes in a file, meta type). */
#define GGUF_TYPE_LIST(X)                                                                          \
    X(UINT8, 0, 1, META_UINT)                                                                      \
    X(INT8, 1, 1, META_INT)                                                                        \
    X(UINT16, 2, 2, META_UINT)                                                                     \
    X(INT16, 3, 2, META_INT)                                                                       \
    X(UINT32, 4, 4, META_UINT)                                                                     \
    X(INT32, 5, 4, META_INT)                                                                       \
    X(FLOAT32, 6, 4, META_FLOAT)                                                                   \
    X(BOOL, 7, 1, META_BOOL)                                                                       \
    X(STRING, 8, 8, META_STRING)                                                                   \
    X(ARRAY, 9, 12, META_ARRAY)                                                                    \
    X(UINT64, 10, 8, META_UINT)                                                                    \
    X(INT64, 11, 8, META_INT)                                                                      \
    X(FLOAT64, 12, 8, META_FLOAT)

enum gguf_type {
#define GGUF_TYPE_ENUM(name, number, bytes, meta) GGUF_##name = number,
    GGUF_TYPE_LIST(GGUF_TYPE_ENUM)
#undef GGUF_TYPE_ENUM
        GGUF_TYPE_COUNT
};

struct gguf_type_info {
    const char *name;
    size_t n_bytes_min; /* a value's size; of STRING and ARRAY, of what comes before the content */
    enum meta_type meta;
};
const struct gguf_type_info *gguf_type_info(enum gguf_type type); /* static storage */

enum { GGUF_ALIGNMENT_DEFAULT = 32, GGUF_ALIGNMENT_MAX = 1 << 16 };

/* gguf_open - path is a file, or the first file of a split (its siblings are opened too; one that
 * is missing or does not match is an error). */
enum err gguf_open(const char *path, struct table *t, struct err_note *note);

/* gguf_parse - one whole unsplit file in memory that outlives the table; name is for messages.
 * bytes are 8-byte aligned if tensors are to be read as numbers. On error, t is closed. */
enum err gguf_parse(const uint8_t *bytes, size_t n_bytes, const char *name, struct table *t,
                    struct err_note *note);

/* gguf_is_magic - whether a file begins as a GGUF file does. */
bool gguf_is_magic(const uint8_t *bytes, size_t n_bytes);

#endif
