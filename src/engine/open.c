/* open.c - an engine from a path: it owns the opened file too. Not in the core: Hugging Face
 * folders need a library. */
#include "base/mem.h"
#include "engine/engine_int.h"
#include "format/table.h"

static void close_table(struct table *table)
{
    table_close(table);
    mem_free(table);
}

enum iso_err iso_engine_open(const char *path, const struct iso_engine_options *options,
                             struct iso_engine **engine, struct iso_note *note)
{
    *engine = NULL;
    struct table *table = mem_zalloc(sizeof *table);
    if (!table)
        return (enum iso_err)err_set(note_of(note), ERR_MEMORY, "out of memory opening %s", path);
    enum err rc = table_open(path, table, note_of(note));
    if (rc) {
        mem_free(table);
        return (enum iso_err)rc;
    }
    rc = engine_open(table, options, engine, note_of(note));
    if (rc) {
        close_table(table);
        return (enum iso_err)rc;
    }
    (*engine)->table = table;
    (*engine)->table_free = close_table;
    return ISO_OK;
}
