/* tokenizer_hf.c - a tokenizer from Hugging Face's tokenizer.json. */
#include <stdio.h>

#include "base/check.h"
#include "text/hf_json.h"
#include "text/hf_steps.h"

/* The members of one tokenizer.json, borrowed. */
struct hf {
    struct tokenizer *t;
    const json_t *model, *added;
    struct err_note *note;
};

/* Ids may leave holes, but a file cannot ask for more memory than it has tokens. */
static enum err vocab_size(const struct hf *f, const json_t *vocab, size_t *out)
{
    const char *key;
    json_t *value;
    size_t n = json_is_array(vocab) ? json_array_size(vocab) : 0, n_entries = n;
    int64_t highest = (int64_t)n - 1;
    if (json_is_object(vocab)) {
        n_entries = json_object_size(vocab);
        json_object_foreach((json_t *)vocab, key, value)
        {
            int64_t id = json_is_integer(value) ? json_integer_value(value) : -1;
            if (id < 0 || id >= VOCAB_TOKENS_MAX)
                return err_set(f->note, ERR_FORMAT, "token \"%s\" has an id outside 0..%d", key,
                               VOCAB_TOKENS_MAX - 1);
            highest = id > highest ? id : highest;
        }
    }
    for (size_t i = 0; i < json_array_size(f->added); i++) {
        int64_t id = -1;
        enum err rc = hf_int(json_array_get(f->added, i), "added_tokens", "id", -1, &id, f->note);
        if (rc != ERR_OK)
            return rc;
        if (id < 0 || id >= VOCAB_TOKENS_MAX)
            return err_set(f->note, ERR_FORMAT, "added token %zu has an id outside 0..%d", i,
                           VOCAB_TOKENS_MAX - 1);
        highest = id > highest ? id : highest;
        n_entries++;
    }
    *out = (size_t)(highest + 1);
    if (*out > 4 * n_entries + 4096)
        return err_set(f->note, ERR_FORMAT, "%zu tokens, but an id of %lld", n_entries,
                       (long long)highest);
    return ERR_OK;
}

static enum err set_token(const struct hf *f, size_t id, struct str text, enum token_type type)
{
    struct vocab *v = &f->t->vocab;
    bool failed = false;
    if (text.len > TOKEN_BYTES_MAX)
        return err_set(f->note, ERR_LIMIT, "token %zu has %zu bytes, at most %d", id, text.len,
                       TOKEN_BYTES_MAX);
    if (v->texts[id].len && !str_eq(v->texts[id], text))
        return err_set(f->note, ERR_FORMAT, "id %zu is both \"%.*s\" and \"%.*s\"", id,
                       STR_ARG(v->texts[id]), STR_ARG(text));
    v->texts[id] = tokenizer_keep(f->t, text, &failed);
    v->types[id] = (uint8_t)type;
    return failed ? err_set(f->note, ERR_MEMORY, "no memory for a vocabulary") : ERR_OK;
}

/* {"token": id, ...} */
static enum err read_object_vocab(const struct hf *f, const json_t *vocab)
{
    enum err rc = ERR_OK;
    json_t *object = (json_t *)vocab;
    for (void *i = json_object_iter(object); rc == ERR_OK && i;
         i = json_object_iter_next(object, i)) {
        struct str text = {json_object_iter_key(i), json_object_iter_key_len(i)};
        size_t id = (size_t)json_integer_value(json_object_iter_value(i));
        rc = set_token(f, id, text, TOKEN_NORMAL);
        f->t->vocab.in_model[id] = true;
    }
    return rc;
}

/* [["token", score], ...] */
static enum err read_scored_vocab(const struct hf *f, const json_t *vocab)
{
    struct vocab *v = &f->t->vocab;
    enum err rc = ERR_OK;
    v->scores = mem_array(v->n_tokens, sizeof *v->scores);
    if (!v->scores)
        return err_set(f->note, ERR_MEMORY, "no memory for %zu scores", v->n_tokens);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(vocab); i++) {
        const json_t *pair = json_array_get(vocab, i);
        const json_t *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
        if (!json_is_string(text) || !json_is_number(score) || json_array_size(pair) != 2)
            return err_set(f->note, ERR_FORMAT, "token %zu is not [text, score]", i);
        v->scores[i] = json_number_value(score);
        v->in_model[i] = true;
        rc = set_token(f, i, hf_text(text), TOKEN_NORMAL);
    }
    return rc;
}

