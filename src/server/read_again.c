/* read_again.c - a worker of which only what reads requests is there. */
#include "server/read_again.h"

#include "base/mem.h"
#include "server/worker_int.h"

struct read_again {
    struct worker worker;
    struct choice *made;
};

static enum err follow(struct read_again *r, const struct verify_case *about,
                       const struct parameters *p, struct err_note *note)
{
    struct api_error e = {0};
    if (receipt_follows(&r->worker, about, p, &r->made, &e))
        return ERR_OK;
    return err_set(note,
                   e.status == 501   ? ERR_UNSUPPORTED
                   : e.status == 400 ? ERR_FORMAT
                                     : ERR_MEMORY,
                   "%s", e.message);
}

enum err read_again_open(struct read_again **out, const struct read_again_options *o,
                         const struct verify_case *about, const struct parameters *p,
                         struct err_note *note)
{
    struct read_again *r = *out = mem_zalloc(sizeof *r);
    if (!r)
        return err_set(note, ERR_MEMORY, "out of memory for a request");
    r->worker.info = o->info;
    enum err rc = speech_open(&r->worker.speech, o->model, o->template, o->tool_format, note);
    rc = rc ? rc : follow(r, about, p, note);
    if (rc) {
        read_again_close(r);
        *out = NULL;
    }
    return rc;
}

const struct iso_constraint *read_again_constraint(const struct read_again *r)
{
    return r->made->answer.request.constraint;
}

struct answer_text *read_again_text(struct read_again *r)
{
    return &r->made->says;
}

void read_again_close(struct read_again *r)
{
    if (!r)
        return;
    if (r->made)
        completion_forget(r->made->call);
    for (int i = 0; i < 2; i++)
        grammar_vocab_free(r->worker.vocabs[i]);
    speech_close(&r->worker.speech);
    mem_free(r);
}
