/* test_json_scan.c - places in a JSON text against jansson's judgement of the whole; what strings
 * spell. */
#include <jansson.h>

#include "lib/test.h"

#include "base/buf.h"
#include "base/str.h"
#include "text/json_scan.h"

static bool scan(struct str text, struct buf *spelled)
{
    struct json_scan s;
    json_scan_begin(&s);
    for (size_t i = 0; i < text.len; i++) {
        json_scan_byte(&s, (unsigned char)text.ptr[i]);
        if (spelled && !s.is_key)
            buf_add(spelled, s.text, s.n_text);
    }
    return json_scan_end(&s);
}

static const char *const texts[] = {
    "{}",
    "[]",
    "{\"a\": [1, -2.5e+3, true, false, null, \"x\"]}",
    " 7 ",
    "0",
    "-0.0",
    "1e9",
    "\"\\u00fc\\ud83d\\ude00\\n\\/\"",
    "[[[{}]]]",
    "\"\"",
    "{\"a\":{\"b\":[]}}",
    "nul",
    "truee",
    "01",
    "1.",
    "-",
    "1e",
    "+1",
    ".5",
    "[1,]",
    "{\"a\":1,}",
    "{a:1}",
    "{\"a\" 1}",
    "{\"a\":}",
    "[1 2]",
    "[}",
    "{]",
    "\"\\x\"",
    "\"\\u12g4\"",
    "\"open",
    "{} {}",
    "",
    "[",
    "1 2",
    "{\"a\":1}}",
};

static void as_jansson_judges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *v = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        if (scan(str_from(texts[i]), NULL) != (v != NULL))
            fail_msg("%s: %s", texts[i], v ? "is JSON" : "is none");
        json_decref(v);
    }
}

/* Pieces of JSON in any order: most of what comes of it is none. */
static void as_jansson_judges_anything(void **state)
{
    (void)state;
    static const char *const pieces[] = {"{",     "}", "[",  "]",  ",",  ":", "\"a\"",
                                         "\"b\"", "1", "-",  ".",  "e",  "0", "true",
                                         "null",  " ", "\"", "\\", "\\n"};
    uint64_t seed = 5;
    for (int k = 0; k < 40000; k++) {
        struct buf text;
        buf_init(&text, 1 << 10);
        for (uint64_t n = 1 + test_rand(&seed) % 7; n > 0; n--)
            buf_str(&text, pieces[test_rand(&seed) % COUNT_OF(pieces)]);
        json_t *v = json_loads(text.bytes, JSON_DECODE_ANY, NULL);
        if (scan(str_from(text.bytes), NULL) != (v != NULL))
            fail_msg("%s: %s", text.bytes, v ? "is JSON" : "is none");
        json_decref(v);
        buf_release(&text);
    }
}

static void what_strings_spell(void **state)
{
    (void)state;
    static const char *const all[][2] = {
        {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\b\f\n\r\t"},
        {"[\"\\u00e9\\u20ac\", \"\xf0\x9f\x98\x80\\ud83d\\ude00\"]",
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf0\x9f\x98\x80"},
        {"\"\\ud83dx\"", "\xef\xbf\xbdx"}, /* half a pair */
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"{\"key\": \"v\"}", "v"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct buf spelled;
        buf_init(&spelled, 1 << 10);
        assert_true(scan(str_from(all[i][0]), &spelled));
        assert_string_equal(spelled.bytes, all[i][1]);
        buf_release(&spelled);
    }
}

static void depth(void **state)
{
    (void)state;
    char text[2 * JSON_SCAN_DEPTH_MAX + 4];
    for (int n = JSON_SCAN_DEPTH_MAX; n <= JSON_SCAN_DEPTH_MAX + 1; n++) {
        memset(text, '[', (size_t)n);
        memset(text + n, ']', (size_t)n);
        assert_int_equal(scan((struct str){text, 2 * (size_t)n}, NULL), n == JSON_SCAN_DEPTH_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_jansson_judges),
        cmocka_unit_test(as_jansson_judges_anything),
        cmocka_unit_test(what_strings_spell),
        cmocka_unit_test(depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
