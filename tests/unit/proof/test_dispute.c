/* test_dispute.c - where two receipts part, and who holds: made up, so that every order of pages,
 * tokens and ends can be. Positions 0 to 99 are the prompt's: page 0 is its own, page 1 shared. */
#include "lib/test.h"

#include "proof/dispute.h"

enum { PROMPT = 100, ANSWER = 200, PAGES = 3, NONE = 999 };

struct side {
    uint32_t prompt[PROMPT], output[ANSWER];
    struct position_record positions[ANSWER];
    struct merkle_hash prompt_pages[1], pages[PAGES];
    struct bundle bundle;
    struct verify_case c;
};

static void make(struct side *s, uint32_t n_answer)
{
    *s = (struct side){.c = {.bundle = &s->bundle}};
    for (uint32_t i = 0; i < PROMPT; i++)
        s->prompt[i] = i;
    for (uint32_t i = 0; i < ANSWER; i++)
        s->positions[i].id = s->output[i] = 1000 + i;
    for (uint8_t k = 0; k < PAGES; k++)
        s->pages[k].bytes[0] = k;
    struct bundle *b = &s->bundle;
    b->prompt_ids = s->prompt;
    b->n_prompt_ids = PROMPT;
    b->output_ids = s->output;
    b->positions = s->positions;
    b->n_output_ids = b->n_positions = n_answer;
    b->prompt_pages = s->prompt_pages;
    b->n_prompt_pages = 1;
    b->pages = s->pages;
    b->n_pages = n_answer ? (PROMPT + n_answer - 1) / 64 - PROMPT / 64 : 0;
}

static void spoil_page(struct side *s, size_t page)
{
    struct merkle_hash *h = page ? &s->pages[page - 1] : s->prompt_pages;
    h->bytes[9] ^= 1;
}

static void spoil_token(struct side *s, size_t i)
{
    s->positions[i].id = ++s->output[i];
}

