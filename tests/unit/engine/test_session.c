/* test_session.c - engine and sessions over a fake model whose cache is hashes of tokens: whatever
 * a session does (chunks, batches, forks, cuts, copies), its logits must be those of its own
 * timeline. */
#include "lib/test.h"

#include "base/hash.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "lib/fake_model.h"

enum { V = FAKE_VOCAB, CTX = FAKE_CTX, BAD_TOKEN = FAKE_BAD_TOKEN };

static struct iso_engine *open_fake(struct iso_engine_options o)
{
    struct iso_engine *e;
    struct err_note note = {""};
    if (engine_open(NULL, NULL, &o, &e, &note))
        fail_msg("%s", note.text);
    return e;
}

static void make_prompt(uint64_t seed, int32_t *tokens, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = (int32_t)(test_rand(&seed) % (V - 1));
}

static struct iso_request request_of(const int32_t *tokens, uint32_t n, uint32_t n_answer)
{
    struct iso_request r = iso_request_default();
    r.tokens = tokens;
    r.n_tokens = n;
    r.n_answer_max = n_answer;
    r.sampling.bias = fake_no_bad;
    r.sampling.n_bias = 1;
    r.sampling.repeat_penalty = 1.2f;
    r.sampling.seed = 11;
    return r;
}

static struct iso_event run_to_end(struct iso_engine *e)
{
    const struct iso_event *events;
    struct iso_event last = {0};
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < n; i++)
            last = events[i].kind == ISO_EVENT_FINISH ? events[i] : last;
    return last;
}

static void assert_timeline(struct iso_session *s, const int32_t *wanted, uint32_t n)
{
    uint32_t n_tokens;
    const int32_t *tokens = iso_session_tokens(s, &n_tokens);
    assert_int_equal(n_tokens, n);
    assert_memory_equal(tokens, wanted, n * sizeof tokens[0]);
}

/* Rows are read as what they are, whatever else runs, and leave an empty session. */
static void rows_in_place_of_tokens(void **state)
{
    (void)state;
    enum { N = 100 };
    static const float mirrors[] = {7};
    float rows[N], hidden = 0, wanted[V];
    int32_t line[N], prompt[30], chat[60];
    for (int i = 0; i < N; i++) {
        rows[i] = (float)(i % 13);
        line[i] = FAKE_ROW + (int32_t)rows[i] + 7;
    }
    fake_oracle_logits(line, N, wanted);
    make_prompt(4, prompt, 30);
    struct iso_engine *e = open_fake((struct iso_engine_options){.n_chunk = 16, .n_sessions = 2});
    struct iso_session *nonce, *talk;
    assert_int_equal(iso_session_open(e, &nonce, NULL), ISO_OK);
    assert_int_equal(iso_session_open(e, &talk, NULL), ISO_OK);
    struct iso_request r = iso_request_default(), t = request_of(prompt, 30, 30);
    struct iso_note note;
    r.rows = rows;
    r.mirrors = mirrors;
    r.n_tokens = N;
    r.want_hidden = r.no_cache = r.in_gaps = true;
    r.n_answer_max = 1;
    assert_int_equal(iso_session_submit(nonce, &r, &note), ISO_ERR_USAGE);
    assert_non_null(strstr(note.text, "answer"));
    r.n_answer_max = 0;
    r.tokens = prompt;
    assert_int_equal(iso_session_submit(nonce, &r, &note), ISO_ERR_USAGE);
    r.tokens = NULL;
    r.n_tokens = FAKE_CTX + 1;
    assert_int_equal(iso_session_submit(nonce, &r, &note), ISO_ERR_LIMIT);
    r.n_tokens = N;
    for (int round = 0; round < 3; round++) {
        const struct iso_event *events;
        uint32_t n_left;
        hidden = 0;
        assert_int_equal(iso_session_submit(nonce, &r, &note), ISO_OK);
        if (round > 0)
            assert_int_equal(iso_session_submit(talk, &t, &note), ISO_OK);
        for (size_t n, k = 0; (n = iso_engine_step(e, &events)) > 0; k++) {
            if (round == 2 && k == 5)
                iso_session_cancel(nonce, ISO_FINISH_CANCELLED);
            for (size_t i = 0; i < n; i++)
                if (events[i].kind == ISO_EVENT_BORDER && events[i].session == nonce)
                    hidden = events[i].hidden[0];
        }
        assert_true(hidden == (round == 2 ? 0 : wanted[0]));
        iso_session_tokens(nonce, &n_left);
        assert_int_equal(n_left, 0);
        if (round > 0) {
            memcpy(chat, prompt, sizeof prompt);
            assert_timeline(talk, chat, fake_oracle(chat, 30, 30, &t.sampling));
            iso_session_cut(talk, 0);
        }
    }
    iso_session_close(talk);
    assert_int_equal(iso_engine_stats(e).n_kv_pages_used, 0);
    iso_engine_close(e);
}

