/* test_name.c - what is a reference, a name, a quantisation, a part. */
#include "lib/test.h"

#include <string.h>

#include "base/check.h"
#include "hub/name.h"

static void references_are_repositories_or_urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *repo, *want;
    } good[] = {
        {"hf:owner/repo", "owner/repo", ""},
        {"hf:own-er_1/re.po-GGUF:Q8_0", "own-er_1/re.po-GGUF", "Q8_0"},
        {"hf.co/owner/repo:Q8_0", "owner/repo", "Q8_0"},
        {"hf:a/b:sub/file.gguf", "a/b", "sub/file.gguf"},
    };
    static const char *const bad[] = {
        "",           "hf:",        "hf:owner",     "hf:owner/",       "hf:/repo",
        "hf:a/b/c",   "hf:../b",    "hf:a/..",      "hf:a/b:",         "hf:a/b:../x",
        "hf:a b/c",   "hf:a/b?x=1", "owner/repo",   "ftp://host/file", "http://host/a b",
        "HF:owner/b", "hf:a:b/c",   "hf:a/b:/etc/x"};
    struct hub_reference r;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct err_note note = {""};
        assert_int_equal(hub_reference_parse(good[i].text, &r, &note), ERR_OK);
        assert_false(r.is_url);
        assert_string_equal(r.repo, good[i].repo);
        assert_string_equal(r.want, good[i].want);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct err_note note = {""};
        assert_int_equal(hub_reference_parse(bad[i], &r, &note), ERR_USAGE);
        assert_true(note.text[0]);
    }
    assert_int_equal(hub_reference_parse("https://h:1/a.gguf?x", &r, NULL), ERR_OK);
    assert_true(r.is_url);
}

static void names_stay_inside(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b.gguf", "a b", "\xc3\xa9", "a..b", "a/b/c"};
    static const char *const bad[] = {"",     "/a",  "a/",   "a//b", "..",   "a/../b", ".a",
                                      "a/.b", "a\n", "a\\b", "\x7f", "\xff", "a/..",   "./a"};
    char longest[HUB_NAME_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(name_check(str_from(good[i]), NULL), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_not_equal(name_check(str_from(bad[i]), NULL), ERR_OK);
    assert_int_not_equal(name_check((struct str){"a\0b", 3}, NULL), ERR_OK);
    memset(longest, 'a', sizeof longest);
    assert_int_equal(name_check((struct str){longest, HUB_NAME_MAX - 1}, NULL), ERR_OK);
    assert_int_equal(name_check((struct str){longest, HUB_NAME_MAX}, NULL), ERR_LIMIT);
}

static void urls_name_files(void **state)
{
    (void)state;
    char name[HUB_NAME_MAX];
    assert_int_equal(name_of_url("https://h/a/b%20c.gguf?d=/e#/f", name, NULL), ERR_OK);
    assert_string_equal(name, "b c.gguf");
    static const char *const bad[] = {"http://h",          "http://h/",      "http://h/..",
                                      "http://h/a/%2e%2E", "http://h/a%2Fb", "http://h/%00",
                                      "http://h/.x",       "http://h/a/?b"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(name_of_url(bad[i], name, NULL), ERR_USAGE);
}

static void names_spell_quantisations(void **state)
{
    (void)state;
    static const struct {
        const char *path, *quant;
    } cases[] = {
        {"Llama-3.2-1B-Instruct-Q4_K_M", "Q4_K_M"},
        {"llama-2-7b.q5_0", "q5_0"},
        {"x-UD-Q4_K_XL", "Q4_K_XL"},
        {"x-IQ4_XS", "IQ4_XS"},
        {"BF16/x-bf16", "bf16"},
        {"Qwen2-7B-Q8_0", "Q8_0"},
        {"model", ""},
        {"quick-query", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str q = name_quant(str_from(cases[i].path));
        assert_true(str_is(q, cases[i].quant));
        assert_int_equal(name_has_word(str_from(cases[i].path), q), q.len > 0);
    }
    assert_true(name_has_word(STR("a.q4_k_m"), STR("Q4_K_M")));
    assert_false(name_has_word(STR("a.q4_k_m"), STR("Q4_K")));
    assert_false(name_has_word(STR("a-IQ4_XS"), STR("Q4_XS")));
    assert_true(name_has_word(STR("Q2_K/x"), STR("Q2_K")));
}

static void parts_are_numbered(void **state)
{
    (void)state;
    struct name_split s;
    assert_true(name_split(STR("d/x-00002-of-00003.gguf"), &s));
    assert_true(str_is(s.stem, "d/x"));
    assert_int_equal(s.part, 2);
    assert_int_equal(s.n_parts, 3);
    static const char *const whole[] = {"x.gguf", "x-00004-of-00003.gguf", "x-00000-of-00003.gguf",
                                        "x-0001-of-00003.gguf", "-00001-of-00003.gguf"};
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        assert_true(name_split(str_from(whole[i]), &s));
        assert_int_equal(s.n_parts, 1);
    }
    assert_false(name_split(STR(".gguf"), &s));
    assert_false(name_split(STR("x.bin"), &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_repositories_or_urls),
        cmocka_unit_test(names_stay_inside),
        cmocka_unit_test(urls_name_files),
        cmocka_unit_test(names_spell_quantisations),
        cmocka_unit_test(parts_are_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
