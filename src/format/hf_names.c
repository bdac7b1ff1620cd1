/* hf_names.c - which GGUF tensor each tensor of a folder becomes, and how.
 *
 * One table of rules, by family. Names and transformations are llama.cpp's: its converter turns
 * the same folder into the same tensors. A tensor that no rule knows is an error. */
#include <limits.h>
#include <stdlib.h>

#include "base/check.h"
#include "format/hf_plan.h"
#include "format/table_build.h"

enum action {
    COPY,
    NORM,   /* Gemma adds 1 */
    QUERY,  /* order of rotary pairs undone where the family needs it */
    KEY,
    WIDEN,  /* to F32 */
    EXPERT, /* '#' is the expert's number; all of them become one tensor */
    HALVES, /* gpt-oss: gate and up alternate; the second name is the other half */
    DOWN,
    POSITIONS, /* RoBERTa's first rows are left out */
    HEAD,      /* of a cross-encoder; other encoders do without */
    SKIP,
};

enum {
    ANY = ~0,
    DENSE = HF_LLAMA | HF_QWEN2 | HF_QWEN3 | HF_PHI3 | HF_GEMMA,
    WITH_QK_NORM = HF_QWEN3 | HF_QWEN3MOE | HF_GEMMA3,
    NORM_BEFORE_FFN = HF_LLAMA | HF_MIXTRAL | HF_QWEN2 | HF_QWEN3 | HF_QWEN3MOE | HF_PHI3,
};

struct rule {
    const char *hf; /* after "model.layers.N." or, for the last ones, after "model." */
    const char *gguf, *gguf_2;
    enum action action;
    int families;
};

static const struct rule layer_rules[] = {
    {"input_layernorm.weight", "attn_norm.weight", NULL, NORM, ANY},
    {"post_attention_layernorm.weight", "ffn_norm.weight", NULL, NORM, NORM_BEFORE_FFN},
    {"post_attention_layernorm.weight", "post_attention_norm.weight", NULL, NORM,
     HF_GEMMA | HF_GPT_OSS},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight", NULL, NORM, HF_GEMMA},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight", NULL, NORM, HF_GEMMA},
    {"self_attn.q_proj.weight", "attn_q.weight", NULL, QUERY, ANY},
    {"self_attn.k_proj.weight", "attn_k.weight", NULL, KEY, ANY},
    {"self_attn.v_proj.weight", "attn_v.weight", NULL, COPY, ANY},
    {"self_attn.o_proj.weight", "attn_output.weight", NULL, COPY, ANY},
    {"self_attn.q_proj.bias", "attn_q.bias", NULL, QUERY, ANY},
    {"self_attn.k_proj.bias", "attn_k.bias", NULL, KEY, ANY},
    {"self_attn.v_proj.bias", "attn_v.bias", NULL, COPY, ANY},
    {"self_attn.o_proj.bias", "attn_output.bias", NULL, COPY, ANY},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", NULL, NORM, WITH_QK_NORM},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", NULL, NORM, WITH_QK_NORM},
    {"self_attn.qkv_proj.weight", "attn_qkv.weight", NULL, COPY, HF_PHI3},
    {"self_attn.sinks", "attn_sinks.weight", NULL, COPY, HF_GPT_OSS},
    {"self_attn.rotary_emb.inv_freq", NULL, NULL, SKIP, ANY},
    {"mlp.gate_proj.weight", "ffn_gate.weight", NULL, COPY, DENSE},
    {"mlp.up_proj.weight", "ffn_up.weight", NULL, COPY, DENSE},
    {"mlp.down_proj.weight", "ffn_down.weight", NULL, COPY, DENSE},
    {"mlp.gate_up_proj.weight", "ffn_up.weight", NULL, COPY, HF_PHI3},
    {"block_sparse_moe.gate.weight", "ffn_gate_inp.weight", NULL, WIDEN, HF_MIXTRAL},
    {"block_sparse_moe.experts.#.w1.weight", "ffn_gate_exps.weight", NULL, EXPERT, HF_MIXTRAL},
    {"block_sparse_moe.experts.#.w2.weight", "ffn_down_exps.weight", NULL, EXPERT, HF_MIXTRAL},
    {"block_sparse_moe.experts.#.w3.weight", "ffn_up_exps.weight", NULL, EXPERT, HF_MIXTRAL},
    {"mlp.gate.weight", "ffn_gate_inp.weight", NULL, WIDEN, HF_QWEN3MOE},
    {"mlp.experts.#.gate_proj.weight", "ffn_gate_exps.weight", NULL, EXPERT, HF_QWEN3MOE},
    {"mlp.experts.#.up_proj.weight", "ffn_up_exps.weight", NULL, EXPERT, HF_QWEN3MOE},
    {"mlp.experts.#.down_proj.weight", "ffn_down_exps.weight", NULL, EXPERT, HF_QWEN3MOE},
    {"mlp.router.weight", "ffn_gate_inp.weight", NULL, WIDEN, HF_GPT_OSS},
    {"mlp.router.bias", "ffn_gate_inp.bias", NULL, COPY, HF_GPT_OSS},
    {"mlp.experts.gate_up_proj", "ffn_gate_exps.weight", "ffn_up_exps.weight", HALVES, HF_GPT_OSS},
    {"mlp.experts.gate_up_proj_blocks", "ffn_gate_exps.weight", "ffn_up_exps.weight", HALVES,
     HF_GPT_OSS},
    {"mlp.experts.gate_up_proj_bias", "ffn_gate_exps.bias", "ffn_up_exps.bias", HALVES,
     HF_GPT_OSS},
    {"mlp.experts.gate_up_proj_scales", NULL, NULL, SKIP, HF_GPT_OSS},
    {"mlp.experts.down_proj", "ffn_down_exps.weight", NULL, DOWN, HF_GPT_OSS},
    {"mlp.experts.down_proj_blocks", "ffn_down_exps.weight", NULL, DOWN, HF_GPT_OSS},
    {"mlp.experts.down_proj_bias", "ffn_down_exps.bias", NULL, DOWN, HF_GPT_OSS},
    {"mlp.experts.down_proj_scales", NULL, NULL, SKIP, HF_GPT_OSS},
};

