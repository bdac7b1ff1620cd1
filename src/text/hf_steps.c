/* hf_steps.c - normalizers and pre-tokenizers of a tokenizer.json. */
#include "text/hf_steps.h"

#include "base/base64.h"
#include "base/check.h"
#include "text/hf_json.h"

static enum err too_deep(const char *what, struct err_note *note)
{
    return err_set(note, ERR_LIMIT, "%s sequences nested more than %d deep", what, HF_DEPTH_MAX);
}

static enum err unsupported(const char *what, struct str type, struct err_note *note)
{
    return err_set(note, ERR_UNSUPPORTED, "%s \"%.*s\" is not supported", what, STR_ARG(type));
}

/* A literal text as a pattern. */
static void escape_literal(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
            buf_printf(out, "\\x{%02x}", c);
        else
            buf_char(out, s.ptr[i]);
    }
}

/* {"String": s} or {"Regex": s}, or a plain string, as a pattern. */
static enum err read_pattern(const json_t *object, const char *owner, struct buf *out,
                             struct err_note *note)
{
    const json_t *pattern = hf_get(object, "pattern");
    const json_t *regex = hf_get(pattern, "Regex"), *literal = hf_get(pattern, "String");
    literal = json_is_string(pattern) ? pattern : literal;
    if (json_is_string(regex))
        buf_add(out, json_string_value(regex), json_string_length(regex));
    else if (json_is_string(literal))
        escape_literal(hf_text(literal), out);
    else
        return err_set(note, ERR_FORMAT, "pattern of %s is neither a String nor a Regex", owner);
    return out->failed || out->n_bytes == 0
               ? err_set(note, ERR_FORMAT, "pattern of %s is empty or too long", owner)
               : ERR_OK;
}

static enum err bert_normalizer(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    bool clean = false, chinese = false, lowercase = false, accents = false;
    const char *owner = "BertNormalizer";
    enum err rc = hf_bool(o, owner, "clean_text", true, &clean, note);
    rc = rc ? rc : hf_bool(o, owner, "handle_chinese_chars", true, &chinese, note);
    rc = rc ? rc : hf_bool(o, owner, "lowercase", true, &lowercase, note);
    rc = rc ? rc : hf_bool(o, owner, "strip_accents", lowercase, &accents, note);
    const struct {
        bool wanted;
        enum norm_kind kind;
    } steps[] = {{clean, NORM_CLEAN},
                 {chinese, NORM_CHINESE},
                 {accents, NORM_NFD},
                 {accents, NORM_STRIP_NONSPACING},
                 {lowercase, NORM_LOWERCASE}};
    for (size_t i = 0; rc == ERR_OK && i < COUNT_OF(steps); i++)
        if (steps[i].wanted)
            rc = tokenizer_add_norm(t, steps[i].kind, STR(""), STR(""), note);
    return rc;
}

static enum err strip_normalizer(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    bool left, right;
    enum err rc = hf_bool(o, "Strip", "strip_left", true, &left, note);
    rc = rc ? rc : hf_bool(o, "Strip", "strip_right", true, &right, note);
    if (rc == ERR_OK && left)
        rc = tokenizer_add_norm(t, NORM_STRIP_LEFT, STR(""), STR(""), note);
    if (rc == ERR_OK && right)
        rc = tokenizer_add_norm(t, NORM_STRIP_RIGHT, STR(""), STR(""), note);
    return rc;
}

static enum err replace_normalizer(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct str content;
    struct buf pattern;
    buf_init(&pattern, TOKEN_BYTES_MAX);
    enum err rc = hf_str(o, "Replace", "content", STR(""), &content, note);
    rc = rc ? rc : read_pattern(o, "Replace", &pattern, note);
    if (rc == ERR_OK)
        rc = tokenizer_add_norm(t, NORM_REPLACE, (struct str){pattern.bytes, pattern.n_bytes},
                                content, note);
    buf_release(&pattern);
    return rc;
}

static enum err precompiled_normalizer(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct str text;
    struct buf map;
    buf_init(&map, 16 << 20);
    enum err rc = hf_str(o, "Precompiled", "precompiled_charsmap", STR(""), &text, note);
    rc = rc ? rc : base64_decode(text, &map, note);
    rc = rc ? rc : charsmap_check((struct str){map.bytes, map.n_bytes}, note);
    rc = rc ? rc
            : tokenizer_add_norm(t, NORM_CHARSMAP, (struct str){map.bytes, map.n_bytes}, STR(""),
                                 note);
    buf_release(&map);
    return rc;
}

