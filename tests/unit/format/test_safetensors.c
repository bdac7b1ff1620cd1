/* test_safetensors.c - the .safetensors reader on files made here, whole and damaged. */
#include "lib/test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "format/safetensors.h"
#include "format/table_build.h"

/* A file of this header and n_data bytes 0, 1, 2... */
static uint8_t *make(const char *header, size_t n_data, size_t *n_bytes)
{
    size_t n = strlen(header);
    uint8_t *bytes = calloc(1, 8 + n + n_data);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < n_data; i++)
        bytes[8 + n + i] = (uint8_t)i;
    *n_bytes = 8 + n + n_data;
    return bytes;
}

static enum err parse(const uint8_t *bytes, size_t n, struct safetensors *s, struct table *t,
                      struct err_note *note)
{
    *s = (struct safetensors){0};
    assert_ok(table_init(t, "x", NULL));
    return safetensors_parse(s, bytes, n, "x.safetensors", t, note);
}

static void tensors_are_found(void **state)
{
    (void)state;
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"empty\":{\"dtype\":\"I64\",\"shape\":[0,5],\"data_offsets\":[16,16]}}   ";
    size_t n;
    uint8_t *bytes = make(header, 16, &n);
    struct safetensors s;
    struct table t;
    assert_ok(parse(bytes, n, &s, &t, NULL));
    assert_ok(safetensors_sort(&s, NULL));
    assert_int_equal(s.n_items, 3);
    const struct safetensor *b = safetensors_find(&s, STR("b"));
    assert_int_equal(b->type, ST_BF16);
    assert_int_equal(b->n_dims, 2);
    assert_int_equal(b->dim[0], 2);
    assert_int_equal(b->dim[1], 3);
    assert_int_equal(b->n_bytes, 12);
    assert_int_equal(b->data[0], 4);
    assert_int_equal(safetensors_find(&s, STR("a"))->n_dims, 0);
    assert_null(safetensors_find(&s, STR("c")));
    for (size_t k = 0; k < n; k++) { /* cut anywhere: an error, except that nothing is left out */
        struct safetensors cut;
        struct table t2;
        struct err_note note = {{0}};
        uint8_t *copy = malloc(k ? k : 1);
        memcpy(copy, bytes, k);
        if (parse(copy, k, &cut, &t2, &note) == ERR_OK)
            fail_msg("accepted %zu of %zu bytes", k, n);
        assert_true(note.text[0] && !strchr(note.text, '\n'));
        safetensors_release(&cut);
        table_close(&t2);
        free(copy);
    }
    safetensors_release(&s);
    table_close(&t);
    free(bytes);
}

static void damage_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum err rc;
        const char *says;
    } cases[] = {
        {"[]", ERR_FORMAT, "not a JSON object"},
        {"{\"a\":1}", ERR_FORMAT, "tensor a: no \"dtype\""},
        {"{\"a\":{}, \"a\":{}}", ERR_FORMAT, "duplicate object key"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", ERR_UNSUPPORTED,
         "tensor a has the type F4"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", ERR_FORMAT, "\"shape\""},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", ERR_FORMAT,
         "an impossible shape"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,1]}}",
         ERR_FORMAT, "an impossible shape"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}",
         ERR_FORMAT, "at most 8"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,1]}}", ERR_FORMAT,
         "not a range"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", ERR_FORMAT,
         "not as long as its shape"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[17],\"data_offsets\":[0,17]}}", ERR_FORMAT,
         "ends at byte 17 of 16"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}",
         ERR_FORMAT, "a and b overlap"},
        {"{\"a\\n\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", ERR_FORMAT,
         "no printable text"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n;
        uint8_t *bytes = make(cases[i].header, 16, &n);
        struct safetensors s;
        struct table t;
        struct err_note note = {{0}};
        enum err rc = parse(bytes, n, &s, &t, &note);
        if (rc != cases[i].rc || !strstr(note.text, cases[i].says) ||
            !strstr(note.text, "x.safetensors: "))
            fail_msg("%s: %s \"%s\"", cases[i].header, err_name(rc), note.text);
        safetensors_release(&s);
        table_close(&t);
        free(bytes);
    }
}

static void a_name_in_two_files_is_an_error(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes =
        make("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, &n);
    struct safetensors s;
    struct table t;
    struct err_note note;
    assert_ok(parse(bytes, n, &s, &t, NULL));
    assert_ok(safetensors_parse(&s, bytes, n, "y.safetensors", &t, NULL));
    assert_int_equal(safetensors_sort(&s, &note), ERR_FORMAT);
    assert_string_equal(note.text, "tensor a is in two files");
    bytes[7] = 0x7f; /* a header longer than the file */
    assert_int_equal(safetensors_parse(&s, bytes, n, "z.safetensors", &t, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "does not fit"));
    safetensors_release(&s);
    table_close(&t);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(a_name_in_two_files_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
