/* pre_names.c - the pre-tokenizers that GGUF files name (tokenizer.ggml.pre). */
#include "text/pre_names.h"

#include "base/check.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACE_RUNS   "\\s+(?!\\S)|\\s+"
#define LLAMA3_LIKE(numbers)                                                                       \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                                         \
                 "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" SPACE_RUNS
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define CASED(upper, lower, tail)                                                                  \
    "[^\\r\\n\\p{L}\\p{N}]?[" upper "]*[" lower "]+" tail                                          \
    "|[^\\r\\n\\p{L}\\p{N}]?[" upper "]+[" lower "]*" tail
#define O200K_LIKE(tail, numbers)                                                                  \
    CASED(UPPER, LOWER, tail)                                                                      \
    "|" numbers "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|" SPACE_RUNS
#define NOT_HAN "&&[^\\p{Han}]"
#define DEEPSEEK3                                                                                  \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                                       \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|"                      \
    "\\s*[\\r\\n]+|" SPACE_RUNS
#define DEEPSEEK_LETTERS                                                                           \
    "\\s?[A-Za-z"                                                                                  \
    "\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}\\x{1c4}-\\x{293}"      \
    "\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}\\x{37f}\\x{386}"          \
    "\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}\\x{3f7}-\\x{481}"                 \
    "\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}\\x{13a0}-\\x{13f5}"                     \
    "\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}"                 \
    "\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}"                 \
    "\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}"         \
    "\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}"        \
    "\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}"                 \
    "\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}\\x{210a}-\\x{2113}\\x{2115}"         \
    "\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}"         \
    "\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}"                   \
    "\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}"                  \
    "\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}"                 \
    "\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}"                 \
    "\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}"             \
    "\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}"         \
    "\\x{1e900}-\\x{1e943}"                                                                        \
    "]+"
#define BLOOM                                                                                      \
    " ?[^(\\s|[.,!?\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c}])]+"
#define CJK "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|" SPACE_RUNS

const char PATTERN_GPT2[] = GPT2;

#define BYTES {""}
#define DIGITS {"", SPLIT_ISOLATED, CLASS_NUMBER}

