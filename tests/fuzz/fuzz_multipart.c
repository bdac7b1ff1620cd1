/* fuzz_multipart.c - forms: parts lie inside the body, and reading ends. The first line of the
 * input is the Content-Type. */
#include <stdint.h>
#include <string.h>

#include "api/multipart.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct str part, struct str body)
{
    CHECK(part.len == 0 || (part.ptr >= body.ptr && part.ptr + part.len <= body.ptr + body.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {(const char *)data, size}, boundary;
    const char *end = size ? memchr(data, '\n', size) : NULL;
    if (!end)
        return 0;
    struct str type = str_sub(all, 0, (size_t)(end - all.ptr));
    struct str body = str_sub(all, type.len + 1, all.len), rest = body;
    if (!form_boundary(type, &boundary))
        return 0;
    struct form_part part;
    struct api_error e;
    while (form_next(&rest, boundary, &part, &e)) {
        check_inside(part.name, body);
        check_inside(part.file_name, body);
        check_inside(part.bytes, body);
        CHECK(e.status == 0);
    }
    return 0;
}
