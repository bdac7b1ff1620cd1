/* quantize.c - the loop over tensors and rows: decode, encode, write.
 *
 * A tensor whose type stays is copied byte for byte, once its scales are found finite. Rows are
 * independent, so threads share them and the bytes do not depend on how. */
#include "format/quantize.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "format/gguf_write.h"
#include "tensor/quant/quant.h"

enum {
    TASK_ELEMENTS = 1 << 15,
    SAMPLE_ROWS = 256,
    SAMPLE_ROWS_MIN = 16,
    QUANTIZATION_VERSION = 2,
};

struct job {
    const struct table *table;
    const struct quantize_options *options;
    struct quantize_result *result;
    struct tensor_view *views; /* the new tensors, in the table's order */
    size_t tensor_i;           /* the one being written */
    float *scratch;            /* a row for each thread */
    size_t scratch_len;        /* the longest row */
    float *importance;         /* of the columns of the tensor being written */
    bool is_uneven;            /* importance is to be used */
};

/* Rows of one tensor, shared among threads. */
struct batch {
    const struct job *job;
    const struct tensor_view *from;
    enum dtype to;
    uint64_t row, n_rows, n_task_rows;
    uint8_t *out;
    _Atomic uint64_t bad; /* the least element of the tensor that cannot be encoded */
};

static uint64_t elements_of(const struct tensor_view *v)
{
    return v->dim[0] * tensor_rows(v);
}

/* Columns of much smaller weights than the others multiply much larger activations (outlier
 * channels), so their errors count for more. Importance is the inverse of a column's mean square
 * over a sample of rows, for columns below a quarter of the tensor's mean; true if there is one.
 * docs/quantization.md has the measurement. */
static bool columns_weigh(const struct tensor_view *v, float *row, float *importance)
{
    size_t k = v->dim[0];
    uint64_t n_rows = tensor_rows(v), n_sampled = n_rows < SAMPLE_ROWS ? n_rows : SAMPLE_ROWS;
    float mean = 0;
    bool is_uneven = false;
    if (n_rows < SAMPLE_ROWS_MIN)
        return false;
    memset(importance, 0, k * sizeof *importance);
    for (uint64_t i = 0; i < n_sampled; i++) {
        uint64_t from = i * n_rows / n_sampled;
        quant_decode_row(v->dtype, (const uint8_t *)v->data + from * dtype_row_bytes(v->dtype, k),
                         row, k);
        for (size_t j = 0; j < k; j++)
            importance[j] += row[j] * row[j];
    }
    for (size_t j = 0; j < k; j++)
        mean += importance[j] / (float)k;
    for (size_t j = 0; j < k; j++) {
        bool is_small = importance[j] < mean * 0.25f;
        is_uneven |= is_small;
        importance[j] = is_small ? mean * 0.25f / fmaxf(importance[j], mean * 0x1p-16f) : 1;
    }
    return is_uneven && mean < INFINITY;
}

static void bad_note(struct batch *b, uint64_t element)
{
    uint64_t seen = atomic_load(&b->bad);
    while (element < seen && !atomic_compare_exchange_weak(&b->bad, &seen, element))
        continue;
}

static void rows_encode(void *context, size_t task_i, int worker)
{
    struct batch *b = context;
    size_t k = b->from->dim[0], from_bytes = dtype_row_bytes(b->from->dtype, k);
    size_t to_bytes = dtype_row_bytes(b->to, k), bad;
    float *x = b->job->scratch + (size_t)worker * b->job->scratch_len;
    const float *importance = b->job->is_uneven ? b->job->importance : NULL;
    uint64_t first = task_i * b->n_task_rows, end = first + b->n_task_rows;
    end = end < b->n_rows ? end : b->n_rows;
    for (uint64_t i = first; i < end; i++) {
        const uint8_t *in = (const uint8_t *)b->from->data + (b->row + i) * from_bytes;
        quant_decode_row(b->from->dtype, in, x, k);
        if (!quant_encode_row(b->to, x, b->out + i * to_bytes, k, importance, &bad))
            bad_note(b, (b->row + i) * k + bad);
    }
}

