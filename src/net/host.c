/* host.c - hosts of requests. */
#include "net/host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

enum { ADDRESS_BYTES = 64 };

struct str host_without_port(struct str host)
{
    if (host.len > 0 && host.ptr[0] == '[') { /* [::1]:8080 */
        const char *end = memchr(host.ptr, ']', host.len);
        return end ? str_sub(host, 1, (size_t)(end - host.ptr)) : host;
    }
    const char *colon = host.len ? memchr(host.ptr, ':', host.len) : NULL;
    return colon ? str_sub(host, 0, (size_t)(colon - host.ptr)) : host;
}

bool host_is(struct str host, const char *name)
{
    return host.len == strlen(name) && strncasecmp(host.ptr, name, host.len) == 0;
}

/* AF_INET, AF_INET6, or 0: no address. */
static int address_of(struct str host, struct in6_addr *v6, struct in_addr *v4)
{
    char text[ADDRESS_BYTES];
    if (host.len >= sizeof text || memchr(host.ptr ? host.ptr : "", 0, host.len))
        return 0;
    snprintf(text, sizeof text, "%.*s", STR_ARG(host));
    if (inet_pton(AF_INET, text, v4) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, text, v6) == 1 ? AF_INET6 : 0;
}

bool host_is_loopback(struct str host)
{
    struct in_addr v4;
    struct in6_addr v6;
    int family = address_of(host, &v6, &v4);
    if (family == AF_INET)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (family == AF_INET6) /* of a socket that takes both, ::ffff:127.0.0.1 too */
        return IN6_IS_ADDR_LOOPBACK(&v6) ||
               (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return host_is(host, "localhost");
}

bool host_is_address(struct str host)
{
    struct in_addr v4;
    struct in6_addr v6;
    return address_of(host, &v6, &v4) != 0;
}

bool origin_is_of(struct str origin, struct str host)
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
