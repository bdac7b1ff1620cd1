/* test_prometheus.c - what is written is read back by a parser of the format's grammar. */
#include "lib/test.h"

#include <ctype.h>
#include <math.h>

#include "server/prometheus.h"

/* ---- a strict reader of the text format, 0.0.4 --------------------------------------------- */

struct sample {
    char series[400]; /* name and labels as written */
    char name[80], bound[32];
    double value;
};

struct page {
    const char *at;
    char family[80], type[16];
    char families[40][80];
    size_t n_families;
    struct sample samples[400];
    size_t n_samples;
};

static size_t read_name(const char *s, char *out, size_t n_out)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == ':')
        n++;
    assert_true(n > 0 && n < n_out && !isdigit((unsigned char)s[0]));
    memcpy(out, s, n);
    out[n] = 0;
    return n;
}

static void read_comment(struct page *p)
{
    char name[80];
    bool is_help = strncmp(p->at, "# HELP ", 7) == 0;
    assert_true(is_help || strncmp(p->at, "# TYPE ", 7) == 0);
    p->at += 7;
    p->at += read_name(p->at, name, sizeof name);
    assert_int_equal(*p->at++, ' ');
    if (is_help) { /* a family begins, and none begins twice */
        for (size_t i = 0; i < p->n_families; i++)
            assert_string_not_equal(p->families[i], name);
        snprintf(p->families[p->n_families++], sizeof p->families[0], "%s", name);
        snprintf(p->family, sizeof p->family, "%s", name);
        p->type[0] = 0;
        for (; *p->at != '\n'; p->at++)
            if (*p->at == '\\')
                assert_non_null(strchr("\\n", *++p->at));
    } else {
        assert_string_equal(p->family, name);
        assert_true(p->type[0] == 0); /* before the samples, once */
        p->at += read_name(p->at, p->type, sizeof p->type);
    }
    assert_int_equal(*p->at++, '\n');
}

static void read_labels(struct page *p, struct sample *s)
{
    char name[80];
    assert_int_equal(*p->at++, '{');
    for (;;) {
        char *bound = s->bound;
        p->at += read_name(p->at, name, sizeof name);
        assert_int_equal(*p->at++, '=');
        assert_int_equal(*p->at++, '"');
        for (; *p->at != '"'; p->at++) {
            assert_true(*p->at && *p->at != '\n');
            if (*p->at == '\\')
                assert_non_null(strchr("\\n\"", *++p->at));
            if (strcmp(name, "le") == 0)
                *bound++ = *p->at;
        }
        p->at++;
        if (*p->at == '}')
            break;
        assert_int_equal(*p->at++, ',');
    }
    p->at++;
}

static void read_sample(struct page *p)
{
    struct sample *s = &p->samples[p->n_samples++];
    const char *from = p->at;
    *s = (struct sample){0};
    assert_true(p->type[0] != 0);
    p->at += read_name(p->at, s->name, sizeof s->name);
    size_t n = strlen(p->family);
    assert_memory_equal(s->name, p->family, n);
    const char *suffix = s->name + n;
    if (strcmp(p->type, "histogram") == 0)
        assert_true(strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_sum") == 0 ||
                    strcmp(suffix, "_count") == 0);
    else
        assert_string_equal(suffix, "");
    if (*p->at == '{')
        read_labels(p, s);
    assert_true((size_t)(p->at - from) < sizeof s->series);
    memcpy(s->series, from, (size_t)(p->at - from));
    for (size_t i = 0; i + 1 < p->n_samples; i++)
        assert_string_not_equal(p->samples[i].series, s->series);
    assert_int_equal(*p->at++, ' ');
    char *end;
    s->value = strtod(p->at, &end);
    assert_true(end > p->at && *end == '\n');
    p->at = end + 1;
}

static void read_page(struct page *p, const struct buf *out)
{
    *p = (struct page){.at = out->bytes};
    assert_false(out->failed);
    assert_int_equal(out->bytes[out->n_bytes - 1], '\n');
    while (*p->at) {
        if (*p->at == '#')
            read_comment(p);
        else
            read_sample(p);
    }
}

/* ---- tests --------------------------------------------------------------------------------- */

static struct page page;

static void numbers_and_labels(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    const struct prometheus_label labels[] = {{"model", STR("a \"b\" \\ c\nd")},
                                              {"key", STR("")}};
    prometheus_family(&out, "tokens_total", "counter", "one \\ two\nthree");
    prometheus_number(&out, "tokens_total", NULL, 0, UINT64_MAX, 1);
    prometheus_number(&out, "tokens_total", labels, 2, 7, 1);
    prometheus_family(&out, "busy_seconds_total", "counter", "time");
    prometheus_number(&out, "busy_seconds_total", labels, 1, 12000000034u, 1e-9);
    read_page(&page, &out);
    assert_int_equal(page.n_families, 2);
    assert_int_equal(page.n_samples, 3);
    assert_string_equal(page.samples[0].series, "isobit_tokens_total");
    assert_string_equal(page.samples[1].series,
                        "isobit_tokens_total{model=\"a \\\"b\\\" \\\\ c\\nd\",key=\"\"}");
    assert_non_null(strstr(out.bytes, "# HELP isobit_tokens_total one \\\\ two\\nthree\n"));
    assert_non_null(strstr(out.bytes, "isobit_tokens_total 18446744073709551615\n"));
    assert_non_null(strstr(out.bytes, "} 12.000000034\n"));
    buf_release(&out);
}

static void a_histogram_is_cumulative(void **state)
{
    (void)state;
    struct buf out;
    struct histogram h = {0};
    buf_init(&out, 1 << 20);
    const struct prometheus_label label = {"model", STR("m")};
    static const uint64_t values[] = {1, 99999, 100000, 100001, 3000000000, 900000000000};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        histogram_add(&h, &histogram_times, values[i]);
    prometheus_family(&out, "queue_seconds", "histogram", "waiting");
    prometheus_histogram(&out, "queue_seconds", &label, 1, &h, &histogram_times);
    read_page(&page, &out);
    size_t n_buckets = histogram_times.n_bounds + 1;
    assert_int_equal(page.n_samples, n_buckets + 2);
    double below = -1, before = 0;
    for (size_t i = 0; i < n_buckets; i++) {
        const struct sample *s = &page.samples[i];
        double bound = i + 1 < n_buckets ? strtod(s->bound, NULL) : HUGE_VAL;
        assert_true(bound > below && s->value >= before);
        below = bound;
        before = s->value;
    }
    assert_string_equal(page.samples[0].bound, "0.0001");
    assert_true(page.samples[0].value == 3);
    assert_string_equal(page.samples[n_buckets - 2].bound, "500");
    assert_true(page.samples[n_buckets - 2].value == 5);
    assert_string_equal(page.samples[n_buckets - 1].bound, "+Inf");
    assert_true(page.samples[n_buckets - 1].value == 6);
    assert_float_equal(page.samples[n_buckets].value, 903.000300001, 1e-9);
    assert_true(page.samples[n_buckets + 1].value == 6);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_labels),
        cmocka_unit_test(a_histogram_is_cumulative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
