/* test_write.c - JSON text: escapes, numbers, commas; jansson reads all of it back. */
#include "lib/test.h"

#include <jansson.h>
#include <math.h>

#include "api/write.h"

static void every_character_survives(void **state)
{
    (void)state;
    char text[0x400];
    size_t n = 0;
    for (uint32_t c = 0; c < 0x80; c++)
        text[n++] = (char)c;
    static const uint32_t others[] = {0xe9, 0x2027, 0x2028, 0x2029, 0x202a, 0xfffd, 0x1f600};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        n += (size_t)utf8_encode(others[i], text + n);
    struct buf out;
    struct writer w;
    buf_init(&out, 1 << 16);
    write_begin(&w, &out);
    write_open(&w, '[');
    write_text(&w, (struct str){text, n});
    write_close(&w, ']');
    json_t *root = json_loadb(out.bytes, out.n_bytes, JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    const json_t *item = json_array_get(root, 0);
    assert_int_equal(json_string_length(item), n);
    assert_memory_equal(json_string_value(item), text, n);
    assert_null(strstr(out.bytes, "\xe2\x80\xa8")); /* JavaScript's line end */
    assert_null(strstr(out.bytes, "\xe2\x80\xa9"));
    json_decref(root);
    buf_release(&out);
}

static void shapes_have_their_commas(void **state)
{
    (void)state;
    struct buf out;
    struct writer w;
    buf_init(&out, 1 << 16);
    write_begin(&w, &out);
    write_open(&w, '{');
    write_key_int(&w, "a", -1);
    write_key(&w, "b");
    write_open(&w, '[');
    write_close(&w, ']');
    write_key(&w, "c");
    write_open(&w, '[');
    write_int(&w, 1);
    write_open(&w, '{');
    write_close(&w, '}');
    write_word(&w, "null");
    write_close(&w, ']');
    write_key_text(&w, "d", STR("x\n\"y\\"));
    write_close(&w, '}');
    assert_string_equal(out.bytes, "{\"a\":-1,\"b\":[],\"c\":[1,{},null],\"d\":\"x\\n\\\"y\\\\\"}");
    buf_release(&out);
}

static void floats_read_back_as_they_were(void **state)
{
    (void)state;
    uint64_t seed = 1;
    static const float some[] = {0, -0.0f, 1, -1.5f, 0.1f, 1e-45f, 3.4e38f, 16777216, -9999};
    for (int i = 0; i < 1000; i++) {
        union {
            uint32_t bits;
            float value;
        } f = {(uint32_t)test_rand(&seed)};
        if (i < (int)COUNT_OF(some))
            f.value = some[i];
        struct buf out;
        struct writer w;
        buf_init(&out, 100);
        write_begin(&w, &out);
        write_float(&w, f.value);
        if (isfinite(f.value))
            assert_true(strtof(out.bytes, NULL) == f.value);
        else
            assert_string_equal(out.bytes, "null");
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_survives),
        cmocka_unit_test(shapes_have_their_commas),
        cmocka_unit_test(floats_read_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
