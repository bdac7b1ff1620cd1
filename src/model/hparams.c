/* hparams.c - reading and checking what metadata says about a model. */
#include "model/hparams.h"

#include <stdio.h>

#include "base/check.h"
#include "base/str.h"
#include "model/arch.h"

enum { KEY_BYTES_MAX = 128 };

static void key_of(const struct meta_reader *r, const char *key, char out[KEY_BYTES_MAX])
{
    int n = snprintf(out, KEY_BYTES_MAX, "%s.%s", r->prefix, key);
    CHECK(n > 0 && n < KEY_BYTES_MAX);
}

static void fail(struct meta_reader *r, enum err code, const char *key, const char *what)
{
    if (r->rc == ERR_OK)
        r->rc = err_set(r->note, code, "%s: metadata %s.%s %s", r->t->path, r->prefix, key, what);
}

static bool has(const struct meta_reader *r, const char *key)
{
    char full[KEY_BYTES_MAX];
    key_of(r, key, full);
    return table_meta(r->t, full) != NULL;
}

/* The one value of an array that has an entry for each layer. */
static uint32_t same_everywhere(struct meta_reader *r, const char *key, const struct meta_array *a)
{
    bool ok = a->n_items > 0 && (a->item == META_UINT || a->item == META_INT);
    for (size_t i = 0; ok && i < a->n_items; i++) {
        uint64_t v = a->uints[i]; /* a negative one is large */
        ok = v == a->uints[0] && v <= UINT32_MAX;
    }
    if (!ok)
        fail(r, ERR_UNSUPPORTED, key, "differs between layers, which is not supported");
    return ok ? (uint32_t)a->uints[0] : 0;
}

uint32_t meta_u32(struct meta_reader *r, const char *key, uint32_t fallback)
{
    char full[KEY_BYTES_MAX];
    uint32_t out = fallback;
    if (r->rc)
        return fallback;
    key_of(r, key, full);
    const struct meta_value *v = table_meta(r->t, full);
    if (v && v->type == META_ARRAY)
        return same_everywhere(r, key, &v->array);
    r->rc = table_u32(r->t, full, fallback, &out, r->note);
    return r->rc ? fallback : out;
}

uint32_t meta_need_u32(struct meta_reader *r, const char *key)
{
    if (!has(r, key))
        fail(r, ERR_FORMAT, key, "is missing");
    return meta_u32(r, key, 1);
}

double meta_f64(struct meta_reader *r, const char *key, double fallback)
{
    char full[KEY_BYTES_MAX];
    double out = fallback;
    if (r->rc)
        return fallback;
    key_of(r, key, full);
    r->rc = table_f64(r->t, full, fallback, &out, r->note);
    return r->rc ? fallback : out;
}

bool meta_bool(struct meta_reader *r, const char *key, bool fallback)
{
    char full[KEY_BYTES_MAX];
    bool out = fallback;
    if (r->rc)
        return fallback;
    key_of(r, key, full);
    r->rc = table_bool(r->t, full, fallback, &out, r->note);
    return r->rc ? fallback : out;
}

void hparams_windows(struct hparams *h, struct meta_reader *r, uint32_t period,
                     uint32_t window_default)
{
    static const char pattern[] = "attention.sliding_window_pattern";
    char full[KEY_BYTES_MAX];
    h->window = meta_u32(r, "attention.sliding_window", window_default);
    key_of(r, pattern, full);
    const struct meta_value *v = table_meta(r->t, full);
    const struct meta_array *array = v && v->type == META_ARRAY ? &v->array : NULL;
    if (!array)
        period = meta_u32(r, pattern, period);
    else if (array->n_items < h->n_layers ||
             (array->item != META_BOOL && array->item != META_UINT && array->item != META_INT))
        fail(r, ERR_FORMAT, pattern, "does not have a yes or no for every layer");
    if (r->rc || h->window == 0)
        return;
    for (uint32_t i = 0; i < h->n_layers; i++) {
        if (array)
            h->windowed[i] = array->item == META_BOOL ? array->bools[i] : array->uints[i] != 0;
        else
            h->windowed[i] = period == 0 || i % period != period - 1;
    }
}

static enum rope_scaling read_scaling_type(struct meta_reader *r)
{
    static const char *const names[] = {
        [ROPE_SCALING_NONE] = "none",       [ROPE_SCALING_LINEAR] = "linear",
        [ROPE_SCALING_DYNAMIC] = "dynamic", [ROPE_SCALING_YARN] = "yarn",
        [ROPE_SCALING_LLAMA3] = "llama3",   [ROPE_SCALING_LONGROPE] = "longrope",
    };
    char full[KEY_BYTES_MAX];
    struct str name = STR("linear"); /* without a type, a factor is a linear one */
    key_of(r, "rope.scaling.type", full);
    if (r->rc == ERR_OK)
        r->rc = table_str(r->t, full, name, &name, r->note);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_is(name, names[i]))
            return (enum rope_scaling)i;
    if (r->rc == ERR_OK)
        r->rc = err_set(r->note, ERR_UNSUPPORTED,
                        "%s: rope scaling '%.*s' is not supported; known: none, linear, dynamic, "
                        "yarn, llama3, longrope",
                        r->t->path, STR_ARG(name));
    return ROPE_SCALING_NONE;
}

