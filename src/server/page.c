/* page.c - the web page at "/", which is part of the program. */
#include "base/check.h"
#include "server/front_int.h"

/* Nothing is fetched from elsewhere, no script stands in the page itself, nobody may frame it. */
static const char content_security_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#define EMBED(name, ...)                                                                           \
    {name, (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})},
static const struct page_file {
    const char *name;
    const unsigned char *bytes;
    size_t n_bytes;
} files[] = {
#include "page_files.h"
};

static const char *type_of(struct str name)
{
    if (str_ends(name, STR(".html")))
        return "text/html; charset=utf-8";
    return str_ends(name, STR(".css")) ? "text/css; charset=utf-8"
                                       : "text/javascript; charset=utf-8";
}

void get_page(struct front *f, struct http_exchange *x)
{
    (void)f;
    struct api_error e;
    const char *id = visit_of(x)->id;
    struct str name = id[0] ? str_from(id) : STR("index.html");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (!str_is(name, files[i].name))
            continue;
        http_reply_header(x, "Content-Security-Policy", content_security_policy);
        http_reply_header(x, "X-Content-Type-Options", "nosniff");
        http_reply_header(x, "Referrer-Policy", "no-referrer");
        http_reply_header(x, "Cache-Control", "no-cache");
        http_reply(x, 200, type_of(name),
                   (struct str){(const char *)files[i].bytes, files[i].n_bytes});
        return;
    }
    api_fail(&e, 404, NULL, "the page has no file %.100s", id);
    front_fail(x, &e);
}
