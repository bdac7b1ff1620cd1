/* convert.c - folder to GGUF, a few rows at a time. */
#include "format/convert.h"

#include "base/check.h"
#include "format/gguf_write.h"
#include "format/hf_plan.h"
#include "format/table_build.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

/* llama.cpp's numbers for general.file_type. */
enum { FILE_F32 = 0, FILE_F16 = 1, FILE_BF16 = 32, FILE_MXFP4 = 38, QUANTISATION_VERSION = 2 };

struct writer {
    const struct convert_job *job;
    struct hf_plan plan;
    struct tensor_view *views; /* one for each recipe, in its type in the file */
    uint8_t *row;              /* one row before conversion */
    uint64_t n_done, n_total;
};

/* The type in the file of a tensor that the folder has as t. */
static enum dtype target(const struct writer *w, const struct hf_recipe *r)
{
    static const enum dtype wanted[] = {
        [CONVERT_F32] = DTYPE_F32, [CONVERT_F16] = DTYPE_F16, [CONVERT_BF16] = DTYPE_BF16};
    enum dtype t = r->view.dtype;
    bool f32_always = r->by_element || r->view.data || (r->sources && t != r->sources[0].dtype);
    if (f32_always || t == DTYPE_MXFP4 || w->job->type == CONVERT_KEEP)
        return t;
    return wanted[w->job->type];
}

static uint32_t file_type(const struct writer *w)
{
    uint32_t found = FILE_F32;
    for (size_t i = 0; i < w->plan.n_recipes; i++)
        switch (w->views[i].dtype) {
        case DTYPE_MXFP4:
            return FILE_MXFP4;
        case DTYPE_F16:
            found = FILE_F16;
            break;
        case DTYPE_BF16:
            found = FILE_BF16;
            break;
        default:
            break;
        }
    return found;
}

static enum err plan_views(struct writer *w, struct err_note *note)
{
    size_t n = w->plan.n_recipes, n_row_max = 1;
    w->views = mem_array(n, sizeof *w->views);
    if (!w->views)
        return err_set(note, ERR_MEMORY, "out of memory for %zu tensors", n);
    for (size_t i = 0; i < n; i++) {
        const struct hf_recipe *r = &w->plan.recipes[i];
        struct tensor_view *v = &w->views[i];
        size_t n_bytes;
        enum err rc = tensor_shape_bytes(&r->view, &n_bytes, note);
        if (rc)
            return rc;
        *v = r->view;
        v->dtype = target(w, r);
        v->data = r; /* read_rows finds its recipe here; the writer leaves it alone */
        rc = tensor_shape_bytes(v, &v->n_bytes, note);
        if (rc)
            return rc;
        w->n_total += v->n_bytes;
        size_t n_row = dtype_row_bytes(r->view.dtype, v->dim[0]) + 4 * v->dim[0];
        n_row_max = n_row > n_row_max ? n_row : n_row_max;
    }
    w->row = mem_alloc(n_row_max);
    return w->row ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for a row");
}

/* One row into another type, by way of binary32. */
static enum err convert_row(struct writer *w, const struct hf_recipe *r, uint64_t row,
                            enum dtype to, void *out, struct err_note *note)
{
    enum dtype from = r->view.dtype;
    uint64_t k = r->view.dim[0];
    float *wide = (float *)(void *)w->row;
    hf_recipe_rows(r, row, 1, w->row + 4 * k);
    if (from == DTYPE_NF4 || from == DTYPE_FP4)
        quant_decode_row(from, w->row + 4 * k, wide, k);
    else
        floats_convert(from, w->row + 4 * k, DTYPE_F32, wide, k);
    for (uint64_t i = 0; to == DTYPE_F16 && i < k; i++)
        if (f32_is_finite(wide[i]) && !f32_is_finite(f16_widen(f16_round(wide[i]))))
            return err_set(note, ERR_NUMERIC,
                           "tensor %.*s: %g is too large for F16: use bf16 or f32",
                           STR_ARG(r->view.name), (double)wide[i]);
    floats_convert(DTYPE_F32, wide, to, out, k);
    return ERR_OK;
}

static enum err read_rows(void *context, const struct tensor_view *v, uint64_t row, uint64_t n_rows,
                          void *out, struct err_note *note)
{
    struct writer *w = context;
    const struct hf_recipe *r = v->data;
    size_t n_bytes = dtype_row_bytes(v->dtype, v->dim[0]);
    enum err rc = ERR_OK;
    if (v->dtype == r->view.dtype)
        hf_recipe_rows(r, row, n_rows, out);
    else
        for (uint64_t i = 0; i < n_rows && !rc; i++)
            rc = convert_row(w, r, row + i, v->dtype, (uint8_t *)out + i * n_bytes, note);
    w->n_done += n_rows * n_bytes;
    if (w->job->progress)
        w->job->progress(w->job->context, w->n_done, w->n_total);
    return rc;
}

static enum err write_all(struct writer *w, struct err_note *note)
{
    struct metas *m = &w->plan.metas;
    metas_u32(m, "general.file_type", file_type(w));
    metas_u32(m, "general.quantization_version", QUANTISATION_VERSION);
    for (size_t i = 0; w->job->extra && i < w->job->extra->n_items; i++)
        metas_copy(m, &w->job->extra->items[i]);
    enum err rc = metas_status(m, note);
    return rc ? rc
              : gguf_write(w->job->out, m->items, m->n_items, w->views, w->plan.n_recipes,
                           read_rows, w, note);
}

enum err convert_folder(const struct convert_job *job, struct err_note *note)
{
    struct writer w = {.job = job};
    enum err rc = hf_plan_open(job->folder, &w.plan, note);
    if (rc)
        return rc;
    rc = plan_views(&w, note);
    if (!rc)
        rc = write_all(&w, note);
    mem_free(w.views);
    mem_free(w.row);
    hf_plan_close(&w.plan);
    return rc;
}
