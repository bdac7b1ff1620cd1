/* generate.h - one answer, from a request to text: shared by run and chat. */
#ifndef CLI_GENERATE_H
#define CLI_GENERATE_H

#include "base/buf.h"
#include "cli/args.h"
#include "cli/load.h"
#include "isobit.h"

/* How tokens are chosen, as options. */
struct sample_options {
    struct iso_sampling sampling;
    uint32_t n_answer_max;
    const char *order; /* "top_k,temperature" or NULL */
    struct arg_texts stops, bias;
    bool ignore_eos;
    struct iso_bias biases[ARG_TEXTS_MAX];
    struct str stop_items[ARG_TEXTS_MAX];
    size_t n_stop_items;
};

#define SAMPLE_OPTIONS(s)                                                                          \
    OPT_HEADING("Answer"),                                                                         \
        OPT_U32('n', "n-predict", "N", &(s).n_answer_max, 1, 4294967295.0,                         \
                "at most N tokens (default: up to the context's end)"),                            \
        OPT_TEXTS(0, "stop", "TEXT", &(s).stops, "end before TEXT; may be repeated"),              \
        OPT_FLAG(0, "ignore-eos", &(s).ignore_eos, "go on after the model's end tokens"),          \
        OPT_HEADING("Choosing tokens (the same seed gives the same text, on any machine)"),        \
        OPT_U64('s', "seed", "S", &(s).sampling.seed,                                              \
                "of the random choices (default: a new one each time)"),                           \
        OPT_FLOAT(0, "temp", "T", &(s).sampling.temperature, 0, 100,                               \
                  "0: always the likeliest token (default: 0.8)"),                                 \
        OPT_U32(0, "top-k", "K", &(s).sampling.top_k, 0, 4294967295.0,                             \
                "among the K likeliest; 0: off (default: 40)"),                                    \
        OPT_FLOAT(0, "top-p", "P", &(s).sampling.top_p, 0, 1,                                      \
                  "among the fewest that reach P together; 1: off\n(default: 0.95)"),              \
        OPT_FLOAT(0, "min-p", "P", &(s).sampling.min_p, 0, 1,                                      \
                  "at least P times as likely as the likeliest; 0: off\n(default: 0.05)"),         \
        OPT_FLOAT(0, "typical", "P", &(s).sampling.typical_p, 0, 1,                                \
                  "among the most typical that reach P; 1: off (default: 1)"),                     \
        OPT_FLOAT(0, "repeat-penalty", "R", &(s).sampling.repeat_penalty, 0.01, 100,               \
                  "against tokens that occurred; 1: off (default: 1)"),                            \
        OPT_FLOAT(0, "frequency-penalty", "F", &(s).sampling.frequency_penalty, -100, 100,         \
                  "against them, for each time; 0: off (default: 0)"),                             \
        OPT_FLOAT(0, "presence-penalty", "F", &(s).sampling.presence_penalty, -100, 100,           \
                  "against them, once; 0: off (default: 0)"),                                      \
        OPT_U32(0, "repeat-last-n", "N", &(s).sampling.n_penalty_window, 0, 4294967295.0,          \
                "tokens that penalties look back at (default: 64)"),                               \
        OPT_TEXTS(0, "logit-bias", "ID=B", &(s).bias,                                              \
                  "add B to the logit of token ID; may be repeated"),                              \
        OPT_TEXT(0, "order", "LIST", &(s).order,                                                   \
                 "the stages in another order (default:\n"                                         \
                 "penalties,top_k,typical,top_p,min_p,temperature)")

/* Defaults, a random seed among them; then, after parsing, the request they mean. */
void sample_defaults(struct sample_options *o);
enum err sample_request(struct sample_options *o, const struct tokenizer *t,
                        struct iso_request *request, struct err_note *note);

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
void answer_release(struct answer *a);

/* "12 tokens read at 340.1/s, 40 written at 88.0/s" */
const char *answer_speed(const struct answer *a, char out[120]);

/* Ctrl-C: the first one after interrupt_catch is noted, the second ends the program. */
void interrupt_catch(void);
bool interrupt_seen(void);
void interrupt_clear(void);

#endif
