/* fuzz_encode.c - any bytes as text: what a byte-level tokenizer encodes decodes to the repaired
 * text, at once and as a stream, for every pre-tokenizer without a normalizer. */
#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"
#include "text/stream.h"
#include "text/tokenizer_int.h"
#include "text/tokenizer_meta.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const char *const names[] = {"gpt-2",       "llama-bpe", "deepseek-llm", "deepseek-coder",
                                    "deepseek-v3", "falcon",    "smollm",       "tekken",
                                    "gpt-4o",      "kimi-k2",   "bloom",        "viking",
                                    "bailingmoe",  "jais-2",    "exaone-moe",   "default"};
enum { N_NAMES = sizeof names / sizeof *names, N_MERGES = 8, N_TOKENS = 256 + N_MERGES };

/* The 256 bytes and a few merges: letters, spaces, digits, halves of characters. */
static struct tokenizer *make(const char *pre)
{
    static char texts[256][4];
    static struct str tokens[N_TOKENS];
    static const struct str merges[N_MERGES] = {{"a b", 3},
                                                {"ab c", 4},
                                                {"\xc4\xa0 \xc4\xa0", 5},
                                                {"\xc4\xa0 a", 4},
                                                {"1 2", 3},
                                                {"\xc4\x8a \xc4\x8a", 5},
                                                {"\xc3\xa4 \xc2\xbd", 5},
                                                {"' s", 3}};
    static const struct str merged[N_MERGES] = {{"ab", 2},
                                                {"abc", 3},
                                                {"\xc4\xa0\xc4\xa0", 4},
                                                {"\xc4\xa0"
                                                 "a",
                                                 3},
                                                {"12", 2},
                                                {"\xc4\x8a\xc4\x8a", 4},
                                                {"\xc3\xa4\xc2\xbd", 4},
                                                {"'s", 2}};
    struct tokenizer_meta m;
    struct tokenizer *t;
    for (unsigned b = 0; b < 256; b++)
        tokens[b] = (struct str){texts[b],
                                 (size_t)utf8_encode(byte_map_char((unsigned char)b), texts[b])};
    for (int i = 0; i < N_MERGES; i++)
        tokens[256 + i] = merged[i];
    tokenizer_meta_init(&m);
    m.model = STR("gpt2");
    m.pre = str_from(pre);
    m.tokens = tokens;
    m.n_tokens = N_TOKENS;
    m.merges = merges;
    m.n_merges = N_MERGES;
    CHECK(tokenizer_from_meta(&m, &t, NULL) == ERR_OK);
    return t;
}

static void check_same(const struct buf *a, const struct buf *b)
{
    CHECK(!a->failed && !b->failed && a->n_bytes == b->n_bytes);
    CHECK(a->n_bytes == 0 || memcmp(a->bytes, b->bytes, a->n_bytes) == 0);
}

/* The first byte chooses the pre-tokenizer. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static struct tokenizer *made[N_NAMES];
    if (n_bytes == 0)
        return 0;
    struct tokenizer **t = &made[bytes[0] % N_NAMES];
    if (!*t)
        *t = make(names[bytes[0] % N_NAMES]);
    struct str text = {(const char *)bytes + 1, n_bytes - 1};
    struct token_list ids = {.n_ids_max = 4 * n_bytes};
    struct buf repaired, decoded, streamed;
    struct stream s;
    buf_init(&repaired, 4 * n_bytes);
    buf_init(&decoded, 4 * n_bytes);
    buf_init(&streamed, 4 * n_bytes);
    utf8_repair(text, &repaired);
    CHECK(tokenizer_encode(*t, text, ENCODE_ADD_SPECIAL, &ids, NULL) == ERR_OK);
    CHECK(tokenizer_decode(*t, ids.ids, ids.n_ids, 0, &decoded, NULL) == ERR_OK);
    stream_init(&s, *t, 0);
    for (size_t i = 0; i < ids.n_ids; i++)
        stream_add(&s, ids.ids[i], &streamed);
    stream_end(&s, &streamed);
    check_same(&repaired, &decoded);
    check_same(&repaired, &streamed);
    token_list_release(&ids);
    buf_release(&repaired);
    buf_release(&decoded);
    buf_release(&streamed);
    return 0;
}
