/* cmd_tokenize.c - text to token ids, and back. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/say.h"

struct tokenize {
    const char *path, *prompt, *file;
    bool pieces, json, no_special, plain;
    struct loaded loaded;
    char *text;
    size_t n_bytes;
    struct token_list tokens;
};

/* One token as it decodes on its own; shown with what is not printable escaped. */
static void print_piece(const struct tokenizer *t, int32_t id)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    if (tokenizer_decode(t, &id, 1, DECODE_SPECIAL | DECODE_CONTINUE, &b, NULL) != ERR_OK)
        buf_clear(&b);
    printf("%8d  \"", id);
    for (size_t i = 0; i < b.n_bytes;) {
        uint32_t c;
        int n = utf8_decode(b.bytes + i, b.n_bytes - i, &c);
        if (n && c == '\n')
            fputs("\\n", stdout);
        else if (n == 0 || c < 0x20 || c == 0x7f)
            printf("\\x%02x", (unsigned char)b.bytes[i]);
        else
            printf("%.*s", n, b.bytes + i);
        i += n ? (size_t)n : 1;
    }
    printf("\"\n");
    buf_release(&b);
}

static void print_tokens(const struct tokenize *k)
{
    if (k->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < k->tokens.n_ids; i++)
            json_array_append_new(list, json_integer(k->tokens.ids[i]));
        json_dumpf(list, stdout, 0);
        putchar('\n');
        json_decref(list);
        return;
    }
    for (size_t i = 0; i < k->tokens.n_ids; i++) {
        if (k->pieces)
            print_piece(k->loaded.tokenizer, k->tokens.ids[i]);
        else
            printf("%s%d", i ? " " : "", k->tokens.ids[i]);
    }
    if (!k->pieces)
        putchar('\n');
    say("%zu tokens", k->tokens.n_ids);
}

static enum err tokenize(struct tokenize *k, struct err_note *note)
{
    unsigned flags =
        (k->no_special ? 0 : ENCODE_ADD_SPECIAL) | (k->plain ? 0 : ENCODE_PARSE_SPECIAL);
    enum err rc = load_text(k->prompt, k->file, &k->text, &k->n_bytes, note);
    if (!rc)
        rc = load_tokenizer(&k->loaded, k->path, note);
    k->tokens.n_ids_max = INT32_MAX;
    if (!rc)
        rc = tokenizer_encode(k->loaded.tokenizer, (struct str){k->text, k->n_bytes}, flags,
                              &k->tokens, note);
    if (!rc)
        print_tokens(k);
    return rc;
}

static int finish(struct tokenize *k, enum err rc, const struct err_note *note)
{
    token_list_release(&k->tokens);
    mem_free(k->text);
    load_close(&k->loaded);
    return rc ? say_error(rc, note) : EXIT_OK;
}

int cmd_tokenize(int argc, char **argv)
{
    struct tokenize k = {0};
    const struct arg_option options[] = {
        OPT_TEXT('m', "model", "MODEL", &k.path, "whose tokenizer (default: the demo model)"),
        OPT_TEXT('p', "prompt", "TEXT", &k.prompt, "the text"),
        OPT_TEXT('f', "file", "FILE", &k.file, "the text of FILE; -: standard input"),
        OPT_FLAG(0, "pieces", &k.pieces, "one line for each token, with its text"),
        OPT_FLAG(0, "no-special", &k.no_special,
                 "without the tokens that the model puts around a text"),
        OPT_FLAG(0, "plain", &k.plain, "\"<|im_end|>\" in the text is letters, not the token"),
        OPT_FLAG(0, "json", &k.json, "as a JSON array"),
    };
    const struct arg_command command = {
        .name = "tokenize",
        .summary = "turn text into token ids",
        .usage = "tokenize [-m MODEL] (-p TEXT | -f FILE) [options]",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit tokenize -p \"Hello, world\" --pieces\n"
                    "isobit tokenize -m model.gguf -f book.txt --json > ids.json",
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc)
        rc = tokenize(&k, &note);
    return finish(&k, rc, &note);
}

static enum err detokenize(struct tokenize *k, const struct args *args, struct err_note *note)
{
    struct buf text;
    enum err rc = load_tokenizer(&k->loaded, k->path, note);
    if (!rc && args->n_positional == 0) {
        rc = load_text(NULL, k->file, &k->text, &k->n_bytes, note);
        if (!rc)
            rc = token_ids(k->text, &k->tokens, note);
    }
    for (int i = 0; !rc && i < args->n_positional; i++)
        rc = token_ids(args->positional[i], &k->tokens, note);
    if (rc)
        return rc;
    buf_init(&text, 1 << 30);
    rc = tokenizer_decode(k->loaded.tokenizer, k->tokens.ids, k->tokens.n_ids,
                          k->no_special ? 0 : DECODE_SPECIAL, &text, note);
    if (!rc)
        fwrite(text.bytes ? text.bytes : "", 1, text.n_bytes, stdout);
    buf_release(&text);
    return rc;
}

int cmd_detokenize(int argc, char **argv)
{
    struct tokenize k = {0};
    const struct arg_option options[] = {
        OPT_TEXT('m', "model", "MODEL", &k.path, "whose tokenizer (default: the demo model)"),
        OPT_TEXT('f', "file", "FILE", &k.file,
                 "ids from FILE, between spaces or commas; -: standard input"),
        OPT_FLAG(0, "no-special", &k.no_special, "leave special tokens out"),
    };
    const struct arg_command command = {
        .name = "detokenize",
        .summary = "turn token ids into text",
        .usage = "detokenize [-m MODEL] ID...\ndetokenize [-m MODEL] -f FILE",
        .about = "Writes exactly the bytes that the tokens spell.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit detokenize 1 22 333\n"
                    "isobit tokenize -p \"Hello\" | isobit detokenize",
        .n_positional_max = 1 << 20,
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc)
        rc = detokenize(&k, &args, &note);
    return finish(&k, rc, &note);
}
