/* trace_file.h - a trace: a hash of every row of every operation of a forward pass.
 *
 * Text, one record a line:
 *     isobit-trace 1
 *     model NAME
 *     tokens N ID...
 *     pass FROM N              N rows, of the positions from FROM on, go through the operations
 *     op LAYER NAME N          N values in a row; layer -1: not of a layer
 *     HASH [VALUES]            one line for each row: 16 hexadecimal digits of its SHA-256, then
 *                              the values as 8 hexadecimal digits each
 *     end
 * Every pass has the operations of the first one; a pass over rows that are read again may stop
 * before those that make logits. */
#ifndef CLI_TRACE_FILE_H
#define CLI_TRACE_FILE_H

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

/* ---- writing: allocates nothing after trace_writer_open ----------------------------------------
 */

struct trace_writer {
    struct file_writer file;
    bool values;
};
enum err trace_writer_open(struct trace_writer *w, const char *path, const char *model,
                           const int32_t *tokens, size_t n_tokens, bool values,
                           struct err_note *note);
void trace_writer_pass(struct trace_writer *w, uint32_t from, uint32_t n_rows);
void trace_writer_op(struct trace_writer *w, int layer, const char *op, const float *x,
                     size_t stride, uint32_t n_rows, uint32_t n);
enum err trace_writer_close(struct trace_writer *w, struct err_note *note);
void trace_writer_abort(struct trace_writer *w);

/* ---- reading ------------------------------------------------------------------------------------
 */

struct trace_op {
    int layer;
    struct str name;
    uint32_t n; /* values in a row */
};

struct trace {
    struct str model, tokens; /* the rest of their lines */
    struct trace_op *ops;     /* [n_ops] of one pass, in order */
    size_t n_ops;
    uint32_t n_rows;     /* of all passes */
    uint32_t *positions; /* [n_rows] */
    struct str *rows;    /* [n_ops, n_rows] the row's line; empty where a pass ended before the
                            operation, as it does for rows that are read again */
};

/* trace_parse - text outlives t; name is for messages. ERR_FORMAT names the line. */
enum err trace_parse(struct trace *t, struct str text, const char *name, struct err_note *note);
void trace_release(struct trace *t);

/* The line of a row in operation op_i; hash and values of a line. */
struct str trace_row(const struct trace *t, size_t op_i, uint32_t row);
struct str trace_hash(struct str row);
/* false if the line has no such value. */
bool trace_value(struct str row, uint32_t i, float *value);

#endif
