/* host.h - what Host and Origin of a request say: who may be meant by them, and who not. Pure. */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <stdbool.h>

#include "base/str.h"

struct str host_without_port(struct str host); /* "[::1]:8080" is "::1" */
bool host_is(struct str host, const char *name); /* in any case */

/* Hosts without a port. */
bool host_is_loopback(struct str host); /* 127.0.0.0/8, ::1, localhost */
/* A number is nobody's name: no page can have it point elsewhere. */
bool host_is_address(struct str host);

/* origin_is_of - scheme://host[:port] with the host and port of Host is this server. */
bool origin_is_of(struct str origin, struct str host);

#endif