static enum err prepend_normalizer(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct str text;
    enum err rc = hf_str(o, "Prepend", "prepend", STR(""), &text, note);
    return rc ? rc : tokenizer_add_norm(t, NORM_PREPEND, text, STR(""), note);
}

enum err hf_normalizer(struct tokenizer *t, const json_t *value, int depth, struct err_note *note)
{
    static const struct {
        const char *type;
        enum norm_kind kind;
    } plain[] = {{"NFC", NORM_NFC},   {"NFD", NORM_NFD},
                 {"NFKC", NORM_NFKC}, {"NFKD", NORM_NFKD},
                 {"Nmt", NORM_NMT},   {"Lowercase", NORM_LOWERCASE},
                 {"ByteLevel", NORM_BYTE_MAP}, {"StripAccents", NORM_STRIP_ACCENTS}};
    static const struct {
        const char *type;
        enum err (*read)(struct tokenizer *t, const json_t *o, struct err_note *note);
    } others[] = {{"BertNormalizer", bert_normalizer},
                  {"Strip", strip_normalizer},
                  {"Replace", replace_normalizer},
                  {"Precompiled", precompiled_normalizer},
                  {"Prepend", prepend_normalizer}};
    struct str type;
    const json_t *items;
    if (!value)
        return ERR_OK;
    if (depth > HF_DEPTH_MAX)
        return too_deep("normalizer", note);
    enum err rc = hf_str(value, "normalizer", "type", STR(""), &type, note);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        if (str_is(type, plain[i].type))
            return tokenizer_add_norm(t, plain[i].kind, STR(""), STR(""), note);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (str_is(type, others[i].type))
            return others[i].read(t, value, note);
    if (!str_is(type, "Sequence"))
        return unsupported("normalizer", type, note);
    rc = hf_array(value, "normalizer", "normalizers", &items, note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(items); i++)
        rc = hf_normalizer(t, json_array_get(items, i), depth + 1, note);
    return rc;
}

static enum err read_behaviour(const json_t *o, const char *owner, enum split_behaviour *out,
                               struct err_note *note)
{
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    struct str name;
    enum err rc = hf_str(o, owner, "behavior", STR("Isolated"), &name, note);
    for (int i = 0; rc == ERR_OK && i < (int)COUNT_OF(names); i++) {
        if (str_is(name, names[i])) {
            *out = (enum split_behaviour)i;
            return ERR_OK;
        }
    }
    return rc ? rc : unsupported("split behavior", name, note);
}

static enum err split_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    bool invert;
    enum split_behaviour behaviour = SPLIT_ISOLATED;
    struct buf pattern;
    buf_init(&pattern, TOKEN_BYTES_MAX);
    enum err rc = read_pattern(o, "Split", &pattern, note);
    rc = rc ? rc : read_behaviour(o, "Split", &behaviour, note);
    rc = rc ? rc : hf_bool(o, "Split", "invert", false, &invert, note);
    if (rc == ERR_OK)
        rc = tokenizer_add_split(t, (struct str){pattern.bytes, pattern.n_bytes}, behaviour, invert,
                                 note);
    buf_release(&pattern);
    return rc;
}

static enum err byte_level_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    bool prefix, use_regex;
    enum err rc = hf_bool(o, "ByteLevel", "add_prefix_space", true, &prefix, note);
    rc = rc ? rc : hf_bool(o, "ByteLevel", "use_regex", true, &use_regex, note);
    if (rc == ERR_OK && prefix)
        rc = tokenizer_add_pre(t, (struct pre_step){.kind = PRE_PREFIX_SPACE}, note);
    if (rc == ERR_OK && use_regex)
        rc = tokenizer_add_split(t, str_from(PATTERN_GPT2), SPLIT_ISOLATED, false, note);
    return rc ? rc : tokenizer_add_pre(t, (struct pre_step){.kind = PRE_BYTE_MAP}, note);
}

/* Older files say add_prefix_space instead of prepend_scheme. */
static enum err metaspace_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct pre_step step = {.kind = PRE_METASPACE};
    struct str scheme;
    bool prefix, split;
    enum err rc = hf_str(o, "Metaspace", "replacement", STR("\xe2\x96\x81"), &step.text, note);
    rc = rc ? rc : hf_bool(o, "Metaspace", "add_prefix_space", true, &prefix, note);
    rc = rc ? rc : hf_bool(o, "Metaspace", "split", true, &split, note);
    rc = rc ? rc : hf_str(o, "Metaspace", "prepend_scheme", STR("always"), &scheme, note);
    if (rc != ERR_OK)
        return rc;
    if (!prefix || str_is(scheme, "never"))
        step.scheme = METASPACE_NEVER;
    else if (str_is(scheme, "first"))
        step.scheme = METASPACE_FIRST;
    else if (str_is(scheme, "always"))
        step.scheme = METASPACE_ALWAYS;
    else
        return unsupported("Metaspace prepend_scheme", scheme, note);
    struct buf pattern;
    buf_init(&pattern, TOKEN_BYTES_MAX);
    escape_literal(step.text, &pattern);
    rc = tokenizer_add_pre(t, step, note);
    if (rc == ERR_OK && split)
        rc = tokenizer_add_split(t, (struct str){pattern.bytes, pattern.n_bytes}, SPLIT_MERGED_NEXT,
                                 false, note);
    buf_release(&pattern);
    return rc;
}

