/* test_fall_back.c - a device with memory of its own computes what the CPU does, and when it is
 * lost at whatever operation the CPU goes on: tokens, logits, pages and vectors are those of an
 * engine that lost nothing. */
#include "lib/test.h"

#include <dirent.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/embedder.h"
#include "engine/engine.h"
#include "engine/engine_int.h"
#include "format/gguf.h"
#include "lib/guarded.h"

enum { CTX = 256, CHUNK = 48, TOLD = 32, TEXT = 200 };

static struct table table;
static int32_t prompt[TEXT];

/* All that two sessions tell: hashes of what came, in the order of their positions. */
struct story {
    int32_t token[2][TOLD];
    uint8_t digest[2][TOLD][ISO_DIGEST_BYTES];
    uint8_t page[2][CTX / KV_PAGE][ISO_DIGEST_BYTES];
    uint32_t n_tokens[2];
    enum iso_err err[2];
    char note[2][512];
};

static struct {
    int n;
    char text[768];
} noticed;

static void take_notice(void *context, const char *text)
{
    (void)context;
    noticed.n++;
    snprintf(noticed.text, sizeof noticed.text, "%s", text);
}

/* Loading is shown while an engine is opened, to nobody later. */
static bool is_open;
static void take_progress(void *context, uint64_t done, uint64_t total)
{
    (void)context, (void)done, (void)total;
    assert_false(is_open);
}

static void open_table(const char *name)
{
    char path[300];
    uint64_t seed = 11;
    snprintf(path, sizeof path, TEST_DIR "/golden/model/%s.gguf", name);
    assert_ok(gguf_open(path, &table, NULL));
    for (int i = 0; i < TEXT; i++)
        prompt[i] = (int32_t)(test_rand(&seed) % 60);
}

/* Time that passes alike in every run: as many operations in each. */
static uint64_t ticks(void *context)
{
    uint64_t *now = context;
    return *now += 1000;
}
static uint64_t now;

/* Hashes of all logits are made by the host; without them tokens are chosen by the device, and
 * passes go ahead, as there are no guesses. */
static bool with_hashes = true;
static uint32_t layers_wanted;

static struct iso_engine_options usual(void)
{
    return (struct iso_engine_options){.n_threads = 1,
                                       .gpu = "cpu",
                                       .profile = "exact",
                                       .clock_ns = ticks,
                                       .clock_context = &now,
                                       .n_ctx = CTX,
                                       .n_chunk = CHUNK,
                                       .n_sessions = 2,
                                       .n_kv_pages = 10,
                                       .no_speculation = !with_hashes,
                                       .progress = take_progress,
                                       .n_gpu_layers = layers_wanted,
                                       .notice = take_notice};
}

/* NULL: on the CPU. */
static struct iso_engine *open_with(struct iso_engine_options o, const struct table *draft,
                                    struct device *d)
{
    struct iso_engine *e;
    struct err_note note = {""};
    noticed.n = 0;
    now = 0;
    is_open = false;
    if (d ? engine_open_on(&table, draft, &o, d, &e, &note)
          : engine_open(&table, draft, &o, &e, &note))
        fail_msg("%s", note.text);
    is_open = true;
    return e;
}

static struct iso_engine *open_engine(struct iso_engine_options o, struct device *d)
{
    return open_with(o, NULL, d);
}

static void take_event(const struct iso_event *v, struct story *story)
{
    uint32_t i = (uint32_t)(uintptr_t)v->request->user, n = story->n_tokens[i];
    if (v->kind == ISO_EVENT_TOKEN) {
        assert_true(n < TOLD);
        story->token[i][n] = v->token;
        if (v->digest)
            memcpy(story->digest[i][n], v->digest, ISO_DIGEST_BYTES);
        story->n_tokens[i]++;
    } else if (v->kind == ISO_EVENT_PAGE) {
        memcpy(story->page[i][v->position / KV_PAGE], v->digest, ISO_DIGEST_BYTES);
    } else if (v->kind == ISO_EVENT_FINISH) {
        story->err[i] = v->err;
        snprintf(story->note[i], sizeof story->note[i], "%s", v->note);
    }
}

