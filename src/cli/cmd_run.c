/* cmd_run.c - answers one prompt. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/constrain.h"
#include "cli/generate.h"
#include "cli/receipt_file.h"
#include "cli/request_arguments.h"
#include "cli/run_again.h"
#include "cli/say.h"
#include "text/chat_face.h"

enum { RENDERED_BYTES_MAX = 1 << 30 };

struct run {
    struct model_options model;
    struct sample_options sample;
    struct constrain_options constrain;
    const char *prompt, *file, *system, *template, *receipt, *node_key;
    bool raw, json, quiet, seed_given, receipt_logits;
    int argc;
    char **argv;

    struct loaded loaded;
    struct chat_face face;
    char *text; /* the prompt */
    size_t n_bytes;
    struct buf rendered; /* what the tokens are of */
    struct token_list tokens;
    struct buf asked;             /* the request, for a receipt */
    struct receipt_file receipts; /* where receipt names a file */
    struct iso_request request;
    struct constrained constrained;
    uint32_t n_choices;
    struct answer *answers; /* [n_choices] */
};

static enum err parse(struct run *r, int argc, char **argv, bool *help, struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_HEADING("Prompt"),
        OPT_TEXT('p', "prompt", "TEXT", &r->prompt, "the prompt"),
        OPT_TEXT('f', "file", "FILE", &r->file,
                 "the prompt is the text of FILE; -: standard input"),
        OPT_TEXT(0, "system", "TEXT", &r->system, "how the model should behave"),
        OPT_TEXT(0, "template", "NAME|FILE", &r->template,
                 "another chat template: a Jinja file, or one of r1, llama3.1,\n"
                 "mistral, qwen2, deepseek, phi3, plain"),
        OPT_FLAG(0, "raw", &r->raw, "send the prompt as it is, without a chat template"),
        OPT_HEADING("Model"),
        MODEL_OPTION(r->model),
        CONTEXT_OPTION(r->model),
        COMPUTE_OPTIONS(r->model),
        CHUNK_OPTION(r->model),
        SPECULATION_OPTION(r->model),
        SAMPLE_OPTIONS(r->sample),
        CONSTRAIN_OPTIONS(r->constrain),
        OPT_HEADING("Output"),
        OPT_U32(0, "answers", "N", &r->n_choices, 1, 64,
                "N of them at once; the prompt is read once (default: 1)"),
        OPT_TEXT(0, "receipt", "FILE", &r->receipt,
                 "a signed receipt of the answer in FILE, and in FILE.bundle\n"
                 "what checks it; answers 1, 2, ... of several: FILE.1, ..."),
        OPT_FLAG(0, "receipt-logits", &r->receipt_logits,
                 "it commits to all logits, not to the 16 largest alone"),
        OPT_TEXT(0, "node-key", "FOLDER", &r->node_key,
                 "where isobit node-key made the key that signs it\n(default: as node-key's)"),
        OPT_FLAG(0, "json", &r->json, "one JSON object at the end instead of text as it comes"),
        OPT_FLAG('q', "quiet", &r->quiet, "say nothing but errors"),
    };
    const struct arg_command command = {
        .name = "run",
        .summary = "answer one prompt",
        .usage = "run [-m MODEL] -p TEXT [options]\n"
                 "run [-m MODEL] -f FILE [options]\n"
                 "run [-m MODEL] [options] < FILE",
        .about = "The answer goes to standard output as it is written; what the program does is\n"
                 "said on standard error. A model with a chat template is spoken to through it.\n"
                 "Ctrl-C ends the answer (exit status 130).",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit run -p \"What is isobit?\"\n"
                    "isobit run -m model.gguf -p \"Write a haiku.\" --temp 0.7 --seed 1\n"
                    "isobit run -m model.gguf -p \"Is water wet?\" --choice yes,no\n"
                    "isobit run -m model.gguf --raw -p \"Once upon a time\" -n 100\n"
                    "cat report.txt | isobit run -m model.gguf --system \"Summarise.\" -c 16384",
    };
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, note);
    for (size_t i = 0; !rc && i < COUNT_OF(options); i++)
        r->seed_given |= args.given[i] && options[i].to == &r->sample.sampling.seed;
    *help = !rc && args.help;
    if (*help)
        args_help(&command, stdout);
    if (!rc && r->receipt_logits && !r->receipt)
        rc = err_set(note, ERR_USAGE, "--receipt-logits goes with --receipt");
    if (!rc && r->raw && (r->system || r->template))
        rc = err_set(note, ERR_USAGE, "--raw goes without --system and --template");
    if (!rc && r->sample.ignore_eos && constrain_any(&r->constrain))
        rc = err_set(note, ERR_USAGE, "an answer of a given form ends itself: no --ignore-eos");
    return rc;
}

