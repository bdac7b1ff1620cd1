/* test_canon.c - canonical JSON: one form for a value, every other one refused. */
#include "lib/test.h"

#include "proof/canon.h"

static void write_sample(struct buf *out)
{
    struct canon_writer w;
    canon_begin(&w, out);
    canon_object(&w);
    canon_key(&w, "a");
    canon_array(&w);
    canon_int(&w, 0);
    canon_int(&w, CANON_INT_MAX);
    canon_object(&w);
    canon_end(&w);
    canon_array(&w);
    canon_end(&w);
    canon_end(&w);
    canon_key(&w, "a_b");
    canon_bool(&w, true);
    canon_key(&w, "ab");
    canon_hex(&w, "\x00\xff\x1a", 3);
    canon_key(&w, "b");
    canon_raw(&w, STR("{\"c\":false}"));
    canon_key(&w, "text");
    canon_text(&w, (struct str){"\0\b\t\n\f\r\x1f \"\\/\x7f\xc3\xa9", 14});
    canon_end(&w);
}

static const char sample[] =
    "{\"a\":[0,9007199254740991,{},[]],\"a_b\":true,\"ab\":\"00ff1a\",\"b\":{\"c\":false},"
    "\"text\":\"\\u0000\\b\\t\\n\\f\\r\\u001f \\\"\\\\/\x7f\xc3\xa9\"}";

static void a_value_has_these_bytes(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    write_sample(&out);
    assert_false(out.failed);
    assert_string_equal(out.bytes, sample);
    buf_release(&out);
}

