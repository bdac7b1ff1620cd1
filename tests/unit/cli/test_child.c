/* test_child.c - what is heard of another program, and how its failures are told. */
#include "lib/test.h"

#include "cli/child.h"

static const char *const drop[] = {"OPENBLAS_", "OMP_", NULL};

static void test_output(void **state)
{
    (void)state;
    struct buf out;
    struct err_note note;
    buf_init(&out, 1 << 20);
    setenv("OPENBLAS_CORETYPE", "surprise", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OMPHALOS", "stays", 1);
    /* More than a pipe holds, on both outputs; a command's own settings stay. */
    const char *command = "echo ${OPENBLAS_CORETYPE-none} ${OMP_NUM_THREADS-none} $OMPHALOS;"
                          "OMP_WAIT_POLICY=active sh -c 'echo $OMP_WAIT_POLICY';"
                          "head -c 300000 /dev/zero | tr '\\0' e >&2;"
                          "head -c 300000 /dev/zero | tr '\\0' o; cat";
    assert_int_equal(child_run(command, drop, &out, &note), ERR_OK);
    const char *begin = "none none stays\nactive\n";
    assert_int_equal(out.n_bytes, strlen(begin) + 300000);
    assert_memory_equal(out.bytes, begin, strlen(begin));
    assert_int_equal(out.bytes[out.n_bytes - 1], 'o');
    buf_release(&out);
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *command, *says[2];
    } cases[] = {
        {"exit 3", {"\"exit 3\" failed with exit status 3", ""}},
        {"no-such-program-anywhere -x", {"exit status 127", "not found"}},
        {"echo one >&2; printf 'two\\033[0m\\n\\n' >&2; exit 1", {"exit status 1: two [0m", ""}},
        {"kill -9 $$", {"was ended by signal 9", ""}},
        {"head -c 3000 /dev/zero", {"wrote more than 2000 bytes", ""}},
        {"yes | head -c 100000 >&2; exit 1", {"exit status 1: y", ""}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        struct err_note note = {""};
        buf_init(&out, 2000);
        assert_int_equal(child_run(cases[i].command, drop, &out, &note), ERR_IO);
        for (int k = 0; k < 2; k++)
            if (!strstr(note.text, cases[i].says[k]))
                fail_msg("\"%s\" lacks \"%s\"", note.text, cases[i].says[k]);
        assert_null(strchr(note.text, '\n'));
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
