/* test_schema.c - JSON schemas: the cases of the JSON-Schema-Test-Suite, and our own. */
#include "lib/probe.h"

#include "base/file.h"
#include "base/mem.h"

/* ---- the suite (tools/schema_vectors.py) ----------------------------------------------------- */

struct suite {
    struct probe probe;
    bool open;    /* the current schema is compiled */
    bool nothing; /* it matches no text */
    char about[256], schema[4096];
    int n_compiled, n_refused, n_valid, n_invalid, n_failed;
};

static void suite_close(struct suite *s)
{
    if (s->open)
        probe_close(&s->probe);
    s->open = s->nothing = false;
}

static void suite_schema(struct suite *s, struct str text)
{
    struct grammar *g;
    struct err_note note = {""};
    suite_close(s);
    enum err rc = grammar_from_json_schema(text, NULL, &g, &note);
    snprintf(s->schema, sizeof s->schema, "%.*s", STR_ARG(text));
    if (rc == ERR_UNSUPPORTED || rc == ERR_LIMIT) {
        s->n_refused++;
        if (getenv("SUITE_VERBOSE"))
            printf("refused: %s\n    %s\n", s->about, note.text);
        assert_non_null(strstr(note.text, "#")); /* it names the place */
        return;
    }
    s->nothing = rc == ERR_FORMAT && strstr(note.text, "no text at all");
    if (rc && !s->nothing) {
        print_error("%s: %s: %s\n", s->about, s->schema, note.text);
        s->n_failed++;
    }
    s->n_compiled++;
    s->open = !rc;
    if (!rc)
        s->probe = probe_open(g);
}

/* Whether one of the orders of keys is matched. */
static bool any_matches(struct suite *s, struct str orders)
{
    bool any = false;
    while (orders.len > 0 && !any && s->open) {
        const char *tab = memchr(orders.ptr, '\t', orders.len);
        size_t n = tab ? (size_t)(tab - orders.ptr) : orders.len;
        any = probe_tokens(&s->probe, str_sub(orders, 0, n), 0);
        orders = str_sub(orders, n + (tab != NULL), orders.len);
    }
    return any;
}

static void suite_line(struct suite *s, struct str line)
{
    struct str rest = line.len > 2 ? str_sub(line, 2, line.len) : STR("");
    if (line.len == 0)
        return;
    if (line.ptr[0] == '#') {
        snprintf(s->about, sizeof s->about, "%.*s", STR_ARG(rest));
    } else if (line.ptr[0] == 'S') {
        suite_schema(s, rest);
    } else if (s->open || s->nothing) {
        bool valid = line.ptr[0] == 'V';
        if (any_matches(s, rest) != valid) {
            print_error("%s\n  %s\n  %s: %.*s\n", s->about, s->schema,
                        valid ? "does not match" : "matches", STR_ARG(rest));
            s->n_failed++;
        }
        *(valid ? &s->n_valid : &s->n_invalid) += 1;
    }
}

static void the_suite_passes(void **state)
{
    (void)state;
    static struct suite s;
    char *text;
    size_t n_bytes;
    assert_ok(file_read(TEST_DIR "/golden/grammar/json_schema_suite.txt", 4 << 20, &text, &n_bytes,
                        NULL));
    for (size_t at = 0, end; at < n_bytes; at = end + 1) {
        for (end = at; end < n_bytes && text[end] != '\n';)
            end++;
        suite_line(&s, (struct str){text + at, end - at});
    }
    suite_close(&s);
    mem_free(text);
    printf("%d schemas compiled, %d refused; %d valid and %d invalid instances\n", s.n_compiled,
           s.n_refused, s.n_valid, s.n_invalid);
    assert_int_equal(s.n_failed, 0);
    assert_int_equal(s.n_compiled, 274); /* docs/grammar.md says what the others hold */
    assert_int_equal(s.n_refused, 83);
}

/* ---- our own cases --------------------------------------------------------------------------- */

#define OBJECT(properties, required)                                                               \
    "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required                 \
    "],\"additionalProperties\":false}"

