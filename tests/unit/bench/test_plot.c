/* test_plot.c - plots are well-formed whatever they are given. */
#include "lib/test.h"

#include "base/mem.h"
#include "bench/plot.h"

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

/* Every element is closed, every attribute quoted, every number finite. */
static void check_svg(const struct buf *b)
{
    int depth = 0;
    assert_false(b->failed);
    for (const char *at = strchr(b->bytes, '<'); at; at = strchr(at + 1, '<')) {
        const char *end = strchr(at, '>');
        assert_non_null(end);
        assert_null(memchr(at + 1, '<', (size_t)(end - at - 1)));
        size_t n_quotes = 0;
        for (const char *c = at; c < end; c++)
            n_quotes += *c == '"';
        assert_int_equal(n_quotes % 2, 0);
        depth += at[1] == '/' ? -1 : end[-1] == '/' ? 0 : 1;
        assert_true(depth >= 0);
    }
    assert_int_equal(depth, 0);
    assert_int_equal(strncmp(b->bytes, "<svg ", 5), 0);
    assert_null(strstr(b->bytes, "nan"));
    assert_null(strstr(b->bytes, "inf"));
}

static struct plot *plot_new(size_t n_places, size_t n_series)
{
    struct plot *p = mem_zalloc(sizeof *p);
    assert_non_null(p);
    p->n_places = n_places;
    p->n_series = n_series;
    snprintf(p->title, sizeof p->title, "a < b & \"c\"\n\x01");
    for (size_t i = 0; i < n_places; i++)
        p->x[i] = (uint32_t)(1u << i % 20);
    for (size_t k = 0; k < n_series; k++) {
        p->series[k].style = (enum plot_style)(k % 3);
        p->series[k].colour = (int)(k / 3);
        snprintf(p->series[k].name, sizeof p->series[k].name, "series <%zu>", k);
        for (size_t i = 0; i < n_places; i++)
            if ((i + k) % 4 != 3)
                p->series[k].at[i] = (struct plot_point){10.0 * (double)(i + k), 5, 1e3};
    }
    return p;
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        size_t n_places, n_series;
    } cases[] = {{1, 0}, {1, 1}, {1, 3}, {1, PLOT_SERIES_MAX},
                 {2, 3}, {7, 5}, {5, 0}, {PLOT_PLACES_MAX, PLOT_SERIES_MAX}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct plot *p = plot_new(cases[i].n_places, cases[i].n_series);
        struct buf b;
        buf_init(&b, 1 << 24);
        plot_svg(&b, "one <line>\nand & another", p, 1);
        check_svg(&b);
        assert_int_equal(count(b.bytes, "&lt;line&gt;"), 1);
        assert_int_equal(count(b.bytes, "a &lt; b &amp; \"c\"  <"), 1);
        assert_int_equal(count(b.bytes, ">series &lt;"), cases[i].n_series);
        buf_release(&b);
        mem_free(p);
    }
}

static void test_scale(void **state)
{
    (void)state;
    static const struct {
        double largest;
        const char *end; /* the axis' last number */
    } cases[] = {{0, "1"},      {1, "1"},       {1.01, "1.25"},    {4.9, "5"},
                 {61, "100"},   {101, "125"},   {126, "250"},      {260, "500"},
                 {501, "1000"}, {0.03, "0.05"}, {123456, "125000"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct plot *p = plot_new(2, 1);
        char text[64];
        struct buf b;
        buf_init(&b, 1 << 20);
        memset(p->series[0].at, 0, sizeof p->series[0].at);
        p->series[0].at[1].y = cases[i].largest;
        plot_svg(&b, "", p, 1);
        check_svg(&b);
        snprintf(text, sizeof text, "text-anchor=\"end\">%s</text>", cases[i].end);
        if (!strstr(b.bytes, text))
            fail_msg("no axis up to %s for %g", cases[i].end, cases[i].largest);
        buf_release(&b);
        mem_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_scale)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
