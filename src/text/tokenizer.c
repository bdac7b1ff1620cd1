/* tokenizer.c - the life of a tokenizer and what can be asked of one. */
#include "text/tokenizer_int.h"

#include "base/check.h"

enum { ARENA_BYTES_MAX = 1 << 30 };

struct tokenizer *tokenizer_new(void)
{
    struct tokenizer *t = mem_zalloc(sizeof *t);
    if (!t)
        return NULL;
    arena_init(&t->arena, ARENA_BYTES_MAX);
    t->bos = t->eos = t->unk = t->pad = TOKEN_NONE;
    t->bpe.prefix = t->bpe.suffix = STR("");
    return t;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_norm; i++)
        regex_free(t->norm[i].regex);
    for (size_t i = 0; i < t->n_pre; i++)
        regex_free(t->pre[i].regex);
    prefix_set_release(&t->added_raw);
    prefix_set_release(&t->added_norm);
    vocab_release(&t->vocab);
    bpe_release(&t->bpe);
    unigram_release(&t->unigram);
    mem_free(t->added);
    mem_free(t->added_of);
    mem_free(t->eog);
    arena_release(&t->arena);
    mem_free(t);
}

struct str tokenizer_keep(struct tokenizer *t, struct str s, bool *failed)
{
    char *copy = arena_strndup(&t->arena, s.ptr ? s.ptr : "", s.len);
    if (!copy) {
        *failed = true;
        return STR("");
    }
    return (struct str){copy, s.len};
}

static enum err too_many_steps(struct err_note *note)
{
    return err_set(note, ERR_LIMIT, "a tokenizer of more than %d steps of one kind", STEPS_MAX);
}

enum err tokenizer_add_norm(struct tokenizer *t, enum norm_kind kind, struct str a, struct str b,
                            struct err_note *note)
{
    bool failed = false;
    if (t->n_norm == STEPS_MAX)
        return too_many_steps(note);
    struct norm_step *step = &t->norm[t->n_norm];
    *step = (struct norm_step){kind, tokenizer_keep(t, a, &failed), tokenizer_keep(t, b, &failed),
                               NULL};
    if (failed)
        return err_set(note, ERR_MEMORY, "no memory for a normalizer");
    enum err rc = kind == NORM_REPLACE ? regex_new(step->a, &step->regex, note) : ERR_OK;
    t->n_norm += rc == ERR_OK;
    return rc;
}

enum err tokenizer_add_pre(struct tokenizer *t, struct pre_step step, struct err_note *note)
{
    bool failed = false;
    if (t->n_pre == STEPS_MAX)
        return too_many_steps(note);
    step.text = tokenizer_keep(t, step.text, &failed);
    if (failed)
        return err_set(note, ERR_MEMORY, "no memory for a pre-tokenizer");
    bool regex = step.kind == PRE_SPLIT && step.char_class == CLASS_NONE;
    enum err rc = regex ? regex_new(step.text, &step.regex, note) : ERR_OK;
    if (rc == ERR_OK)
        t->pre[t->n_pre++] = step;
    return rc;
}

enum err tokenizer_add_split(struct tokenizer *t, struct str pattern, enum split_behaviour b,
                             bool invert, struct err_note *note)
{
    return tokenizer_add_pre(
        t, (struct pre_step){.kind = PRE_SPLIT, .text = pattern, .behaviour = b, .invert = invert},
        note);
}

enum err tokenizer_add_class(struct tokenizer *t, enum char_class c, enum split_behaviour b,
                             struct err_note *note)
{
    return tokenizer_add_pre(
        t, (struct pre_step){.kind = PRE_SPLIT, .text = STR(""), .char_class = c, .behaviour = b},
        note);
}

enum err tokenizer_add_decode(struct tokenizer *t, struct decode_step step, struct err_note *note)
{
    bool failed = false;
    if (t->n_decode == STEPS_MAX)
        return too_many_steps(note);
    step.a = tokenizer_keep(t, step.a, &failed);
    step.b = tokenizer_keep(t, step.b, &failed);
    t->decode[t->n_decode++] = step;
    return failed ? err_set(note, ERR_MEMORY, "no memory for a decoder") : ERR_OK;
}

/* Texts that end a turn or a message in the published vocabularies. */
static const char *const eog_texts[] = {
    "<|eot_id|>",     "<|eom_id|>",      "<|im_end|>",    "<|end|>",
    "<|return|>",     "<|call|>",        "<end_of_turn>", "<turn|>",
    "<|endoftext|>",  "<|end_of_text|>", "<EOT>",         "_<EOT>",
    "[EOT]",          "<|eot|>",         "<|eom|>",       "<|END_OF_TURN_TOKEN|>",
    "<|endofturn|>",  "<|end_of_turn|>", "<eos>",         "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
};

