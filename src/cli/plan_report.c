/* plan_report.c - a plan as a table with bars, and what else would fit. */
#include "cli/plan_report.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/say.h"

enum { BAR_CELLS = 40 };
static const uint32_t session_counts[] = {1, 2, 4, 8, 16, 32, 64};

/* A share of what may be taken, after those before it; what goes beyond is an arrow. */
static void print_bar(const struct plan *p, uint64_t before, uint64_t n_bytes)
{
    double cell = (double)p->n_bytes_usable / BAR_CELLS;
    int from = (int)((double)before / cell + 0.5),
        to = (int)((double)(before + n_bytes) / cell + 0.5);
    if (n_bytes && to == from)
        to++;
    fputs("  [", stdout);
    for (int i = 0; i < BAR_CELLS; i++)
        fputs(i < from || i >= to ? "·" : "█", stdout);
    fputs(to > BAR_CELLS ? ">\n" : "]\n", stdout);
}

static void print_part(const struct plan *p, const char *name, uint64_t *before, uint64_t n_bytes)
{
    char size[SIZE_TEXT];
    printf("  %-26s %10s", name, size_text(n_bytes, size));
    if (isatty(STDOUT_FILENO))
        print_bar(p, *before, n_bytes);
    else
        putchar('\n');
    *before += n_bytes;
}

static void print_choices(const struct plan *p)
{
    printf("\nPositions that each session may have\n  %-26s", "sessions");
    for (size_t i = 0; i < COUNT_OF(session_counts); i++)
        printf(" %8u", session_counts[i]);
    for (int in_memory = 1; in_memory >= 0; in_memory--) {
        printf("\n  %-26s", in_memory ? "weights in memory" : "weights read from the file");
        for (size_t i = 0; i < COUNT_OF(session_counts); i++)
            printf(" %8u", plan_ctx_max(p, session_counts[i], in_memory));
    }
    putchar('\n');
}

void plan_print(const struct plan *p)
{
    char size[SIZE_TEXT], name[64];
    uint64_t taken = 0;
    printf("Memory for %u session%s of %u positions\n", p->n_sessions,
           p->n_sessions == 1 ? "" : "s", p->n_ctx);
    print_part(p, "weights", &taken, p->n_bytes_weights);
    snprintf(name, sizeof name, "cache, %u pages", p->n_kv_pages);
    print_part(p, name, &taken, p->n_bytes_cache);
    print_part(p, "working memory", &taken, p->n_bytes_working);
    printf("  %-26s %10s\n", "together", size_text(taken, size));
    printf("  %-26s %10s (%s)\n", "may be taken", size_text(p->n_bytes_usable, size), p->room.from);
    if (p->n_bytes_in_file)
        printf("  %-26s %10s, at every step\n", "weights read from the file",
               size_text(p->n_bytes_in_file, size));
    struct err_note note;
    if (plan_check(p, &note))
        printf("It does not fit: %s\n", note.text);
    else
        puts(p->n_bytes_in_file ? "It fits, but without room for all weights: slow." : "It fits.");
    print_choices(p);
}

void plan_print_json(const struct plan *p)
{
    json_t *choices = json_array();
    for (size_t i = 0; i < COUNT_OF(session_counts); i++)
        json_array_append_new(
            choices,
            json_pack("{s:I,s:I,s:I}", "sessions", (json_int_t)session_counts[i], "context",
                      (json_int_t)plan_ctx_max(p, session_counts[i], true), "context_from_file",
                      (json_int_t)plan_ctx_max(p, session_counts[i], false)));
    json_t *all = json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:b,s:o}", "sessions", (json_int_t)p->n_sessions,
        "context", (json_int_t)p->n_ctx, "weight_bytes", (json_int_t)p->n_bytes_weights,
        "weight_bytes_from_file", (json_int_t)p->n_bytes_in_file, "cache_bytes",
        (json_int_t)p->n_bytes_cache, "cache_pages", (json_int_t)p->n_kv_pages,
        "cache_bytes_per_position", (json_int_t)(p->n_bytes_page / KV_PAGE), "working_bytes",
        (json_int_t)p->n_bytes_working, "available_bytes", (json_int_t)p->n_bytes_usable,
        "available_from", p->room.from, "fits", plan_fits(p), "choices", choices);
    CHECK(all);
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(all);
}
