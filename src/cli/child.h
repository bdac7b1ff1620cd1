/* child.h - another program's output, run to its end. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "base/buf.h"
#include "base/err.h"

/* child_run - runs command through the shell, with nothing on its standard input and without the
 * environment's variables that begin with one of drop (NULL-ended). Its standard output goes to
 * out, at most out->n_bytes_max. ERR_IO: it cannot be run, failed, or said too much; note holds its
 * status and the last line that it wrote to standard error. */
enum err child_run(const char *command, const char *const *drop, struct buf *out,
                   struct err_note *note);

#endif
