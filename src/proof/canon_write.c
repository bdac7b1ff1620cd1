/* canon_write.c - values to canonical JSON. */
#include "proof/canon.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/hash.h"

void canon_begin(struct canon_writer *w, struct buf *out)
{
    *w = (struct canon_writer){.out = out};
}

/* What stands before a value: nothing after a key, a comma between items. */
static void place(struct canon_writer *w)
{
    if (w->depth == 0)
        return;
    bool is_object = w->at[w->depth - 1].is_object;
    CHECK(is_object == w->has_key);
    if (!is_object && w->at[w->depth - 1].has_items)
        buf_char(w->out, ',');
    w->at[w->depth - 1].has_items = true;
    w->has_key = false;
}

static void container(struct canon_writer *w, bool is_object)
{
    place(w);
    CHECK(w->depth < CANON_DEPTH_MAX);
    w->at[w->depth].is_object = is_object;
    w->at[w->depth].has_items = false;
    w->at[w->depth].key = STR("");
    w->depth++;
    buf_char(w->out, is_object ? '{' : '[');
}

void canon_object(struct canon_writer *w)
{
    container(w, true);
}

void canon_array(struct canon_writer *w)
{
    container(w, false);
}

void canon_end(struct canon_writer *w)
{
    CHECK(w->depth > 0 && !w->has_key);
    w->depth--;
    buf_char(w->out, w->at[w->depth].is_object ? '}' : ']');
}

static int key_compare(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

static void key_write(struct canon_writer *w, struct str key)
{
    CHECK(w->depth > 0 && w->at[w->depth - 1].is_object && !w->has_key);
    CHECK(key.len > 0 && key.len <= CANON_KEY_MAX);
    CHECK(key_compare(w->at[w->depth - 1].key, key) < 0);
    if (w->at[w->depth - 1].has_items)
        buf_char(w->out, ',');
    buf_char(w->out, '"');
    buf_add(w->out, key.ptr, key.len);
    buf_str(w->out, "\":");
    w->at[w->depth - 1].key = key;
    w->has_key = true;
}

void canon_key(struct canon_writer *w, const char *key)
{
    key_write(w, str_from(key));
}

static void escape(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        buf_str(out, "\\\"");
        break;
    case '\\':
        buf_str(out, "\\\\");
        break;
    case '\b':
        buf_str(out, "\\b");
        break;
    case '\t':
        buf_str(out, "\\t");
        break;
    case '\n':
        buf_str(out, "\\n");
        break;
    case '\f':
        buf_str(out, "\\f");
        break;
    case '\r':
        buf_str(out, "\\r");
        break;
    default:
        buf_printf(out, "\\u%04x", c);
    }
}

void canon_text(struct canon_writer *w, struct str text)
{
    size_t from = 0;
    place(w);
    if (!utf8_valid(text.ptr, text.len))
        w->out->failed = true;
    buf_char(w->out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(w->out, text.ptr + from, i - from);
        escape(w->out, c);
        from = i + 1;
    }
    if (text.len > from)
        buf_add(w->out, text.ptr + from, text.len - from);
    buf_char(w->out, '"');
}

size_t canon_text_bytes(struct str text)
{
    size_t n = text.len + 2;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v'))
            n += 1;
        else if (c < 0x20)
            n += 5;
    }
    return n;
}

void canon_int(struct canon_writer *w, uint64_t value)
{
    place(w);
    if (value > CANON_INT_MAX)
        w->out->failed = true;
    buf_printf(w->out, "%" PRIu64, value);
}

void canon_bool(struct canon_writer *w, bool value)
{
    place(w);
    buf_str(w->out, value ? "true" : "false");
}

void canon_hex(struct canon_writer *w, const void *bytes, size_t n_bytes)
{
    char hex[3];
    place(w);
    buf_char(w->out, '"');
    for (size_t i = 0; i < n_bytes; i++) {
        hex_of((const uint8_t *)bytes + i, 1, hex);
        buf_add(w->out, hex, 2);
    }
    buf_char(w->out, '"');
}

void canon_raw(struct canon_writer *w, struct str value)
{
    place(w);
    buf_add(w->out, value.ptr, value.len);
}

static void scalar_copy(struct canon_writer *w, const struct canon_node *node)
{
    if (node->type == CANON_TEXT)
        canon_text(w, node->text);
    else if (node->type == CANON_INT)
        canon_int(w, node->number);
    else
        canon_bool(w, node->number);
}

/* Nodes stand in the order of their bytes; a container ends where its last node was written. */
void canon_copy(struct canon_writer *w, const struct canon_doc *doc, const struct canon_node *node)
{
    uint32_t ends[CANON_DEPTH_MAX], first = (uint32_t)(node - doc->nodes);
    int depth = 0;
    for (uint32_t i = first; i < node->end; i++) {
        const struct canon_node *n = &doc->nodes[i];
        if (i > first && n->key.len)
            key_write(w, n->key);
        if (n->type == CANON_OBJECT || n->type == CANON_ARRAY) {
            container(w, n->type == CANON_OBJECT);
            ends[depth++] = n->end;
        } else {
            scalar_copy(w, n);
        }
        for (; depth > 0 && ends[depth - 1] == i + 1; depth--)
            canon_end(w);
    }
}
