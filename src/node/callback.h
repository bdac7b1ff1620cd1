/* callback.h - results posted to whoever asked for them, and to nobody else.
 *
 * Only hosts that were allowed at the start are called, without redirects, without a proxy. Where a
 * name leads is looked at when the connection is made: a name never leads into this machine or to
 * a link's own addresses, whatever its name server says. */
#ifndef NODE_CALLBACK_H
#define NODE_CALLBACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct sockaddr;

struct callback_hosts {
    const char *const *names; /* names or addresses, without ports */
    size_t n;                 /* 0: loopback alone */
};

/* callback_check - http or https, no user, a host that is allowed; else ERR_USAGE. */
enum err callback_check(const struct callback_hosts *hosts, const char *url,
                        struct err_note *note);
/* callback_may_connect - whether this host may lead there. */
bool callback_may_connect(struct str host, const struct sockaddr *address);

struct callback;

enum { CALLBACK_MS = 10000 }; /* what a receiver has */

/* A post has at most n_ms, half of it to connect. stop: looked at once a second. NULL without
 * memory. */
struct callback *callback_new(const struct callback_hosts *hosts, uint32_t n_ms,
                              const atomic_bool *stop);
void callback_free(struct callback *c); /* NULL is nothing */

/* callback_post - ERR_OK: a status of 200 to 299 in time. What the answer says besides is not
 * read. One thread at a time. */
enum err callback_post(struct callback *c, const char *url, struct str body,
                       struct err_note *note);

#endif
