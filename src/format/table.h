/* table.h - what every model file becomes: a table of metadata and a table of tensor views.
 *
 * A GGUF file (also split) and a Hugging Face folder both end here, under GGUF's key and tensor
 * names, so that nothing above knows where weights came from. Views borrow from the table's
 * mappings (or from copies that it owns) and live until table_close.
 * Invariants: names are unique; every view lies wholly inside its memory; n_bytes equals the rows
 * times dtype_row_bytes; a tensor has 1..4 dimensions, each >= 1, dim[0] the row length (fastest).
 * Thread: immutable after open, so any number of readers. */
#ifndef FORMAT_TABLE_H
#define FORMAT_TABLE_H

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "tensor/dtype.h"

enum { TENSOR_DIMS_MAX = 4 };

struct tensor_view {
    struct str name;
    enum dtype dtype;
    int n_dims;
    uint64_t dim[TENSOR_DIMS_MAX]; /* dim[0] = K, the row; the unused ones are 1 */
    const void *data;
    size_t n_bytes;
};

enum meta_type {
    META_UINT,  /* u8 u16 u32 u64 */
    META_INT,   /* i8 i16 i32 i64 */
    META_FLOAT, /* f32 f64 */
    META_BOOL,
    META_STRING,
    META_ARRAY,
};

struct meta_array {
    enum meta_type item; /* not META_ARRAY */
    size_t n_items;
    union { /* by item; widened once at parse time */
        const uint64_t *uints;
        const int64_t *ints;
        const double *floats;
        const bool *bools;
        const struct str *strings;
    };
};

struct meta_value {
    struct str key;
    enum meta_type type;
    int gguf_type;      /* the exact type number in a GGUF file, for inspect and rewriting */
    int gguf_item_type; /* of an array's items */
    union {
        uint64_t uint_;
        int64_t int_;
        double float_;
        bool bool_;
        struct str string;
        struct meta_array array;
    };
};

struct table {
    const struct tensor_view *tensors; /* in file order */
    size_t n_tensors;
    const struct meta_value *metas; /* in file order */
    size_t n_metas;
    const char *path;          /* as the user gave it, for messages */
    const char *source;        /* "GGUF v3", "GGUF v3, 4 files", "safetensors folder" */
    uint64_t n_bytes_file;     /* all files together */
    struct table_owner *owner; /* mappings, copies, indexes: private to format */
};

/* table_open - a GGUF file, the first file of a split GGUF, or a folder with config.json.
 * The GGUF half is format/gguf.h and needs no library; this one dispatches to both. */
enum err table_open(const char *path, struct table *t, struct err_note *note);
void table_close(struct table *t);

const struct tensor_view *table_tensor(const struct table *t, const char *name); /* NULL: none */
const struct meta_value *table_meta(const struct table *t, const char *key);     /* NULL: none */

/* The files that views lie in, as they were when they were opened. */
struct table_file {
    const char *path;
    struct file_stamp stamp;
};
size_t table_files(const struct table *t, const struct table_file **files);

/* table_read - n_bytes of a view's data, from `data` on: read into buffer where a file holds them,
 * else where they lie. *bytes is one of the two. Any thread. */
enum err table_read(const struct table *t, const void *data, size_t n_bytes, void *buffer,
                    const void **bytes, struct err_note *note);

const char *meta_type_name(enum meta_type type); /* static storage */

/* tensor_view_check_finite - ERR_NUMERIC names the tensor and the first block whose scale is NaN or
 * infinite (the element, for F16 BF16 F32 F64). Integer types pass. Reads the scales only, so a
 * quantised tensor costs a fraction of its bytes; any thread. */
enum err tensor_view_check_finite(const struct tensor_view *v, struct err_note *note);

/* table_context - positions that the model was trained for; 0 when the file does not say. */
uint32_t table_context(const struct table *t);

/* Typed look-ups. Integers of both signs serve table_u32 when they fit. Absent key:
 * *out = fallback and ERR_OK. Present with another type or out of range: ERR_FORMAT with the key
 * and both types named; a float that is not finite: ERR_NUMERIC. */
enum err table_u32(const struct table *t, const char *key, uint32_t fallback, uint32_t *out,
                   struct err_note *note);
enum err table_f64(const struct table *t, const char *key, double fallback, double *out,
                   struct err_note *note);
enum err table_bool(const struct table *t, const char *key, bool fallback, bool *out,
                    struct err_note *note);
enum err table_str(const struct table *t, const char *key, struct str fallback, struct str *out,
                   struct err_note *note);
/* table_array - NULL in *out when absent. */
enum err table_array(const struct table *t, const char *key, enum meta_type item,
                     const struct meta_array **out, struct err_note *note);

#endif
