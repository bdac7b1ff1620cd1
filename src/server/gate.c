/* gate.c - keys and rates before every request. */
#include "server/gate.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "net/host.h"
#include "server/front_int.h"

#define SECOND_NS 1000000000u

/* ---- the keys ----------------------------------------------------------------------------- */

enum err gate_open(struct front *f, struct err_note *note)
{
    snprintf(f->stranger.name, sizeof f->stranger.name, "anybody");
    f->stranger.scopes = f->options.no_auth ? KEY_VERIFY : 0;
    if (!f->options.keys)
        return ERR_OK;
    enum err rc = keys_read(f->options.keys, &f->keys, note);
    if (!rc && f->keys.n_items == 0)
        front_say(f, "%s has no keys: nobody can use the server", f->options.keys);
    return rc;
}

enum err gate_reload(struct front *f, struct err_note *note)
{
    struct keys fresh;
    if (!f->options.keys)
        return ERR_OK;
    enum err rc = keys_read(f->options.keys, &fresh, note);
    return rc ? rc : keys_update(&f->keys, &fresh, note);
}

void gate_close(struct front *f)
{
    keys_release(&f->keys);
}

/* k NULL: there is no such key. */
static bool is_valid(const struct key *k, struct api_error *e)
{
    if (!k || k->revoked)
        api_fail(e, 401, NULL, "this server does not know that key");
    else if (k->expires_s && k->expires_s <= (int64_t)time(NULL))
        api_fail(e, 401, NULL, "the key %s has expired", k->id);
    else
        return true;
    e->code = "invalid_api_key";
    return false;
}

struct key *gate_key(struct front *f, struct str secret, struct api_error *e)
{
    struct key *k = keys_find(&f->keys, secret);
    return is_valid(k, e) ? k : NULL;
}

/* As OpenAI's, Anthropic's and Azure's clients send it; empty: not at all. */
static struct str secret_of(const struct http_exchange *x)
{
    static const char *const names[] = {"x-api-key", "api-key"};
    struct str value = http_header(x, "Authorization");
    if (value.len > 7 && strncasecmp(value.ptr, "Bearer ", 7) == 0)
        return str_sub(value, 7, value.len);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        value = http_header(x, names[i]);
        if (value.len)
            return value;
    }
    return STR("");
}

/* ---- rates -------------------------------------------------------------------------------- */

static uint64_t seconds_up(uint64_t ns)
{
    return (ns + SECOND_NS - 1) / SECOND_NS;
}

static bool wait_for(struct rate_view v, const struct key *k, const char *unit,
                     struct api_error *e)
{
    uint64_t wait_s = seconds_up(v.wait_ns);
    api_fail(e, 429, NULL, "the key %s has used its %s of this minute; try again in %llu s", k->id,
             unit, (unsigned long long)wait_s);
    e->code = "rate_limit_exceeded";
    e->retry_s = wait_s < UINT32_MAX ? (uint32_t)wait_s : UINT32_MAX;
    return false;
}

bool gate_take(struct key *k, uint64_t now_ns, struct api_error *e)
{
    if (!k)
        return true;
    if (!is_valid(k, e)) /* any more */
        return false;
    if (k->tokens.per_min) {
        struct rate_view v = rate_view(k->tokens_used, k->tokens, 1, now_ns);
        if (v.wait_ns)
            return wait_for(v, k, "tokens", e);
    }
    if (k->requests.per_min) {
        struct rate_view v = rate_view(k->requests_used, k->requests, 1, now_ns);
        if (v.wait_ns)
            return wait_for(v, k, "requests", e);
        rate_take(&k->requests_used, k->requests, 1, now_ns);
    }
    return true;
}

void gate_used(struct key *k, uint32_t n_tokens, uint64_t now_ns)
{
    if (k && k->tokens.per_min)
        rate_take(&k->tokens_used, k->tokens, n_tokens, now_ns);
}

/* x-ratelimit-limit and others; after is "" or "-requests", "-tokens" as OpenAI has it. */
static void add_header(struct http_exchange *x, const char *what, const char *after,
                       const char *value)
{
    char name[64];
    snprintf(name, sizeof name, "x-ratelimit-%s%s", what, after);
    http_reply_header(x, name, value);
}

static void add_headers(struct http_exchange *x, struct rate_view v, const char *after)
{
    char text[32];
    snprintf(text, sizeof text, "%u", v.limit);
    add_header(x, "limit", after, text);
    snprintf(text, sizeof text, "%u", v.remaining);
    add_header(x, "remaining", after, text);
    if (*after) /* OpenAI's: a duration; else whole seconds */
        snprintf(text, sizeof text, "%.3fs", (double)v.reset_ns / SECOND_NS);
    else
        snprintf(text, sizeof text, "%llu", (unsigned long long)seconds_up(v.reset_ns));
    add_header(x, "reset", after, text);
}

static void add_rates(struct http_exchange *x, const struct key *k, uint64_t now_ns)
{
    if (k->requests.per_min) {
        struct rate_view v = rate_view(k->requests_used, k->requests, 1, now_ns);
        add_headers(x, v, "");
        add_headers(x, v, "-requests");
    }
    if (k->tokens.per_min)
        add_headers(x, rate_view(k->tokens_used, k->tokens, 1, now_ns), "-tokens");
}

/* ---- a request ---------------------------------------------------------------------------- */

struct key *gate_anybody(struct front *f)
{
    return host_is_loopback(str_from(f->options.host)) ? NULL : &f->stranger;
}

static bool find_key(struct front *f, struct http_exchange *x, struct visit *v,
                     struct api_error *e)
{
    bool open = v->endpoint && v->endpoint->who == FOR_ALL;
    struct str secret = secret_of(x);
    v->key = f->options.keys ? &f->stranger : gate_anybody(f);
    if (!f->options.keys || (open && secret.len == 0))
        return true;
    struct key *k = secret.len ? gate_key(f, secret, e) : NULL;
    if (!secret.len) {
        api_fail(e, 401, NULL, "a key is needed: Authorization: Bearer sk-isobit-...");
        e->code = "missing_api_key";
    }
    if (k)
        v->key = k;
    return k || open;
}

bool gate_admits(struct front *f, struct http_exchange *x, struct visit *v, struct api_error *e)
{
    uint64_t now_ns = clock_ns();
    if (!find_key(f, x, v, e)) {
        http_reply_header(x, "WWW-Authenticate", "Bearer");
        return false;
    }
    if (v->endpoint && v->endpoint->who == FOR_ADMIN && !key_has(v->key, KEY_ADMIN))
        return api_fail(e, 403, NULL, "this needs a key with the scope admin");
    if (!v->key || strcmp(http_method(x), "POST") != 0)
        return true;
    bool ok = gate_take(v->key, now_ns, e);
    add_rates(x, v->key, now_ns);
    return ok;
}