static enum err find_eog(struct tokenizer *t, struct err_note *note)
{
    t->eog = mem_array(t->vocab.n_tokens, sizeof *t->eog);
    if (!t->eog)
        return err_set(note, ERR_MEMORY, "no memory for a tokenizer");
    for (size_t i = 0; i < COUNT_OF(eog_texts); i++) {
        int32_t id = vocab_find(&t->vocab, str_from(eog_texts[i]));
        if (id != TOKEN_NONE && t->vocab.types[id] == TOKEN_CONTROL)
            t->eog[id] = true;
    }
    /* Where answers consist of messages with headers (gpt-oss), it ends a message alone. */
    int32_t end = vocab_find(&t->vocab, STR("<|end|>"));
    if (end != TOKEN_NONE && vocab_find(&t->vocab, STR("<|channel|>")) != TOKEN_NONE)
        t->eog[end] = false;
    if (t->eos != TOKEN_NONE)
        t->eog[t->eos] = true;
    return ERR_OK;
}

/* Sort added tokens into the two matchers. Those that match normalised text are normalised too. */
static enum err index_added(struct tokenizer *t, struct err_note *note)
{
    enum err rc = prefix_set_init(&t->added_raw, t->n_added + 1, note);
    rc = rc ? rc : prefix_set_init(&t->added_norm, t->n_added + 1, note);
    t->added_of = mem_array(t->vocab.n_tokens, sizeof *t->added_of);
    if (rc == ERR_OK && !t->added_of)
        rc = err_set(note, ERR_MEMORY, "no memory for added tokens");
    for (size_t i = 0; rc == ERR_OK && i < t->vocab.n_tokens; i++)
        t->added_of[i] = -1;
    for (size_t i = 0; rc == ERR_OK && i < t->n_added; i++) {
        const struct added_token *a = &t->added[i];
        bool failed = false;
        t->added_of[a->id] = (int32_t)i;
        if (!a->normalized || t->n_norm == 0) {
            prefix_set_add(a->normalized ? &t->added_norm : &t->added_raw, a->text, (int32_t)i);
            continue;
        }
        struct buf b;
        buf_init(&b, 64 * TOKEN_BYTES_MAX);
        rc = normalize(t->norm, t->n_norm, a->text, &b, note);
        if (rc == ERR_OK && b.n_bytes) {
            struct str text = tokenizer_keep(t, (struct str){b.bytes, b.n_bytes}, &failed);
            if (failed)
                rc = err_set(note, ERR_MEMORY, "no memory for added tokens");
            else
                prefix_set_add(&t->added_norm, text, (int32_t)i);
        }
        buf_release(&b);
    }
    prefix_set_sort(&t->added_raw);
    prefix_set_sort(&t->added_norm);
    return rc;
}

enum err tokenizer_finish(struct tokenizer *t, struct err_note *note)
{
    enum err rc = index_added(t, note);
    return rc ? rc : find_eog(t, note);
}

void token_list_release(struct token_list *l)
{
    mem_free(l->ids);
    *l = (struct token_list){.n_ids_max = l->n_ids_max};
}

bool token_list_add(struct token_list *l, int32_t id)
{
    if (l->n_ids == l->n_ids_max)
        return false;
    if (l->n_ids == l->n_reserved) {
        size_t n = l->n_reserved ? 2 * l->n_reserved : 256;
        int32_t *ids = mem_resize(l->ids, n * sizeof *ids);
        if (!ids)
            return false;
        l->ids = ids;
        l->n_reserved = n;
    }
    l->ids[l->n_ids++] = id;
    return true;
}

size_t tokenizer_n_tokens(const struct tokenizer *t)
{
    return t->vocab.n_tokens;
}

struct str tokenizer_token_text(const struct tokenizer *t, int32_t id)
{
    CHECK(id >= 0 && (size_t)id < t->vocab.n_tokens);
    return t->vocab.texts[id];
}

enum token_type tokenizer_token_type(const struct tokenizer *t, int32_t id)
{
    CHECK(id >= 0 && (size_t)id < t->vocab.n_tokens);
    return (enum token_type)t->vocab.types[id];
}

int32_t tokenizer_token_id(const struct tokenizer *t, struct str text)
{
    return vocab_find(&t->vocab, text);
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_unk(const struct tokenizer *t)
{
    return t->unk;
}

int32_t tokenizer_pad(const struct tokenizer *t)
{
    return t->pad;
}

bool tokenizer_adds_bos(const struct tokenizer *t)
{
    return t->n_before > 0 && t->before[0] == t->bos;
}

bool tokenizer_adds_eos(const struct tokenizer *t)
{
    return t->n_after > 0 && t->after[t->n_after - 1] == t->eos;
}

bool tokenizer_is_eog(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->vocab.n_tokens && t->eog[id];
}

enum err tokenizer_ends(const struct tokenizer *t, int32_t *ends, uint32_t n_max, uint32_t *n_ends,
                        struct err_note *note)
{
    *n_ends = 0;
    for (size_t id = 0; id < tokenizer_n_tokens(t); id++) {
        if (!tokenizer_is_eog(t, (int32_t)id))
            continue;
        if (*n_ends == n_max)
            return err_set(note, ERR_LIMIT, "the vocabulary has more than %u end tokens", n_max);
        ends[(*n_ends)++] = (int32_t)id;
    }
    return ERR_OK;
}

const char *tokenizer_model_name(const struct tokenizer *t)
{
    return t->name;
}
