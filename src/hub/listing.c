/* listing.c - reads listings, chooses files. */
#include "hub/listing.h"

#include <jansson.h>
#include <stdio.h>
#include <strings.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "hub/name.h"

/* ---- reading ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* A large file has its SHA-256 under "lfs"; a small one is named as git names it. */
static enum err read_file(const json_t *entry, struct listing_file *out, struct err_note *note)
{
    const char *path = text_of(entry, "path");
    const json_t *lfs = json_object_get(entry, "lfs");
    const json_t *size = json_object_get(json_is_object(lfs) ? lfs : entry, "size");
    struct str hex = str_from(text_of(json_is_object(lfs) ? lfs : entry, "oid"));
    enum digest_kind kind = json_is_object(lfs) ? DIGEST_SHA256 : DIGEST_GIT;
    if (str_starts(hex, STR("sha256:")))
        hex = str_sub(hex, strlen("sha256:"), hex.len);
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return err_set(note, ERR_FORMAT, "the hub's listing gives no size for %.100s", path);
    if (!digest_from_hex(kind, hex, &out->digest))
        return err_set(note, ERR_FORMAT, "the hub's listing gives no digest for %.100s", path);
    out->n_bytes = (uint64_t)json_integer_value(size);
    out->path = mem_strdup(path);
    return out->path ? ERR_OK : err_set(note, ERR_MEMORY, "out of memory for the hub's listing");
}

static enum err add_entry(struct listing *l, const json_t *entry, struct err_note *note)
{
    json_t *path = json_object_get(entry, "path");
    if (!json_is_string(path) || strcmp(text_of(entry, "type"), "file") != 0)
        return ERR_OK;
    struct str name = {json_string_value(path), json_string_length(path)};
    if (name_check(name, NULL))
        return ERR_OK;
    if (l->n_files == LISTING_FILES_MAX)
        return err_set(note, ERR_LIMIT, "the repository has more than %d files", LISTING_FILES_MAX);
    struct listing_file *more = mem_resize(l->files, (l->n_files + 1) * sizeof more[0]);
    if (!more)
        return err_set(note, ERR_MEMORY, "out of memory for the hub's listing");
    l->files = more;
    more[l->n_files] = (struct listing_file){0};
    enum err rc = read_file(entry, &more[l->n_files], note);
    l->n_files += rc == ERR_OK;
    return rc;
}

enum err listing_add(struct listing *l, struct str json, struct err_note *note)
{
    json_error_t e;
    json_t *root = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, &e);
    enum err rc = ERR_OK;
    if (!root)
        return err_set(note, ERR_FORMAT, "the hub's listing is no JSON: %s", e.text);
    if (!json_is_array(root))
        rc = err_set(note, ERR_FORMAT, "the hub's listing is no array");
    for (size_t i = 0; !rc && i < json_array_size(root); i++)
        rc = add_entry(l, json_array_get(root, i), note);
    json_decref(root);
    return rc;
}

void listing_release(struct listing *l)
{
    for (size_t i = 0; i < l->n_files; i++)
        mem_free(l->files[i].path);
    mem_free(l->files);
    *l = (struct listing){0};
}

/* ---- choosing ---- */

/* The first part of a model; not what goes beside one. */
static bool is_model(const struct listing_file *f, struct name_split *split)
{
    struct str path = str_from(f->path), last = name_last(path);
    return name_split(path, split) && split->part == 1 && !str_starts(last, STR("mmproj")) &&
           !strcasestr(last.ptr, "imatrix");
}

/* All parts of a split file; says which is missing. */
static enum err choose_parts(struct listing *l, const struct name_split *first,
                             struct err_note *note)
{
    uint32_t n_found = 0;
    for (size_t i = 0; i < l->n_files; i++) {
        struct name_split s;
        l->files[i].chosen = name_split(str_from(l->files[i].path), &s) &&
                             s.n_parts == first->n_parts && str_eq(s.stem, first->stem);
        n_found += l->files[i].chosen;
    }
    if (n_found != first->n_parts)
        return err_set(note, ERR_NOT_FOUND, "the repository has %u of the %u parts of %.*s",
                       n_found, first->n_parts, STR_ARG(first->stem));
    return ERR_OK;
}

