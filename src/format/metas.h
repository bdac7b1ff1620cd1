/* metas.h - a list of metadata under construction, for readers and writers of model files.
 *
 * It owns keys, strings and arrays (copies). Setting a key again replaces its value in place, so
 * that a file can be rewritten with a few changes. The first failure (memory, a bad key) sticks:
 * set as you like, metas_status tells. Not thread-safe. */
#ifndef FORMAT_METAS_H
#define FORMAT_METAS_H

#include "base/mem.h"
#include "format/table.h"

struct metas {
    struct arena arena;
    struct meta_value *items;
    size_t n_items, n_reserved;
    enum err failed;
};

void metas_init(struct metas *m);
void metas_release(struct metas *m);
enum err metas_status(const struct metas *m, struct err_note *note);

/* The type in a GGUF file is the one in the function's name. */
void metas_u32(struct metas *m, const char *key, uint32_t value);
void metas_f32(struct metas *m, const char *key, double value); /* rounded to binary32 */
void metas_f64(struct metas *m, const char *key, double value);
void metas_bool(struct metas *m, const char *key, bool value);
void metas_str(struct metas *m, const char *key, struct str value);
void metas_strs(struct metas *m, const char *key, const struct str *items, size_t n_items);
void metas_i32s(struct metas *m, const char *key, const int32_t *items, size_t n_items);
void metas_u32s(struct metas *m, const char *key, const uint32_t *items, size_t n_items);
void metas_f32s(struct metas *m, const char *key, const double *items, size_t n_items);
void metas_bools(struct metas *m, const char *key, const bool *items, size_t n_items);
void metas_bytes(struct metas *m, const char *key, const uint8_t *items, size_t n_items);

/* metas_copy - a deep copy of a value, its exact type kept. */
void metas_copy(struct metas *m, const struct meta_value *value);
void metas_remove(struct metas *m, const char *key); /* absent is fine */
const struct meta_value *metas_find(const struct metas *m, const char *key); /* NULL: none */

#endif