static void read_rope(struct hparams *h, struct meta_reader *r)
{
    struct rope_params *p = &h->rope;
    p->scaling = read_scaling_type(r);
    p->theta = meta_f64(r, "rope.freq_base", 10000.0);
    p->n_ctx_orig = meta_u32(r, "rope.scaling.original_context_length", h->n_ctx_train);
    if (table_tensor(r->t, "rope_factors_long.weight"))
        p->scaling = ROPE_SCALING_LONGROPE; /* converters name no type for Phi-3 */
    double factor = meta_f64(r, "rope.scaling.factor", meta_f64(r, "rope.scale_linear", 0.0));
    if (factor == 0.0)
        factor = p->scaling == ROPE_SCALING_LONGROPE && p->n_ctx_orig
                     ? (double)h->n_ctx_train / p->n_ctx_orig
                     : 1.0;
    p->factor = factor;
    if (p->scaling == ROPE_SCALING_LINEAR && factor == 1.0)
        p->scaling = ROPE_SCALING_NONE;
    p->magnitude = meta_f64(r, "rope.scaling.attn_factor", 0.0);
    if (p->scaling == ROPE_SCALING_YARN) {
        if (p->magnitude != 0.0 && p->magnitude != 1.0)
            fail(r, ERR_UNSUPPORTED, "rope.scaling.attn_factor", "besides YaRN is not supported");
        p->magnitude = meta_f64(r, "rope.scaling.yarn_attn_factor", 0.0);
    }
    p->log_mul = meta_f64(r, "rope.scaling.yarn_log_multiplier", 0.0);
    p->beta_fast = meta_f64(r, "rope.scaling.yarn_beta_fast", 32.0);
    p->beta_slow = meta_f64(r, "rope.scaling.yarn_beta_slow", 1.0);
    p->round_ramp = meta_bool(r, "rope.scaling.yarn_truncate", true);
    p->low_freq_factor = meta_f64(r, "rope.scaling.low_freq_factor", 1.0);
    p->high_freq_factor = meta_f64(r, "rope.scaling.high_freq_factor", 4.0);
    h->rope_windowed = *p;
    h->rope_windowed.theta = meta_f64(r, "rope.freq_base_swa", p->theta);
}

static void read_common(struct hparams *h, struct meta_reader *r)
{
    h->n_ctx_train = meta_need_u32(r, "context_length");
    h->n_embd = meta_need_u32(r, "embedding_length");
    h->n_layers = meta_need_u32(r, "block_count");
    h->n_heads = meta_need_u32(r, "attention.head_count");
    h->n_kv_heads = meta_u32(r, "attention.head_count_kv", h->n_heads);
    uint32_t split = h->n_heads ? h->n_embd / h->n_heads : 0;
    h->head_size = meta_u32(r, "attention.key_length", split);
    h->n_rot = meta_u32(r, "rope.dimension_count", h->head_size);
    h->attn_scale_dim = h->head_size;
    h->n_experts = meta_u32(r, "expert_count", 0);
    h->n_ff = meta_u32(r, "feed_forward_length", 0);
    if (h->n_experts) {
        h->n_experts_used = meta_need_u32(r, "expert_used_count");
        h->n_ff_expert = meta_u32(r, "expert_feed_forward_length", h->n_ff);
        h->expert_weights_norm = meta_bool(r, "expert_weights_norm", true);
    }
    const char *eps =
        h->is_encoder ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    if (!has(r, eps))
        fail(r, ERR_FORMAT, eps, "is missing");
    h->norm_eps = meta_f64(r, eps, 1e-5);
    h->pooling = (enum pooling)meta_u32(r, "pooling_type", POOLING_NONE);
    if (r->rc == ERR_OK && h->pooling > (h->is_encoder ? POOLING_RANK : POOLING_LAST))
        fail(r, ERR_UNSUPPORTED, "pooling_type", "is not known here");
    h->attn_scale = meta_f64(r, "attention.scale", 0.0);
    h->act = ACT_FN_SILU;
    h->ffn_norm = SLOT_FFN_NORM;
    h->needs_global = SLOT_BIT(TOKEN_EMBD);
    if (h->is_encoder)
        return;
    h->needs_global |= SLOT_BIT(OUTPUT_NORM);
    h->allows_global =
        SLOT_BIT(OUTPUT) | SLOT_BIT(ROPE_FREQS) | SLOT_BIT(ROPE_LONG) | SLOT_BIT(ROPE_SHORT);
}

