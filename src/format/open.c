/* open.c - table_open: which reader a path needs. */
#include "base/file.h"
#include "format/gguf.h"
#include "format/table.h"

enum err table_open(const char *path, struct table *t, struct err_note *note)
{
    *t = (struct table){0};
    if (file_is_dir(path))
        return err_set(note, ERR_UNSUPPORTED, "%s is a folder, not a GGUF file", path);
    return gguf_open(path, t, note);
}