static const struct probe_case cases[] = {
    /* Properties come in the schema's order; white space where json_text.h says. */
    {OBJECT("\"b\":{\"type\":\"integer\"},\"a\":{\"type\":\"null\"}", "\"a\",\"b\""),
     {"{\"b\":1,\"a\":null}", "{ \"b\": -20, \"a\": null }", "{\n  \"b\": 0,\n  \"a\": null\n}"},
     {"{\"a\":null,\"b\":1}", "{\"b\":1}", "{\"b\":1.0,\"a\":null}", "{\"b\":1,\"a\":null,\"c\":1}",
      "{\"b\":01,\"a\":null}", "{\"b\":1 ,\"a\":null}", "{\"b\":1,\"b\":1,\"a\":null}", "{}"}},
    {OBJECT("\"a\":true,\"b\":true,\"c\":true", "\"b\""),
     {"{\"b\":1}", "{\"a\":[],\"b\":{}}", "{\"b\":\"\",\"c\":1}", "{\"a\":1,\"b\":2,\"c\":3}"},
     {"{}", "{\"a\":1}", "{\"b\":1,\"a\":1}", "{\"b\":1,}", "{,\"b\":1}"}},
    /* Other properties follow the named ones and have other names. */
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},"
     "\"additionalProperties\":{\"type\":\"integer\"}}",
     {"{}", "{\"a\":null}", "{\"a\":null,\"ab\":1,\"\":2}", "{\"\\\"\":1}"},
     {"{\"a\":1}", "{\"b\":null}", "{\"b\":1,\"a\":null}", "{\"\\u0061\":1}"}},
    {"{\"type\":\"object\",\"patternProperties\":{\"^x\":{\"type\":\"integer\"},\"y$\":{"
     "\"minimum\":5}},"
     "\"additionalProperties\":false,\"properties\":{\"xz\":{\"maximum\":3}}}",
     {"{}", "{\"x\":1}", "{\"y\":\"s\"}", "{\"xy\":7}", "{\"xz\":3,\"x1\":9,\"1y\":5}"},
     {"{\"x\":\"s\"}", "{\"xy\":4}", "{\"xy\":5.5}", "{\"z\":1}", "{\"xz\":4}", "{\"xz\":1.5}"}},
    {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[a-c]$\",\"not\":{\"const\":\"b\"}},"
     "\"minProperties\":1,\"maxProperties\":2}",
     {"{\"a\":1}", "{\"a\":1,\"c\":2}"},
     {"{}", "{\"b\":1}", "{\"a\":1,\"c\":2,\"a\":3}", "{\"d\":1}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{},\"c\":{}},\"minProperties\":2,"
     "\"maxProperties\":2,\"additionalProperties\":false}",
     {"{\"a\":1,\"b\":2}", "{\"b\":1,\"c\":2}"},
     {"{\"a\":1}", "{\"a\":1,\"b\":2,\"c\":3}", "{}"}},
    /* Numbers. */
    {"{\"type\":\"integer\",\"minimum\":-12,\"exclusiveMaximum\":105}",
     {"-12", "-9", "-0", "0", "7", "99", "104"},
     {"-13", "105", "1000", "-100", "1.0", "1e1"}},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0.25,\"maximum\":1.5}",
     {"0.26", "0.250001", "0.3", "1", "1.0", "1.50", "1.499"},
     {"0.25", "0.2500", "0.249", "1.51", "1.5001", "2", "0", "-1", "1e0"}},
    {"{\"type\":\"number\",\"minimum\":-3.5,\"maximum\":-0.5}",
     {"-3.5", "-3.50", "-0.5", "-1", "-2.75"},
     {"-3.51", "-4", "-0.49", "0", "1", "-0", "-10"}},
    {"{\"type\":\"number\",\"multipleOf\":0.25}",
     {"0", "0.25", "-1.50", "3", "10.7500", "2.0"},
     {"0.1", "0.255", "1.30", "-0.2"}},
    {"{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":1}",
     {"7", "14", "1001"},
     {"0", "8", "-7"}},
    {"{\"type\":\"integer\",\"minimum\":1e3}", {"1000", "99999"}, {"999", "-1000"}},
    {"{\"type\":\"number\",\"minimum\":1.5e-3}",
     {"0.0015", "0.002", "1"},
     {"0.001", "0.0014", "0"}},
    /* Strings. */
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
     {"\"ab\"", "\"\xe2\x82\xac\\n\\u00e9\"", "\"\\ud83d\\ude00x\""},
     {"\"a\"", "\"abcd\"", "\"\\ud83d\\ude00\""}},
    {"{\"type\":\"string\",\"pattern\":\"^[^a]{2}$\",\"maxLength\":2}",
     {"\"\\\"\\n\"", "\"\xe2\x82\xac\\u0001\""},
     {"\"ab\"", "\"b\"", "\"\\u0062b\"", "\"bbb\""}},
    {"{\"type\":\"string\",\"pattern\":\"a.c\"}",
     {"\"abc\"", "\"xxabcyy\""},
     {"\"ac\"", "\"a\\nc\""}},
    {"{\"type\":\"string\",\"format\":\"date\"}",
     {"\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\""},
     {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-13-01\"", "\"24-01-01\""}},
    /* Arrays. */
    {"{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"type\":\"string\"}],\"items\":{"
     "\"const\":null},"
     "\"minItems\":1,\"maxItems\":4}",
     {"[1]", "[ 1, \"a\" ]", "[1,\"a\",null,null]"},
     {"[]", "[\"a\"]", "[1,null]", "[1,\"a\",null,null,null]", "[1,\"a\",2]", "[1,]"}},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"contains\":{\"minimum\":5},"
     "\"minContains\":1,\"maxContains\":2}",
     {"[5]", "[1,2,9]", "[5,1,6]"},
     {"[]", "[1]", "[5,6,7]", "[\"a\",5]"}},
    /* Compositions. */
    {"{\"allOf\":[" OBJECT("\"a\":{\"type\":\"integer\"},\"b\":{}",
                           "\"a\"") ","
                                    "{\"properties\":{\"a\":{\"minimum\":3},\"b\":{\"type\":"
                                    "\"null\"}},\"required\":[\"b\"]}]}",
     {"{\"a\":3,\"b\":null}"},
     {"{\"a\":2,\"b\":null}", "{\"a\":3,\"b\":1}", "{\"a\":3}", "3"}},
    {"{\"anyOf\":[{\"type\":\"string\",\"maxLength\":1},{\"type\":\"integer\"}],\"not\":{\"const\":"
     "7}}",
     {"\"a\"", "8", "-7", "77"},
     {"7", "\"ab\"", "null"}},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\",\"minimum\":2}]}",
     {"1", "2.5", "-3"},
     {"2", "3", "1.5", "\"a\""}},
    {"{\"oneOf\":[" OBJECT("\"kind\":{\"const\":\"a\"},\"x\":{\"type\":\"null\"}",
                           "\"kind\",\"x\"") "," OBJECT("\"kind\":{\"const\":\"b\"}",
                                                        "\"kind\"") "]}",
     {"{\"kind\":\"a\",\"x\":null}", "{\"kind\":\"b\"}"},
     {"{\"kind\":\"a\"}", "{\"kind\":\"b\",\"x\":null}"}},
    {"{\"type\":\"integer\",\"if\":{\"minimum\":10},\"then\":{\"multipleOf\":10},\"else\":{"
     "\"maximum\":3}}",
     {"10", "50", "3", "-4"},
     {"4", "15"}},
    {"{\"enum\":[\"a\\\"b\",1.50,null,{\"x\":[1,true]},2e2]}",
     {"\"a\\\"b\"", "1.5", "null", "{\"x\":[1,true]}", "{ \"x\": [ 1, true ] }", "200"},
     {"\"a\"", "1", "{\"x\":[1]}", "{}"}},
    {"{\"enum\":[1,2,\"a\",3.5],\"type\":[\"integer\",\"string\"],\"minimum\":2}",
     {"2", "\"a\""},
     {"1", "3.5"}},
    /* References, also back to themselves. */
    {"{\"$ref\":\"#/$defs/tree\",\"$defs\":{\"tree\":" OBJECT(
         "\"value\":{\"type\":\"integer\"},\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/tree\"},"
         "{\"type\":\"null\"}]}",
         "\"value\",\"next\"") "}}",
     {"{\"value\":1,\"next\":null}", "{\"value\":1,\"next\":{\"value\":2,\"next\":null}}"},
     {"{\"value\":1}", "{\"value\":1,\"next\":{}}", "null"}},
    {"{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}", {"[]", "[[],[[]]]"}, {"[1]", "1"}},
    {"true", {"1", "{\"a\":[null]}"}, {"", "x"}},
};

