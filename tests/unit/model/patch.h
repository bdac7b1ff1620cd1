/* patch.h - a tiny model with a few bytes of its file replaced. */
#ifndef UNIT_MODEL_PATCH_H
#define UNIT_MODEL_PATCH_H

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"
#include "lib/test.h"

struct patched {
    struct table table;
    char *bytes;
};

/* The first place of some bytes. */
static inline char *patch_find(char *bytes, size_t n_bytes, const char *find, size_t length)
{
    char *at = memmem(bytes, n_bytes, find, length);
    if (!at)
        fail_msg("the file does not hold the bytes to be patched");
    return at;
}

/* Texts that begin with a length byte and seven zeros are a GGUF string's count and text. */
static inline size_t patch_length(const char *text)
{
    return text[0] > 0 && text[0] < ' ' ? 8 + (size_t)text[0] : strlen(text);
}

/* replace: put in the place of find. Otherwise value != 0 replaces the 32-bit metadata value that
 * follows the key `find`. */
static inline void patched_open(struct patched *p, const char *model, const char *find,
                                const char *replace, uint32_t value)
{
    char path[512];
    struct err_note note = {""};
    size_t n_bytes;
    snprintf(path, sizeof path, TEST_DIR "/golden/model/%s.gguf", model);
    if (file_read(path, 1 << 22, &p->bytes, &n_bytes, &note))
        fail_msg("%s", note.text);
    if (find) {
        size_t length = patch_length(find);
        char *at = patch_find(p->bytes, n_bytes, find, length);
        if (replace)
            memcpy(at, replace, strlen(find) < length ? length : strlen(find));
        else
            memcpy(at + length + 4, &value, 4);
    }
    if (gguf_parse((const uint8_t *)p->bytes, n_bytes, model, &p->table, &note))
        fail_msg("%s", note.text);
}

static inline void patched_close(struct patched *p)
{
    table_close(&p->table);
    mem_free(p->bytes);
}

#endif
