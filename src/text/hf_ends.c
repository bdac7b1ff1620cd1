/* hf_ends.c - post-processors and decoders of a tokenizer.json. */
#include "text/hf_steps.h"

#include "base/check.h"
#include "text/hf_json.h"

static enum err unsupported(const char *what, struct str type, struct err_note *note)
{
    return err_set(note, ERR_UNSUPPORTED, "%s \"%.*s\" is not supported", what, STR_ARG(type));
}

/* Append an id of the vocabulary to the ids before or after a text. */
static enum err add_id(struct tokenizer *t, bool before, int64_t id, struct err_note *note)
{
    size_t *n = before ? &t->n_before : &t->n_after;
    if (id < 0 || (uint64_t)id >= t->vocab.n_tokens)
        return err_set(note, ERR_FORMAT, "the post-processor adds token %lld of %zu tokens",
                       (long long)id, t->vocab.n_tokens);
    if (*n == STEPS_MAX)
        return err_set(note, ERR_LIMIT, "the post-processor adds more than %d tokens", STEPS_MAX);
    (before ? t->before : t->after)[(*n)++] = (int32_t)id;
    return ERR_OK;
}

/* All ids that the template's own table gives a special token. */
static enum err add_template_token(struct tokenizer *t, const json_t *table, struct str name,
                                   bool before, struct err_note *note)
{
    const json_t *entry = json_object_getn(table, name.ptr, name.len), *ids;
    if (!entry)
        return err_set(note, ERR_FORMAT, "TemplateProcessing uses \"%.*s\" but does not define it",
                       STR_ARG(name));
    enum err rc = hf_array(entry, "TemplateProcessing", "ids", &ids, note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        rc = add_id(t, before, json_is_integer(id) ? json_integer_value(id) : -1, note);
    }
    return rc;
}

static enum err template_post(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    const json_t *single, *table = hf_get(o, "special_tokens");
    bool before = true;
    enum err rc = hf_array(o, "TemplateProcessing", "single", &single, note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const json_t *token = hf_get(item, "SpecialToken"), *text = hf_get(item, "Sequence");
        struct str name;
        if (text && !before)
            return err_set(note, ERR_UNSUPPORTED, "TemplateProcessing names its text twice");
        if (!text && !token)
            return err_set(note, ERR_FORMAT,
                           "TemplateProcessing has an item that is neither token nor text");
        if (text) {
            before = false;
            continue;
        }
        rc = hf_str(token, "SpecialToken", "id", STR(""), &name, note);
        rc = rc ? rc : add_template_token(t, table, name, before, note);
    }
    return rc;
}

/* ["[CLS]", 101] */
static enum err pair_post(struct tokenizer *t, const json_t *o, const char *key, bool before,
                          struct err_note *note)
{
    const json_t *pair;
    enum err rc = hf_array(o, "post_processor", key, &pair, note);
    const json_t *id = json_array_get(pair, 1);
    return rc ? rc : add_id(t, before, json_is_integer(id) ? json_integer_value(id) : -1, note);
}

enum err hf_post_processor(struct tokenizer *t, const json_t *value, int depth,
                           struct err_note *note)
{
    struct str type;
    const json_t *items;
    if (!value)
        return ERR_OK;
    if (depth > HF_DEPTH_MAX)
        return err_set(note, ERR_LIMIT, "post-processors nested more than %d deep", HF_DEPTH_MAX);
    enum err rc = hf_str(value, "post_processor", "type", STR(""), &type, note);
    if (rc != ERR_OK || str_is(type, "ByteLevel")) /* moves offsets only */
        return rc;
    if (str_is(type, "TemplateProcessing"))
        return template_post(t, value, note);
    if (str_is(type, "BertProcessing") || str_is(type, "RobertaProcessing")) {
        rc = pair_post(t, value, "cls", true, note);
        return rc ? rc : pair_post(t, value, "sep", false, note);
    }
    if (!str_is(type, "Sequence"))
        return unsupported("post-processor", type, note);
    rc = hf_array(value, "post_processor", "processors", &items, note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(items); i++)
        rc = hf_post_processor(t, json_array_get(items, i), depth + 1, note);
    return rc;
}