/* After "encoder.layer.N.". */
static const struct rule encoder_rules[] = {
    {"attention.self.query.weight", "attn_q.weight", NULL, COPY, ANY},
    {"attention.self.query.bias", "attn_q.bias", NULL, COPY, ANY},
    {"attention.self.key.weight", "attn_k.weight", NULL, COPY, ANY},
    {"attention.self.key.bias", "attn_k.bias", NULL, COPY, ANY},
    {"attention.self.value.weight", "attn_v.weight", NULL, COPY, ANY},
    {"attention.self.value.bias", "attn_v.bias", NULL, COPY, ANY},
    {"attention.output.dense.weight", "attn_output.weight", NULL, COPY, ANY},
    {"attention.output.dense.bias", "attn_output.bias", NULL, COPY, ANY},
    {"attention.output.LayerNorm.weight", "attn_output_norm.weight", NULL, COPY, ANY},
    {"attention.output.LayerNorm.bias", "attn_output_norm.bias", NULL, COPY, ANY},
    {"attention.output.LayerNorm.gamma", "attn_output_norm.weight", NULL, COPY, ANY},
    {"attention.output.LayerNorm.beta", "attn_output_norm.bias", NULL, COPY, ANY},
    {"intermediate.dense.weight", "ffn_up.weight", NULL, COPY, ANY},
    {"intermediate.dense.bias", "ffn_up.bias", NULL, COPY, ANY},
    {"output.dense.weight", "ffn_down.weight", NULL, COPY, ANY},
    {"output.dense.bias", "ffn_down.bias", NULL, COPY, ANY},
    {"output.LayerNorm.weight", "layer_output_norm.weight", NULL, COPY, ANY},
    {"output.LayerNorm.bias", "layer_output_norm.bias", NULL, COPY, ANY},
    {"output.LayerNorm.gamma", "layer_output_norm.weight", NULL, COPY, ANY},
    {"output.LayerNorm.beta", "layer_output_norm.bias", NULL, COPY, ANY},
};

