/* multipart.c - multipart/form-data. */
#include "api/multipart.h"

#include <string.h>
#include <strings.h>

enum { BOUNDARY_BYTES_MAX = 70 }; /* RFC 2046 */

/* The value of a parameter ("name=value" or name="value") among those after the first ';'. */
static bool parameter(struct str text, const char *name, struct str *value)
{
    size_t n_name = strlen(name);
    const char *at = memchr(text.ptr, ';', text.len), *end = text.ptr + text.len;
    while (at && at < end) {
        at++;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        const char *from = at, *next;
        bool quoted = false;
        for (next = at; next < end && (quoted || *next != ';'); next++)
            if (*next == '"')
                quoted = !quoted;
        if ((size_t)(next - from) > n_name && strncasecmp(from, name, n_name) == 0 &&
            from[n_name] == '=') {
            *value = (struct str){from + n_name + 1, (size_t)(next - from) - n_name - 1};
            while (value->len > 0 && value->ptr[value->len - 1] == ' ')
                value->len--;
            if (value->len >= 2 && value->ptr[0] == '"' && value->ptr[value->len - 1] == '"')
                *value = str_sub(*value, 1, value->len - 1);
            return true;
        }
        at = next < end ? next : NULL;
    }
    return false;
}

bool form_boundary(struct str type, struct str *boundary)
{
    struct str form = STR("multipart/form-data");
    return type.len > form.len && strncasecmp(type.ptr, form.ptr, form.len) == 0 &&
           parameter(type, "boundary", boundary) && boundary->len > 0 &&
           boundary->len <= BOUNDARY_BYTES_MAX;
}

/* Where "--boundary" stands at a line's beginning; NULL: nowhere. */
static const char *find_boundary(struct str text, struct str boundary)
{
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end && (size_t)(end - at) >= boundary.len + 2; at++) {
        at = memchr(at, '-', (size_t)(end - at));
        if (!at || (size_t)(end - at) < boundary.len + 2)
            return NULL;
        if (at[1] == '-' && memcmp(at + 2, boundary.ptr, boundary.len) == 0 &&
            (at == text.ptr || at[-1] == '\n'))
            return at;
    }
    return NULL;
}

/* One header line's parameters; others than Content-Disposition's mean nothing here. */
static void read_header(struct str line, struct form_part *part)
{
    struct str name = STR("content-disposition:");
    if (line.len <= name.len || strncasecmp(line.ptr, name.ptr, name.len) != 0)
        return;
    parameter(line, "name", &part->name);
    parameter(line, "filename", &part->file_name);
}

bool form_next(struct str *rest, struct str boundary, struct form_part *part, struct api_error *e)
{
    *part = (struct form_part){.name = STR(""), .file_name = STR(""), .bytes = STR("")};
    e->status = 0;
    const char *begin = find_boundary(*rest, boundary);
    if (!begin)
        return api_fail(e, 400, NULL, "the form has no end: --%.*s-- is missing",
                        STR_ARG(boundary));
    struct str text = str_sub(*rest, (size_t)(begin - rest->ptr) + 2 + boundary.len, rest->len);
    if (str_starts(text, STR("--")))
        return false;
    const char *end = find_boundary(text, boundary);
    if (!end || end - text.ptr < 2)
        return api_fail(e, 400, NULL, "the form breaks off inside a part");
    *rest = str_sub(text, (size_t)(end - text.ptr), text.len);
    text.len = (size_t)(end - text.ptr); /* with the line break before the boundary */
    for (bool first = true;; first = false) {
        const char *line_end = memchr(text.ptr, '\n', text.len);
        if (!line_end)
            return api_fail(e, 400, NULL, "a part of the form has no empty line after its headers");
        struct str line = {text.ptr, (size_t)(line_end - text.ptr)};
        text = str_sub(text, line.len + 1, text.len);
        while (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 && !first) /* the first line is what is left of the boundary's own */
            break;
        read_header(line, part);
    }
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    part->bytes = text;
    if (part->name.len == 0)
        return api_fail(e, 400, NULL, "a part of the form has no name");
    return true;
}
