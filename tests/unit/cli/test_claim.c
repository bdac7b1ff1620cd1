/* test_claim.c - answers of others: every way to name a token, and what is refused. */
#include "lib/test.h"
#include "lib/tiny_tokenizer.h"

#include "cli/claim.h"

static struct token_names names;

static int open_names(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct err_note note = {""};
    if (tiny_tokenizer(&t, &note) || token_names_open(&names, t, &note))
        fail_msg("%s", note.text);
    tokenizer_free(t);
    return 0;
}

static int close_names(void **state)
{
    (void)state;
    token_names_close(&names);
    return 0;
}

static void names_are_found(void **state)
{
    (void)state;
    assert_int_equal(token_names_find(&names, STR("a")), 0);
    assert_int_equal(token_names_find(&names, STR("ab")), 5);
    assert_int_equal(token_names_find(&names, STR("\xc3")), 2);
    assert_int_equal(token_names_find(&names, STR("<end>")), 6);
    assert_int_equal(token_names_find(&names, STR("")), TOKEN_NONE);
    assert_int_equal(token_names_find(&names, STR("abc")), TOKEN_NONE);
    assert_int_equal(token_names_find(&names, STR("\xff")), TOKEN_NONE);
}

/* Reads choice 0 of a text. */
static enum err read_text(const char *text, enum claim_names how, struct claim *c,
                          struct err_note *note)
{
    json_error_t error;
    json_t *answer = json_loads(text, 0, &error);
    if (!answer)
        fail_msg("%s", error.text);
    enum err rc = claim_read(c, answer, 0, &names, how, note);
    json_decref(answer);
    return rc;
}

static void read_ok(const char *text, enum claim_names how, struct claim *c)
{
    struct err_note note = {""};
    if (read_text(text, how, c, &note))
        fail_msg("%s", note.text);
}

static void refuses(const char *text, enum claim_names how, enum err wanted, const char *why)
{
    struct claim c;
    struct err_note note = {""};
    enum err rc = read_text(text, how, &c, &note);
    if (rc != wanted || !strstr(note.text, why))
        fail_msg("%s, \"%s\", for %s", err_name(rc), note.text, text);
    claim_release(&c);
}

#define CHAT(items)     "{\"choices\":[{\"logprobs\":{\"content\":[" items "]}}]}"
#define ITEM(name, top) "{\"token\":\"" name "\",\"logprob\":-0.5,\"top_logprobs\":[" top "]}"
#define TOP(name)       "{\"token\":\"" name "\",\"logprob\":-1}"

static void every_way_to_name(void **state)
{
    (void)state;
    struct claim c;
    read_ok(CHAT(ITEM("ab", TOP("ab") "," TOP("7")) "," ITEM("<end>", "")), CLAIM_NAMES_GUESS, &c);
    assert_int_equal(c.answer.n, 2);
    assert_int_equal(c.n_top, 2);
    assert_int_equal(c.answer.at[0].token, 5);
    assert_int_equal(c.answer.at[0].top[1].token, 4);
    assert_true(c.answer.at[0].logprob == -0.5 && c.answer.at[0].top[1].logprob == -1);
    assert_int_equal(c.answer.at[1].token, 6);
    assert_int_equal(c.answer.at[1].n_top, 0);
    claim_release(&c);
    /* All numbers: ids. One that is none, and they are texts. */
    read_ok(CHAT(ITEM("7", TOP("1"))), CLAIM_NAMES_GUESS, &c);
    assert_int_equal(c.answer.at[0].token, 7);
    claim_release(&c);
    read_ok(CHAT(ITEM("7", TOP("a"))), CLAIM_NAMES_GUESS, &c);
    assert_int_equal(c.answer.at[0].token, 4);
    claim_release(&c);
    read_ok(CHAT(ITEM("7", TOP("7"))), CLAIM_NAMES_TEXTS, &c);
    assert_int_equal(c.answer.at[0].token, 4);
    claim_release(&c);
    read_ok(CHAT(ITEM("token_id:3", TOP("a"))), CLAIM_NAMES_GUESS, &c);
    assert_int_equal(c.answer.at[0].token, 3);
    claim_release(&c);
    /* Bytes, an id beside the name, and the choice's own list know better. */
    read_ok(CHAT("{\"token\":\"?\",\"bytes\":[195],\"logprob\":0,\"top_logprobs\":["
                 "{\"id\":3,\"token\":\"?\",\"logprob\":-2}]}"),
            CLAIM_NAMES_GUESS, &c);
    assert_int_equal(c.answer.at[0].token, 2);
    assert_int_equal(c.answer.at[0].top[0].token, 3);
    claim_release(&c);
    read_ok("{\"choices\":[{\"index\":3,\"token_ids\":[1],\"logprobs\":{\"content\":[" ITEM(
                "?", TOP("a")) "]}}]}",
            CLAIM_NAMES_GUESS, &c);
    assert_int_equal(c.answer.at[0].token, 1);
    assert_int_equal(c.index, 3);
    claim_release(&c);
    /* The older form, of text. */
    read_ok("{\"choices\":[{\"logprobs\":{\"tokens\":[\"a\",\"<end>\"],\"token_logprobs\":[-1,-2],"
            "\"top_logprobs\":[{\"a\":-1,\"b\":-3},null]}}]}",
            CLAIM_NAMES_GUESS, &c);
    assert_int_equal(c.answer.n, 2);
    assert_int_equal(c.answer.at[1].token, 6);
    assert_true(c.answer.at[1].logprob == -2);
    assert_int_equal(c.answer.at[0].n_top, 2);
    claim_release(&c);
}