/* Why an element cannot be encoded: found again, so that the message holds its value. */
static enum err bad_element(const struct batch *b, uint64_t element, struct err_note *note)
{
    const struct tensor_view *v = b->from;
    size_t k = v->dim[0];
    float *x = b->job->scratch;
    quant_decode_row(v->dtype,
                     (const uint8_t *)v->data + element / k * dtype_row_bytes(v->dtype, k), x, k);
    float value = x[element % k];
    bool finite = value - value == 0;
    return err_set(note, finite ? ERR_LIMIT : ERR_NUMERIC,
                   finite ? "%s: tensor %.*s, element %" PRIu64 " is %g, beyond what %s can hold"
                          : "%s: tensor %.*s, element %" PRIu64 " is %g, not a finite number",
                   b->job->table->path, STR_ARG(v->name), element, (double)value,
                   dtype_info(b->to)->name);
}

/* gguf_rows_fn */
static enum err rows_make(void *context, const struct tensor_view *v, uint64_t row, uint64_t n_rows,
                          void *out, struct err_note *note)
{
    struct job *job = context;
    const struct quantize_options *o = job->options;
    while (!str_eq(job->views[job->tensor_i].name, v->name)) /* called in the table's order */
        job->tensor_i++;
    const struct tensor_view *from = &job->table->tensors[job->tensor_i];
    size_t row_bytes = dtype_row_bytes(from->dtype, from->dim[0]);
    if (from->dtype == v->dtype) {
        enum err rc = row == 0 ? tensor_view_check_finite(from, note) : ERR_OK;
        if (rc)
            return err_wrap(note, rc, "%s", job->table->path);
        memcpy(out, (const uint8_t *)from->data + row * row_bytes, n_rows * row_bytes);
    } else {
        if (row == 0)
            job->is_uneven = columns_weigh(from, job->scratch, job->importance);
        struct batch b = {.job = job, .from = from, .to = v->dtype, .row = row, .n_rows = n_rows};
        b.out = out;
        b.n_task_rows = 1 + TASK_ELEMENTS / from->dim[0];
        atomic_init(&b.bad, UINT64_MAX);
        threads_run(o->threads, (n_rows + b.n_task_rows - 1) / b.n_task_rows, rows_encode, &b);
        uint64_t bad = atomic_load(&b.bad);
        if (bad != UINT64_MAX)
            return bad_element(&b, bad, note);
    }
    job->result->n_bytes_after += n_rows * dtype_row_bytes(v->dtype, v->dim[0]);
    job->result->n_bytes_before += n_rows * row_bytes;
    if (o->progress)
        o->progress(o->progress_context, job->result->n_bytes_before, job->table->n_bytes_file);
    return ERR_OK;
}

__attribute__((format(printf, 2, 3))) static void remark(const struct job *job, const char *format,
                                                         ...)
{
    char line[512];
    va_list args;
    if (!job->options->remark)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    job->options->remark(job->options->remark_context, line);
}

/* The first of a number or of an array of numbers, one for each layer; 0 when absent. */
static uint64_t first_uint(const struct table *t, struct str arch, const char *suffix)
{
    char key[128];
    snprintf(key, sizeof key, "%.*s.%s", STR_ARG(arch), suffix);
    const struct meta_value *v = table_meta(t, key);
    if (!v)
        return 0;
    if (v->type == META_ARRAY && v->array.n_items > 0)
        return v->array.item == META_UINT  ? v->array.uints[0]
               : v->array.item == META_INT ? (uint64_t)v->array.ints[0]
                                           : 0;
    return v->type == META_UINT ? v->uint_ : v->type == META_INT ? (uint64_t)v->int_ : 0;
}

static enum err model_read(const struct table *t, struct mix_model *m, struct err_note *note)
{
    *m = (struct mix_model){0};
    enum err rc = table_str(t, "general.architecture", STR(""), &m->arch, note);
    if (rc)
        return rc;
    uint64_t n_layers = first_uint(t, m->arch, "block_count");
    uint64_t n_heads = first_uint(t, m->arch, "attention.head_count");
    uint64_t n_heads_kv = first_uint(t, m->arch, "attention.head_count_kv");
    if (n_layers == 0 || n_layers > 100000)
        return err_set(note, ERR_FORMAT, "%s: no number of layers (block_count): not a model",
                       t->path);
    m->n_layers = (int)n_layers;
    m->n_experts = (int)(first_uint(t, m->arch, "expert_count") & 0xffff);
    if (n_heads_kv == 0) /* absent: every head has its own */
        n_heads_kv = n_heads;
    m->n_heads_per_kv = n_heads_kv ? (int)(n_heads / n_heads_kv & 0xffff) : 0;
    m->has_output = table_tensor(t, "output.weight") != NULL;
    return ERR_OK;
}

