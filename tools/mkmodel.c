/* mkmodel.c - writes GGUF models of named shapes with random weights, for measuring speed.
 *
 * usage: mkmodel SHAPE TYPE OUT.gguf [SEED]
 * TYPE is a mix (Q4_K_M) or one type for all matrices (Q4_0, F16). Matrices are drawn from a pool
 * of encoded random blocks, so that a large model is written as fast as the disk takes it and no
 * two rows are alike. The vocabulary is bytes, a few pairs of letters, then tokens that never
 * occur: other programs load the file too. The same arguments give the same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "format/gguf_write.h"
#include "format/metas.h"
#include "tensor/half.h"
#include "tensor/mix.h"
#include "tensor/quant/quant.h"

struct shape {
    const char *name, *arch;
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, n_ctx;
    double rope_theta, rms_eps; /* an encoder: none, of LayerNorm */
    bool tied, qkv_bias, qk_norm;
};

static const struct shape shapes[] = {
    {"tiny", "llama", 2, 256, 4, 2, 64, 768, 515, 512, 1e4, 1e-5, false, false, false},
    {"tiny-qwen2", "qwen2", 2, 448, 7, 1, 64, 768, 515, 512, 1e6, 1e-6, true, true, false},
    {"tiny-qwen3", "qwen3", 2, 256, 4, 2, 128, 768, 515, 512, 1e6, 1e-6, true, false, true},
    {"qwen2-0.5b", "qwen2", 24, 896, 14, 2, 64, 4864, 151936, 32768, 1e6, 1e-6, true, true, false},
    {"qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 1e6, 1e-6, true, false,
     true},
    {"tinyllama-1.1b", "llama", 22, 2048, 32, 4, 64, 5632, 32000, 2048, 1e4, 1e-5},
    {"llama-3.2-1b", "llama", 16, 2048, 32, 8, 64, 8192, 128256, 131072, 5e5, 1e-5, true},
    {"llama-2-7b", "llama", 32, 4096, 32, 32, 128, 11008, 32000, 4096, 1e4, 1e-5},
    {"mistral-7b", "llama", 32, 4096, 32, 8, 128, 14336, 32768, 32768, 1e6, 1e-5},
    {"llama-3.1-8b", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072, 5e5, 1e-5},
    {"tiny-bert", "bert", 2, 128, 4, 4, 32, 512, 515, 512, 0, 1e-12, true},
    {"bert-base", "bert", 12, 768, 12, 12, 64, 3072, 30522, 512, 0, 1e-12, true},
};

enum { TENSORS_MAX = 1024, POOL_BLOCKS = 1024, POOLS_MAX = 64, PLAIN_BLOCK = 32 };

/* Encoded blocks for matrices of one type and row length. */
struct pool {
    enum dtype dtype;
    uint64_t k;
    size_t n_bytes; /* of one block */
    uint8_t *blocks;
};

struct model {
    const struct shape *shape;
    const struct mix *mix; /* NULL: type for all matrices */
    enum dtype type;
    uint64_t seed;
    struct tensor_view tensors[TENSORS_MAX];
    char names[TENSORS_MAX][64];
    size_t n_tensors;
    struct pool pools[POOLS_MAX];
    size_t n_pools;
};

static uint64_t next_random(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* About normal, of variance 1: the sum of twelve 16-bit uniforms. */
static float next_normal(uint64_t *seed)
{
    int32_t sum = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t r = next_random(seed);
        sum += (int32_t)(r & 0xffff) + (int32_t)(r >> 16 & 0xffff);
        sum += (int32_t)(r >> 32 & 0xffff) + (int32_t)(r >> 48);
    }
    return (float)(sum - 6 * 65535) / 65536.0f;
}

static void die(const char *what, const char *which)
{
    fprintf(stderr, "mkmodel: %s%s\n", what, which);
    exit(1);
}

static void encode(enum dtype t, const float *in, size_t n, uint8_t *out)
{
    size_t bad;
    uint16_t h;
    for (size_t i = 0; i < n && (t == DTYPE_F16 || t == DTYPE_BF16); i++) {
        h = t == DTYPE_F16 ? f16_round(in[i]) : bf16_round(in[i]);
        memcpy(out + 2 * i, &h, sizeof h);
    }
    if (t == DTYPE_F32)
        memcpy(out, in, n * sizeof *in);
    else if (t != DTYPE_F16 && t != DTYPE_BF16)
        CHECK(quant_encode_row(t, in, out, n, NULL, &bad));
}

