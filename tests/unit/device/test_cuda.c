/* test_cuda.c - the CUDA device over the stand-in for its driver: memory, copies, rows, recorded
 * passes, the conformance vectors, and every call failing in turn. */
#include <dlfcn.h>

#include "base/mem.h"
#include "device/conformance.h"
#include "device/cuda/cuda.h"
#include "device/cuda/cuda_int.h"
#include "lib/test.h"
#include "standin/probe.h"

enum { LARGE = 10 * (1 << 20) + 3, WORDS = 1000 };

static struct device *open_card(void)
{
    struct device *d = NULL;
    struct err_note note = {""};
    if (cuda_device_open(0, 0, &d, &note))
        fail_msg("%s", note.text);
    return d;
}

static void *take(struct device *d, size_t n_bytes)
{
    void *p = NULL;
    assert_ok(d->ops->mem_take(d, n_bytes, "a test", &p, NULL));
    assert_true((uintptr_t)p % 256 == 0);
    return p;
}

static uint8_t *random_bytes(size_t n, uint64_t seed)
{
    uint8_t *p = mem_alloc(n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)test_rand(&seed);
    return p;
}

static void test_copies(void **state)
{
    struct device *d = open_card();
    const struct device_ops *ops = d->ops;
    uint8_t *p = take(d, LARGE), *q = take(d, LARGE), *back = mem_zalloc(LARGE);
    uint8_t *bytes = random_bytes(LARGE, 1), *kept = random_bytes(LARGE, 1);
    (void)state;
    ops->get(d, back, p, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        assert_int_equal(back[i], 0);
    ops->put(d, p, bytes, LARGE); /* more than the ring holds */
    memset(bytes, 0, LARGE);
    ops->move(d, q, p, LARGE);
    ops->zero(d, p + 5, 1000);
    ops->get(d, back, q, LARGE);
    assert_memory_equal(back, kept, LARGE);
    ops->get(d, back, p, 2000);
    memset(kept + 5, 0, 1000);
    assert_memory_equal(back, kept, 2000);
    for (size_t i = 0; i < 5000; i++) /* small ones, as a pass has */
        ops->put(d, q + i * 200, kept + i * 77, i % 200);
    ops->put(d, q, kept, 0);
    for (size_t i = 0; i < 5000; i += 101) {
        ops->get(d, back, q + i * 200, i % 200);
        assert_memory_equal(back, kept + i * 77, i % 200);
    }
    assert_ok(ops->status(d, NULL));
    ops->mem_give(d, p, LARGE);
    ops->mem_give(d, q, LARGE);
    ops->close(d);
    mem_free(back);
    mem_free(bytes);
    mem_free(kept);
}

/* What was there when it was fetched, whatever was submitted since. */
static void test_fetches(void **state)
{
    struct device *d = open_card();
    uint8_t *p = take(d, FETCH_BYTES), *back = mem_zalloc(FETCH_BYTES);
    uint8_t *bytes = random_bytes(FETCH_BYTES, 2);
    (void)state;
    assert_non_null(back);
    for (uint32_t round = 0; round < 3; round++) {
        d->ops->put(d, p, bytes, FETCH_BYTES);
        d->ops->fetch(d, round % 2, p, FETCH_BYTES);
        d->ops->zero(d, p, FETCH_BYTES);
        d->ops->fetch(d, (round + 1) % 2, p + 5, 10);
        d->ops->fetched(d, round % 2, back, FETCH_BYTES);
        assert_memory_equal(back, bytes, FETCH_BYTES);
        d->ops->fetched(d, (round + 1) % 2, back, 10);
        assert_memory_equal(back, (uint8_t[10]){0}, 10);
    }
    assert_ok(d->ops->status(d, NULL));
    d->ops->mem_give(d, p, FETCH_BYTES);
    d->ops->close(d);
    mem_free(back);
    mem_free(bytes);
}

static void test_limits(void **state)
{
    struct device *d;
    struct err_note note;
    size_t n_all, n_left;
    void *p;
    (void)state;
    assert_int_equal(cuda_device_open(3, 0, &d, &note), ERR_NOT_FOUND);
    assert_string_equal(note.text, "there is no GPU 3; the driver knows 1, from 0 on");
    assert_ok(cuda_device_open(0, 100 << 20, &d, &note));
    n_left = d->ops->mem_left(d, &n_all);
    assert_int_equal(n_all, 100 << 20);
    p = take(d, n_left - 100);
    assert_int_equal(d->ops->mem_left(d, &n_all), 100);
    void *more = p;
    assert_int_equal(d->ops->mem_take(d, 3 << 20, "the second", &more, &note), ERR_MEMORY);
    assert_string_equal(note.text, "no memory on GPU 0 for the second: 3.0 MiB are needed, 100.0 "
                                   "of 100.0 are taken");
    assert_null(more);
    d->ops->mem_give(d, p, n_left - 100);
    assert_int_equal(d->ops->mem_left(d, &n_all), n_left);
    d->ops->close(d);

    setenv("STANDIN_MEMORY", "134217728", 1); /* 128 MiB, of which more is allowed than there is */
    assert_ok(cuda_device_open(0, (uint64_t)1 << 40, &d, &note));
    assert_int_equal(d->ops->mem_take(d, 64 << 20, "weights", &p, &note), ERR_MEMORY);
    assert_non_null(strstr(note.text, "weights of 64.0 MiB"));
    assert_non_null(strstr(note.text, "CUDA_ERROR_OUT_OF_MEMORY"));
    assert_ok(d->ops->status(d, NULL)); /* it goes on */
    d->ops->close(d);
    unsetenv("STANDIN_MEMORY");
}

static void test_old_card(void **state)
{
    struct device *d = NULL;
    struct err_note note = {""};
    (void)state;
    setenv("STANDIN_CAPABILITY", "52", 1);
    if (cuda_images().is_empty) { /* there is nothing that it could be too old for */
        assert_ok(cuda_device_open(0, 0, &d, &note));
        d->ops->close(d);
    } else {
        assert_int_equal(cuda_device_open(0, 0, &d, &note), ERR_UNSUPPORTED);
        assert_non_null(strstr(note.text, "has compute capability 5.2; this program's kernels"));
    }
    unsetenv("STANDIN_CAPABILITY");
}

/* Two sessions' rows: their page tables lie on the device, and only what changed goes there. */
static void test_rows(void **state)
{
    enum { N_ROWS = 7, N_PAGES = 5 };
    struct device *d = open_card();
    struct cuda *c = cuda_of(d);
    void *first[N_PAGES], *second[N_PAGES];
    struct kv_row rows[N_ROWS], there[N_ROWS];
    (void)state;
    for (size_t i = 0; i < N_PAGES; i++) {
        first[i] = (void *)(0x1000 + i);
        second[i] = (void *)(0x2000 + i);
    }
    for (int round = 0; round < 3; round++) {
        second[1] = (void *)(uintptr_t)(0x3000 + round / 2);
        for (uint32_t i = 0; i < N_ROWS; i++)
            rows[i] = (struct kv_row){i < 4 ? first : second, i < 4 ? 60 + i : 64 * i - 200};
        d->ops->rows(d, rows, N_ROWS);
        assert_int_equal(c->n_pages_longest, 4); /* position 184: three pages, rounded up */
        const struct kv_row *on_device = cuda_rows(c, rows + 2, 5);
        d->ops->get(d, there + 2, on_device, 5 * sizeof there[0]);
        for (uint32_t i = 2; i < N_ROWS; i++) {
            void *page;
            assert_int_equal(there[i].position, rows[i].position);
            uint32_t last = rows[i].position / KV_PAGE;
            d->ops->get(d, &page, there[i].pages + last, sizeof page);
            assert_ptr_equal(page, rows[i].pages[last]);
            d->ops->get(d, &page, there[i].pages, sizeof page);
            assert_ptr_equal(page, rows[i].pages[0]);
        }
    }
    d->ops->close(d);
}

struct pass {
    struct device *d;
    uint32_t *words, *more; /* device memory */
    bool put_in_the_middle;
};

static void probe(const struct pass *p)
{
    struct probe_args args = {p->words, p->more, WORDS};
    cuda_launch(cuda_of(p->d), &(struct launch){.kernel = "probe_add",
                                                .grid = {(WORDS + 63) / 64, 1, 1},
                                                .block = 64,
                                                .args = &args,
                                                .n_args_bytes = sizeof args});
}

/* Adds `more` twice to every word, in a pass of this key; true: it was submitted whole. */
static bool run_pass(const struct pass *p, uint64_t key, uint32_t more)
{
    p->d->ops->put(p->d, p->more, &more, sizeof more);
    if (p->d->ops->pass_begin(p->d, key))
        return true;
    probe(p);
    if (p->put_in_the_middle)
        p->d->ops->put(p->d, p->more, &more, sizeof more);
    probe(p);
    p->d->ops->pass_end(p->d);
    return false;
}

static uint32_t word(const struct pass *p)
{
    uint32_t words[WORDS];
    p->d->ops->get(p->d, words, p->words, sizeof words);
    for (size_t i = 1; i < WORDS; i++)
        assert_int_equal(words[i], words[0]);
    return words[0];
}

static void test_passes(void **state)
{
    struct pass p = {.d = open_card()};
    void *pages[3] = {NULL};
    struct kv_row row = {pages, 0};
    (void)state;
    p.words = take(p.d, WORDS * sizeof p.words[0]);
    p.more = take(p.d, sizeof p.more[0]);
    assert_false(run_pass(&p, 1, 1)); /* as it comes */
    assert_false(run_pass(&p, 1, 2)); /* recorded */
    assert_int_equal(word(&p), 6);
    assert_true(run_pass(&p, 1, 3)); /* what is put before it differs */
    assert_true(run_pass(&p, 1, 4));
    assert_int_equal(word(&p), 20);
    for (int i = 0; i < 3; i++)
        assert_false(run_pass(&p, 0, 1)); /* no key: never */
    row.position = 130;                   /* further than any before */
    p.d->ops->rows(p.d, &row, 1);
    assert_false(run_pass(&p, 1, 1));
    assert_false(run_pass(&p, 1, 1));
    assert_true(run_pass(&p, 1, 1));
    assert_int_equal(word(&p), 32);
    p.put_in_the_middle = true; /* which nothing that is recorded can hold */
    for (int i = 0; i < 4; i++)
        assert_false(run_pass(&p, 9, 1));
    assert_int_equal(word(&p), 40);
    p.put_in_the_middle = false;
    for (uint64_t key = 100; key < 100 + 2 * CUDA_GRAPHS_MAX; key++) /* the oldest go */
        assert_false(run_pass(&p, key, 0) || run_pass(&p, key, 0) || !run_pass(&p, key, 0));
    assert_int_equal(word(&p), 40);
    assert_ok(p.d->ops->status(p.d, NULL));
    p.d->ops->mem_give(p.d, p.words, WORDS * sizeof p.words[0]);
    p.d->ops->mem_give(p.d, p.more, sizeof p.more[0]);
    p.d->ops->close(p.d);
}

/* What the kernels compute, through all of the device. */
static void test_conformance(void **state)
{
    static struct conformance results[CONFORMANCE_MAX];
    uint8_t overall[SHA256_BYTES];
    struct device *d = open_card();
    size_t n = conformance_run(d, results, overall);
    (void)state;
    assert_ok(d->ops->status(d, NULL));
    assert_int_not_equal(n, 0);
    for (size_t i = 0; i < n; i++)
        if (!conformance_ok(&results[i]))
            fail_msg("%s differs", results[i].name);
    d->ops->close(d);
}

/* A device's life in short. Returns the first error that was noticed. */
static enum err live(struct err_note *note)
{
    struct pass p = {0};
    struct kv_row row = {(void *[]){&p}, 0};
    uint32_t word = 1;
    enum err rc = cuda_device_open(0, 0, &p.d, note);
    if (rc)
        return rc;
    rc = p.d->ops->mem_take(p.d, WORDS * sizeof word, "words", (void **)&p.words, note);
    rc = rc ? rc : p.d->ops->mem_take(p.d, sizeof word, "more", (void **)&p.more, note);
    for (uint64_t i = 0; !rc && i < 6; i++) {
        p.d->ops->rows(p.d, &row, 1);
        run_pass(&p, 1 + i / 4, 1);
        p.d->ops->fetch(p.d, i % 2, p.words, sizeof word);
        p.d->ops->zero(p.d, p.more, sizeof word);
        p.d->ops->fetched(p.d, i % 2, &word, sizeof word);
        rc = p.d->ops->status(p.d, note);
        if (!rc) {
            p.d->ops->get(p.d, &word, p.words, sizeof word);
            rc = p.d->ops->status(p.d, note);
        }
        if (rc)
            assert_int_equal(p.d->ops->status(p.d, NULL), rc); /* and stays so */
        else
            assert_int_equal(word, 2 * (i + 1));
    }
    p.d->ops->mem_give(p.d, p.words, WORDS * sizeof word);
    p.d->ops->mem_give(p.d, p.more, sizeof word);
    rc = rc ? rc : p.d->ops->status(p.d, note);
    p.d->ops->close(p.d);
    return rc;
}

/* Each call in turn fails, alone or as the first of all: somebody says so, in words, and everything
 * is given back, which the stand-in looks at when the context goes. */
static void test_every_call_fails(void **state)
{
    struct err_note note;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    const uint64_t *n_calls = library ? dlsym(library, "standin_n_calls") : NULL;
    uint64_t n_noticed = 0, n;
    (void)state;
    assert_non_null(n_calls);
    assert_ok(live(&note));
    n = *n_calls;
    assert_in_range(n, 100, 1000);
    for (uint64_t i = 1; i <= n; i += test_every(29)) {
        static const int codes[] = {999, 719};
        for (size_t k = 0; k < COUNT_OF(codes); k++) {
            char fail[64];
            snprintf(fail, sizeof fail, "*:%llu:%d", (unsigned long long)i, codes[k]);
            setenv("STANDIN_FAIL", fail, 1);
            note.text[0] = 0;
            if (live(&note)) {
                n_noticed++;
                /* Without nvcc there is nothing to load, and that is what is said. */
                if (!strstr(note.text, "CUDA_ERROR_") && !strstr(note.text, "without nvcc"))
                    fail_msg("call %llu fails with %d: \"%s\"", (unsigned long long)i, codes[k],
                             note.text);
            }
        }
    }
    unsetenv("STANDIN_FAIL");
    assert_true(n_noticed > n / test_every(29)); /* all but those of closing */
    assert_ok(live(&note));
    dlclose(library);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),      cmocka_unit_test(test_fetches),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_old_card),
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_conformance), cmocka_unit_test(test_every_call_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
