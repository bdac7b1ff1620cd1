/* verify_vectors.c - a receipt of vectors against vectors made anew. */
#include "proof/verify_vectors.h"

#include <stdio.h>

static void check_text(struct verify_report *r, const char *field, struct str expected,
                       struct str found)
{
    char a[VERIFY_TEXT], b[VERIFY_TEXT];
    snprintf(a, sizeof a, "%.*s", STR_ARG(expected));
    snprintf(b, sizeof b, "%.*s", STR_ARG(found));
    if (str_eq(expected, found))
        verify_say(r, field, VERIFY_RECOMPUTED, "%s", a);
    else
        verify_differ(r, field, a, b, "the request and the model mean another");
}

void verify_vectors(const struct receipt_vectors *told, const struct receipt_vectors *now,
                    struct verify_report *r)
{
    static const struct str length[] = {STR("as they come"), STR("of length 1")};
    static const enum verify_status anew = VERIFY_RECOMPUTED;
    verify_count(r, "vectors.count", now->n_vectors, told->n_vectors, anew);
    verify_count(r, "vectors.tokens", now->n_tokens, told->n_tokens, anew);
    verify_count(r, "vectors.values", now->n_values, told->n_values, anew);
    check_text(r, "vectors.pooling", now->pooling, told->pooling);
    check_text(r, "vectors.length", length[now->is_normalized], length[told->is_normalized]);
    verify_hash(r, "vectors.root", &now->root, &told->root, anew,
                "every text's tokens and vector");
}
