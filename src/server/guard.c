/* guard.c - a web page must not reach the local model.
 *
 * A page from elsewhere can make a browser send requests to loopback. It cannot choose Host when it
 * goes by an address; when it rebinds its own name to loopback, Host is that name. It cannot keep
 * Origin away from what could read an answer, and cannot send application/json unasked. */
#include <strings.h>

#include "api/multipart.h"
#include "net/host.h"
#include "server/front_int.h"

static bool is_own_host(const struct front *f, struct str host)
{
    host = host_without_port(host);
    if (host_is_loopback(host))
        return true;
    for (size_t i = 0; i < f->options.n_hosts; i++)
        if (host_is(host, f->options.hosts[i]))
            return true;
    return false;
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
    if (!f->options.no_auth && !is_own_host(f, host) &&
        !(f->options.keys && host_is_address(host_without_port(host))))
        return api_fail(e, 403, NULL,
                        "Host is \"%.*s\", not this machine; --allow-host NAME lets it in",
                        STR_ARG(host));
    if (origin.ptr && !origin_is_of(origin, host) && !cors_allows(f, origin))
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
