/* test_hf.c - Hugging Face folders against what llama.cpp and bitsandbytes make of them.
 *
 * Vectors: tests/golden/format/hf, made by tools/hf_vectors.py. */
#include "lib/test.h"

#include <dirent.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/convert.h"
#include "format/gguf.h"
#include "format/identity.h"
#include "tensor/quant/quant.h"

#define GOLDEN TEST_DIR "/golden/format/hf/"

static const char *const folders[] = {
    "deepseek", "dynamic",  "gemma2",       "gemma3", "gptoss_mxfp4", "llama",
    "llama3",   "llamabias", "mistral",     "mixtral", "phi3",         "phi4mini",
    "qwen2",    "qwen3",    "qwen3moe",     "yarn",   "bnb_nf4",      "bnb_fp4",
};

/* Keys that llama.cpp's converter does not write: hf_config.h. */
static const char *const more_keys[] = {
    "llama.attention.sliding_window", "gemma2.attention.scale",
    "gemma3.attention.scale",         "gemma2.rope.freq_base",
    "qwen3moe.expert_weights_norm",   "llama.rope.scaling.type",
    "llama.rope.scaling.factor",      "llama.rope.scaling.original_context_length",
};

static struct str next_word(struct str *line)
{
    const char *space = memchr(line->ptr, ' ', line->len);
    struct str word = {line->ptr, space ? (size_t)(space - line->ptr) : line->len};
    size_t n = word.len + (space != NULL);
    *line = str_sub(*line, n, line->len);
    return word;
}

static void value_is(const struct meta_value *v, struct str want)
{
    char text[256];
    uint64_t bits;
    memcpy(&bits, &v->float_, sizeof bits);
    if (v->type == META_UINT)
        snprintf(text, sizeof text, "i:%llu", (unsigned long long)v->uint_);
    else if (v->type == META_FLOAT)
        snprintf(text, sizeof text, "f:%016llx", (unsigned long long)bits);
    else if (v->type == META_STRING)
        snprintf(text, sizeof text, "s:%zu:%.*s", v->string.len, STR_ARG(v->string));
    else
        fail_msg("%.*s: unexpected type", STR_ARG(v->key));
    if (!str_is(want, text))
        fail_msg("%.*s is %s, expected %.*s", STR_ARG(v->key), text, STR_ARG(want));
}

/* The hash of the tensor's bytes or, for the bitsandbytes types, of its decoded values. */
static void tensor_hash(const struct tensor_view *v, char hex[SHA256_HEX])
{
    uint8_t digest[SHA256_BYTES];
    if (v->dtype == DTYPE_NF4 || v->dtype == DTYPE_FP4) {
        size_t n = v->dim[0] * v->dim[1];
        float *values = mem_array(n, sizeof *values);
        quant_decode_row(v->dtype, v->data, values, n);
        sha256_of(values, n * sizeof *values, digest);
        mem_free(values);
    } else {
        sha256_of(v->data, v->n_bytes, digest);
    }
    hex_of(digest, SHA256_BYTES, hex);
}

static void tensor_is(const struct table *t, struct str hash, struct str line)
{
    char name[128], shape[64], hex[SHA256_HEX];
    struct str type = next_word(&line), want_shape = next_word(&line);
    snprintf(name, sizeof name, "%.*s", STR_ARG(line));
    const struct tensor_view *v = table_tensor(t, name);
    if (!v)
        fail_msg("%s: no tensor %s", t->path, name);
    size_t n = 0;
    for (int i = 0; i < v->n_dims; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%llu", i ? "x" : "",
                              (unsigned long long)v->dim[i]);
    tensor_hash(v, hex);
    if (!str_is(want_shape, shape) || !str_is(type, dtype_info(v->dtype)->name) ||
        !str_is(hash, hex))
        fail_msg("%s: %s is %s %s %s, expected %.*s %.*s %.*s", t->path, name, hex,
                 dtype_info(v->dtype)->name, shape, STR_ARG(hash), STR_ARG(type),
                 STR_ARG(want_shape));
}

static bool is_more_key(struct str key)
{
    for (size_t i = 0; i < COUNT_OF(more_keys); i++)
        if (str_is(key, more_keys[i]))
            return true;
    return str_starts(key, STR("general."));
}