/* Two sessions that share the beginning of their prompts, side by side; then one goes on. */
static void tell(struct iso_engine *e, struct story *story)
{
    struct iso_session *s[2];
    const struct iso_event *events;
    struct iso_request r = iso_request_default();
    struct iso_note note;
    *story = (struct story){0};
    r.tokens = prompt;
    r.n_answer_max = 10;
    r.sampling.seed = 5;
    r.want_digests = with_hashes;
    r.want_pages = true;
    for (uint32_t i = 0; i < 2; i++) {
        r.n_tokens = i ? 121 : 80;
        r.user = (void *)(uintptr_t)i;
        assert_int_equal(iso_session_open(e, &s[i], NULL), ISO_OK);
        if (iso_session_submit(s[i], &r, &note))
            fail_msg("%s", note.text);
    }
    for (int round = 0; round < 2; round++) {
        for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
            for (size_t i = 0; i < n; i++)
                take_event(&events[i], story);
        r.n_tokens = 7;
        r.user = NULL;
        if (round == 0 && story->err[0] == ISO_OK)
            assert_int_equal(iso_session_submit(s[0], &r, NULL), ISO_OK);
    }
    prefix_check(&e->prefix);
    iso_session_close(s[0]);
    iso_session_close(s[1]);
}

static void assert_same(const struct story *a, const struct story *b)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a->n_tokens[i], i ? 10 : 20);
        assert_string_equal(a->note[i], "");
    }
    assert_memory_equal(a->n_tokens, b->n_tokens, sizeof a->n_tokens);
    assert_memory_equal(a->token, b->token, sizeof a->token);
    assert_memory_equal(a->digest, b->digest, sizeof a->digest);
    assert_memory_equal(a->page, b->page, sizeof a->page);
}

static struct story wanted, got;

/* How many operations a story takes on the device. */
static uint64_t tell_guarded(struct iso_engine_options o, const struct table *draft)
{
    struct device *d = guarded_open(1, "auto");
    struct iso_engine *e = open_with(o, draft, d);
    assert_string_equal(iso_engine_info(e).device, "guarded");
    uint64_t before = guarded_of(d)->n_calls;
    tell(e, &got);
    uint64_t n_calls = guarded_of(d)->n_calls - before;
    assert_same(&wanted, &got);
    assert_int_equal(noticed.n, 0);
    assert_string_equal(iso_engine_info(e).device, "guarded");
    struct iso_engine_info info = iso_engine_info(e);
    if (with_hashes || draft || info.n_gpu_layers <= info.n_layers) /* or the CPU needs the token */
        assert_true(draft || guarded_of(d)->n_ahead == 0);
    else
        assert_in_range(guarded_of(d)->n_ahead, o.n_kv_pages < 10 ? 1 : 10, 100);
    iso_engine_close(e);
    return n_calls;
}

static void tell_and_lose(struct iso_engine_options o, const struct table *draft, uint64_t at)
{
    struct device *d = guarded_open(1, "auto");
    struct iso_engine *e = open_with(o, draft, d);
    guarded_fail(d, at);
    tell(e, &got);
    assert_same(&wanted, &got);
    assert_int_equal(noticed.n, 1);
    assert_non_null(strstr(noticed.text, "guarded is lost (the test took it away); the CPU"));
    assert_string_equal(iso_engine_info(e).device, "cpu");
    tell(e, &got); /* from what is remembered */
    assert_same(&wanted, &got);
    iso_engine_close(e);
}

