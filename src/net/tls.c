/* tls.c - OpenSSL under libevent's buffers. */
#include "net/tls.h"

#include <openssl/err.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>

static enum err fail(struct err_note *note, const char *what, const char *path)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return err_set(note, ERR_FORMAT, "%s %s: %s", what, path, text);
}

enum err tls_open(const char *cert, const char *key, SSL_CTX **tls, struct err_note *note)
{
    SSL_CTX *t = SSL_CTX_new(TLS_server_method());
    if (!t)
        return err_set(note, ERR_MEMORY, "out of memory for TLS");
    enum err rc = ERR_OK;
    SSL_CTX_set_min_proto_version(t, TLS1_2_VERSION);
    if (SSL_CTX_use_certificate_chain_file(t, cert) != 1)
        rc = fail(note, "certificate", cert);
    else if (SSL_CTX_use_PrivateKey_file(t, key, SSL_FILETYPE_PEM) != 1)
        rc = fail(note, "key", key);
    else if (SSL_CTX_check_private_key(t) != 1)
        rc = fail(note, "the certificate does not belong to the key", key);
    if (rc) {
        SSL_CTX_free(t);
        return rc;
    }
    *tls = t;
    return ERR_OK;
}

struct bufferevent *tls_bufferevent(struct event_base *loop, int fd, SSL_CTX *tls)
{
    if (!tls)
        return bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
    SSL *ssl = SSL_new(tls);
    if (!ssl)
        return NULL;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        loop, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev) /* a client that leaves without TLS's good-bye has left all the same */
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    else
        SSL_free(ssl);
    return bev;
}
