/* safetensors.h - the tensors of .safetensors files: names, types, shapes, views.
 *
 * A file is a length (8 bytes, little-endian), a JSON header of that length, then data; a tensor's
 * offsets count from the start of the data. Checked: every range lies inside the file, is as long
 * as type and shape say, and no two overlap. Views borrow from the bytes given.
 * Source: github.com/huggingface/safetensors, README. */
#ifndef FORMAT_SAFETENSORS_H
#define FORMAT_SAFETENSORS_H

#include "base/err.h"
#include "base/str.h"
#include "format/table.h"

/* X(NAME, bytes). The names are the file's. */
#define ST_TYPE_LIST(X)                                                                            \
    X(F64, 8)                                                                                      \
    X(F32, 4)                                                                                      \
    X(F16, 2)                                                                                      \
    X(BF16, 2)                                                                                     \
    X(I64, 8)                                                                                      \
    X(I32, 4)                                                                                      \
    X(I16, 2)                                                                                      \
    X(I8, 1)                                                                                       \
    X(U64, 8)                                                                                      \
    X(U32, 4)                                                                                      \
    X(U16, 2)                                                                                      \
    X(U8, 1)                                                                                       \
    X(BOOL, 1)                                                                                     \
    X(F8_E4M3, 1)                                                                                  \
    X(F8_E5M2, 1)                                                                                  \
    X(F8_E8M0, 1)

enum st_type {
#define ST_TYPE_ENUM(name, bytes) ST_##name,
    ST_TYPE_LIST(ST_TYPE_ENUM)
#undef ST_TYPE_ENUM
        ST_TYPE_COUNT
};
const char *st_type_name(enum st_type t); /* static storage */

enum { ST_DIMS_MAX = 8 };

struct safetensor {
    struct str name;
    enum st_type type;
    int n_dims;
    uint64_t dim[ST_DIMS_MAX]; /* as in the file: slowest first */
    const uint8_t *data;
    size_t n_bytes;
};

struct safetensors {
    struct safetensor *items; /* sorted by name once safetensors_sort was called */
    size_t n_items, n_reserved;
};

/* safetensors_parse - add one file's tensors. Names are copied into t. file is for messages. */
enum err safetensors_parse(struct safetensors *s, const uint8_t *bytes, size_t n_bytes,
                           const char *file, struct table *t, struct err_note *note);
/* safetensors_sort - after the last file; a name in two files is an error. */
enum err safetensors_sort(struct safetensors *s, struct err_note *note);
/* safetensors_find - NULL: none. Sorted only. */
const struct safetensor *safetensors_find(const struct safetensors *s, struct str name);
void safetensors_release(struct safetensors *s);

#endif
