/* cmd_gpu.c - the cards of this machine, what they do now, and how a model would lie on one. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/plan_report.h"
#include "cli/say.h"
#include "device/cuda/driver.h"
#include "device/cuda/image.h"
#include "device/cuda/nvml.h"

enum { CARDS_MAX = 64 };

struct card {
    struct cuda_card card;
    struct nvml_state now;
    struct err_note unknown; /* why nothing is known of now; "" otherwise */
};

struct gpu_command {
    struct model_options model;
    uint32_t n_sessions;
    bool json;
    int version; /* of CUDA, the driver's */
    struct card cards[CARDS_MAX];
    int n_cards;
    struct err_note none; /* why there is no card; "" otherwise */
};

/* No driver and no card are an answer, no error. */
static enum err find_cards(struct gpu_command *g, struct err_note *note)
{
    struct driver driver;
    enum err rc = driver_open(&driver, &g->none);
    if (rc)
        return rc == ERR_NOT_FOUND ? ERR_OK : err_set(note, rc, "%s", g->none.text);
    g->version = driver.version;
    g->n_cards = driver.n_cards < CARDS_MAX ? driver.n_cards : CARDS_MAX;
    for (int i = 0; !rc && i < g->n_cards; i++) {
        struct card *c = &g->cards[i];
        rc = driver_card(&driver, i, &c->card, note);
        if (!rc && nvml_read(c->card.bus_id, &c->now, &c->unknown) == ERR_OK)
            c->unknown.text[0] = 0;
    }
    driver_close(&driver);
    return rc;
}

static void print_now(const struct nvml_state *s)
{
    char used[SIZE_TEXT], all[SIZE_TEXT];
    if (s->knows_memory)
        printf("  memory       %s of %s taken\n", size_text(s->n_bytes_used, used),
               size_text(s->n_bytes, all));
    if (s->knows_use)
        printf("  used         %u %% of the time, its memory %u %%\n", s->use_percent,
               s->memory_use_percent);
    if (s->knows_temperature)
        printf("  temperature  %u C\n", s->temperature_c);
    if (s->n_processes_all > s->n_processes)
        printf("  processes    %u\n", s->n_processes_all);
    for (uint32_t i = 0; i < s->n_processes; i++)
        printf("  process      %u%s%s\n", s->processes[i].pid, s->processes[i].n_bytes ? ", " : "",
               s->processes[i].n_bytes ? size_text(s->processes[i].n_bytes, used) : "");
}

static void print_text(const struct gpu_command *g)
{
    struct cuda_images images = cuda_images();
    char size[SIZE_TEXT];
    printf("kernels        %s\n",
           images.is_empty ? "none: this program was built without nvcc" : images.cards);
    if (g->n_cards == 0) {
        printf("cards          none: %s\n", g->none.text);
        return;
    }
    printf("driver         CUDA %d.%d%s%s\n", g->version / 1000, g->version % 1000 / 10,
           g->cards[0].now.driver[0] ? ", " : "", g->cards[0].now.driver);
    for (int i = 0; i < g->n_cards; i++) {
        const struct card *c = &g->cards[i];
        printf("cuda:%-9d %s, compute capability %d.%d, %u multiprocessors, %s\n", i, c->card.name,
               c->card.capability / 10, c->card.capability % 10, c->card.n_multiprocessors,
               size_text(c->card.n_bytes, size));
        if (c->unknown.text[0])
            printf("  now          not known: %s\n", c->unknown.text);
        else
            print_now(&c->now);
    }
}

static json_t *now_json(const struct nvml_state *s)
{
    json_t *o = json_object(), *processes = json_array();
    if (s->knows_memory)
        json_object_set_new(o, "memory_used_bytes", json_integer((json_int_t)s->n_bytes_used));
    if (s->knows_use) {
        json_object_set_new(o, "use_percent", json_integer(s->use_percent));
        json_object_set_new(o, "memory_use_percent", json_integer(s->memory_use_percent));
    }
    if (s->knows_temperature)
        json_object_set_new(o, "temperature_c", json_integer(s->temperature_c));
    for (uint32_t i = 0; i < s->n_processes; i++)
        json_array_append_new(processes,
                              json_pack("{s:I,s:I}", "pid", (json_int_t)s->processes[i].pid,
                                        "memory_bytes", (json_int_t)s->processes[i].n_bytes));
    json_object_set_new(o, "n_processes", json_integer(s->n_processes_all));
    json_object_set_new(o, "processes", processes);
    return o;
}

static void print_json(const struct gpu_command *g)
{
    json_t *cards = json_array();
    for (int i = 0; i < g->n_cards; i++) {
        const struct cuda_card *c = &g->cards[i].card;
        json_t *card = json_pack(
            "{s:o,s:s,s:s,s:I,s:I,s:I}", "device", json_sprintf("cuda:%d", i), "name", c->name,
            "bus", c->bus_id, "capability", (json_int_t)c->capability, "multiprocessors",
            (json_int_t)c->n_multiprocessors, "memory_bytes", (json_int_t)c->n_bytes);
        if (!g->cards[i].unknown.text[0])
            json_object_set_new(card, "now", now_json(&g->cards[i].now));
        json_array_append_new(cards, card);
    }
    json_t *all = json_pack("{s:s,s:I,s:o}", "kernels", cuda_images().cards, "cuda",
                            (json_int_t)g->version, "cards", cards);
    if (g->n_cards == 0)
        json_object_set_new(all, "why", json_string(g->none.text));
    CHECK(all);
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(all);
}

int cmd_gpu(int argc, char **argv)
{
    static struct gpu_command g = {.n_sessions = 1, .model.gpu.which = "cuda"};
    const struct arg_option options[] = {
        OPT_FLAG(0, "json", &g.json, "as one JSON object"),
        OPT_HEADING("How a model would lie on a card"),
        GPU_OPTIONS(g.model.gpu),
        CONTEXT_OPTION(g.model),
        OPT_U32(0, "sessions", "N", &g.n_sessions, 1, 4096, "sessions at once (default: 1)"),
        CHUNK_OPTION(g.model),
        DRAFT_OPTION(g.model),
    };
    const struct arg_command command = {
        .name = "gpu",
        .summary = "list the graphics cards, what they do, and how a model would lie on one",
        .usage = "gpu [options] [MODEL]",
        .about = "Without MODEL: each card with its memory, use, temperature and processes. With\n"
                 "MODEL: weights, cache and working memory on a card, and what context fits; the\n"
                 "file's tables alone are read.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit gpu\n"
                    "isobit gpu -c 32768 --sessions 4 model.gguf",
        .n_positional_max = 1,
    };
    struct err_note note = {""};
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, &note);
    if (!rc && args.help) {
        args_help(&command, stdout);
        return EXIT_OK;
    }
    if (!rc && args.n_positional) {
        g.model.path = args.positional[0];
        rc = plan_show(&g.model, g.n_sessions, g.json, &note);
    } else if (!rc) {
        rc = find_cards(&g, &note);
        if (!rc && g.json)
            print_json(&g);
        else if (!rc)
            print_text(&g);
    }
    return rc ? say_error(rc, &note) : EXIT_OK;
}
