/* partial_state.c - the text of a state file.
 *
 *     isobit-partial-1
 *     source SOURCE
 *     bytes N chunk N
 *     validator ETAG
 *     INDEX SHA256        one line for each chunk that came */
#include "base/str.h"
#include "hub/partial.h"

static bool take_line(struct str *text, struct str *line)
{
    const char *end = text->len ? memchr(text->ptr, '\n', text->len) : NULL;
    if (!end)
        return false;
    *line = str_sub(*text, 0, (size_t)(end - text->ptr));
    *text = str_sub(*text, line->len + 1, text->len);
    return true;
}

static bool take_key(struct str *text, struct str key, struct str *value)
{
    struct str line;
    if (!take_line(text, &line) || !str_starts(line, key))
        return false;
    *value = str_sub(line, key.len, line.len);
    return true;
}

bool partial_state_read(struct str text, struct partial_state *out)
{
    struct str value, middle = STR(" chunk ");
    *out = (struct partial_state){0};
    if (!take_key(&text, STR("isobit-partial-1"), &value) || value.len ||
        !take_key(&text, STR("source "), &out->source) || !take_key(&text, STR("bytes "), &value))
        return false;
    const char *found = memmem(value.ptr, value.len, middle.ptr, middle.len);
    if (!found)
        return false;
    size_t n = (size_t)(found - value.ptr);
    if (!str_to_u64(str_sub(value, 0, n), &out->n_bytes) ||
        !str_to_u64(str_sub(value, n + middle.len, value.len), &out->n_bytes_chunk) ||
        !take_key(&text, STR("validator "), &out->validator) ||
        out->validator.len >= PARTIAL_VALIDATOR_MAX)
        return false;
    out->lines = text;
    return true;
}

bool partial_state_next(struct partial_state *s, uint64_t *index, uint8_t digest[SHA256_BYTES],
                        bool *bad)
{
    struct str line;
    struct digest d;
    *bad = s->lines.len > 0;
    if (!take_line(&s->lines, &line))
        return false;
    const char *space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
    size_t n = space ? (size_t)(space - line.ptr) : 0;
    if (!space || !str_to_u64(str_sub(line, 0, n), index) ||
        !digest_from_hex(DIGEST_SHA256, str_sub(line, n + 1, line.len), &d))
        return false;
    memcpy(digest, d.bytes, SHA256_BYTES);
    *bad = false;
    return true;
}