static void refused(void **state)
{
    (void)state;
    const enum claim_names guess = CLAIM_NAMES_GUESS;
    refuses("{}", guess, ERR_FORMAT, "no choices[0]");
    refuses("[]", guess, ERR_FORMAT, "no choices[0]");
    refuses("{\"choices\":[{\"logprobs\":null}]}", guess, ERR_FORMAT, "no logprobs");
    refuses(CHAT(ITEM("abc", "")), guess, ERR_NOT_FOUND, "no token of this model spells \"abc\"");
    refuses(CHAT(ITEM("a", TOP("abc"))), guess, ERR_NOT_FOUND, "position 0");
    refuses(CHAT(ITEM("a", "")), CLAIM_NAMES_IDS, ERR_FORMAT, "\"a\" is no token id");
    refuses(CHAT(ITEM("2147483648", "")), CLAIM_NAMES_IDS, ERR_FORMAT, "no token id");
    refuses(CHAT("{\"token\":1,\"logprob\":0}"), guess, ERR_FORMAT, "has no token");
    refuses(CHAT("{\"token\":\"a\",\"logprob\":null}"), guess, ERR_FORMAT, "no number");
    refuses(CHAT("{\"token\":\"a\",\"logprob\":-2e9}"), guess, ERR_FORMAT, "no number up to");
    refuses(CHAT(ITEM("a", "{\"logprob\":0}")), guess, ERR_FORMAT, "alternative 0 has no token");
    refuses("{\"choices\":[{\"token_ids\":[1,2],\"logprobs\":{\"content\":[" ITEM("a", "") "]}}]}",
            guess, ERR_FORMAT, "token_ids has 2 tokens, logprobs 1");
    refuses("{\"choices\":[{\"token_ids\":[-1],\"logprobs\":{\"content\":[" ITEM("a", "") "]}}]}",
            guess, ERR_FORMAT, "token_ids[0] is no token id");
    struct buf many;
    buf_init(&many, 1 << 16);
    buf_str(&many, "{\"choices\":[{\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":0,"
                   "\"top_logprobs\":[");
    for (int i = 0; i < CLAIM_TOP_MAX + 1; i++)
        buf_str(&many, i ? "," TOP("b") : TOP("b"));
    buf_str(&many, "]}]}}]}");
    refuses(many.bytes, guess, ERR_LIMIT, "65 alternatives; at most 64");
    buf_release(&many);
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct claim c;
    struct err_note note = {""};
    json_t *answer = json_loads(CHAT(ITEM("ab", TOP("ab") "," TOP("7"))), 0, NULL);
    for (uint64_t n = 1;; n++) {
        mem_fault_after(n);
        enum err rc = claim_read(&c, answer, 0, &names, CLAIM_NAMES_GUESS, &note);
        mem_fault_after(0);
        claim_release(&c);
        if (rc == ERR_OK) {
            assert_true(n > 1);
            break;
        }
        assert_int_equal(rc, ERR_MEMORY);
    }
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(every_way_to_name),
        cmocka_unit_test(refused),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, open_names, close_names);
}