static void tokens_do_not_depend_on_chunks(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {1, 2, 7, 63, 64, 65, 512};
    int32_t wanted[CTX], prompt[100];
    make_prompt(1, prompt, 100);
    struct iso_request r = request_of(prompt, 100, 60);
    memcpy(wanted, prompt, sizeof prompt);
    fake_oracle(wanted, 100, 60, &r.sampling);
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        struct iso_session *s;
        struct iso_engine *e = open_fake((struct iso_engine_options){.n_chunk = chunks[i]});
        assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
        assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
        struct iso_event end = run_to_end(e);
        assert_int_equal(end.finish, ISO_FINISH_LENGTH);
        assert_timeline(s, wanted, 160);
        assert_int_equal(fake.n_rows_largest, chunks[i] < 100 ? chunks[i] : 100);
        iso_engine_close(e);
    }
}

static void events_tell_the_whole_story(void **state)
{
    (void)state;
    int32_t prompt[10];
    make_prompt(2, prompt, 10);
    struct iso_request r = request_of(prompt, 10, 3);
    r.want_logits_prompt = r.want_digests = r.want_logprob = true;
    r.n_logprobs = 5;
    struct iso_session *s;
    struct iso_engine *e = open_fake((struct iso_engine_options){.n_chunk = 4, .n_logits = 3});
    iso_session_open(e, &s, NULL);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    char story[100] = "";
    const struct iso_event *events;
    uint32_t position = 0;
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            const struct iso_event *ev = &events[i];
            story[strlen(story)] = "pLbTPf"[ev->kind];
            if (ev->kind == ISO_EVENT_PROMPT || ev->kind == ISO_EVENT_FINISH)
                continue;
            assert_int_equal(ev->position, position);
            position += ev->kind != ISO_EVENT_BORDER;
            if (ev->kind == ISO_EVENT_BORDER) {
                assert_int_equal(position, 10);
                continue;
            }
            uint8_t digest[32];
            sha256_of(ev->logits, V * sizeof(float), digest);
            assert_memory_equal(ev->digest, digest, 32);
            if (ev->kind != ISO_EVENT_TOKEN)
                continue;
            assert_int_equal(ev->n_logprobs, 5);
            assert_true(ev->logprob == iso_logprob(ev->logits, V, ev->token));
        }
    }
    assert_string_equal(story, "LLLpLLLpLLLpLpbTTTf");
    assert_true(iso_session_idle(s));
    iso_engine_close(e);
}

/* Sessions of every length run at once; each is what it would have been alone. */
static void sessions_do_not_disturb_each_other(void **state)
{
    (void)state;
    enum { N = 9 };
    static int32_t prompts[N][CTX], wanted[N][CTX];
    struct iso_session *s[N];
    struct iso_engine *e = open_fake((struct iso_engine_options){.n_chunk = 16, .n_sessions = N});
    for (uint32_t i = 0; i < N; i++) {
        make_prompt(i, prompts[i], 1 + 17 * i);
        struct iso_request r = request_of(prompts[i], 1 + 17 * i, 5 + 3 * i);
        r.sampling.choice = i;
        memcpy(wanted[i], prompts[i], sizeof wanted[i]);
        fake_oracle(wanted[i], r.n_tokens, r.n_answer_max, &r.sampling);
        assert_int_equal(iso_session_open(e, &s[i], NULL), ISO_OK);
        assert_int_equal(iso_session_submit(s[i], &r, NULL), ISO_OK);
    }
    struct iso_session *none;
    struct iso_note note;
    assert_int_equal(iso_session_open(e, &none, &note), ISO_ERR_BUSY);
    run_to_end(e);
    for (uint32_t i = 0; i < N; i++)
        assert_timeline(s[i], wanted[i], 6 + 20 * i);
    iso_engine_close(e);
}

