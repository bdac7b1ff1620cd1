/* open.c - an engine from a path: it owns the opened file too. Not in the core: Hugging Face
 * folders need a library. */
#include "base/mem.h"
#include "engine/embedder.h"
#include "engine/engine_int.h"
#include "format/table.h"

static void close_table(struct table *table)
{
    if (!table)
        return;
    table_close(table);
    mem_free(table);
}

static enum err open_table(const char *path, struct table **out, struct err_note *note)
{
    struct table *table = mem_zalloc(sizeof *table);
    *out = NULL;
    if (!table)
        return err_set(note, ERR_MEMORY, "out of memory opening %s", path);
    enum err rc = table_open(path, table, note);
    if (rc)
        mem_free(table);
    else
        *out = table;
    return rc;
}

enum iso_err iso_embedder_open(const char *path, const struct iso_embedder_options *options,
                               struct iso_embedder **embedder, struct iso_note *note)
{
    struct table *table;
    *embedder = NULL;
    enum err rc = open_table(path, &table, note_of(note));
    if (rc)
        return (enum iso_err)rc;
    rc = embedder_open(table, options, embedder, note_of(note));
    if (rc)
        close_table(table);
    else
        embedder_own(*embedder, table, close_table);
    return (enum iso_err)rc;
}

enum iso_err iso_engine_open(const char *path, const struct iso_engine_options *options,
                             struct iso_engine **engine, struct iso_note *note)
{
    const char *draft_path = options ? options->draft_path : NULL;
    struct table *table, *draft = NULL;
    *engine = NULL;
    enum err rc = open_table(path, &table, note_of(note));
    if (!rc && draft_path)
        rc = open_table(draft_path, &draft, note_of(note));
    if (!rc)
        rc = engine_open(table, draft, options, engine, note_of(note));
    if (rc) {
        close_table(table);
        close_table(draft);
        return (enum iso_err)rc;
    }
    (*engine)->table = table;
    (*engine)->draft_table = draft;
    (*engine)->table_free = close_table;
    return ISO_OK;
}