static void first_differences_are_found(void **state)
{
    (void)state;
    static const struct {
        uint32_t n_a, n_b, page, sum, token; /* B's: what of it is another */
        uint32_t d_page, d_record, n_records, n_pages; /* n_records NONE: nothing is found */
        uint32_t first_page, n_end;
        bool is_page;
    } cases[] = {
        {200, 200, NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0, false},
        {200, 150, NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0, false},
        {0, 0, 0, NONE, NONE, 0, NONE, 0, 1, 0, 64, true}, /* answers of nothing have a prompt */
        {200, 200, 0, NONE, NONE, 0, NONE, 0, 1, 0, 64, true},
        {200, 200, 1, NONE, NONE, 1, NONE, 28, 2, 1, 128, true},
        {200, 200, 3, NONE, NONE, 3, NONE, 156, 4, 3, 256, true},
        /* A record's row is that of the position before its token. */
        {200, 200, NONE, 0, NONE, NONE, 0, 1, 1, 1, 100, false},
        {200, 200, NONE, 28, NONE, NONE, 28, 29, 2, 1, 128, false},
        {200, 200, NONE, 29, NONE, NONE, 29, 30, 2, 2, 129, false},
        /* Both: what comes first, and the page where they share a row. */
        {200, 200, 2, 5, NONE, 2, 5, 92, 3, 1, 105, false},
        {200, 200, 2, 28, NONE, 2, 28, 92, 3, 1, 128, false},
        {200, 200, 2, 29, NONE, 2, 29, 92, 3, 2, 192, true},
        {200, 200, 1, 150, NONE, 1, 150, 28, 2, 1, 128, true},
        /* After a token that only one has, pages cannot be compared. */
        {200, 200, 3, NONE, 70, 3, 70, 71, 2, 2, 170, false},
        {200, 200, 1, NONE, 27, 1, 27, 28, 1, 1, 127, false},
        {200, 200, 1, NONE, 28, 1, 28, 28, 2, 1, 128, true},
        /* The shorter answer's last token was not read. */
        {200, 29, 1, NONE, NONE, 1, NONE, 28, 2, 1, 128, true},
        {200, 28, 1, NONE, NONE, NONE, NONE, NONE, 0, 0, 0, false},
        {28, 200, NONE, 27, NONE, NONE, 27, 28, 1, 1, 127, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct side a, b;
        struct dispute d;
        make(&a, cases[i].n_a);
        make(&b, cases[i].n_b);
        if (cases[i].page != NONE)
            spoil_page(&b, cases[i].page);
        if (cases[i].sum != NONE)
            b.positions[cases[i].sum].sum++;
        if (cases[i].token != NONE)
            spoil_token(&b, cases[i].token);
        bool found = dispute_find(&a.c, &b.c, &d);
        if (found != (cases[i].n_records != NONE))
            fail_msg("case %zu: %d", i, found);
        size_t page = cases[i].d_page == NONE ? DISPUTE_NONE : cases[i].d_page;
        size_t record = cases[i].d_record == NONE ? DISPUTE_NONE : cases[i].d_record;
        if (d.page != page || d.record != record)
            fail_msg("case %zu: page %zd, record %zd", i, (ssize_t)d.page, (ssize_t)d.record);
        if (!found)
            continue;
        if (d.n_records != cases[i].n_records || d.n_pages != cases[i].n_pages)
            fail_msg("case %zu: %zu records, %zu pages", i, d.n_records, d.n_pages);
        if (d.first_page != cases[i].first_page || d.n_end != cases[i].n_end ||
            d.is_page != cases[i].is_page)
            fail_msg("case %zu: from page %zu to %zu, %d", i, d.first_page, d.n_end, d.is_page);
        size_t n_computed = d.n_end - 64 * d.first_page;
        assert_true(n_computed >= 1 && n_computed <= 64);
        assert_true(d.n_output <= cases[i].n_a && d.n_output <= cases[i].n_b);
    }
}

/* A bundle that does not show the prompt's pages is compared from the answer's on. */
static void pages_that_are_not_shown_are_equal(void **state)
{
    (void)state;
    struct side a, b;
    struct dispute d;
    make(&a, ANSWER);
    make(&b, ANSWER);
    spoil_page(&b, 0);
    b.bundle.n_prompt_pages = 0;
    assert_null(dispute_page(&b.bundle, 0));
    assert_false(dispute_find(&a.c, &b.c, &d));
    spoil_page(&b, 2);
    assert_true(dispute_find(&a.c, &b.c, &d));
    assert_int_equal(d.page, 2);
    assert_null(dispute_page(&a.bundle, 4));
    assert_int_equal(dispute_token(&a.bundle, 99), 99);
    assert_int_equal(dispute_token(&a.bundle, 100), 1000);
}

/* What no engine answers may be claimed all the same. */
static void a_prompt_of_nothing_has_no_state(void **state)
{
    (void)state;
    struct side a, b;
    struct dispute d;
    make(&a, 20);
    make(&b, 20);
    a.bundle.n_prompt_ids = b.bundle.n_prompt_ids = 0;
    a.bundle.n_pages = b.bundle.n_pages = 0;
    b.positions[0].sum++;
    assert_true(dispute_find(&a.c, &b.c, &d));
    assert_true(d.record == 0 && d.first_page == 0 && d.n_end == 0 && !d.is_page);
}

static void faults_are_the_first(void **state)
{
    (void)state;
    struct side a, b, now;
    struct dispute d;
    make(&a, ANSWER);
    make(&b, ANSWER);
    make(&now, ANSWER);
    spoil_page(&b, 1);
    spoil_page(&a, 2);
    a.positions[7].sum++;
    assert_true(dispute_find(&a.c, &b.c, &d));
    struct verify_replay is = {now.output, now.positions,    d.n_records, now.pages,
                               1,          now.prompt_pages, 1};
    struct dispute_fault f = dispute_fault(&d, &b.bundle, &is);
    assert_true(f.page == 1 && f.record == DISPUTE_NONE && f.page_now == &now.pages[0]);
    f = dispute_fault(&d, &a.bundle, &is); /* page 2 is beyond what settles it */
    assert_true(f.page == DISPUTE_NONE && f.record == 7 && f.record_now == &now.positions[7]);
    f = dispute_fault(&d, &now.bundle, &is);
    assert_true(f.page == DISPUTE_NONE && f.record == DISPUTE_NONE);
    spoil_page(&now, 0); /* both agreed on what is none */
    f = dispute_fault(&d, &a.bundle, &is);
    assert_true(f.page == 0 && f.page_now == &now.prompt_pages[0]);
    spoil_page(&now, 0);
    is.n_records = 5; /* computed, the answer ends */
    is.n_pages = 0;
    f = dispute_fault(&d, &a.bundle, &is);
    assert_true(f.page == 1 && f.page_now == NULL && f.record == 5 && f.record_now == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_differences_are_found),
        cmocka_unit_test(pages_that_are_not_shown_are_equal),
        cmocka_unit_test(a_prompt_of_nothing_has_no_state),
        cmocka_unit_test(faults_are_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
