/* callback.c - one POST over libcurl, and the addresses that it may reach. */
#include "node/callback.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "net/host.h"

enum { ANSWER_BYTES_MAX = 64 << 10, HOST_BYTES = 256 };

struct callback {
    CURL *curl;
    struct callback_hosts hosts;
    long n_ms;
    const atomic_bool *stop;
    char host[HOST_BYTES]; /* of the post under way */
    size_t n_answer;
    bool strayed;
};

/* ---- who may be called -------------------------------------------------------------------- */

/* The host of a URL that is http or https and names no user. */
static bool host_of(const char *url, char host[HOST_BYTES])
{
    char *scheme = NULL, *name = NULL, *user = NULL;
    CURLU *u = curl_url();
    bool good = u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
                !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
                !curl_url_get(u, CURLUPART_HOST, &name, 0) &&
                curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    if (good) {
        struct str h = host_without_port(str_from(name)); /* [::1] */
        good = h.len > 0 && h.len < HOST_BYTES;
        if (good)
            snprintf(host, HOST_BYTES, "%.*s", STR_ARG(h));
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(user);
    curl_url_cleanup(u);
    return good;
}

enum err callback_check(const struct callback_hosts *hosts, const char *url,
                        struct err_note *note)
{
    char host[HOST_BYTES];
    if (!host_of(url, host))
        return err_set(note, ERR_USAGE, "url \"%.200s\" is none of http://HOST... or https://HOST"
                       "...", url);
    if (hosts->n == 0 && host_is_loopback(str_from(host)))
        return ERR_OK;
    for (size_t i = 0; i < hosts->n; i++)
        if (host_is(str_from(host), hosts->names[i]))
            return ERR_OK;
    return err_set(note, ERR_USAGE, "url: results may not be sent to %.200s; the node must be "
                   "started with --poc-callback %.200s", host, host);
}

static bool v4_is_near(uint32_t a)
{
    return a >> 24 == 0 || a >> 24 == 127 || a >> 16 == 0xa9fe || a >> 28 >= 0xe;
}

static bool v6_is_near(const struct in6_addr *a)
{
    if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a)) {
        uint32_t v4;
        memcpy(&v4, a->s6_addr + 12, sizeof v4);
        return v4_is_near(ntohl(v4));
    }
    return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
           IN6_IS_ADDR_MULTICAST(a);
}

static bool is_loopback_address(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

bool callback_may_connect(struct str host, const struct sockaddr *address)
{
    if (host_is_loopback(host))
        return is_loopback_address(address);
    if (host_is_address(host))
        return true; /* it was allowed itself, and leads nowhere else */
    if (address->sa_family == AF_INET)
        return !v4_is_near(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    return address->sa_family == AF_INET6 &&
           !v6_is_near(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* ---- a post ------------------------------------------------------------------------------- */

struct callback *callback_new(const struct callback_hosts *hosts, uint32_t n_ms,
                              const atomic_bool *stop)
{
    struct callback *c = mem_zalloc(sizeof *c);
    if (!c)
        return NULL;
    c->hosts = *hosts;
    c->n_ms = (long)n_ms;
    c->stop = stop;
    c->curl = curl_easy_init();
    if (c->curl)
        return c;
    mem_free(c);
    return NULL;
}

void callback_free(struct callback *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    mem_free(c);
}

static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct callback *c = context;
    (void)purpose;
    if (!callback_may_connect(str_from(c->host), &a->addr)) {
        c->strayed = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_answer(char *bytes, size_t one, size_t n, void *context)
{
    struct callback *c = context;
    (void)bytes;
    c->n_answer += one * n;
    return c->n_answer > ANSWER_BYTES_MAX ? CURL_WRITEFUNC_ERROR : one * n;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t d, curl_off_t e)
{
    const struct callback *c = context;
    (void)a, (void)b, (void)d, (void)e;
    return c->stop && atomic_load(c->stop);
}

static CURLcode perform(struct callback *c, const char *url, struct str body)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (headers && !curl_slist_append(headers, "Expect:")) {
        curl_slist_free_all(headers);
        headers = NULL;
    }
    if (!headers)
        return CURLE_OUT_OF_MEMORY;
    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "isobit/0.1");
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, c->n_ms / 2);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, c->n_ms);
    curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.ptr);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(c->curl, CURLOPT_OPENSOCKETDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    CURLcode code = curl_easy_perform(c->curl);
    curl_slist_free_all(headers);
    return code;
}

enum err callback_post(struct callback *c, const char *url, struct str body,
                       struct err_note *note)
{
    enum err rc = callback_check(&c->hosts, url, note);
    if (rc || !host_of(url, c->host))
        return rc;
    c->n_answer = 0;
    c->strayed = false;
    CURLcode code = perform(c, url, body);
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (c->strayed)
        return err_set(note, ERR_IO, "%s leads to an address that results may not be sent to",
                       c->host);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return err_set(note, ERR_CANCELLED, "stopped");
    /* Who took it may talk on: it was taken. */
    bool has_status = code == CURLE_OK || (code == CURLE_WRITE_ERROR && status);
    if (!has_status)
        return err_set(note, ERR_IO, "%s: %s", c->host, curl_easy_strerror(code));
    if (status < 200 || status > 299)
        return err_set(note, ERR_IO, "%s answers with status %ld", c->host, status);
    return ERR_OK;
}
