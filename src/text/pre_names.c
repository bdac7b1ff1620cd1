/* pre_names.c - the pre-tokenizers that GGUF files name (tokenizer.ggml.pre). */
#include "text/pre_names.h"

#include "base/check.h"

#define CONTRACTIONS "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
#define SPACE_RUNS   "\\s+(?!\\S)|\\s+"
#define LLAMA3_LIKE(numbers)                                                                       \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers                                         \
                 "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" SPACE_RUNS
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K_LIKE(tail, numbers)                                                                  \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" tail "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER    \
    "*" tail "|" numbers "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|" SPACE_RUNS
#define DEEPSEEK3                                                                                  \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                                       \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|"                      \
    "\\s*[\\r\\n]+|" SPACE_RUNS
#define DEEPSEEK_LETTERS                                                                           \
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚ"  \
    "Ḁ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-"      \
    "ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
#define BLOOM " ?[^(\\s|.,!?…。，、।۔،)]+"
#define PUNCTUATION "[\\p{P}$+<=>^`|~]"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|" SPACE_RUNS

const char PATTERN_GPT2[] = GPT2;

#define BYTES ""

/* One recipe, and all names that mean it. */
static const struct pre_recipe recipes[] = {
    {.names = "gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code "
              "roberta-bpe gigachat a.x-4.0 mellum exaone4 jais trillion granite-docling",
     .steps = {{GPT2}}},
    {.names = "mpt olmo modern-bert", .nfc = true, .steps = {{GPT2}}},
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
               {"\\s?[!-/:-~！-／：-～‘-‟　-。]+"},
               {"\\s+$"},
               {"[一-龥ࠀ-一가-퟿]+"},
               {"\\p{N}+"}}},
    {.names = "deepseek-coder",
     .steps = {{"[\\r\\n]"}, {"\\s?\\p{L}+"}, {"\\s?\\p{P}+"}, {"[一-龥ࠀ-一가-퟿]+"}, {"\\p{N}"}}},
    {.names = "deepseek-v3 hunyuan-dense joyai-llm",
     .steps = {{"\\p{N}{1,3}"}, {"[一-龥぀-ゟ゠-ヿ]+"}, {DEEPSEEK3}}},
    {.names = "falcon",
     .steps = {{PUNCTUATION, SPLIT_CONTIGUOUS},
               {GPT2},
               {BYTES},
               {"\\p{N}", SPLIT_CONTIGUOUS},
               {"[0-9][0-9][0-9]"}}},
    {.names = "starcoder refact smollm codeshell exaone minerva-7b mellum2",
     .steps = {{"\\p{N}"}, {GPT2}}},
    {.names = "command-r", .nfc = true, .steps = {{"\\p{N}"}, {GPT2}}},
    {.names = "poro-chat bloom gpt3-finnish", .steps = {{BLOOM}}},
    {.names = "viking", .steps = {{BLOOM}, {"\\p{N}"}}},
    {.names = "tekken",
     .ignore_merges = true,
     .add_bos = true,
     .steps = {{O200K_LIKE("", "\\p{N}")}}},
    {.names = "gpt-4o llama4 kanana2 minimax-m2",
     .steps = {{O200K_LIKE(CONTRACTIONS "?", "\\p{N}{1,3}")}}},
    {.names = "tiny_aya cohere2moe",
     .nfc = true,
     .steps = {{"\\d{1,3}(?=(?:\\d{3})*\\b)"}, {O200K_LIKE(CONTRACTIONS "?", "\\p{N}{1,3}")}}},
    {.names = "seed-coder",
     .steps = {{CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
                             "?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|" SPACE_RUNS}}},
    {.names = "bailingmoe bailingmoe2 llada-moe",
     .steps = {{"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
                "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|" SPACE_RUNS}}},
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

enum err pre_recipe_apply(const struct pre_recipe *r, struct tokenizer *t, struct err_note *note)
{
    static const struct pre_step byte_map = {.kind = PRE_BYTE_MAP};
    bool mapped = false;
    enum err rc = r->nfc ? tokenizer_add_norm(t, NORM_NFC, STR(""), STR(""), note) : ERR_OK;
    for (int i = 0; rc == ERR_OK && i < PRE_RECIPE_STEPS && r->steps[i].pattern; i++) {
        struct str pattern = str_from(r->steps[i].pattern);
        if (pattern.len) {
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
