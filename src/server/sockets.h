/* sockets.h - the front's listener for calls over WebSockets. Every function takes NULL: there is
 * none. Thread: the front's loop. */
#ifndef SERVER_SOCKETS_H
#define SERVER_SOCKETS_H

#include <stdint.h>

#include "base/err.h"

struct front;
struct sockets;

/* sockets_open - listens where the front's options say. */
enum err sockets_open(struct front *f, struct sockets **out, struct err_note *note);
void sockets_close(struct sockets *s); /* open calls are cancelled */
uint32_t sockets_connections(const struct sockets *s);
/* sockets_tick - once a second: clients that did not authenticate in time; while the front drains,
 * nobody new gets in and connections without calls are closed. */
void sockets_tick(struct sockets *s);
enum err sockets_reload(struct sockets *s, struct err_note *note); /* certificates */

#endif