static const struct rule encoder_top_rules[] = {
    {"embeddings.word_embeddings.weight", "token_embd.weight", NULL, COPY, ANY},
    {"embeddings.position_embeddings.weight", "position_embd.weight", NULL, POSITIONS, ANY},
    {"embeddings.token_type_embeddings.weight", "token_types.weight", NULL, COPY, ANY},
    {"embeddings.LayerNorm.weight", "token_embd_norm.weight", NULL, COPY, ANY},
    {"embeddings.LayerNorm.bias", "token_embd_norm.bias", NULL, COPY, ANY},
    {"embeddings.LayerNorm.gamma", "token_embd_norm.weight", NULL, COPY, ANY},
    {"embeddings.LayerNorm.beta", "token_embd_norm.bias", NULL, COPY, ANY},
    {"embeddings.position_ids", NULL, NULL, SKIP, ANY},
    {"pooler.dense.weight", "cls.weight", NULL, HEAD, HF_BERT},
    {"pooler.dense.bias", "cls.bias", NULL, HEAD, HF_BERT},
    {"pooler.dense.weight", NULL, NULL, SKIP, HF_ROBERTA},
    {"pooler.dense.bias", NULL, NULL, SKIP, HF_ROBERTA},
    {"classifier.weight", "cls.output.weight", NULL, HEAD, HF_BERT},
    {"classifier.bias", "cls.output.bias", NULL, HEAD, HF_BERT},
    {"classifier.dense.weight", "cls.weight", NULL, HEAD, HF_ROBERTA},
    {"classifier.dense.bias", "cls.bias", NULL, HEAD, HF_ROBERTA},
    {"classifier.out_proj.weight", "cls.output.weight", NULL, HEAD, HF_ROBERTA},
    {"classifier.out_proj.bias", "cls.output.bias", NULL, HEAD, HF_ROBERTA},
};

static const struct rule top_rules[] = {
    {"embed_tokens.weight", "token_embd.weight", NULL, COPY, ANY},
    {"norm.weight", "output_norm.weight", NULL, NORM, ANY},
    {"lm_head.weight", "output.weight", NULL, COPY, ANY},
};

/* A tensor of the folder on its way to a recipe. */
struct job {
    struct hf_plan *p;
    const struct safetensor *x;
    const struct rule *rule;
    int layer;
    uint64_t expert;
    struct err_note *note;
};

static enum err bad(const struct job *j, const char *what)
{
    return err_set(j->note, ERR_FORMAT, "%s: tensor %.*s: %s", j->p->table.path,
                   STR_ARG(j->x->name), what);
}

static enum err no_memory(struct hf_plan *p, struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "%s: out of memory", p->table.path);
}

/* name against a pattern with at most one '#', which stands for a number. */
static bool matches(const char *pattern, struct str name, uint64_t *number)
{
    const char *hash = strchr(pattern, '#');
    if (!hash)
        return str_is(name, pattern);
    struct str head = {pattern, (size_t)(hash - pattern)}, tail = str_from(hash + 1);
    return name.len > head.len + tail.len && str_starts(name, head) && str_ends(name, tail) &&
           str_to_u64(str_sub(name, head.len, name.len - tail.len), number);
}

static const struct rule *find_rule(const struct rule *rules, size_t n_rules, struct str name,
                                    int family, uint64_t *number)
{
    for (size_t i = 0; i < n_rules; i++)
        if (rules[i].families & family && matches(rules[i].hf, name, number))
            return &rules[i];
    return NULL;
}

/* Splits before, number, ".", rest; false if name is not of that form. */
static bool split_layer(struct str name, struct str before, uint64_t *layer, struct str *rest)
{
    if (!str_starts(name, before))
        return false;
    const char *from = name.ptr + before.len, *dot = memchr(from, '.', name.len - before.len);
    if (!dot || !str_to_u64((struct str){from, (size_t)(dot - from)}, layer))
        return false;
    *rest = (struct str){dot + 1, (size_t)(name.ptr + name.len - dot - 1)};
    return true;
}

static bool plain_dtype(enum st_type t, enum dtype *out)
{
    *out = t == ST_F32 ? DTYPE_F32 : t == ST_F16 ? DTYPE_F16 : DTYPE_BF16;
    return t == ST_F32 || t == ST_F16 || t == ST_BF16;
}

/* The source of x, taken as rows of its last dimension. */
static enum err plain_source(const struct job *j, const struct safetensor *x, struct hf_source *s)
{
    if (x->type == ST_U8 && j->p->config.quant == HF_QUANT_BNB)
        return bnb_source(j->p, x, s, j->note);
    if (!plain_dtype(x->type, &s->dtype))
        return err_set(j->note, ERR_UNSUPPORTED, "%s: tensor %.*s has the type %s, not supported",
                       j->p->table.path, STR_ARG(x->name), st_type_name(x->type));
    if (x->n_dims < 1 || x->n_bytes == 0)
        return bad(j, "an impossible shape");
    s->data = x->data;
    s->k = x->dim[x->n_dims - 1];
    s->n_rows = 1;
    for (int i = 0; i < x->n_dims - 1; i++)
        s->n_rows *= x->dim[i];
    return ERR_OK;
}