/* At about n_times of its operations. */
static void a_lost_device_changes_no_token(void **state)
{
    static const char *const names[] = {"llama", "mixtral", "gemma2", "phi3-long", "gpt-oss"};
    enum { N_TIMES = 24 };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(names); i += test_every(3)) {
        uint64_t seed = i;
        with_hashes = i % 2;
        open_table(names[i / 2]);
        struct iso_engine *e = open_engine(usual(), NULL);
        tell(e, &wanted);
        iso_engine_close(e);
        uint64_t n_calls = tell_guarded(usual(), NULL);
        for (uint64_t k = 0; k < N_TIMES; k += test_every(6)) {
            uint64_t from = k * n_calls / N_TIMES, to = (k + 1) * n_calls / N_TIMES;
            tell_and_lose(usual(), NULL, from + 1 + test_rand(&seed) % (to - from - 1));
        }
        table_close(&table);
    }
    with_hashes = true;
}

/* So many of the last layers on the device, the others on the CPU: one, some, all but the
 * embedding, and more than there are; the pool is small. */
static void layers_on_both_sides_change_no_token(void **state)
{
    static const char *const names[] = {"llama", "mixtral", "gemma3", "phi3-long", "gpt-oss"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i += test_every(2)) {
        struct iso_engine_options o = usual();
        open_table(names[i]);
        o.n_kv_pages = 5;
        with_hashes = i % 2;
        struct iso_engine *e = open_engine(o, NULL);
        uint32_t n_layers = iso_engine_info(e).n_layers;
        tell(e, &wanted);
        iso_engine_close(e);
        for (uint32_t n = 1; n <= n_layers + 1; n += n == 1 && n_layers > 3 ? n_layers - 2 : 1) {
            o.n_gpu_layers = n;
            uint64_t n_calls = tell_guarded(o, NULL), seed = n;
            for (uint64_t k = 0; k < 3; k += test_every(3))
                tell_and_lose(o, NULL, 1 + test_rand(&seed) % n_calls);
        }
        table_close(&table);
    }
    with_hashes = true;
}

static void guesses_of_a_draft_too(void **state)
{
    (void)state;
    struct iso_engine_options o = usual();
    open_table("llama");
    struct iso_engine *e = open_engine(o, NULL);
    tell(e, &wanted);
    iso_engine_close(e);
    for (o.n_gpu_layers = 0; o.n_gpu_layers < 2; o.n_gpu_layers++) {
        uint64_t n_calls = tell_guarded(o, &table);
        for (uint64_t k = 1; k < 6; k += test_every(2))
            tell_and_lose(o, &table, k * n_calls / 6);
    }
    table_close(&table);
}

static void empty_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *item; (item = readdir(dir));)
        unlinkat(dirfd(dir), item->d_name, 0);
    closedir(dir);
}

/* No page of a lost device reaches the disk: all that is there is good. */
static void files_hold_what_was_computed(void **state)
{
    char folder[] = "/tmp/isobit-fall-back-XXXXXX";
    struct iso_engine_options o = usual();
    (void)state;
    setenv("XDG_CACHE_HOME", "/dev/null", 1);
    assert_non_null(mkdtemp(folder));
    o.n_kv_pages = 5; /* pages leave for others */
    open_table("llama");
    struct iso_engine *e = open_engine(o, NULL);
    tell(e, &wanted);
    iso_engine_close(e);
    o.cache_dir = folder;
    uint64_t n_calls[2]; /* with as many layers as fit, all; with one */
    for (o.n_gpu_layers = 0; o.n_gpu_layers < 2; o.n_gpu_layers++)
        n_calls[o.n_gpu_layers] = tell_guarded(o, NULL);
    for (uint64_t k = 0; k < 12; k += test_every(3)) {
        empty_folder(folder);
        o.n_gpu_layers = k % 2;
        tell_and_lose(o, NULL, 1 + k * n_calls[k % 2] / 12);
        e = open_engine(o, k % 3 ? NULL : guarded_open(1, "auto"));
        tell(e, &got);
        assert_same(&wanted, &got);
        assert_int_equal(iso_engine_info(e).cache.n_files_bad, 0);
        assert_true(iso_engine_info(e).cache.n_pages_read > 0);
        iso_engine_close(e);
    }
    empty_folder(folder);
    rmdir(folder);
    table_close(&table);
}

