/* guard.c - a web page must not reach the local model.
 *
 * A page from elsewhere can make a browser send requests to loopback. It cannot choose Host when it
 * goes by an address; when it rebinds its own name to loopback, Host is that name. It cannot keep
 * Origin away from what could read an answer, and cannot send application/json unasked. */
#include <arpa/inet.h>
#include <strings.h>

#include "api/multipart.h"
#include "server/front_int.h"

static struct str without_port(struct str host)
{
    if (host.len > 0 && host.ptr[0] == '[') { /* [::1]:8080 */
        const char *end = memchr(host.ptr, ']', host.len);
        return end ? str_sub(host, 1, (size_t)(end - host.ptr)) : host;
    }
    const char *colon = memchr(host.ptr, ':', host.len);
    return colon ? str_sub(host, 0, (size_t)(colon - host.ptr)) : host;
}

static bool is_name(struct str s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}

bool guard_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(host, "localhost") == 0;
}

static bool is_own_host(const struct front *f, struct str host)
{
    char name[256];
    host = without_port(host);
    if (host.len == 0 || host.len >= sizeof name)
        return false;
    memcpy(name, host.ptr, host.len);
    name[host.len] = 0;
    if (guard_is_loopback(name))
        return true;
    for (size_t i = 0; i < f->options.n_hosts; i++)
        if (is_name(host, f->options.hosts[i]))
            return true;
    return false;
}

/* A number is nobody's name: no page can have it point elsewhere. */
static bool is_address(struct str host)
{
    char text[64];
    struct in6_addr address;
    host = without_port(host);
    snprintf(text, sizeof text, "%.*s", STR_ARG(host));
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* Origin is scheme://host[:port]; the same host as Host's, with the same port, is this server. */
static bool is_own_origin(struct str origin, struct str host)
{
    struct str http = STR("http://"), https = STR("https://");
    if (str_starts(origin, http))
        origin = str_sub(origin, http.len, origin.len);
    else if (str_starts(origin, https))
        origin = str_sub(origin, https.len, origin.len);
    else
        return false;
    return origin.len == host.len && strncasecmp(origin.ptr, host.ptr, host.len) == 0;
}

static bool is_json(struct str type)
{
    struct str json = STR("application/json");
    return type.len >= json.len && strncasecmp(type.ptr, json.ptr, json.len) == 0 &&
           (type.len == json.len || type.ptr[json.len] == ';' || type.ptr[json.len] == ' ');
}

static bool is_empty(const struct http_exchange *x)
{
    struct str length = http_header(x, "Content-Length");
    return (length.len == 0 || str_is(length, "0")) &&
           http_header(x, "Transfer-Encoding").len == 0;
}

/* A file's form, or nothing, is let in: a page can send them unasked, but not without Origin. */
static bool is_body_type(const struct http_exchange *x)
{
    struct str type = http_header(x, "Content-Type"), boundary;
    return is_json(type) || is_empty(x) ||
           (str_is(http_path(x), "/v1/files") && form_boundary(type, &boundary));
}

bool guard_admits_page(const struct front *f, struct str host, struct str origin,
                       struct api_error *e)
{
    if (!f->options.no_auth && !is_own_host(f, host) && !(f->options.keys && is_address(host)))
        return api_fail(e, 403, NULL,
                        "Host is \"%.*s\", not this machine; --allow-host NAME lets it in",
                        STR_ARG(host));
    if (origin.ptr && !is_own_origin(origin, host) && !cors_allows(f, origin))
        return api_fail(e, 403, NULL, "pages from %.*s may not use this server; --cors lets them",
                        STR_ARG(origin));
    return true;
}

bool guard_admits(const struct front *f, const struct http_exchange *x, struct api_error *e)
{
    if (!guard_admits_page(f, http_header(x, "Host"), http_header(x, "Origin"), e))
        return false;
    if (strcmp(http_method(x), "POST") == 0 && !is_body_type(x))
        return api_fail(e, 415, NULL,
                        "Content-Type must be application/json; curl -d says so when told: "
                        "-H 'Content-Type: application/json'");
    return true;
}