/* The conversation as the model's template has it. */
static enum err render(struct run *r, struct err_note *note)
{
    const struct chat_message messages[2] = {
        {.role = STR("system"), .content = r->system ? str_from(r->system) : STR("")},
        {.role = STR("user"), .content = {r->text, r->n_bytes}},
    };
    size_t from = r->system ? 0 : 1;
    say("the prompt goes through %s (--raw sends it as it is)", r->face.origin);
    const struct chat_request request = {.messages = messages + from,
                                         .n_messages = 2 - from,
                                         .add_generation_prompt = true,
                                         .now_s = r->receipts.clock_s};
    return chat_face_render(&r->face, r->loaded.tokenizer, request, &r->rendered, note);
}

/* The prompt's tokens, through the chat template where there is one. */
static enum err encode(struct run *r, struct err_note *note)
{
    int how = ENCODE_PARSE_SPECIAL;
    enum err rc = ERR_OK;
    r->tokens.n_ids_max = INT32_MAX;
    if (!r->raw)
        rc = chat_face_open(&r->face, &r->loaded.table, r->template, note);
    if (rc)
        return rc;
    if (r->face.template) {
        rc = render(r, note);
    } else if (r->system) {
        rc = err_set(note, ERR_USAGE,
                     "--system needs a chat template, and this model has none; give one with "
                     "--template");
    } else {
        say("the prompt is sent as it is%s", r->raw ? "" : " (the model has no chat template)");
        buf_add(&r->rendered, r->text, r->n_bytes);
        how |= ENCODE_ADD_SPECIAL;
    }
    if (!rc && r->rendered.failed)
        rc = err_set(note, ERR_MEMORY, "out of memory for the prompt");
    struct str text = {r->rendered.bytes, r->rendered.n_bytes};
    return rc ? rc : tokenizer_encode(r->loaded.tokenizer, text, how, &r->tokens, note);
}

static void to_stdout(void *context, struct str text)
{
    const struct run *r = context;
    if (r->json || r->n_choices > 1)
        return;
    fwrite(text.ptr, 1, text.len, stdout);
    fflush(stdout);
}

static json_t *json_tokens(const int32_t *ids, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(ids[i]));
    return list;
}

static json_t *json_answer(const struct answer *a)
{
    return json_pack("{s:o,s:s,s:o}", "text", json_stringn(a->text.bytes, a->text.n_bytes),
                     "finish", iso_finish_text(a->finish), "tokens",
                     json_tokens((const int32_t *)(const void *)a->tokens.bytes, a->n_answer));
}

static void print_json(const struct run *r)
{
    const struct answer *a = &r->answers[0];
    json_t *all = r->n_choices > 1 ? json_object() : json_answer(a), *list = json_array();
    for (uint32_t i = 0; i < r->n_choices; i++)
        json_array_append_new(list, json_answer(&r->answers[i]));
    if (r->n_choices > 1)
        json_object_set(all, "answers", list);
    json_decref(list);
    json_t *rest = json_pack("{s:o,s:I,s:s,s:f,s:f}", "prompt_tokens",
                             json_tokens(r->tokens.ids, r->tokens.n_ids), "seed",
                             (json_int_t)r->sample.sampling.seed, "arithmetic",
                             iso_engine_info(r->loaded.engine).arithmetic,
                             "prompt_seconds", a->prompt_s, "answer_seconds", a->answer_s);
    json_object_update(all, rest);
    json_decref(rest);
    json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
}