/* gpt-oss: scales stand beside blocks; without them matrices are stored transposed. */
static enum err expert_source(const struct job *j, struct hf_source *s)
{
    const struct safetensor *x = j->x;
    if (x->n_dims == 2 || x->n_dims == 3) {
        enum err rc = plain_source(j, x, s);
        if (!rc && x->n_dims == 3) {
            s->kind = HF_SOURCE_COLUMNS;
            s->k = x->dim[1];
            s->n_columns = x->dim[2];
            s->n_rows = x->dim[0] * x->dim[2];
        }
        return rc;
    }
    struct str stem = str_sub(x->name, 0, x->name.len - (sizeof "blocks" - 1));
    const char *name = table_printf(&j->p->table, "%.*sscales", STR_ARG(stem));
    if (!name)
        return no_memory(j->p, j->note);
    const struct safetensor *scales = safetensors_find(&j->p->files, str_from(name));
    if (x->type != ST_U8 || x->n_dims != 4 || x->dim[3] != 16 || x->n_bytes == 0)
        return bad(j, "MXFP4 blocks of an impossible shape");
    if (!scales || scales->type != ST_U8 || scales->n_bytes != x->n_bytes / 16)
        return bad(j, "its scales are missing or of another shape");
    *s = (struct hf_source){.kind = HF_SOURCE_MXFP4,
                            .dtype = DTYPE_MXFP4,
                            .k = 32 * x->dim[2],
                            .n_rows = x->dim[0] * x->dim[1],
                            .data = x->data,
                            .scales = scales->data};
    return ERR_OK;
}

static enum err add_recipe(struct hf_plan *p, const struct hf_recipe *r, struct err_note *note)
{
    if (p->n_recipes == p->n_reserved) {
        size_t n = p->n_reserved ? 2 * p->n_reserved : 256;
        struct hf_recipe *recipes = mem_resize(p->recipes, n * sizeof *recipes);
        if (!recipes)
            return no_memory(p, note);
        p->recipes = recipes;
        p->n_reserved = n;
    }
    p->recipes[p->n_recipes++] = *r;
    return ERR_OK;
}

/* Names the recipe and adds it. */
static enum err finish(const struct job *j, struct hf_recipe *r, const char *gguf)
{
    char *name = j->layer < 0 ? table_printf(&j->p->table, "%s", gguf)
                              : table_printf(&j->p->table, "blk.%d.%s", j->layer, gguf);
    struct hf_source *s = table_memory(&j->p->table, r->n_sources * sizeof *s);
    if (!name || !s)
        return no_memory(j->p, j->note);
    memcpy(s, r->sources, r->n_sources * sizeof *s);
    r->sources = s;
    r->view.name = str_from(name);
    r->layer = j->layer >= 0 ? j->layer : strcmp(gguf, "token_embd.weight") == 0 ? -1 : INT_MAX;
    return add_recipe(j->p, r, j->note);
}

/* Vectors become F32; elements are then the units. */
static void as_vector(struct hf_recipe *r)
{
    r->view.dtype = DTYPE_F32;
    r->by_element = true;
}

static enum err plan_copy(const struct job *j)
{
    const struct hf_config *c = &j->p->config;
    struct hf_source s = {0};
    struct hf_recipe r = {.sources = &s, .n_sources = 1, .stride = 1};
    enum err rc = plain_source(j, j->x, &s);
    if (rc)
        return rc;
    bool vector = j->x->n_dims == 1;
    if (j->x->n_dims > 2)
        return bad(j, "more than two dimensions");
    r.view.n_dims = vector ? 1 : 2;
    r.view.dim[0] = s.k;
    r.view.dim[1] = s.n_rows;
    r.view.dtype = j->rule->action == WIDEN ? DTYPE_F32 : s.dtype;
    r.n_units = r.n_source_units = vector ? s.k : s.n_rows;
    if (j->rule->action == POSITIONS) {
        r.offset = c->n_positions_skipped;
        if (vector || s.n_rows <= r.offset)
            return bad(j, "fewer positions than config.json says");
        r.n_units = r.view.dim[1] = s.n_rows - r.offset;
    }
    if (vector)
        as_vector(&r);
    r.plus_one = j->rule->action == NORM && c->family->bit & HF_GEMMA;
    if (r.plus_one && !vector)
        return bad(j, "a norm with more than one dimension");
    if ((j->rule->action == QUERY || j->rule->action == KEY) && c->family->bit & HF_PERMUTED) {
        uint64_t n_heads = j->rule->action == QUERY ? c->n_heads : c->n_kv_heads;
        r.head_dim = c->head_dim;
        if (r.n_units != n_heads * r.head_dim)
            return bad(j, "its rows are not the heads' of config.json");
    }
    if (j->rule->action == WIDEN && s.kind != HF_SOURCE_ROWS)
        return bad(j, "a router in 4 bits");
    return finish(j, &r, j->rule->gguf);
}