static const struct pool *find_pool(struct model *m, enum dtype t, uint64_t k)
{
    for (size_t i = 0; i < m->n_pools; i++)
        if (m->pools[i].dtype == t && m->pools[i].k == k)
            return &m->pools[i];
    CHECK(m->n_pools < POOLS_MAX);
    struct pool *p = &m->pools[m->n_pools++];
    int n = dtype_info(t)->block_len > 1 ? dtype_info(t)->block_len : PLAIN_BLOCK;
    *p = (struct pool){t, k, dtype_row_bytes(t, (size_t)n), NULL};
    p->blocks = mem_alloc(POOL_BLOCKS * p->n_bytes);
    if (!p->blocks)
        die("out of memory", "");
    uint64_t seed = m->seed + 1000003 * (uint64_t)t + k;
    float values[QUANT_LEN_MAX], deviation = 1.0f / __builtin_sqrtf((float)k);
    for (size_t b = 0; b < POOL_BLOCKS; b++) {
        for (int i = 0; i < n; i++)
            values[i] = next_normal(&seed) * deviation;
        encode(t, values, (size_t)n, p->blocks + b * p->n_bytes);
    }
    return p;
}

/* Norms are near 1, biases near 0, matrices come from their pool. */
static enum err rows(void *context, const struct tensor_view *v, uint64_t row, uint64_t n_rows,
                     void *out, struct err_note *note)
{
    struct model *m = context;
    (void)note;
    uint64_t seed = m->seed;
    for (size_t i = 0; i < v->name.len; i++)
        seed = seed * 1099511628211u + (unsigned char)v->name.ptr[i];
    seed += row << 32;
    if (v->n_dims == 1) {
        float *values = out, middle = str_ends(v->name, STR("norm.weight")) ? 1.0f : 0.0f;
        for (uint64_t i = 0; i < v->dim[0]; i++)
            values[i] = middle + 0.1f * next_normal(&seed);
        return ERR_OK;
    }
    const struct pool *p = find_pool(m, v->dtype, v->dim[0]);
    size_t n_blocks = n_rows * (dtype_row_bytes(v->dtype, v->dim[0]) / p->n_bytes);
    for (size_t b = 0; b < n_blocks; b++)
        memcpy((uint8_t *)out + b * p->n_bytes,
               p->blocks + next_random(&seed) % POOL_BLOCKS * p->n_bytes, p->n_bytes);
    return ERR_OK;
}

static void add(struct model *m, const char *name, int n_dims, uint64_t k, uint64_t n)
{
    const struct shape *s = m->shape;
    CHECK(m->n_tensors < TENSORS_MAX);
    struct tensor_view *v = &m->tensors[m->n_tensors];
    snprintf(m->names[m->n_tensors], sizeof m->names[0], "%s", name);
    *v = (struct tensor_view){str_from(m->names[m->n_tensors]), DTYPE_F32, n_dims, {k, n, 1, 1}};
    m->n_tensors++;
    struct mix_model info = {str_from(s->arch), (int)s->n_layers, 0,
                             (int)(s->n_heads / s->n_kv_heads), !s->tied};
    if (n_dims == 2)
        v->dtype =
            m->mix ? mix_dtype(m->mix, &info, v->name, DTYPE_F32, n_dims, v->dim, NULL) : m->type;
    if (k % (unsigned)dtype_info(v->dtype)->block_len)
        die("rows are no multiple of the block of ", dtype_info(v->dtype)->name);
}

struct part {
    const char *name;
    bool present;
    int n_dims;
    uint64_t k, n;
};

static void add_parts(struct model *m, uint32_t layer, const struct part *parts, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s", layer, parts[i].name);
        if (parts[i].present)
            add(m, name, parts[i].n_dims, parts[i].k, parts[i].n);
    }
}

static bool is_encoder(const struct shape *s)
{
    return strcmp(s->arch, "bert") == 0;
}

