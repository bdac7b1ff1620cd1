/* tokenizer_metas.c - a tokenizer's description written as metadata of a GGUF file. */
#include "base/check.h"
#include "format/metas.h"
#include "text/tokenizer_meta.h"

#define KEY "tokenizer.ggml."
#define OWN "isobit.tokenizer."

static void write_scalars(const struct tokenizer_meta *m, struct metas *out)
{
    const struct {
        const char *key;
        int32_t id;
    } ids[] = {{KEY "bos_token_id", m->bos},     {KEY "eos_token_id", m->eos},
               {KEY "eot_token_id", m->eot},     {KEY "eom_token_id", m->eom},
               {KEY "unknown_token_id", m->unk}, {KEY "seperator_token_id", m->sep},
               {KEY "padding_token_id", m->pad}, {KEY "cls_token_id", m->cls},
               {KEY "mask_token_id", m->mask}};
    const struct {
        const char *key;
        enum meta_flag flag;
    } flags[] = {{KEY "add_bos_token", m->add_bos},
                 {KEY "add_eos_token", m->add_eos},
                 {KEY "add_sep_token", m->add_sep},
                 {KEY "add_space_prefix", m->add_space_prefix},
                 {KEY "remove_extra_whitespaces", m->remove_extra_spaces},
                 {KEY "normalizer.lowercase", m->lowercase},
                 {KEY "normalizer.strip_accents", m->strip_accents}};
    metas_str(out, KEY "model", m->model);
    if (m->pre.len)
        metas_str(out, KEY "pre", m->pre);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (ids[i].id != TOKEN_NONE)
            metas_u32(out, ids[i].key, (uint32_t)ids[i].id);
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (flags[i].flag != META_ABSENT)
            metas_bool(out, flags[i].key, flags[i].flag == META_TRUE);
    if (m->space_prefix_first)
        metas_bool(out, OWN "space_prefix_first", true);
}

static enum err write_types(const struct tokenizer_meta *m, struct metas *out,
                            struct err_note *note)
{
    int32_t *types = mem_array(m->n_tokens, sizeof types[0]);
    uint32_t *flagged = mem_array(m->n_flagged, sizeof flagged[0]);
    enum err rc = ERR_OK;
    if (types && flagged) {
        for (size_t i = 0; i < m->n_tokens; i++)
            types[i] = m->types ? (int32_t)m->types[i] : TOKEN_NORMAL;
        for (size_t i = 0; i < m->n_flagged; i++)
            flagged[i] = (uint32_t)m->flagged[i];
        metas_i32s(out, KEY "token_type", types, m->n_tokens);
        if (m->n_flagged)
            metas_u32s(out, OWN "token_flags", flagged, m->n_flagged);
    } else {
        rc = err_set(note, ERR_MEMORY, "no memory for %zu tokens", m->n_tokens);
    }
    mem_free(types);
    mem_free(flagged);
    return rc;
}

enum err tokenizer_meta_write(const struct tokenizer_meta *m, struct metas *out,
                              struct err_note *note)
{
    write_scalars(m, out);
    metas_strs(out, KEY "tokens", m->tokens, m->n_tokens);
    enum err rc = write_types(m, out, note);
    if (m->scores)
        metas_f32s(out, KEY "scores", m->scores, m->n_tokens);
    if (m->n_merges)
        metas_strs(out, KEY "merges", m->merges, m->n_merges);
    if (m->charsmap.len)
        metas_bytes(out, KEY "precompiled_charsmap", (const uint8_t *)m->charsmap.ptr,
                    m->charsmap.len);
    return rc ? rc : metas_status(out, note);
}
