/* fuzz_claim.c - any JSON as an answer that isobit validate judges. */
#include <math.h>
#include <stdint.h>

#include "base/check.h"
#include "cli/claim.h"
#include "lib/tiny_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* An answer against itself. */
static void compare(const struct claim *c)
{
    struct stat_blocks b = stat_blocks(&c->answer, &c->answer);
    double similarity = stat_similarity(&c->answer, &c->answer), fill = stat_fill(&c->answer);
    CHECK(similarity >= 0 && similarity <= 1 && fill >= 0);
    CHECK(stat_agreement(&c->answer, &c->answer) == STAT_SAME_TOKENS);
    CHECK(b.exponents_off >= 0 && b.exponents_off <= 1);
    CHECK(b.mantissa_mean >= 0 && b.mantissa_mean <= STAT_MANTISSA);
    CHECK(!isnan(stat_distance2(&c->answer, &c->answer).distance));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static struct token_names names;
    struct tokenizer *t;
    struct err_note note = {""};
    if (!names.names) {
        CHECK(!tiny_tokenizer(&t, &note) && !token_names_open(&names, t, &note));
        tokenizer_free(t);
    }
    json_t *answer = json_loadb((const char *)bytes, n_bytes, 0, NULL);
    for (int how = CLAIM_NAMES_GUESS; answer && how <= CLAIM_NAMES_TEXTS; how++)
        for (size_t i = 0; i < 3; i++) {
            struct claim c;
            note.text[0] = 0;
            enum err rc = claim_read(&c, answer, i, &names, (enum claim_names)how, &note);
            CHECK((rc == ERR_OK) == (note.text[0] == 0));
            for (size_t k = 0; !rc && k < c.answer.n; k++)
                CHECK(c.answer.at[k].token >= 0 && c.answer.at[k].n_top <= CLAIM_TOP_MAX);
            if (!rc)
                compare(&c);
            claim_release(&c);
        }
    json_decref(answer);
    return 0;
}