static void add_encoder_layer(struct model *m, uint32_t layer)
{
    uint64_t d = m->shape->n_embd, f = m->shape->n_ff;
    const struct part parts[] = {
        {"attn_q.weight", true, 2, d, d},
        {"attn_q.bias", true, 1, d, 1},
        {"attn_k.weight", true, 2, d, d},
        {"attn_k.bias", true, 1, d, 1},
        {"attn_v.weight", true, 2, d, d},
        {"attn_v.bias", true, 1, d, 1},
        {"attn_output.weight", true, 2, d, d},
        {"attn_output.bias", true, 1, d, 1},
        {"attn_output_norm.weight", true, 1, d, 1},
        {"attn_output_norm.bias", true, 1, d, 1},
        {"ffn_up.weight", true, 2, d, f},
        {"ffn_up.bias", true, 1, f, 1},
        {"ffn_down.weight", true, 2, f, d},
        {"ffn_down.bias", true, 1, d, 1},
        {"layer_output_norm.weight", true, 1, d, 1},
        {"layer_output_norm.bias", true, 1, d, 1},
    };
    add_parts(m, layer, parts, COUNT_OF(parts));
}

static void add_layer(struct model *m, uint32_t layer)
{
    const struct shape *s = m->shape;
    uint64_t q = (uint64_t)s->n_heads * s->head_dim, kv = (uint64_t)s->n_kv_heads * s->head_dim;
    const struct part parts[] = {
        {"attn_norm.weight", true, 1, s->n_embd, 1},
        {"attn_q.weight", true, 2, s->n_embd, q},
        {"attn_k.weight", true, 2, s->n_embd, kv},
        {"attn_v.weight", true, 2, s->n_embd, kv},
        {"attn_q.bias", s->qkv_bias, 1, q, 1},
        {"attn_k.bias", s->qkv_bias, 1, kv, 1},
        {"attn_v.bias", s->qkv_bias, 1, kv, 1},
        {"attn_q_norm.weight", s->qk_norm, 1, s->head_dim, 1},
        {"attn_k_norm.weight", s->qk_norm, 1, s->head_dim, 1},
        {"attn_output.weight", true, 2, q, s->n_embd},
        {"ffn_norm.weight", true, 1, s->n_embd, 1},
        {"ffn_gate.weight", true, 2, s->n_embd, s->n_ff},
        {"ffn_up.weight", true, 2, s->n_embd, s->n_ff},
        {"ffn_down.weight", true, 2, s->n_ff, s->n_embd},
    };
    add_parts(m, layer, parts, COUNT_OF(parts));
}

/* Every tensor, in the order of the file. */
static void add_tensors(struct model *m)
{
    const struct shape *s = m->shape;
    bool encodes = is_encoder(s);
    add(m, "token_embd.weight", 2, s->n_embd, s->n_vocab);
    if (encodes) {
        add(m, "position_embd.weight", 2, s->n_embd, s->n_ctx);
        add(m, "token_types.weight", 2, s->n_embd, 2);
        add(m, "token_embd_norm.weight", 1, s->n_embd, 1);
        add(m, "token_embd_norm.bias", 1, s->n_embd, 1);
    }
    for (uint32_t i = 0; i < s->n_layers; i++)
        (encodes ? add_encoder_layer : add_layer)(m, i);
    if (!encodes)
        add(m, "output_norm.weight", 1, s->n_embd, 1);
    if (!s->tied)
        add(m, "output.weight", 2, s->n_embd, s->n_vocab);
}

static void put(struct metas *m, const struct shape *s, const char *suffix, uint32_t value)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", s->arch, suffix);
    metas_u32(m, key, value);
}

static void put_shape(struct metas *m, const struct model *model)
{
    const struct shape *s = model->shape;
    char key[96];
    metas_str(m, "general.architecture", str_from(s->arch));
    metas_str(m, "general.type", STR("model"));
    metas_str(m, "general.name", str_from(s->name));
    metas_str(m, "general.description", STR("random weights"));
    metas_u32(m, "general.quantization_version", 2);
    if (model->mix)
        metas_u32(m, "general.file_type", mix_file_type(model->mix));
    put(m, s, "vocab_size", s->n_vocab);
    put(m, s, "context_length", s->n_ctx);
    put(m, s, "embedding_length", s->n_embd);
    put(m, s, "block_count", s->n_layers);
    put(m, s, "feed_forward_length", s->n_ff);
    put(m, s, "attention.head_count", s->n_heads);
    if (is_encoder(s)) {
        snprintf(key, sizeof key, "%s.attention.layer_norm_epsilon", s->arch);
        metas_f32(m, key, s->rms_eps);
        put(m, s, "pooling_type", 1); /* the mean */
        return;
    }
    put(m, s, "attention.head_count_kv", s->n_kv_heads);
    put(m, s, "attention.key_length", s->head_dim);
    put(m, s, "attention.value_length", s->head_dim);
    put(m, s, "rope.dimension_count", s->head_dim);
    snprintf(key, sizeof key, "%s.rope.freq_base", s->arch);
    metas_f32(m, key, s->rope_theta);
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", s->arch);
    metas_f32(m, key, s->rms_eps);
}