static enum err read_one_added(const struct hf *f, const json_t *o)
{
    struct tokenizer *t = f->t;
    struct added_token *a = &t->added[t->n_added];
    const char *owner = "an added token";
    int64_t id;
    struct str text;
    enum err rc = hf_int(o, owner, "id", -1, &id, f->note);
    rc = rc ? rc : hf_str(o, owner, "content", STR(""), &text, f->note);
    rc = rc ? rc : hf_bool(o, owner, "special", false, &a->special, f->note);
    rc = rc ? rc : hf_bool(o, owner, "lstrip", false, &a->lstrip, f->note);
    rc = rc ? rc : hf_bool(o, owner, "rstrip", false, &a->rstrip, f->note);
    rc = rc ? rc : hf_bool(o, owner, "single_word", false, &a->single_word, f->note);
    rc = rc ? rc : hf_bool(o, owner, "normalized", !a->special, &a->normalized, f->note);
    if (rc == ERR_OK && text.len == 0)
        return ERR_OK; /* matches nowhere */
    rc = rc ? rc : set_token(f, (size_t)id, text, a->special ? TOKEN_CONTROL : TOKEN_USER);
    if (rc == ERR_OK) {
        a->id = (int32_t)id;
        a->text = t->vocab.texts[id];
        if (a->special) /* plain text never becomes a special token */
            t->vocab.in_model[id] = false;
        t->n_added++;
    }
    return rc;
}

static enum err read_added(const struct hf *f)
{
    size_t n = json_array_size(f->added);
    enum err rc = ERR_OK;
    f->t->added = mem_array(n, sizeof *f->t->added);
    if (!f->t->added)
        return err_set(f->note, ERR_MEMORY, "no memory for %zu added tokens", n);
    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        rc = read_one_added(f, json_array_get(f->added, i));
    return rc;
}

/* The unknown token by name. A name that the vocabulary lacks would fail at the first use. */
static enum err read_unk(const struct hf *f, const char *owner)
{
    struct str text;
    enum err rc = hf_str(f->model, owner, "unk_token", STR(""), &text, f->note);
    if (rc != ERR_OK || text.len == 0)
        return rc;
    f->t->unk = vocab_find(&f->t->vocab, text);
    if (f->t->unk == TOKEN_NONE)
        return err_set(f->note, ERR_FORMAT, "unk_token \"%.*s\" is not in the vocabulary",
                       STR_ARG(text));
    return ERR_OK;
}

/* "a b" or ["a", "b"] */
static bool merge_parts(const json_t *merge, struct str *left, struct str *right)
{
    if (json_is_array(merge)) {
        const json_t *l = json_array_get(merge, 0), *r = json_array_get(merge, 1);
        if (json_array_size(merge) != 2 || !json_is_string(l) || !json_is_string(r))
            return false;
        *left = hf_text(l);
        *right = hf_text(r);
        return true;
    }
    if (!json_is_string(merge))
        return false;
    struct str s = hf_text(merge);
    const char *space = memchr(s.ptr, ' ', s.len);
    size_t at = space ? (size_t)(space - s.ptr) : s.len;
    if (!space || memchr(space + 1, ' ', s.len - at - 1))
        return false;
    *left = str_sub(s, 0, at);
    *right = str_sub(s, at + 1, s.len);
    return true;
}

static enum err read_merge(const struct hf *f, const json_t *merge, size_t rank)
{
    struct tokenizer *t = f->t;
    struct str left, right, tail;
    if (!merge_parts(merge, &left, &right))
        return err_set(f->note, ERR_FORMAT, "merge %zu is not two tokens", rank);
    tail = str_starts(right, t->bpe.prefix) ? str_sub(right, t->bpe.prefix.len, right.len) : right;
    struct buf b;
    buf_init(&b, 2 * TOKEN_BYTES_MAX);
    buf_add(&b, left.ptr, left.len);
    buf_add(&b, tail.ptr, tail.len);
    struct str merged = {b.bytes, b.n_bytes};
    const struct str parts[] = {left, right, merged};
    int32_t ids[3];
    enum err rc = ERR_OK;
    for (int i = 0; rc == ERR_OK && i < 3; i++) {
        ids[i] = vocab_find(&t->vocab, parts[i]);
        if (b.failed || ids[i] == TOKEN_NONE)
            rc = err_set(f->note, ERR_FORMAT, "merge %zu needs \"%.*s\", not in the vocabulary",
                         rank, STR_ARG(parts[i]));
    }
    if (rc == ERR_OK)
        bpe_add(&t->bpe, ids[0], ids[1], (uint32_t)rank, ids[2]);
    buf_release(&b);
    return rc;
}

static enum err read_affix(const struct hf *f, const char *key, struct str *out)
{
    bool failed = false;
    struct str s;
    enum err rc = hf_str(f->model, "BPE", key, STR(""), &s, f->note);
    if (rc == ERR_OK && s.len > 64)
        rc = err_set(f->note, ERR_LIMIT, "%s of %zu bytes, at most 64", key, s.len);
    if (rc == ERR_OK)
        *out = tokenizer_keep(f->t, s, &failed);
    return failed ? err_set(f->note, ERR_MEMORY, "no memory for a model") : rc;
}

