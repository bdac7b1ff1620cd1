/* sample.h - how tokens are chosen: from options to a request. Shared by run and chat. */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include "cli/args.h"
#include "isobit.h"
#include "text/breakers.h"

/* How tokens are chosen, as options. */
struct sample_options {
    struct iso_sampling sampling;
    uint32_t n_answer_max;
    uint32_t n_answer_min;
    const char *order; /* "top_k,temperature" or NULL */
    struct arg_texts stops, bias, breakers;
    bool ignore_eos;
    struct iso_bias biases[ARG_TEXTS_MAX];
    struct iso_breaker *dry_breakers;
    struct breakers found; /* what they point to */
    struct str stop_items[ARG_TEXTS_MAX];
    size_t n_stop_items;
};

#define SAMPLE_OPTIONS(s)                                                                          \
    OPT_HEADING("Answer"),                                                                         \
        OPT_U32('n', "n-predict", "N", &(s).n_answer_max, 1, 4294967295.0,                         \
                "at most N tokens (default: up to the context's end)"),                            \
        OPT_U32(0, "min-tokens", "N", &(s).n_answer_min, 0, 4294967295.0,                          \
                "no end token before N tokens (default: 0)"),                                      \
        OPT_TEXTS(0, "stop", "TEXT", &(s).stops, "end before TEXT; may be repeated"),              \
        OPT_FLAG(0, "ignore-eos", &(s).ignore_eos, "the model's end tokens are never chosen"),     \
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
        OPT_FLOAT(0, "xtc-probability", "P", &(s).sampling.xtc_probability, 0, 1,                  \
                  "with probability P, only the least likely of the top\n"                         \
                  "choices stays; 0: off (default: 0)"),                                           \
        OPT_FLOAT(0, "xtc-threshold", "P", &(s).sampling.xtc_threshold, 0, 1,                      \
                  "a top choice has at least probability P (default: 0.1)"),                       \
        OPT_U32(0, "mirostat", "V", &(s).sampling.mirostat, 0, 2,                                  \
                "keep surprise level by mirostat 1 or 2, instead of\n"                             \
                "top-k, top-p, min-p, typical and XTC; 0: off (default: 0)"),                      \
        OPT_FLOAT(0, "mirostat-tau", "T", &(s).sampling.mirostat_tau, 0, 100,                      \
                  "the surprise it aims at, in bits (default: 5)"),                                \
        OPT_FLOAT(0, "mirostat-eta", "E", &(s).sampling.mirostat_eta, 0, 1,                        \
                  "how fast it gets there (default: 0.1)"),                                        \
        OPT_TEXTS(0, "logit-bias", "ID=B", &(s).bias,                                              \
                  "add B to the logit of token ID; B may be -inf: never\n"                         \
                  "chosen; may be repeated"),                                                      \
        OPT_TEXT(0, "order", "LIST", &(s).order,                                                   \
                 "the stages in another order (default: penalties,dry,\n"                          \
                 "top_k,typical,top_p,min_p,xtc,temperature)"),                                    \
        OPT_HEADING("Against repetition"),                                                         \
        OPT_FLOAT(0, "repeat-penalty", "R", &(s).sampling.repeat_penalty, 0.01, 100,               \
                  "against tokens that occurred; 1: off (default: 1)"),                            \
        OPT_FLOAT(0, "frequency-penalty", "F", &(s).sampling.frequency_penalty, -100, 100,         \
                  "against them, for each time; 0: off (default: 0)"),                             \
        OPT_FLOAT(0, "presence-penalty", "F", &(s).sampling.presence_penalty, -100, 100,           \
                  "against them, once; 0: off (default: 0)"),                                      \
        OPT_U32(0, "repeat-last-n", "N", &(s).sampling.n_penalty_window, 0, 4294967295.0,          \
                "tokens that these penalties look back at (default: 64)"),                         \
        OPT_FLOAT(0, "dry-multiplier", "M", &(s).sampling.dry_multiplier, 0, 100,                  \
                  "DRY: against going on with a repetition of n tokens,\n"                         \
                  "by M * base^(n - allowed length); 0: off (default: 0)"),                        \
        OPT_FLOAT(0, "dry-base", "B", &(s).sampling.dry_base, 1, 100, "its base (default: 1.75)"), \
        OPT_U32(0, "dry-allowed-length", "N", &(s).sampling.dry_allowed_length, 0, 4294967295.0,   \
                "repetitions shorter than N go free (default: 2)"),                                \
        OPT_U32(0, "dry-penalty-last-n", "N", &(s).sampling.n_dry_window, 0, 4294967295.0,         \
                "tokens that DRY looks back at (default: all)"),                                   \
        OPT_TEXTS(0, "dry-sequence-breaker", "TEXT", &(s).breakers,                                \
                  "no repetition reaches across TEXT; may be repeated; none:\n"                    \
                  "no breakers (default: newline, colon, \" and *)")

/* Defaults, a random seed among them; then, after parsing, the request they mean. */
void sample_defaults(struct sample_options *o);
enum err sample_request(struct sample_options *o, const struct tokenizer *t,
                        struct iso_request *request, struct err_note *note);
void sample_release(struct sample_options *o);

#endif
