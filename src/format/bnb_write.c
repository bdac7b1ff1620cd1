/* bnb_write.c - the writer of bitsandbytes 4-bit folders.
 *
 * All files are written into a folder of a temporary name, which is renamed at the end. Of
 * model.safetensors the header comes first, so the sizes of all parts are known before any data:
 * the text of a quantisation state is padded with spaces to a fixed length. */
#include "format/bnb_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/hf_plan.h"
#include "tensor/quant/quant.h"

enum {
    BLOCK = 64,
    BLOCK_BYTES = 36, /* of the encoder: a scale and 32 bytes of codes */
    NESTED = 256,
    STATE_BYTES_MIN = 256,
    TEXT_BYTES_MAX = 1 << 28,
};

/* Copied when they are there, besides config.json. */
static const char *const copied[] = {
    "tokenizer.json",       "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json",    "vocab.json",            "merges.txt",
    "tokenizer.model",      "chat_template.jinja",   "chat_template.json",
    "generation_config.json",
};
static const char weights_name[] = "model.safetensors";
static const char config_name[] = "config.json";

struct writer {
    const struct bnb_job *job;
    struct hf_plan plan;
    char *folder_tmp;
    struct file_writer file;
    float map[NESTED]; /* values of the bytes that scales become */
    uint64_t n_done, n_total;
    struct err_note *note;
};

static enum err no_memory(struct writer *w)
{
    return err_set(w->note, ERR_MEMORY, "out of memory writing %s", w->job->out);
}

static enum err io_error(struct writer *w, const char *path)
{
    return err_set(w->note, ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* bitsandbytes' "dynamic" map: 2^i values in the i-th decade below 1, both signs, 0 and 1. */
static void make_map(float map[NESTED])
{
    static const double decades[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
    size_t n = 0;
    map[n++] = 0;
    map[n++] = 1;
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 1 << i; j++) {
            double step = 0.9 / (1 << i), value = decades[i] * (0.1 + step * (j + 0.5));
            map[n++] = (float)value;
            map[n++] = (float)-value;
        }
    CHECK(n == NESTED);
    qsort(map, NESTED, sizeof *map, by_value);
}

/* The nearest entry of the map; x is in -1..1. */
static uint8_t nearest(const float map[NESTED], float x)
{
    int low = 0, high = NESTED - 1;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (map[middle] <= x)
            low = middle;
        else
            high = middle;
    }
    return (uint8_t)(x - map[low] <= map[high] - x ? low : high);
}

static bool is_matrix(const struct safetensor *x)
{
    return str_ends(x->name, STR("_proj.weight")) && x->n_dims == 2 &&
           (x->type == ST_F32 || x->type == ST_F16 || x->type == ST_BF16);
}

static uint64_t n_elements(const struct safetensor *x)
{
    uint64_t n = 1;
    for (int i = 0; i < x->n_dims; i++)
        n *= x->dim[i];
    return n;
}

static uint64_t n_outer(uint64_t n_blocks)
{
    return (n_blocks + NESTED - 1) / NESTED;
}

/* Length of the text of a quantisation state: with the absmax before it a multiple of 8, so that
 * what follows is aligned. */
static size_t state_bytes(uint64_t n_blocks)
{
    return STATE_BYTES_MIN + (8 - n_blocks % 8) % 8;
}

/* One entry of the header; *offset advances by its size. */
static void add_entry(struct buf *b, struct str name, const char *suffix, const char *type,
                      const char *shape, uint64_t n_bytes, uint64_t *offset)
{
    buf_printf(b, "%s\"%.*s%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%llu,%llu]}",
               b->n_bytes > 1 ? "," : "", STR_ARG(name), suffix, type, shape,
               (unsigned long long)*offset, (unsigned long long)(*offset + n_bytes));
    *offset += n_bytes;
}

static const char *state_name(const struct writer *w)
{
    return w->job->type == DTYPE_NF4 ? ".quant_state.bitsandbytes__nf4"
                                     : ".quant_state.bitsandbytes__fp4";
}

/* The parts of one tensor in the header, in the order in which write_matrix writes them. */
static void add_entries(struct writer *w, struct buf *b, const struct safetensor *x,
                        uint64_t *offset)
{
    char shape[ST_DIMS_MAX * 24 + 4];
    uint64_t n = n_elements(x), n_blocks = n / BLOCK;
    if (!is_matrix(x)) {
        size_t at = (size_t)snprintf(shape, sizeof shape, "[");
        for (int i = 0; i < x->n_dims; i++)
            at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%llu", i ? "," : "",
                                   (unsigned long long)x->dim[i]);
        snprintf(shape + at, sizeof shape - at, "]");
        add_entry(b, x->name, "", st_type_name(x->type), shape, x->n_bytes, offset);
        return;
    }
    snprintf(shape, sizeof shape, "[%llu,1]", (unsigned long long)n / 2);
    add_entry(b, x->name, "", "U8", shape, n / 2, offset);
    snprintf(shape, sizeof shape, "[%llu]", (unsigned long long)n_outer(n_blocks));
    add_entry(b, x->name, ".nested_absmax", "F32", shape, 4 * n_outer(n_blocks), offset);
    add_entry(b, x->name, ".nested_quant_map", "F32", "[256]", 4 * NESTED, offset);
    add_entry(b, x->name, ".quant_map", "F32", "[16]", 4 * 16, offset);
    snprintf(shape, sizeof shape, "[%llu]", (unsigned long long)n_blocks);
    add_entry(b, x->name, ".absmax", "U8", shape, n_blocks, offset);
    snprintf(shape, sizeof shape, "[%zu]", state_bytes(n_blocks));
    add_entry(b, x->name, state_name(w), "U8", shape, state_bytes(n_blocks), offset);
}