/* Random forks, cuts and requests; every timeline must equal the oracle's. */
static void fork_and_cut(uint32_t rope_border)
{
    enum { N = 4, MOVES = 300 };
    struct iso_session *s[N] = {NULL};
    static int32_t line[N][CTX];
    uint32_t length[N] = {0};
    uint64_t seed = 77;
    fake_options.rope_border = rope_border;
    struct iso_engine *e = open_fake((struct iso_engine_options){.n_chunk = 30, .n_sessions = N});
    for (int move = 0; move < MOVES; move++) {
        uint32_t i = test_rand(&seed) % N, k = test_rand(&seed) % N, kind = test_rand(&seed) % 8;
        if (!s[i] && s[k]) {
            assert_int_equal(iso_session_fork(s[k], &s[i], NULL), ISO_OK);
            memcpy(line[i], line[k], sizeof line[i]);
            length[i] = length[k];
        } else if (!s[i]) {
            assert_int_equal(iso_session_open(e, &s[i], NULL), ISO_OK);
            length[i] = 0;
        } else if (kind == 0) {
            iso_session_close(s[i]);
            s[i] = NULL;
            continue;
        } else if (kind <= 2) {
            length[i] = (uint32_t)(test_rand(&seed) % (length[i] + 1));
            iso_session_cut(s[i], length[i]);
        }
        uint32_t n_prompt = (length[i] == 0) + test_rand(&seed) % 40, n_answer = 1 + move % 20;
        if (length[i] + n_prompt + n_answer > CTX)
            continue;
        make_prompt(test_rand(&seed), line[i] + length[i], n_prompt);
        struct iso_request r = request_of(line[i] + length[i], n_prompt, n_answer);
        r.sampling.seed = (uint64_t)move;
        length[i] = fake_oracle(line[i], length[i] + n_prompt, n_answer, &r.sampling);
        assert_int_equal(iso_session_submit(s[i], &r, NULL), ISO_OK);
        run_to_end(e);
        assert_timeline(s[i], line[i], length[i]);
    }
    for (int i = 0; i < N; i++)
        iso_session_close(s[i]);
    struct iso_engine_info info = iso_engine_info(e);
    assert_int_equal(info.n_kv_pages_free, info.n_kv_pages);
    iso_engine_close(e);
    fake_options.rope_border = 0;
}

static void forks_and_cuts_keep_timelines_apart(void **state)
{
    (void)state;
    fork_and_cut(0);
    fork_and_cut(65);
    fork_and_cut(100);
}

/* Every prompt token's logits, on both sides of LongRoPE's border, and the answer after them. */
static void long_prompts_are_read_twice(void **state)
{
    (void)state;
    int32_t prompt[CTX], wanted[CTX];
    float logits[V];
    struct iso_session *s;
    make_prompt(8, prompt, 90);
    fake_options.rope_border = 70;
    struct iso_engine *e = open_fake((struct iso_engine_options){.n_chunk = 16, .n_logits = 16});
    struct iso_request r = request_of(prompt, 90, 5);
    memcpy(wanted, prompt, sizeof prompt);
    fake_oracle(wanted, 90, 5, &r.sampling);
    r.want_logits_prompt = true;
    iso_session_open(e, &s, NULL);
    iso_session_submit(s, &r, NULL);
    const struct iso_event *events;
    uint32_t position = 0;
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < n; i++) {
            if (events[i].kind != ISO_EVENT_LOGITS)
                continue;
            assert_int_equal(events[i].position, position);
            fake_oracle_logits(prompt, ++position, logits);
            assert_memory_equal(events[i].logits, logits, sizeof logits);
        }
    assert_int_equal(position, 90);
    assert_timeline(s, wanted, 95);
    iso_engine_close(e);
    fake_options.rope_border = 0;
}

