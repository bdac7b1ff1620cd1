/* test_jobs.c - files and batches survive, each line is answered once, owners see their own. */
#include "lib/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/jobs.h"

static char path[] = "/tmp/isobit-jobs-XXXXXX";
static struct err_note note;
static const struct jobs_limits limits = {.n_file_bytes_max = 10000, .n_lines_max = 50};

static void remove_store(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static struct jobs *reopen(struct jobs *j)
{
    jobs_close(j);
    assert_int_equal(jobs_open(path, &limits, &j, &note), ERR_OK);
    return j;
}

static struct jobs *fresh(void)
{
    remove_store();
    return reopen(NULL);
}

/* A line is "id:body", or "!" for one that cannot be read. */
static void read_line(void *context, struct str endpoint, struct str line, struct jobs_reading *out)
{
    (void)context;
    assert_true(str_is(endpoint, "/v1/completions"));
    const char *colon = memchr(line.ptr, ':', line.len);
    if (!colon) {
        snprintf(out->code, sizeof out->code, "invalid_json_line");
        snprintf(out->message, sizeof out->message, "no colon");
        return;
    }
    size_t n = (size_t)(colon - line.ptr);
    buf_add(&out->custom_id, line.ptr, n);
    buf_add(&out->body, colon + 1, line.len - n - 1);
}

static struct jobs_batch add(struct jobs *j, const char *owner, const char *text)
{
    struct jobs_file f;
    struct jobs_batch b;
    assert_int_equal(
        jobs_file_add(j, owner, "in.jsonl", "batch", str_from(text), 100, &f, &note), ERR_OK);
    assert_int_equal(jobs_batch_add(j, owner, f.id, "/v1/completions", NULL, 100, 1000, &b, &note),
                     ERR_OK);
    assert_int_equal(b.state, JOBS_VALIDATING);
    for (bool more = true; more;)
        assert_int_equal(jobs_validate(j, 2, read_line, NULL, 101, &more, &note), ERR_OK);
    jobs_batch_release(&b);
    assert_int_equal(jobs_batch(j, owner, b.id, &b, &note), ERR_OK);
    return b;
}

static void assert_file(struct jobs *j, const char *owner, const char *id, const char *wanted)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(jobs_file_read(j, owner, id, &text, &note), ERR_OK);
    assert_string_equal(text.bytes, wanted);
    buf_release(&text);
}

static void answer(struct jobs *j, struct jobs_line *line, bool ok, const char *text)
{
    assert_int_equal(jobs_done(j, line, ok, str_from(text), 200, &note), ERR_OK);
    mem_free(line->body);
}

static void a_batch_from_end_to_end(void **state)
{
    (void)state;
    struct jobs *j = fresh();
    struct jobs_line line;
    struct jobs_batch b = add(j, "me", "a:one\r\nb:two\n\nc:three");
    assert_int_equal(b.state, JOBS_IN_PROGRESS);
    assert_int_equal(b.n_lines, 3);
    assert_true(jobs_next(j, &line, &note));
    assert_string_equal(line.body, "one");
    assert_string_equal(line.endpoint, "/v1/completions");
    answer(j, &line, true, "{\"x\":1.50}");
    assert_true(jobs_next(j, &line, &note));
    mem_free(line.body); /* under way when the program ends */
    j = reopen(j);
    assert_true(jobs_next(j, &line, &note));
    assert_string_equal(line.body, "two");
    assert_int_equal(line.n_tries, 0);
    answer(j, &line, false, "{\"x\":2}");
    answer(j, &(struct jobs_line){.i = line.i}, true, "{}"); /* an answer that nobody waits for */
    assert_true(jobs_next(j, &line, &note));
    assert_int_equal(jobs_again(j, &line, true, &note), ERR_OK);
    mem_free(line.body);
    assert_true(jobs_next(j, &line, &note));
    assert_int_equal(line.n_tries, 1);
    assert_string_equal(line.body, "three");
    answer(j, &line, true, "{\"x\":3}");
    assert_false(jobs_next(j, &line, &note));
    jobs_batch_release(&b);
    assert_int_equal(jobs_batch(j, "me", b.id, &b, &note), ERR_OK);
    assert_int_equal(b.state, JOBS_COMPLETED);
    assert_int_equal(b.n_done, 2);
    assert_int_equal(b.n_failed, 1);
    assert_file(j, "me", b.output_file,
                "{\"x\":1.50,\"custom_id\":\"a\"}\n{\"x\":3,\"custom_id\":\"c\"}\n");
    assert_file(j, "me", b.error_file, "{\"x\":2,\"custom_id\":\"b\"}\n");
    assert_int_equal(jobs_batch(j, "you", b.id, &b, &note), ERR_NOT_FOUND);
    assert_int_equal(jobs_batch_cancel(j, "me", b.id, 300, &note), ERR_USAGE);
    jobs_close(j);
}

