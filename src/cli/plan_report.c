/* plan_report.c - a plan as a table with bars, and what else would fit. */
#include "cli/plan_report.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/say.h"
#include "engine/engine.h"
#include "engine/plan.h"

enum { BAR_CELLS = 40 };
static const uint32_t session_counts[] = {1, 2, 4, 8, 16, 32, 64};

/* A share of what may be taken, after those before it; what goes beyond is an arrow. */
static void print_bar(const struct plan_part *p, uint64_t before, uint64_t n_bytes)
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

static void print_share(const struct plan_part *p, const char *name, uint64_t *before,
                        uint64_t n_bytes)
{
    char size[SIZE_TEXT];
    printf("  %-26s %10s", name, size_text(n_bytes, size));
    if (isatty(STDOUT_FILENO))
        print_bar(p, *before, n_bytes);
    else
        putchar('\n');
    *before += n_bytes;
}

/* What is taken of one memory, under its name where there are two. */
static void print_part(const struct plan *plan, const struct plan_part *p, const char *title)
{
    char size[SIZE_TEXT], name[64];
    uint64_t taken = 0;
    if (!p->device)
        return;
    if (title)
        printf("%s\n", title);
    print_share(p, "weights", &taken, p->n_bytes_weights + p->n_bytes_vectors);
    snprintf(name, sizeof name, "cache, %u pages", plan->n_kv_pages);
    print_share(p, name, &taken, p->n_bytes_cache);
    print_share(p, "working memory", &taken, p->n_bytes_working);
    if (p->n_bytes_draft)
        print_share(p, "draft model", &taken, p->n_bytes_draft);
    printf("  %-26s %10s\n", "together", size_text(taken, size));
    printf("  %-26s %10s (%s)\n", "may be taken", size_text(p->n_bytes_usable, size), p->room.from);
    if (p->n_bytes_context)
        printf("  %-26s %10s\n", "the device itself has", size_text(p->n_bytes_context, size));
}

static void print_parts(const struct plan *p)
{
    char title[128];
    uint32_t n = p->n_gpu_layers, n_all = p->info.n_layers;
    if (!p->gpu.device) {
        print_part(p, &p->cpu, NULL);
        return;
    }
    snprintf(title, sizeof title, n > n_all ? "On %s, all %u layers" : "On %s, %u of %u layers",
             p->gpu.device, n > n_all ? n_all : n, n_all);
    print_part(p, &p->gpu, title);
    print_part(p, &p->cpu, n < n_all ? "On the CPU, the others and the embedding"
                                     : "On the CPU, the embedding");
}

static void print_choices(const struct plan *p)
{
    printf("\nPositions that each session may have\n  %-26s", "sessions");
    for (size_t i = 0; i < COUNT_OF(session_counts); i++)
        printf(" %8u", session_counts[i]);
    for (int in_memory = 1; in_memory >= !p->cpu.device; in_memory--) {
        printf("\n  %-26s", in_memory ? "weights in memory" : "weights read from the file");
        for (size_t i = 0; i < COUNT_OF(session_counts); i++)
            printf(" %8u", plan_ctx_max(p, session_counts[i], in_memory));
    }
    putchar('\n');
}

static void print_plan(const struct plan *p)
{
    char size[SIZE_TEXT];
    printf("Memory for %u session%s of %u positions\n", p->n_sessions,
           p->n_sessions == 1 ? "" : "s", p->info.n_ctx);
    print_parts(p);
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

static json_t *part_json(const struct plan_part *p)
{
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "device", p->device, "context_bytes",
                     (json_int_t)p->n_bytes_context, "weight_bytes",
                     (json_int_t)p->n_bytes_weights, "vector_bytes",
                     (json_int_t)p->n_bytes_vectors, "cache_bytes", (json_int_t)p->n_bytes_cache,
                     "working_bytes", (json_int_t)p->n_bytes_working, "draft_bytes",
                     (json_int_t)p->n_bytes_draft, "available_bytes",
                     (json_int_t)p->n_bytes_usable, "available_from", p->room.from);
}

static void print_json(const struct plan *p)
{
    json_t *choices = json_array(), *parts = json_array();
    for (size_t i = 0; i < COUNT_OF(session_counts); i++)
        json_array_append_new(
            choices,
            json_pack("{s:I,s:I,s:I}", "sessions", (json_int_t)session_counts[i], "context",
                      (json_int_t)plan_ctx_max(p, session_counts[i], true), "context_from_file",
                      (json_int_t)plan_ctx_max(p, session_counts[i], false)));
    if (p->gpu.device)
        json_array_append_new(parts, part_json(&p->gpu));
    if (p->cpu.device)
        json_array_append_new(parts, part_json(&p->cpu));
    json_t *all = json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:b,s:o}", "sessions", (json_int_t)p->n_sessions, "context",
        (json_int_t)p->info.n_ctx, "layers", (json_int_t)p->info.n_layers, "gpu_layers",
        (json_int_t)p->n_gpu_layers, "cache_pages", (json_int_t)p->n_kv_pages,
        "weight_bytes_from_file", (json_int_t)p->n_bytes_in_file, "memory", parts, "fits",
        plan_fits(p), "choices", choices);
    CHECK(all);
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(all);
}

enum err plan_show(const struct model_options *m, uint32_t n_sessions, bool json,
                   struct err_note *note)
{
    struct loaded l;
    struct plan plan;
    struct iso_engine_options o = {.n_sessions = n_sessions};
    enum err rc = load_file(&l, m->path, note);
    if (!rc && m->draft)
        rc = table_open(load_path(m->draft, note), &l.draft, note);
    if (!rc)
        rc = load_options(&l, m, &o, note);
    if (!rc)
        rc = engine_plan(&l.table, m->draft ? &l.draft : NULL, &o, &plan, note);
    if (!rc && json)
        print_json(&plan);
    else if (!rc)
        print_plan(&plan);
    load_close(&l);
    return rc;
}