/* Several answers are printed when all are there. */
static void print_choices(const struct run *r)
{
    for (uint32_t i = 0; i < r->n_choices; i++) {
        const struct buf *text = &r->answers[i].text;
        printf("%s[%u]\n%.*s\n", i ? "\n" : "", i + 1, (int)text->n_bytes,
               text->bytes ? text->bytes : "");
    }
}

static void say_end(const struct run *r)
{
    const struct answer *a = &r->answers[0];
    char speed[120];
    if (!r->json && r->n_choices == 1 && a->text.n_bytes &&
        a->text.bytes[a->text.n_bytes - 1] != '\n')
        putchar('\n');
    fflush(stdout);
    if (a->finish == ISO_FINISH_CONTEXT)
        say("the context is full; -c N makes it larger");
    if (a->finish == ISO_FINISH_CANCELLED)
        say("interrupted");
    say("%s; seed %" PRIu64, answer_speed(a, speed), r->sample.sampling.seed);
}

/* ---- the receipt -------------------------------------------------------------------------- */

/* What was asked, as docs/formats/receipt.md has it. */
static enum err write_request(struct run *r, struct err_note *note)
{
    struct canon_writer w;
    canon_begin(&w, &r->asked);
    canon_object(&w);
    canon_key(&w, "arguments");
    canon_array(&w);
    for (int i = 1; i < r->argc; i++)
        canon_text(&w, str_from(r->argv[i]));
    canon_end(&w);
    if (r->constrained.kind) {
        canon_key(&w, "constraint");
        canon_text(&w, (struct str){r->constrained.source, r->constrained.n_source});
    }
    canon_key(&w, "prompt");
    canon_text(&w, (struct str){r->text, r->n_bytes});
    if (r->system) {
        canon_key(&w, "system");
        canon_text(&w, str_from(r->system));
    }
    canon_end(&w);
    return r->asked.failed ? err_set(note, ERR_USAGE,
                                     "--receipt: the prompt is no UTF-8, or larger than the %d MiB "
                                     "that a receipt's bundle may have",
                                     CANON_BYTES_MAX >> 20)
                           : ERR_OK;
}

/* Before it is written: an answer that could be too long for its receipt would be lost. */
static enum err check_room(const struct run *r, struct err_note *note)
{
    uint32_t n = iso_engine_info(r->loaded.engine).n_ctx, n_prompt = r->request.n_tokens;
    n = n > n_prompt ? n - n_prompt : 0;
    n = n < r->request.n_answer_max ? n : r->request.n_answer_max;
    size_t n_text_bytes =
        canon_text_bytes((struct str){r->asked.bytes, r->asked.n_bytes}) +
        canon_text_bytes((struct str){r->rendered.bytes, r->rendered.n_bytes});
    size_t n_max =
        bundle_answer_max(n_text_bytes, n_prompt, r->receipt_logits, CANON_BYTES_MAX);
    return n <= n_max ? ERR_OK
                      : err_set(note, ERR_LIMIT,
                                "--receipt: an answer of up to %u tokens is too long for a "
                                "receipt, whose bundle has at most %d MiB; -n %zu is the most "
                                "with this prompt",
                                n, CANON_BYTES_MAX >> 20, n_max);
}

/* But for context, choice and clock. */
static struct parameters parameters_of(const struct run *r)
{
    const struct constrained *c = &r->constrained;
    struct parameters p = {.request = r->request,
                           .stop_texts = r->sample.stop_items,
                           .n_stop_texts = r->sample.n_stop_items,
                           .interface = STR("run")};
    if (c->kind) {
        p.constraint.kind = str_from(c->kind);
        sha256_of(c->source, c->n_source, p.constraint.hash.bytes);
    }
    return p;
}

static enum err write_receipts(struct run *r, struct err_note *note)
{
    struct receipt_source s = {.loaded = &r->loaded,
                               .template = r->face.template,
                               .parameters = parameters_of(r),
                               .seed_by_node = !r->seed_given,
                               .request = {r->asked.bytes, r->asked.n_bytes},
                               .prompt = {r->rendered.bytes, r->rendered.n_bytes},
                               .prompt_ids = r->tokens.ids,
                               .n_prompt_ids = r->tokens.n_ids};
    return receipt_file_write(&r->receipts, &s, r->answers, note);
}

