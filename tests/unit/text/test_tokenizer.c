/* test_tokenizer.c - token for token what `tokenizers` answers, for every family.
 *
 * Vectors: tests/golden/text, written by tools/tokenizer_vectors.py. */
#include "lib/test.h"

#include <jansson.h>

#include "base/mem.h"
#include "text/stream.h"
#include "text/tokenizer_meta.h"
#include "text/utf8.h"

static const char *const families[] = {
    "gpt-2",         "olmo",           "llama-bpe",   "dbrx",           "qwen2",
    "qwen35",        "deepseek-llm",   "deepseek-v3", "deepseek-coder", "falcon",
    "smollm",        "command-r",      "tekken",      "gpt-4o",         "kimi-k2",
    "bloom",         "viking",         "bailingmoe",  "seed-coder",     "tiny_aya",
    "roberta",       "llama",          "phi3",        "llama-first",    "gemma",
    "t5",            "unigram-bytes",  "albert",      "bert-uncased",   "bert-cased",
    "nfkc",          "nfd",            "nmt",         "fixed",          "split-isolated",
    "split-removed", "split-previous", "split-next",  "split-contiguous",
};

enum { PROBE_BYTES_MAX = 1 << 16, PROBE_TOKENS_MAX = 4096 };

/* The texts, and what one family makes of them. */
struct vectors {
    const char *name;
    json_t *root;
    struct tokenizer *t;
};
static struct buf *probes;
static size_t n_probes;

static json_t *load(const char *name)
{
    char path[1000];
    json_error_t error;
    snprintf(path, sizeof path, "%s/golden/text/%s.json", TEST_DIR, name);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!root)
        fail_msg("%s: line %d: %s", path, error.line, error.text);
    return root;
}

static int load_probes(void **state)
{
    (void)state;
    json_t *root = load("probes");
    n_probes = json_array_size(root);
    probes = calloc(n_probes, sizeof *probes);
    for (size_t i = 0; i < n_probes; i++) {
        const char *hex = json_string_value(json_array_get(root, i));
        buf_init(&probes[i], PROBE_BYTES_MAX);
        buf_str(&probes[i], "");
        for (; *hex; hex += 2) {
            char byte[3] = {hex[0], hex[1], 0};
            buf_char(&probes[i], (char)strtoul(byte, NULL, 16));
        }
    }
    json_decref(root);
    return 0;
}

static int free_probes(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_probes; i++)
        buf_release(&probes[i]);
    free(probes);
    return 0;
}

static struct vectors vectors_open(const char *name)
{
    struct vectors v = {name, load(name), NULL};
    struct err_note note = {""};
    char *text = json_dumps(json_object_get(v.root, "tokenizer"), JSON_COMPACT);
    const struct str config = STR("{\"model_max_length\": 1000000000000000019884624838656}");
    if (tokenizer_from_json(str_from(text), config, &v.t, &note) != ERR_OK)
        fail_msg("%s: %s", name, note.text);
    free(text);
    return v;
}

static void vectors_close(struct vectors *v)
{
    tokenizer_free(v->t);
    json_decref(v->root);
}

static struct str probe(size_t i)
{
    return (struct str){probes[i].bytes, probes[i].n_bytes};
}

/* tools/tokenizer_vectors.py: DIGITS. */
static int digit(char c)
{
    static const char escaped[] = "\"&'\\";
    int d = c - 0x21;
    for (const char *e = escaped; *e; e++)
        d -= *e < c;
    return d;
}

static size_t unpack(const json_t *packed, int32_t *ids)
{
    const char *s = json_string_value(packed);
    size_t n = json_string_length(packed) / 2;
    assert_true(n <= PROBE_TOKENS_MAX);
    for (size_t i = 0; i < n; i++)
        ids[i] = digit(s[2 * i]) * 90 + digit(s[2 * i + 1]);
    return n;
}

static void append(const json_t *list, int32_t *ids, size_t *n)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        ids[(*n)++] = (int32_t)json_integer_value(json_array_get(list, i));
}

static void check_ids(const struct tokenizer *t, const char *name, size_t i, unsigned flags,
                      const int32_t *want, size_t n_want)
{
    struct token_list got = {.n_ids_max = 2 * PROBE_TOKENS_MAX};
    struct err_note note;
    assert_ok(tokenizer_encode(t, probe(i), flags, &got, &note));
    size_t k = 0;
    while (k < got.n_ids && k < n_want && got.ids[k] == want[k])
        k++;
    if (got.n_ids != n_want || k < n_want)
        fail_msg("%s: text %zu \"%s\": %zu tokens, want %zu; first difference at %zu", name, i,
                 probes[i].bytes, got.n_ids, n_want, k);
    token_list_release(&got);
}

