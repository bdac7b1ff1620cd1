/* hf.c - opens Hugging Face folders: config.json, one or several .safetensors files. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "format/gguf_write.h"
#include "format/hf_plan.h"
#include "format/table_build.h"

enum { CONFIG_BYTES_MAX = 16 << 20, INDEX_BYTES_MAX = 256 << 20 };

void hf_plan_close(struct hf_plan *p)
{
    safetensors_release(&p->files);
    metas_release(&p->metas);
    mem_free(p->recipes);
    table_close(&p->table);
    *p = (struct hf_plan){0};
}

static enum err no_memory(const struct hf_plan *p, struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "%s: out of memory", p->table.path);
}

static enum err add_file(struct hf_plan *p, const char *name, struct err_note *note)
{
    struct file_map map;
    char *path = table_printf(&p->table, "%s/%s", p->table.path, name);
    if (!path)
        return no_memory(p, note);
    enum err rc = table_map(&p->table, path, &map, note);
    return rc ? rc : safetensors_parse(&p->files, map.bytes, map.n_bytes, path, &p->table, note);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that an index names, each once, into names (room for one per tensor). */
static enum err list_files(const struct hf_json *index, const char **names, size_t *n_names)
{
    const json_t *map = json_object_get(index->object, "weight_map"), *value;
    const char *tensor;
    *n_names = 0;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value) {
        const char *file = json_string_value(value);
        if (!file || !file[0] || strchr(file, '/') || file[0] == '.')
            hf_json_fail(index, ERR_FORMAT, "the file of tensor %s is not a name in the folder",
                         tensor);
        else
            names[(*n_names)++] = file;
    }
    if (*index->rc || *n_names == 0)
        return *index->rc;
    qsort(names, *n_names, sizeof *names, by_text);
    size_t n = 1;
    for (size_t i = 1; i < *n_names; i++)
        if (strcmp(names[i], names[n - 1]) != 0)
            names[n++] = names[i];
    *n_names = n;
    return ERR_OK;
}

static enum err check_index(struct hf_plan *p, const struct hf_json *index)
{
    const json_t *map = json_object_get(index->object, "weight_map"), *value;
    const char *tensor;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value) {
        if (!safetensors_find(&p->files, str_from(tensor)))
            hf_json_fail(index, ERR_FORMAT, "tensor %s is not in %s", tensor,
                         json_string_value(value));
    }
    return *index->rc;
}

static enum err add_indexed(struct hf_plan *p, const struct hf_json *index)
{
    const json_t *map = json_object_get(index->object, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        hf_json_fail(index, ERR_FORMAT, "no \"weight_map\"");
        return *index->rc;
    }
    size_t n_names;
    const char **names = mem_array(json_object_size(map), sizeof *names);
    if (!names)
        return no_memory(p, index->note);
    enum err rc = list_files(index, names, &n_names);
    for (size_t i = 0; i < n_names && !rc; i++)
        rc = add_file(p, names[i], index->note);
    if (!rc)
        rc = safetensors_sort(&p->files, index->note);
    mem_free(names);
    return rc ? rc : check_index(p, index);
}