/* One recipe, and all names that mean it. */
static const struct pre_recipe recipes[] = {
    {.names = "gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code "
              "roberta-bpe gigachat a.x-4.0 mellum exaone4 jais trillion granite-docling",
     .steps = {{GPT2}}},
    {.names = "olmo mpt modern-bert", .nfc = true, .steps = {{GPT2}}},
    {.names = "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     .ignore_merges = true,
     .add_bos = true,
     .steps = {{LLAMA3_LIKE("\\p{N}{1,3}")}}},
    {.names = "dbrx smaug-bpe chatglm-bpe", .steps = {{LLAMA3_LIKE("\\p{N}{1,3}")}}},
    {.names = "glm4 glm5", .ignore_merges = true, .steps = {{LLAMA3_LIKE("\\p{N}{1,3}")}}},
    {.names = "qwen2 stablelm2 deepseek-r1-qwen kormo f2llmv2 megrez",
     .nfc = true,
     .steps = {{LLAMA3_LIKE("\\p{N}")}}},
    {.names = "hunyuan solar-open grok-2", .steps = {{LLAMA3_LIKE("\\p{N}")}}},
    {.names = "qwen35",
     .nfc = true,
     .steps = {{CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
                             "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" SPACE_RUNS}}},
    {.names = "deepseek-llm",
     .steps = {{"[\\r\\n]"},
               {DEEPSEEK_LETTERS},
               {"\\s?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}"
                "\\x{3000}-\\x{3002}]+"},
               {"\\s+$"},
               {CJK},
               DIGITS}},
    {.names = "deepseek-coder",
     .steps = {{"[\\r\\n]"}, {"\\s?\\p{L}+"}, {"\\s?\\p{P}+"}, {CJK}, DIGITS}},
    {.names = "deepseek-v3 hunyuan-dense joyai-llm",
     .steps = {{"\\p{N}{1,3}"},
               {"[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"},
               {DEEPSEEK3}}},
    {.names = "falcon",
     .steps = {{"", SPLIT_CONTIGUOUS, CLASS_PUNCTUATION},
               {GPT2},
               BYTES,
               {"", SPLIT_CONTIGUOUS, CLASS_NUMBER},
               {"[0-9][0-9][0-9]"}}},
    {.names = "smollm starcoder refact codeshell exaone minerva-7b mellum2",
     .steps = {DIGITS, {GPT2}}},
    {.names = "command-r", .nfc = true, .steps = {DIGITS, {GPT2}}},
    {.names = "bloom poro-chat gpt3-finnish", .steps = {{BLOOM}}},
    {.names = "viking", .steps = {{BLOOM}, DIGITS}},
    {.names = "tekken",
     .ignore_merges = true,
     .add_bos = true,
     .steps = {{O200K_LIKE("", "\\p{N}")}}},
    {.names = "gpt-4o llama4 kanana2 minimax-m2",
     .steps = {{O200K_LIKE(CONTRACTIONS "?", "\\p{N}{1,3}")}}},
    {.names = "kimi-k2",
     .steps = {{"[\\p{Han}]+|" CASED(UPPER NOT_HAN, LOWER NOT_HAN, CONTRACTIONS "?")
                "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" SPACE_RUNS}}},
    {.names = "tiny_aya cohere2moe",
     .nfc = true,
     .steps = {{"\\d{1,3}(?=(?:\\d{3})*\\b)"}, {O200K_LIKE(CONTRACTIONS "?", "\\p{N}{1,3}")}}},
    {.names = "seed-coder",
     .steps = {{CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| "
                             "?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|" SPACE_RUNS}}},
    {.names = "bailingmoe bailingmoe2 llada-moe",
     .steps = {{"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| "
                "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|" SPACE_RUNS}}},
    {.names = "minicpm5",
     .ignore_merges = true,
     .steps = {{"\\p{N}{1,3}"}, {LLAMA3_LIKE("\\p{N}+")}}},
    {.names = "superbpe", .steps = {{"\\p{N}+"}, {"(?=(\\d{3})+(?!\\d))"}}},
    {.names = "chameleon",
     .add_bos = true,
     .steps = {{"<sentinel:[0-9]+>"},
               {"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"},
               {"([\\t\\n]|    |  )"},
               {"\\p{N}"},
               {"[\\p{P}!-/:-@\\[-`{-~]"},
               {GPT2}}},
    {.names = "jais-2",
     .steps = {{CONTRACTIONS
                "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                "\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|"
                "\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|"
                "\\s{1}"}}},
    {.names = "exaone-moe",
     .steps = {{CONTRACTIONS
                "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| "
                "?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|" SPACE_RUNS}}},
    {.names = "ufakzeka",
     .steps = {{"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                "\\s*[\\r\\n]+|" SPACE_RUNS}}},
    {.names = "laguna", .steps = {{"[^\\n]+|[\\n]+"}, {LLAMA3_LIKE("\\p{N}")}}},
    {.names = "default",
     .steps = {{"[\\p{P}$+<=>^~|]+"}, {GPT2}, {"\\p{N}+"}, {"[0-9][0-9][0-9]"}}},
};

static bool lists(const char *names, struct str name)
{
    for (const char *at = names; *at;) {
        size_t n = strcspn(at, " ");
        if (str_eq((struct str){at, n}, name))
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

const struct pre_recipe *pre_recipe_find(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(recipes); i++)
        if (name.len && lists(recipes[i].names, name))
            return &recipes[i];
    return NULL;
}

/* A pattern with literal control and non-ASCII characters as escapes, as the table has them. */
static void escape_pattern(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.len;) {
        uint32_t c;
        int n = utf8_decode(s.ptr + i, s.len - i, &c);
        if (n > 1)
            buf_printf(out, "\\x{%x}", c);
        else if (s.ptr[i] == '\r' || s.ptr[i] == '\n')
            buf_str(out, s.ptr[i] == '\r' ? "\\r" : "\\n");
        else
            buf_char(out, s.ptr[i]);
        i += n > 1 ? (size_t)n : 1;
    }
}

static bool same_pattern(struct str a, const char *b)
{
    struct buf escaped;
    buf_init(&escaped, 1 << 20);
    escape_pattern(a, &escaped);
    bool same = !escaped.failed && str_is((struct str){escaped.bytes, escaped.n_bytes}, b);
    buf_release(&escaped);
    return same;
}

/* Whether the steps of t are those of a recipe, byte map included. */
static bool is_recipe(const struct pre_recipe *r, const struct tokenizer *t)
{
    size_t k = 0;
    bool mapped = false;
    if (t->n_norm != r->nfc || (r->nfc && t->norm[0].kind != NORM_NFC) ||
        t->bpe.ignore_merges != r->ignore_merges)
        return false;
    for (int i = 0; i < PRE_RECIPE_STEPS && r->steps[i].pattern; i++, k++) {
        if (k == t->n_pre)
            return false;
        const struct pre_step *step = &t->pre[k];
        bool bytes = !r->steps[i].pattern[0] && !r->steps[i].char_class;
        if (bytes ? step->kind != PRE_BYTE_MAP : step->kind != PRE_SPLIT)
            return false;
        mapped = mapped || bytes;
        if (!bytes && (step->invert || step->behaviour != r->steps[i].behaviour ||
                       step->char_class != r->steps[i].char_class ||
                       !same_pattern(step->text, r->steps[i].pattern)))
            return false;
    }
    return mapped ? k == t->n_pre : k + 1 == t->n_pre && t->pre[k].kind == PRE_BYTE_MAP;
}

struct str pre_recipe_name(const struct tokenizer *t)
{
    for (size_t i = 0; i < COUNT_OF(recipes); i++)
        if (is_recipe(&recipes[i], t))
            return (struct str){recipes[i].names, strcspn(recipes[i].names, " ")};
    return STR("");
}

enum err pre_recipe_apply(const struct pre_recipe *r, struct tokenizer *t, struct err_note *note)
{
    static const struct pre_step byte_map = {.kind = PRE_BYTE_MAP};
    bool mapped = false;
    enum err rc = r->nfc ? tokenizer_add_norm(t, NORM_NFC, STR(""), STR(""), note) : ERR_OK;
    for (int i = 0; rc == ERR_OK && i < PRE_RECIPE_STEPS && r->steps[i].pattern; i++) {
        struct str pattern = str_from(r->steps[i].pattern);
        if (r->steps[i].char_class) {
            rc = tokenizer_add_class(t, r->steps[i].char_class, r->steps[i].behaviour, note);
        } else if (pattern.len) {
            rc = tokenizer_add_split(t, pattern, r->steps[i].behaviour, false, note);
        } else {
            rc = tokenizer_add_pre(t, byte_map, note);
            mapped = true;
        }
    }
    if (rc == ERR_OK && !mapped)
        rc = tokenizer_add_pre(t, byte_map, note);
    t->bpe.ignore_merges = r->ignore_merges;
    return rc;
}
