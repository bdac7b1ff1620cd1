/* charsmap.c - SentencePiece's precompiled character map.
 *
 * Layout: u32 bytes of the trie, the trie (a Darts double array of u32 units), then replacement
 * texts, each ended by a NUL. Indexes come from the file, so every step is checked. */
#include "text/tokenizer_int.h"

static size_t trie_bytes(struct str map)
{
    const unsigned char *p = (const unsigned char *)map.ptr;
    return p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

enum err charsmap_check(struct str map, struct err_note *note)
{
    if (map.len < 8)
        return err_set(note, ERR_FORMAT, "a precompiled character map of %zu bytes", map.len);
    size_t n = trie_bytes(map);
    if (n % 4 || n == 0 || n > map.len - 4)
        return err_set(note, ERR_FORMAT,
                       "a precompiled character map of %zu bytes has a trie of %zu", map.len, n);
    if (!utf8_valid(map.ptr + 4 + n, map.len - 4 - n))
        return err_set(note, ERR_FORMAT, "a precompiled character map is not valid UTF-8");
    return ERR_OK;
}

static bool unit_at(struct str map, size_t at, uint32_t *unit)
{
    if (at >= trie_bytes(map) / 4)
        return false;
    const unsigned char *p = (const unsigned char *)map.ptr + 4 + 4 * at;
    *unit = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return true;
}

static size_t unit_offset(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* Like spm_precompiled, the shortest key that begins chunk decides for all of chunk. */
bool charsmap_find(struct str map, struct str chunk, struct str *out)
{
    uint32_t unit;
    size_t at = 0, texts = 4 + trie_bytes(map);
    if (!unit_at(map, 0, &unit))
        return false;
    at ^= unit_offset(unit);
    for (size_t i = 0; i < chunk.len; i++) {
        unsigned char c = (unsigned char)chunk.ptr[i];
        at ^= c;
        if (c == 0 || !unit_at(map, at, &unit) || (unit & (1u << 31 | 0xff)) != c)
            return false;
        at ^= unit_offset(unit);
        if (unit >> 8 & 1) {
            if (!unit_at(map, at, &unit) || (unit & 0x7fffffff) >= map.len - texts)
                return false;
            const char *text = map.ptr + texts + (unit & 0x7fffffff);
            const char *end = memchr(text, 0, (size_t)(map.ptr + map.len - text));
            *out = (struct str){text, (size_t)((end ? end : map.ptr + map.len) - text)};
            return utf8_valid(out->ptr, out->len);
        }
    }
    return false;
}