static void bad_lines_fail_a_batch_before_it_runs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"a:1\nnothing\n", "\"line\":2"},
        {"a:1\nb:1\na:2\n", "duplicate_custom_id"},
        {"\n\n", "empty_file"},
    };
    struct jobs *j = fresh();
    struct jobs_line line;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct jobs_batch b = add(j, "me", cases[i].text);
        assert_int_equal(b.state, JOBS_FAILED);
        assert_non_null(strstr(b.errors, cases[i].error));
        jobs_batch_release(&b);
    }
    char many[60 * 8] = "";
    for (int i = 0; i < 51; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%d:x\n", i);
    struct jobs_batch b = add(j, "me", many);
    assert_int_equal(b.state, JOBS_FAILED);
    assert_non_null(strstr(b.errors, "at most 50"));
    jobs_batch_release(&b);
    assert_false(jobs_next(j, &line, &note));
    jobs_close(j);
}

static void owners_take_turns(void **state)
{
    (void)state;
    struct jobs *j = fresh();
    struct jobs_line line;
    struct jobs_batch a = add(j, "", "1:a1\n2:a2\n3:a3\n"), b = add(j, "bob", "1:b1\n2:b2\n");
    static const char *const order[] = {"b1", "a1", "b2", "a2", "a3"};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        assert_true(jobs_next(j, &line, &note));
        assert_string_equal(line.body, order[i]);
        answer(j, &line, true, "{}");
    }
    assert_false(jobs_next(j, &line, &note));
    jobs_batch_release(&a);
    jobs_batch_release(&b);
    jobs_close(j);
}

static void cancelled_and_expired(void **state)
{
    (void)state;
    struct jobs *j = fresh();
    struct jobs_line line, other;
    struct jobs_batch b = add(j, "me", "1:x\n2:y\n");
    assert_true(jobs_next(j, &line, &note));
    assert_int_equal(jobs_batch_cancel(j, "me", b.id, 150, &note), ERR_OK);
    assert_false(jobs_next(j, &other, &note));
    assert_int_equal(jobs_clean(j, 150, &note), ERR_OK); /* one line is still under way */
    answer(j, &line, true, "{}");
    jobs_batch_release(&b);
    assert_int_equal(jobs_batch(j, "me", b.id, &b, &note), ERR_OK);
    assert_int_equal(b.state, JOBS_CANCELLED);
    assert_int_equal(b.n_done, 1);
    assert_true(b.output_file[0]);
    jobs_batch_release(&b);

    b = add(j, "me", "1:x\n2:y\n");
    assert_true(jobs_next(j, &line, &note));
    answer(j, &line, true, "{}");
    assert_int_equal(jobs_clean(j, 1100, &note), ERR_OK);
    jobs_batch_release(&b);
    assert_int_equal(jobs_batch(j, "me", b.id, &b, &note), ERR_OK);
    assert_int_equal(b.state, JOBS_EXPIRED);
    assert_int_equal(b.n_done, 1);
    assert_int_equal(b.n_failed, 1);
    struct buf text;
    buf_init(&text, 1 << 16);
    assert_int_equal(jobs_file_read(j, "me", b.error_file, &text, &note), ERR_OK);
    assert_non_null(strstr(text.bytes, "batch_expired"));
    assert_non_null(strstr(text.bytes, "\"custom_id\":\"2\""));
    buf_release(&text);
    jobs_batch_release(&b);
    jobs_close(j);
}

static void count_file(void *context, const struct jobs_file *f)
{
    struct jobs_file *last = context;
    *last = *f;
}

static void files_and_their_limits(void **state)
{
    (void)state;
    struct jobs *j = fresh(), *second;
    struct jobs_file f, g, seen = {0};
    char big[9000];
    bool more;
    memset(big, 'x', sizeof big);
    assert_int_equal(jobs_open(path, &limits, &second, &note), ERR_BUSY);
    assert_int_equal(jobs_file_add(j, "me", "n", "batch", (struct str){big, sizeof big}, 1, &f,
                                   &note), ERR_OK);
    assert_int_equal(jobs_file_add(j, "me", "n", "batch", (struct str){big, 1001}, 1, &g, &note),
                     ERR_LIMIT);
    assert_non_null(strstr(note.text, "9000"));
    assert_int_equal(jobs_file_add(j, "you", "n", "batch", (struct str){big, 1001}, 1, &g, &note),
                     ERR_OK);
    assert_int_equal(jobs_file_add(j, "me", "m", "other", STR(""), 2, &g, &note), ERR_OK);
    assert_int_equal(jobs_files(j, "me", "", "", 1, &more, count_file, &seen, &note), ERR_OK);
    assert_true(more);
    assert_string_equal(seen.id, g.id);
    assert_int_equal(jobs_files(j, "me", "", g.id, 1, &more, count_file, &seen, &note), ERR_OK);
    assert_false(more);
    assert_string_equal(seen.id, f.id);
    assert_int_equal(jobs_file_delete(j, "you", f.id, &note), ERR_NOT_FOUND);
    assert_int_equal(jobs_file_delete(j, "me", f.id, &note), ERR_OK);
    assert_int_equal(jobs_file(j, "me", f.id, &seen, &note), ERR_NOT_FOUND);
    jobs_close(j);
    remove_store();
}

int main(void)
{
    assert_true(mkstemp(path) >= 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_from_end_to_end),
        cmocka_unit_test(bad_lines_fail_a_batch_before_it_runs),
        cmocka_unit_test(owners_take_turns),
        cmocka_unit_test(cancelled_and_expired),
        cmocka_unit_test(files_and_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