static enum err read_bpe(const struct hf *f)
{
    struct bpe *b = &f->t->bpe;
    const json_t *merges, *dropout = hf_get(f->model, "dropout");
    enum err rc = hf_array(f->model, "BPE", "merges", &merges, f->note);
    if (rc == ERR_OK && dropout && json_number_value(dropout) != 0)
        rc = err_set(f->note, ERR_UNSUPPORTED, "BPE with dropout gives random tokens");
    rc = rc ? rc : read_unk(f, "BPE");
    rc = rc ? rc : read_affix(f, "continuing_subword_prefix", &b->prefix);
    rc = rc ? rc : read_affix(f, "end_of_word_suffix", &b->suffix);
    rc = rc ? rc : hf_bool(f->model, "BPE", "fuse_unk", false, &b->fuse_unk, f->note);
    rc = rc ? rc : hf_bool(f->model, "BPE", "byte_fallback", false, &b->byte_fallback, f->note);
    rc = rc ? rc : hf_bool(f->model, "BPE", "ignore_merges", false, &b->ignore_merges, f->note);
    rc = rc ? rc : bpe_init(b, json_array_size(merges), f->note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(merges); i++)
        rc = read_merge(f, json_array_get(merges, i), i);
    snprintf(f->t->name, sizeof f->t->name, "BPE");
    return rc;
}

static enum err read_unigram(const struct hf *f)
{
    struct tokenizer *t = f->t;
    int64_t unk;
    enum err rc = hf_int(f->model, "Unigram", "unk_id", -1, &unk, f->note);
    rc = rc ? rc
            : hf_bool(f->model, "Unigram", "byte_fallback", false, &t->unigram.byte_fallback,
                      f->note);
    if (rc == ERR_OK && unk >= (int64_t)json_array_size(hf_get(f->model, "vocab")))
        rc = err_set(f->note, ERR_FORMAT, "unk_id %lld is outside the vocabulary", (long long)unk);
    if (rc == ERR_OK && unk < 0)
        rc = err_set(f->note, ERR_UNSUPPORTED, "a Unigram model without unk_id");
    t->unk = (int32_t)unk;
    snprintf(t->name, sizeof t->name, "unigram");
    return rc ? rc : unigram_init(&t->unigram, &t->vocab, f->note);
}

static enum err read_wordpiece(const struct hf *f)
{
    struct tokenizer *t = f->t;
    struct str prefix;
    int64_t n_chars;
    bool failed = false;
    enum err rc = read_unk(f, "WordPiece");
    rc = rc ? rc
            : hf_str(f->model, "WordPiece", "continuing_subword_prefix", STR("##"), &prefix,
                     f->note);
    rc = rc ? rc
            : hf_int(f->model, "WordPiece", "max_input_chars_per_word", 100, &n_chars, f->note);
    if (rc == ERR_OK && (n_chars < 1 || n_chars > 1000))
        rc = err_set(f->note, ERR_UNSUPPORTED,
                     "max_input_chars_per_word is %lld, supported 1 to 1000", (long long)n_chars);
    if (rc == ERR_OK && t->unk == TOKEN_NONE)
        rc = err_set(f->note, ERR_FORMAT, "a WordPiece model without unk_token");
    if (rc != ERR_OK)
        return rc;
    t->wordpiece.prefix = tokenizer_keep(t, prefix, &failed);
    t->wordpiece.n_chars_max = (size_t)n_chars;
    snprintf(t->name, sizeof t->name, "WordPiece");
    return failed ? err_set(f->note, ERR_MEMORY, "no memory for a model") : ERR_OK;
}

/* Older files leave the type out; what they have says it. */
static enum err model_kind(const struct hf *f, enum model_kind *out)
{
    static const char *const names[] = {"BPE", "Unigram", "WordPiece"};
    struct str type;
    bool bpe = hf_get(f->model, "merges") != NULL;
    bool scored = json_is_array(hf_get(f->model, "vocab"));
    enum err rc = hf_str(f->model, "model", "type",
                         bpe      ? STR("BPE")
                         : scored ? STR("Unigram")
                                  : STR("WordPiece"),
                         &type, f->note);
    for (int i = 0; rc == ERR_OK && i < (int)COUNT_OF(names); i++) {
        if (str_is(type, names[i])) {
            *out = (enum model_kind)i;
            return ERR_OK;
        }
    }
    return rc ? rc
              : err_set(f->note, ERR_UNSUPPORTED, "model \"%.*s\" is not supported", STR_ARG(type));
}

static void mark_bytes(struct vocab *v)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        int32_t id = vocab_find_byte(v, (unsigned char)byte);
        if (id != TOKEN_NONE && v->types[id] == TOKEN_NORMAL)
            v->types[id] = TOKEN_BYTE;
    }
}

