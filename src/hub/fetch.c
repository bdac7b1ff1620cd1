/* fetch.c - requests, redirects, and what went wrong in words. */
#include "hub/fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"

enum { REDIRECTS_MAX = 8, CONNECT_S_MAX = 20, SILENT_S_MAX = 30, HEADER_BYTES_MAX = 4096 };

struct fetch {
    CURL *curl;
    char *origin, *token;
    const atomic_bool *stop;
    /* The request under way. */
    const struct fetch_request *request;
    struct fetch_reply *reply;
    bool began, left;
};

/* ---- origins ---- */

/* "https://host:port" of a URL, lower case, the port always said. */
static bool origin_of(const char *url, char out[300])
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *u = curl_url();
    bool good = u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
                !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
                !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
                !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
                snprintf(out, 300, "%s://%s:%s", scheme, host, port) < 300;
    for (char *c = out; good && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return good;
}

static bool is_private(const char *origin)
{
    static const char *const ways[] = {"https://",
                                       "http://127.0.0.1:", "http://localhost:", "http://[::1]:"};
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        if (strncmp(origin, ways[i], strlen(ways[i])) == 0)
            return true;
    return false;
}

static bool gets_token(const struct fetch *f, const char *url)
{
    char here[300];
    return f->token && origin_of(url, here) && strcmp(here, f->origin) == 0 && is_private(here);
}

struct fetch *fetch_new(const char *origin, const char *token, const atomic_bool *stop)
{
    char whole[300];
    struct fetch *f = mem_zalloc(sizeof *f);
    if (!f)
        return NULL;
    f->curl = curl_easy_init();
    f->stop = stop;
    if (token && origin_of(origin, whole)) {
        f->origin = mem_strdup(whole);
        f->token = mem_strdup(token);
    }
    if (!f->curl || (f->token && !f->origin)) {
        fetch_free(f);
        return NULL;
    }
    return f;
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    if (f->curl)
        curl_easy_cleanup(f->curl);
    mem_free(f->origin);
    mem_free(f->token);
    mem_free(f);
}

/* ---- headers ---- */

static bool header_is(struct str line, const char *name, struct str *value)
{
    size_t n = strlen(name);
    if (line.len <= n || line.ptr[n] != ':' || strncasecmp(line.ptr, name, n) != 0)
        return false;
    struct str v = str_sub(line, n + 1, line.len);
    while (v.len && (v.ptr[0] == ' ' || v.ptr[0] == '\t'))
        v = str_sub(v, 1, v.len);
    while (v.len && strchr(" \t\r\n", v.ptr[v.len - 1]))
        v.len--;
    *value = v;
    return true;
}

static void copy_text(char *out, size_t size, struct str s)
{
    if (s.len < size)
        snprintf(out, size, "%.*s", STR_ARG(s));
}

/* "bytes 0-99/1000" */
static void read_content_range(struct fetch_reply *r, struct str v)
{
    const char *dash = v.len ? memchr(v.ptr, '-', v.len) : NULL;
    const char *slash = v.len ? memchr(v.ptr, '/', v.len) : NULL;
    uint64_t from, last, whole;
    if (!str_starts(v, STR("bytes ")) || !dash || !slash || slash < dash)
        return;
    if (!str_to_u64((struct str){v.ptr + 6, (size_t)(dash - v.ptr) - 6}, &from) ||
        !str_to_u64((struct str){dash + 1, (size_t)(slash - dash) - 1}, &last) || last < from ||
        !str_to_u64((struct str){slash + 1, (size_t)(v.ptr + v.len - slash) - 1}, &whole) ||
        last >= whole)
        return;
    r->from = from;
    r->n_bytes_whole = whole;
}

static void read_link(struct fetch_reply *r, struct str v)
{
    const char *end = v.len && v.ptr[0] == '<' ? memchr(v.ptr, '>', v.len) : NULL;
    if (end && memmem(end, (size_t)(v.ptr + v.len - end), "rel=\"next\"", 10))
        copy_text(r->next, sizeof r->next, (struct str){v.ptr + 1, (size_t)(end - v.ptr) - 1});
}

