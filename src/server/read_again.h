/* read_again.h - what a request over HTTP means to a model, for a receipt that names it; outside a
 * server: a worker of which only what reads requests is there. */
#ifndef SERVER_READ_AGAIN_H
#define SERVER_READ_AGAIN_H

#include "proof/parameters.h"
#include "proof/verify.h"
#include "text/answer_text.h"

struct read_again_options {
    const char *model, *template, *tool_format; /* as speech_open has them */
    struct iso_engine_info info;
};

struct read_again;

/* read_again_open - reads and renders the bundle's request by the server's own functions. p: the
 * receipt's parameters. ERR_FORMAT: prompt, parameters or seed are not what the request means, or
 * it means nothing; ERR_UNSUPPORTED: requests of this interface are not read. note tells which, and
 * *out is NULL. */
enum err read_again_open(struct read_again **out, const struct read_again_options *o,
                         const struct verify_case *about, const struct parameters *p,
                         struct err_note *note);
/* The form that the answer had, unused; NULL: none. Lives as long as r. */
const struct iso_constraint *read_again_constraint(const struct read_again *r);
/* How the answer is read: nothing was said yet. Lives as long as r. */
struct answer_text *read_again_text(struct read_again *r);
void read_again_close(struct read_again *r); /* NULL is nothing */

#endif