/* A number whose only values here mean "as usual". */
static void refuse_unless(struct meta_reader *r, const char *key, double a, double b)
{
    double v = meta_f64(r, key, a);
    if (v != a && v != b)
        fail(r, ERR_UNSUPPORTED, key, "is neither absent nor 1, which is not supported");
}

/* A key that would change the graph in a way that nothing here computes. */
static void refuse_others(struct meta_reader *r, bool is_encoder)
{
    static const char *const keys[] = {
        "attention.max_alibi_bias",
        "attention.clamp_kqv",
        "attention.kv_lora_rank",
        "attention.temperature_scale",
        "attention.value_scale",
        "logit_scale",
        "residual_scale",
        "embedding_scale",
        "expert_shared_count",
        "expert_shared_feed_forward_length",
        "leading_dense_block_count",
        "nextn_predict_layers",
        "attention.shared_kv_layers",
        "router_logit_softcapping",
        "rope.scaling.alpha",
        "rope.dimension_sections",
    };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char full[KEY_BYTES_MAX];
        key_of(r, keys[i], full);
        const struct meta_value *v = table_meta(r->t, full);
        bool zero = !v || (v->type == META_UINT && v->uint_ == 0) ||
                    (v->type == META_INT && v->int_ == 0) ||
                    (v->type == META_FLOAT && v->float_ == 0.0);
        if (!zero)
            fail(r, ERR_UNSUPPORTED, keys[i], "asks for something that is not supported");
    }
    if (meta_bool(r, "attention.causal", !is_encoder) == is_encoder)
        fail(r, ERR_UNSUPPORTED, "attention.causal",
             is_encoder ? "is true, in an encoder" : "is false: not a generating model");
    refuse_unless(r, "expert_weights_scale", 0.0, 1.0);
    refuse_unless(r, "rope.scaling.yarn_ext_factor", -1.0, 1.0);
    if (meta_u32(r, "expert_group_count", 0) > 1)
        fail(r, ERR_UNSUPPORTED, "expert_group_count", "is not 1");
    uint32_t gating = meta_u32(r, "expert_gating_func", 1);
    if (gating != 0 && gating != 1 && gating != 3)
        fail(r, ERR_UNSUPPORTED, "expert_gating_func", "is not a softmax (1 or 3)");
}

struct bound {
    const char *what;
    uint64_t value, min, max;
};

