/* name.c - what names say, and which are refused. */
#include "hub/name.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/check.h"

/* ---- paths ---- */

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 127 || s.ptr[i] == '\\')
            return false;
    return utf8_valid(s.ptr, s.len);
}

enum err name_check(struct str path, struct err_note *note)
{
    if (!is_plain(path))
        return err_set(note, ERR_FORMAT,
                       "a file's name holds control characters, a backslash or "
                       "no UTF-8: refused");
    if (path.len == 0 || path.len >= HUB_PATH_MAX)
        return err_set(note, ERR_LIMIT, "a file's name is empty or longer than %d bytes: %.60s",
                       HUB_PATH_MAX - 1, path.len ? path.ptr : "");
    for (size_t from = 0; from <= path.len;) {
        const char *slash = memchr(path.ptr + from, '/', path.len - from);
        size_t to = slash ? (size_t)(slash - path.ptr) : path.len;
        if (to == from || path.ptr[from] == '.')
            return err_set(note, ERR_FORMAT,
                           "\"%.*s\" is refused: it could leave its folder or "
                           "hide in it",
                           STR_ARG(path));
        if (to - from >= HUB_NAME_MAX)
            return err_set(note, ERR_LIMIT, "\"%.60s...\" is refused: a name has at most %d bytes",
                           path.ptr + from, HUB_NAME_MAX - 1);
        from = to + 1;
    }
    return ERR_OK;
}

struct str name_last(struct str path)
{
    size_t from = path.len;
    while (from && path.ptr[from - 1] != '/')
        from--;
    return str_sub(path, from, path.len);
}

/* ---- references ---- */

static bool is_repo_part(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && !strchr("-_.", s.ptr[i]))
            return false;
    return s.len >= 1 && s.len <= 96 && s.ptr[0] != '.';
}

static enum err parse_repo(const char *text, struct hub_reference *r, struct err_note *note)
{
    const char *slash = strchr(text, '/'), *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    if (!slash || slash > text + n || !is_repo_part((struct str){text, (size_t)(slash - text)}) ||
        !is_repo_part((struct str){slash + 1, (size_t)(text + n - slash - 1)}))
        return err_set(note, ERR_USAGE,
                       "hf:%.120s is no repository; such as hf:OWNER/REPO or "
                       "hf:OWNER/REPO:Q4_K_M",
                       text);
    snprintf(r->repo, sizeof r->repo, "%.*s", (int)n, text);
    if (!colon)
        return ERR_OK;
    if (name_check(str_from(colon + 1), note))
        return err_wrap(note, ERR_USAGE, "hf:%.120s", r->repo);
    snprintf(r->want, sizeof r->want, "%s", colon + 1);
    return ERR_OK;
}

enum err hub_reference_parse(const char *text, struct hub_reference *r, struct err_note *note)
{
    *r = (struct hub_reference){0};
    static const char *const hubs[] = {"hf:", "hf.co/", "huggingface.co/"};
    for (size_t i = 0; i < COUNT_OF(hubs); i++)
        if (strncmp(text, hubs[i], strlen(hubs[i])) == 0)
            return parse_repo(text + strlen(hubs[i]), r, note);
    r->is_url = strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
    if (!r->is_url)
        return err_set(note, ERR_USAGE, "\"%.120s\" is neither hf:OWNER/REPO[:QUANT] nor a URL",
                       text);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 127)
            return err_set(note, ERR_USAGE,
                           "the URL holds a space or another character that a URL "
                           "may not have");
    if (n >= sizeof r->url)
        return err_set(note, ERR_USAGE, "the URL is longer than %zu bytes", sizeof r->url - 1);
    memcpy(r->url, text, n + 1);
    return ERR_OK;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

enum err name_of_url(const char *url, char out[HUB_NAME_MAX], struct err_note *note)
{
    const char *host = strstr(url, "://");
    CHECK(host);
    struct str all = {host + 3, strcspn(host + 3, "?#")};
    struct str last = memchr(all.ptr, '/', all.len) ? name_last(all) : STR("");
    size_t n = 0;
    for (size_t i = 0; i < last.len; i++) {
        bool escape = last.ptr[i] == '%' && i + 2 < last.len && hex_value(last.ptr[i + 1]) >= 0 &&
                      hex_value(last.ptr[i + 2]) >= 0;
        if (n + 1 >= HUB_NAME_MAX)
            return err_set(note, ERR_LIMIT,
                           "the URL's file name is longer than %d bytes; --name "
                           "NAME gives another",
                           HUB_NAME_MAX - 1);
        out[n++] = escape ? (char)(hex_value(last.ptr[i + 1]) * 16 + hex_value(last.ptr[i + 2]))
                          : last.ptr[i];
        i += escape ? 2 : 0;
    }
    out[n] = 0;
    struct str name = {out, n};
    if (memchr(out, '/', n) || name_check(name, note))
        return err_set(note, ERR_USAGE,
                       "the URL's path does not end in a name for a file; --name "
                       "NAME gives one");
    return ERR_OK;
}

/* ---- what file names say ---- */

static bool begins_word(struct str path, size_t at)
{
    return at == 0 || strchr("-._/", path.ptr[at - 1]);
}

bool name_has_word(struct str path, struct str word)
{
    for (size_t at = 0; word.len && at + word.len <= path.len; at++) {
        size_t end = at + word.len;
        if (begins_word(path, at) && strncasecmp(path.ptr + at, word.ptr, word.len) == 0 &&
            (end == path.len || strchr("-./", path.ptr[end])))
            return true;
    }
    return false;
}

struct str name_quant(struct str path)
{
    static const char *const begins[] = {"Q", "IQ", "TQ", "BF16", "F16", "FP16", "F32", "MXFP4"};
    struct str found = STR("");
    for (size_t at = 0; at < path.len; at++) {
        size_t end = at;
        if (!begins_word(path, at))
            continue;
        while (end < path.len && (isalnum((unsigned char)path.ptr[end]) || path.ptr[end] == '_'))
            end++;
        for (size_t i = 0; i < COUNT_OF(begins); i++) {
            size_t n = strlen(begins[i]), more = i < 3; /* Q, IQ and TQ: then a digit */
            if (end - at >= n + more && strncasecmp(path.ptr + at, begins[i], n) == 0 &&
                (more ? isdigit((unsigned char)path.ptr[at + n]) != 0 : end - at == n))
                found = str_sub(path, at, end);
        }
    }
    return found;
}

bool name_split(struct str path, struct name_split *out)
{
    static const char shape[] = "-00000-of-00000";
    const size_t n = sizeof shape - 1;
    *out = (struct name_split){.part = 1, .n_parts = 1};
    if (path.len <= 5 || strncasecmp(path.ptr + path.len - 5, ".gguf", 5) != 0)
        return false;
    out->stem = str_sub(path, 0, path.len - 5);
    if (out->stem.len <= n)
        return true;
    const char *end = out->stem.ptr + out->stem.len - n;
    uint64_t part, n_parts;
    if (end[0] != '-' || memcmp(end + 6, "-of-", 4) != 0 ||
        !str_to_u64((struct str){end + 1, 5}, &part) ||
        !str_to_u64((struct str){end + 10, 5}, &n_parts) || part < 1 || part > n_parts)
        return true;
    out->part = (uint32_t)part;
    out->n_parts = (uint32_t)n_parts;
    out->stem.len -= n;
    return true;
}