/* ---- all of it ---------------------------------------------------------------------------- */

static enum err prepare(struct run *r, struct err_note *note)
{
    const struct iso_engine_options more = {.n_sessions = r->n_choices};
    enum err rc = load_text(r->prompt, r->file, &r->text, &r->n_bytes, note);
    if (!rc && r->receipt)
        rc = receipt_file_open(&r->receipts, r->receipt, r->node_key, r->n_choices, note);
    if (!rc)
        rc = load_tokenizer(&r->loaded, r->model.path, note);
    if (!rc)
        rc = sample_request(&r->sample, r->loaded.tokenizer, &r->request, note);
    if (!rc)
        rc = load_engine(&r->loaded, &r->model, &more, note);
    if (!rc)
        rc = constrain_open(&r->constrained, &r->constrain, r->loaded.tokenizer,
                            iso_engine_info(r->loaded.engine).n_vocab, &r->request, note);
    if (!rc)
        rc = encode(r, note);
    if (!rc && r->request.constraint && r->n_choices > 1)
        rc = err_set(note, ERR_USAGE, "--answers goes without constraints on them");
    r->answers = rc ? NULL : mem_array(r->n_choices, sizeof r->answers[0]);
    if (!rc && !r->answers)
        rc = err_set(note, ERR_MEMORY, "out of memory for %u answers", r->n_choices);
    r->request.tokens = r->tokens.ids;
    r->request.n_tokens = (uint32_t)r->tokens.n_ids;
    r->request.want_records = r->request.want_pages = r->receipt != NULL;
    r->request.want_digests = r->receipt_logits;
    if (!rc && r->receipt)
        rc = write_request(r, note);
    if (!rc && r->receipt)
        rc = check_room(r, note);
    if (!rc && r->receipt)
        rc = receipt_file_begin(&r->receipts, &r->loaded, note);
    return rc;
}

static enum err work(struct run *r, struct err_note *note)
{
    enum err rc = prepare(r, note);
    if (rc)
        return rc;
    interrupt_catch();
    rc = answers_run(&r->loaded, &r->sample, &r->request, r->n_choices, to_stdout, r, r->answers,
                     r->receipts.makers, note);
    interrupt_clear();
    if (rc)
        return rc;
    if (r->json)
        print_json(r);
    else if (r->n_choices > 1)
        print_choices(r);
    say_end(r);
    return r->receipt ? write_receipts(r, note) : ERR_OK;
}

/* ---- again, for who checks a receipt -------------------------------------------------------- */

static enum err parse_again(struct run *r, const struct canon_doc *doc, struct err_note *note)
{
    enum { ARGUMENTS, CONSTRAINT, PROMPT, SYSTEM, N_FIELDS };
    static const struct canon_field fields[N_FIELDS] = {
        [ARGUMENTS] = {"arguments", CANON_ARRAY, false},
        [CONSTRAINT] = {"constraint", CANON_TEXT, true},
        [PROMPT] = {"prompt", CANON_TEXT, false},
        [SYSTEM] = {"system", CANON_TEXT, true},
    };
    const struct canon_node *found[N_FIELDS];
    bool help = false;
    enum err rc = canon_fields(doc, doc->nodes, fields, N_FIELDS, found, "request", note);
    if (rc)
        return rc;
    r->argv = request_arguments(doc, found[ARGUMENTS], "run", &r->argc);
    r->text = mem_strndup(found[PROMPT]->text.ptr, found[PROMPT]->text.len);
    r->n_bytes = found[PROMPT]->text.len;
    if (!r->argv || !r->text)
        return err_set(note, ERR_MEMORY, "out of memory for a request");
    rc = parse(r, r->argc, r->argv, &help, note);
    if (found[CONSTRAINT])
        r->constrain.source = found[CONSTRAINT]->text;
    if (!rc && (help || (r->system != NULL) != (found[SYSTEM] != NULL) ||
                (r->system && !str_is(found[SYSTEM]->text, r->system)) ||
                (r->prompt && !str_is(found[PROMPT]->text, r->prompt))))
        rc = err_set(note, ERR_FORMAT, "the request's arguments say something else than the rest");
    return rc;
}

