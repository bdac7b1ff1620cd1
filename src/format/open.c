/* open.c - table_open: which reader a path needs. */
#include "base/file.h"
#include "format/gguf.h"
#include "format/hf_plan.h"

enum err table_open(const char *path, struct table *t, struct err_note *note)
{
    return file_is_dir(path) ? hf_open(path, t, note) : gguf_open(path, t, note);
}
