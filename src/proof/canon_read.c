/* canon_read.c - canonical JSON to nodes; every other form is refused where it departs. */
#include "base/check.h"
#include "base/mem.h"
#include "proof/canon.h"

struct reader {
    struct str in;
    size_t at;
    struct canon_doc *doc;
    uint32_t n_reserved;
    size_t n_unescaped;
    struct err_note *note;
};

static enum err refuse(struct reader *r, const char *why)
{
    return err_set(r->note, ERR_FORMAT, "not canonical JSON: byte %zu: %s", r->at, why);
}

static bool next_is(const struct reader *r, char c)
{
    return r->at < r->in.len && r->in.ptr[r->at] == c;
}

static bool skip(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if (r->in.len - r->at < n || memcmp(r->in.ptr + r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* ---- strings ------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After a backslash. Only what the writer escapes, and as it does. */
static enum err read_escape(struct reader *r, char *c)
{
    static const char names[] = "\"\\btnfr", values[] = "\"\\\b\t\n\f\r";
    const char *name = r->at < r->in.len && r->in.ptr[r->at]
                           ? strchr(names, r->in.ptr[r->at]) : NULL;
    if (name) {
        *c = values[name - names];
        r->at++;
        return ERR_OK;
    }
    if (r->in.len - r->at < 5 || memcmp(r->in.ptr + r->at, "u00", 3) != 0)
        return refuse(r, "an escape that is not needed");
    int high = hex_digit(r->in.ptr[r->at + 3]), low = hex_digit(r->in.ptr[r->at + 4]);
    int value = high * 16 + low;
    if (high < 0 || high > 1 || low < 0 || strchr(&values[2], value ? value : 'x'))
        return refuse(r, "an escape that is not needed, or not the shortest");
    *c = (char)value;
    r->at += 5;
    return ERR_OK;
}

/* A string with escapes; r->at is after its opening quote. */
static enum err unescape(struct reader *r, struct str *out)
{
    if (!r->doc->unescaped && !(r->doc->unescaped = mem_alloc(r->in.len)))
        return err_set(r->note, ERR_MEMORY, "no memory for %zu bytes of JSON", r->in.len);
    char *to = r->doc->unescaped + r->n_unescaped;
    *out = (struct str){to, 0};
    while (r->at < r->in.len && r->in.ptr[r->at] != '"') {
        char c = r->in.ptr[r->at];
        if ((unsigned char)c < 0x20)
            return refuse(r, "a control character that is not escaped");
        r->at++;
        enum err rc = c == '\\' ? read_escape(r, &c) : ERR_OK;
        if (rc)
            return rc;
        to[out->len++] = c;
    }
    r->n_unescaped += out->len;
    return ERR_OK;
}

/* r->at is at the opening quote. */
static enum err read_text(struct reader *r, struct str *out)
{
    size_t from = ++r->at;
    while (r->at < r->in.len && (unsigned char)r->in.ptr[r->at] >= 0x20 &&
           r->in.ptr[r->at] != '"' && r->in.ptr[r->at] != '\\')
        r->at++;
    *out = (struct str){r->in.ptr + from, r->at - from};
    if (!next_is(r, '"')) {
        r->at = from;
        enum err rc = unescape(r, out);
        if (rc)
            return rc;
    }
    return skip(r, "\"") ? ERR_OK : refuse(r, "a string without an end");
}

/* ---- values ------------------------------------------------------------------------------- */

static enum err read_int(struct reader *r, uint64_t *out)
{
    size_t from = r->at;
    while (r->at < r->in.len && r->in.ptr[r->at] >= '0' && r->in.ptr[r->at] <= '9')
        r->at++;
    struct str digits = str_sub(r->in, from, r->at);
    if (digits.len > 1 && digits.ptr[0] == '0')
        return refuse(r, "a number with zeros before it");
    if (!str_to_u64(digits, out) || *out > CANON_INT_MAX)
        return refuse(r, "a number above 2^53 - 1");
    return ERR_OK;
}

static enum err read_scalar(struct reader *r, struct canon_node *n)
{
    char c = r->at < r->in.len ? r->in.ptr[r->at] : 0;
    if (c == '"') {
        n->type = CANON_TEXT;
        return read_text(r, &n->text);
    }
    if (c >= '0' && c <= '9') {
        n->type = CANON_INT;
        return read_int(r, &n->number);
    }
    n->type = CANON_BOOL;
    if (skip(r, "true")) {
        n->number = 1;
        return ERR_OK;
    }
    return skip(r, "false") ? ERR_OK
                            : refuse(r, "no string, boolean, whole number, array or object");
}

static enum err node_add(struct reader *r, struct str key, uint32_t *index)
{
    struct canon_doc *doc = r->doc;
    if (doc->n_nodes == CANON_NODES_MAX)
        return err_set(r->note, ERR_LIMIT, "JSON of more than %d values", CANON_NODES_MAX);
    if (doc->n_nodes == r->n_reserved) {
        uint32_t n = r->n_reserved ? 2 * r->n_reserved : 32;
        struct canon_node *nodes = mem_resize(doc->nodes, n * sizeof *nodes);
        if (!nodes)
            return err_set(r->note, ERR_MEMORY, "no memory for JSON of %u values", n);
        doc->nodes = nodes;
        r->n_reserved = n;
    }
    *index = doc->n_nodes++;
    doc->nodes[*index] = (struct canon_node){.key = key, .raw = {r->in.ptr + r->at, 0}};
    return ERR_OK;
}

/* r->at is at a key; after it, at its value. */
static enum err read_key(struct reader *r, struct str before, struct str *key)
{
    if (!next_is(r, '"'))
        return refuse(r, "a key was expected");
    size_t from = ++r->at;
    for (; r->at < r->in.len && r->in.ptr[r->at] != '"'; r->at++)
        if (r->in.ptr[r->at] < 0x20 || r->in.ptr[r->at] > 0x7e || r->in.ptr[r->at] == '\\')
            return refuse(r, "a key of other characters than printable ASCII");
    *key = str_sub(r->in, from, r->at);
    if (key->len == 0 || key->len > CANON_KEY_MAX)
        return refuse(r, "a key must have 1 to 64 bytes");
    size_t n = before.len < key->len ? before.len : key->len;
    int order = n ? memcmp(before.ptr, key->ptr, n) : 0;
    if (order > 0 || (order == 0 && before.len >= key->len))
        return refuse(r, "a key twice, or not in order");
    return skip(r, "\":") ? ERR_OK : refuse(r, "a colon was expected after a key");
}

static enum err read_value(struct reader *r, struct str key, int depth);

static enum err read_items(struct reader *r, uint32_t self, int depth)
{
    bool is_object = r->in.ptr[r->at++] == '{';
    char last = is_object ? '}' : ']';
    struct str key = STR("");
    uint32_t n_items = 0;
    if (depth > CANON_DEPTH_MAX)
        return err_set(r->note, ERR_LIMIT, "JSON deeper than %d", CANON_DEPTH_MAX);
    while (!next_is(r, last)) {
        if (n_items && !skip(r, ","))
            return refuse(r, "a comma or an end was expected");
        enum err rc = is_object ? read_key(r, key, &key) : ERR_OK;
        rc = rc ? rc : read_value(r, key, depth);
        if (rc)
            return rc;
        n_items++;
    }
    r->at++;
    r->doc->nodes[self].type = is_object ? CANON_OBJECT : CANON_ARRAY;
    r->doc->nodes[self].n_items = n_items;
    return ERR_OK;
}

/* Recursion ends at CANON_DEPTH_MAX. */
static enum err read_value(struct reader *r, struct str key, int depth)
{
    uint32_t self = 0;
    enum err rc = node_add(r, key, &self);
    if (rc)
        return rc;
    if (next_is(r, '{') || next_is(r, '[')) {
        rc = read_items(r, self, depth + 1);
    } else {
        struct canon_node n = r->doc->nodes[self];
        rc = read_scalar(r, &n);
        r->doc->nodes[self] = n;
    }
    struct canon_node *n = &r->doc->nodes[self];
    n->raw.len = (size_t)(r->in.ptr + r->at - n->raw.ptr);
    n->end = r->doc->n_nodes;
    return rc;
}

enum err canon_read(struct str bytes, struct canon_doc *out, struct err_note *note)
{
    struct reader r = {.in = bytes, .doc = out, .note = note};
    enum err rc = ERR_OK;
    *out = (struct canon_doc){0};
    if (bytes.len > CANON_BYTES_MAX)
        return err_set(note, ERR_LIMIT, "JSON of %zu bytes; at most %d are read", bytes.len,
                       CANON_BYTES_MAX);
    if (!utf8_valid(bytes.ptr, bytes.len))
        rc = err_set(note, ERR_FORMAT, "not canonical JSON: no UTF-8");
    else if (!next_is(&r, '{'))
        rc = refuse(&r, "no object");
    rc = rc ? rc : read_value(&r, STR(""), 0);
    if (!rc && r.at < bytes.len)
        rc = refuse(&r, "bytes after the end");
    if (rc)
        canon_release(out);
    return rc;
}

void canon_release(struct canon_doc *doc)
{
    mem_free(doc->nodes);
    mem_free(doc->unescaped);
    *doc = (struct canon_doc){0};
}

/* ---- looking ------------------------------------------------------------------------------ */

const struct canon_node *canon_first(const struct canon_node *in)
{
    return in->n_items ? in + 1 : NULL;
}

const struct canon_node *canon_next(const struct canon_doc *doc, const struct canon_node *in,
                                    const struct canon_node *item)
{
    return item->end < in->end ? &doc->nodes[item->end] : NULL;
}

static const char *type_name(enum canon_type type)
{
    static const char *const names[] = {"a boolean", "a whole number", "a string", "an array",
                                        "an object"};
    return names[type];
}

/* The index of a member in the table; n_fields: it has none. */
static size_t field_of(const struct canon_field *fields, size_t n_fields, struct str key)
{
    size_t i = 0;
    while (i < n_fields && !str_is(key, fields[i].key))
        i++;
    return i;
}

enum err canon_fields(const struct canon_doc *doc, const struct canon_node *object,
                      const struct canon_field *fields, size_t n_fields,
                      const struct canon_node **found, const char *what, struct err_note *note)
{
    if (object->type != CANON_OBJECT)
        return err_set(note, ERR_FORMAT, "%s must be an object", what);
    for (size_t i = 0; i < n_fields; i++)
        found[i] = NULL;
    for (const struct canon_node *n = canon_first(object); n; n = canon_next(doc, object, n)) {
        size_t i = field_of(fields, n_fields, n->key);
        if (i < n_fields && n->type != fields[i].type)
            return err_set(note, ERR_FORMAT, "%s: \"%s\" must be %s", what, fields[i].key,
                           type_name(fields[i].type));
        if (i < n_fields)
            found[i] = n;
        else if (!str_starts(n->key, STR("x_")))
            return err_set(note, ERR_FORMAT,
                           "%s: \"%.*s\" is a field that this version does not know", what,
                           STR_ARG(n->key));
    }
    for (size_t i = 0; i < n_fields; i++)
        if (!found[i] && !fields[i].optional)
            return err_set(note, ERR_FORMAT, "%s lacks \"%s\"", what, fields[i].key);
    return ERR_OK;
}

bool canon_bytes(const struct canon_node *node, void *bytes, size_t n_bytes)
{
    if (node->type != CANON_TEXT || node->text.len != 2 * n_bytes)
        return false;
    for (size_t i = 0; i < n_bytes; i++) {
        int high = hex_digit(node->text.ptr[2 * i]), low = hex_digit(node->text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ((uint8_t *)bytes)[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
