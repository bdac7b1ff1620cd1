/* weights.c - binding tensors to slots by name. */
#include "model/weights.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "model/arch.h"
#include "tensor/quant/quant.h"

enum dim {
    DIM_1,
    DIM_D,
    DIM_V,
    DIM_Q,
    DIM_KV,
    DIM_QKV,
    DIM_E,
    DIM_H,
    DIM_F,
    DIM_F2,
    DIM_EX,
    DIM_FX,
    DIM_R2,
    DIM_P,
    DIM_TY,
    DIM_L
};
enum { SLOT_IS_MATRIX = 0, SLOT_IS_VECTOR = 1, TENSOR_NAME_MAX = 64 };

#define SLOT_INFO(name, text, kind, d0, d1, d2)                                                    \
    [SLOT_##name] = {text, SLOT_IS_##kind, {DIM_##d0, DIM_##d1, DIM_##d2}},
static const struct slot_info global_slots[GLOBAL_SLOT_COUNT] = {GLOBAL_SLOT_LIST(SLOT_INFO)};
static const struct slot_info layer_slots[LAYER_SLOT_COUNT] = {LAYER_SLOT_LIST(SLOT_INFO)};
#undef SLOT_INFO
_Static_assert(LAYER_SLOT_COUNT <= 64, "a set of layer slots is 64 bits");

const struct slot_info *layer_slot_info(enum layer_slot slot)
{
    CHECK((unsigned)slot < LAYER_SLOT_COUNT);
    return &layer_slots[slot];
}

static uint64_t dim_of(const struct hparams *h, uint8_t letter)
{
    uint64_t q = (uint64_t)h->n_heads * h->head_size, kv = (uint64_t)h->n_kv_heads * h->head_size;
    switch ((enum dim)letter) {
    case DIM_1:
        return 1;
    case DIM_D:
        return h->n_embd;
    case DIM_V:
        return h->n_vocab;
    case DIM_Q:
        return q;
    case DIM_KV:
        return kv;
    case DIM_QKV:
        return q + 2 * kv;
    case DIM_E:
        return h->head_size;
    case DIM_H:
        return h->n_heads;
    case DIM_F:
        return h->n_ff;
    case DIM_F2:
        return 2ull * h->n_ff;
    case DIM_EX:
        return h->n_experts;
    case DIM_FX:
        return h->n_ff_expert;
    case DIM_R2:
        return h->n_rot / 2;
    case DIM_P:
        return h->n_ctx_train;
    case DIM_TY:
        return h->n_types;
    case DIM_L:
        return h->n_labels;
    }
    CHECK(!"letter");
    return 0;
}

static void shape_text(const uint64_t dim[3], char out[80])
{
    int n = dim[2] > 1 ? 3 : dim[1] > 1 ? 2 : 1;
    int at = snprintf(out, 80, "[%llu", (unsigned long long)dim[0]);
    for (int i = 1; i < n; i++)
        at += snprintf(out + at, (size_t)(80 - at), ", %llu", (unsigned long long)dim[i]);
    snprintf(out + at, (size_t)(80 - at), "]");
}

static enum err check_view(const struct table *t, const struct hparams *h,
                           const struct slot_info *info, const struct tensor_view *v,
                           struct err_note *note)
{
    uint64_t want[3];
    for (int i = 0; i < 3; i++)
        want[i] = dim_of(h, info->dim[i]);
    if (v->dim[0] != want[0] || v->dim[1] != want[1] || v->dim[2] != want[2] || v->dim[3] != 1) {
        char found[80], expected[80];
        shape_text(v->dim, found);
        shape_text(want, expected);
        return err_set(note, ERR_FORMAT, "%s: tensor %.*s has shape %s, expected %s", t->path,
                       STR_ARG(v->name), found, expected);
    }
    bool plain = v->dtype == DTYPE_F32 || v->dtype == DTYPE_F16 || v->dtype == DTYPE_BF16;
    if (info->is_vector ? !plain : !quant_decodes(v->dtype))
        return err_set(note, ERR_UNSUPPORTED, "%s: tensor %.*s has type %s, expected %s", t->path,
                       STR_ARG(v->name), dtype_info(v->dtype)->name,
                       info->is_vector ? "F32, F16 or BF16" : "a weight type");
    return ERR_OK;
}

/* Look up one slot. A tensor that is absent leaves NULL, or is an error if needed. */
static enum err bind(const struct table *t, const struct hparams *h, const struct slot_info *info,
                     const char *name, bool need, const struct tensor_view **out,
                     struct err_note *note)
{
    const struct tensor_view *v = table_tensor(t, name);
    *out = v;
    if (v)
        return check_view(t, h, info, v, note);
    if (need)
        return err_set(note, ERR_FORMAT, "%s: tensor %s is missing (architecture '%s' needs it)",
                       t->path, name, h->arch->name);
    return ERR_OK;
}

/* What rotary frequencies are divided by: numbers that keep the tables' integers in range. */
static enum err check_factors(const struct table *t, const struct tensor_view *v,
                              struct err_note *note)
{
    for (size_t i = 0; i < v->dim[0]; i++) {
        float x;
        size_t item = dtype_row_bytes(v->dtype, 1);
        quant_decode_row(v->dtype, (const uint8_t *)v->data + i * item, &x, 1);
        if (!(x >= 0x1p-10f && x <= 0x1p30f))
            return err_set(note, ERR_FORMAT, "%s: tensor %.*s has the factor %g at %zu", t->path,
                           STR_ARG(v->name), (double)x, i);
    }
    return ERR_OK;
}

static enum err bind_globals(const struct table *t, const struct hparams *h, struct weights *w,
                             struct err_note *note)
{
    bool longrope = h->rope.scaling == ROPE_SCALING_LONGROPE;
    for (int s = 0; s < GLOBAL_SLOT_COUNT; s++) {
        bool need = (h->needs_global & 1ull << s) ||
                    (longrope && (s == SLOT_ROPE_LONG || s == SLOT_ROPE_SHORT));
        if (!need && !(h->allows_global & 1ull << s))
            continue;
        enum err rc = bind(t, h, &global_slots[s], global_slots[s].name, need, &w->global[s], note);
        if (rc == ERR_OK && w->global[s] && global_slots[s].dim[0] == DIM_R2)
            rc = check_factors(t, w->global[s], note);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

static enum err bind_layer(const struct table *t, const struct hparams *h, uint32_t layer,
                           struct weights *w, struct err_note *note)
{
    for (int s = 0; s < LAYER_SLOT_COUNT; s++) {
        uint64_t bit = 1ull << s;
        char name[TENSOR_NAME_MAX];
        if (!((h->needs | h->allows) & bit))
            continue;
        snprintf(name, sizeof name, "blk.%u.%s", layer, layer_slots[s].name);
        enum err rc = bind(t, h, &layer_slots[s], name, (h->needs & bit) != 0,
                           &w->layers[layer].slot[s], note);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

static size_t count_bound(const struct hparams *h, const struct weights *w)
{
    size_t n = 0;
    for (int s = 0; s < GLOBAL_SLOT_COUNT; s++)
        n += w->global[s] != NULL;
    for (uint32_t i = 0; i < h->n_layers; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++)
            n += w->layers[i].slot[s] != NULL;
    return n;
}

static bool is_bound(const struct hparams *h, const struct weights *w, const struct tensor_view *v)
{
    for (int s = 0; s < GLOBAL_SLOT_COUNT; s++)
        if (w->global[s] == v)
            return true;
    for (uint32_t i = 0; i < h->n_layers; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++)
            if (w->layers[i].slot[s] == v)
                return true;
    return false;
}

static enum err refuse_strangers(const struct table *t, const struct hparams *h,
                                 const struct weights *w, struct err_note *note)
{
    if (count_bound(h, w) == t->n_tensors)
        return ERR_OK;
    for (size_t i = 0; i < t->n_tensors; i++)
        if (!is_bound(h, w, &t->tensors[i]))
            return err_set(note, ERR_UNSUPPORTED,
                           "%s: tensor %.*s has no place in architecture '%s' with %u layers",
                           t->path, STR_ARG(t->tensors[i].name), h->arch->name, h->n_layers);
    return ERR_OK;
}

enum err weights_bind(const struct table *t, const struct hparams *h, struct weights *w,
                      struct err_note *note)
{
    *w = (struct weights){.layers = mem_array(h->n_layers, sizeof *w->layers)};
    if (!w->layers)
        return err_set(note, ERR_MEMORY, "%s: out of memory", t->path);
    enum err rc = bind_globals(t, h, w, note);
    for (uint32_t i = 0; rc == ERR_OK && i < h->n_layers; i++)
        rc = bind_layer(t, h, i, w, note);
    if (rc == ERR_OK)
        rc = refuse_strangers(t, h, w, note);
    if (rc) {
        weights_release(w);
        return rc;
    }
    for (size_t i = 0; i < t->n_tensors; i++)
        w->n_params += t->tensors[i].dim[0] * t->tensors[i].dim[1] * t->tensors[i].dim[2];
    return ERR_OK;
}

void weights_release(struct weights *w)
{
    mem_free(w->layers);
    *w = (struct weights){0};
}