static struct str without_quotes(struct str v)
{
    bool quoted = v.len >= 2 && v.ptr[0] == '"' && v.ptr[v.len - 1] == '"';
    return quoted ? str_sub(v, 1, v.len - 1) : v;
}

static void forget_answer(struct fetch_reply *r)
{
    struct fetch_reply fresh = {.n_bytes = FETCH_UNKNOWN,
                                .from = FETCH_UNKNOWN,
                                .n_bytes_whole = FETCH_UNKNOWN};
    memcpy(fresh.linked_etag, r->linked_etag, sizeof fresh.linked_etag);
    *r = fresh;
}

static size_t on_header(char *bytes, size_t one, size_t n, void *context)
{
    struct fetch *f = context;
    struct fetch_reply *r = f->reply;
    struct str line = {bytes, one * n}, v;
    uint64_t number;
    if (line.len > HEADER_BYTES_MAX)
        return line.len;
    if (str_starts(line, STR("HTTP/")))
        forget_answer(r); /* the next answer of this connection, after 100 or a proxy's */
    else if (header_is(line, "Content-Length", &v) && str_to_u64(v, &number))
        r->n_bytes = number;
    else if (header_is(line, "Content-Range", &v))
        read_content_range(r, v);
    else if (header_is(line, "ETag", &v) && v.len && v.ptr[0] == '"')
        copy_text(r->etag, sizeof r->etag, v);
    else if (header_is(line, "Content-Encoding", &v))
        r->is_encoded = !(v.len == 8 && strncasecmp(v.ptr, "identity", 8) == 0);
    else if (header_is(line, "Retry-After", &v) && str_to_u64(v, &number))
        r->retry_after_s = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
    else if (header_is(line, "Link", &v))
        read_link(r, v);
    else if (header_is(line, "X-Linked-Etag", &v))
        copy_text(r->linked_etag, sizeof r->linked_etag, without_quotes(v));
    return line.len;
}

/* ---- one answer ---- */

static long status_of(const struct fetch *f)
{
    long status = 0;
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static bool begin(struct fetch *f)
{
    if (!f->began && !f->left) {
        f->began = true;
        f->reply->status = (int)status_of(f);
        f->left = !f->request->begin(f->request->context, f->reply);
    }
    return !f->left;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *context)
{
    struct fetch *f = context;
    long status = status_of(f);
    if (status != 200 && status != 206)
        return CURL_WRITEFUNC_ERROR; /* nobody reads what an error or a redirect says */
    if (begin(f))
        f->left = !f->request->body(f->request->context, bytes, one * n);
    return f->left ? CURL_WRITEFUNC_ERROR : one * n;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const struct fetch *f = context;
    return f->stop && atomic_load(f->stop);
}

/* Credentials inside a URL are sent by libcurl itself: not after a redirect, as the URL is new. */
static CURLcode perform(struct fetch *f, const char *url)
{
    const struct fetch_request *q = f->request;
    struct curl_slist *headers = NULL;
    char line[FETCH_ETAG_MAX + 4200];
    curl_easy_reset(f->curl);
    curl_easy_setopt(f->curl, CURLOPT_URL, url);
    curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->curl, CURLOPT_USERAGENT, "isobit/0.1");
    curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S_MAX);
    curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, (long)SILENT_S_MAX);
    curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(f->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(f->curl, CURLOPT_XFERINFODATA, f);
    if (q->to) {
        snprintf(line, sizeof line, "%" PRIu64 "-%" PRIu64, q->from, q->to - 1);
        curl_easy_setopt(f->curl, CURLOPT_RANGE, line);
    }
    if (q->to && q->if_range) {
        snprintf(line, sizeof line, "If-Range: %s", q->if_range);
        headers = curl_slist_append(headers, line);
    }
    if (gets_token(f, url)) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", f->token);
        headers = curl_slist_append(headers, line);
    }
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(f->curl);
    curl_slist_free_all(headers);
    return code;
}

