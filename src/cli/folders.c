/* folders.c - the program's own folders. */
#include "cli/folders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum err folder_path(enum folder_kind kind, const char *rest, char path[PATH_MAX],
                     struct err_note *note)
{
    static const char *const names[][2] = {
        [FOLDER_DATA] = {"XDG_DATA_HOME", ".local/share"},
        [FOLDER_CONFIG] = {"XDG_CONFIG_HOME", ".config"},
    };
    const char *base = getenv(names[kind][0]), *home = getenv("HOME");
    int n = -1;
    if (base && base[0] == '/')
        n = snprintf(path, PATH_MAX, "%s/isobit/%s", base, rest);
    else if (home && *home)
        n = snprintf(path, PATH_MAX, "%s/%s/isobit/%s", home, names[kind][1], rest);
    if (n < 0 || n >= PATH_MAX)
        return err_set(note, ERR_USAGE, "no place for %s: set %s or HOME", rest, names[kind][0]);
    return ERR_OK;
}

enum err folder_make(const char *path, struct err_note *note)
{
    char part[PATH_MAX];
    if (strlen(path) >= sizeof part)
        return err_set(note, ERR_LIMIT, "%s is too long for a path", path);
    memcpy(part, path, strlen(path) + 1);
    for (char *at = part; at;) {
        at = strchr(at + 1, '/');
        if (at)
            *at = 0;
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return err_set(note, ERR_IO, "cannot make the folder %s: %s", part, strerror(errno));
        if (at)
            *at = '/';
    }
    return ERR_OK;
}
