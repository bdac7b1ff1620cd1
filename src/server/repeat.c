/* repeat.c - Idempotency-Key: a POST that is sent again under the same name is answered as the
 * first time. Good answers alone are kept: what failed, or was left, may be tried again. */
#include "base/check.h"
#include "base/clock.h"
#include "server/front_int.h"

enum { NAME_BYTES_MAX = 255 };

static void add_text(struct sha256 *h, struct str s)
{
    uint64_t n = s.len;
    sha256_add(h, &n, sizeof n);
    sha256_add(h, s.ptr, s.len);
}

static bool is_name(struct str s)
{
    bool good = s.len > 0 && s.len <= NAME_BYTES_MAX;
    for (size_t i = 0; good && i < s.len; i++)
        good = s.ptr[i] >= ' ' && s.ptr[i] < 127;
    return good;
}

static void tap(void *context, struct http_exchange *x, const char *type, struct str bytes)
{
    struct front *f = context;
    once_add(f->once, visit_of(x)->once, type, bytes);
}

static void answer(struct http_exchange *x, const struct once_entry *e)
{
    http_reply_header(x, "Idempotent-Replayed", "true");
    http_reply(x, once_status(e), once_type(e), once_body(e));
}

static void refuse(struct http_exchange *x, int status, const char *why)
{
    struct api_error e;
    api_fail(&e, status, NULL, "%s", why);
    e.code = "idempotency_error";
    front_fail(x, &e);
}

bool repeat_answers(struct front *f, struct http_exchange *x, struct visit *v)
{
    struct str name = http_header(x, "Idempotency-Key");
    struct once_entry *entry;
    struct sha256 h;
    uint8_t who[SHA256_BYTES], what[SHA256_BYTES];
    if (!name.ptr || strcmp(http_method(x), "POST") != 0)
        return false;
    if (!is_name(name)) {
        refuse(x, 400, "Idempotency-Key must be 1 to 255 printable letters");
        return true;
    }
    sha256_init(&h);
    add_text(&h, str_from(v->key ? v->key->id : ""));
    add_text(&h, name);
    sha256_end(&h, who);
    sha256_init(&h);
    add_text(&h, http_path(x));
    add_text(&h, http_query(x));
    add_text(&h, http_body(x));
    sha256_end(&h, what);
    switch (once_begin(f->once, who, what, clock_ns() / 1000000000, &entry)) {
    case ONCE_NEW:
        v->once = entry;
        if (entry)
            http_tap(x, tap, f);
        return false;
    case ONCE_OPEN:
        refuse(x, 409, "the first request with this Idempotency-Key is still being answered");
        break;
    case ONCE_DIFFERENT:
        refuse(x, 422, "another request was sent with this Idempotency-Key");
        break;
    case ONCE_DONE:
        answer(x, entry);
        break;
    }
    return true;
}

void repeat_ended(struct front *f, struct http_exchange *x, struct visit *v)
{
    int status = http_status(x);
    if (v->once)
        once_end(f->once, v->once, status,
                 status >= 200 && status < 300 && !v->broken && !http_is_gone(x));
}
