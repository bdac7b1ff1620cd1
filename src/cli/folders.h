/* folders.h - where the program's own files are, as the XDG base directories say. */
#ifndef CLI_FOLDERS_H
#define CLI_FOLDERS_H

#include <limits.h>

#include "base/err.h"

enum folder_kind {
    FOLDER_DATA,   /* $XDG_DATA_HOME/isobit, or ~/.local/share/isobit */
    FOLDER_CONFIG, /* $XDG_CONFIG_HOME/isobit, or ~/.config/isobit */
};

/* folder_path - rest in it. ERR_USAGE: neither variable is set. */
enum err folder_path(enum folder_kind kind, const char *rest, char path[PATH_MAX],
                     struct err_note *note);
/* folder_make - the folder with all its parts, for its owner alone. */
enum err folder_make(const char *path, struct err_note *note);

#endif
