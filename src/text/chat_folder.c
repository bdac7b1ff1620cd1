/* chat_folder.c - finding a folder's chat templates. */
#include "text/chat_folder.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"

enum { TEMPLATE_BYTES_MAX = 1 << 20, CONFIG_BYTES_MAX = 64 << 20 };

/* Takes source; copies name. */
static enum err add(struct chat_folder *f, struct str name, char *source, size_t n_bytes,
                    struct err_note *note)
{
    char *copy = source ? mem_strndup(name.ptr, name.len) : NULL;
    if (copy && f->n_choices < CHAT_FOLDER_MAX) {
        f->choices[f->n_choices++] = (struct chat_choice){{copy, name.len}, {source, n_bytes}};
        return ERR_OK;
    }
    mem_free(copy);
    mem_free(source);
    if (f->n_choices == CHAT_FOLDER_MAX)
        return err_set(note, ERR_LIMIT, "more than %d chat templates", CHAT_FOLDER_MAX);
    return err_set(note, ERR_MEMORY, "out of memory for a chat template");
}

static enum err add_file(struct chat_folder *f, struct str name, const char *path,
                         struct err_note *note)
{
    char *source;
    size_t n_bytes;
    enum err rc = file_read(path, TEMPLATE_BYTES_MAX, &source, &n_bytes, note);
    return rc ? rc : add(f, name, source, n_bytes, note);
}

static enum err add_files(struct chat_folder *f, const char *folder, struct err_note *note)
{
    char path[PATH_MAX];
    enum err rc = ERR_OK;
    snprintf(path, sizeof path, "%s/chat_template.jinja", folder);
    if (!file_exists(path))
        return ERR_OK;
    rc = add_file(f, STR("default"), path, note);
    snprintf(path, sizeof path, "%s/additional_chat_templates", folder);
    DIR *more = rc ? NULL : opendir(path);
    for (struct dirent *entry; !rc && more && (entry = readdir(more));) {
        struct str name = str_from(entry->d_name), end = STR(".jinja");
        if (!str_ends(name, end))
            continue;
        snprintf(path, sizeof path, "%s/additional_chat_templates/%s", folder, entry->d_name);
        rc = add_file(f, str_sub(name, 0, name.len - end.len), path, note);
    }
    if (more)
        closedir(more);
    return rc;
}

static enum err add_json(struct chat_folder *f, const json_t *name, const json_t *source,
                         const char *path, struct err_note *note)
{
    if (!json_is_string(name) || !json_is_string(source))
        return err_set(note, ERR_FORMAT, "%s: chat_template is neither a text nor a list of them",
                       path);
    size_t n = json_string_length(source);
    return add(f, (struct str){json_string_value(name), json_string_length(name)},
               mem_strndup(json_string_value(source), n), n, note);
}

static enum err add_config(struct chat_folder *f, const char *folder, struct err_note *note)
{
    char path[PATH_MAX];
    char *text;
    size_t n_bytes;
    json_error_t error;
    snprintf(path, sizeof path, "%s/tokenizer_config.json", folder);
    if (!file_exists(path))
        return ERR_OK;
    enum err rc = file_read(path, CONFIG_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    /* Numbers do not matter here, but integers of more than 64 bits do occur. */
    json_t *config = json_loadb(text, n_bytes, JSON_DECODE_INT_AS_REAL, &error);
    mem_free(text);
    if (!config)
        return err_set(note, ERR_FORMAT, "%s: line %d: %s", path, error.line, error.text);
    const json_t *value = json_object_get(config, "chat_template");
    json_t *name = json_string("default");
    if (json_is_array(value))
        for (size_t i = 0; !rc && i < json_array_size(value); i++) {
            const json_t *item = json_array_get(value, i);
            rc = add_json(f, json_object_get(item, "name"), json_object_get(item, "template"), path,
                          note);
        }
    else if (value && !json_is_null(value))
        rc = add_json(f, name, value, path, note);
    json_decref(name);
    json_decref(config);
    return rc;
}

enum err chat_folder_read(struct chat_folder *f, const char *folder, struct err_note *note)
{
    *f = (struct chat_folder){0};
    enum err rc = add_files(f, folder, note);
    if (!rc && f->n_choices == 0)
        rc = add_config(f, folder, note);
    if (rc)
        chat_folder_release(f);
    return rc;
}

void chat_folder_release(struct chat_folder *f)
{
    for (size_t i = 0; i < f->n_choices; i++) {
        mem_free((char *)(uintptr_t)f->choices[i].name.ptr);
        mem_free((char *)(uintptr_t)f->choices[i].source.ptr);
    }
    f->n_choices = 0;
}
