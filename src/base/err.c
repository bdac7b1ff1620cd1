/* err.c - the text of operating errors. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const char *const names[ERR_COUNT] = {
#define ERR_NAME(name, text) [ERR_##name] = #name,
    ERR_LIST(ERR_NAME)
#undef ERR_NAME
};
static const char *const texts[ERR_COUNT] = {
#define ERR_TEXT(name, text) [ERR_##name] = text,
    ERR_LIST(ERR_TEXT)
#undef ERR_TEXT
};

const char *err_name(enum err e)
{
    CHECK((unsigned)e < ERR_COUNT);
    return names[e];
}

const char *err_text(enum err e)
{
    CHECK((unsigned)e < ERR_COUNT);
    return texts[e];
}

static void mark_cut(struct err_note *note, int length)
{
    if (length >= (int)sizeof note->text)
        memcpy(note->text + sizeof note->text - 4, "...", 4);
}

enum err err_set(struct err_note *note, enum err code, const char *format, ...)
{
    if (note) {
        va_list args;
        va_start(args, format);
        mark_cut(note, vsnprintf(note->text, sizeof note->text, format, args));
        va_end(args);
    }
    return code;
}

enum err err_wrap(struct err_note *note, enum err code, const char *format, ...)
{
    if (note) {
        struct err_note inner = *note;
        va_list args;
        va_start(args, format);
        int n = vsnprintf(note->text, sizeof note->text, format, args);
        va_end(args);
        if (n >= 0 && n < (int)sizeof note->text)
            n += snprintf(note->text + n, sizeof note->text - (size_t)n, ": %s", inner.text);
        mark_cut(note, n);
    }
    return code;
}
