/* tiny.h - the tiny models of tests/golden/model with their vectors (tools/mktiny.py). */
#ifndef UNIT_MODEL_TINY_H
#define UNIT_MODEL_TINY_H

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"
#include "lib/test.h"

static const char *const tiny_names[] = {
    "llama",   "llama-rope3", "llama-linear", "llama-dynamic", "llama-yarn",
    "mistral", "mixtral",     "qwen2",        "qwen3",         "qwen3moe",
    "phi3",    "phi3-long",   "gemma2",       "gemma3",        "gpt-oss",
};
enum { TINY_COUNT = sizeof tiny_names / sizeof *tiny_names };

struct tiny {
    struct table table;
    char *bytes; /* the vector file; the rest points into copies of it */
    uint32_t n_tokens, n_rows, n_vocab;
    int32_t *tokens; /* [n_tokens] */
    uint32_t *rows;  /* [n_rows] positions whose logits are known */
    double *logits;  /* [n_rows, n_vocab] */
};

static inline void *tiny_take(const char **at, size_t n_bytes)
{
    void *copy = mem_alloc(n_bytes);
    memcpy(copy, *at, n_bytes);
    *at += n_bytes;
    return copy;
}

static inline void tiny_open(struct tiny *m, const char *name)
{
    char path[512];
    struct err_note note = {""};
    size_t n_bytes;
    snprintf(path, sizeof path, TEST_DIR "/golden/model/%s.vec", name);
    if (file_read(path, 1 << 20, &m->bytes, &n_bytes, &note))
        fail_msg("%s", note.text);
    const char *at = m->bytes + 4;
    assert_memory_equal(m->bytes, "IVEC", 4);
    memcpy(&m->n_tokens, at, 4);
    memcpy(&m->n_rows, at + 4, 4);
    memcpy(&m->n_vocab, at + 8, 4);
    at += 12;
    m->tokens = tiny_take(&at, m->n_tokens * sizeof *m->tokens);
    m->rows = tiny_take(&at, m->n_rows * sizeof *m->rows);
    m->logits = tiny_take(&at, (size_t)m->n_rows * m->n_vocab * sizeof *m->logits);
    assert_int_equal(at - m->bytes, n_bytes);
    snprintf(path, sizeof path, TEST_DIR "/golden/model/%s.gguf", name);
    if (gguf_open(path, &m->table, &note))
        fail_msg("%s", note.text);
}

static inline void tiny_close(struct tiny *m)
{
    table_close(&m->table);
    mem_free(m->tokens);
    mem_free(m->rows);
    mem_free(m->logits);
    mem_free(m->bytes);
}

#endif