/* Widest types first, so that every part begins at a multiple of its element's size. */
static int by_width(const void *a, const void *b)
{
    const struct safetensor *const *x = a, *const *y = b;
    int p = is_matrix(*x) ? 0 : (*x)->type == ST_F32 ? 2 : 1;
    int q = is_matrix(*y) ? 0 : (*y)->type == ST_F32 ? 2 : 1;
    if (p != q)
        return q - p;
    return *x < *y ? -1 : 1;
}

static enum err write_header(struct writer *w, const struct safetensor **order, size_t n)
{
    struct buf b;
    uint64_t offset = 0;
    buf_init(&b, TEXT_BYTES_MAX);
    buf_char(&b, '{');
    for (size_t i = 0; i < n; i++)
        add_entries(w, &b, order[i], &offset);
    buf_char(&b, '}');
    while (!b.failed && b.n_bytes % 8)
        buf_char(&b, ' ');
    enum err rc = b.failed ? no_memory(w) : ERR_OK;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)b.n_bytes >> 8 * i);
    if (!rc) {
        file_writer_add(&w->file, length, sizeof length);
        file_writer_add(&w->file, b.bytes, b.n_bytes);
    }
    buf_release(&b);
    return rc;
}

/* The codes of all rows; scales gets one float for each block. */
static enum err write_codes(struct writer *w, const struct safetensor *x, float *scales)
{
    uint64_t k = x->dim[1], n_blocks = k / BLOCK;
    enum dtype from = x->type == ST_F32 ? DTYPE_F32 : x->type == ST_F16 ? DTYPE_F16 : DTYPE_BF16;
    size_t row_bytes = dtype_row_bytes(from, k), bad;
    float *values = mem_array(k, sizeof *values);
    uint8_t *blocks = mem_array(n_blocks, BLOCK_BYTES);
    enum err rc = values && blocks ? ERR_OK : no_memory(w);
    for (uint64_t row = 0; row < x->dim[0] && !rc && file_writer_ok(&w->file); row++) {
        floats_convert(from, x->data + row * row_bytes, DTYPE_F32, values, k);
        if (!quant_encode_row(w->job->type, values, blocks, k, NULL, &bad)) {
            rc = err_set(w->note, ERR_NUMERIC, "tensor %.*s: element %llu is NaN or infinite",
                         STR_ARG(x->name), (unsigned long long)(row * k + bad));
            break;
        }
        for (uint64_t b = 0; b < n_blocks; b++) {
            memcpy(&scales[row * n_blocks + b], blocks + b * BLOCK_BYTES, sizeof *scales);
            file_writer_add(&w->file, blocks + b * BLOCK_BYTES + 4, BLOCK / 2);
        }
        w->n_done += k;
        if (w->job->progress)
            w->job->progress(w->job->context, w->n_done, w->n_total);
    }
    mem_free(values);
    mem_free(blocks);
    return rc;
}

