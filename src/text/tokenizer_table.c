/* tokenizer_table.c - GGUF metadata keys to a tokenizer. */
#include "text/tokenizer_meta.h"

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/table.h"

#define KEY "tokenizer.ggml."
#define OWN "isobit.tokenizer."

static enum err read_id(const struct table *t, const char *key, int32_t *out, struct err_note *note)
{
    uint32_t id;
    enum err rc = table_u32(t, key, UINT32_MAX, &id, note);
    if (rc == ERR_OK && id != UINT32_MAX && id > INT32_MAX)
        return err_set(note, ERR_FORMAT, "%s: metadata %s is %u, no token", t->path, key, id);
    if (rc == ERR_OK)
        *out = id == UINT32_MAX ? TOKEN_NONE : (int32_t)id;
    return rc;
}

static enum err read_flag(const struct table *t, const char *key, enum meta_flag *out,
                          struct err_note *note)
{
    bool value;
    if (!table_meta(t, key))
        return ERR_OK;
    enum err rc = table_bool(t, key, false, &value, note);
    if (rc == ERR_OK)
        *out = value ? META_TRUE : META_FALSE;
    return rc;
}

static enum err read_scalars(const struct table *t, struct tokenizer_meta *m, struct err_note *note)
{
    const struct {
        const char *key;
        int32_t *id;
    } ids[] = {{KEY "bos_token_id", &m->bos},       {KEY "eos_token_id", &m->eos},
               {KEY "eot_token_id", &m->eot},       {KEY "eom_token_id", &m->eom},
               {KEY "unknown_token_id", &m->unk},   {KEY "seperator_token_id", &m->sep},
               {KEY "padding_token_id", &m->pad},   {KEY "cls_token_id", &m->cls},
               {KEY "mask_token_id", &m->mask}};
    const struct {
        const char *key;
        enum meta_flag *flag;
    } flags[] = {{KEY "add_bos_token", &m->add_bos},
                 {KEY "add_eos_token", &m->add_eos},
                 {KEY "add_sep_token", &m->add_sep},
                 {KEY "add_space_prefix", &m->add_space_prefix},
                 {KEY "remove_extra_whitespaces", &m->remove_extra_spaces},
                 {KEY "normalizer.lowercase", &m->lowercase},
                 {KEY "normalizer.strip_accents", &m->strip_accents}};
    enum err rc = table_str(t, KEY "model", (struct str){"", 0}, &m->model, note);
    rc = rc ? rc : table_str(t, KEY "pre", (struct str){"", 0}, &m->pre, note);
    for (size_t i = 0; rc == ERR_OK && i < COUNT_OF(ids); i++)
        rc = read_id(t, ids[i].key, ids[i].id, note);
    for (size_t i = 0; rc == ERR_OK && i < COUNT_OF(flags); i++)
        rc = read_flag(t, flags[i].key, flags[i].flag, note);
    return rc;
}

/* An array with one item per token, or none at all. */
static enum err token_array(const struct table *t, const char *key, enum meta_type type,
                            size_t n_tokens, const struct meta_array **out, struct err_note *note)
{
    enum err rc = table_array(t, key, type, out, note);
    if (rc == ERR_OK && *out && (*out)->n_items != n_tokens)
        return err_set(note, ERR_FORMAT, "%s: %s has %zu items for %zu tokens", t->path, key,
                       (*out)->n_items, n_tokens);
    return rc;
}

static enum err read_arrays(const struct table *t, struct tokenizer_meta *m, struct err_note *note)
{
    const struct meta_array *tokens, *types = NULL, *scores = NULL, *merges = NULL;
    const struct meta_array *flagged = NULL;
    enum err rc = table_array(t, KEY "tokens", META_STRING, &tokens, note);
    if (rc == ERR_OK && !tokens)
        return err_set(note, ERR_NOT_FOUND, "%s: no tokenizer (tokenizer.ggml.tokens is missing)",
                       t->path);
    if (rc == ERR_OK) {
        m->tokens = tokens->strings;
        m->n_tokens = tokens->n_items;
        rc = token_array(t, KEY "token_type", META_INT, m->n_tokens, &types, note);
    }
    rc = rc ? rc : token_array(t, KEY "scores", META_FLOAT, m->n_tokens, &scores, note);
    rc = rc ? rc : table_array(t, KEY "merges", META_STRING, &merges, note);
    rc = rc ? rc : table_array(t, OWN "token_flags", META_UINT, &flagged, note);
    rc = rc ? rc : table_bool(t, OWN "space_prefix_first", false, &m->space_prefix_first, note);
    m->flagged = flagged ? flagged->uints : NULL;
    m->n_flagged = flagged ? flagged->n_items : 0;
    m->types = types ? types->ints : NULL;
    m->scores = scores ? scores->floats : NULL;
    m->merges = merges ? merges->strings : NULL;
    m->n_merges = merges ? merges->n_items : 0;
    return rc;
}

/* An array of signed or unsigned bytes, widened in the table. */
static enum err read_charsmap(const struct table *t, struct str *out, char **bytes,
                              struct err_note *note)
{
    const struct meta_value *v = table_meta(t, KEY "precompiled_charsmap");
    if (!v)
        return ERR_OK;
    bool ints = v->type == META_ARRAY && v->array.item == META_INT;
    if (!ints && (v->type != META_ARRAY || v->array.item != META_UINT))
        return err_set(note, ERR_FORMAT, "precompiled_charsmap is not an array of bytes");
    *bytes = mem_alloc(v->array.n_items);
    if (!*bytes)
        return err_set(note, ERR_MEMORY, "no memory for a character map");
    for (size_t i = 0; i < v->array.n_items; i++)
        (*bytes)[i] = (char)(ints ? (uint64_t)v->array.ints[i] : v->array.uints[i]);
    *out = (struct str){*bytes, v->array.n_items};
    return ERR_OK;
}

enum err tokenizer_from_table(const struct table *t, struct tokenizer **out, struct err_note *note)
{
    struct tokenizer_meta m;
    struct str architecture = {"", 0};
    *out = NULL;
    tokenizer_meta_init(&m);
    if (!table_meta(t, KEY "tokens") && file_is_dir(t->path))
        return tokenizer_from_folder(t->path, out, note);
    enum err rc = read_arrays(t, &m, note);
    rc = rc ? rc : read_scalars(t, &m, note);
    rc = rc ? rc : table_str(t, "general.architecture", architecture, &architecture, note);
    if (rc != ERR_OK)
        return rc;
    m.strip_after_special = str_is(architecture, "phi3") && str_is(m.model, "llama");
    char *charsmap = NULL;
    rc = read_charsmap(t, &m.charsmap, &charsmap, note);
    rc = rc ? rc : tokenizer_from_meta(&m, out, note);
    mem_free(charsmap);
    return rc ? err_wrap(note, rc, "%s", t->path) : ERR_OK;
}
