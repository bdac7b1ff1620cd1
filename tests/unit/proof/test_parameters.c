/* test_parameters.c - parameters of a receipt against vectors, there and back; every field of a
 * request is among them, or is known to choose no token; what is refused. */
#include "lib/test.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "proof/parameters.h"

static const struct iso_bias biases[] = {{3, -INFINITY}, {70000, 0.1f}};
static const int32_t tail[] = {14}, stops[] = {2}, forced[] = {5, 6};
static const struct iso_breaker breakers[] = {{13, 0, NULL}, {13, 1, tail}};
static const struct str stop_texts[] = {{"\n\n", 2}};

/* Those of the vectors. */
static struct parameters sample(void)
{
    struct parameters p = {.request = iso_request_default(),
                           .n_ctx = 8192,
                           .stop_texts = stop_texts,
                           .n_stop_texts = 1,
                           .constraint = {.kind = STR("regex")},
                           .interface = STR("run"),
                           .has_clock = true,
                           .clock_s = 1700000000};
    struct iso_sampling *s = &p.request.sampling;
    sha256_of("[a-z]+", 6, p.constraint.hash.bytes);
    p.request.stops = stops;
    p.request.n_stops = 1;
    s->choice = 1;
    s->bias = biases;
    s->n_bias = 2;
    s->dry_breakers = breakers;
    s->n_dry_breakers = 2;
    s->frequency_penalty = -0.5f;
    s->presence_penalty = 1e-5f;
    s->seed = 99; /* not among them */
    return p;
}

static char *text_of(const struct parameters *p)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    parameters_write(p, &out);
    assert_false(out.failed);
    return buf_take(&out);
}

static char *vector(void)
{
    char *all, *at, *copy;
    assert_ok(file_read(TEST_DIR "/golden/proof/receipt.txt", 1 << 20, &all, NULL, NULL));
    at = strstr(all, "\nparameters ");
    assert_non_null(at);
    at += strlen("\nparameters ");
    copy = mem_alloc(strlen(at) + 1);
    memcpy(copy, at, strlen(at) + 1);
    copy[strcspn(copy, "\n")] = 0;
    mem_free(all);
    return copy;
}

/* Read and written again: the same bytes. */
static void assert_returns(const char *text)
{
    struct canon_doc doc;
    struct parameters p;
    struct err_note note = {""};
    if (canon_read(str_from(text), &doc, &note) || parameters_read(&doc, doc.nodes, &p, &note))
        fail_msg("%s: %s", text, note.text);
    char *again = text_of(&p);
    assert_string_equal(again, text);
    mem_free(again);
    parameters_release(&p);
    canon_release(&doc);
}

static void parameters_have_these_bytes(void **state)
{
    (void)state;
    struct parameters p = sample();
    char *text = text_of(&p), *wanted = vector();
    assert_string_equal(text, wanted);
    assert_returns(text);
    mem_free(wanted);
    mem_free(text);
}

static void every_float_returns(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int i = 0; i < 3000; i++) {
        struct parameters p = sample();
        uint32_t bits = (uint32_t)test_rand(&seed);
        float x;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        p.request.sampling.top_p = i ? x : -0.0f;
        char *text = text_of(&p);
        assert_returns(text);
        if (i == 0)
            assert_non_null(strstr(text, "\"top_p\":\"0\""));
        mem_free(text);
    }
}

/* ---- every field -------------------------------------------------------------------------- */

/* How a field is changed so that another answer may come of it; NULL: it changes no token. */
struct field {
    const char *name;
    void (*change)(struct iso_request *r);
};

#define CHANGE(name, statement)                                                                    \
    static void change_##name(struct iso_request *r)                                               \
    {                                                                                              \
        statement;                                                                                 \
    }
#define CHANGED(name) {#name, change_##name}
CHANGE(n_answer_max, r->n_answer_max = 7)
CHANGE(n_answer_min, r->n_answer_min = 7)
CHANGE(forced, (r->forced = forced, r->n_forced = 1))
CHANGE(n_forced, (r->forced = forced, r->n_forced = 2))
CHANGE(stops, (r->stops = forced, r->n_stops = 1))
CHANGE(n_stops, r->n_stops = 0)
CHANGE(ignore_stops, r->ignore_stops = true)
CHANGE(sampling, r->sampling.top_k = 1)