static enum err digits_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    bool single;
    enum err rc = hf_bool(o, "Digits", "individual_digits", false, &single, note);
    return rc ? rc
              : tokenizer_add_class(t, CLASS_NUMBER, single ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS,
                                    note);
}

static enum err punctuation_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    enum split_behaviour behaviour = SPLIT_ISOLATED;
    enum err rc = read_behaviour(o, "Punctuation", &behaviour, note);
    return rc ? rc : tokenizer_add_class(t, CLASS_PUNCTUATION, behaviour, note);
}

static enum err whitespace_split_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    (void)o;
    return tokenizer_add_class(t, CLASS_SPACE, SPLIT_REMOVED, note);
}

static enum err whitespace_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    enum err rc = whitespace_split_pre(t, o, note);
    return rc ? rc : tokenizer_add_class(t, CLASS_WORD, SPLIT_CONTIGUOUS, note);
}

static enum err bert_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    enum err rc = whitespace_split_pre(t, o, note);
    return rc ? rc : tokenizer_add_class(t, CLASS_PUNCTUATION, SPLIT_ISOLATED, note);
}

static enum err delimiter_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct str delimiter;
    struct buf pattern;
    buf_init(&pattern, 64);
    enum err rc = hf_str(o, "CharDelimiterSplit", "delimiter", STR(""), &delimiter, note);
    if (rc == ERR_OK)
        escape_literal(delimiter, &pattern);
    if (rc == ERR_OK && (pattern.n_bytes == 0 || pattern.failed))
        rc = err_set(note, ERR_FORMAT, "delimiter of CharDelimiterSplit is not one character");
    if (rc == ERR_OK)
        rc = tokenizer_add_split(t, (struct str){pattern.bytes, pattern.n_bytes}, SPLIT_REMOVED,
                                 false, note);
    buf_release(&pattern);
    return rc;
}

static enum err fixed_length_pre(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    int64_t length;
    char pattern[40];
    enum err rc = hf_int(o, "FixedLength", "length", 5, &length, note);
    if (rc != ERR_OK)
        return rc;
    if (length < 1 || length > 1000)
        return err_set(note, ERR_UNSUPPORTED, "length of FixedLength is %lld, supported 1 to 1000",
                       (long long)length);
    int n = snprintf(pattern, sizeof pattern, "(?m:.{1,%lld})", (long long)length);
    return tokenizer_add_split(t, (struct str){pattern, (size_t)n}, SPLIT_ISOLATED, false, note);
}

enum err hf_pre_tokenizer(struct tokenizer *t, const json_t *value, int depth,
                          struct err_note *note)
{
    static const struct {
        const char *type;
        enum err (*read)(struct tokenizer *t, const json_t *o, struct err_note *note);
    } kinds[] = {{"ByteLevel", byte_level_pre},
                 {"Split", split_pre},
                 {"Metaspace", metaspace_pre},
                 {"Digits", digits_pre},
                 {"Punctuation", punctuation_pre},
                 {"Whitespace", whitespace_pre},
                 {"WhitespaceSplit", whitespace_split_pre},
                 {"BertPreTokenizer", bert_pre},
                 {"CharDelimiterSplit", delimiter_pre},
                 {"FixedLength", fixed_length_pre}};
    struct str type;
    const json_t *items;
    if (!value)
        return ERR_OK;
    if (depth > HF_DEPTH_MAX)
        return too_deep("pre-tokenizer", note);
    enum err rc = hf_str(value, "pre_tokenizer", "type", STR(""), &type, note);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (str_is(type, kinds[i].type))
            return kinds[i].read(t, value, note);
    if (!str_is(type, "Sequence"))
        return unsupported("pre-tokenizer", type, note);
    rc = hf_array(value, "pre_tokenizer", "pretokenizers", &items, note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(items); i++)
        rc = hf_pre_tokenizer(t, json_array_get(items, i), depth + 1, note);
    return rc;
}