static enum err check_bounds(const struct table *t, const struct hparams *h, struct err_note *note)
{
    const struct bound bounds[] = {
        {"context_length", h->n_ctx_train, 1, CONTEXT_MAX},
        {"embedding_length", h->n_embd, 4, WIDTH_MAX},
        {"block_count", h->n_layers, 1, LAYERS_MAX},
        {"attention.head_count", h->n_heads, 1, WIDTH_MAX / 4},
        {"attention.head_count_kv", h->n_kv_heads, 1, h->n_heads},
        {"attention.key_length", h->head_size, 4, HEAD_SIZE_MAX},
        {"rope.dimension_count", h->n_rot, 2, h->head_size},
        {"heads x head size", (uint64_t)h->n_heads * h->head_size, 4, WIDTH_MAX},
        {"feed_forward_length", h->n_experts ? 1 : h->n_ff, 1, WIDTH_MAX},
        {"expert_count", h->n_experts, 0, EXPERTS_MAX},
        {"expert_used_count", h->n_experts_used, h->n_experts ? 1 : 0,
         h->n_experts < EXPERTS_USED_MAX ? h->n_experts : EXPERTS_USED_MAX},
        {"expert_feed_forward_length", h->n_ff_expert, h->n_experts ? 1 : 0, WIDTH_MAX},
        {"rope.scaling.original_context_length", h->rope.n_ctx_orig, 1, CONTEXT_MAX},
        {"attention.sliding_window", h->window, 0, UINT32_MAX},
        {"token types (rows of token_types.weight)", h->n_types, 0, TYPES_MAX},
        {"labels (rows of cls.output.weight)", h->n_labels, 0, LABELS_MAX},
        {"vocabulary (rows of token_embd.weight)", h->n_vocab, 1, VOCAB_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        const struct bound *b = &bounds[i];
        if (b->value < b->min || b->value > b->max)
            return err_set(note, ERR_FORMAT,
                           "%s: metadata %s is %llu, but must be between %llu and %llu", t->path,
                           b->what, (unsigned long long)b->value, (unsigned long long)b->min,
                           (unsigned long long)b->max);
    }
    return ERR_OK;
}

/* A number that must lie in a range for the formulas to make sense. */
static enum err check_rope(const struct table *t, const struct rope_params *p,
                           struct err_note *note)
{
    bool ok = p->theta >= 2.0 && p->theta <= 1e12 && p->factor >= 1.0 && p->factor <= 1e6 &&
              p->magnitude >= 0.0 && p->magnitude <= 1e3 && p->log_mul >= 0.0 &&
              p->log_mul <= 1e3 && p->beta_fast >= p->beta_slow && p->beta_slow > 0.0 &&
              p->beta_fast <= 1e6 && p->low_freq_factor > 0.0 &&
              p->high_freq_factor > p->low_freq_factor && p->high_freq_factor <= 1e6;
    if (!ok)
        return err_set(note, ERR_FORMAT,
                       "%s: rope metadata makes no sense: base %g, factor %g, attn_factor %g, "
                       "beta %g..%g, frequency factors %g..%g",
                       t->path, p->theta, p->factor, p->magnitude, p->beta_slow, p->beta_fast,
                       p->low_freq_factor, p->high_freq_factor);
    return ERR_OK;
}

static enum err check(const struct table *t, const struct hparams *h, struct err_note *note)
{
    enum err rc = check_bounds(t, h, note);
    if (rc == ERR_OK)
        rc = check_rope(t, &h->rope, note);
    if (rc)
        return rc;
    if (h->n_heads % h->n_kv_heads || h->n_heads / h->n_kv_heads > GROUP_HEADS_MAX)
        return err_set(note, ERR_UNSUPPORTED,
                       "%s: %u heads do not share %u key-value heads evenly, at most %d each",
                       t->path, h->n_heads, h->n_kv_heads, GROUP_HEADS_MAX);
    if (h->head_size % 4 || h->n_rot % 2)
        return err_set(note, ERR_UNSUPPORTED,
                       "%s: head size %u must be a multiple of 4 and its rotated part %u even",
                       t->path, h->head_size, h->n_rot);
    if (h->rope.scaling == ROPE_SCALING_DYNAMIC && h->n_rot < 4)
        return err_set(note, ERR_UNSUPPORTED, "%s: dynamic rope needs more than one pair", t->path);
    if (!(h->norm_eps > 0.0 && h->norm_eps < 1.0))
        return err_set(note, ERR_FORMAT, "%s: layer_norm_%sepsilon is %g", t->path,
                       h->is_encoder ? "" : "rms_", h->norm_eps);
    if (!(h->attn_scale >= 0.0 && h->attn_scale < 1e3 && h->attn_softcap >= 0.0 &&
          h->attn_softcap < 1e6 && h->final_softcap >= 0.0 && h->final_softcap < 1e6))
        return err_set(note, ERR_FORMAT,
                       "%s: attention.scale %g, attn_logit_softcapping %g or "
                       "final_logit_softcapping %g makes no sense",
                       t->path, h->attn_scale, h->attn_softcap, h->final_softcap);
    return ERR_OK;
}

static enum err unknown_arch(const struct table *t, struct str name, struct err_note *note)
{
    char known[256];
    size_t n = 0;
    for (size_t i = 0; archs[i] && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", archs[i]->name);
    return err_set(note, ERR_UNSUPPORTED, "%s: architecture '%.*s' is not supported; known: %s",
                   t->path, STR_ARG(name), known);
}

enum err hparams_read(const struct table *t, struct hparams *h, struct err_note *note)
{
    struct str name = {"", 0};
    *h = (struct hparams){0};
    enum err rc = table_str(t, "general.architecture", name, &name, note);
    if (rc)
        return rc;
    if (name.len == 0)
        return err_set(note, ERR_FORMAT, "%s: metadata general.architecture is missing", t->path);
    h->arch = arch_find(name);
    if (!h->arch)
        return unknown_arch(t, name, note);
    struct meta_reader r = {t, h->arch->name, note, ERR_OK};
    h->is_encoder = h->arch->is_encoder;
    read_common(h, &r);
    read_rope(h, &r);
    refuse_others(&r, h->is_encoder);
    if (meta_u32(&r, "attention.value_length", h->head_size) != h->head_size)
        fail(&r, ERR_UNSUPPORTED, "attention.value_length", "differs from key_length");
    if (r.rc == ERR_OK && h->n_layers > LAYERS_MAX)
        return check_bounds(t, h, note);
    if (r.rc == ERR_OK)
        h->arch->fill(h, &r);
    if (r.rc)
        return r.rc;
    const struct tensor_view *embd = table_tensor(t, "token_embd.weight");
    if (!embd)
        return err_set(note, ERR_FORMAT, "%s: tensor token_embd.weight is missing", t->path);
    h->n_vocab = embd->dim[1] > UINT32_MAX ? UINT32_MAX : (uint32_t)embd->dim[1];
    return check(t, h, note);
}