/* Compares everything with the text of expected.txt; returns how many tensors it has. */
static size_t check_folder(const struct table *t, struct str text, size_t *n_keys)
{
    size_t n_tensors = 0;
    *n_keys = 0;
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        assert_non_null(end);
        struct str line = str_sub(text, 0, (size_t)(end - text.ptr));
        text = str_sub(text, line.len + 1, text.len);
        struct str word = next_word(&line);
        if (word.len == 64 && !memchr(word.ptr, '.', 64)) {
            tensor_is(t, word, line);
            n_tensors++;
        } else {
            char key[128];
            snprintf(key, sizeof key, "%.*s", STR_ARG(word));
            if (!table_meta(t, key))
                fail_msg("%s: no metadata %s", t->path, key);
            value_is(table_meta(t, key), line);
            *n_keys += !str_starts(word, STR("general."));
        }
    }
    return n_tensors;
}

static void folders_equal_llama_cpp(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        char path[512], *text;
        struct table t;
        struct err_note note;
        size_t n, n_keys;
        bool bnb = strncmp(folders[i], "bnb", 3) == 0;
        snprintf(path, sizeof path, GOLDEN "%s/expected.txt", folders[i]);
        assert_ok(file_read(path, 1 << 20, &text, &n, NULL));
        snprintf(path, sizeof path, GOLDEN "%s", folders[i]);
        if (table_open(path, &t, &note) != ERR_OK)
            fail_msg("%s", note.text);
        size_t n_tensors = check_folder(&t, (struct str){text, n}, &n_keys);
        for (size_t k = 0; k < t.n_tensors; k++)
            assert_ok(tensor_view_check_finite(&t.tensors[k], NULL));
        if (!bnb) {
            assert_int_equal(n_tensors, t.n_tensors);
            for (size_t k = 0; k < t.n_metas; k++)
                if (!is_more_key(t.metas[k].key) && !strstr(text, t.metas[k].key.ptr))
                    fail_msg("%s: unexpected metadata %s", path, t.metas[k].key.ptr);
        }
        assert_true(bnb || n_keys >= 8);
        assert_string_equal(t.source, "safetensors folder");
        table_close(&t);
        mem_free(text);
    }
}

static char scratch[] = "/tmp/isobit-hf-XXXXXX";

static int make_scratch(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : 1;
}

static int remove_scratch(void **state)
{
    (void)state;
    return rmdir(scratch); /* fails when a file was left */
}

static void count_calls(void *context, uint64_t done, uint64_t total)
{
    uint64_t *last = context;
    assert_true(done > *last && done <= total);
    *last = done;
}

static void a_converted_folder_is_the_same_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        char in[512], out[64];
        struct table t, file;
        struct identity a, b;
        struct err_note note;
        uint64_t done = 0;
        snprintf(in, sizeof in, GOLDEN "%s/", folders[i]);
        snprintf(out, sizeof out, "%s/x.gguf", scratch);
        struct convert_job job = {.folder = in, .out = out, .progress = count_calls,
                                  .context = &done};
        enum err rc = convert_folder(&job, &note);
        if (strncmp(folders[i], "bnb", 3) == 0) {
            assert_int_equal(rc, ERR_UNSUPPORTED);
            assert_non_null(strstr(note.text, "GGUF has no type"));
            continue;
        }
        assert_ok(rc);
        assert_ok(table_open(in, &t, NULL));
        assert_ok(gguf_open(out, &file, NULL));
        assert_ok(identity_of(&t, NULL, NULL, NULL, &a, NULL));
        assert_ok(identity_of(&file, NULL, NULL, NULL, &b, NULL));
        assert_memory_equal(&a, &b, sizeof a);
        struct str name;
        assert_ok(table_str(&file, "general.name", STR(""), &name, NULL));
        assert_true(str_is(name, folders[i]));
        table_close(&t);
        table_close(&file);
        unlink(out);
    }
}

