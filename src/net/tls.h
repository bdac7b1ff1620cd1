/* tls.h - a server's certificate, and the connections that use it. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <openssl/ssl.h>

#include "base/err.h"

struct event_base;
struct bufferevent;

/* tls_open - reads PEM files: a certificate chain and its key. ERR_FORMAT names the file. Free with
 * SSL_CTX_free; connections hold it. TLS 1.2 and newer. */
enum err tls_open(const char *cert, const char *key, SSL_CTX **tls, struct err_note *note);

/* tls_bufferevent - a server's end of a connection, over TLS or (tls NULL) plain. fd may be -1: it
 * is set later. NULL without memory; fd is the caller's then, else it closes with its owner. */
struct bufferevent *tls_bufferevent(struct event_base *loop, int fd, SSL_CTX *tls);

#endif
