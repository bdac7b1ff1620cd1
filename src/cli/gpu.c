/* gpu.c - the choice of a device, from a command's options. */
#include "cli/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/load.h"
#include "cli/say.h"
#include "device/cuda/driver.h"
#include "device/cuda/image.h"
#include "device/open.h"
#include "model/profile.h"

/* Of the card that is meant; 0 where there is none, which whoever opens it says. */
static uint64_t card_bytes(const char *gpu)
{
    struct driver driver;
    struct cuda_card card = {0};
    int ordinal = gpu ? (int)strtol(gpu + strcspn(gpu, "0123456789"), NULL, 10) : 0;
    if (driver_open(&driver, NULL))
        return 0;
    if (ordinal < driver.n_cards)
        (void)driver_card(&driver, ordinal, &card, NULL);
    driver_close(&driver);
    return card.n_bytes;
}

static void say_cards(const struct driver *v)
{
    for (int i = 0; i < v->n_cards; i++) {
        struct cuda_card card;
        struct err_note note;
        char size[SIZE_TEXT];
        if (driver_card(v, i, &card, &note))
            say("gpu: cuda:%d: %s", i, note.text);
        else
            say("gpu: cuda:%d: %s, compute capability %d.%d, %u multiprocessors, %s", i, card.name,
                card.capability / 10, card.capability % 10, card.n_multiprocessors,
                size_text(card.n_bytes, size));
    }
}

/* Each thing that was looked for, and what came of it. */
static void say_found(void)
{
    struct cuda_images images = cuda_images();
    struct driver driver;
    struct err_note note;
    say("gpu: kernels in this program: %s",
        images.is_empty ? "none, it was built without nvcc" : images.cards);
    if (driver_open(&driver, &note)) {
        say("gpu: cuda: %s", note.text);
    } else {
        say("gpu: cuda: a driver for CUDA %d.%d, %d card%s", driver.version / 1000,
            driver.version % 1000 / 10, driver.n_cards, driver.n_cards == 1 ? "" : "s");
        say_cards(&driver);
        driver_close(&driver);
    }
    say("gpu: metal: this program has none");
    say("gpu: auto stays on the CPU in this version");
}

/* *n 0: as many as fit; *none: none at all. */
static enum err parse_layers(const char *text, uint32_t *n, bool *none, struct err_note *note)
{
    uint64_t number = 0;
    bool is_number = text && strcmp(text, "auto") != 0;
    if (is_number && (!str_to_u64(str_from(text), &number) || number > UINT32_MAX))
        return err_set(note, ERR_USAGE, "--gpu-layers is \"%.40s\"; a number, or auto", text);
    *none = is_number && number == 0;
    *n = (uint32_t)number;
    return ERR_OK;
}

enum err gpu_choose(const struct gpu_options *g, struct gpu_choice *c, struct err_note *note)
{
    bool none = false;
    *c = (struct gpu_choice){.gpu = g->which};
    enum err rc = parse_layers(g->layers, &c->n_layers, &none, note);
    if (rc)
        return rc;
    if (g->which && strcmp(g->which, "debug") == 0) {
        say_found();
        c->gpu = NULL;
    }
    if (c->gpu)
        rc = device_name_check(c->gpu, note);
    if (rc == ERR_USAGE)
        return err_wrap(note, rc, "--gpu");
    if (!rc && profile_name_check(g->profile, note))
        return err_wrap(note, ERR_USAGE, "--profile");
    if (!rc && g->memory)
        rc = load_size("--gpu-memory", g->memory, card_bytes(c->gpu), &c->n_bytes, note);
    if (none)
        c->gpu = "cpu";
    return rc;
}