static void schemas_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        probe_case(&cases[i], grammar_from_json_schema);
}

static void what_cannot_be_compiled_is_named(void **state)
{
    (void)state;
    static const struct probe_refusal refusals[] = {
        {"{", ERR_FORMAT, "not JSON: line 1"},
        {"[1]", ERR_FORMAT, "#: a schema must be an object or a boolean"},
        {"{\"a\":1,\"a\":2}", ERR_FORMAT, "not JSON"},
        {"false", ERR_FORMAT, "no text at all"},
        {"{\"type\":\"strin\"}", ERR_FORMAT, "#: \"type\" must be"},
        {"{\"properties\":{\"a/b\":{\"minLenght\":3}}}", ERR_UNSUPPORTED,
         "#/properties/a~1b: \"minLenght\" is not a keyword"},
        {"{\"items\":{\"uniqueItems\":true}}", ERR_UNSUPPORTED, "#/items: \"uniqueItems\""},
        {"{\"type\":\"string\",\"format\":\"uri\"}", ERR_UNSUPPORTED,
         "\"format\" is not one of date"},
        {"{\"type\":\"string\",\"pattern\":\"(a)\\\\1\"}", ERR_UNSUPPORTED,
         "\"pattern\" is refused: regular expression, byte 5: back references"},
        {"{\"anyOf\":[{\"$ref\":\"other.json\"}]}", ERR_UNSUPPORTED,
         "#/anyOf/0: \"$ref\" leads out"},
        {"{\"$ref\":\"#/$defs/none\"}", ERR_FORMAT, "names nothing"},
        {"{\"$ref\":\"#\"}", ERR_OK, ""},
        {"{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}", ERR_UNSUPPORTED,
         "begins with itself"},
        {"{\"minLength\":-1}", ERR_FORMAT, "\"minLength\" must be a whole number"},
        {"{\"type\":\"string\",\"maxLength\":900000000}", ERR_LIMIT, "states"},
        {"{\"multipleOf\":0}", ERR_FORMAT, "greater than 0"},
        {"{\"multipleOf\":123456}", ERR_LIMIT, "\"multipleOf\" has too many digits"},
        {"{\"not\":{\"format\":\"date\"}}", ERR_UNSUPPORTED, "\"format\" cannot be negated"},
        {"{\"oneOf\":[{\"multipleOf\":3},{\"multipleOf\":5}]}", ERR_UNSUPPORTED,
         "cannot be negated"},
        {"{\"enum\":[\"a\"],\"pattern\":\"a\"}", ERR_UNSUPPORTED, "\"enum\" stands beside"},
        {"{\"allOf\":[{\"unevaluatedProperties\":false,\"allOf\":[]}]}", ERR_UNSUPPORTED,
         "#/allOf/0: \"unevaluatedProperties\""},
        {"{\"properties\":{\"a\":3}}", ERR_FORMAT, "#/properties/a: a schema must be"},
        {"{\"required\":[1]}", ERR_FORMAT, "\"required\" must hold strings"},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        if (refusals[i].rc)
            probe_refusal(&refusals[i], grammar_from_json_schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_suite_passes),
        cmocka_unit_test(schemas_match),
        cmocka_unit_test(what_cannot_be_compiled_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