static void what_was_read_is_written_again(void **state)
{
    (void)state;
    struct canon_doc doc;
    struct canon_writer w;
    struct buf out;
    assert_ok(canon_read(str_from(sample), &doc, NULL));
    buf_init(&out, 4096);
    canon_begin(&w, &out);
    canon_copy(&w, &doc, doc.nodes);
    assert_string_equal(out.bytes, sample);
    assert_int_equal(doc.nodes->n_items, 5);
    const struct canon_node *a = canon_first(doc.nodes), *n = a;
    assert_true(str_is(a->key, "a") && a->n_items == 4 && a->type == CANON_ARRAY);
    assert_true(str_is(a->raw, "[0,9007199254740991,{},[]]"));
    for (int i = 0; i < 4; i++)
        n = canon_next(&doc, doc.nodes, n);
    assert_true(str_is(n->key, "text") && n->text.len == 14);
    assert_memory_equal(n->text.ptr, "\0\b\t\n\f\r\x1f \"\\/\x7f\xc3\xa9", 14);
    assert_null(canon_next(&doc, doc.nodes, n));
    buf_release(&out);
    canon_release(&doc);
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *note;
    } cases[] = {
        {"", "no object"},
        {"1", "no object"},
        {"[]", "no object"},
        {" {}", "no object"},
        {"{} ", "bytes after the end"},
        {"{}{}", "bytes after the end"},
        {"{", "a key was expected"},
        {"{\"a\":1", "a comma or an end"},
        {"{\"a\":1,}", "a key was expected"},
        {"{,\"a\":1}", "a key was expected"},
        {"{\"a\":[1,]}", "no string"},
        {"{\"a\":[,1]}", "no string"},
        {"{\"a\":[1 ,2]}", "a comma or an end"},
        {"{\"a\":[1, 2]}", "no string"},
        {"{\"a\" :1}", "a colon"},
        {"{\"a\": 1}", "no string"},
        {"{a:1}", "a key was expected"},
        {"{\"\":1}", "1 to 64"},
        {"{\"\xc3\xa9\":1}", "printable ASCII"},
        {"{\"a\\u0062\":1}", "printable ASCII"},
        {"{\"b\":1,\"a\":2}", "not in order"},
        {"{\"a\":1,\"a\":1}", "not in order"},
        {"{\"ab\":1,\"a\":1}", "not in order"},
        {"{\"a\":{\"c\":1,\"b\":1}}", "not in order"},
        {"{\"a\":01}", "zeros"},
        {"{\"a\":00}", "zeros"},
        {"{\"a\":-1}", "no string"},
        {"{\"a\":-0}", "no string"},
        {"{\"a\":+1}", "no string"},
        {"{\"a\":1.0}", "a comma or an end"},
        {"{\"a\":1e3}", "a comma or an end"},
        {"{\"a\":9007199254740992}", "2^53"},
        {"{\"a\":99999999999999999999999}", "2^53"},
        {"{\"a\":null}", "no string"},
        {"{\"a\":True}", "no string"},
        {"{\"a\":truefalse}", "a comma or an end"},
        {"{\"a\":\"}", "without an end"},
        {"{\"a\":\"\\", "an escape"},
        {"{\"a\":\"\\/\"}", "an escape"},
        {"{\"a\":\"\\u0041\"}", "an escape"},
        {"{\"a\":\"\\u000a\"}", "an escape"},
        {"{\"a\":\"\\u001F\"}", "an escape"},
        {"{\"a\":\"\\u0022\"}", "an escape"},
        {"{\"a\":\"\\u00e9\"}", "an escape"},
        {"{\"a\":\"\\ud83d\\ude00\"}", "an escape"},
        {"{\"a\":\"\n\"}", "control character"},
        {"{\"a\":\"\xff\"}", "UTF-8"},
        {"{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
        {"{\"a\":'b'}", "no string"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {""};
        struct canon_doc doc;
        if (canon_read(str_from(cases[i].text), &doc, &note) != ERR_FORMAT)
            fail_msg("%s: taken", cases[i].text);
        if (!strstr(note.text, cases[i].note))
            fail_msg("%s: %s", cases[i].text, note.text);
    }
}

/* Any one byte of a canonical text changed: refused, or another value in its own canonical form. */
static void a_changed_byte_never_gives_a_second_form(void **state)
{
    (void)state;
    char text[sizeof sample];
    for (size_t i = 0; i + 1 < sizeof sample; i++)
        for (int c = 0; c < 256; c++) {
            struct canon_doc doc;
            struct canon_writer w;
            struct buf out;
            memcpy(text, sample, sizeof sample);
            text[i] = (char)c;
            struct str bytes = {text, sizeof sample - 1};
            if (canon_read(bytes, &doc, NULL))
                continue;
            buf_init(&out, sizeof sample);
            canon_begin(&w, &out);
            canon_copy(&w, &doc, doc.nodes);
            assert_true(str_eq(bytes, (struct str){out.bytes, out.n_bytes}));
            buf_release(&out);
            canon_release(&doc);
        }
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    for (int depth = 1; depth < 40; depth++) {
        char text[128] = "{\"a\":";
        struct canon_doc doc;
        size_t n = strlen(text);
        memset(text + n, '[', (size_t)depth);
        memset(text + n + depth, ']', (size_t)depth);
        text[n + 2 * (size_t)depth] = '}';
        enum err rc = canon_read(str_from(text), &doc, NULL);
        assert_int_equal(rc, depth + 1 > CANON_DEPTH_MAX ? ERR_LIMIT : ERR_OK);
        if (!rc)
            canon_release(&doc);
    }
}

static void what_has_no_form_fails(void **state)
{
    (void)state;
    struct canon_writer w;
    struct buf out;
    buf_init(&out, 100);
    canon_begin(&w, &out);
    canon_int(&w, CANON_INT_MAX + 1);
    assert_true(out.failed);
    buf_clear(&out);
    canon_begin(&w, &out);
    canon_text(&w, STR("\xff"));
    assert_true(out.failed);
    buf_release(&out);
}

static void an_object_holds_its_fields(void **state)
{
    (void)state;
    static const struct canon_field fields[] = {
        {"root", CANON_TEXT, false}, {"n", CANON_INT, false}, {"why", CANON_TEXT, true}};
    static const struct {
        const char *text, *note;
    } cases[] = {
        {"{\"n\":1,\"root\":\"00ff\"}", NULL},
        {"{\"n\":1,\"root\":\"00ff\",\"why\":\"\",\"x_new\":[1]}", NULL},
        {"{\"n\":1}", "it lacks \"root\""},
        {"{\"m\":2,\"n\":1,\"root\":\"00ff\"}", "\"m\" is a field"},
        {"{\"n\":\"1\",\"root\":\"00ff\"}", "it: \"n\" must be a whole number"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct canon_node *found[COUNT_OF(fields)];
        struct err_note note = {""};
        struct canon_doc doc;
        uint8_t root[2];
        assert_ok(canon_read(str_from(cases[i].text), &doc, NULL));
        enum err rc = canon_fields(&doc, doc.nodes, fields, 3, found, "it", &note);
        if (cases[i].note) {
            assert_int_equal(rc, ERR_FORMAT);
            assert_non_null(strstr(note.text, cases[i].note));
        } else {
            assert_ok(rc);
            assert_int_equal(found[1]->number, 1);
            assert_true(canon_bytes(found[0], root, 2) && root[0] == 0 && root[1] == 0xff);
            assert_false(canon_bytes(found[0], root, 1));
            assert_int_equal(found[2] != NULL, i == 1);
        }
        canon_release(&doc);
    }
}

static void hex_has_one_form(void **state)
{
    (void)state;
    uint8_t byte;
    const char *const bad[] = {"0", "0F", "0g", " 0", "000", ""};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(canon_bytes(
            &(struct canon_node){.type = CANON_TEXT, .text = str_from(bad[i])}, &byte, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_these_bytes),
        cmocka_unit_test(what_was_read_is_written_again),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(a_changed_byte_never_gives_a_second_form),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(what_has_no_form_fails),
        cmocka_unit_test(an_object_holds_its_fields),
        cmocka_unit_test(hex_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