static enum err add_files(struct hf_plan *p, struct err_note *note)
{
    const char *folder = p->table.path;
    char *index = table_printf(&p->table, "%s/model.safetensors.index.json", folder);
    char *single = table_printf(&p->table, "%s/model.safetensors", folder), *text;
    size_t n_bytes;
    json_t *document;
    if (!index || !single)
        return no_memory(p, note);
    if (file_exists(single)) {
        enum err rc = add_file(p, "model.safetensors", note);
        return rc ? rc : safetensors_sort(&p->files, note);
    }
    if (!file_exists(index))
        return err_set(note, ERR_NOT_FOUND,
                       "%s has neither model.safetensors nor model.safetensors.index.json (other "
                       "kinds of weights are not read)",
                       folder);
    enum err rc = file_read(index, INDEX_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = hf_json_parse(text, n_bytes, index, &document, note);
    mem_free(text);
    if (rc)
        return rc;
    struct hf_json j = {document, index, &rc, note};
    rc = add_indexed(p, &j);
    json_decref(document);
    return rc;
}

/* The folder's own name, for general.name. */
static struct str base_name(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/')
        from--;
    return (struct str){path + from, n - from};
}

static enum err read_config(struct hf_plan *p, struct err_note *note)
{
    char *path = table_printf(&p->table, "%s/config.json", p->table.path), *text;
    size_t n_bytes;
    if (!path)
        return no_memory(p, note);
    enum err rc = file_read(path, CONFIG_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = hf_config_parse(text, n_bytes, path, base_name(p->table.path), &p->config, &p->metas,
                         note);
    mem_free(text);
    return rc;
}

static enum err read_pooling_of(struct hf_plan *p, const char *folder, struct err_note *note)
{
    char *path = table_printf(&p->table, "%s/%s/config.json", p->table.path, folder), *text;
    size_t n_bytes;
    if (!path)
        return no_memory(p, note);
    enum err rc = file_read(path, CONFIG_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = hf_pooling_parse(text, n_bytes, path, &p->config, &p->metas, note);
    mem_free(text);
    return rc;
}

/* What sentence-transformers writes beside a model that makes embeddings. */
static enum err read_modules(struct hf_plan *p, struct err_note *note)
{
    char *path = table_printf(&p->table, "%s/modules.json", p->table.path), *text, folder[256];
    size_t n_bytes;
    if (!path)
        return no_memory(p, note);
    if (p->config.ranks || !file_exists(path))
        return ERR_OK;
    enum err rc = file_read(path, CONFIG_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = hf_modules_parse(text, n_bytes, path, folder, note);
    mem_free(text);
    return rc || !folder[0] ? rc : read_pooling_of(p, folder, note);
}

enum err hf_plan_open(const char *folder, struct hf_plan *p, struct err_note *note)
{
    *p = (struct hf_plan){0};
    metas_init(&p->metas);
    enum err rc = table_init(&p->table, folder, note);
    if (!rc)
        rc = read_config(p, note);
    if (!rc)
        rc = read_modules(p, note);
    if (!rc)
        rc = add_files(p, note);
    if (!rc)
        rc = hf_plan_build(p, note);
    if (rc)
        hf_plan_close(p);
    return rc;
}

/* The whole tensor, as a view if its bytes are used as they are. */
static enum err make_tensor(struct hf_plan *p, const struct hf_recipe *r, struct err_note *note)
{
    struct tensor_view v = r->view;
    enum err rc = tensor_shape_bytes(&v, &v.n_bytes, note);
    if (rc)
        return rc;
    if (!hf_recipe_is_view(r, &v.data)) {
        void *copy = table_pages(&p->table, v.n_bytes);
        if (!copy)
            return err_set(note, ERR_MEMORY, "out of memory for tensor %.*s (%zu bytes)",
                           STR_ARG(v.name), v.n_bytes);
        hf_recipe_rows(r, 0, tensor_rows(&v), copy);
        v.data = copy;
    }
    return table_add_tensor(&p->table, &v, v.n_bytes, note);
}

enum err hf_open(const char *folder, struct table *t, struct err_note *note)
{
    struct hf_plan p;
    *t = (struct table){0};
    enum err rc = hf_plan_open(folder, &p, note);
    if (rc)
        return rc;
    for (size_t i = 0; i < p.n_recipes && !rc; i++)
        rc = make_tensor(&p, &p.recipes[i], note);
    if (!rc)
        rc = table_take_metas(&p.table, &p.metas, note);
    if (!rc)
        rc = table_finish(&p.table, "safetensors folder", note);
    if (rc) {
        err_wrap(note, rc, "%s", folder);
    } else {
        *t = p.table;
        p.table = (struct table){0};
    }
    hf_plan_close(&p);
    return rc;
}