/* n > 1: the prompt but for its last token is read once, then each choice goes its own way. */
static void choices_share_a_prompt(void **state)
{
    (void)state;
    enum { N = 4, PROMPT = 100, ANSWER = 20 };
    int32_t prompt[CTX], wanted[CTX];
    struct iso_session *s[N];
    struct iso_engine *e =
        open_fake((struct iso_engine_options){.n_sessions = N, .no_speculation = true});
    make_prompt(6, prompt, PROMPT);
    struct iso_request r = request_of(prompt, PROMPT - 1, 0);
    iso_session_open(e, &s[0], NULL);
    iso_session_submit(s[0], &r, NULL);
    run_to_end(e);
    for (uint32_t i = 1; i < N; i++)
        assert_int_equal(iso_session_fork(s[0], &s[i], NULL), ISO_OK);
    r = request_of(prompt + PROMPT - 1, 1, ANSWER);
    for (r.sampling.choice = 0; r.sampling.choice < N; r.sampling.choice++)
        assert_int_equal(iso_session_submit(s[r.sampling.choice], &r, NULL), ISO_OK);
    run_to_end(e);
    for (r.sampling.choice = 0; r.sampling.choice < N; r.sampling.choice++) {
        memcpy(wanted, prompt, sizeof wanted);
        fake_oracle(wanted, PROMPT, ANSWER, &r.sampling);
        assert_timeline(s[r.sampling.choice], wanted, PROMPT + ANSWER);
    }
    assert_int_equal(iso_engine_stats(e).n_rows, PROMPT - 1 + N * ANSWER);
    iso_engine_close(e);
}

/* What receipts are made of. */
struct tap {
    uint32_t n_records, n_pages;
    int32_t token[CTX];
    struct iso_record record[CTX];
    uint32_t page_at[CTX / KV_PAGE];
    uint8_t page[CTX / KV_PAGE][ISO_DIGEST_BYTES];
};

static void take_taps(struct iso_engine *e, struct iso_session *const *s, struct tap *taps,
                      uint32_t n_sessions)
{
    const struct iso_event *events;
    memset(taps, 0, n_sessions * sizeof *taps);
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < n; i++) {
            const struct iso_event *v = &events[i];
            struct tap *tap = taps;
            while (s[tap - taps] != v->session)
                tap++;
            if (v->kind == ISO_EVENT_TOKEN) {
                tap->token[tap->n_records] = v->token;
                tap->record[tap->n_records++] = *v->record;
            } else if (v->kind == ISO_EVENT_PAGE) {
                tap->page_at[tap->n_pages] = v->position;
                memcpy(tap->page[tap->n_pages++], v->digest, ISO_DIGEST_BYTES);
            } else if (v->kind == ISO_EVENT_FINISH) {
                assert_int_equal(v->err, ISO_OK);
            }
        }
}

static uint32_t guess_some(void *context, const struct iso_session *s, int32_t *guesses,
                           uint32_t n_max)
{
    uint32_t n_tokens;
    const int32_t *line = context;
    iso_session_tokens(s, &n_tokens);
    for (uint32_t i = 0; i < n_max; i++) /* some come true */
        guesses[i] = n_tokens + i < CTX ? (line[n_tokens + i] + (n_tokens % 5 == 0)) % (V - 1) : 0;
    return n_max;
}

/* Records and pages do not depend on batches, chunks, guesses, memory that is short, or on what is
 * remembered; they are those of the rows that the tokens were chosen from. */