/* "Q4_0, Q8_0", or the names of files that spell no quantisation. */
static void describe(const struct listing *l, struct buf *out)
{
    struct str last = STR("");
    for (size_t i = 0; i < l->n_files && out->n_bytes < 300; i++) {
        struct name_split s;
        if (!is_model(&l->files[i], &s))
            continue;
        struct str quant = name_quant(s.stem),
                   shown = quant.len ? quant : str_from(l->files[i].path);
        if (str_eq(shown, last))
            continue;
        buf_printf(out, "%s%.*s", out->n_bytes ? ", " : "", STR_ARG(shown));
        last = shown;
    }
}

static enum err none_matches(const struct listing *l, struct str want, struct err_note *note)
{
    struct buf there;
    buf_init(&there, 4096);
    describe(l, &there);
    enum err rc = err_set(note, ERR_NOT_FOUND, "the repository has no %.*s; it has %.380s",
                          STR_ARG(want), there.n_bytes ? there.bytes : "no GGUF file");
    buf_release(&there);
    return rc;
}

/* Of the files that match, one; two of different folders or variants are named both. */
static enum err choose_gguf(struct listing *l, struct str want, size_t n_models,
                            struct err_note *note)
{
    struct str word = want.len ? want : STR("Q4_K_M");
    const struct listing_file *found = NULL;
    struct name_split split, s;
    for (size_t i = 0; i < l->n_files; i++) {
        const struct listing_file *f = &l->files[i];
        if (!is_model(f, &s) || !(name_has_word(s.stem, word) || (n_models == 1 && !want.len)))
            continue;
        if (found)
            return err_set(note, ERR_USAGE,
                           "both %.150s and %.150s are %.*s; name one of them "
                           "after the ':'",
                           found->path, f->path, STR_ARG(word));
        found = f;
        split = s;
    }
    return found ? choose_parts(l, &split, note) : none_matches(l, word, note);
}

/* What a folder of safetensors is read from. */
static bool is_of_folder(struct str path, bool has_shards)
{
    static const char *const names[] = {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "chat_template.jinja",
        "chat_template.json",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
        "README.md",
        "sentencepiece.bpe.model",
        "model.safetensors.index.json",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_is(path, names[i]))
            return true;
    return !memchr(path.ptr, '/', path.len) && str_ends(path, STR(".safetensors")) &&
           !(has_shards && !str_starts(path, STR("model")));
}

static enum err choose_folder(struct listing *l, struct str want, struct err_note *note)
{
    bool has_config = false, has_weights = false, has_model = false;
    for (size_t i = 0; i < l->n_files; i++) {
        struct str path = str_from(l->files[i].path);
        bool weights = str_ends(path, STR(".safetensors")) && !memchr(path.ptr, '/', path.len);
        has_config |= str_is(path, "config.json");
        has_weights |= weights;
        has_model |= weights && str_starts(path, STR("model"));
    }
    if (!has_config || !has_weights)
        return err_set(note, ERR_NOT_FOUND,
                       "the repository has neither GGUF files nor a "
                       "config.json with safetensors");
    if (want.len)
        return err_set(note, ERR_NOT_FOUND,
                       "the repository has no GGUF file to choose %.*s from; "
                       "without it, its safetensors are pulled",
                       STR_ARG(want));
    for (size_t i = 0; i < l->n_files; i++)
        l->files[i].chosen = is_of_folder(str_from(l->files[i].path), has_model);
    return ERR_OK;
}

enum err listing_choose(struct listing *l, struct str want, enum listing_kind *kind,
                        struct err_note *note)
{
    struct name_split split;
    size_t n_models = 0;
    *kind = LISTING_GGUF;
    for (size_t i = 0; i < l->n_files; i++) {
        if (want.len && str_is(want, l->files[i].path) &&
            name_split(str_from(l->files[i].path), &split))
            return choose_parts(l, &split, note);
        n_models += is_model(&l->files[i], &split);
    }
    if (n_models)
        return choose_gguf(l, want, n_models, note);
    *kind = LISTING_FOLDER;
    return choose_folder(l, want, note);
}
