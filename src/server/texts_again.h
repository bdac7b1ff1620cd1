/* texts_again.h - what a request for vectors over HTTP means to a model, for a receipt that names
 * it; outside a server. */
#ifndef SERVER_TEXTS_AGAIN_H
#define SERVER_TEXTS_AGAIN_H

#include "base/err.h"
#include "base/str.h"
#include "isobit.h"

struct texts_again;

/* texts_again_open - model: its path; info: of its embedder, whose context bounds no text here.
 * ERR_FORMAT: the request means nothing to it; ERR_UNSUPPORTED: requests to interface are not
 * read. note tells which, and *out is NULL. */
enum err texts_again_open(struct texts_again **out, const char *model,
                          struct iso_embedder_info info, struct str interface, struct str request,
                          struct err_note *note);
const struct iso_text *texts_again_texts(const struct texts_again *t, size_t *n_texts);
/* texts_again_answered - whether response says what these vectors [n_texts, n_dims], which are
 * overwritten, are answered with: their numbers, in the request's form. */
bool texts_again_answered(const struct texts_again *t, float *vectors, struct str response);
void texts_again_close(struct texts_again *t); /* NULL is nothing */

#endif
