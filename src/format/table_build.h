/* table_build.h - how the readers of this room fill a struct table. Private to format.
 *
 * States: table_init -> add... -> table_finish -> immutable. table_close is right in every state
 * after table_init, also when that failed. Names, strings and data that are added must live as long
 * as the table: in one of its maps, or in memory that it gave out. */
#ifndef FORMAT_TABLE_BUILD_H
#define FORMAT_TABLE_BUILD_H

#include "base/file.h"
#include "format/metas.h"
#include "format/table.h"

enum {
    TABLE_TENSORS_MAX = 1 << 16,
    TABLE_METAS_MAX = 1 << 16,
    TABLE_NAME_BYTES_MAX = 256, /* so that an error can name it */
    TABLE_FILES_MAX = 1 << 10,
};

enum err table_init(struct table *t, const char *path, struct err_note *note);

/* table_map - open and own a mapping of a file; *out is a borrowed copy. */
enum err table_map(struct table *t, const char *path, struct file_map *out, struct err_note *note);

/* Zeroed memory that lives as long as the table; NULL when there is none. The first for small
 * things, the second for tensor data (64-byte aligned). */
void *table_memory(struct table *t, size_t n_bytes);
void *table_pages(struct table *t, size_t n_bytes);
char *table_printf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum err table_add_meta(struct table *t, const struct meta_value *value, struct err_note *note);

/* table_take_metas - move a list's items and memory into the table; m is empty afterwards. */
enum err table_take_metas(struct table *t, struct metas *m, struct err_note *note);

/* table_add_tensor - view->n_bytes and the unused dims are set here from dtype and dims, after the
 * shape was checked; n_bytes_given is what the file has from view->data on. */
enum err table_add_tensor(struct table *t, const struct tensor_view *view, uint64_t n_bytes_given,
                          struct err_note *note);

/* table_finish - build the indexes; a duplicate name is an error. */
enum err table_finish(struct table *t, const char *source, struct err_note *note);

/* tensor_shape_bytes - bytes of a tensor; ERR_FORMAT when the shape is impossible. */
enum err tensor_shape_bytes(const struct tensor_view *view, size_t *n_bytes, struct err_note *note);

/* name_ok - printable UTF-8 of 1..TABLE_NAME_BYTES_MAX bytes. */
bool name_ok(struct str name);

#endif
