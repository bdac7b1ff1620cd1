/* hf_rope.c - the rotary part of config.json: types of scaling, and factors as small tensors.
 *
 * Factors are computed by numeric/fixed.h, so that a folder gives the same bits on every machine;
 * they become binary32, as GGUF stores them. Formulas: Transformers, modeling_rope_utils.py. */
#include "base/check.h"
#include "format/hf_config.h"
#include "numeric/fixed.h"

/* The rotary settings, wherever a version of Transformers wrote them. */
struct rope {
    struct hf_json params; /* of the layers with full attention; object NULL: none */
    struct str type;
    double theta, factor;
    uint32_t n_rot, original;
};

static struct rope find_rope(const struct hf_config *c, const struct hf_json *root)
{
    struct rope r = {.params = hf_json_sub(root, "rope_parameters")};
    if (!r.params.object)
        r.params = hf_json_sub(root, "rope_scaling");
    struct hf_json full = hf_json_sub(&r.params, "full_attention");
    if (full.object)
        r.params = full;
    r.type = hf_json_str(&r.params, "rope_type", hf_json_str(&r.params, "type", STR("default")));
    if (c->family->bit == HF_PHI3 && (str_is(r.type, "su") || str_is(r.type, "yarn")))
        r.type = STR("longrope"); /* older names of the same thing */
    r.theta = hf_json_f64(&r.params, "rope_theta",
                          hf_json_f64(root, "rope_theta", c->family->rope_theta));
    r.factor = hf_json_f64(&r.params, "factor", 0);
    double part = hf_json_f64(&r.params, "partial_rotary_factor",
                              hf_json_f64(root, "partial_rotary_factor", 1));
    r.n_rot = part > 0 && part <= 1 ? (uint32_t)(part * c->head_dim) : 0;
    r.original = hf_json_u32(root, "original_max_position_embeddings",
                             hf_json_u32(&r.params, "original_max_position_embeddings", c->n_ctx));
    if (!(r.theta >= 1 && r.theta <= 1e18) || r.n_rot == 0 || r.n_rot % 2)
        hf_json_fail(root, ERR_FORMAT, "a rotary base of %g and a rotary part of %g: impossible",
                     r.theta, part);
    if (r.n_rot != c->head_dim && c->family->bit != HF_PHI3)
        hf_json_fail(root, ERR_UNSUPPORTED, "partial_rotary_factor in %s", c->family->model_type);
    return r;
}

static bool needs_factor(const struct rope *r)
{
    if (r->factor >= 1 && r->factor <= 1e6)
        return true;
    hf_json_fail(&r->params, ERR_FORMAT, "rope scaling \"%.*s\" with the factor %g",
                 STR_ARG(r->type), r->factor);
    return false;
}

/* YaRN's magnitude is 0.1 ln(factor) + 1 unless "attention_factor" stands in its place, in GGUF as
 * in config.json. */
static void put_yarn(struct hf_config *c, const struct rope *r, struct metas *m)
{
    struct hf_key k;
    const struct hf_json *p = &r->params;
    if (!needs_factor(r))
        return;
    metas_str(m, hf_key(&k, c, "rope.scaling.type"), STR("yarn"));
    metas_f32(m, hf_key(&k, c, "rope.scaling.factor"), r->factor);
    metas_u32(m, hf_key(&k, c, "rope.scaling.original_context_length"), r->original);
    if (hf_json_has(p, "beta_fast"))
        metas_f32(m, hf_key(&k, c, "rope.scaling.yarn_beta_fast"), hf_json_f64(p, "beta_fast", 0));
    if (hf_json_has(p, "beta_slow"))
        metas_f32(m, hf_key(&k, c, "rope.scaling.yarn_beta_slow"), hf_json_f64(p, "beta_slow", 0));
    bool whole = c->family->bit != HF_GPT_OSS; /* GGUF has no key: readers know it by family */
    if (hf_json_bool(p, "truncate", true) != whole)
        hf_json_fail(p, ERR_UNSUPPORTED, "\"truncate\" in %s", c->family->model_type);
    if (hf_json_has(p, "mscale") || hf_json_has(p, "mscale_all_dim"))
        hf_json_fail(p, ERR_UNSUPPORTED, "mscale in rope scaling");
    double given = hf_json_f64(p, "attention_factor", 1);
    if (!(given > 0 && given <= 1e6))
        hf_json_fail(p, ERR_FORMAT, "an attention_factor of %g", given);
    else if (hf_json_has(p, "attention_factor"))
        metas_f32(m, hf_key(&k, c, "rope.scaling.yarn_attn_factor"), given);
}

/* Reads one array of numbers into factors. */
static void read_factors(const struct rope *r, const char *key, const char *name,
                         struct hf_factors *f)
{
    const json_t *a = hf_json_array(&r->params, key);
    f->name = name;
    f->n = r->n_rot / 2;
    if (!a || json_array_size(a) != f->n) {
        hf_json_fail(&r->params, ERR_FORMAT, "\"%s\" needs %u numbers and has %zu", key, f->n,
                     json_array_size(a));
        return;
    }
    for (uint32_t i = 0; i < f->n; i++) {
        f->value[i] = (float)json_number_value(json_array_get(a, i));
        if (!(f->value[i] > 0))
            hf_json_fail(&r->params, ERR_FORMAT, "\"%s\" has the number %g", key,
                         (double)f->value[i]);
    }
}

