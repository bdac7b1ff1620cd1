/* cors.c - which web pages from elsewhere may use the server: those that --cors names.
 *
 * Origins are compared whole; there is no "*". Credentials are keys in headers, never cookies, so
 * that a page has what it was given and nothing of the browser's. */
#include <strings.h>

#include "server/front_int.h"

enum { HEADERS_BYTES_MAX = 2048 };

/* What an answer has that a page could not see else. */
static const char exposed[] =
    "x-request-id, x-receipt-id, x-unknown-fields, Retry-After, Idempotent-Replayed, "
    "x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-ratelimit-limit-requests, "
    "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

enum err cors_check(const char *origin, struct err_note *note)
{
    const char *host = strncmp(origin, "http://", 7) == 0    ? origin + 7
                       : strncmp(origin, "https://", 8) == 0 ? origin + 8
                                                             : "";
    size_t n = strcspn(host, "/*? #@");
    if (n == 0 || host[n])
        return err_set(note, ERR_USAGE,
                       "--cors is \"%s\"; it must be one origin as browsers send it: "
                       "https://NAME or http://NAME:PORT",
                       origin);
    return ERR_OK;
}

bool cors_allows(const struct front *f, struct str origin)
{
    for (size_t i = 0; i < f->options.n_origins; i++)
        if (origin.len == strlen(f->options.origins[i]) &&
            strncasecmp(origin.ptr, f->options.origins[i], origin.len) == 0)
            return true;
    return false;
}

/* Names and commas, to be sent back as they came. */
static bool is_list(struct str names)
{
    for (size_t i = 0; i < names.len; i++) {
        char c = names.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_' && c != ',' && c != ' ')
            return false;
    }
    return names.len > 0 && names.len < HEADERS_BYTES_MAX;
}

bool cors_answers(const struct front *f, struct http_exchange *x)
{
    char origin[512], names[HEADERS_BYTES_MAX];
    struct str from = http_header(x, "Origin");
    if (f->options.n_origins > 0) /* caches must not give one page's answer to another */
        http_reply_header(x, "Vary", "Origin");
    if (!from.ptr || !cors_allows(f, from) || from.len >= sizeof origin)
        return false;
    snprintf(origin, sizeof origin, "%.*s", STR_ARG(from));
    http_reply_header(x, "Access-Control-Allow-Origin", origin);
    http_reply_header(x, "Access-Control-Expose-Headers", exposed);
    if (strcmp(http_method(x), "OPTIONS") != 0 ||
        !http_header(x, "Access-Control-Request-Method").ptr)
        return false;
    struct str wanted = http_header(x, "Access-Control-Request-Headers");
    http_reply_header(x, "Access-Control-Allow-Methods", "GET, POST, DELETE");
    if (is_list(wanted)) {
        snprintf(names, sizeof names, "%.*s", STR_ARG(wanted));
        http_reply_header(x, "Access-Control-Allow-Headers", names);
    }
    if (str_is(http_header(x, "Access-Control-Request-Private-Network"), "true"))
        http_reply_header(x, "Access-Control-Allow-Private-Network", "true");
    http_reply_header(x, "Access-Control-Max-Age", "600");
    http_reply(x, 204, "text/plain", STR(""));
    return true;
}
