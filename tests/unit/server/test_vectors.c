/* test_vectors.c - jobs of an embedder's thread: those that can wait, those that wait too long,
 * those that nobody wants. */
#include <poll.h>

#include "lib/test.h"

#include "base/mem.h"
#include "server/vectors.h"

enum { DIMS = 64, TEXTS = 40, JOBS = 12, TOKENS = 6 };

static struct vector_job *next_done(struct vectors *v, int fd)
{
    struct vector_job *job;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (!(job = vectors_done(v)))
        assert_true(poll(&p, 1, 60000) == 1);
    return job;
}

/* Jobs of both kinds together, some of which leave while they run: each comes back once, with its
 * vectors unless it left. */
static void every_job_comes_back(void **state)
{
    (void)state;
    static const int32_t tokens[TOKENS] = {2, 5, 6, 7, 8, 3};
    static float out[JOBS][TEXTS * DIMS];
    static struct iso_text texts[TEXTS];
    const struct iso_embedder_options o = {.n_threads = 1};
    struct iso_embedder *embedder;
    struct iso_note note;
    struct err_note why;
    struct vectors *v;
    struct vector_job *jobs = mem_array(JOBS, sizeof *jobs);
    float want[DIMS];
    int fd;
    assert_int_equal(iso_embedder_open(TEST_DIR "/golden/encoder/bert.gguf", &o, &embedder, &note),
                     0);
    assert_int_equal(iso_embedder_info(embedder).n_dims, DIMS);
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = (struct iso_text){.tokens = tokens, .n_tokens = TOKENS};
    assert_int_equal(iso_embed(embedder, texts, 1, want, &note), 0);
    assert_ok(vectors_start(embedder, &v, &fd, &why));
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = (struct vector_job){.texts = texts,
                                      .n_texts = TEXTS,
                                      .out = out[i],
                                      .until_ns = i % 3 == 1   ? UINT64_MAX
                                                  : i % 3 == 2 ? 1
                                                               : 0};
        vectors_submit(v, &jobs[i]);
        if (i % 4 == 3)
            atomic_store(&jobs[i].leave, true);
    }
    for (size_t n = 0; n < JOBS; n++) {
        struct vector_job *job = next_done(v, fd);
        size_t i = (size_t)(job - jobs);
        assert_int_equal(job->err, 0);
        if (i % 3 == 2)
            assert_true(job->is_late);
        else
            assert_false(job->is_late);
        if (!job->is_late && i % 4 != 3)
            for (size_t k = 0; k < TEXTS; k++)
                assert_memory_equal(out[i] + k * DIMS, want, sizeof want);
        memset(out[i], 0xff, sizeof out[i]); /* it is the owner's again: nothing is written later */
        job->owner = job;
    }
    for (size_t i = 0; i < JOBS; i++)
        assert_ptr_equal(jobs[i].owner, &jobs[i]);
    vectors_stop(v);
    for (size_t i = 0; i < JOBS; i++)
        for (size_t k = 0; k < sizeof out[i]; k++)
            assert_int_equal(((unsigned char *)out[i])[k], 0xff);
    iso_embedder_close(embedder);
    mem_free(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