static enum err read_model(struct hf *f)
{
    struct tokenizer *t = f->t;
    const json_t *vocab = hf_get(f->model, "vocab");
    size_t n_tokens = 0;
    enum err rc = model_kind(f, &t->model);
    bool scored = t->model == MODEL_UNIGRAM;
    if (rc == ERR_OK && (scored ? !json_is_array(vocab) : !json_is_object(vocab)))
        rc = err_set(f->note, ERR_FORMAT, "vocab of the model is missing or of the wrong type");
    rc = rc ? rc : vocab_size(f, vocab, &n_tokens);
    rc = rc ? rc : vocab_init(&t->vocab, n_tokens, f->note);
    rc = rc ? rc : scored ? read_scored_vocab(f, vocab) : read_object_vocab(f, vocab);
    rc = rc ? rc : read_added(f);
    rc = rc ? rc : vocab_index(&t->vocab, f->note);
    if (rc != ERR_OK)
        return rc;
    rc = t->model == MODEL_BPE       ? read_bpe(f)
         : t->model == MODEL_UNIGRAM ? read_unigram(f)
                                     : read_wordpiece(f);
    if (rc == ERR_OK && (t->bpe.byte_fallback || t->unigram.byte_fallback))
        mark_bytes(&t->vocab);
    return rc;
}

static enum err read_steps(const struct hf *f, const json_t *root)
{
    struct tokenizer *t = f->t;
    const json_t *decoder = hf_get(root, "decoder");
    enum err rc = hf_normalizer(t, hf_get(root, "normalizer"), 0, f->note);
    rc = rc ? rc : hf_pre_tokenizer(t, hf_get(root, "pre_tokenizer"), 0, f->note);
    rc = rc ? rc : hf_post_processor(t, hf_get(root, "post_processor"), 0, f->note);
    if (rc == ERR_OK && !decoder)
        rc = tokenizer_add_decode(
            t, (struct decode_step){.kind = DECODE_JOIN, .a = STR(""), .b = STR("")}, f->note);
    return rc ? rc : hf_decoder(t, decoder, 0, f->note);
}

/* A token of tokenizer_config.json: its text, or an object with it. */
static enum err read_config_token(const struct hf *f, const json_t *config, const char *key,
                                  int32_t *out)
{
    const json_t *value = hf_get(config, key);
    if (json_is_object(value))
        value = hf_get(value, "content");
    if (!value)
        return ERR_OK;
    if (!json_is_string(value))
        return err_set(f->note, ERR_FORMAT, "%s of tokenizer_config.json is not a token", key);
    *out = vocab_find(&f->t->vocab, hf_text(value));
    if (*out == TOKEN_NONE && json_string_length(value))
        return err_set(f->note, ERR_FORMAT,
                       "%s \"%s\" of tokenizer_config.json is not in the vocabulary", key,
                       json_string_value(value));
    return ERR_OK;
}

static enum err read_config(const struct hf *f, struct str bytes)
{
    json_t *config;
    if (bytes.len == 0)
        return ERR_OK;
    enum err rc = hf_parse(bytes, "tokenizer_config.json", &config, f->note);
    if (rc != ERR_OK)
        return rc;
    rc = read_config_token(f, config, "bos_token", &f->t->bos);
    rc = rc ? rc : read_config_token(f, config, "eos_token", &f->t->eos);
    rc = rc ? rc : read_config_token(f, config, "pad_token", &f->t->pad);
    if (rc == ERR_OK && f->t->unk == TOKEN_NONE)
        rc = read_config_token(f, config, "unk_token", &f->t->unk);
    json_decref(config);
    return rc;
}

enum err tokenizer_from_json(struct str tokenizer_json, struct str config_json,
                             struct tokenizer **out, struct err_note *note)
{
    json_t *root;
    *out = NULL;
    enum err rc = hf_parse(tokenizer_json, "tokenizer.json", &root, note);
    if (rc != ERR_OK)
        return rc;
    struct hf f = {tokenizer_new(), hf_get(root, "model"), hf_get(root, "added_tokens"), note};
    if (!f.t)
        rc = err_set(note, ERR_MEMORY, "no memory for a tokenizer");
    else if (!json_is_object(f.model))
        rc = err_set(note, ERR_FORMAT, "there is no model");
    rc = rc ? rc : read_model(&f);
    rc = rc ? rc : read_steps(&f, root);
    rc = rc ? err_wrap(note, rc, "tokenizer.json") : read_config(&f, config_json);
    rc = rc ? rc : tokenizer_finish(f.t, note);
    json_decref(root);
    if (rc != ERR_OK)
        tokenizer_free(f.t);
    else
        *out = f.t;
    return rc;
}