static void receipts_have_the_same_parts_everywhere(void **state)
{
    (void)state;
    enum { N = 16, PROMPT = 50, ANSWER = 140 };
    static int32_t prompts[N][CTX], lines[N][CTX];
    static struct tap wanted[N], got[N];
    struct iso_session *s[N];
    struct iso_request r[N];
    struct iso_engine *e = open_fake((struct iso_engine_options){.no_speculation = true});
    for (uint32_t i = 0; i < N; i++) {
        make_prompt(i, prompts[i], PROMPT);
        r[i] = request_of(prompts[i], PROMPT, ANSWER);
        r[i].sampling.choice = i;
        r[i].sampling.temperature = i % 4 ? 0.8f : 0;
        r[i].want_records = r[i].want_pages = true;
        iso_session_open(e, &s[0], NULL);
        assert_int_equal(iso_session_submit(s[0], &r[i], NULL), ISO_OK);
        take_taps(e, s, &wanted[i], 1);
        memcpy(lines[i], prompts[i], sizeof lines[i]);
        fake_oracle(lines[i], PROMPT, ANSWER, &r[i].sampling);
        assert_int_equal(wanted[i].n_records, ANSWER);
        assert_int_equal(wanted[i].n_pages, 2); /* 0 to 63, 64 to 127; the last is not full */
        assert_int_equal(wanted[i].page_at[1], 64);
        for (uint32_t k = 0; k < ANSWER; k++) {
            const struct iso_record *record = &wanted[i].record[k];
            float logits[V];
            fake_oracle_logits(lines[i], PROMPT + k, logits);
            assert_int_equal(wanted[i].token[k], lines[i][PROMPT + k]);
            assert_int_equal(record->n_best, ISO_BEST_MAX);
            assert_true((record->sum > 0) == (i % 4 > 0));
            for (uint32_t b = 0; b < ISO_BEST_MAX; b++)
                assert_true(record->best[b].logit == logits[record->best[b].token]);
        }
        iso_session_close(s[0]);
    }
    iso_engine_close(e);
    static const struct {
        uint32_t n_sessions, n_chunk, n_kv_pages;
        bool guesses;
    } ways[] = {{1, 7, 0, false},   {2, 512, 0, true}, {1, 64, 0, true},  {3, 5, 0, false},
                {16, 512, 0, false}, {16, 9, 0, true},  {16, 64, 9, false}, {4, 32, 5, true}};
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        uint32_t n = ways[w].n_sessions;
        e = open_fake((struct iso_engine_options){.n_sessions = n,
                                                  .n_chunk = ways[w].n_chunk,
                                                  .n_kv_pages = ways[w].n_kv_pages,
                                                  .no_speculation = !ways[w].guesses});
        for (int again = 0; again < 2; again++) { /* the second time it remembers */
            if (ways[w].guesses)
                engine_set_guesser(e, (struct guesser){guess_some, lines[0]});
            for (uint32_t i = 0; i < n; i++) {
                iso_session_open(e, &s[i], NULL);
                assert_int_equal(iso_session_submit(s[i], &r[i], NULL), ISO_OK);
            }
            take_taps(e, s, got, n);
            assert_memory_equal(got, wanted, n * sizeof wanted[0]);
            for (uint32_t i = 0; i < n; i++)
                iso_session_close(s[i]);
        }
        if (ways[w].n_kv_pages)
            assert_true(iso_engine_stats(e).n_preempted > 0);
        else
            assert_true(iso_engine_info(e).cache.n_hits >= n);
        if (ways[w].guesses && n == 1)
            assert_true(iso_engine_stats(e).n_guesses_true > 0);
        iso_engine_close(e);
    }
}

/* A page that the prompt filled is not the answer's; forced tokens are not drawn. */
static void pages_and_sums_are_the_answers_own(void **state)
{
    (void)state;
    int32_t prompt[CTX], forced[] = {3, 4};
    struct iso_session *s;
    struct tap tap;
    struct iso_engine *e = open_fake((struct iso_engine_options){0});
    make_prompt(3, prompt, CTX);
    for (uint32_t n_prompt = 127; n_prompt <= 129; n_prompt++) {
        struct iso_request r = request_of(prompt, n_prompt, 193 - n_prompt);
        r.want_records = r.want_pages = true;
        r.forced = forced;
        r.n_forced = 2;
        iso_session_open(e, &s, NULL);
        assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
        take_taps(e, &s, &tap, 1);
        assert_int_equal(tap.n_pages, n_prompt == 127 ? 2 : 1);
        assert_int_equal(tap.page_at[tap.n_pages - 1], 128);
        for (uint32_t i = 0; i < tap.n_records; i++)
            assert_true((tap.record[i].sum == 0) == (i < 2));
        r.want_logits_prompt = true; /* the prompt's pages too */
        iso_session_cut(s, 0);
        assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
        take_taps(e, &s, &tap, 1);
        assert_int_equal(tap.n_pages, 3);
        iso_session_close(s);
    }
    iso_engine_close(e);
}

/* From another session's pages a session goes on as that one did, in the middle of prompt or
 * answer, and computes nothing before them. */
