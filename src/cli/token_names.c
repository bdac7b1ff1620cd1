/* token_names.c - the vocabulary's spellings in order. */
#include "cli/token_names.h"

#include <stdlib.h>

#include "base/mem.h"

enum { BYTES_MAX = 1 << 30 };

struct token_name {
    const char *bytes;
    size_t n_bytes;
    int32_t id;
    bool is_byte;
};

static int by_bytes(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
    const struct token_name *x = a, *y = b;
    int order = by_bytes((struct str){x->bytes, x->n_bytes}, (struct str){y->bytes, y->n_bytes});
    if (order == 0)
        order = x->is_byte - y->is_byte;
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

enum err token_names_open(struct token_names *t, const struct tokenizer *of, struct err_note *note)
{
    size_t n = tokenizer_n_tokens(of);
    *t = (struct token_names){.names = mem_array(n, sizeof t->names[0])};
    buf_init(&t->bytes, BYTES_MAX);
    size_t *begins = mem_array(n + 1, sizeof begins[0]);
    enum err rc = t->names && begins ? ERR_OK : ERR_MEMORY;
    for (; !rc && t->n < n; t->n++) {
        int32_t id = (int32_t)t->n;
        rc = tokenizer_decode(of, &id, 1, DECODE_SPECIAL | DECODE_CONTINUE, &t->bytes, note);
        begins[t->n + 1] = t->bytes.n_bytes;
    }
    if (rc || t->bytes.failed) {
        mem_free(begins);
        token_names_close(t);
        return err_set(note, ERR_MEMORY, "out of memory for the names of %zu tokens", n);
    }
    for (size_t i = 0; i < n; i++)
        t->names[i] = (struct token_name){
            .bytes = t->bytes.n_bytes > 0 ? t->bytes.bytes + begins[i] : "",
            .n_bytes = begins[i + 1] - begins[i],
            .id = (int32_t)i,
            .is_byte = tokenizer_token_type(of, (int32_t)i) == TOKEN_BYTE};
    mem_free(begins);
    if (n > 0)
        qsort(t->names, n, sizeof t->names[0], by_name);
    return ERR_OK;
}

int32_t token_names_find(const struct token_names *t, struct str bytes)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct token_name *name = &t->names[middle];
        if (by_bytes((struct str){name->bytes, name->n_bytes}, bytes) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n && str_eq((struct str){t->names[low].bytes, t->names[low].n_bytes}, bytes)
               ? t->names[low].id
               : TOKEN_NONE;
}

void token_names_close(struct token_names *t)
{
    buf_release(&t->bytes);
    mem_free(t->names);
    *t = (struct token_names){0};
}
