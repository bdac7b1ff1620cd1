/* fuzz_tokenizer_json.c - any bytes as tokenizer.json: an error line, or a tokenizer that works. */
#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"
#include "text/stream.h"
#include "text/tokenizer_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void use(const struct tokenizer *t)
{
    static const struct str text =
        STR("Hi, it's 12 \xe4\xbd\xa0 e\xcc\x81<s>\xff <mask>  \xf0\x9f\x98\x80\n\tx");
    struct token_list ids = {.n_ids_max = 1000};
    struct err_note note = {""};
    struct buf out, streamed;
    struct stream s;
    buf_init(&out, 1 << 24);
    buf_init(&streamed, 1 << 24);
    enum err rc =
        tokenizer_encode(t, text, ENCODE_ADD_SPECIAL | ENCODE_PARSE_SPECIAL, &ids, &note);
    CHECK(rc == ERR_OK || note.text[0]);
    stream_init(&s, t, 0);
    for (size_t i = 0; i < ids.n_ids; i++)
        stream_add(&s, ids.ids[i], &streamed);
    stream_end(&s, &streamed);
    CHECK(streamed.failed || !streamed.n_bytes || utf8_valid(streamed.bytes, streamed.n_bytes));
    rc = tokenizer_decode(t, ids.ids, ids.n_ids, DECODE_SPECIAL, &out, &note);
    CHECK(rc == ERR_OK || note.text[0]);
    token_list_release(&ids);
    buf_release(&out);
    buf_release(&streamed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct tokenizer *t, *back;
    struct tokenizer_meta m;
    struct err_note note = {""};
    struct str text = {n_bytes ? (const char *)bytes : "", n_bytes};
    if (tokenizer_from_json(text, text, &t, &note) != ERR_OK) {
        CHECK(note.text[0] && !t);
        return 0;
    }
    use(t);
    note.text[0] = 0;
    if (tokenizer_to_meta(t, 0, &m, &note) == ERR_OK) {
        if (tokenizer_from_meta(&m, &back, &note) == ERR_OK)
            use(back);
        else
            CHECK(note.text[0]);
        tokenizer_free(back);
    } else {
        CHECK(note.text[0]);
    }
    tokenizer_meta_release(&m);
    tokenizer_free(t);
    return 0;
}