static void write_state(struct writer *w, const struct safetensor *x, float offset, size_t n_bytes)
{
    char text[STATE_BYTES_MIN + 8];
    const char *dtype = x->type == ST_F32 ? "float32" : x->type == ST_F16 ? "float16" : "bfloat16";
    int n = snprintf(text, sizeof text,
                     "{\"quant_type\": \"%s\", \"blocksize\": %d, \"dtype\": \"%s\", \"shape\": "
                     "[%llu, %llu], \"nested_blocksize\": %d, \"nested_dtype\": \"float32\", "
                     "\"nested_offset\": %.17g}",
                     w->job->type == DTYPE_NF4 ? "nf4" : "fp4", BLOCK, dtype,
                     (unsigned long long)x->dim[0], (unsigned long long)x->dim[1], NESTED,
                     (double)offset);
    CHECK(n > 0 && n < STATE_BYTES_MIN);
    memset(text + n, ' ', n_bytes - (size_t)n);
    file_writer_add(&w->file, text, n_bytes);
}

/* Scales to bytes: the mean is taken off, then 256 at a time share a largest magnitude. */
static void write_scales(struct writer *w, const struct safetensor *x, float *scales,
                         float *outer, uint64_t n)
{
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += (double)scales[i];
    float offset = (float)(sum / (double)n);
    for (uint64_t i = 0; i < n; i++) {
        scales[i] -= offset;
        outer[i / NESTED] = __builtin_fmaxf(outer[i / NESTED], __builtin_fabsf(scales[i]));
    }
    const float *levels = w->job->type == DTYPE_NF4 ? quant_nf4_levels : quant_fp4_levels;
    file_writer_add(&w->file, outer, n_outer(n) * sizeof *outer);
    file_writer_add(&w->file, w->map, sizeof w->map);
    file_writer_add(&w->file, levels, 16 * sizeof *levels);
    for (uint64_t i = 0; i < n; i++) {
        float largest = outer[i / NESTED];
        uint8_t code = nearest(w->map, largest > 0 ? scales[i] / largest : 0);
        file_writer_add(&w->file, &code, 1);
    }
    write_state(w, x, offset, state_bytes(n));
}

static enum err write_matrix(struct writer *w, const struct safetensor *x)
{
    uint64_t n = n_elements(x) / BLOCK;
    float *scales = mem_array(n, sizeof *scales), *outer = mem_array(n_outer(n), sizeof *outer);
    enum err rc = scales && outer ? write_codes(w, x, scales) : no_memory(w);
    if (!rc)
        write_scales(w, x, scales, outer, n);
    mem_free(scales);
    mem_free(outer);
    return rc;
}

static enum err write_weights(struct writer *w)
{
    char path[4096];
    size_t n = w->plan.files.n_items;
    const struct safetensor **order = mem_array(n, sizeof *order);
    if (!order)
        return no_memory(w);
    for (size_t i = 0; i < n; i++)
        order[i] = &w->plan.files.items[i];
    qsort(order, n, sizeof *order, by_width);
    snprintf(path, sizeof path, "%s/%s", w->folder_tmp, weights_name);
    enum err rc = file_writer_open(&w->file, path, w->note);
    if (rc) {
        mem_free(order);
        return rc;
    }
    rc = write_header(w, order, n);
    for (size_t i = 0; i < n && !rc && file_writer_ok(&w->file); i++)
        if (is_matrix(order[i]))
            rc = write_matrix(w, order[i]);
        else
            file_writer_add(&w->file, order[i]->data, order[i]->n_bytes);
    if (rc)
        file_writer_abort(&w->file);
    else
        rc = file_writer_commit(&w->file, w->note);
    mem_free(order);
    return rc;
}

static enum err write_text(struct writer *w, const char *name, const char *text, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", w->folder_tmp, name);
    enum err rc = file_writer_open(&w->file, path, w->note);
    if (rc)
        return rc;
    file_writer_add(&w->file, text, n);
    return file_writer_commit(&w->file, w->note);
}

static enum err copy_file(struct writer *w, const char *name)
{
    char path[4096], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", w->job->folder, name);
    if (!file_exists(path))
        return ERR_OK;
    enum err rc = file_read(path, TEXT_BYTES_MAX, &text, &n, w->note);
    if (!rc)
        rc = write_text(w, name, text, n);
    if (!rc)
        mem_free(text);
    return rc;
}