static void a_session_goes_on_from_pages(void **state)
{
    (void)state;
    enum { PROMPT = 70, ANSWER = 110 };
    int32_t prompt[PROMPT];
    const int32_t *line;
    uint32_t n_line;
    uint8_t pages[3][KV_PAGE * sizeof(uint64_t)], hash[2][ISO_DIGEST_BYTES];
    struct iso_session *from, *s;
    struct tap wanted, got;
    struct iso_engine *e =
        open_fake((struct iso_engine_options){.n_sessions = 2, .no_speculation = true});
    make_prompt(5, prompt, PROMPT);
    struct iso_request r = request_of(prompt, PROMPT, ANSWER);
    r.want_records = r.want_pages = true;
    iso_session_open(e, &from, NULL);
    iso_session_open(e, &s, NULL);
    assert_false(iso_session_page_hash(from, 0, hash[0]));
    assert_int_equal(iso_session_submit(from, &r, NULL), ISO_OK);
    take_taps(e, &from, &wanted, 1);
    line = iso_session_tokens(from, &n_line);
    assert_int_equal(iso_engine_info(e).n_bytes_kv_file, sizeof pages[0]);
    for (uint32_t k = 0; k < 2; k++)
        assert_true(iso_session_page_read(from, k, pages[k]));
    assert_false(iso_session_page_read(from, 2, pages[2]));
    for (uint32_t n_pages = 1; n_pages <= 2; n_pages++)
        for (uint32_t n_end = n_pages * KV_PAGE + 1; n_end <= n_line - 1; n_end += 17) {
            uint32_t n_before = n_pages * KV_PAGE;
            iso_session_cut(s, 0);
            for (uint32_t k = 0; k < n_pages; k++) {
                assert_int_equal(iso_session_page_add(s, line + k * KV_PAGE, pages[k], NULL),
                                 ISO_OK);
                assert_true(iso_session_page_hash(s, k, hash[0]));
                assert_true(iso_session_page_hash(from, k, hash[1]));
                assert_memory_equal(hash[0], hash[1], ISO_DIGEST_BYTES);
            }
            uint64_t n_rows = iso_engine_stats(e).n_rows;
            struct iso_request on = r;
            on.tokens = line + n_before;
            on.n_tokens = n_end - n_before;
            on.n_answered = n_end > PROMPT ? n_end - PROMPT : 0;
            if (n_end < PROMPT)
                on.n_answer_max = 0;
            on.no_cache = true;
            assert_int_equal(iso_session_submit(s, &on, NULL), ISO_OK);
            take_taps(e, &s, &got, 1);
            uint32_t n_chosen = n_end < PROMPT ? 0 : ANSWER - on.n_answered;
            assert_int_equal(got.n_records, n_chosen);
            assert_memory_equal(got.record, wanted.record + on.n_answered,
                                n_chosen * sizeof got.record[0]);
            if (n_chosen)
                assert_timeline(s, line, n_line);
            assert_int_equal(iso_engine_stats(e).n_rows - n_rows,
                             n_end - n_before + (n_chosen ? n_chosen - 1 : 0));
        }
    iso_session_cut(s, 0);
    r.n_answered = PROMPT;
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_ERR_USAGE);
    r.n_answered = 3;
    r.sampling.mirostat = 2;
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_ERR_UNSUPPORTED);
    iso_engine_close(e);
    e = open_fake((struct iso_engine_options){.n_ctx = 128}); /* room for a page and no second */
    iso_session_open(e, &s, NULL);
    prompt[0] = -1;
    assert_int_equal(iso_session_page_add(s, prompt, pages[0], NULL), ISO_ERR_USAGE);
    prompt[0] = 1;
    assert_int_equal(iso_session_page_add(s, prompt, pages[0], NULL), ISO_OK);
    assert_int_equal(iso_session_page_add(s, prompt, pages[1], NULL), ISO_ERR_LIMIT);
    iso_engine_close(e);
}

