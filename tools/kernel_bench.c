/* kernel_bench.c - how near the kernels come to this machine's limits, type by type.
 *
 * usage: kernel_bench [-t THREADS] [-i ISA] [-r REPEATS] [-k K] [-n N] [TYPE[:T]...]
 *
 * Prompt products (T rows, default 512) are given as a share of the instruction set's peak for
 * bytes, or for f32 where the type multiplies as f32; few rows (T up to 16) as a share of the read
 * bandwidth over a buffer that no cache holds (bench/roof.h). The limit is measured right before
 * each repetition; the table shows the median of the ratios, because clocks and memory of a shared
 * machine drift. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bench/roof.h"
#include "device/cpu/isa.h"

enum { REPEATS_MAX = 99 };
#define N_BYTES_MIN (600u << 20)

struct bench {
    int n_threads, n_repeats;
    const char *isa;
    uint32_t n_cols, n_rows;
    struct roof *roof; /* reads big */
    struct device *device;
    uint8_t *big; /* N_BYTES_MIN bytes */
};

static double seconds(void)
{
    return (double)clock_ns() * 1e-9;
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

/* Rows with small scales in every place where a type may keep one. */
static void rows_fill(enum dtype t, uint8_t *rows, size_t n_bytes)
{
    uint64_t z = 1;
    for (size_t i = 0; i < n_bytes; i++) {
        z = z * 6364136223846793005u + 1442695040888963407u;
        rows[i] = (uint8_t)(z >> 56);
    }
    size_t block = (size_t)dtype_info(t)->block_bytes;
    for (size_t i = 0; i + block <= n_bytes; i += block) {
        static const size_t at[][2] = {{0, 2}, {80, 82}, {108, 108}, {208, 208}};
        const uint16_t half = t == DTYPE_BF16 ? 0x3c00 : 0x2000;
        for (int k = 0; k < 8; k++)
            if (at[k / 2][k % 2] + 2 <= block)
                memcpy(rows + i + at[k / 2][k % 2], &half, 2);
        if (t == DTYPE_MXFP4)
            rows[i] = 120;
        const float one = 0.01f;
        if (t == DTYPE_NF4 || t == DTYPE_FP4 || t == DTYPE_Q8_K || t == DTYPE_F32)
            memcpy(rows + i, &one, 4);
    }
}

static void measure(struct bench *b, enum dtype t, uint32_t n_tokens)
{
    const struct device_ops *ops = b->device->ops;
    uint32_t n_some = 64, n_rows = b->n_rows;
    size_t some = dtype_row_bytes(t, b->n_cols) * n_some;
    size_t packed_some = ops->matrix_bytes(b->device, t, n_some, b->n_cols);
    if (n_tokens <= 16)
        n_rows = (uint32_t)(N_BYTES_MIN / packed_some) * n_some;
    size_t n_packed = packed_some * ((n_rows + n_some - 1) / n_some);
    uint8_t *rows = mem_alloc(some), *packed = n_tokens <= 16 ? b->big : mem_pages(n_packed);
    float *x = mem_array((size_t)n_tokens * b->n_cols, sizeof *x);
    float *y = mem_pages((size_t)n_tokens * n_rows * sizeof *y);
    CHECK(rows && packed && x && y);
    rows_fill(t, rows, some);
    ops->matrix_pack(b->device, t, n_some, b->n_cols, rows, packed);
    for (size_t i = packed_some; i + packed_some <= n_packed; i += packed_some)
        memcpy(packed + i, packed, packed_some);
    for (size_t i = 0; i < (size_t)n_tokens * b->n_cols; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 2001) * 1e-3f - 1.0f;
    struct acts a = {act_kind_of(t), n_tokens, b->n_cols, NULL};
    a.data = mem_pages(ops->acts_bytes(b->device, a.kind, n_tokens, b->n_cols));
    struct matrix w = {t, n_rows, b->n_cols, packed, n_packed};
    uint8_t *bad = mem_zalloc(n_tokens);
    double share_peak[REPEATS_MAX], share_read[REPEATS_MAX], ops_s[REPEATS_MAX];
    ops->quantize(b->device, x, b->n_cols, &a, bad);
    bool is_f32 = a.kind == ACT_F32;
    for (int i = -1; i < b->n_repeats; i++) {
        double limit_peak = is_f32 ? roof_f32(b->roof) : roof_int8(b->roof);
        double limit_read = n_tokens <= 16 ? roof_read(b->roof) : 0;
        double start = seconds();
        ops->matmul(b->device, &w, &a, NULL, y, n_rows);
        double took = seconds() - start;
        if (i < 0)
            continue;
        ops_s[i] = 2.0 * n_rows * b->n_cols * n_tokens / took;
        share_peak[i] = ops_s[i] / limit_peak;
        share_read[i] = limit_read > 0 ? (double)n_packed / took / limit_read : 0;
    }
    printf("%-7s K=%-5u N=%-7u T=%-4u %7.0f GOP/s  %5.1f %% of %s peak", dtype_info(t)->name,
           b->n_cols, n_rows, n_tokens, median(ops_s, b->n_repeats) * 1e-9,
           100 * median(share_peak, b->n_repeats), is_f32 ? "f32" : "int8");
    if (n_tokens <= 16)
        printf("  %5.1f %% of read bandwidth", 100 * median(share_read, b->n_repeats));
    printf("\n");
    mem_free(rows);
    mem_free(x);
    mem_free(bad);
    mem_pages_free(y, (size_t)n_tokens * n_rows * sizeof *y);
    mem_pages_free(a.data, ops->acts_bytes(b->device, a.kind, n_tokens, b->n_cols));
    if (packed != b->big)
        mem_pages_free(packed, n_packed);
}

static int usage(void)
{
    fputs("usage: kernel_bench [-t THREADS] [-i ISA] [-r REPEATS] [-k K] [-n N] [TYPE[:T]...]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct bench b = {.n_threads = 2, .n_repeats = 7, .n_cols = 2048, .n_rows = 5632};
    static char *defaults[] = {"Q4_K", "Q4_K:1", "Q6_K", "Q6_K:1", "Q8_0", "Q8_0:1", NULL};
    const char *const *names = cpu_isa_names();
    for (; *names; names++)
        b.isa = *names;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        long value = strtol(argv[i + 1], NULL, 10);
        switch (argv[i][1]) {
        case 't':
            b.n_threads = (int)value;
            break;
        case 'i':
            b.isa = argv[i + 1];
            break;
        case 'r':
            b.n_repeats = value > 0 && value < REPEATS_MAX ? (int)value : REPEATS_MAX;
            break;
        case 'k':
            b.n_cols = (uint32_t)value;
            break;
        case 'n':
            b.n_rows = (uint32_t)value;
            break;
        default:
            return usage();
        }
    }
    struct err_note note;
    if (cpu_device_open(b.n_threads, b.isa, &b.device, &note) != ERR_OK) {
        fprintf(stderr, "kernel_bench: %s\n", note.text);
        return 1;
    }
    b.big = mem_pages(N_BYTES_MIN);
    CHECK(b.big);
    memset(b.big, 1, N_BYTES_MIN);
    const struct roof_span span = {b.big, N_BYTES_MIN};
    if (roof_open(b.n_threads, b.isa, &span, 1, &b.roof, &note) != ERR_OK) {
        fprintf(stderr, "kernel_bench: %s\n", note.text);
        return 1;
    }
    for (char **arg = i < argc ? argv + i : defaults; *arg; arg++) {
        char name[16];
        uint32_t n_tokens = 512;
        const char *colon = strchr(*arg, ':');
        snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - *arg) : 15, *arg);
        if (colon)
            n_tokens = (uint32_t)strtoul(colon + 1, NULL, 10);
        enum dtype t;
        if (!dtype_from_name(name, &t) || n_tokens == 0)
            return usage();
        measure(&b, t, n_tokens);
    }
    return 0;
}
