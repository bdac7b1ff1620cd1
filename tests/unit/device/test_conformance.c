/* test_conformance.c - every instruction set of the machine, any number of threads, one result. */
#include "lib/test.h"

#include "device/conformance.h"

static void every_set_meets_the_vectors(void **state)
{
    (void)state;
    for (const char *const *name = cpu_isa_names(); *name; name++)
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            static struct conformance results[CONFORMANCE_MAX];
            uint8_t overall[SHA256_BYTES];
            struct device *d;
            struct err_note note;
            assert_ok(cpu_device_open(n_threads, *name, &d, &note));
            size_t n = conformance_run(d, results, overall);
            assert_true(n > 0);
            for (size_t i = 0; i < n; i++)
                if (!conformance_ok(&results[i])) {
                    char hex[SHA256_HEX];
                    hex_of(results[i].hash, SHA256_BYTES, hex);
                    print_error("%s: \"%.16s\", /* %s */\n", *name, hex, results[i].name);
                }
            for (size_t i = 0; i < n; i++)
                assert_true(conformance_ok(&results[i]));
            d->ops->close(d);
        }
}

static void an_unknown_set_is_named(void **state)
{
    (void)state;
    struct device *d;
    struct err_note note;
    assert_int_equal(cpu_device_open(1, "mmx", &d, &note), ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "'mmx'"));
    assert_non_null(strstr(note.text, "scalar"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_meets_the_vectors),
        cmocka_unit_test(an_unknown_set_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