/* The CPU has no room: requests end with the reason, later ones are refused with it. */
static void where_the_cpu_cannot_go_on_requests_end(void **state)
{
    (void)state;
    struct iso_engine_options o = usual();
    struct iso_session *s;
    struct iso_request r = iso_request_default();
    struct iso_note note = {""};
    struct device *d = guarded_open(1, "auto");
    o.n_bytes_memory = 1000; /* the device's is another */
    open_table("llama");
    struct iso_engine *e = open_engine(o, d);
    guarded_fail(d, 300);
    tell(e, &got);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(got.err[i], ISO_ERR_MEMORY);
        assert_non_null(strstr(got.note[i], "guarded is lost (the test took it away)"));
        assert_non_null(strstr(got.note[i], "the CPU cannot go on: 256 positions"));
    }
    assert_int_equal(noticed.n, 0);
    r.tokens = prompt;
    r.n_tokens = 3;
    r.n_answer_max = 1;
    assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
    assert_int_equal(iso_session_submit(s, &r, &note), ISO_ERR_MEMORY);
    assert_non_null(strstr(note.text, "the CPU cannot go on"));
    iso_engine_close(e);
    table_close(&table);
}

static struct device *guarded_of_size(size_t n_bytes)
{
    struct device *d = guarded_open(1, "auto");
    guarded_of(d)->n_bytes_max = n_bytes;
    return d;
}

/* From room for nothing to room for all: as many layers as fit, never more than there is room for,
 * and what is computed is the same. */
static void as_many_layers_as_fit_are_there(void **state)
{
    (void)state;
    struct iso_engine_options o = usual();
    uint32_t n_before = 0, n_seen = 0;
    open_table("llama");
    struct iso_engine *e = open_engine(o, NULL);
    uint32_t n_layers = iso_engine_info(e).n_layers;
    tell(e, &wanted);
    iso_engine_close(e);
    e = open_engine(o, guarded_open(1, "auto"));
    struct iso_memory all = iso_engine_info(e).gpu;
    size_t n_all = all.n_bytes_weights + all.n_bytes_cache + all.n_bytes_working;
    assert_int_equal(iso_engine_info(e).n_gpu_layers, n_layers + 1);
    iso_engine_close(e);
    o.gpu = NULL;
    for (size_t n = n_all / 8; n_before <= n_layers; n += n_all / 48) {
        e = open_engine(o, guarded_of_size(n));
        struct iso_engine_info info = iso_engine_info(e);
        assert_true(info.n_gpu_layers >= n_before && n < 2 * n_all);
        if (info.n_gpu_layers == 0) {
            assert_string_equal(info.device, "cpu");
            assert_non_null(strstr(noticed.text, "not one layer fits on guarded"));
        } else if (info.n_gpu_layers <= n_layers) {
            assert_string_equal(info.device, "guarded");
            assert_non_null(strstr(noticed.text, "layers fit on guarded"));
        }
        assert_int_equal(noticed.n, info.n_gpu_layers <= n_layers);
        if (info.n_gpu_layers > n_before || n == n_all / 8) {
            tell(e, &got);
            assert_same(&wanted, &got);
            n_seen++;
        }
        n_before = info.n_gpu_layers;
        iso_engine_close(e);
    }
    assert_true(n_seen > 3);
    table_close(&table);
}

