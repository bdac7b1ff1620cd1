/* test_claims.c - what a node owes, on disk: bounds, forgetting, one program at a time. */
#include "lib/test.h"

#include <unistd.h>

#include "store/claims.h"

static const struct claims_limits LIMITS = {10, 10, 10};

static struct claims *open_memory(void)
{
    struct claims *c;
    assert_ok(claims_open(":memory:", &LIMITS, &c, NULL));
    return c;
}

static int64_t begin(struct claims *c, const char *request)
{
    int64_t job;
    struct claims_lost lost;
    assert_ok(claims_begin(c, str_from(request), 1, 100, &job, &lost, NULL));
    return job;
}

static uint64_t add(struct claims *c, int64_t job, const char *bytes, uint64_t n)
{
    struct claims_lost lost;
    assert_ok(claims_add(c, job, 0, 1, 7, str_from(bytes), n, &lost, NULL));
    return lost.n_claims;
}

static void the_oldest_claims_go_first(void **state)
{
    (void)state;
    struct claims *c = open_memory();
    struct buf bytes;
    uint64_t n;
    int64_t last, job = begin(c, "{}");
    assert_int_equal(add(c, job, "a", 4), 0);
    assert_int_equal(add(c, job, "b", 4), 0);
    assert_int_equal(add(c, job, "c", 4), 4);
    buf_init(&bytes, 100);
    assert_ok(claims_oldest(c, job, 100, &bytes, &n, &last, NULL));
    assert_string_equal(bytes.bytes, "bc");
    assert_int_equal(n, 8);
    buf_clear(&bytes);
    assert_ok(claims_oldest(c, job, 1, &bytes, &n, &last, NULL)); /* at least one row */
    assert_string_equal(bytes.bytes, "b");
    assert_ok(claims_sent(c, job, last, NULL));
    buf_clear(&bytes);
    assert_ok(claims_oldest(c, job, 100, &bytes, &n, &last, NULL));
    assert_string_equal(bytes.bytes, "c");
    assert_int_equal(add(c, job, "far too many", 11), 15); /* even the new ones */
    buf_release(&bytes);
    claims_close(c);
}

static void checks_over_the_bound_are_refused(void **state)
{
    (void)state;
    struct claims *c = open_memory();
    struct err_note note;
    struct claims_lost lost;
    struct claims_counts counts;
    int64_t job = begin(c, "{}");
    assert_ok(claims_add_check(c, job, STR("x"), 6, NULL));
    assert_int_equal(claims_add_check(c, job, STR("y"), 5, &note), ERR_BUSY);
    assert_non_null(strstr(note.text, "6 nonces wait"));
    assert_int_equal(claims_add_check(c, job, STR("y"), UINT64_MAX, &note), ERR_BUSY);
    assert_ok(claims_add_check(c, job, STR("y"), 4, NULL));
    assert_ok(claims_count(c, &counts, NULL));
    assert_int_equal(counts.n_checks, 10);
    assert_ok(claims_end(c, 100, &lost, NULL));
    assert_int_equal(lost.n_checks, 10);
    claims_close(c);
}

static void what_ended_long_ago_is_forgotten(void **state)
{
    (void)state;
    struct claims *c = open_memory();
    struct claims_lost lost;
    int64_t jobs[4], first = begin(c, "{1}"), second;
    size_t n;
    add(c, first, "a", 3);
    second = begin(c, "{2}");
    add(c, second, "b", 2);
    assert_ok(claims_owing(c, jobs, 4, &n, NULL));
    assert_true(n == 2 && jobs[0] == second && jobs[1] == first);
    assert_ok(claims_forget(c, 100, &lost, NULL)); /* not before that */
    assert_int_equal(lost.n_claims, 0);
    assert_ok(claims_forget(c, 101, &lost, NULL));
    assert_int_equal(lost.n_claims, 3);
    assert_ok(claims_owing(c, jobs, 4, &n, NULL));
    assert_true(n == 1 && jobs[0] == second); /* the current one stays */
    claims_close(c);
}

static void a_file_is_one_programs(void **state)
{
    (void)state;
    char path[64];
    struct claims *c, *other;
    struct err_note note;
    struct buf request;
    int64_t job;
    int phase;
    snprintf(path, sizeof path, "/tmp/test_claims-%ld.db", (long)getpid());
    unlink(path);
    assert_ok(claims_open(path, &LIMITS, &c, NULL));
    int64_t begun = begin(c, "{\"a\":1}");
    assert_int_equal(claims_open(path, &LIMITS, &other, &note), ERR_BUSY);
    assert_non_null(strstr(note.text, "another isobit has it"));
    claims_close(c);
    assert_ok(claims_open(path, &LIMITS, &c, NULL));
    buf_init(&request, 100);
    assert_ok(claims_current(c, &job, &phase, &request, NULL));
    assert_true(job == begun && phase == 1);
    assert_string_equal(request.bytes, "{\"a\":1}");
    buf_release(&request);
    claims_close(c);
    unlink(path);
    assert_int_equal(claims_open("/nowhere/at/all.db", &LIMITS, &c, &note), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_claims_go_first),
        cmocka_unit_test(checks_over_the_bound_are_refused),
        cmocka_unit_test(what_ended_long_ago_is_forgotten),
        cmocka_unit_test(a_file_is_one_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
