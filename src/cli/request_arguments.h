/* request_arguments.h - the command line that a request of this program's own names. */
#ifndef CLI_REQUEST_ARGUMENTS_H
#define CLI_REQUEST_ARGUMENTS_H

#include "proof/canon.h"

/* request_arguments - list: of texts; what is none becomes an empty word. The command first, a NULL
 * last; one block for mem_free. NULL: out of memory. */
char **request_arguments(const struct canon_doc *doc, const struct canon_node *list,
                         const char *command, int *argc);

#endif
