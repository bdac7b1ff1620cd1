/* test_remember.c - what is remembered has the bits of what is computed: tiny models of several
 * architectures (sliding windows, experts, LongRoPE) whose pages come from the tree, from a copy,
 * after eviction, from the disk, and from a damaged disk. Logits and keys and values are compared
 * with those of an engine that remembers nothing; so are the hashes of pages, on every instruction
 * set of this machine, and all of it on a device whose memory the host cannot touch. */
#include "lib/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/engine_int.h"
#include "format/gguf.h"
#include "lib/guarded.h"

/* The answer fills the third page. */
enum { CTX = 256, PROMPT = 170, ANSWER = 23, PAGE = 2 };

static const char *const models[] = {"llama",   "gemma2",    "gemma3",   "gpt-oss",
                                     "mixtral", "qwen3moe", "phi3-long", "mistral"};

static struct table table;
static bool on_guarded; /* the engines that are opened from now on */
static char folder[64];

/* What a request leaves: digests of the logits each token was chosen from, the session's pages. */
struct story {
    int32_t token[ANSWER];
    uint8_t digest[ANSWER][ISO_DIGEST_BYTES];
    struct iso_record record[ANSWER];
    uint8_t page[ISO_DIGEST_BYTES];
    uint8_t *kv;
    size_t n_kv;
    uint32_t n_computed;
};

static struct iso_engine *open_engine(struct iso_engine_options o)
{
    struct iso_engine *e;
    struct err_note note = {""};
    o.n_threads = 1;
    o.n_ctx = CTX;
    o.no_speculation = true; /* rows are counted */
    if (on_guarded ? engine_open_on(&table, NULL, &o, guarded_open(2, "auto"), &e, &note)
                   : engine_open(&table, NULL, &o, &e, &note))
        fail_msg("%s", note.text);
    return e;
}

static void export_pages(const struct iso_session *s, struct story *story)
{
    const struct model_info *m = model_info(s->engine->model);
    struct kv_shape shape = {m->n_kv_heads, m->head_size};
    struct device *d = s->engine->device;
    uint8_t *bytes = mem_alloc(m->kv_page_bytes);
    size_t n_layer = m->kv_page_bytes / m->n_layers;
    uint8_t layers[8][SHA256_BYTES], page[SHA256_BYTES];
    assert_true(m->n_layers <= COUNT_OF(layers));
    story->kv = mem_alloc(s->n_pages * m->kv_file_bytes + 1);
    for (uint32_t i = 0; i * KV_PAGE < s->n_kv; i++) {
        uint32_t n = s->n_kv - i * KV_PAGE < KV_PAGE ? s->n_kv - i * KV_PAGE : KV_PAGE;
        d->ops->get(d, bytes, s->bases[i], m->kv_page_bytes);
        for (uint32_t l = 0; l < m->n_layers; l++) {
            size_t n_bytes =
                kv_export(bytes + l * n_layer, shape, n, story->kv + story->n_kv);
            sha256_of(story->kv + story->n_kv, n_bytes, layers[l]);
            story->n_kv += n_bytes;
        }
        if (i == PAGE) {
            sha256_of(layers, m->n_layers * sizeof layers[0], page);
            assert_memory_equal(page, story->page, sizeof page);
        }
    }
    mem_free(bytes);
}

