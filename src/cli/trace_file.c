/* trace_file.c - writing and reading traces. */
#include "cli/trace_file.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

enum { HASH_BYTES = 8, OPS_MAX = 1 << 20, ROWS_MAX = 1 << 24 };

/* ---- writing ----------------------------------------------------------------------------------
 */

static void add(struct trace_writer *w, const char *text)
{
    file_writer_add(&w->file, text, strlen(text));
}

enum err trace_writer_open(struct trace_writer *w, const char *path, const char *model,
                           const int32_t *tokens, size_t n_tokens, bool values,
                           struct err_note *note)
{
    char text[32];
    *w = (struct trace_writer){.values = values};
    enum err rc = file_writer_open(&w->file, path, note);
    if (rc)
        return rc;
    add(w, "isobit-trace 1\nmodel ");
    add(w, model);
    snprintf(text, sizeof text, "\ntokens %zu", n_tokens);
    add(w, text);
    for (size_t i = 0; i < n_tokens; i++) {
        snprintf(text, sizeof text, " %d", tokens[i]);
        add(w, text);
    }
    add(w, "\n");
    return ERR_OK;
}

void trace_writer_pass(struct trace_writer *w, uint32_t from, uint32_t n_rows)
{
    char text[64];
    snprintf(text, sizeof text, "pass %u %u\n", from, n_rows);
    add(w, text);
}

static void add_values(struct trace_writer *w, const float *x, uint32_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        char text[8];
        memcpy(&bits, &x[i], sizeof bits);
        for (int d = 0; d < 8; d++)
            text[d] = digits[bits >> (28 - 4 * d) & 15];
        file_writer_add(&w->file, text, sizeof text);
    }
}

void trace_writer_op(struct trace_writer *w, int layer, const char *op, const float *x,
                     size_t stride, uint32_t n_rows, uint32_t n)
{
    char text[100];
    snprintf(text, sizeof text, "op %d %.60s %u\n", layer, op, n);
    add(w, text);
    for (uint32_t row = 0; row < n_rows; row++) {
        uint8_t digest[SHA256_BYTES];
        sha256_of(x + row * stride, n * sizeof x[0], digest);
        hex_of(digest, HASH_BYTES, text);
        add(w, text);
        if (w->values) {
            add(w, " ");
            add_values(w, x + row * stride, n);
        }
        add(w, "\n");
    }
}

enum err trace_writer_close(struct trace_writer *w, struct err_note *note)
{
    add(w, "end\n");
    return file_writer_commit(&w->file, note);
}