static enum err write_config(struct writer *w)
{
    char path[4096], *text;
    size_t n;
    json_t *config;
    snprintf(path, sizeof path, "%s/%s", w->job->folder, config_name);
    enum err rc = file_read(path, TEXT_BYTES_MAX, &text, &n, w->note);
    if (rc)
        return rc;
    rc = hf_json_parse(text, n, path, &config, w->note);
    mem_free(text);
    if (rc)
        return rc;
    json_t *q = json_pack("{s:s, s:b, s:b, s:s, s:b, s:s, s:s}", "quant_method", "bitsandbytes",
                          "load_in_4bit", 1, "load_in_8bit", 0, "bnb_4bit_quant_type",
                          w->job->type == DTYPE_NF4 ? "nf4" : "fp4", "bnb_4bit_use_double_quant",
                          1, "bnb_4bit_compute_dtype", "float32", "bnb_4bit_quant_storage",
                          "uint8");
    char *out = NULL;
    if (q && json_object_set_new(config, "quantization_config", q) == 0)
        out = json_dumps(config, JSON_INDENT(2));
    rc = out ? write_text(w, config_name, out, strlen(out)) : no_memory(w);
    json_decref(config);
    mem_free(out);
    return rc;
}

/* What cannot be written is said before anything is. */
static enum err check_input(struct writer *w)
{
    const struct hf_config *c = &w->plan.config;
    if (c->n_experts)
        return err_set(w->note, ERR_UNSUPPORTED,
                       "%s: a mixture of experts has no bitsandbytes 4-bit layout", w->job->folder);
    if (c->quant != HF_QUANT_NONE)
        return err_set(w->note, ERR_UNSUPPORTED, "%s is quantised already", w->job->folder);
    for (size_t i = 0; i < w->plan.files.n_items; i++) {
        const struct safetensor *x = &w->plan.files.items[i];
        if (is_matrix(x) && x->dim[1] % BLOCK)
            return err_set(w->note, ERR_UNSUPPORTED,
                           "tensor %.*s: rows of %llu elements are no multiple of %d",
                           STR_ARG(x->name), (unsigned long long)x->dim[1], BLOCK);
        w->n_total += is_matrix(x) ? n_elements(x) : 0;
    }
    return ERR_OK;
}

static void remove_folder(const struct writer *w)
{
    char path[4096];
    for (size_t i = 0; i < COUNT_OF(copied); i++) {
        snprintf(path, sizeof path, "%s/%s", w->folder_tmp, copied[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/%s", w->folder_tmp, config_name);
    unlink(path);
    snprintf(path, sizeof path, "%s/%s", w->folder_tmp, weights_name);
    unlink(path);
    rmdir(w->folder_tmp);
}

static enum err write_folder(struct writer *w)
{
    if (mkdir(w->folder_tmp, 0777) != 0)
        return io_error(w, w->folder_tmp);
    enum err rc = write_config(w);
    for (size_t i = 0; i < COUNT_OF(copied) && !rc; i++)
        rc = copy_file(w, copied[i]);
    if (!rc)
        rc = write_weights(w);
    if (!rc && rename(w->folder_tmp, w->job->out) != 0)
        rc = io_error(w, w->job->out);
    if (rc)
        remove_folder(w);
    return rc;
}

enum err bnb_write_folder(const struct bnb_job *job, struct err_note *note)
{
    struct writer w = {.job = job, .note = note};
    CHECK(job->type == DTYPE_NF4 || job->type == DTYPE_FP4);
    if (file_exists(job->out))
        return err_set(note, ERR_USAGE, "%s exists already: name a new folder", job->out);
    if (!file_is_dir(job->folder))
        return err_set(note, ERR_USAGE,
                       "%s is not a folder: bitsandbytes types are written from a folder to a "
                       "folder",
                       job->folder);
    enum err rc = hf_plan_open(job->folder, &w.plan, note);
    if (rc)
        return rc;
    make_map(w.map);
    size_t n = strlen(job->out);
    while (n > 1 && job->out[n - 1] == '/')
        n--;
    w.folder_tmp = mem_alloc(n + 32);
    rc = w.folder_tmp ? check_input(&w) : no_memory(&w);
    if (!rc) {
        snprintf(w.folder_tmp, n + 32, "%.*s.tmp-%ld", (int)n, job->out, (long)getpid());
        rc = write_folder(&w);
    }
    mem_free(w.folder_tmp);
    hf_plan_close(&w.plan);
    return rc;
}
