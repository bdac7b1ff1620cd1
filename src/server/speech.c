/* speech.c - opens a model's file, tokenizer and template. */
#include "server/speech.h"

#include "base/file.h"

static enum err find_stops(struct speech *s, struct err_note *note)
{
    for (size_t id = 0; id < tokenizer_n_tokens(s->tokenizer); id++) {
        if (!tokenizer_is_eog(s->tokenizer, (int32_t)id))
            continue;
        if (s->n_stops == ISO_STOPS_MAX)
            return err_set(note, ERR_LIMIT, "the vocabulary has more than %d end tokens",
                           ISO_STOPS_MAX);
        s->stops[s->n_stops++] = (int32_t)id;
    }
    return ERR_OK;
}

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
        rc = find_stops(s, note);
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
