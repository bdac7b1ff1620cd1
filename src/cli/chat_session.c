/* chat_session.c - the folders that named chats live in. */
#include "cli/chat_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/folders.h"
#include "cli/say.h"

enum { NAME_MAX_BYTES = 64, FILE_BYTES_MAX = 256 << 20 };

/* ---- where they are ---- */

static enum err check_name(const char *name, struct err_note *note)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t n = strlen(name);
    if (n == 0 || n > NAME_MAX_BYTES || strspn(name, letters) != n || name[0] == '.' ||
        name[0] == '-')
        return err_set(note, ERR_USAGE,
                       "\"%s\" is no name of a session: up to %d letters, digits, '-', '_' and "
                       "'.', none of the last three at the beginning but '_'",
                       name, NAME_MAX_BYTES);
    return ERR_OK;
}

/* The folder of all sessions; its parts are made as far as they are missing. */
static enum err sessions_folder(char path[PATH_MAX], bool make, struct err_note *note)
{
    enum err rc = folder_path(FOLDER_DATA, "sessions", path, note);
    return !rc && make ? folder_make(path, note) : rc;
}

static char *join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = mem_alloc(n);
    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

/* ---- open, save, close ---- */

static enum err take_lock(struct chat_session *s, struct err_note *note)
{
    char *path = join(s->folder, "lock");
    s->lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    mem_free(path);
    if (s->lock < 0)
        return err_set(note, ERR_IO, "cannot lock the session %s: %s", s->name, strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    return err_set(note, errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO,
                   errno == EWOULDBLOCK ? "the session %s is open in another process"
                                        : "cannot lock the session %s",
                   s->name);
}

static enum err open_folder(struct chat_session *s, const char *name, bool make,
                            struct err_note *note)
{
    char all[PATH_MAX];
    *s = (struct chat_session){.lock = -1};
    enum err rc = check_name(name, note);
    if (!rc)
        rc = sessions_folder(all, make, note);
    if (rc)
        return rc;
    s->name = mem_strdup(name);
    s->folder = join(all, name);
    s->pages = s->folder ? join(s->folder, "pages") : NULL;
    if (!s->name || !s->pages)
        return err_set(note, ERR_MEMORY, "out of memory for the session %s", name);
    if (make && mkdir(s->folder, 0700) != 0 && errno != EEXIST)
        return err_set(note, ERR_IO, "cannot make %s: %s", s->folder, strerror(errno));
    if (!make && !file_is_dir(s->folder))
        return err_set(note, ERR_NOT_FOUND, "there is no session %s", name);
    return take_lock(s, note);
}

/* ERR_NOT_FOUND: nothing was saved yet. */
static enum err read_record(const char *folder, const char *name, struct chat_record *r,
                            struct err_note *note)
{
    char *path = join(folder, "session.json"), *text;
    size_t n_bytes;
    if (!path)
        return err_set(note, ERR_MEMORY, "out of memory for the session %s", name);
    enum err rc = file_read(path, FILE_BYTES_MAX, &text, &n_bytes, note);
    mem_free(path);
    if (rc)
        return rc;
    rc = chat_record_parse(r, (struct str){text, n_bytes}, name, note);
    mem_free(text);
    return rc;
}

enum err chat_session_open(struct chat_session *s, const char *name, struct chat_record *r,
                           struct err_note *note)
{
    *r = (struct chat_record){0};
    enum err rc = open_folder(s, name, true, note);
    if (!rc)
        rc = read_record(s->folder, name, r, note);
    s->is_new = rc == ERR_NOT_FOUND;
    if (!rc || s->is_new)
        return ERR_OK;
    chat_session_close(s);
    return rc;
}

static int to_writer(const char *bytes, size_t n_bytes, void *writer)
{
    file_writer_add(writer, bytes, n_bytes);
    return 0;
}

enum err chat_session_save(const struct chat_session *s, const struct chat_record *r,
                           struct err_note *note)
{
    struct file_writer w;
    char *path = join(s->folder, "session.json");
    json_t *json = chat_record_json(r);
    enum err rc = ERR_OK;
    if (!path || !json)
        rc = err_set(note, ERR_FORMAT, "the session %s cannot be written as JSON", s->name);
    if (!rc)
        rc = file_writer_open_private(&w, path, note);
    if (!rc) {
        json_dump_callback(json, to_writer, &w, JSON_COMPACT);
        file_writer_add(&w, "\n", 1);
        rc = file_writer_commit(&w, note);
    }
    json_decref(json);
    mem_free(path);
    return rc;
}

void chat_session_close(struct chat_session *s)
{
    if (s->name && s->lock >= 0)
        close(s->lock);
    mem_free(s->name);
    mem_free(s->folder);
    mem_free(s->pages);
    *s = (struct chat_session){.lock = -1};
}

/* ---- all of them ---- */

/* The bytes of the files in a folder; with remove they are deleted. */
static uint64_t walk_files(const char *folder, bool remove)
{
    DIR *dir = opendir(folder);
    struct stat st;
    uint64_t n_bytes = 0;
    for (struct dirent *item; dir && (item = readdir(dir));) {
        if (fstatat(dirfd(dir), item->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        n_bytes += (uint64_t)st.st_size;
        if (remove)
            unlinkat(dirfd(dir), item->d_name, 0);
    }
    if (dir)
        closedir(dir);
    return n_bytes;
}

enum err chat_session_forget(const char *name, struct err_note *note)
{
    struct chat_session s;
    enum err rc = open_folder(&s, name, false, note);
    if (!rc) {
        walk_files(s.pages, true);
        rmdir(s.pages);
        walk_files(s.folder, true);
        if (rmdir(s.folder) != 0)
            rc = err_set(note, ERR_IO, "cannot delete %s: %s", s.folder, strerror(errno));
    }
    chat_session_close(&s);
    return rc;
}

static void print_session(const char *all, const char *name)
{
    struct chat_record r = {0};
    struct stat st = {0};
    char size[SIZE_TEXT], when[32] = "";
    char *folder = join(all, name), *pages = folder ? join(folder, "pages") : NULL;
    char *file = folder ? join(folder, "session.json") : NULL;
    if (file && pages && stat(file, &st) == 0) {
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", localtime(&st.st_mtime));
        size_text(walk_files(pages, false) + (uint64_t)st.st_size, size);
        if (read_record(folder, name, &r, NULL))
            printf("%-24s %s  damaged, %s\n", name, when, size);
        else
            printf("%-24s %s  %zu messages, %zu tokens, %s\n", name, when,
                   r.conversation.n_messages, r.n_tokens, size);
        chat_record_release(&r);
    }
    mem_free(file);
    mem_free(pages);
    mem_free(folder);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the sessions; a folder that is not there has none. */
static enum err read_names(const char *all, char ***names, size_t *n_names, struct err_note *note)
{
    DIR *dir = opendir(all);
    enum err rc = ERR_OK;
    *names = NULL;
    *n_names = 0;
    for (struct dirent *item; dir && !rc && (item = readdir(dir));) {
        if (check_name(item->d_name, NULL) != ERR_OK)
            continue;
        char **more = mem_resize(*names, (*n_names + 1) * sizeof *more);
        char *copy = more ? mem_strdup(item->d_name) : NULL;
        *names = more ? more : *names;
        if (copy)
            (*names)[(*n_names)++] = copy;
        else
            rc = err_set(note, ERR_MEMORY, "out of memory for %zu sessions", *n_names);
    }
    if (dir)
        closedir(dir);
    return rc;
}

enum err chat_session_list(struct err_note *note)
{
    char all[PATH_MAX], **names;
    size_t n_names;
    enum err rc = sessions_folder(all, false, note);
    if (rc)
        return rc;
    rc = read_names(all, &names, &n_names, note);
    if (!rc && n_names > 0)
        qsort(names, n_names, sizeof names[0], by_text);
    for (size_t i = 0; i < n_names; i++) {
        if (!rc)
            print_session(all, names[i]);
        mem_free(names[i]);
    }
    mem_free(names);
    return rc;
}
