/* fuzz_regex.c - any bytes as a regular expression under small limits; what compiles is walked by a
 * matcher. */
#include "base/check.h"
#include "lib/grammar_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct grammar *g;
    struct err_note note = {""};
    enum err rc =
        grammar_from_regex((struct str){(const char *)bytes, n_bytes}, &walk_limits, &g, &note);
    CHECK(rc ? note.text[0] && !g : g != NULL);
    if (!rc)
        grammar_walk(g, bytes, n_bytes);
    return 0;
}