static bool is_float(enum dtype t)
{
    return t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16;
}

/* Decides every tensor's new type before a byte is written. */
static enum err views_plan(struct job *job, struct err_note *note)
{
    const struct table *t = job->table;
    const struct quantize_options *o = job->options;
    struct mix_model model;
    bool requantizes = false;
    enum err rc = model_read(t, &model, note);
    for (size_t i = 0; i < t->n_tensors && !rc; i++) {
        struct tensor_view *v = &job->views[i];
        enum dtype wanted;
        *v = t->tensors[i];
        v->dtype = mix_dtype(o->mix, &model, v->name, v->dtype, v->n_dims, v->dim, &wanted);
        if (v->dtype == t->tensors[i].dtype)
            continue;
        if (!is_float(t->tensors[i].dtype) && !o->allow_requantize)
            return err_set(note, ERR_UNSUPPORTED,
                           "%s: tensor %.*s is %s already, and quantising again to %s loses more; "
                           "start from the original, or allow it (--allow-requantize)",
                           t->path, STR_ARG(v->name), dtype_info(t->tensors[i].dtype)->name,
                           dtype_info(v->dtype)->name);
        requantizes |= !is_float(t->tensors[i].dtype);
        v->n_bytes = tensor_rows(v) * dtype_row_bytes(v->dtype, v->dim[0]);
        job->scratch_len = job->scratch_len > v->dim[0] ? job->scratch_len : v->dim[0];
        job->result->n_quantized += !is_float(v->dtype);
        if (v->dtype != wanted) {
            job->result->n_fallbacks++;
            remark(job, "%.*s: rows of %" PRIu64 " do not fit %s, so %s", STR_ARG(v->name),
                   v->dim[0], dtype_info(wanted)->name, dtype_info(v->dtype)->name);
        }
    }
    if (requantizes)
        remark(job, "the source is quantised already: the result is worse than from the original");
    return rc;
}

static enum err file_write(struct job *job, const char *path, struct err_note *note)
{
    const struct table *t = job->table;
    struct metas metas;
    metas_init(&metas);
    for (size_t i = 0; i < t->n_metas; i++)
        if (!str_starts(t->metas[i].key, STR("split.")))
            metas_copy(&metas, &t->metas[i]);
    for (size_t i = 0; job->options->extra && i < job->options->extra->n_items; i++)
        metas_copy(&metas, &job->options->extra->items[i]);
    metas_u32(&metas, "general.file_type", mix_file_type(job->options->mix));
    metas_u32(&metas, "general.quantization_version", QUANTIZATION_VERSION);
    enum err rc = metas_status(&metas, note);
    if (!rc)
        rc = gguf_write(path, metas.items, metas.n_items, job->views, t->n_tensors, rows_make, job,
                        note);
    metas_release(&metas);
    return rc;
}

enum err table_quantize(const struct table *t, const char *path, const struct quantize_options *o,
                        struct quantize_result *result, struct err_note *note)
{
    struct job job = {.table = t, .options = o, .result = result};
    *result = (struct quantize_result){0};
    job.views = mem_array(t->n_tensors + 1, sizeof *job.views);
    enum err rc = job.views ? views_plan(&job, note) : ERR_MEMORY;
    if (!rc) {
        job.scratch = mem_array(((size_t)threads_count(o->threads) + 1) * (job.scratch_len + 16),
                                sizeof *job.scratch);
        rc = job.scratch ? ERR_OK : ERR_MEMORY;
    }
    if (!rc) {
        job.importance = job.scratch + (size_t)threads_count(o->threads) * (job.scratch_len + 16);
        rc = file_write(&job, path, note);
    }
    if (rc == ERR_MEMORY)
        err_set(note, rc, "%s: out of memory while quantising", path);
    for (size_t i = 0; i < t->n_tensors; i++)
        result->n_elements += elements_of(&t->tensors[i]);
    mem_free(job.scratch);
    mem_free(job.views);
    return rc;
}
