/* speech.c - opens a model's file, tokenizer and template. */
#include "server/speech.h"

#include "base/file.h"

enum err speech_open(struct speech *s, const char *path, const char *template,
                     struct err_note *note)
{
    *s = (struct speech){0};
    enum err rc = table_open(path, &s->table, note);
    if (rc)
        return rc;
    rc = file_is_dir(path) ? tokenizer_from_folder(path, &s->tokenizer, note)
                           : tokenizer_from_table(&s->table, &s->tokenizer, note);
    if (!rc)
        rc = tokenizer_ends(s->tokenizer, s->stops, ISO_STOPS_MAX, &s->n_stops, note);
    if (!rc)
        rc = chat_face_open(&s->face, &s->table, template, note);
    if (rc)
        speech_close(s);
    return rc;
}

void speech_close(struct speech *s)
{
    chat_face_close(&s->face);
    tokenizer_free(s->tokenizer);
    table_close(&s->table);
    *s = (struct speech){0};
}
