/* attention_bench.c - how near attention comes to this machine's limits, by shape and depth.
 *
 * usage: attention_bench [-t THREADS] [-i ISA] [-r REPEATS]
 * [HEADS/KV_HEADS/HEAD_SIZE:DEPTH:ROWS...]
 *
 * ROWS > 0: that many rows of one prompt, the last at DEPTH, as a share of the peak of int16
 * products. ROWS < 0: so many sessions, each with one row at DEPTH, as a share of the bandwidth at
 * which the same threads read the same pages. As many layers take turns as no cache holds. A limit
 * is measured right before each repetition; the line shows medians. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bench/roof.h"
#include "device/cpu/isa.h"

enum { REPEATS_MAX = 99, CACHE_BYTES = 160 << 20, LAYERS_MAX = 64 };

struct bench {
    int n_threads, n_repeats;
    const char *isa;
    struct device *device;
};

struct shape {
    uint32_t n_heads, n_kv_heads, head_size, depth, n_rows;
    bool sessions;
};

/* The cache of every session, page after page, each with n_layers parts. */
struct cache {
    uint32_t n_sessions, n_pages, n_layers;
    size_t layer_bytes, n_bytes;
    uint8_t *memory;
    void **pages;
    struct kv_row *rows;
};

static double seconds(void)
{
    return (double)clock_ns() * 1e-9;
}

static void cache_open(struct cache *c, const struct shape *s)
{
    struct kv_shape kv = {s->n_kv_heads, s->head_size};
    c->n_sessions = s->sessions ? s->n_rows : 1;
    c->n_pages = (s->depth + KV_PAGE - 1) / KV_PAGE;
    c->layer_bytes = kv_layer_bytes(kv);
    size_t per_layer = c->n_sessions * c->n_pages * c->layer_bytes;
    c->n_layers = (uint32_t)(CACHE_BYTES / per_layer) + 1;
    c->n_layers = c->n_layers > LAYERS_MAX ? LAYERS_MAX : c->n_layers;
    c->n_bytes = c->n_layers * per_layer;
    c->memory = mem_pages(c->n_bytes);
    c->pages = mem_array((size_t)c->n_sessions * c->n_pages, sizeof c->pages[0]);
    c->rows = mem_array(s->n_rows > s->depth ? s->n_rows : s->depth, sizeof c->rows[0]);
    CHECK(c->memory && c->pages && c->rows);
    /* As an engine hands pages out: neighbours in a page's own layers, sessions interleaved. */
    for (uint32_t i = 0; i < c->n_pages * c->n_sessions; i++)
        c->pages[i % c->n_sessions * c->n_pages + i / c->n_sessions] =
            c->memory + i * c->n_layers * c->layer_bytes;
}

static float noise(size_t i)
{
    return (float)((i * 2654435761u >> 7) % 2001) * 1e-3f - 1.0f;
}

static void cache_fill(struct bench *b, struct cache *c, const struct shape *s)
{
    struct kv_shape kv = {s->n_kv_heads, s->head_size};
    size_t width = (size_t)s->n_kv_heads * s->head_size;
    float *x = mem_array(2 * s->depth * width, sizeof *x);
    uint8_t *bad = mem_zalloc(s->depth);
    CHECK(x && bad);
    for (size_t i = 0; i < 2 * s->depth * width; i++)
        x[i] = noise(i);
    for (uint32_t k = 0; k < c->n_sessions; k++) {
        for (uint32_t i = 0; i < s->depth; i++)
            c->rows[i] = (struct kv_row){c->pages + k * c->n_pages, i};
        for (uint32_t layer = 0; layer < c->n_layers; layer++) {
            struct kv_write_args w = {.k = x,
                                      .v = x + s->depth * width,
                                      .stride_k = width,
                                      .stride_v = width,
                                      .rows = c->rows,
                                      .n_rows = s->depth,
                                      .shape = kv,
                                      .layer_offset = layer * c->layer_bytes,
                                      .bad = bad};
            b->device->ops->kv_write(b->device, &w);
        }
    }
    for (uint32_t i = 0; i < s->n_rows; i++)
        c->rows[i] = s->sessions ? (struct kv_row){c->pages + i * c->n_pages, s->depth - 1}
                                 : (struct kv_row){c->pages, s->depth - s->n_rows + i};
    mem_free(x);
    mem_free(bad);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare);
    return x[n / 2];
}

