/* check.c - how the program stops at a bug. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "isobit: bug at %s:%d: %s\n", file, line, what);
    abort();
}
