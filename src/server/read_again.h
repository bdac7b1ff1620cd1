/* read_again.h - what a request over HTTP means to a model, for a receipt that names it; outside a
 * server. */
#ifndef SERVER_READ_AGAIN_H
#define SERVER_READ_AGAIN_H

#include "proof/parameters.h"
#include "proof/verify.h"

struct read_again {
    const char *model, *template; /* as speech_open has them */
    struct iso_engine_info info;
};

/* read_again - whether the receipt's prompt, parameters and seed are what the bundle's request
 * means to the model, read and rendered by the server's own functions. false: why says what is not,
 * or what is in the way. p: the receipt's parameters. */
bool read_again(const struct read_again *r, const struct verify_case *about,
                const struct parameters *p, struct err_note *why);

#endif