static void what_does_not_fit_says_what_would(void **state)
{
    (void)state;
    struct iso_engine_options o = usual();
    struct iso_engine *e;
    struct err_note note = {""};
    open_table("llama");
    /* A device that was asked for. */
    assert_int_equal(engine_open_on(&table, NULL, &o, guarded_of_size(1 << 17), &e, &note),
                     ERR_MEMORY);
    assert_non_null(strstr(note.text, "on guarded 1 of "));
    assert_non_null(strstr(note.text, "of weights"));
    /* A number of layers that was asked for. */
    o.n_gpu_layers = 1;
    e = open_engine(o, guarded_open(1, "auto"));
    struct iso_memory one = iso_engine_info(e).gpu;
    iso_engine_close(e);
    o.n_gpu_layers = 99;
    size_t n = (one.n_bytes_weights + one.n_bytes_cache + one.n_bytes_working) * 32 / 31 + 1;
    assert_int_equal(engine_open_on(&table, NULL, &o, guarded_of_size(n), &e, &note), ERR_MEMORY);
    assert_non_null(strstr(note.text, "on guarded all "));
    assert_non_null(strstr(note.text, "; 1 of them fits"));
    /* Without a device they mean nothing, which is said. */
    iso_engine_close(open_engine(o, NULL));
    assert_int_equal(noticed.n, 1);
    assert_non_null(strstr(noticed.text, "the CPU computes all"));
    table_close(&table);
}

/* ---- pages that somebody gave ---- */

enum { GIVEN = 2, GIVEN_ANSWER = 6, PAGE_BYTES_MAX = 1 << 18 };

struct given {
    uint8_t bytes[GIVEN][PAGE_BYTES_MAX];
    int32_t answer[GIVEN_ANSWER];
};
static struct given want_given, have_given;

