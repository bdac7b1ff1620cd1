/* tokenizer_folder.c - the tokenizer of a Hugging Face model folder. */
#include <stdio.h>

#include "base/file.h"
#include "text/hf_json.h"
#include "text/tokenizer_int.h"

enum { TOKENIZER_BYTES_MAX = 256 << 20, CONFIG_BYTES_MAX = 16 << 20 };

/* The bytes of folder/name; empty where the file is absent. Caller mem_frees *text. */
static enum err read_optional(const char *folder, const char *name, size_t n_bytes_max, char **text,
                              struct str *out, struct err_note *note)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    *text = NULL;
    *out = STR("");
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(note, ERR_LIMIT, "%s: the path is too long", folder);
    if (!file_exists(path))
        return ERR_OK;
    enum err rc = file_read(path, n_bytes_max, text, &out->len, note);
    if (rc == ERR_OK)
        out->ptr = *text;
    return rc;
}

static enum err add_eog(struct tokenizer *t, const json_t *id, const char *name,
                        struct err_note *note)
{
    int64_t value = json_is_integer(id) ? json_integer_value(id) : -1;
    if (value < 0 || (uint64_t)value >= t->vocab.n_tokens)
        return err_set(note, ERR_FORMAT, "eos_token_id of %s is no token of the vocabulary", name);
    t->eog[value] = true;
    return ERR_OK;
}

/* eos_token_id: a number or a list of them. */
static enum err read_eos_ids(struct tokenizer *t, const char *folder, const char *name,
                             struct err_note *note)
{
    char *text;
    struct str bytes;
    json_t *root = NULL;
    enum err rc = read_optional(folder, name, CONFIG_BYTES_MAX, &text, &bytes, note);
    if (rc == ERR_OK && bytes.len)
        rc = hf_parse(bytes, name, &root, note);
    const json_t *ids = rc == ERR_OK ? hf_get(root, "eos_token_id") : NULL;
    if (ids && !json_is_array(ids))
        rc = add_eog(t, ids, name, note);
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(ids); i++)
        rc = add_eog(t, json_array_get(ids, i), name, note);
    json_decref(root);
    mem_free(text);
    return rc;
}

enum err tokenizer_from_folder(const char *folder, struct tokenizer **out, struct err_note *note)
{
    char *text, *config_text = NULL;
    struct str bytes, config;
    *out = NULL;
    enum err rc = read_optional(folder, "tokenizer.json", TOKENIZER_BYTES_MAX, &text, &bytes, note);
    if (rc == ERR_OK && bytes.len == 0)
        rc = err_set(note, ERR_NOT_FOUND, "no tokenizer.json");
    rc = rc ? rc
            : read_optional(folder, "tokenizer_config.json", CONFIG_BYTES_MAX, &config_text,
                            &config, note);
    rc = rc ? rc : tokenizer_from_json(bytes, config, out, note);
    mem_free(text);
    mem_free(config_text);
    if (rc == ERR_OK)
        rc = read_eos_ids(*out, folder, "generation_config.json", note);
    rc = rc ? rc : read_eos_ids(*out, folder, "config.json", note);
    if (rc != ERR_OK) {
        tokenizer_free(*out);
        *out = NULL;
        err_wrap(note, rc, "%s", folder);
    }
    return rc;
}