static void tell(struct iso_engine *e, const int32_t *tokens, struct iso_request more,
                 struct story *story)
{
    struct iso_session *s;
    struct iso_note note;
    struct iso_request r = iso_request_default();
    const struct iso_event *events;
    *story = (struct story){0};
    r.tokens = tokens;
    r.n_tokens = PROMPT;
    r.n_answer_max = ANSWER;
    r.sampling.temperature = 0;
    r.want_digests = r.want_records = r.want_pages = true;
    r.tenant = more.tenant;
    r.cache_pool = more.cache_pool;
    r.no_cache = more.no_cache;
    if (iso_session_open(e, &s, &note) || iso_session_submit(s, &r, &note))
        fail_msg("%s", note.text);
    uint64_t n_rows = iso_engine_stats(e).n_rows;
    for (size_t k; (k = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < k; i++) {
            const struct iso_event *v = &events[i];
            if (v->kind == ISO_EVENT_TOKEN) {
                story->token[v->position - PROMPT] = v->token;
                memcpy(story->digest[v->position - PROMPT], v->digest, ISO_DIGEST_BYTES);
                story->record[v->position - PROMPT] = *v->record;
            } else if (v->kind == ISO_EVENT_PAGE) {
                assert_int_equal(v->position, PAGE * KV_PAGE);
                memcpy(story->page, v->digest, ISO_DIGEST_BYTES);
            } else if (v->kind == ISO_EVENT_FINISH) {
                assert_int_equal(v->err, ISO_OK);
            }
        }
    story->n_computed = (uint32_t)(iso_engine_stats(e).n_rows - n_rows);
    prefix_check(&e->prefix);
    export_pages(s, story);
    iso_session_close(s);
    prefix_check(&e->prefix);
}

/* The same bits, and n_computed rows went through the model: n_computed 0: any number. */
static void tell_again(struct iso_engine *e, const int32_t *tokens, struct iso_request more,
                       const struct story *wanted, uint32_t n_computed)
{
    struct story story;
    tell(e, tokens, more, &story);
    assert_memory_equal(story.token, wanted->token, sizeof story.token);
    assert_memory_equal(story.digest, wanted->digest, sizeof story.digest);
    assert_memory_equal(story.record, wanted->record, sizeof story.record);
    assert_memory_equal(story.page, wanted->page, sizeof story.page);
    assert_int_equal(story.n_kv, wanted->n_kv);
    assert_memory_equal(story.kv, wanted->kv, story.n_kv);
    if (n_computed)
        assert_int_equal(story.n_computed, n_computed);
    mem_free(story.kv);
}

/* Three prompts: the second shares 100 tokens with the first, the third nothing. */
static int32_t prompts[3][PROMPT];
static struct story wanted[3];

static void make_stories(void)
{
    struct iso_engine *e = open_engine((struct iso_engine_options){0});
    uint64_t seed = 3;
    for (int i = 0; i < PROMPT; i++)
        for (int k = 0; k < 3; k++)
            prompts[k][i] = (int32_t)(test_rand(&seed) % iso_engine_info(e).n_vocab);
    memcpy(prompts[1], prompts[0], 100 * sizeof prompts[0][0]);
    prompts[1][100] = !prompts[0][100];
    prompts[2][0] = !prompts[0][0];
    for (int k = 0; k < 3; k++)
        tell(e, prompts[k], (struct iso_request){.no_cache = true}, &wanted[k]);
    assert_int_equal(iso_engine_info(e).n_kv_pages_remembered, 0);
    iso_engine_close(e);
}

static void from_the_tree(void)
{
    struct iso_request own = {0}, other = {.tenant = 5}, pool = {.cache_pool = 5};
    struct iso_engine *e = open_engine((struct iso_engine_options){.n_kv_pages = 30});
    uint32_t all = PROMPT + ANSWER - 1;
    tell_again(e, prompts[0], own, &wanted[0], all);
    tell_again(e, prompts[0], own, &wanted[0], ANSWER);
    tell_again(e, prompts[1], own, &wanted[1], all - 100);
    tell_again(e, prompts[0], other, &wanted[0], all); /* another tenant's are never looked at */
    tell_again(e, prompts[0], pool, &wanted[0], all);
    pool.tenant = 9;
    tell_again(e, prompts[0], pool, &wanted[0], ANSWER);
    tell_again(e, prompts[0], (struct iso_request){.no_cache = true}, &wanted[0], all);
    struct iso_cache_info c = iso_engine_info(e).cache;
    assert_int_equal(c.n_hits, 3);
    assert_int_equal(c.n_misses, 3);
    assert_int_equal(c.n_positions_recalled, 2 * (PROMPT - 1) + 100);
    iso_engine_close(e);

    /* A pool of one session: each prompt pushes the others out. */
    e = open_engine((struct iso_engine_options){.n_kv_pages = 4});
    for (int i = 0; i < 9; i++)
        tell_again(e, prompts[i % 3], own, &wanted[i % 3], 0);
    assert_true(iso_engine_info(e).cache.n_evicted > 5);
    iso_engine_close(e);
}

/* Flips a bit in each file of the folder. */
static int damage_files(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *item; (item = readdir(dir));) {
        uint8_t byte;
        int fd = openat(dirfd(dir), item->d_name, O_RDWR);
        if (item->d_name[0] == '.' || fd < 0 || pread(fd, &byte, 1, 500) != 1)
            continue;
        byte ^= 4;
        n += pwrite(fd, &byte, 1, 500) == 1;
        close(fd);
    }
    closedir(dir);
    return n;
}