/* The whole prompt, or what is left of it after given pages, then an answer. Returns the error. */
static enum iso_err go_on(struct iso_engine *e, struct iso_session *s, struct given *given)
{
    struct iso_request r = iso_request_default();
    const struct iso_event *events;
    uint32_t n_before, n = 0;
    enum iso_err rc = ISO_OK;
    iso_session_tokens(s, &n_before);
    r.tokens = prompt + n_before;
    r.n_tokens = GIVEN * KV_PAGE + 30 - n_before;
    r.n_answer_max = GIVEN_ANSWER;
    r.no_cache = true;
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    for (size_t k; (k = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < k; i++) {
            if (events[i].kind == ISO_EVENT_TOKEN)
                given->answer[n++] = events[i].token;
            if (events[i].kind == ISO_EVENT_FINISH && events[i].err) {
                rc = events[i].err;
                assert_non_null(strstr(events[i].note, "pages that were given"));
            }
        }
    assert_true(rc || n == GIVEN_ANSWER);
    return rc;
}

static struct iso_session *begin_with_given(struct iso_engine *e)
{
    struct iso_session *s;
    assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
    for (uint32_t k = 0; k < GIVEN; k++)
        assert_int_equal(iso_session_page_add(s, prompt + k * KV_PAGE, want_given.bytes[k], NULL),
                         ISO_OK);
    return s;
}

static void read_given(struct iso_engine *e, struct given *given)
{
    struct iso_session *s;
    assert_true(iso_engine_info(e).n_bytes_kv_file <= PAGE_BYTES_MAX);
    assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
    assert_int_equal(go_on(e, s, given), ISO_OK);
    for (uint32_t k = 0; k < GIVEN; k++)
        assert_true(iso_session_page_read(s, k, given->bytes[k]));
    iso_session_close(s);
}

/* Where the device is lost they are, too: nothing is computed in their place. */
static void given_pages_are_gone_with_the_device(struct iso_engine_options o)
{
    struct device *d = guarded_open(1, "auto");
    struct iso_engine *e = open_engine(o, d);
    struct iso_session *s = begin_with_given(e);
    guarded_fail(d, 60);
    assert_int_equal(go_on(e, s, &have_given), ISO_ERR_IO);
    assert_string_equal(iso_engine_info(e).device, "cpu");
    iso_session_cut(s, 0);
    assert_int_equal(go_on(e, s, &have_given), ISO_OK); /* from the tokens, as anybody */
    assert_memory_equal(have_given.answer, want_given.answer, sizeof want_given.answer);
    iso_engine_close(e);

    d = guarded_open(1, "auto");
    e = open_engine(o, d);
    assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
    guarded_fail(d, 1);
    assert_int_equal(iso_session_page_add(s, prompt, want_given.bytes[0], NULL), ISO_ERR_IO);
    iso_engine_close(e);
}

static void given_pages_are_never_computed_again(void **state)
{
    static const char *const names[] = {"llama", "gemma2"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct iso_engine_options o = usual();
        open_table(names[i]);
        struct iso_engine *e = open_engine(o, NULL);
        read_given(e, &want_given);
        iso_engine_close(e);
        for (o.n_gpu_layers = 0; o.n_gpu_layers < 2; o.n_gpu_layers++) {
            e = open_engine(o, guarded_open(1, "auto"));
            read_given(e, &have_given);
            assert_memory_equal(&have_given, &want_given, sizeof want_given);
            memset(have_given.answer, 0, sizeof have_given.answer);
            struct iso_session *s = begin_with_given(e);
            assert_int_equal(go_on(e, s, &have_given), ISO_OK);
            assert_memory_equal(have_given.answer, want_given.answer, sizeof want_given.answer);
            iso_engine_close(e);
            given_pages_are_gone_with_the_device(o);
        }
        /* Others needed the room. */
        o.n_kv_pages = 4;
        e = open_engine(o, NULL);
        struct iso_session *s = begin_with_given(e), *other;
        assert_int_equal(iso_session_open(e, &other, NULL), ISO_OK);
        assert_int_equal(go_on(e, other, &have_given), ISO_OK);
        assert_int_equal(go_on(e, s, &have_given), ISO_ERR_IO);
        iso_engine_close(e);
        table_close(&table);
    }
}

/* What a tap sees is the same; so is the last row of rows that are none of a text. */
struct seen {
    struct sha256 hash;
    uint32_t n;
};

static void see(void *context, int layer, const char *op, const float *x, size_t stride,
                uint32_t n_rows, uint32_t n)
{
    struct seen *seen = context;
    sha256_add(&seen->hash, &layer, sizeof layer);
    sha256_add(&seen->hash, op, strlen(op));
    for (uint32_t t = 0; t < n_rows; t++)
        sha256_add(&seen->hash, x + t * stride, n * sizeof *x);
    seen->n++;
}

static void read_rows(struct device *d, bool lose, float hidden[256],
                      uint8_t seen_hash[SHA256_BYTES])
{
    enum { ROWS = 20, WIDTH_MAX = 256, LAYERS = 8 };
    static float rows[ROWS * WIDTH_MAX], mirrors[LAYERS * WIDTH_MAX];
    struct iso_engine *e = open_engine(usual(), d);
    struct iso_session *s;
    struct seen seen = {.n = 0};
    struct iso_request r = iso_request_default();
    const struct iso_event *events;
    uint32_t width = iso_engine_info(e).n_embd;
    uint64_t seed = 3;
    assert_true(width <= WIDTH_MAX && iso_engine_info(e).n_layers <= LAYERS);
    for (size_t i = 0; i < ROWS * WIDTH_MAX; i++)
        rows[i] = test_randn(&seed);
    for (size_t i = 0; i < LAYERS * WIDTH_MAX; i++)
        mirrors[i] = test_randn(&seed) * 0.1f;
    sha256_init(&seen.hash);
    if (!lose)
        engine_set_tap(e, (struct model_tap){see, &seen});
    if (lose)
        guarded_fail(d, 50);
    r.rows = rows;
    r.mirrors = mirrors;
    r.n_tokens = ROWS;
    r.n_answer_max = 0;
    r.want_hidden = r.no_cache = true;
    assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < n; i++)
            if (events[i].kind == ISO_EVENT_BORDER)
                memcpy(hidden, events[i].hidden, width * sizeof *hidden);
    sha256_end(&seen.hash, seen_hash);
    assert_true(lose || seen.n > 20);
    iso_engine_close(e);
}

