/* write.c - JSON text. */
#include "api/write.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/utf8.h"

void write_begin(struct writer *w, struct buf *out)
{
    *w = (struct writer){.out = out};
}

static void separate(struct writer *w)
{
    if (w->comma)
        buf_char(w->out, ',');
    w->comma = true;
}

void write_open(struct writer *w, char bracket)
{
    separate(w);
    buf_char(w->out, bracket);
    w->comma = false;
}

void write_close(struct writer *w, char bracket)
{
    buf_char(w->out, bracket);
    w->comma = true;
}

static void escape(struct buf *out, struct str s)
{
    size_t from = 0;
    buf_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool line_end = c == 0xe2 && i + 2 < s.len && (unsigned char)s.ptr[i + 1] == 0x80 &&
                        ((unsigned char)s.ptr[i + 2] & 0xfe) == 0xa8;
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !line_end)
            continue;
        buf_add(out, s.ptr + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_str(out, "\\n");
        else
            buf_printf(out, "\\u%04x", line_end ? 0x2028 + (s.ptr[i + 2] & 1) : c);
        if (line_end) {
            i += 2;
            from += 2;
        }
    }
    buf_add(out, s.ptr + from, s.len - from);
    buf_char(out, '"');
}

void write_name(struct writer *w, struct str name)
{
    separate(w);
    escape(w->out, name);
    buf_char(w->out, ':');
    w->comma = false;
}

void write_key(struct writer *w, const char *key)
{
    write_name(w, str_from(key));
}

void write_text(struct writer *w, struct str text)
{
    separate(w);
    escape(w->out, text);
}

void write_bytes(struct writer *w, struct str bytes)
{
    struct buf text;
    if (utf8_valid(bytes.ptr, bytes.len)) {
        write_text(w, bytes);
        return;
    }
    buf_init(&text, (size_t)1 << 30);
    utf8_repair(bytes, &text);
    w->out->failed |= text.failed;
    write_text(w, (struct str){text.n_bytes ? text.bytes : "", text.n_bytes});
    buf_release(&text);
}

void write_int(struct writer *w, int64_t value)
{
    separate(w);
    buf_printf(w->out, "%" PRId64, value);
}

void write_float(struct writer *w, float value)
{
    char text[32] = "null";
    for (int digits = 6; isfinite(value) && digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    separate(w);
    buf_str(w->out, text);
}

void write_word(struct writer *w, const char *word)
{
    separate(w);
    buf_str(w->out, word);
}

static int add_bytes(const char *bytes, size_t n_bytes, void *out)
{
    buf_add(out, bytes, n_bytes);
    return 0;
}

void write_value(struct writer *w, const struct json_t *value)
{
    separate(w);
    if (json_dump_callback(value, add_bytes, w->out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        w->out->failed = true;
}

void write_key_text(struct writer *w, const char *key, struct str text)
{
    write_key(w, key);
    write_text(w, text);
}

void write_key_int(struct writer *w, const char *key, int64_t value)
{
    write_key(w, key);
    write_int(w, value);
}

void write_key_word(struct writer *w, const char *key, const char *word)
{
    write_key(w, key);
    write_word(w, word);
}
