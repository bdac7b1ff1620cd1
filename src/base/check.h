/* check.h - a bug stops the program, in release too.
 *
 * CHECK is for control code; DCHECK for inner loops, live in sanitizer and debug builds. Neither is
 * ever reached by bad input: that is an operating error (err.h). */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

__attribute__((noreturn, cold)) void check_failed(const char *file, int line, const char *what);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(__FILE__, __LINE__, #condition);                                          \
    } while (0)

#if defined(ISOBIT_DEBUG) || defined(__SANITIZE_ADDRESS__)
#define DCHECK(condition) CHECK(condition)
#else
#define DCHECK(condition) ((void)0)
#endif

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
