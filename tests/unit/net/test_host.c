/* test_host.c - hosts and origins of requests. */
#include "lib/test.h"

#include "net/host.h"

static void ports_fall_off(void **state)
{
    (void)state;
    assert_true(str_is(host_without_port(STR("[::1]:8080")), "::1"));
    assert_true(str_is(host_without_port(STR("name:80")), "name"));
    assert_true(str_is(host_without_port(STR("name")), "name"));
    assert_true(str_is(host_without_port((struct str){NULL, 0}), ""));
}

static void loopback_is_by_number_or_its_one_name(void **state)
{
    (void)state;
    static const char *const YES[] = {"127.0.0.1", "127.9.9.9", "::1", "LocalHost",
                                      "::ffff:127.0.0.1"};
    static const char *const NO[] = {"", "0.0.0.0", "::", "128.0.0.1", "localhost.example",
                                     "127.0.0.1.example", "10.0.0.1", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < COUNT_OF(YES); i++)
        assert_true(host_is_loopback(str_from(YES[i])));
    for (size_t i = 0; i < COUNT_OF(NO); i++)
        assert_false(host_is_loopback(str_from(NO[i])));
    assert_false(host_is_loopback((struct str){"127.0.0.1\0x", 11}));
    assert_true(host_is_address(STR("10.0.0.1")) && host_is_address(STR("fe80::1")));
    assert_false(host_is_address(STR("10.0.0.1x")) || host_is_address(STR("name")));
}

static void an_origin_is_the_same_host_and_port(void **state)
{
    (void)state;
    assert_true(origin_is_of(STR("http://a:80"), STR("a:80")));
    assert_true(origin_is_of(STR("https://A:80"), STR("a:80")));
    assert_false(origin_is_of(STR("http://a:81"), STR("a:80")));
    assert_false(origin_is_of(STR("null"), STR("null")));
    assert_false(origin_is_of(STR("ftp://a"), STR("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_fall_off),
        cmocka_unit_test(loopback_is_by_number_or_its_one_name),
        cmocka_unit_test(an_origin_is_the_same_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
