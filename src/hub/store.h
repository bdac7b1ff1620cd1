/* store.h - the folder that models are pulled into: what is there, by name.
 *
 * A model is NAME.gguf, a folder NAME with a config.json, or a split file, whose name is that of
 * its parts without their numbers; all of them may lie in folders below. What is incomplete has no
 * name that opens. Hidden files and what else lies there are left alone. */
#ifndef HUB_STORE_H
#define HUB_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { STORE_MODELS_MAX = 4096 };

struct store_model {
    char *name, *path; /* what table_open takes; owned */
    uint64_t n_bytes;  /* of all its files */
    int64_t mtime_s;
    bool is_incomplete; /* of a pull that ended early */
};
struct store {
    struct store_model *models; /* [n_models], by name */
    size_t n_models;
};

/* store_folder - $ISOBIT_MODELS, else isobit/models in $XDG_DATA_HOME or ~/.local/share. */
enum err store_folder(char out[PATH_MAX], struct err_note *note);
/* store_open - a folder that is not there has no models. */
enum err store_open(struct store *s, const char *folder, struct err_note *note);
void store_close(struct store *s);

/* store_find - NULL: none of this name is complete. */
const struct store_model *store_find(const struct store *s, const char *name);
/* store_remove - its files, and those of an unfinished pull of it. */
enum err store_remove(const struct store_model *m, struct err_note *note);

#endif
