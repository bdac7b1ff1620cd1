/* test_openapi.c - the description names every endpoint, and everything it points to is there. */
#include "lib/test.h"

#include "api/tables.h"
#include "server/front_int.h"
#include "server/openapi.h"

static json_t *document;

static int make(void **state)
{
    (void)state;
    size_t n;
    const struct endpoint *all = route_endpoints(&n);
    document = openapi_document(all, n);
    return document ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static json_t *operation_of(const struct endpoint *e)
{
    char method[16] = "";
    for (size_t i = 0; e->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)(e->method[i] + 32);
    return json_object_get(json_object_get(json_object_get(document, "paths"), e->path), method);
}

static void every_endpoint_is_there(void **state)
{
    (void)state;
    size_t n, n_described = 0;
    const struct endpoint *all = route_endpoints(&n);
    const char *path, *method;
    json_t *methods, *operation;
    for (size_t i = 0; i < n; i++) {
        operation = operation_of(&all[i]);
        assert_non_null(operation);
        const char *summary = json_string_value(json_object_get(operation, "summary"));
        if (strcmp(summary, all[i].path) == 0)
            fail_msg("%s %s has no sentence in src/server/openapi/openapi.json", all[i].method,
                     all[i].path);
        assert_non_null(json_object_get(json_object_get(operation, "responses"), "200"));
        assert_non_null(json_object_get(json_object_get(operation, "responses"), "default"));
        if (strcmp(all[i].method, "POST") == 0 && api_table_of(all[i].path))
            assert_non_null(json_object_get(operation, "requestBody"));
        if (strchr(all[i].path, '{'))
            assert_true(json_array_size(json_object_get(operation, "parameters")) > 0);
    }
    json_object_foreach (json_object_get(document, "paths"), path, methods)
        json_object_foreach (methods, method, operation)
            n_described++;
    assert_int_equal(n_described, n);
}

static void follow(const json_t *v, int depth)
{
    static const char start[] = "#/components/schemas/";
    const char *name;
    json_t *item;
    size_t i;
    assert_true(depth < 40);
    json_array_foreach (v, i, item)
        follow(item, depth + 1);
    if (!json_is_object(v))
        return;
    json_object_foreach ((json_t *)v, name, item) {
        if (strcmp(name, "$ref") == 0) {
            const char *to = json_string_value(item);
            assert_memory_equal(to, start, strlen(start));
            const json_t *schemas =
                json_object_get(json_object_get(document, "components"), "schemas");
            if (!json_object_get(schemas, to + strlen(start)))
                fail_msg("%s leads nowhere", to);
        } else {
            follow(item, depth + 1);
        }
    }
}

static void every_reference_leads_somewhere(void **state)
{
    (void)state;
    follow(document, 0);
}

static void fields_are_those_that_are_read(void **state)
{
    (void)state;
    const json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    const struct api_table *t = api_table_of("/v1/chat/completions");
    const json_t *chat = json_object_get(schemas, t->name);
    const json_t *fields = json_object_get(chat, "properties");
    assert_int_equal(json_object_size(fields), t->n_fields);
    for (size_t i = 0; i < t->n_fields; i++) {
        const json_t *field = json_object_get(fields, t->fields[i].name);
        assert_non_null(field);
        assert_true(json_string_length(json_object_get(field, "description")) > 0);
    }
    const json_t *top_p = json_object_get(fields, "top_p");
    assert_true(json_real_value(json_object_get(top_p, "maximum")) == 1);
    assert_int_equal(json_array_size(json_object_get(chat, "allOf")), 1); /* messages */
    assert_null(api_table_of("/nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_endpoint_is_there),
        cmocka_unit_test(every_reference_leads_somewhere),
        cmocka_unit_test(fields_are_those_that_are_read),
    };
    return cmocka_run_group_tests(tests, make, release);
}