static enum err plan_experts(const struct job *j)
{
    uint64_t n = j->p->config.n_experts;
    if (j->expert >= n)
        return bad(j, "more experts than config.json says");
    if (j->expert > 0)
        return ERR_OK; /* taken with the first one */
    const char *hash = strchr(j->rule->hf, '#');
    struct str tail = str_from(hash + 1);
    struct str head = str_sub(j->x->name, 0, j->x->name.len - tail.len - 1);
    struct hf_source *s = mem_array(n, sizeof *s);
    enum err rc = s ? ERR_OK : no_memory(j->p, j->note);
    for (uint64_t e = 0; e < n && !rc; e++) {
        char *name = table_printf(&j->p->table, "%.*s%llu%s", STR_ARG(head), (unsigned long long)e,
                                  hash + 1);
        const struct safetensor *x = name ? safetensors_find(&j->p->files, str_from(name)) : NULL;
        if (!name)
            rc = no_memory(j->p, j->note);
        else if (!x)
            rc = err_set(j->note, ERR_FORMAT, "%s: tensor %s is missing", j->p->table.path, name);
        else
            rc = plain_source(j, x, &s[e]);
        if (!rc && (s[e].k != s[0].k || s[e].n_rows != s[0].n_rows || s[e].dtype != s[0].dtype))
            rc = bad(j, "the experts differ in shape or type");
    }
    if (!rc) {
        struct hf_recipe r = {.sources = s, .n_sources = n, .stride = 1};
        r.view.dtype = s[0].dtype;
        r.view.n_dims = 3;
        r.view.dim[0] = s[0].k;
        r.view.dim[1] = r.n_units = r.n_source_units = s[0].n_rows;
        r.view.dim[2] = n;
        rc = finish(j, &r, j->rule->gguf);
    }
    mem_free(s);
    return rc;
}

/* gpt-oss: one tensor for all experts; HALVES takes every second unit for each of two names. */
static enum err plan_fused(const struct job *j)
{
    struct hf_source s = {0};
    enum err rc = expert_source(j, &s);
    if (rc)
        return rc;
    uint64_t n_experts = j->p->config.n_experts, parts = j->rule->action == HALVES ? 2 : 1;
    bool bias = j->x->n_dims == 2;
    uint64_t n_units = bias ? s.k : s.n_rows / n_experts;
    if (j->x->dim[0] != n_experts || n_units % parts)
        return bad(j, "its shape does not fit the experts of config.json");
    for (uint64_t part = 0; part < parts && !rc; part++) {
        struct hf_recipe r = {.sources = &s, .n_sources = 1, .offset = part, .stride = parts};
        r.view.dtype = s.dtype;
        r.n_source_units = n_units;
        r.n_units = n_units / parts;
        r.view.n_dims = bias ? 2 : 3;
        r.view.dim[0] = bias ? r.n_units : s.k;
        r.view.dim[1] = bias ? n_experts : r.n_units;
        r.view.dim[2] = n_experts;
        if (bias)
            as_vector(&r);
        rc = finish(j, &r, part ? j->rule->gguf_2 : j->rule->gguf);
    }
    return rc;
}

/* Gemma 3 with vision: the text model's tensors have a prefix more, the others are left out. */
static bool text_name(struct str *name, struct str *out)
{
    static const char *const others[] = {"vision_tower.", "multi_modal_projector.",
                                         "model.vision_tower.", "model.multi_modal_projector."};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (str_starts(*name, str_from(others[i])))
            return false;
    static const char *const prefixes[] = {"language_model.model.", "model.language_model.",
                                           "language_model.", "model."};
    *out = *name;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (str_starts(*name, str_from(prefixes[i]))) {
            *out = str_sub(*name, strlen(prefixes[i]), name->len);
            break;
        }
    return true;
}