static const struct field request_fields[] = {
    CHANGED(n_answer_max), CHANGED(n_answer_min), CHANGED(forced),       CHANGED(n_forced),
    CHANGED(stops),        CHANGED(n_stops),      CHANGED(ignore_stops), CHANGED(sampling),
    {"tokens", NULL}, /* the prompt has a place of its own */
    {"n_tokens", NULL},
    {"constraint", NULL}, /* a function: parameters.constraint says which */
    {"expected", NULL}, /* a guess */
    {"n_expected", NULL},
    {"priority", NULL},
    {"rows", NULL}, /* no text, and no answer */
    {"mirrors", NULL},
    {"in_gaps", NULL},
    {"deadline_ms", NULL},
    {"n_logprobs", NULL},
    {"want_logprob", NULL},
    {"processed_logprobs", NULL},
    {"want_logits_prompt", NULL},
    {"want_hidden", NULL},
    {"want_logits", NULL},
    {"want_digests", NULL},
    {"want_records", NULL},
    {"want_pages", NULL},
    {"n_answered", NULL}, /* of an answer that goes on elsewhere */
    {"tenant", NULL},
    {"cache_pool", NULL},
    {"no_cache", NULL},
    {"user", NULL},
};

CHANGE(temperature, r->sampling.temperature = 0)
CHANGE(top_k, r->sampling.top_k = 3)
CHANGE(top_p, r->sampling.top_p = 0.9f)
CHANGE(min_p, r->sampling.min_p = 0.01f)
CHANGE(typical_p, r->sampling.typical_p = 0.5f)
CHANGE(repeat_penalty, r->sampling.repeat_penalty = 1.1f)
CHANGE(frequency_penalty, r->sampling.frequency_penalty = 0.25f)
CHANGE(presence_penalty, r->sampling.presence_penalty = 0.25f)
CHANGE(n_penalty_window, r->sampling.n_penalty_window = 5)
CHANGE(penalise_answer, r->sampling.penalise_answer = true)
CHANGE(dry_multiplier, r->sampling.dry_multiplier = 1)
CHANGE(dry_base, r->sampling.dry_base = 2)
CHANGE(dry_allowed_length, r->sampling.dry_allowed_length = 3)
CHANGE(n_dry_window, r->sampling.n_dry_window = 100)
CHANGE(xtc_probability, r->sampling.xtc_probability = 0.5f)
CHANGE(xtc_threshold, r->sampling.xtc_threshold = 0.2f)
CHANGE(mirostat, r->sampling.mirostat = 2)
CHANGE(mirostat_tau, r->sampling.mirostat_tau = 4)
CHANGE(mirostat_eta, r->sampling.mirostat_eta = 0.2f)
CHANGE(choice, r->sampling.choice = 2)
CHANGE(order, r->sampling.order[7] = ISO_STAGE_END)
CHANGE(bias, r->sampling.bias = biases + 1; r->sampling.n_bias = 1)
CHANGE(n_bias, r->sampling.n_bias = 1)
CHANGE(dry_breakers, r->sampling.dry_breakers = breakers + 1; r->sampling.n_dry_breakers = 1)
CHANGE(n_dry_breakers, r->sampling.n_dry_breakers = 1)

static const struct field sampling_fields[] = {
    CHANGED(temperature),        CHANGED(top_k),
    CHANGED(top_p),              CHANGED(min_p),
    CHANGED(typical_p),          CHANGED(repeat_penalty),
    CHANGED(frequency_penalty),  CHANGED(presence_penalty),
    CHANGED(n_penalty_window),   CHANGED(penalise_answer),
    CHANGED(dry_multiplier),     CHANGED(dry_base),
    CHANGED(dry_allowed_length), CHANGED(n_dry_window),
    CHANGED(xtc_probability),    CHANGED(xtc_threshold),
    CHANGED(mirostat),           CHANGED(mirostat_tau),
    CHANGED(mirostat_eta),       CHANGED(choice),
    CHANGED(order),              CHANGED(bias),
    CHANGED(n_bias),             CHANGED(dry_breakers),
    CHANGED(n_dry_breakers),     {"seed", NULL}, /* the receipt's own */
};

