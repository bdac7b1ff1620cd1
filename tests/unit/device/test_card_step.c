/* test_card_step.c - an engine over the stand-in for a card: a step that decodes is one recording
 * and one small copy back, the next is submitted before its tokens are looked at, and what comes
 * out is the CPU's, whichever call of the driver fails. */
#include <dlfcn.h>

#include "engine/engine.h"
#include "engine/engine_int.h"
#include "format/gguf.h"
#include "lib/test.h"

enum { SESSIONS = 2, ANSWER = 8, STEPS_MAX = 64 };

static struct table table;
static const uint64_t *n_calls; /* of the driver, since the device was opened */

struct told {
    int32_t token;
    float logprob;
    struct iso_record record;
    struct iso_logprob top[3];
};
struct story {
    struct told told[SESSIONS][ANSWER];
    uint32_t n[SESSIONS];
    uint64_t n_opening, calls[STEPS_MAX]; /* until all is open; of each step */
    uint32_t n_steps, n_ahead, n_notices;
};

static void take_notice(void *context, const char *text)
{
    struct story *story = context;
    (void)text;
    story->n_notices++;
}

static void take_event(const struct iso_event *v, struct story *story)
{
    size_t i = (size_t)(uintptr_t)v->request->user;
    if (v->kind != ISO_EVENT_TOKEN)
        return;
    assert_true(story->n[i] < ANSWER);
    struct told *told = &story->told[i][story->n[i]++];
    told->token = v->token;
    told->logprob = v->logprob;
    told->record = *v->record;
    memcpy(told->top, v->logprobs, sizeof told->top);
}

/* With penalties passes do not go ahead, as those go by tokens that the host has to see. */
static void tell(const char *gpu, bool penalise, struct story *story)
{
    static const int32_t prompt[] = {5, 9, 3, 7, 11, 2, 30, 8};
    struct iso_engine_options o = {.n_threads = 1,
                                   .gpu = gpu,
                                   .n_ctx = 64,
                                   .n_chunk = 16,
                                   .n_sessions = SESSIONS,
                                   .n_kv_pages = 8,
                                   .no_speculation = true,
                                   .notice = take_notice,
                                   .notice_context = story};
    struct iso_request r = iso_request_default();
    const struct iso_event *events;
    struct iso_session *s;
    struct iso_engine *e;
    struct err_note note = {""};
    *story = (struct story){.n_steps = 0};
    if (engine_open(&table, NULL, &o, &e, &note))
        fail_msg("%s", note.text);
    r.tokens = prompt;
    r.n_answer_max = ANSWER;
    r.want_logprob = r.want_records = true;
    r.n_logprobs = 3;
    r.sampling.repeat_penalty = penalise ? 1.3f : 1;
    for (uint32_t i = 0; i < SESSIONS; i++) {
        r.n_tokens = COUNT_OF(prompt) - 3 * i;
        r.sampling.seed = i;
        r.sampling.temperature = i ? 0 : 0.9f;
        r.user = (void *)(uintptr_t)i;
        assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
        assert_int_equal(iso_session_submit(s, &r, NULL), ISO_OK);
    }
    story->n_opening = *n_calls;
    for (size_t n; assert_true(story->n_steps < STEPS_MAX), true; story->n_steps++) {
        uint64_t before = *n_calls;
        n = iso_engine_step(e, &events);
        if (n == 0)
            break;
        story->calls[story->n_steps] = *n_calls - before;
        story->n_ahead += e->ahead.n > 0;
        for (size_t i = 0; i < n; i++)
            take_event(&events[i], story);
    }
    iso_engine_close(e);
}

static void assert_same(const struct story *a, const struct story *b)
{
    for (uint32_t i = 0; i < SESSIONS; i++)
        assert_int_equal(a->n[i], ANSWER);
    assert_memory_equal(a->n, b->n, sizeof a->n);
    assert_memory_equal(a->told, b->told, sizeof a->told);
}

static struct story wanted, got;

static void steps_are_recorded(void **state)
{
    (void)state;
    for (int penalise = 0; penalise < 2; penalise++) {
        uint64_t least = UINT64_MAX;
        tell("cpu", penalise, &wanted);
        tell("cuda", penalise, &got);
        assert_same(&wanted, &got);
        assert_int_equal(got.n_notices, 0);
        assert_in_range(got.n_ahead, penalise ? 0 : ANSWER - 3, penalise ? 0 : ANSWER);
        for (uint32_t i = 0; i < got.n_steps; i++)
            least = got.calls[i] && got.calls[i] < least ? got.calls[i] : least;
        /* Copies of what the pass is told, the recording, a copy back, its event, the wait. */
        if (least > 12)
            fail_msg("%llu calls in a step", (unsigned long long)least);
    }
}

/* Calls of all that steps make, alone or with all that follow, and those that only a step makes. */
static void a_call_that_fails_changes_no_token(void **state)
{
    char fail[64];
    uint64_t n = 0, n_opening;
    (void)state;
    tell("cpu", false, &wanted);
    tell("cuda", false, &got);
    n_opening = got.n_opening;
    for (uint32_t i = 0; i < got.n_steps; i++)
        n += got.calls[i];
    for (uint64_t k = 1; k < n; k += n / 5 * test_every(3)) {
        snprintf(fail, sizeof fail, "*:%llu:%d", (unsigned long long)(n_opening + k),
                 k % 2 ? 999 : 719);
        setenv("STANDIN_FAIL", fail, 1);
        tell("cuda", false, &got);
        assert_same(&wanted, &got);
        assert_int_equal(got.n_notices, 1);
    }
    static const char *const calls[] = {
        "cuGraphLaunch:2:719", "cuMemcpyDtoHAsync:5:999",  "cuEventSynchronize:4:719",
        "cuEventRecord:7:999", "cuStreamEndCapture:1:719", "cuGraphInstantiateWithFlags:1:2"};
    for (size_t i = 0; i < COUNT_OF(calls); i += test_every(2)) {
        setenv("STANDIN_FAIL", calls[i], 1);
        tell("cuda", false, &got);
        assert_same(&wanted, &got);
        assert_int_equal(got.n_notices, 1);
    }
    unsetenv("STANDIN_FAIL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_recorded),
        cmocka_unit_test(a_call_that_fails_changes_no_token),
    };
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    n_calls = library ? dlsym(library, "standin_n_calls") : NULL;
    if (!n_calls || gguf_open(TEST_DIR "/golden/model/llama.gguf", &table, NULL))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    table_close(&table);
    dlclose(library);
    return rc;
}