/* Encoders with a task's head have a prefix, and sometimes heads that embeddings do without. */
static bool encoder_name(struct str name, struct str *out)
{
    static const char *const others[] = {"cls.predictions.", "cls.seq_relationship.", "lm_head."};
    static const char *const prefixes[] = {"bert.", "roberta."};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (str_starts(name, str_from(others[i])))
            return false;
    *out = name;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (str_starts(name, str_from(prefixes[i])))
            *out = str_sub(name, strlen(prefixes[i]), name.len);
    return true;
}

#define FIND_RULE(rules) find_rule(rules, COUNT_OF(rules), rest, family, &j.expert)

static enum err plan_tensor(struct hf_plan *p, const struct safetensor *x, struct err_note *note)
{
    struct job j = {.p = p, .x = x, .layer = -1, .note = note};
    struct str name = x->name, rest;
    uint64_t layer = 0;
    int family = p->config.family->bit;
    if (p->config.quant == HF_QUANT_BNB && bnb_is_state(x->name))
        return ERR_OK;
    bool encoder = family & HF_ENCODER;
    if (encoder ? !encoder_name(name, &rest) : !text_name(&name, &rest))
        return ERR_OK;
    if (split_layer(rest, encoder ? STR("encoder.layer.") : STR("layers."), &layer, &rest)) {
        if (layer >= p->config.n_layers)
            return bad(&j, "config.json has fewer layers");
        j.layer = (int)layer;
        j.rule = encoder ? FIND_RULE(encoder_rules) : FIND_RULE(layer_rules);
    } else {
        j.rule = encoder ? FIND_RULE(encoder_top_rules) : FIND_RULE(top_rules);
    }
    if (!j.rule)
        return err_set(note, ERR_UNSUPPORTED, "%s: tensor %.*s is not known in %s models",
                       p->table.path, STR_ARG(x->name), p->config.family->model_type);
    if (j.rule->action == SKIP || (j.rule->action == HEAD && !p->config.ranks) ||
        (p->config.tied && str_is(rest, "lm_head.weight")))
        return ERR_OK;
    if (j.rule->action == EXPERT)
        return plan_experts(&j);
    if (j.rule->action == HALVES || j.rule->action == DOWN)
        return plan_fused(&j);
    return plan_copy(&j);
}

static int by_place(const void *a, const void *b)
{
    const struct hf_recipe *x = a, *y = b;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    struct str s = x->view.name, t = y->view.name;
    int order = memcmp(s.ptr, t.ptr, s.len < t.len ? s.len : t.len);
    return order ? order : (s.len > t.len) - (s.len < t.len);
}

static enum err plan_factors(struct hf_plan *p, const struct hf_factors *f, struct err_note *note)
{
    float *values = table_pages(&p->table, f->n * sizeof *values);
    if (!values)
        return no_memory(p, note);
    memcpy(values, f->value, f->n * sizeof *values);
    struct hf_recipe r = {.layer = -1};
    r.view = (struct tensor_view){.name = str_from(f->name),
                                  .dtype = DTYPE_F32,
                                  .n_dims = 1,
                                  .dim = {f->n},
                                  .data = values};
    return add_recipe(p, &r, note);
}

enum err hf_plan_build(struct hf_plan *p, struct err_note *note)
{
    enum err rc = ERR_OK;
    bool has_output = p->config.tied; /* encoders count as such */
    for (size_t i = 0; i < p->files.n_items && !rc; i++) {
        has_output |= str_ends(p->files.items[i].name, STR("lm_head.weight"));
        rc = plan_tensor(p, &p->files.items[i], note);
    }
    for (size_t i = 0; i < COUNT_OF(p->config.factors) && !rc; i++)
        if (p->config.factors[i].name)
            rc = plan_factors(p, &p->config.factors[i], note);
    if (!rc && !has_output)
        rc = err_set(note, ERR_FORMAT,
                     "%s: tensor lm_head.weight is missing, and config.json does not tie it to the "
                     "embedding",
                     p->table.path);
    if (!rc)
        qsort(p->recipes, p->n_recipes, sizeof *p->recipes, by_place);
    return rc;
}
