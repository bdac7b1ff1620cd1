/* bnb.c - bitsandbytes 4-bit weights: the state beside a packed tensor, as binary32 scales.
 *
 * Beside X.weight (codes, two in a byte) stand X.weight.absmax, .quant_map, and a small JSON text
 * in a tensor X.weight.quant_state.bitsandbytes__nf4 (or __fp4). With double quantisation absmax
 * holds bytes; a scale is then nested_quant_map[byte] * nested_absmax[block of 256] + offset, each
 * operation rounded to binary32. The blocks that result are defined in tensor/quant/nf4.c. */
#include "base/check.h"
#include "format/hf_plan.h"
#include "format/table_build.h"
#include "tensor/quant/quant.h"

enum { BLOCK = 64, STATE_BYTES_MAX = 1 << 16 };

static const char *const state_ends[] = {
    ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map",
    ".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4",
};

bool bnb_is_state(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(state_ends); i++)
        if (str_ends(name, str_from(state_ends[i])))
            return true;
    return false;
}

/* One packed weight being read. */
struct bnb {
    struct hf_plan *p;
    const struct safetensor *x;
    struct err_note *note;
    const struct safetensor *state;
    enum dtype dtype;
    uint64_t n_rows, k, n_blocks;
    uint64_t nested_block; /* 0: not nested */
    float nested_offset;
};

static enum err bad(const struct bnb *b, const char *what)
{
    return err_set(b->note, ERR_FORMAT, "%s: tensor %.*s (bitsandbytes): %s", b->p->table.path,
                   STR_ARG(b->x->name), what);
}

static const struct safetensor *beside(const struct bnb *b, const char *suffix)
{
    char *name = table_printf(&b->p->table, "%.*s%s", STR_ARG(b->x->name), suffix);
    return name ? safetensors_find(&b->p->files, str_from(name)) : NULL;
}

static enum err read_shape(struct bnb *b, const struct hf_json *j)
{
    const json_t *shape = hf_json_array(j, "shape");
    json_int_t rows = json_integer_value(json_array_get(shape, 0));
    json_int_t k = json_integer_value(json_array_get(shape, 1));
    if (json_array_size(shape) != 2 || rows < 1 || k < 1 || rows > UINT32_MAX || k > UINT32_MAX)
        return bad(b, "its \"shape\" is not that of a matrix");
    b->n_rows = (uint64_t)rows;
    b->k = (uint64_t)k;
    if (k % BLOCK)
        return err_set(b->note, ERR_UNSUPPORTED,
                       "%s: tensor %.*s: rows of %llu elements are no multiple of the block of 64",
                       b->p->table.path, STR_ARG(b->x->name), (unsigned long long)b->k);
    b->n_blocks = b->n_rows * (b->k / BLOCK);
    if (b->x->n_bytes != b->n_blocks * BLOCK / 2)
        return bad(b, "its codes are not as many as its \"shape\" says");
    return ERR_OK;
}

static enum err read_state(struct bnb *b)
{
    json_t *document;
    if (b->state->type != ST_U8 || b->state->n_bytes > STATE_BYTES_MAX)
        return bad(b, "its quantisation state is not text");
    enum err rc = hf_json_parse((const char *)b->state->data, b->state->n_bytes,
                                "quantisation state", &document, b->note);
    if (rc)
        return err_wrap(b->note, rc, "%s: tensor %.*s", b->p->table.path, STR_ARG(b->x->name));
    struct hf_json j = {document, "quantisation state", &rc, b->note};
    uint32_t block = hf_json_u32(&j, "blocksize", 0);
    if (!rc && block != BLOCK)
        rc = err_set(b->note, ERR_UNSUPPORTED,
                     "%s: tensor %.*s: blocks of %u elements; blocks of 64 are supported",
                     b->p->table.path, STR_ARG(b->x->name), block);
    b->nested_block = hf_json_u32(&j, "nested_blocksize", 0);
    b->nested_offset = (float)hf_json_f64(&j, "nested_offset", 0);
    if (!rc)
        rc = read_shape(b, &j);
    json_decref(document);
    return rc;
}

static float load_f32(const struct safetensor *x, uint64_t i)
{
    float v;
    memcpy(&v, x->data + 4 * i, sizeof v);
    return v;
}

static enum err check_levels(const struct bnb *b)
{
    const struct safetensor *map = beside(b, ".quant_map");
    const float *levels = b->dtype == DTYPE_NF4 ? quant_nf4_levels : quant_fp4_levels;
    if (!map || map->type != ST_F32 || map->n_bytes != 16 * 4)
        return bad(b, "its quant_map is missing");
    for (uint64_t i = 0; i < 16; i++)
        if (load_f32(map, i) != levels[i])
            return bad(b, "its quant_map is not the usual one");
    return ERR_OK;
}

static enum err nested_scales(const struct bnb *b, const struct safetensor *absmax, float *scales)
{
    const struct safetensor *outer = beside(b, ".nested_absmax");
    const struct safetensor *map = beside(b, ".nested_quant_map");
    if (absmax->type != ST_U8 || absmax->n_bytes != b->n_blocks)
        return bad(b, "its absmax is not of its shape");
    if (!map || map->type != ST_F32 || map->n_bytes != 256 * 4)
        return bad(b, "its nested_quant_map is missing");
    if (!outer || outer->type != ST_F32 ||
        outer->n_bytes / 4 != (b->n_blocks + b->nested_block - 1) / b->nested_block)
        return bad(b, "its nested_absmax is missing or not of its shape");
    for (uint64_t i = 0; i < b->n_blocks; i++) {
        float product = load_f32(map, absmax->data[i]) * load_f32(outer, i / b->nested_block);
        scales[i] = product + b->nested_offset;
    }
    return ERR_OK;
}

static enum err read_scales(const struct bnb *b, float *scales)
{
    const struct safetensor *absmax = beside(b, ".absmax");
    if (!absmax)
        return bad(b, "its absmax is missing");
    if (b->nested_block)
        return nested_scales(b, absmax, scales);
    if (absmax->type != ST_F32 || absmax->n_bytes != 4 * b->n_blocks)
        return bad(b, "its absmax is not of its shape");
    memcpy(scales, absmax->data, absmax->n_bytes);
    return ERR_OK;
}

enum err bnb_source(struct hf_plan *p, const struct safetensor *x, struct hf_source *s,
                    struct err_note *note)
{
    struct bnb b = {.p = p, .x = x, .note = note, .dtype = DTYPE_NF4};
    b.state = beside(&b, ".quant_state.bitsandbytes__nf4");
    if (!b.state) {
        b.dtype = DTYPE_FP4;
        b.state = beside(&b, ".quant_state.bitsandbytes__fp4");
    }
    if (!b.state)
        return bad(&b, "bytes without a quantisation state");
    enum err rc = read_state(&b);
    if (!rc)
        rc = check_levels(&b);
    if (rc)
        return rc;
    float *scales = table_pages(&p->table, b.n_blocks * sizeof *scales);
    if (!scales)
        return err_set(note, ERR_MEMORY, "%s: out of memory", p->table.path);
    *s = (struct hf_source){.kind = HF_SOURCE_BNB,
                            .dtype = b.dtype,
                            .n_rows = b.n_rows,
                            .k = b.k,
                            .data = x->data,
                            .floats = scales};
    return read_scales(&b, scales);
}
