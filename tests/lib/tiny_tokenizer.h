/* tiny_tokenizer.h - a byte-level vocabulary of a few tokens: "a" 0, "b" 1, the two bytes of e with
 * an acute accent 2 and 3, "7" 4, "ab" 5, the special "<end>" 6. */
#ifndef LIB_TINY_TOKENIZER_H
#define LIB_TINY_TOKENIZER_H

#include "text/tokenizer.h"

static inline enum err tiny_tokenizer(struct tokenizer **out, struct err_note *note)
{
    static const char json[] =
        "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":6,\"content\":\"<end>\",\"special\":true,"
        "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false}],"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
        "\"decoder\":{\"type\":\"ByteLevel\"},"
        "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"\xc3\x83\":2,\"\xc2\xa9\":3,"
        "\"7\":4,\"ab\":5},\"merges\":[\"a b\"]}}";
    return tokenizer_from_json((struct str){json, sizeof json - 1}, STR("{}"), out, note);
}

#endif