/* The character that GPT-2's vocabulary shows a byte as. */
static uint32_t byte_symbol(int byte)
{
    int n_before = 0;
    for (int b = 0; b <= byte; b++) {
        bool shown = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte && shown)
            return (uint32_t)b;
        n_before += !shown;
    }
    return 256 + (uint32_t)n_before - 1;
}

static void put_vocabulary(struct metas *m, uint32_t n_vocab)
{
    enum { NORMAL = 1, CONTROL = 3, UNUSED = 5, TEXT = 16, N_MERGES = 100 };
    static const char letters[] = "etaoinsrhl";
    struct str *tokens = mem_array(n_vocab, sizeof *tokens), merges[N_MERGES];
    int32_t *types = mem_array(n_vocab, sizeof *types);
    char *text = mem_array(n_vocab + N_MERGES, TEXT);
    CHECK(n_vocab >= 258 + N_MERGES);
    if (!tokens || !types || !text)
        die("out of memory", "");
    for (uint32_t i = 0; i < n_vocab; i++) {
        char *t = text + (size_t)i * TEXT;
        uint32_t pair = i - 258;
        types[i] = i < 256 || pair < N_MERGES ? NORMAL : i < 258 ? CONTROL : UNUSED;
        if (i < 256)
            utf8_encode(byte_symbol((int)i), t);
        else if (i < 258)
            snprintf(t, TEXT, "%s", i == 256 ? "<s>" : "</s>");
        else if (pair < N_MERGES)
            snprintf(t, TEXT, "%c%c", letters[pair / 10], letters[pair % 10]);
        else
            snprintf(t, TEXT, "[PAD%u]", i);
        tokens[i] = str_from(t);
    }
    for (uint32_t i = 0; i < N_MERGES; i++) {
        char *t = text + (size_t)(n_vocab + i) * TEXT;
        snprintf(t, TEXT, "%c %c", letters[i / 10], letters[i % 10]);
        merges[i] = str_from(t);
    }
    metas_str(m, "tokenizer.ggml.model", STR("gpt2"));
    metas_str(m, "tokenizer.ggml.pre", STR("gpt-2"));
    metas_strs(m, "tokenizer.ggml.tokens", tokens, n_vocab);
    metas_i32s(m, "tokenizer.ggml.token_type", types, n_vocab);
    metas_strs(m, "tokenizer.ggml.merges", merges, N_MERGES);
    metas_u32(m, "tokenizer.ggml.bos_token_id", 256);
    metas_u32(m, "tokenizer.ggml.eos_token_id", 257);
    mem_free(tokens);
    mem_free(types);
    mem_free(text);
}

static void usage(void)
{
    fprintf(stderr, "usage: mkmodel SHAPE TYPE OUT.gguf [SEED]\nshapes:");
    for (size_t i = 0; i < COUNT_OF(shapes); i++)
        fprintf(stderr, " %s", shapes[i].name);
    fprintf(stderr, "\ntypes: a mix, such as Q4_K_M, or a type for all matrices, such as Q4_0\n");
    exit(2);
}

int main(int argc, char **argv)
{
    static struct model m = {.seed = 1};
    struct metas metas;
    struct err_note note;
    if (argc < 4 || argc > 5)
        usage();
    for (size_t i = 0; i < COUNT_OF(shapes); i++)
        if (strcmp(argv[1], shapes[i].name) == 0)
            m.shape = &shapes[i];
    m.mix = mix_find(argv[2]);
    if (!m.shape || (!m.mix && !dtype_from_name(argv[2], &m.type)))
        usage();
    if (argc == 5 && !str_to_u64(str_from(argv[4]), &m.seed))
        usage();
    add_tensors(&m);
    metas_init(&metas);
    put_shape(&metas, &m);
    put_vocabulary(&metas, m.shape->n_vocab);
    enum err rc = metas_status(&metas, &note);
    if (!rc)
        rc = gguf_write(argv[3], metas.items, metas.n_items, m.tensors, m.n_tensors, rows, &m,
                        &note);
    if (rc)
        die(note.text, "");
    return 0;
}