void trace_writer_abort(struct trace_writer *w)
{
    file_writer_abort(&w->file);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* A place in the file, line by line. */
struct reader {
    struct str rest;
    const char *path;
    size_t line_i;
};

static bool next_line(struct reader *r, struct str *line)
{
    if (r->rest.len == 0)
        return false;
    const char *end = memchr(r->rest.ptr, '\n', r->rest.len);
    size_t n = end ? (size_t)(end - r->rest.ptr) : r->rest.len;
    *line = str_sub(r->rest, 0, n);
    r->rest = str_sub(r->rest, end ? n + 1 : n, r->rest.len);
    r->line_i++;
    return true;
}

static enum err malformed(const struct reader *r, const char *what, struct err_note *note)
{
    return err_set(note, ERR_FORMAT, "%s: line %zu: %s", r->path, r->line_i, what);
}

/* The next word of a line. */
static struct str word(struct str *line)
{
    const char *space = memchr(line->ptr, ' ', line->len);
    size_t n = space ? (size_t)(space - line->ptr) : line->len;
    struct str w = str_sub(*line, 0, n);
    *line = str_sub(*line, space ? n + 1 : n, line->len);
    return w;
}

static bool number(struct str *line, uint64_t max, uint32_t *out)
{
    uint64_t value;
    if (!str_to_u64(word(line), &value) || value > max)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool starts(struct str *line, const char *name)
{
    struct str rest = *line;
    if (!str_is(word(&rest), name))
        return false;
    *line = rest;
    return true;
}

static enum err read_head(struct trace *t, struct reader *r, struct err_note *note)
{
    struct str line;
    if (!next_line(r, &line) || !str_is(line, "isobit-trace 1"))
        return err_set(note, ERR_FORMAT, "%s is no trace that isobit trace wrote", r->path);
    if (!next_line(r, &line) || !starts(&line, "model"))
        return malformed(r, "\"model\" is missing", note);
    t->model = line;
    if (!next_line(r, &line) || !starts(&line, "tokens"))
        return malformed(r, "\"tokens\" is missing", note);
    t->tokens = line;
    return ERR_OK;
}

/* Counts the rows of all passes and makes room for their positions. */
static enum err count_rows(struct trace *t, struct reader r, struct err_note *note)
{
    struct str line;
    uint64_t total = 0;
    uint32_t from, n;
    while (next_line(&r, &line)) {
        if (!starts(&line, "pass"))
            continue;
        if (!number(&line, ROWS_MAX, &from) || !number(&line, ROWS_MAX, &n) || n == 0)
            return malformed(&r, "no pass", note);
        total += n;
    }
    if (total == 0 || total > ROWS_MAX)
        return err_set(note, ERR_FORMAT, "%s: a trace has from 1 to %d rows", r.path, ROWS_MAX);
    t->n_rows = (uint32_t)total;
    t->positions = mem_array(total, sizeof t->positions[0]);
    return t->positions ? ERR_OK : err_set(note, ERR_MEMORY, "%s: more than memory holds", r.path);
}

/* "LAYER NAME N": the next operation of a first pass, or the same again. */
static enum err read_op(struct trace *t, struct reader *r, struct str line, size_t op_i,
                        bool is_first, struct err_note *note)
{
    struct trace_op op;
    int64_t layer;
    if (!str_to_i64(word(&line), &layer) || layer < -1 || layer > INT32_MAX)
        return malformed(r, "no layer", note);
    op.layer = (int)layer;
    op.name = word(&line);
    if (!number(&line, UINT32_MAX, &op.n) || op.name.len == 0)
        return malformed(r, "no operation", note);
    if (!is_first) {
        const struct trace_op *o = op_i < t->n_ops ? &t->ops[op_i] : NULL;
        if (!o || o->layer != op.layer || o->n != op.n || !str_eq(o->name, op.name))
            return malformed(r, "not the operation of the first pass", note);
        return ERR_OK;
    }
    struct trace_op *ops = op_i < OPS_MAX ? mem_resize(t->ops, (op_i + 1) * sizeof ops[0]) : NULL;
    struct str *rows = ops ? mem_resize(t->rows, (op_i + 1) * t->n_rows * sizeof rows[0]) : NULL;
    t->ops = ops ? ops : t->ops;
    t->rows = rows ? rows : t->rows;
    if (!rows)
        return err_set(note, ERR_MEMORY, "%s: more than memory holds", r->path);
    memset(rows + op_i * t->n_rows, 0, t->n_rows * sizeof rows[0]);
    t->ops[op_i] = op;
    t->n_ops = op_i + 1;
    return ERR_OK;
}

static bool is_row(struct str line, uint32_t n)
{
    size_t hash = 2 * HASH_BYTES;
    return line.len == hash || (line.len == hash + 1 + (size_t)n * 8 && line.ptr[hash] == ' ');
}

static enum err read_passes(struct trace *t, struct reader *r, struct err_note *note)
{
    struct str line;
    uint32_t from = 0, n_rows = 0, n_read = 0, first = 0;
    size_t op_i = 0;
    bool is_first = true;
    while (next_line(r, &line)) {
        enum err rc = ERR_OK;
        if (starts(&line, "pass")) {
            is_first = n_read == 0;
            if ((!is_first && op_i == 0) || !number(&line, ROWS_MAX, &from) ||
                !number(&line, ROWS_MAX, &n_rows))
                return malformed(r, "the pass before it has no operation", note);
            for (uint32_t i = 0; i < n_rows; i++)
                t->positions[n_read + i] = from + i;
            first = n_read;
            n_read += n_rows;
            op_i = 0;
        } else if (starts(&line, "op")) {
            rc = read_op(t, r, line, op_i, is_first, note);
            for (uint32_t i = 0; !rc && i < n_rows; i++) {
                if (!next_line(r, &line) || !is_row(line, t->ops[op_i].n))
                    return malformed(r, "no row", note);
                t->rows[op_i * t->n_rows + first + i] = line;
            }
            op_i++;
        } else if (str_is(line, "end") && n_read == t->n_rows && op_i > 0) {
            return ERR_OK;
        } else {
            return malformed(r, "neither a pass nor an operation", note);
        }
        if (rc)
            return rc;
    }
    return malformed(r, "the trace is cut off", note);
}

enum err trace_parse(struct trace *t, struct str text, const char *name, struct err_note *note)
{
    struct reader r = {.rest = text, .path = name};
    *t = (struct trace){0};
    enum err rc = read_head(t, &r, note);
    if (!rc)
        rc = count_rows(t, r, note);
    if (!rc)
        rc = read_passes(t, &r, note);
    if (rc)
        trace_release(t);
    return rc;
}

void trace_release(struct trace *t)
{
    mem_free(t->ops);
    mem_free(t->positions);
    mem_free(t->rows);
    *t = (struct trace){0};
}

struct str trace_row(const struct trace *t, size_t op_i, uint32_t row)
{
    CHECK(op_i < t->n_ops && row < t->n_rows);
    return t->rows[op_i * t->n_rows + row];
}

struct str trace_hash(struct str row)
{
    return row.len ? str_sub(row, 0, 2 * HASH_BYTES) : row;
}

bool trace_value(struct str row, uint32_t i, float *value)
{
    size_t at = 2 * HASH_BYTES + 1 + (size_t)i * 8;
    uint32_t bits = 0;
    if (at + 8 > row.len)
        return false;
    for (int d = 0; d < 8; d++) {
        char c = row.ptr[at + (size_t)d];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                                                : 16;
        if (digit == 16)
            return false;
        bits = bits << 4 | digit;
    }
    memcpy(value, &bits, sizeof bits);
    return true;
}