static void put_longrope(struct hf_config *c, const struct rope *r, struct metas *m)
{
    struct hf_key k;
    double factor = hf_json_f64(&r->params, "factor", 0);
    double given = hf_json_f64(&r->params, "attention_factor", 0);
    read_factors(r, "long_factor", "rope_factors_long.weight", &c->factors[0]);
    read_factors(r, "short_factor", "rope_factors_short.weight", &c->factors[1]);
    if (factor < 0 || factor > 1e6 || given < 0 || given > 1e6 || r->original < 2) {
        hf_json_fail(&r->params, ERR_FORMAT, "longrope with the factor %g, original context %u",
                     factor, r->original);
        return;
    }
    struct fx original = fx_int(r->original), magnitude = fx_int(1);
    struct fx scale = factor > 0 ? fx_f64(factor) : fx_div(fx_int(c->n_ctx), original);
    if (given > 0)
        magnitude = fx_f64(given);
    else if (fx_cmp(scale, fx_int(1)) > 0)
        magnitude = fx_sqrt(fx_add(fx_int(1), fx_div(fx_log2(scale), fx_log2(original))));
    metas_f32(m, hf_key(&k, c, "rope.scaling.attn_factor"), (double)fx_to_f32(magnitude));
    if (c->family->bit != HF_PHI3)
        metas_str(m, hf_key(&k, c, "rope.scaling.type"), STR("longrope"));
}

/* Llama 3: long waves are slowed down by factor, short ones not, those between partly. */
static void make_llama3(struct hf_config *c, const struct rope *r)
{
    struct hf_factors *f = &c->factors[0];
    double low = hf_json_f64(&r->params, "low_freq_factor", 1);
    double high = hf_json_f64(&r->params, "high_freq_factor", 4);
    if (!needs_factor(r))
        return;
    if (!(low > 0 && low < high && high <= 1e6)) {
        hf_json_fail(&r->params, ERR_FORMAT, "low_freq_factor %g, high_freq_factor %g", low, high);
        return;
    }
    struct fx low_x = fx_f64(low), high_x = fx_f64(high), one = fx_int(1);
    struct fx factor = fx_f64(r->factor), log_theta = fx_log2(fx_f64(r->theta));
    struct fx per_turn = fx_div(fx_int(r->original), fx_mul(fx_int(2), fx_pi()));
    f->name = "rope_freqs.weight";
    f->n = r->n_rot / 2;
    for (uint32_t i = 0; i < f->n; i++) {
        struct fx power = fx_div(fx_mul(fx_int(-2 * (int64_t)i), log_theta), fx_int(r->n_rot));
        struct fx turns = fx_mul(per_turn, fx_exp2(power)); /* in the original context */
        if (fx_cmp(turns, high_x) > 0) {
            f->value[i] = 1;
        } else if (fx_cmp(turns, low_x) < 0) {
            f->value[i] = (float)r->factor;
        } else {
            struct fx smooth = fx_div(fx_sub(turns, low_x), fx_sub(high_x, low_x));
            struct fx rate = fx_add(fx_div(fx_sub(one, smooth), factor), smooth);
            f->value[i] = fx_to_f32(fx_div(one, rate));
        }
    }
}

static void put_simple(struct hf_config *c, const struct rope *r, struct metas *m)
{
    struct hf_key k;
    if (!needs_factor(r))
        return;
    metas_str(m, hf_key(&k, c, "rope.scaling.type"), r->type);
    metas_f32(m, hf_key(&k, c, "rope.scaling.factor"), r->factor);
    if (str_is(r->type, "dynamic"))
        metas_u32(m, hf_key(&k, c, "rope.scaling.original_context_length"), c->n_ctx);
}

static void put_gemma3_local(struct hf_config *c, const struct hf_json *root, struct metas *m)
{
    struct hf_key k;
    struct hf_json both = hf_json_sub(root, "rope_parameters");
    struct hf_json local = hf_json_sub(&both, "sliding_attention");
    if (!str_is(hf_json_str(&local, "rope_type", STR("default")), "default"))
        hf_json_fail(root, ERR_UNSUPPORTED, "rope scaling in sliding layers");
    metas_f32(m, hf_key(&k, c, "rope.freq_base_swa"),
              hf_json_f64(&local, "rope_theta", hf_json_f64(root, "rope_local_base_freq", 10000)));
}

void hf_rope_parse(struct hf_config *c, const struct hf_json *root, struct metas *m)
{
    struct hf_key k;
    struct rope r = find_rope(c, root);
    if (*root->rc)
        return;
    metas_f32(m, hf_key(&k, c, "rope.freq_base"), r.theta);
    if (c->family->bit == HF_PHI3) {
        metas_u32(m, hf_key(&k, c, "rope.dimension_count"), r.n_rot);
        metas_u32(m, hf_key(&k, c, "rope.scaling.original_context_length"), r.original);
    }
    if (c->family->bit == HF_GEMMA3)
        put_gemma3_local(c, root, m);
    if (str_is(r.type, "linear") || str_is(r.type, "dynamic"))
        put_simple(c, &r, m);
    else if (str_is(r.type, "yarn"))
        put_yarn(c, &r, m);
    else if (str_is(r.type, "longrope"))
        put_longrope(c, &r, m);
    else if (str_is(r.type, "llama3"))
        make_llama3(c, &r);
    else if (!str_is(r.type, "default"))
        hf_json_fail(root, ERR_UNSUPPORTED, "rope scaling \"%.*s\"", STR_ARG(r.type));
}