static void conversion_changes_the_type_of_matrices(void **state)
{
    (void)state;
    char out[64];
    struct table t, file;
    struct metas extra;
    uint32_t type;
    snprintf(out, sizeof out, "%s/x.gguf", scratch);
    metas_init(&extra);
    metas_str(&extra, "tokenizer.ggml.model", STR("gpt2"));
    struct convert_job job = {.folder = GOLDEN "bnb_nf4", .out = out, .extra = &extra};
    assert_ok(table_open(job.folder, &t, NULL));
    static const enum dtype wanted[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    for (int i = 0; i < 3; i++) {
        job.type = (enum convert_type)(CONVERT_F32 + i);
        assert_ok(convert_folder(&job, NULL));
        assert_ok(gguf_open(out, &file, NULL));
        assert_ok(table_u32(&file, "general.file_type", 99, &type, NULL));
        assert_int_equal(type, i == 0 ? 0 : i == 1 ? 1 : 32);
        assert_non_null(table_meta(&file, "tokenizer.ggml.model"));
        assert_int_equal(table_tensor(&file, "output_norm.weight")->dtype, DTYPE_F32);
        const struct tensor_view *v = table_tensor(&file, "blk.0.attn_q.weight");
        const struct tensor_view *packed = table_tensor(&t, "blk.0.attn_q.weight");
        assert_int_equal(v->dtype, wanted[i]);
        float a[64], b[64];
        quant_decode_row(v->dtype, v->data, a, 64);
        quant_decode_row(packed->dtype, packed->data, b, 64);
        for (int k = 0; k < 64; k++) {
            float error = a[k] > b[k] ? a[k] - b[k] : b[k] - a[k];
            float limit = (b[k] < 0 ? -b[k] : b[k]) * (i == 0 ? 0 : i == 1 ? 0x1p-11f : 0x1p-8f);
            assert_true(error <= limit);
        }
        table_close(&file);
        unlink(out);
    }
    table_close(&t);
    metas_release(&extra);
}

/* A folder in scratch with the files of a golden one, config.json changed by one replacement. */
static void with_config(const char *golden, const char *from, const char *to, enum err want,
                        const char *says)
{
    char path[600], link_path[600], *text;
    size_t n;
    struct buf config;
    struct table t;
    struct err_note note = {{0}};
    snprintf(path, sizeof path, GOLDEN "%s/config.json", golden);
    assert_ok(file_read(path, 1 << 20, &text, &n, NULL));
    char *at = strstr(text, from);
    if (!at)
        fail_msg("%s has no %s", path, from);
    buf_init(&config, 1 << 20);
    buf_add(&config, text, (size_t)(at - text));
    buf_str(&config, to);
    buf_str(&config, at + strlen(from));
    mem_free(text);
    snprintf(path, sizeof path, "%s/config.json", scratch);
    struct file_writer w;
    assert_ok(file_writer_open(&w, path, NULL));
    file_writer_add(&w, config.bytes, config.n_bytes);
    assert_ok(file_writer_commit(&w, NULL));
    buf_release(&config);
    snprintf(path, sizeof path, GOLDEN "%s/model.safetensors", golden);
    snprintf(link_path, sizeof link_path, "%s/model.safetensors", scratch);
    assert_int_equal(symlink(path, link_path), 0);
    enum err rc = table_open(scratch, &t, &note);
    if (rc != want || !strstr(note.text, says))
        fail_msg("%s -> %s: %s \"%s\", expected \"%s\"", from, to, err_name(rc), note.text, says);
    assert_null(strchr(note.text, '\n'));
    if (rc == ERR_OK)
        table_close(&t);
    unlink(link_path);
    snprintf(path, sizeof path, "%s/config.json", scratch);
    unlink(path);
}

static void what_is_not_understood_is_refused(void **state)
{
    (void)state;
    with_config("llama", "\"llama\"", "\"mamba\"", ERR_UNSUPPORTED, "model_type \"mamba\"");
    with_config("llama", "\"silu\"", "\"relu\"", ERR_UNSUPPORTED, "hidden_act \"relu\"");
    with_config("llama", "\"hidden_size\": 32,", "", ERR_FORMAT, "\"hidden_size\" is missing");
    with_config("llama", "\"hidden_size\": 32", "\"hidden_size\": -1", ERR_FORMAT, "hidden_size");
    with_config("llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", ERR_FORMAT,
                "config.json has fewer layers");
    with_config("llama", "\"num_attention_heads\": 2", "\"num_attention_heads\": 4", ERR_FORMAT,
                "q_proj.weight: its rows are not the heads'");
    with_config("llama", "\"mlp_bias\": false", "\"mlp_bias\": true", ERR_UNSUPPORTED, "mlp_bias");
    with_config("llama", "\"rope_type\": \"default\"", "\"rope_type\": \"odd\"", ERR_UNSUPPORTED,
                "rope scaling \"odd\"");
    with_config("llama", "{", "{\"quantization_config\": {\"quant_method\": \"gptq\"},",
                ERR_UNSUPPORTED, "\"gptq\" is not supported");
    with_config("llama", "}", "", ERR_FORMAT, "config.json: line ");
    with_config("mixtral", "\"num_local_experts\": 3", "\"num_local_experts\": 4", ERR_FORMAT,
                "experts.3.w1.weight is missing");
    with_config("mixtral", "\"num_local_experts\": 3", "\"num_local_experts\": 2", ERR_FORMAT,
                "more experts than config.json says");
    with_config("gemma2", "\"gemma2\"", "\"llama\"", ERR_UNSUPPORTED, "gelu_pytorch_tanh");
    with_config("qwen3", "\"model_type\": \"qwen3\"", "\"model_type\": \"qwen2\"", ERR_UNSUPPORTED,
                "k_norm.weight is not known in qwen2 models");
    with_config("phi4mini", "\"original_max_position_embeddings\": 64",
                "\"original_max_position_embeddings\": 1", ERR_FORMAT, "original context 1");
    with_config("phi4mini", "\"partial_rotary_factor\": 0.75", "\"partial_rotary_factor\": 0.5",
                ERR_FORMAT, "\"long_factor\" needs 4 numbers and has 6");
    with_config("bnb_nf4", "\"load_in_4bit\": true", "\"load_in_4bit\": false", ERR_UNSUPPORTED,
                "\"bitsandbytes\" is not supported here");
    with_config("gptoss_mxfp4", "\"truncate\": false", "\"truncate\": true", ERR_UNSUPPORTED,
                "\"truncate\" in gpt_oss");
    with_config("deepseek", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true",
                ERR_OK, "");
    with_config("qwen3", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false",
                ERR_FORMAT, "lm_head.weight is missing");
}

static void missing_files_are_named(void **state)
{
    (void)state;
    struct table t;
    struct err_note note;
    char path[64];
    assert_int_equal(table_open(scratch, &t, &note), ERR_NOT_FOUND);
    assert_non_null(strstr(note.text, "config.json"));
    snprintf(path, sizeof path, "%s/config.json", scratch);
    char *text;
    size_t n;
    struct file_writer w;
    assert_ok(file_read(GOLDEN "qwen2/config.json", 1 << 20, &text, &n, NULL));
    assert_ok(file_writer_open(&w, path, NULL));
    file_writer_add(&w, text, n);
    assert_ok(file_writer_commit(&w, NULL));
    mem_free(text);
    assert_int_equal(table_open(scratch, &t, &note), ERR_NOT_FOUND);
    assert_non_null(strstr(note.text, "neither model.safetensors nor"));
    char index[64];
    snprintf(index, sizeof index, "%s/model.safetensors.index.json", scratch);
    assert_ok(file_read(GOLDEN "qwen2/model.safetensors.index.json", 1 << 20, &text, &n, NULL));
    assert_ok(file_writer_open(&w, index, NULL));
    file_writer_add(&w, text, n);
    assert_ok(file_writer_commit(&w, NULL));
    mem_free(text);
    assert_int_equal(table_open(scratch, &t, &note), ERR_NOT_FOUND);
    assert_non_null(strstr(note.text, "model-00001-of-00005.safetensors"));
    unlink(index);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_equal_llama_cpp),
        cmocka_unit_test(a_converted_folder_is_the_same_model),
        cmocka_unit_test(conversion_changes_the_type_of_matrices),
        cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(missing_files_are_named),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
