/* load.h - from -m to a model that answers: file, tokenizer, engine, one session. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include "base/err.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/gpu.h"
#include "format/table.h"
#include "isobit.h"
#include "text/tokenizer.h"

/* What every command that computes takes. Zero: the defaults. */
struct model_options {
    const char *path;
    uint32_t n_threads, n_ctx, n_chunk;
    bool no_speculation;
    const char *draft;
    struct gpu_options gpu;
};

#define MODEL_OPTION(m)                                                                            \
    OPT_TEXT('m', "model", "MODEL", &(m).path,                                                     \
             "GGUF file, Hugging Face folder, or the name of a pulled\n" \
             "model (default: the demo model)")
#define THREAD_OPTION(m)                                                                           \
    OPT_U32('t', "threads", "N", &(m).n_threads, 1, 1024,                                          \
            "threads that compute (default: all processors)")
/* Where a model is computed. */
#define DEVICE_OPTIONS(m) THREAD_OPTION(m), GPU_OPTIONS((m).gpu)
#define COMPUTE_OPTIONS(m) DEVICE_OPTIONS(m), PROFILE_OPTION((m).gpu)
#define CONTEXT_OPTION(m)                                                                          \
    OPT_U32('c', "ctx", "N", &(m).n_ctx, 1, 1 << 30,                                               \
            "tokens that prompt and answer may have together\n"                                    \
            "(default: what the model was trained for, at most 8192)")
#define CHUNK_OPTION(m)                                                                            \
    OPT_U32(0, "chunk", "N", &(m).n_chunk, 1, 1 << 16,                                             \
            "prompt tokens read in one pass (default: 512)")
#define SPECULATION_OPTION(m)                                                                      \
    OPT_FLAG(0, "no-speculation", &(m).no_speculation,                                             \
             "compute one token at a time (the text is the same)"),                                \
        DRAFT_OPTION(m)
#define DRAFT_OPTION(m)                                                                            \
    OPT_TEXT(0, "draft", "MODEL", &(m).draft,                                                      \
             "a smaller model of the same vocabulary that guesses what\n"                          \
             "comes (the text is the same, sooner)")

struct loaded {
    struct table table, draft;   /* draft.path NULL: none */
    struct tokenizer *tokenizer; /* NULL: the file has none */
    struct iso_engine *engine;   /* NULL after load_file */
    struct iso_session *session;
};

/* load_path - path, or what is called so in the models folder, or the demo model's for NULL; NULL
 * and a note when there is none. Static, until the next call. */
const char *load_path(const char *path, struct err_note *note);
/* load_file - the model file alone. path NULL: the demo model. */
enum err load_file(struct loaded *l, const char *path, struct err_note *note);
/* load_tokenizer - the same, and its tokenizer: ERR_NOT_FOUND if the file has none. */
enum err load_tokenizer(struct loaded *l, const char *path, struct err_note *note);
/* load_size - "3G", "512M" (powers of 1024), bytes, or "80%" of n_bytes_all. name: the option's,
 * for the error. */
enum err load_size(const char *name, const char *text, uint64_t n_bytes_all, uint64_t *n_bytes,
                   struct err_note *note);
/* load_memory - the same of what the machine has to give. */
enum err load_memory(const char *name, const char *text, uint64_t *n_bytes, struct err_note *note);
/* load_options - engine options from a command's, ISOBIT_ISA and ISOBIT_MEMORY. */
enum err load_options(const struct loaded *l, const struct model_options *m,
                      struct iso_engine_options *o, struct err_note *note);
/* load_engine - after load_file or load_tokenizer. more: further engine options or NULL; those in m
 * come first. Opens one session and says in one line what computes. */
enum err load_engine(struct loaded *l, const struct model_options *m,
                     const struct iso_engine_options *more, struct err_note *note);
void load_close(struct loaded *l);

/* What computes, for a person: "avx2, 4 threads"; out, returned. */
enum { DEVICE_TEXT = 64 };
const char *device_text(const char *device, const char *isa, int n_threads,
                        char out[DEVICE_TEXT]);

/* The part of a path after its last '/'. */
const char *base_name(const char *path);

/* load_text - a prompt: from -p, or the file named by -f ("-": standard input), or, with neither,
 * from standard input if it is no terminal. *text is NULL-ended; free it with mem_free. */
enum err load_text(const char *text_option, const char *file_option, char **text, size_t *n_bytes,
                   struct err_note *note);

/* token_ids - "1,2,3" or "1 2 3" to ids. */
enum err token_ids(const char *text, struct token_list *out, struct err_note *note);

/* What a command reads exactly: text that is sent as it is, or token ids. */
struct token_options {
    const char *prompt, *file, *ids;
};
#define TOKEN_OPTIONS(o)                                                                           \
    OPT_HEADING("Tokens"),                                                                         \
        OPT_TEXT('p', "prompt", "TEXT", &(o).prompt, "the text, sent as it is"),                   \
        OPT_TEXT('f', "file", "FILE", &(o).file, "the text of FILE; -: standard input"),           \
        OPT_TEXT(0, "tokens", "IDS", &(o).ids, "token ids instead of text: 1,2,3")

/* load_tokens - opens the file, and its tokenizer if there is text; at least one token. */
enum err load_tokens(struct loaded *l, const char *path, const struct token_options *o,
                     struct token_list *out, struct err_note *note);
/* check_context - ERR_LIMIT with both numbers when n tokens are more than the engine's context. */
enum err check_context(const struct loaded *l, size_t n_tokens, struct err_note *note);

#endif
