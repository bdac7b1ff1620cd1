/* request_arguments.c - canonical JSON to the words of a command line. */
#include "cli/request_arguments.h"

#include <string.h>

#include "base/mem.h"

char **request_arguments(const struct canon_doc *doc, const struct canon_node *list,
                         const char *command, int *argc)
{
    size_t n_command = strlen(command) + 1;
    size_t n_bytes = (list->n_items + 2) * sizeof(char *) + n_command;
    for (const struct canon_node *n = canon_first(list); n; n = canon_next(doc, list, n))
        n_bytes += n->text.len + 1;
    char **argv = mem_zalloc(n_bytes), *to;
    if (!argv)
        return NULL;
    to = (char *)(argv + list->n_items + 2);
    *argc = 1;
    argv[0] = memcpy(to, "run", sizeof "run");
    to += n_command;
    for (const struct canon_node *n = canon_first(list); n; n = canon_next(doc, list, n)) {
        if (n->text.len) /* 0 of what is no string */
            memcpy(to, n->text.ptr, n->text.len);
        argv[(*argc)++] = to;
        to += n->text.len + 1;
    }
    return argv;
}