static void from_the_disk(void)
{
    struct iso_engine_options o = {.cache_dir = folder, .n_cache_bytes = 1 << 24};
    struct iso_request own = {0}, other = {.tenant = 5};
    uint32_t all = PROMPT + ANSWER - 1;
    struct iso_engine *e = open_engine(o);
    tell_again(e, prompts[0], own, &wanted[0], all);
    iso_engine_close(e); /* writes three whole pages */
    e = open_engine(o);
    tell_again(e, prompts[1], own, &wanted[1], all - KV_PAGE);
    tell_again(e, prompts[0], own, &wanted[0], all - 2 * KV_PAGE);
    tell_again(e, prompts[0], other, &wanted[0], all);
    struct iso_cache_info c = iso_engine_info(e).cache;
    assert_int_equal(c.n_pages_read, 2);
    assert_int_equal(c.n_positions_restored, KV_PAGE + 28); /* 100 were in the tree by then */
    assert_string_equal(c.note, "");
    iso_engine_close(e);
    assert_true(damage_files() >= 5);
    e = open_engine(o);
    tell_again(e, prompts[0], own, &wanted[0], all);
    c = iso_engine_info(e).cache;
    assert_int_equal(c.n_files_bad, 1);
    assert_non_null(strstr(c.note, "damaged"));
    iso_engine_close(e);
    o.n_kv_pages = 4; /* the disk takes what the pool has no room for */
    e = open_engine(o);
    for (int i = 0; i < 9; i++)
        tell_again(e, prompts[i % 3], own, &wanted[i % 3], 0);
    c = iso_engine_info(e).cache;
    assert_true(c.n_pages_read > 5 && c.n_pages_written > 0);
    iso_engine_close(e);
}

static void on_every_isa(void)
{
    for (const char *const *name = cpu_isa_names(); *name; name++) {
        struct iso_engine *e = open_engine((struct iso_engine_options){.isa = *name});
        tell_again(e, prompts[0], (struct iso_request){0}, &wanted[0], 0);
        iso_engine_close(e);
    }
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *item; (item = readdir(dir));)
        unlinkat(dirfd(dir), item->d_name, 0);
    closedir(dir);
}

static void remembered_bits_are_computed_bits(void **state)
{
    (void)state;
    char path[200];
    setenv("XDG_CACHE_HOME", "/dev/null", 1); /* weights are hashed, and nothing is kept */
    snprintf(folder, sizeof folder, "/tmp/isobit-remember-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < COUNT_OF(models); i += test_every(3)) {
        snprintf(path, sizeof path, TEST_DIR "/golden/model/%s.gguf", models[i]);
        assert_ok(gguf_open(path, &table, NULL));
        make_stories();
        from_the_tree();
        from_the_disk();
        on_every_isa();
        empty_folder();
        on_guarded = true;
        from_the_tree();
        from_the_disk();
        on_guarded = false;
        empty_folder();
        for (int k = 0; k < 3; k++)
            mem_free(wanted[k].kv);
        table_close(&table);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembered_bits_are_computed_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