/* ---- what went wrong ---- */

/* What stays wrong however often one asks. */
static bool is_lasting(CURLcode code)
{
    static const CURLcode lasting[] = {
        CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT,   CURLE_PEER_FAILED_VERIFICATION,
        CURLE_SSL_CACERT_BADFILE,   CURLE_SSL_CERTPROBLEM, CURLE_OUT_OF_MEMORY,
        CURLE_SSL_CIPHER,
    };
    for (size_t i = 0; i < COUNT_OF(lasting); i++)
        if (code == lasting[i])
            return true;
    return false;
}

static enum fetch_end end_of_status(const struct fetch *f, const char *host, struct err_note *note)
{
    long status = f->reply->status;
    const char *about = "";
    if (status == 401 || status == 403)
        about = f->token ? ": it does not exist, or the token in HF_TOKEN does not open it"
                         : ": it does not exist, or it wants a token in HF_TOKEN";
    else if (status == 404)
        about = ": not found";
    else if (status == 416)
        about = ": it is shorter than was said";
    else if (status == 429)
        about = ": too many requests";
    err_set(note, ERR_IO, "%s answers with status %ld%s", host, status, about);
    return status == 408 || status == 425 || status == 429 || status >= 500 ? FETCH_AGAIN
                                                                            : FETCH_FAILED;
}

static enum fetch_end end_of(struct fetch *f, CURLcode code, const char *host,
                             struct err_note *note)
{
    long status = f->reply->status;
    if (f->left)
        return FETCH_LEFT;
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        err_set(note, ERR_CANCELLED, "stopped");
        return FETCH_STOPPED;
    }
    if (status && status != 200 && status != 206)
        return end_of_status(f, host, note);
    if (code) {
        err_set(note, ERR_IO, "%s: %s", host, curl_easy_strerror(code));
        return is_lasting(code) ? FETCH_FAILED : FETCH_AGAIN;
    }
    return begin(f) ? FETCH_DONE : FETCH_LEFT; /* a body of no bytes begins here */
}

/* Where a redirect leads; false and a note where it must not. */
static bool next_url(struct fetch *f, const char *url, char **out, struct err_note *note)
{
    const char *to = NULL;
    curl_easy_getinfo(f->curl, CURLINFO_REDIRECT_URL, &to);
    bool is_http =
        to && (strncasecmp(to, "http://", 7) == 0 || strncasecmp(to, "https://", 8) == 0);
    if (!is_http)
        err_set(note, ERR_IO, "%.100s redirects to no http or https address", url);
    else if (strncasecmp(url, "https:", 6) == 0 && strncasecmp(to, "http:", 5) == 0)
        err_set(note, ERR_IO, "%.100s redirects from https to http: refused", url);
    else
        *out = mem_strdup(to);
    return *out != NULL;
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

enum fetch_end fetch_get(struct fetch *f, const struct fetch_request *q, struct fetch_reply *reply,
                         struct err_note *note)
{
    char *url = mem_strdup(q->url);
    enum fetch_end end = FETCH_FAILED;
    err_set(note, ERR_IO, "%.100s redirects more than %d times", q->url, REDIRECTS_MAX);
    *reply = (struct fetch_reply){0};
    forget_answer(reply);
    f->request = q;
    f->reply = reply;
    for (int i = 0; url && i <= REDIRECTS_MAX; i++) {
        char host[300] = "?", *next = NULL;
        f->began = f->left = false;
        CURLcode code = perform(f, url);
        reply->status = (int)status_of(f);
        origin_of(url, host);
        bool go_on = is_redirect(reply->status) && code != CURLE_ABORTED_BY_CALLBACK;
        if (!go_on)
            end = end_of(f, code, host, note);
        else if (i < REDIRECTS_MAX)
            go_on = next_url(f, url, &next, note);
        mem_free(url);
        url = go_on ? next : NULL;
    }
    mem_free(url);
    return end;
}