static void taps_and_rows_of_no_text_see_the_same(void **state)
{
    static const char *const names[] = {"llama", "mixtral"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        float want[256] = {0}, have[256] = {0};
        uint8_t hash[2][SHA256_BYTES];
        open_table(names[i]);
        read_rows(NULL, false, want, hash[0]);
        read_rows(guarded_open(1, "auto"), false, have, hash[1]);
        assert_true(want[0] != 0);
        assert_memory_equal(want, have, sizeof want);
        assert_memory_equal(hash[0], hash[1], sizeof hash[0]);
        read_rows(guarded_open(1, "auto"), true, have, hash[1]);
        assert_memory_equal(want, have, sizeof want);
        layers_wanted = 1;
        read_rows(guarded_open(1, "auto"), false, have, hash[1]);
        assert_memory_equal(want, have, sizeof want);
        assert_memory_equal(hash[0], hash[1], sizeof hash[0]);
        layers_wanted = 0;
        table_close(&table);
    }
}

/* Vectors, with a device that is lost at its operation `at`; 0: never. NULL: on the CPU. */
static void embed(const struct table *t, struct device *d, uint64_t at, float *out,
                  uint32_t *n_dims)
{
    struct iso_embedder_options o = {.n_threads = 1,
                                     .gpu = "cpu",
                                     .n_ctx = 100,
                                     .n_rows = 128,
                                     .progress = take_progress,
                                     .notice = take_notice};
    struct iso_text texts[] = {{prompt, 60, 0}, {prompt + 9, 5, 0}, {prompt + 3, 90, 0}};
    struct iso_embedder *e;
    struct err_note note = {""};
    is_open = false;
    if (d ? embedder_open_on(t, &o, d, &e, &note) : embedder_open(t, &o, &e, &note))
        fail_msg("%s", note.text);
    is_open = true;
    *n_dims = iso_embedder_info(e).n_dims;
    noticed.n = 0;
    if (at)
        guarded_fail(d, at);
    assert_int_equal(iso_embed(e, texts, COUNT_OF(texts), out, NULL), ISO_OK);
    assert_int_equal(noticed.n, at > 0);
    assert_string_equal(iso_embedder_info(e).device, d && !at ? "guarded" : "cpu");
    iso_embedder_close(e);
}

static void vectors_are_the_same(void **state)
{
    static const char *const paths[] = {
        TEST_DIR "/golden/encoder/bert.gguf", TEST_DIR "/golden/encoder/bert-rank.gguf",
        TEST_DIR "/golden/encoder/nomic.gguf", TEST_DIR "/golden/model/qwen3.gguf"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        float want[3 * 256], have[3 * 256];
        uint32_t n_dims;
        struct table t;
        open_table("llama"); /* for its tokens */
        assert_ok(gguf_open(paths[i], &t, NULL));
        embed(&t, NULL, 0, want, &n_dims);
        assert_true(n_dims <= 256);
        embed(&t, guarded_open(1, "auto"), 0, have, &n_dims);
        assert_memory_equal(want, have, 3 * n_dims * sizeof *want);
        for (uint64_t at = 1; at < 60; at += 20) {
            embed(&t, guarded_open(1, "auto"), at, have, &n_dims);
            assert_memory_equal(want, have, 3 * n_dims * sizeof *want);
        }
        table_close(&t);
        table_close(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_device_changes_no_token),
        cmocka_unit_test(layers_on_both_sides_change_no_token),
        cmocka_unit_test(guesses_of_a_draft_too),
        cmocka_unit_test(files_hold_what_was_computed),
        cmocka_unit_test(where_the_cpu_cannot_go_on_requests_end),
        cmocka_unit_test(as_many_layers_as_fit_are_there),
        cmocka_unit_test(what_does_not_fit_says_what_would),
        cmocka_unit_test(given_pages_are_never_computed_again),
        cmocka_unit_test(taps_and_rows_of_no_text_see_the_same),
        cmocka_unit_test(vectors_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