static enum err replace_decoder(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct decode_step step = {.kind = DECODE_REPLACE};
    const json_t *pattern = hf_get(hf_get(o, "pattern"), "String");
    if (!json_is_string(pattern) || json_string_length(pattern) == 0)
        return err_set(note, ERR_UNSUPPORTED, "a Replace decoder whose pattern is not a String");
    step.a = hf_text(pattern);
    enum err rc = hf_str(o, "Replace", "content", STR(""), &step.b, note);
    return rc ? rc : tokenizer_add_decode(t, step, note);
}

/* Strip is supported where published files have it: spaces, from the start of the fused text. */
static enum err strip_decoder(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct decode_step step = {.kind = DECODE_STRIP, .b = STR("")};
    int64_t start, stop;
    bool fused = t->n_decode > 0 && t->decode[t->n_decode - 1].kind == DECODE_FUSE;
    enum err rc = hf_str(o, "Strip", "content", STR(" "), &step.a, note);
    rc = rc ? rc : hf_int(o, "Strip", "start", 0, &start, note);
    rc = rc ? rc : hf_int(o, "Strip", "stop", 0, &stop, note);
    if (rc == ERR_OK && (!fused || stop != 0 || start < 0 || start > 1000 || !str_is(step.a, " ")))
        rc = err_set(note, ERR_UNSUPPORTED,
                     "a Strip decoder that does not strip spaces from the start of fused text");
    if (rc == ERR_OK)
        step.n_start = (int)start;
    return rc ? rc : tokenizer_add_decode(t, step, note);
}

static enum err metaspace_decoder(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct decode_step step = {.kind = DECODE_METASPACE, .b = STR(" ")};
    struct str scheme;
    bool prefix;
    enum err rc = hf_str(o, "Metaspace", "replacement", STR("\xe2\x96\x81"), &step.a, note);
    rc = rc ? rc : hf_bool(o, "Metaspace", "add_prefix_space", true, &prefix, note);
    rc = rc ? rc : hf_str(o, "Metaspace", "prepend_scheme", STR("always"), &scheme, note);
    if (rc == ERR_OK)
        step.flag = prefix && !str_is(scheme, "never");
    return rc ? rc : tokenizer_add_decode(t, step, note);
}

static enum err wordpiece_decoder(struct tokenizer *t, const json_t *o, struct err_note *note)
{
    struct decode_step step = {.kind = DECODE_WORDPIECE, .b = STR("")};
    enum err rc = hf_str(o, "WordPiece", "prefix", STR("##"), &step.a, note);
    rc = rc ? rc : hf_bool(o, "WordPiece", "cleanup", true, &step.flag, note);
    return rc ? rc : tokenizer_add_decode(t, step, note);
}

static enum err plain_decoder(struct tokenizer *t, enum decode_kind kind, struct err_note *note)
{
    return tokenizer_add_decode(
        t, (struct decode_step){.kind = kind, .a = STR(""), .b = STR("")}, note);
}

enum err hf_decoder(struct tokenizer *t, const json_t *value, int depth, struct err_note *note)
{
    static const struct {
        const char *type;
        enum err (*read)(struct tokenizer *t, const json_t *o, struct err_note *note);
    } kinds[] = {{"Replace", replace_decoder},
                 {"Strip", strip_decoder},
                 {"Metaspace", metaspace_decoder},
                 {"WordPiece", wordpiece_decoder}};
    struct str type;
    const json_t *items;
    if (!value)
        return ERR_OK;
    if (depth > HF_DEPTH_MAX)
        return err_set(note, ERR_LIMIT, "decoders nested more than %d deep", HF_DEPTH_MAX);
    enum err rc = hf_str(value, "decoder", "type", STR(""), &type, note);
    if (rc != ERR_OK)
        return rc;
    if (str_is(type, "ByteLevel"))
        return plain_decoder(t, DECODE_BYTE_LEVEL, note);
    if (str_is(type, "ByteFallback"))
        return plain_decoder(t, DECODE_BYTE_FALLBACK, note);
    if (str_is(type, "Fuse"))
        return plain_decoder(t, DECODE_FUSE, note);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (str_is(type, kinds[i].type))
            return kinds[i].read(t, value, note);
    if (!str_is(type, "Sequence"))
        return unsupported("decoder", type, note);
    rc = hf_array(value, "decoder", "decoders", &items, note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(items); i++)
        rc = hf_decoder(t, json_array_get(items, i), depth + 1, note);
    return rc;
}