/* After what the run is made of is known. */
static enum err resolve_again(struct run_again *a, const struct parameters *told,
                              struct err_note *note)
{
    struct run *r = a->run;
    struct parameters p = parameters_of(r);
    p.n_ctx = r->model.n_ctx ? r->model.n_ctx : told->n_ctx;
    p.request.sampling.choice = told->request.sampling.choice;
    p.has_clock = r->face.template != NULL;
    p.clock_s = told->clock_s;
    parameters_write(&p, &a->parameters);
    if (a->parameters.failed || p.request.sampling.choice >= r->n_choices)
        return err_set(note, ERR_FORMAT, "the request has no answer %u",
                       told->request.sampling.choice);
    a->request = p.request;
    a->text = (struct str){r->text, r->n_bytes};
    a->system = r->system;
    a->prompt = (struct str){r->rendered.bytes ? r->rendered.bytes : "", r->rendered.n_bytes};
    a->tokens = &r->tokens;
    a->seed_given = r->seed_given;
    return ERR_OK;
}

enum err run_again_open(struct run_again *a, struct str request, const struct loaded *l,
                        uint32_t n_vocab, const struct parameters *told, struct err_note *note)
{
    struct canon_doc doc = {0};
    *a = (struct run_again){.run = mem_zalloc(sizeof *a->run)};
    struct run *r = a->run;
    if (!r)
        return err_set(note, ERR_MEMORY, "out of memory for a request");
    buf_init(&a->parameters, CANON_BYTES_MAX);
    buf_init(&r->rendered, RENDERED_BYTES_MAX);
    sample_defaults(&r->sample);
    r->n_choices = 1;
    r->loaded = *l; /* borrowed */
    r->receipts.clock_s = (int64_t)told->clock_s;
    enum err rc = canon_read(request, &doc, note);
    rc = rc ? rc : parse_again(r, &doc, note);
    rc = rc ? rc : sample_request(&r->sample, l->tokenizer, &r->request, note);
    rc = rc ? rc : constrain_open(&r->constrained, &r->constrain, l->tokenizer, n_vocab,
                                  &r->request, note);
    rc = rc ? rc : encode(r, note);
    rc = rc ? rc : resolve_again(a, told, note);
    r->constrain.source = (struct str){0};
    canon_release(&doc);
    return rc;
}

void run_again_close(struct run_again *a)
{
    struct run *r = a->run;
    if (!r)
        return;
    token_list_release(&r->tokens);
    buf_release(&r->rendered);
    buf_release(&a->parameters);
    mem_free(r->text);
    mem_free(r->argv);
    chat_face_close(&r->face);
    constrain_close(&r->constrained);
    sample_release(&r->sample);
    mem_free(r);
    *a = (struct run_again){0};
}

int cmd_run(int argc, char **argv)
{
    struct run r = {.n_choices = 1, .argc = argc, .argv = argv};
    struct err_note note = {""};
    bool help;
    sample_defaults(&r.sample);
    enum err rc = parse(&r, argc, argv, &help, &note);
    if (help)
        return EXIT_OK;
    say_quiet(r.quiet);
    buf_init(&r.rendered, RENDERED_BYTES_MAX);
    buf_init(&r.asked, CANON_BYTES_MAX);
    if (!rc)
        rc = work(&r, &note);
    int status = rc ? say_error(rc, &note) : EXIT_OK;
    if (!rc && r.answers[0].finish == ISO_FINISH_CANCELLED)
        status = EXIT_INTERRUPTED;
    for (uint32_t i = 0; r.answers && i < r.n_choices; i++)
        answer_release(&r.answers[i]);
    mem_free(r.answers);
    receipt_file_close(&r.receipts);
    token_list_release(&r.tokens);
    buf_release(&r.rendered);
    buf_release(&r.asked);
    mem_free(r.text);
    chat_face_close(&r.face);
    constrain_close(&r.constrained);
    sample_release(&r.sample);
    load_close(&r.loaded);
    return status;
}
