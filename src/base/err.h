/* err.h - the one list of operating errors.
 *
 * An operating error (bad file, full disk, limit reached) is returned as an enum err, never printed
 * and never fatal below cli/. The sentence for a person goes into the caller's struct err_note. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_LIST(X)                                                                                \
    X(OK, "ok")                                                                                    \
    X(USAGE, "wrong usage")                                                                        \
    X(IO, "input or output failed")                                                                \
    X(NOT_FOUND, "not found")                                                                      \
    X(FORMAT, "malformed input")                                                                   \
    X(UNSUPPORTED, "not supported")                                                                \
    X(LIMIT, "limit exceeded")                                                                     \
    X(MEMORY, "out of memory")                                                                     \
    X(NUMERIC, "non-finite value")                                                                 \
    X(CANCELLED, "cancelled")                                                                      \
    X(BUSY, "queue full")

enum err {
#define ERR_ENUM(name, text) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

/* One clear line: what, which name or number, what to do. Empty when no error occurred. */
struct err_note {
    char text[512];
};

/* err_name - "OK", "IO", ...; err_text - the same in words. Static storage. */
const char *err_name(enum err e);
const char *err_text(enum err e);

/* err_set - write the sentence into note (may be NULL; cut at its size with "..."); return code. */
enum err err_set(struct err_note *note, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* err_wrap - put "prefix: " before the sentence that note already holds; returns code. */
enum err err_wrap(struct err_note *note, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
