/* speech.h - a model as text: what a worker needs beside the engine. Never changes once open. */
#ifndef SERVER_SPEECH_H
#define SERVER_SPEECH_H

#include "format/table.h"
#include "isobit.h"
#include "text/chat_habits.h"
#include "text/tokenizer.h"

struct speech {
    struct table table;
    struct tokenizer *tokenizer;
    struct chat_face face; /* template NULL: the model has none */
    struct chat_habits habits; /* the template's */
    int32_t *marks; /* [n_marks] special tokens that are part of the form of an answer, ascending */
    size_t n_marks;
    int32_t stops[ISO_STOPS_MAX]; /* tokens that end an answer */
    uint32_t n_stops;
};

/* speech_open - template: as chat_face_open's wanted. Errors name the file and what it lacks. */
/* tool_format: the form of calls, by name; NULL: the one that the template tells. */
enum err speech_open(struct speech *s, const char *path, const char *template,
                     const char *tool_format, struct err_note *note);
void speech_close(struct speech *s);

#endif