/* Decoding at once and as a stream both give the text that `tokenizers` gives. */
static void check_text(const struct vectors *v, size_t i, const int32_t *ids, size_t n_ids)
{
    const json_t *want = json_array_get(json_object_get(v->root, "text"), i);
    struct buf bytes, text, streamed, expected;
    struct stream s;
    buf_init(&bytes, PROBE_BYTES_MAX);
    buf_init(&text, PROBE_BYTES_MAX);
    buf_init(&streamed, PROBE_BYTES_MAX);
    buf_init(&expected, PROBE_BYTES_MAX);
    if (json_is_string(want))
        buf_add(&expected, json_string_value(want), json_string_length(want));
    else
        utf8_repair(probe(i), &expected);
    stream_init(&s, v->t, 0);
    for (size_t k = 0; k < n_ids; k++)
        stream_add(&s, ids[k], &streamed);
    stream_end(&s, &streamed);
    assert_ok(tokenizer_decode(v->t, ids, n_ids, 0, &bytes, NULL));
    utf8_repair((struct str){bytes.bytes, bytes.n_bytes}, &text);
    if (!str_eq((struct str){text.bytes, text.n_bytes},
                (struct str){expected.bytes, expected.n_bytes}))
        fail_msg("%s: text %zu decodes to \"%s\", want \"%s\"", v->name, i, text.bytes,
                 expected.bytes);
    assert_int_equal(text.n_bytes, streamed.n_bytes);
    if (text.n_bytes)
        assert_memory_equal(text.bytes, streamed.bytes, text.n_bytes);
    buf_release(&bytes);
    buf_release(&text);
    buf_release(&streamed);
    buf_release(&expected);
}

static bool has_special(const struct tokenizer *t, const int32_t *ids, size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found = found || (tokenizer_token_type(t, ids[i]) == TOKEN_CONTROL &&
                          ids[i] != tokenizer_unk(t));
    return found;
}

/* Where `tokenizers` lets plain text become a special token, we do not. */
static void check_no_special(const struct tokenizer *t, size_t i)
{
    struct token_list got = {.n_ids_max = 2 * PROBE_TOKENS_MAX};
    assert_ok(tokenizer_encode(t, probe(i), 0, &got, NULL));
    assert_false(has_special(t, got.ids, got.n_ids));
    token_list_release(&got);
}

static void check_all_ids(const struct vectors *v, const struct tokenizer *t, size_t i)
{
    const json_t *around = json_object_get(v->root, "around");
    const json_t *packed = json_array_get(json_object_get(v->root, "ids"), i);
    const json_t *plain = json_array_get(json_object_get(v->root, "plain"), i);
    int32_t ids[PROBE_TOKENS_MAX + 100], want[PROBE_TOKENS_MAX + 100];
    size_t n_ids = unpack(packed, ids), n = 0;
    check_ids(t, v->name, i, ENCODE_PARSE_SPECIAL, ids, n_ids);
    append(json_array_get(around, 0), want, &n);
    memcpy(want + n, ids, n_ids * sizeof *ids);
    n += n_ids;
    append(json_array_get(around, 1), want, &n);
    check_ids(t, v->name, i, ENCODE_ADD_SPECIAL | ENCODE_PARSE_SPECIAL, want, n);
    n = unpack(json_is_null(plain) ? packed : plain, want);
    if (!has_special(v->t, want, n))
        check_ids(t, v->name, i, 0, want, n);
    else
        check_no_special(t, i);
}

static void equals_tokenizers(void **state)
{
    (void)state;
    for (size_t f = 0; f < COUNT_OF(families); f += test_every(3)) {
        struct vectors v = vectors_open(families[f]);
        const json_t *ids = json_object_get(v.root, "ids");
        assert_int_equal(json_array_size(ids), n_probes);
        for (size_t i = 0; i < n_probes; i++) {
            int32_t id[PROBE_TOKENS_MAX];
            size_t n = unpack(json_array_get(ids, i), id);
            check_all_ids(&v, v.t, i);
            check_text(&v, i, id, n);
        }
        vectors_close(&v);
    }
}

/* The families that GGUF metadata can express give the same ids after the way there and back. */
static void equals_after_gguf(void **state)
{
    (void)state;
    static const char *const not_in_gguf[] = {"roberta",       "albert", "unigram-bytes",
                                              "nfkc",          "nfd",    "nmt",
                                              "fixed",         "split-", NULL};
    for (size_t f = 0; f < COUNT_OF(families); f += test_every(3)) {
        struct vectors v = vectors_open(families[f]);
        struct tokenizer_meta m;
        struct tokenizer *t = NULL;
        struct err_note note = {""};
        bool refused = false;
        for (int i = 0; not_in_gguf[i]; i++)
            refused = refused || str_starts(str_from(v.name), str_from(not_in_gguf[i]));
        enum err rc = tokenizer_to_meta(v.t, tokenizer_n_tokens(v.t) + 7, &m, &note);
        if (rc != (refused ? ERR_UNSUPPORTED : ERR_OK))
            fail_msg("%s: %s: %s", v.name, err_name(rc), note.text);
        if (rc == ERR_OK && tokenizer_from_meta(&m, &t, &note) != ERR_OK)
            fail_msg("%s: %s", v.name, note.text);
        if (t) {
            struct str pre = str_from(json_is_null(json_object_get(v.root, "pre"))
                                          ? "default"
                                          : json_string_value(json_object_get(v.root, "pre")));
            assert_true(str_eq(m.pre, pre) || !str_is(m.model, "gpt2"));
            assert_int_equal(tokenizer_n_tokens(t), tokenizer_n_tokens(v.t) + 7);
        }
        for (size_t i = 0; t && i < n_probes; i++)
            check_all_ids(&v, t, i);
        tokenizer_free(t);
        tokenizer_meta_release(&m);
        vectors_close(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_tokenizers),
        cmocka_unit_test(equals_after_gguf),
    };
    return cmocka_run_group_tests(tests, load_probes, free_probes);
}
