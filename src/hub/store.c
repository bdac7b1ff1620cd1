/* store.c - walks the models folder. */
#include "hub/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "hub/name.h"

enum { DEPTH_MAX = 3 };

enum err store_folder(char out[PATH_MAX], struct err_note *note)
{
    const char *named = getenv("ISOBIT_MODELS"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (named && *named)
        n = snprintf(out, PATH_MAX, "%s", named);
    else if (data && data[0] == '/')
        n = snprintf(out, PATH_MAX, "%s/isobit/models", data);
    else if (home && home[0] == '/')
        n = snprintf(out, PATH_MAX, "%s/.local/share/isobit/models", home);
    if (n < 0 || n >= PATH_MAX)
        return err_set(note, ERR_USAGE, "no models folder: set ISOBIT_MODELS or HOME");
    while (n > 1 && out[n - 1] == '/')
        out[--n] = 0;
    return ERR_OK;
}

/* ---- walking ---- */

/* One folder's entries, one after the other. */
struct walk {
    DIR *dir;
    const char *folder;
    char path[PATH_MAX];
    struct str name; /* of the entry */
    struct stat st;
};

static bool walk_next(struct walk *w)
{
    struct dirent *e;
    while ((e = readdir(w->dir)) != NULL) {
        int n = snprintf(w->path, sizeof w->path, "%s/%s", w->folder, e->d_name);
        if (e->d_name[0] == '.' || n < 0 || n >= (int)sizeof w->path || stat(w->path, &w->st) != 0)
            continue;
        w->name = name_last(str_from(w->path));
        return true;
    }
    return false;
}

static struct store_model *add(struct store *s, struct str name, const char *path,
                               const struct stat *st)
{
    struct store_model *more = s->n_models < STORE_MODELS_MAX
                                   ? mem_resize(s->models, (s->n_models + 1) * sizeof more[0])
                                   : NULL;
    if (!more)
        return NULL;
    s->models = more;
    struct store_model *m = &more[s->n_models];
    *m = (struct store_model){.name = mem_strndup(name.ptr, name.len),
                              .path = mem_strdup(path),
                              .n_bytes = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
                              .mtime_s = st->st_mtim.tv_sec};
    s->n_models++;
    return m->name && m->path ? m : NULL;
}

static uint64_t bytes_of_folder(const char *folder, int depth)
{
    struct walk w = {.dir = opendir(folder), .folder = folder};
    uint64_t n = 0;
    while (w.dir && walk_next(&w)) {
        if (S_ISREG(w.st.st_mode))
            n += (uint64_t)w.st.st_blocks * 512;
        else if (S_ISDIR(w.st.st_mode) && depth < DEPTH_MAX)
            n += bytes_of_folder(w.path, depth + 1);
    }
    if (w.dir)
        closedir(w.dir);
    return n;
}

/* A name without one of the endings of what is incomplete; false: has none. */
static bool take_ending(struct str *name, const char *ending)
{
    bool has = str_ends(*name, str_from(ending)) && name->len > strlen(ending);
    if (has)
        name->len -= strlen(ending);
    return has;
}

static bool add_incomplete(struct store *s, const struct walk *w, struct str name)
{
    struct store_model *m = add(s, name, w->path, &w->st);
    if (!m)
        return false;
    m->is_incomplete = true;
    m->n_bytes = S_ISDIR(w->st.st_mode) ? bytes_of_folder(w->path, 1)
                                        : (uint64_t)w->st.st_blocks * 512; /* it has holes */
    return true;
}

static bool add_file(struct store *s, const struct walk *w)
{
    struct name_split split;
    struct str name = w->name;
    if (take_ending(&name, ".gguf.part"))
        return add_incomplete(s, w, name);
    if (!name_split(name, &split) || split.part != 1)
        return true;
    return add(s, split.stem, w->path, &w->st) != NULL;
}

static bool scan(struct store *s, const char *folder, int depth);

static bool add_folder(struct store *s, const struct walk *w, int depth)
{
    char config[PATH_MAX];
    struct str name = w->name;
    if (take_ending(&name, ".partial"))
        return add_incomplete(s, w, name);
    int n = snprintf(config, sizeof config, "%s/config.json", w->path);
    if (n < 0 || n >= (int)sizeof config || !file_exists(config))
        return depth >= DEPTH_MAX || scan(s, w->path, depth + 1);
    struct store_model *m = add(s, name, w->path, &w->st);
    if (m)
        m->n_bytes = bytes_of_folder(w->path, 1);
    return m != NULL;
}

/* The further parts of split files count to their first one. */
static void add_part(struct store *s, size_t first_here, const struct walk *w)
{
    struct name_split split;
    if (!S_ISREG(w->st.st_mode) || !name_split(w->name, &split) || split.part == 1)
        return;
    for (size_t i = first_here; i < s->n_models; i++)
        if (str_is(split.stem, s->models[i].name) && !s->models[i].is_incomplete)
            s->models[i].n_bytes += (uint64_t)w->st.st_size;
}

static bool scan(struct store *s, const char *folder, int depth)
{
    struct walk *w = mem_zalloc(sizeof *w);
    size_t first_here = s->n_models;
    bool good = w != NULL;
    if (w) {
        w->folder = folder;
        w->dir = opendir(folder);
    }
    while (good && w->dir && walk_next(w)) {
        if (S_ISDIR(w->st.st_mode))
            good = add_folder(s, w, depth);
        else if (S_ISREG(w->st.st_mode))
            good = add_file(s, w);
    }
    if (good && w->dir) {
        rewinddir(w->dir);
        while (walk_next(w))
            add_part(s, first_here, w);
    }
    if (w && w->dir)
        closedir(w->dir);
    mem_free(w);
    return good;
}

static int by_name(const void *a, const void *b)
{
    const struct store_model *x = a, *y = b;
    int names = strcmp(x->name, y->name);
    return names ? names : strcmp(x->path, y->path);
}

enum err store_open(struct store *s, const char *folder, struct err_note *note)
{
    *s = (struct store){0};
    if (!scan(s, folder, 1)) {
        store_close(s);
        return err_set(note, ERR_LIMIT,
                       "%s holds more than %d models, or more than there is "
                       "memory for",
                       folder, STORE_MODELS_MAX);
    }
    if (s->n_models)
        qsort(s->models, s->n_models, sizeof s->models[0], by_name);
    return ERR_OK;
}

void store_close(struct store *s)
{
    for (size_t i = 0; i < s->n_models; i++) {
        mem_free(s->models[i].name);
        mem_free(s->models[i].path);
    }
    mem_free(s->models);
    *s = (struct store){0};
}

const struct store_model *store_find(const struct store *s, const char *name)
{
    for (size_t i = 0; i < s->n_models; i++)
        if (!s->models[i].is_incomplete && strcmp(s->models[i].name, name) == 0)
            return &s->models[i];
    return NULL;
}

/* ---- removing ---- */

static enum err cannot_remove(const char *path, struct err_note *note)
{
    return err_set(note, ERR_IO, "cannot remove %s: %s", path, strerror(errno));
}

/* A folder with all that is in it; links are removed, not followed. */
static enum err remove_folder(const char *folder, int depth, struct err_note *note)
{
    char path[PATH_MAX];
    struct stat st;
    struct dirent *e;
    enum err rc = ERR_OK;
    DIR *dir = opendir(folder);
    while (!rc && dir && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            rc = remove_folder(path, depth + 1, note);
        else if (unlink(path) != 0)
            rc = cannot_remove(path, note);
    }
    if (dir)
        closedir(dir);
    return rc || rmdir(folder) == 0 ? rc : cannot_remove(folder, note);
}

/* The parts of a split file, and the folder if it had nothing else. */
static enum err remove_parts(const struct store_model *m, const struct name_split *first,
                             struct err_note *note)
{
    char path[PATH_MAX];
    for (uint32_t i = 1; i <= first->n_parts; i++) {
        int n = snprintf(path, sizeof path, "%.*s-%05u-of-%05u.gguf", STR_ARG(first->stem), i,
                         first->n_parts);
        if (n < 0 || n >= (int)sizeof path || (unlink(path) != 0 && errno != ENOENT))
            return cannot_remove(m->path, note);
    }
    snprintf(path, sizeof path, "%s", m->path);
    path[str_from(path).len - name_last(str_from(path)).len - 1] = 0;
    if (strcmp(name_last(str_from(path)).ptr, m->name) == 0)
        (void)rmdir(path); /* it may hold other things */
    return ERR_OK;
}

enum err store_remove(const struct store_model *m, struct err_note *note)
{
    struct name_split split;
    char state[PATH_MAX];
    if (file_is_dir(m->path))
        return remove_folder(m->path, 1, note);
    if (name_split(str_from(m->path), &split) && split.n_parts > 1)
        return remove_parts(m, &split, note);
    if (unlink(m->path) != 0)
        return cannot_remove(m->path, note);
    int n = snprintf(state, sizeof state, "%s.state", m->path);
    if (m->is_incomplete && n > 0 && n < (int)sizeof state)
        (void)unlink(state);
    return ERR_OK;
}
