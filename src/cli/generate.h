/* generate.h - one answer, from a request to text: shared by run and chat. */
#ifndef CLI_GENERATE_H
#define CLI_GENERATE_H

#include "base/buf.h"
#include "cli/load.h"
#include "cli/sample.h"
#include "isobit.h"

struct answer {
    struct buf text;   /* all of it */
    struct buf tokens; /* int32_t each, stop token included */
    uint32_t n_prompt, n_answer;
    double prompt_s, answer_s; /* until the first token; from the first to the last */
    enum iso_finish finish;
};

/* answer_run - submits the request and sees it through. emit gets text as it becomes certain.
 * Errors are those of submit and of the forward pass; an interrupt is ISO_FINISH_CANCELLED. */
typedef void answer_emit(void *context, struct str text);
enum err answer_run(struct loaded *l, const struct sample_options *o,
                    const struct iso_request *request, answer_emit *emit, void *context,
                    struct answer *a, struct err_note *note);
/* answers_run - n_choices answers at once to one prompt, which is read once: choice i of the
 * request's seed. The engine needs as many sessions. answers [n_choices]; makers [n_choices] see
 * what their receipts are made of, the answer's kept tokens alone; NULL: none are made. */
struct maker;
enum err answers_run(struct loaded *l, const struct sample_options *o,
                     const struct iso_request *request, uint32_t n_choices, answer_emit *emit,
                     void *context, struct answer *answers, struct maker *makers,
                     struct err_note *note);
void answer_release(struct answer *a);

/* "12 tokens read at 340.1/s, 40 written at 88.0/s" */
const char *answer_speed(const struct answer *a, char out[120]);

/* Ctrl-C: the first one after interrupt_catch is noted, the second ends the program. */
void interrupt_catch(void);
bool interrupt_seen(void);
void interrupt_clear(void);

#endif
