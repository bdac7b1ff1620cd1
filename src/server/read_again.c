/* read_again.c - a worker of which only what reads requests is there. */
#include "server/read_again.h"

#include "base/mem.h"
#include "server/worker_int.h"

bool read_again(const struct read_again *r, const struct verify_case *about,
                const struct parameters *p, struct err_note *why)
{
    struct worker *w = mem_zalloc(sizeof *w);
    struct identity identity;
    struct api_error e = {0};
    bool same = false;
    if (!w) {
        err_set(why, ERR_MEMORY, "out of memory for a request");
        return false;
    }
    w->info = r->info;
    if (!speech_open(&w->speech, r->model, r->template, NULL, why)) {
        enum err rc = identity_begin(&w->speech.table, &w->identity, why);
        if (!rc && !identity_wait(w->identity, &identity, why)) {
            same = receipt_follows(w, about, p, NULL, &e);
            if (!same)
                err_set(why, ERR_FORMAT, "%s", e.message);
        }
        identity_end(w->identity);
        for (int i = 0; i < 2; i++)
            grammar_vocab_free(w->vocabs[i]);
        speech_close(&w->speech);
    }
    mem_free(w);
    return same;
}