static void requests_end_for_a_reason(void **state)
{
    (void)state;
    int32_t prompt[CTX + 1], wanted[CTX + 1];
    struct iso_session *s;
    struct iso_engine *e = open_fake((struct iso_engine_options){0});
    make_prompt(5, prompt, CTX);
    iso_session_open(e, &s, NULL);

    struct iso_request r = request_of(prompt, 190, UINT32_MAX);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_ERR_BUSY);
    assert_int_equal(run_to_end(e).finish, ISO_FINISH_CONTEXT);
    uint32_t n;
    iso_session_tokens(s, &n);
    assert_int_equal(n, CTX);

    iso_session_cut(s, 0); /* a prompt that fills the context leaves no room for an answer */
    r = request_of(prompt, CTX, 5);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    assert_int_equal(run_to_end(e).finish, ISO_FINISH_CONTEXT);

    iso_session_cut(s, 0);
    r = request_of(prompt, 8, 50);
    memcpy(wanted, prompt, 8 * sizeof wanted[0]);
    fake_oracle(wanted, 8, 50, &r.sampling);
    r.stops = &wanted[30];
    r.n_stops = 1;
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    assert_int_equal(run_to_end(e).finish, ISO_FINISH_STOP);
    iso_session_tokens(s, &n);
    uint32_t first = 8;
    while (wanted[first] != wanted[30])
        first++;
    assert_timeline(s, wanted, first + 1);

    r = request_of(prompt, 8, 50);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    iso_session_cancel(s, ISO_FINISH_CANCELLED);
    assert_int_equal(run_to_end(e).finish, ISO_FINISH_CANCELLED);

    r = request_of(prompt, 8, 0);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    assert_int_equal(run_to_end(e).finish, ISO_FINISH_LENGTH);

    prompt[3] = BAD_TOKEN;
    iso_session_cut(s, 0);
    r = request_of(prompt, 8, 4);
    assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    struct iso_event end = run_to_end(e);
    assert_int_equal(end.finish, ISO_FINISH_ERROR);
    assert_int_equal(end.err, ISO_ERR_NUMERIC);
    assert_non_null(strstr(end.note, "layer 2 at position 3"));
    iso_engine_close(e);
}

static void wrong_requests_change_nothing(void **state)
{
    (void)state;
    int32_t prompt[CTX + 1], outside[] = {V}, stop[] = {-1};
    struct iso_session *s;
    struct iso_note note;
    struct iso_engine *e = open_fake((struct iso_engine_options){0});
    make_prompt(5, prompt, CTX + 1);
    iso_session_open(e, &s, NULL);
    struct iso_request cases[] = {
        request_of(prompt, CTX + 1, 1), request_of(outside, 1, 1), request_of(prompt, 0, 1),
        request_of(prompt, 3, 1),       request_of(prompt, 3, 1),  request_of(prompt, 3, 1),
    };
    const char *words[] = {"201 tokens but the context holds 200",
                           "token 50",
                           "empty",
                           "stop token -1",
                           "21 log-prob",
                           "temperature"};
    cases[3].stops = stop;
    cases[3].n_stops = 1;
    cases[4].n_logprobs = 21;
    cases[5].sampling.temperature = -2;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_not_equal(iso_session_submit(s, &cases[i], &note), ISO_OK);
        if (!strstr(note.text, words[i]))
            fail_msg("\"%s\" does not say \"%s\"", note.text, words[i]);
        assert_true(iso_session_idle(s));
        assert_timeline(s, prompt, 0);
    }
    iso_engine_close(e);
}

static void every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    struct iso_engine *e;
    struct iso_engine_options o = {.n_sessions = 2};
    uint64_t n = 1;
    for (;; n++) {
        struct err_note note = {""};
        mem_fault_after(n);
        enum err rc = engine_open(NULL, NULL, &o, &e, &note);
        mem_fault_after(0);
        if (rc == ERR_OK)
            break;
        assert_int_equal(rc, ERR_MEMORY);
        assert_null(e);
        assert_true(note.text[0]);
    }
    assert_true(n > 15);
    iso_engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_place_of_tokens),
        cmocka_unit_test(tokens_do_not_depend_on_chunks),
        cmocka_unit_test(events_tell_the_whole_story),
        cmocka_unit_test(sessions_do_not_disturb_each_other),
        cmocka_unit_test(forks_and_cuts_keep_timelines_apart),
        cmocka_unit_test(long_prompts_are_read_twice),
        cmocka_unit_test(choices_share_a_prompt),
        cmocka_unit_test(receipts_have_the_same_parts_everywhere),
        cmocka_unit_test(pages_and_sums_are_the_answers_own),
        cmocka_unit_test(a_session_goes_on_from_pages),
        cmocka_unit_test(requests_end_for_a_reason),
        cmocka_unit_test(wrong_requests_change_nothing),
        cmocka_unit_test(every_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
