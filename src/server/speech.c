/* speech.c - opens a model's file, tokenizer and template. */
#include "server/speech.h"

#include "base/file.h"
#include "base/mem.h"

static enum err list_marks(struct speech *s, struct err_note *note)
{
    const struct tokenizer *t = s->tokenizer;
    int32_t n_tokens = (int32_t)tokenizer_n_tokens(t);
    for (int pass = 0; pass < 2; pass++) {
        s->n_marks = 0;
        for (int32_t id = 0; id < n_tokens; id++) {
            if (tokenizer_token_type(t, id) != TOKEN_CONTROL ||
                !answer_style_shows(s->habits.style, tokenizer_token_text(t, id)))
                continue;
            if (pass == 1)
                s->marks[s->n_marks] = id;
            s->n_marks++;
        }
        if (pass == 0 && !(s->marks = mem_array(s->n_marks + 1, sizeof s->marks[0])))
            return err_set(note, ERR_MEMORY, "out of memory for a tokenizer");
    }
    return ERR_OK;
}

enum err speech_open(struct speech *s, const char *path, const char *template,
                     const char *tool_format, struct err_note *note)
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
    if (!rc && s->face.template)
        rc = chat_habits_find(&s->habits, &s->face, s->tokenizer, tool_format, note);
    if (!rc && s->face.template)
        rc = list_marks(s, note);
    if (rc)
        speech_close(s);
    return rc;
}

void speech_close(struct speech *s)
{
    chat_face_close(&s->face);
    tokenizer_free(s->tokenizer);
    mem_free(s->marks);
    table_close(&s->table);
    *s = (struct speech){0};
}