static void measure(struct bench *b, const struct shape *s)
{
    struct cache c;
    size_t width = (size_t)s->n_heads * s->head_size;
    float *q = mem_array(s->n_rows * width, sizeof *q), *out = mem_array(s->n_rows * width, 4);
    uint8_t *bad = mem_zalloc(s->n_rows);
    double took[REPEATS_MAX], share[REPEATS_MAX], rate[REPEATS_MAX], n_positions = 0;
    cache_open(&c, s);
    cache_fill(b, &c, s);
    CHECK(q && out && bad);
    for (size_t i = 0; i < s->n_rows * width; i++)
        q[i] = noise(i);
    struct attention_args a = {.q = q,
                               .out = out,
                               .stride_q = width,
                               .stride_out = width,
                               .rows = c.rows,
                               .n_rows = s->n_rows,
                               .n_heads = s->n_heads,
                               .shape = {s->n_kv_heads, s->head_size},
                               .scale = 0.1f,
                               .bad = bad};
    for (uint32_t i = 0; i < s->n_rows; i++)
        n_positions += c.rows[i].position + 1;
    uint32_t n_layers = s->sessions ? c.n_layers : c.n_layers < 2 ? 1 : 2;
    const struct roof_span span = {c.memory, c.n_bytes};
    struct roof *roof;
    CHECK(roof_open(b->n_threads, b->isa, &span, 1, &roof, NULL) == ERR_OK);
    for (int i = -1; i < b->n_repeats; i++) {
        double limit = s->sessions ? roof_read(roof) : roof_int16(roof), start = seconds();
        do /* until the other pool's threads sleep and the device's are awake */
            b->device->ops->attention(b->device, &a);
        while (seconds() - start < 2e-3);
        start = seconds();
        for (uint32_t layer = 0; layer < n_layers; layer++) {
            a.layer_offset = layer * c.layer_bytes;
            b->device->ops->attention(b->device, &a);
        }
        if (i < 0)
            continue;
        took[i] = (seconds() - start) / n_layers;
        rate[i] = s->sessions ? (double)c.n_bytes / c.n_layers / took[i]
                              : 4.0 * n_positions * (double)width / took[i];
        share[i] = rate[i] / limit;
    }
    printf("%2u/%2u/%-3u depth %-5u %3u %-8s %9.1f us/layer %7.1f %s  %5.1f %% of %s\n", s->n_heads,
           s->n_kv_heads, s->head_size, s->depth, s->n_rows, s->sessions ? "sessions" : "rows",
           1e6 * median(took, b->n_repeats), 1e-9 * median(rate, b->n_repeats),
           s->sessions ? "GB/s " : "GOP/s", 100 * median(share, b->n_repeats),
           s->sessions ? "read bandwidth" : "int16 peak");
    roof_close(roof);
    mem_pages_free(c.memory, c.n_bytes);
    mem_free(c.pages);
    mem_free(c.rows);
    mem_free(q);
    mem_free(out);
    mem_free(bad);
}

/* HEADS/KV_HEADS/HEAD_SIZE:DEPTH:ROWS */
static bool shape_parse(const char *text, struct shape *s)
{
    long number[5];
    for (int i = 0; i < 5; i++) {
        char *end;
        number[i] = strtol(text, &end, 10);
        if (end == text || *end != "//::"[i])
            return false;
        text = end + 1;
    }
    *s = (struct shape){(uint32_t)number[0], (uint32_t)number[1],       (uint32_t)number[2],
                        (uint32_t)number[3], (uint32_t)labs(number[4]), number[4] < 0};
    return s->n_rows > 0 && (s->sessions || s->n_rows <= s->depth);
}

static int usage(void)
{
    fputs("usage: attention_bench [-t THREADS] [-i ISA] [-r REPEATS] "
          "[HEADS/KV_HEADS/HEAD_SIZE:DEPTH:ROWS...]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct bench b = {.n_threads = 2, .n_repeats = 7};
    static char *defaults[] = {"32/4/64:3072:-1",
                               "32/8/128:3072:-1",
                               "32/4/64:512:512",
                               "32/4/64:4096:512",
                               "32/8/128:4096:512",
                               "32/32/64:4096:512",
                               NULL};
    const char *const *names = cpu_isa_names();
    for (; *names; names++)
        b.isa = *names;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        long value = strtol(argv[i + 1], NULL, 10);
        if (argv[i][1] == 't')
            b.n_threads = (int)value;
        else if (argv[i][1] == 'i')
            b.isa = argv[i + 1];
        else if (argv[i][1] == 'r')
            b.n_repeats = value > 0 && value < REPEATS_MAX ? (int)value : REPEATS_MAX;
        else
            return usage();
    }
    struct err_note note;
    if (cpu_device_open(b.n_threads, b.isa, &b.device, &note) != ERR_OK) {
        fprintf(stderr, "attention_bench: %s\n", note.text);
        return 1;
    }
    for (char **arg = i < argc ? argv + i : defaults; *arg; arg++) {
        struct shape s;
        if (!shape_parse(*arg, &s))
            return usage();
        measure(&b, &s);
    }
    return 0;
}