/* The names that a struct of the public header declares: words before ';' or '['. */
static uint32_t names_of(const char *header, const char *opening, char names[64][40])
{
    const char *at = strstr(header, opening), *end = strstr(at, "\n};");
    uint32_t n = 0;
    assert_non_null(at);
    for (at = strchr(at, '\n'); at < end; at++) {
        if (at[0] == '/' && at[1] == '*') {
            at = strstr(at, "*/") + 1;
            continue;
        }
        if (*at != ';')
            continue;
        const char *word_end = at;
        if (at[-1] == ']')
            while (*--word_end != '[')
                ;
        const char *word = word_end;
        while (word[-1] == '_' || (word[-1] >= 'a' && word[-1] <= 'z') ||
               (word[-1] >= '0' && word[-1] <= '9'))
            word--;
        snprintf(names[n++], 40, "%.*s", (int)(word_end - word), word);
        assert_true(n < 64);
    }
    return n;
}

static void assert_all_known(const char *header, const char *opening, const struct field *fields,
                             uint32_t n_fields)
{
    char names[64][40];
    uint32_t n = names_of(header, opening, names);
    assert_int_equal(n, n_fields);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k < n_fields && strcmp(fields[k].name, names[i]) != 0)
            k++;
        if (k == n_fields)
            fail_msg("%s: is \"%s\" among the parameters of a receipt?", opening, names[i]);
    }
    for (uint32_t k = 0; k < n_fields; k++) {
        struct parameters p = sample();
        char *before = text_of(&p);
        if (!fields[k].change) {
            mem_free(before);
            continue;
        }
        fields[k].change(&p.request);
        char *after = text_of(&p);
        if (strcmp(before, after) == 0)
            fail_msg("%s is not among the parameters of a receipt", fields[k].name);
        assert_returns(after);
        mem_free(before);
        mem_free(after);
    }
}

static void no_field_is_forgotten(void **state)
{
    (void)state;
    char *header;
    assert_ok(file_read(REPO_DIR "/include/isobit.h", 1 << 20, &header, NULL, NULL));
    assert_all_known(header, "\nstruct iso_request {", request_fields, COUNT_OF(request_fields));
    assert_all_known(header, "\nstruct iso_sampling {", sampling_fields,
                     COUNT_OF(sampling_fields));
    mem_free(header);
}

static void malformed_parameters_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *note;
    } cases[] = {
        {"\"top_k\":40,", "", "lacks \"top_k\""},
        {"\"top_k\":40", "\"top_k\":4294967296", "32 bits"},
        {"\"0.8\"", "\"0.80\"", "shortest decimal"},
        {"\"0.8\"", "\"nan\"", "shortest decimal"},
        {"\"0.8\"", "\"inf\"", "shortest decimal"},
        {"\"-inf\"", "\"inf\"", "shortest decimal"},
        {"\"0.8\"", "\"0.800000011920928955078125000000\"", "shortest decimal"},
        {"\"stops\":[2]", "\"stops\":[2147483648]", "token ids"},
        {"\"stops\":[2]", "\"stops\":[\"2\"]", "token ids"},
        {"[3,\"-inf\"]", "[3]", "[token id, bias]"},
        {"[3,\"-inf\"]", "[\"3\",\"-inf\"]", "[token id, bias]"},
        {"[13],", "[],", "arrays of token ids"},
        {"[13],", "13,", "arrays of token ids"},
        {"[13],", "[true],", "token ids"},
        {"\"xtc\"", "\"ctx\"", "array of stages"},
        {"[\"\\n\\n\"]", "[1]", "array of texts"},
        {"\"kind\":\"regex\"", "\"kind\":\"\"", "a kind"},
        {"\"context\"", "\"contexts\"", "does not know"},
    };
    char *good = vector();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[4096];
        struct err_note note = {""};
        struct canon_doc doc;
        struct parameters p;
        char *at = strstr(good, cases[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, cases[i].to,
                 at + strlen(cases[i].from));
        if (canon_read(str_from(text), &doc, &note))
            fail_msg("%s: %s", text, note.text);
        assert_int_equal(parameters_read(&doc, doc.nodes, &p, &note), ERR_FORMAT);
        if (!strstr(note.text, cases[i].note))
            fail_msg("%s: %s", cases[i].to, note.text);
        assert_null(p.request.stops);
        canon_release(&doc);
    }
    mem_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_have_these_bytes),
        cmocka_unit_test(every_float_returns),
        cmocka_unit_test(no_field_is_forgotten),
        cmocka_unit_test(malformed_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
