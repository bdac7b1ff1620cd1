/* tokenize_lines.c - many texts through one tokenizer, to compare with another program's answers.
 *
 * tokenize_lines [--meta] [--plain] [--add] MODEL
 *   MODEL   a GGUF file, a model folder, or a tokenizer.json
 *   --meta  a tokenizer.json goes to GGUF metadata and back first
 *   --plain special tokens are plain text      --add  with the tokens around a text
 * Reads a text in hexadecimal per line; answers "ids separated by spaces|decoded text in
 * hexadecimal". tools/tokenizer_compare.py drives it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/table.h"
#include "text/tokenizer_meta.h"

enum { TOKENIZER_BYTES_MAX = 256 << 20, TEXT_BYTES_MAX = 64 << 20 };

static enum err through_meta(struct tokenizer **t, struct err_note *note)
{
    struct tokenizer_meta m;
    struct tokenizer *back = NULL;
    enum err rc = tokenizer_to_meta(*t, 0, &m, note);
    rc = rc ? rc : tokenizer_from_meta(&m, &back, note);
    tokenizer_meta_release(&m);
    if (rc == ERR_OK) {
        tokenizer_free(*t);
        *t = back;
    }
    return rc;
}

static enum err open_model(const char *path, struct tokenizer **t, struct err_note *note)
{
    struct str name = str_from(path);
    if (str_ends(name, STR(".json"))) {
        char *text = NULL;
        size_t n_bytes = 0;
        enum err rc = file_read(path, TOKENIZER_BYTES_MAX, &text, &n_bytes, note);
        rc = rc ? rc : tokenizer_from_json((struct str){text, n_bytes}, STR(""), t, note);
        mem_free(text);
        return rc;
    }
    struct table table;
    enum err rc = table_open(path, &table, note);
    if (rc != ERR_OK)
        return rc;
    rc = tokenizer_from_table(&table, t, note);
    table_close(&table);
    return rc;
}

static size_t from_hex(char *s)
{
    size_t n = strspn(s, "0123456789abcdef") / 2;
    for (size_t i = 0; i < n; i++) {
        char byte[3] = {s[2 * i], s[2 * i + 1], 0};
        s[i] = (char)strtoul(byte, NULL, 16);
    }
    return n;
}

static enum err answer(const struct tokenizer *t, struct str text, unsigned flags,
                       struct err_note *note)
{
    struct token_list ids = {.n_ids_max = TEXT_BYTES_MAX};
    struct buf decoded;
    buf_init(&decoded, TEXT_BYTES_MAX);
    enum err rc = tokenizer_encode(t, text, flags, &ids, note);
    rc = rc ? rc : tokenizer_decode(t, ids.ids, ids.n_ids, 0, &decoded, note);
    for (size_t i = 0; rc == ERR_OK && i < ids.n_ids; i++)
        printf("%s%d", i ? " " : "", ids.ids[i]);
    putchar('|');
    for (size_t i = 0; rc == ERR_OK && i < decoded.n_bytes; i++)
        printf("%02x", (unsigned char)decoded.bytes[i]);
    putchar('\n');
    token_list_release(&ids);
    buf_release(&decoded);
    return rc;
}

int main(int argc, char **argv)
{
    unsigned flags = ENCODE_PARSE_SPECIAL;
    bool meta = false;
    struct err_note note = {""};
    struct tokenizer *t = NULL;
    char *line = NULL;
    size_t n_line = 0;
    for (int i = 1; i < argc - 1; i++) {
        meta = meta || strcmp(argv[i], "--meta") == 0;
        flags = strcmp(argv[i], "--plain") == 0 ? flags & ~ENCODE_PARSE_SPECIAL : flags;
        flags = strcmp(argv[i], "--add") == 0 ? flags | ENCODE_ADD_SPECIAL : flags;
    }
    enum err rc = argc < 2 ? err_set(&note, ERR_USAGE, "tokenize_lines [options] MODEL")
                           : open_model(argv[argc - 1], &t, &note);
    rc = rc ? rc : meta ? through_meta(&t, &note) : ERR_OK;
    while (rc == ERR_OK && getline(&line, &n_line, stdin) > 0) {
        size_t n = from_hex(line);
        rc = answer(t, (struct str){line, n}, flags, &note);
    }
    if (rc != ERR_OK)
        fprintf(stderr, "%s\n", note.text);
    free(line);
    tokenizer_free(t);
    return rc == ERR_OK ? 0 : 1;
}
