/* test_roof.c - the loops read every byte and do what they are counted for. */
#include "lib/test.h"

#include "base/mem.h"
#include "bench/roof.h"
#include "bench/roof_loops.h"
#include "device/device.h"

/* A single bit that differs shows, wherever it is: nothing is left out. */
static void test_read_sees_every_byte(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 511, 512, 513, 1024, 1300, 4096 + 7};
    uint8_t *bytes = mem_zalloc(8192);
    for (const char *const *isa = cpu_isa_names(); *isa; isa++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            const struct roof_loops *loops = roof_loops_find(*isa);
            assert_non_null(loops);
            assert_int_equal(loops->read(bytes + 1, sizes[i]), 0);
            for (size_t at = 0; at < sizes[i]; at++) {
                bytes[1 + at] = 0x10;
                assert_true(loops->read(bytes + 1, sizes[i]) != 0);
                bytes[1 + at] = 0;
            }
        }
    mem_free(bytes);
}

static void test_rates(void **state)
{
    (void)state;
    static uint8_t bytes[100000];
    const struct roof_span spans[] = {{bytes, 70001}, {bytes + 70001, 0}, {bytes + 80000, 20000}};
    struct err_note note;
    for (const char *const *isa = cpu_isa_names(); *isa; isa++) {
        struct roof *roof;
        assert_int_equal(roof_open(2, *isa, spans, COUNT_OF(spans), &roof, &note), ERR_OK);
        assert_true(roof_read(roof) > 1e6);
        assert_true(roof_int8(roof) > 1e6);
        assert_true(roof_int16(roof) > 1e6);
        assert_true(roof_f32(roof) > 1e6);
        roof_close(roof);
    }
}

static void test_unknown_set(void **state)
{
    (void)state;
    assert_null(roof_loops_find("mmx"));
    assert_null(roof_loops_find(""));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const uint8_t bytes[64];
    const struct roof_span span = {bytes, sizeof bytes};
    for (uint64_t n = 1; n <= 3; n++) {
        struct roof *roof;
        struct err_note note;
        mem_fault_after(n);
        assert_int_equal(roof_open(1, "scalar", &span, 1, &roof, &note), ERR_MEMORY);
        mem_fault_after(0);
        assert_null(roof);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_sees_every_byte),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_unknown_set),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
