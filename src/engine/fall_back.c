/* fall_back.c - the engine goes on with the CPU when its device is lost. */
#include "engine/fall_back.h"

#include <stdio.h>

#include "base/check.h"

bool engine_is_lost(const struct iso_engine *e)
{
    return e->device->ops->status(e->device, NULL) != ERR_OK;
}

/* What lies on a device. */
struct parts {
    struct device *device;
    struct plan plan;
    struct model *model;
    struct draft draft;
    struct kv_pages pages;
    struct prefix prefix;
};

static void close_parts(struct parts *p)
{
    draft_close(&p->draft);
    prefix_release(&p->prefix);
    if (p->pages.device)
        kv_pages_release(&p->pages);
    if (p->model)
        model_close(p->model);
    if (p->device)
        p->device->ops->close(p->device);
}

/* p->device is the CPU. The layers that it had before are given back first: all are its own now. */
static enum err open_on_cpu(struct iso_engine *e, struct parts *p, struct err_note *note)
{
    struct iso_engine_options o = e->options;
    o.n_ctx = e->n_ctx;
    o.profile = NULL; /* the CPU has one */
    o.n_kv_pages = e->pages.n_pages;
    model_shed(e->model);
    kv_pages_shed(&e->pages);
    enum err rc = plan_make(e->weights, e->draft_weights, p->device, NULL, &o, &p->plan, note);
    if (!rc)
        rc = engine_open_model(e->weights, p->device, NULL, &o, &p->plan, &p->model, note);
    if (!rc)
        rc = engine_open_pages(&p->pages, p->device, NULL, &p->plan, note);
    if (!rc)
        rc = prefix_init(&p->prefix, &e->pages, note);
    if (!rc && e->draft_weights) {
        struct model_limits limits = {.n_rows_max = e->n_chunk, .n_ctx_max = e->n_ctx};
        rc = draft_open(&p->draft, e->draft_weights, e->weights, p->device,
                        model_info(p->model)->n_vocab, limits, note);
    }
    return rc;
}

/* The new parts become the engine's, its own p's. */
static void exchange(struct iso_engine *e, struct parts *p)
{
    struct parts old = {e->device, e->plan, e->model, e->speculate.draft, e->pages, e->prefix};
    e->device = p->device;
    e->plan = p->plan;
    e->model = p->model;
    e->speculate.draft = p->draft;
    e->pages = p->pages;
    e->prefix = p->prefix;
    *p = old;
}

/* Nothing of a timeline is computed any more. */
static void forget_pages(struct iso_session *s)
{
    s->n_pages = s->n_shared = s->n_kv = 0;
    s->recall = true;
}

enum err engine_fall_back(struct iso_engine *e)
{
    struct parts p = {.device = e->lower};
    struct err_note why = {""}, note = {""};
    char text[sizeof why.text + 128];
    CHECK(e->device->ops->status(e->device, &why) != ERR_OK);
    snprintf(text, sizeof text, "%s is lost (%s); the CPU goes on, %s", e->device->ops->name,
             why.text, e->is_fast ? ENGINE_GOES_ON_EXACT : "with the same tokens");
    e->lower = NULL;
    enum err rc = open_on_cpu(e, &p, &note);
    if (rc == ERR_OK)
        exchange(e, &p);
    close_parts(&p);
    if (rc) {
        e->lost = rc;
        return err_set(&e->lost_note, rc, "%s is lost (%.200s), and the CPU cannot go on: %.200s",
                       e->device->ops->name, why.text, note.text);
    }
    for (uint32_t i = 0; i < e->n_sessions; i++)
        forget_pages(&e->sessions[i]);
    e->cost = (struct cost){0};
    e->ahead.n = 0;
    model_set_tap(e->model, e->tap);
    if (e->options.notice)
        e->options.notice(e->options.notice_context, text);
    return ERR_OK;
}
