/* cmd_chat.c - talks with a model in the terminal. */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/chat_session.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/generate.h"
#include "cli/line_input.h"
#include "cli/say.h"
#include "engine/engine.h"
#include "text/chat_face.h"

enum { INPUT_BYTES_MAX = 64 << 20 };

struct chat {
    struct model_options model;
    struct sample_options sample;
    const char *system, *template;
    const char *session_name, *forget;
    bool list_sessions;

    struct chat_session session; /* where the chat is kept, if it has a name */
    struct chat_record record;   /* what was kept; its conversation is moved to the one below */
    bool said_cache_note;

    struct loaded loaded;
    struct chat_face face;
    struct iso_request request;
    struct conversation conversation;
    struct line_input *input;
    char speed[120]; /* of the last answer */
    uint32_t n_reused;
};

/* ---- one exchange -----------------------------------------------------------------------------
 */

static void to_stdout(void *context, struct str text)
{
    (void)context;
    fwrite(text.ptr, 1, text.len, stdout);
    fflush(stdout);
}

/* Cuts the session back to what it shares with the tokens; they begin there. */
static uint32_t keep_common(struct iso_session *session, const struct token_list *tokens)
{
    uint32_t n_old, n = 0;
    const int32_t *old = iso_session_tokens(session, &n_old);
    while (n < n_old && n < tokens->n_ids && old[n] == tokens->ids[n])
        n++;
    iso_session_cut(session, n);
    return n;
}

static enum err answer(struct chat *c, struct answer *a, struct err_note *note)
{
    struct token_list tokens = {.n_ids_max = INT32_MAX};
    const struct chat_request request = {.messages = c->conversation.messages,
                                         .n_messages = c->conversation.n_messages,
                                         .add_generation_prompt = true};
    enum err rc = chat_face_tokens(&c->face, c->loaded.tokenizer, request, &tokens, note);
    if (!rc) {
        c->n_reused = keep_common(c->loaded.session, &tokens);
        c->request.tokens = tokens.ids + c->n_reused;
        c->request.n_tokens = (uint32_t)tokens.n_ids - c->n_reused;
        c->request.sampling = c->sample.sampling;
        interrupt_catch();
        rc = answer_run(&c->loaded, &c->sample, &c->request, to_stdout, NULL, a, note);
        interrupt_clear();
    }
    token_list_release(&tokens);
    return rc;
}

/* A message of the user's and the answer to it. On failure the conversation is as before. */
static enum err exchange(struct chat *c, struct str text, struct err_note *note)
{
    struct answer a = {0};
    enum err rc = conversation_add(&c->conversation, "user", text, note);
    if (rc)
        return rc;
    rc = answer(c, &a, note);
    if (!rc) {
        struct str said = {a.text.bytes ? a.text.bytes : "", a.text.n_bytes};
        if (said.len == 0 || said.ptr[said.len - 1] != '\n')
            putchar('\n');
        fflush(stdout);
        rc = conversation_add(&c->conversation, "assistant", said, note);
    }
    if (rc)
        conversation_drop_last(&c->conversation);
    else if (a.finish == ISO_FINISH_CANCELLED)
        say("(interrupted)");
    else if (a.finish == ISO_FINISH_CONTEXT)
        say("(the context of %u tokens is full; /clear begins anew, -c N makes it larger)",
            iso_engine_info(c->loaded.engine).n_ctx);
    answer_speed(&a, c->speed);
    answer_release(&a);
    return rc;
}

/* ---- commands of the chat ---------------------------------------------------------------------
 */

static enum err do_help(struct chat *c, const char *argument, struct err_note *note);

static enum err do_clear(struct chat *c, const char *argument, struct err_note *note)
{
    (void)argument, (void)note;
    conversation_clear(&c->conversation);
    say("a new conversation");
    return ERR_OK;
}

static enum err do_system(struct chat *c, const char *argument, struct err_note *note)
{
    enum err rc = conversation_set_system(&c->conversation, str_from(argument), note);
    if (!rc)
        say(*argument ? "the system message is set" : "no system message");
    return rc;
}

static enum err do_save(struct chat *c, const char *argument, struct err_note *note)
{
    if (!*argument)
        return err_set(note, ERR_USAGE, "/save needs a file name");
    enum err rc = conversation_save(&c->conversation, argument, note);
    if (!rc)
        say("%zu messages are in %s", c->conversation.n_messages, argument);
    return rc;
}

static enum err do_load(struct chat *c, const char *argument, struct err_note *note)
{
    if (!*argument)
        return err_set(note, ERR_USAGE, "/load needs a file name");
    enum err rc = conversation_load(&c->conversation, argument, note);
    if (!rc)
        say("%zu messages from %s", c->conversation.n_messages, argument);
    return rc;
}

static enum err do_seed(struct chat *c, const char *argument, struct err_note *note)
{
    if (*argument && !str_to_u64(str_from(argument), &c->sample.sampling.seed))
        return err_set(note, ERR_USAGE, "\"%s\" is no seed: give a whole number", argument);
    say("seed %" PRIu64, c->sample.sampling.seed);
    return ERR_OK;
}

static enum err do_temp(struct chat *c, const char *argument, struct err_note *note)
{
    double t;
    if (*argument) {
        if (!str_to_f64(str_from(argument), &t) || t < 0 || t > 100 || (t > 0 && t < 0.001))
            return err_set(note, ERR_USAGE, "\"%s\" is no temperature: give 0, or 0.001 to 100",
                           argument);
        c->sample.sampling.temperature = (float)t;
    }
    say("temperature %g", (double)c->sample.sampling.temperature);
    return ERR_OK;
}

static enum err do_stats(struct chat *c, const char *argument, struct err_note *note)
{
    (void)argument, (void)note;
    struct iso_engine_info info = iso_engine_info(c->loaded.engine);
    char size[SIZE_TEXT];
    uint32_t n_tokens;
    iso_session_tokens(c->loaded.session, &n_tokens);
    say("%u of %u tokens in %zu messages; %s of keys and values", n_tokens, info.n_ctx,
        c->conversation.n_messages,
        size_text((uint64_t)(info.n_kv_pages - info.n_kv_pages_free) * info.n_bytes_kv_page, size));
    if (c->speed[0])
        say("last answer: %s, %u kept from before", c->speed, c->n_reused);
    return ERR_OK;
}

static enum err do_exit(struct chat *c, const char *argument, struct err_note *note)
{
    (void)c, (void)argument, (void)note;
    return ERR_CANCELLED;
}

static const struct {
    const char *name, *value, *help;
    enum err (*run)(struct chat *c, const char *argument, struct err_note *note);
} chat_commands[] = {
    {"/help", "", "this list", do_help},
    {"/clear", "", "begin a new conversation", do_clear},
    {"/system", "[TEXT]", "say how the model should behave; alone: take it back", do_system},
    {"/save", "FILE", "write the conversation as JSON", do_save},
    {"/load", "FILE", "go on with a conversation that was saved", do_load},
    {"/seed", "[N]", "set or show the seed", do_seed},
    {"/temp", "[T]", "set or show the temperature", do_temp},
    {"/stats", "", "tokens, memory, speed", do_stats},
    {"/exit", "", "leave (Ctrl-D does it too)", do_exit},
};

static enum err do_help(struct chat *c, const char *argument, struct err_note *note)
{
    (void)c, (void)argument, (void)note;
    for (size_t i = 0; i < COUNT_OF(chat_commands); i++)
        fprintf(stderr, "  %-8s %-8s %s\n", chat_commands[i].name, chat_commands[i].value,
                chat_commands[i].help);
    fputs("A line that ends with \\ goes on in the next; \"\"\" begins and ends a longer text.\n"
          "Ctrl-C stops an answer.\n",
          stderr);
    return ERR_OK;
}

/* "/name argument" */
static enum err run_command(struct chat *c, char *line, struct err_note *note)
{
    const char *names[COUNT_OF(chat_commands)];
    char *argument = line + strcspn(line, " \t");
    if (*argument)
        *argument++ = 0;
    argument += strspn(argument, " \t");
    for (size_t i = 0; i < COUNT_OF(chat_commands); i++) {
        names[i] = chat_commands[i].name;
        if (strcmp(line, names[i]) == 0)
            return chat_commands[i].run(c, argument, note);
    }
    const char *nearest = args_nearest(line, names, COUNT_OF(names));
    if (nearest)
        return err_set(note, ERR_USAGE, "no command %s; did you mean %s?", line, nearest);
    return err_set(note, ERR_USAGE, "no command %s; /help lists them", line);
}

/* ---- a chat with a name -----------------------------------------------------------------------
 */

/* Keeps the chat as it is now: text and tokens, then the pages. */
static enum err keep(struct chat *c, struct err_note *note)
{
    struct chat_record r = c->record;
    uint32_t n_tokens;
    if (!c->session.name)
        return ERR_OK;
    r.conversation = c->conversation;
    r.tokens = (int32_t *)(uintptr_t)iso_session_tokens(c->loaded.session, &n_tokens);
    r.n_tokens = n_tokens;
    r.seed = c->sample.sampling.seed;
    r.temperature = (double)c->sample.sampling.temperature;
    snprintf(r.arithmetic, sizeof r.arithmetic, "%s",
             iso_engine_info(c->loaded.engine).arithmetic);
    memcpy(r.model_key, engine_model_key(c->loaded.engine), sizeof r.model_key);
    enum err rc = chat_session_save(&c->session, &r, note);
    iso_engine_save(c->loaded.engine);
    const char *trouble = iso_engine_info(c->loaded.engine).cache.note;
    if (*trouble && !c->said_cache_note)
        say("%s", trouble);
    c->said_cache_note |= *trouble != 0;
    return rc;
}

/* The timeline as it was: from its pages, or, where they are gone, read again. */
static enum err resume_tokens(struct chat *c, struct err_note *note)
{
    struct iso_request r = iso_request_default();
    const struct iso_event *events;
    struct progress progress;
    enum err rc = ERR_OK;
    r.tokens = c->record.tokens;
    r.n_tokens = (uint32_t)c->record.n_tokens;
    r.n_answer_max = 0;
    if (r.n_tokens == 0 || c->record.n_tokens > iso_engine_info(c->loaded.engine).n_ctx)
        return ERR_OK;
    if (iso_session_submit(c->loaded.session, &r, (struct iso_note *)note))
        return ERR_FORMAT;
    progress_begin(&progress, "reading the conversation");
    interrupt_catch();
    for (size_t n; (n = iso_engine_step(c->loaded.engine, &events)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            if (events[i].kind == ISO_EVENT_PROMPT)
                progress_show(&progress, events[i].n_done, events[i].n_total);
            if (events[i].kind == ISO_EVENT_FINISH && events[i].err)
                rc = err_set(note, (enum err)events[i].err, "%s", events[i].note);
        }
        if (interrupt_seen()) /* what is missing is read with the next message */
            iso_session_cancel(c->loaded.session, ISO_FINISH_CANCELLED);
    }
    interrupt_clear();
    progress_end(&progress);
    return rc;
}

/* Another model's tokens mean nothing here, and its pages are not found: the text alone goes on. */
static enum err resume(struct chat *c, struct err_note *note)
{
    const uint8_t *key = engine_model_key(c->loaded.engine);
    const char *name = c->session.name;
    if (!name || c->session.is_new)
        return ERR_OK;
    conversation_release(&c->conversation);
    c->conversation = c->record.conversation;
    c->record.conversation = (struct conversation){0};
    const char *arithmetic = iso_engine_info(c->loaded.engine).arithmetic;
    if (strcmp(c->record.arithmetic, arithmetic) != 0) {
        say("session %s was kept with arithmetic %s, this is %s: its text is read again", name,
            c->record.arithmetic, arithmetic);
        return ERR_OK;
    }
    if (memcmp(c->record.model_key, key, sizeof c->record.model_key) != 0) {
        say("session %s was kept with another model: its text is read again", name);
        return ERR_OK;
    }
    enum err rc = resume_tokens(c, note);
    struct iso_cache_info cache = iso_engine_info(c->loaded.engine).cache;
    if (!rc)
        say("session %s: %zu messages, %zu tokens, %" PRIu64 " of them from its pages", name,
            c->conversation.n_messages, c->record.n_tokens, cache.n_positions_restored);
    return rc;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == 0;
}

/* Until the input ends. A failure is said, and the conversation goes on: the exit status is that of
 * the last exchange when the input is no terminal. */
static int talk(struct chat *c)
{
    struct buf text;
    int status = EXIT_OK;
    buf_init(&text, INPUT_BYTES_MAX);
    for (;;) {
        struct err_note note = {""};
        enum line_event event = line_input_read(c->input, &text);
        if (event == LINE_END)
            break;
        if (text.failed) {
            status = say_failed("the input is longer than %d bytes", INPUT_BYTES_MAX);
            continue;
        }
        if (event == LINE_INTERRUPTED || !text.n_bytes || is_blank(text.bytes))
            continue;
        enum err rc = text.bytes[0] == '/'
                          ? run_command(c, text.bytes, &note)
                          : exchange(c, (struct str){text.bytes, text.n_bytes}, &note);
        if (rc == ERR_CANCELLED)
            break;
        if (!rc)
            rc = keep(c, &note);
        status = rc ? say_error(rc, &note) : EXIT_OK;
    }
    buf_release(&text);
    if (!line_input_is_terminal(c->input))
        return status;
    putchar('\n');
    return EXIT_OK;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static enum err parse(struct chat *c, int argc, char **argv, bool *help, struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_HEADING("Model"),
        MODEL_OPTION(c->model),
        CONTEXT_OPTION(c->model),
        COMPUTE_OPTIONS(c->model),
        CHUNK_OPTION(c->model),
        SPECULATION_OPTION(c->model),
        OPT_TEXT(0, "system", "TEXT", &c->system, "how the model should behave"),
        OPT_TEXT(0, "template", "NAME|FILE", &c->template,
                 "another chat template: a Jinja file, or one of r1, llama3.1,\n"
                 "mistral, qwen2, deepseek, phi3, plain"),
        OPT_TEXT(0, "session", "NAME", &c->session_name,
                 "keep the chat under this name, with its options and what was\n"
                 "computed; or go on with it"),
        OPT_FLAG(0, "sessions", &c->list_sessions, "list the chats that are kept"),
        OPT_TEXT(0, "forget", "NAME", &c->forget, "delete one"),
        SAMPLE_OPTIONS(c->sample),
    };
    const struct arg_command command = {
        .name = "chat",
        .summary = "talk with a model in the terminal",
        .usage = "chat [-m MODEL] [--session NAME] [options]\n"
                 "chat --sessions | --forget NAME",
        .about =
            "Lines are edited as in a shell and kept in ~/.isobit_history. /help lists the chat's\n"
            "own commands. Ctrl-C stops an answer, Ctrl-D leaves. Nothing is ever dropped from "
            "the\n"
            "conversation: when the context is full, it says so.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit chat\n"
                    "isobit chat --session paris -m model.gguf\n"
                    "isobit chat -m model.gguf --system \"You answer in French.\" --temp 0.5",
    };
    struct args args;
    enum err rc = args_parse(&command, argc, argv, &args, note);
    *help = !rc && args.help;
    if (*help)
        args_help(&command, stdout);
    return rc;
}

/* The options that the chat was kept with, then those of this command. */
static enum err open_session(struct chat *c, int argc, char **argv, struct err_note *note)
{
    bool help;
    char *kept[SESSION_OPTIONS_MAX + 1] = {argv[0]}, model[PATH_MAX];
    enum err rc = chat_session_open(&c->session, c->session_name, &c->record, note);
    if (rc)
        return rc;
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
    sample_release(&c->sample);
    uint64_t seed = c->sample.sampling.seed;
    sample_defaults(&c->sample);
    c->sample.sampling.seed = seed;
    c->model = (struct model_options){0};
    c->template = NULL;
    for (size_t i = 0; i < c->record.n_options; i++)
        kept[i + 1] = c->record.options[i];
    rc = parse(c, (int)c->record.n_options + 1, kept, &help, note);
    if (rc)
        return err_wrap(note, rc, "the options kept with session %s", c->session.name);
    if (!c->session.is_new) {
        c->sample.sampling.seed = c->record.seed;
        c->sample.sampling.temperature = (float)c->record.temperature;
        c->system = NULL; /* it is in the conversation */
    }
    const char *kept_model = c->model.path;
    rc = parse(c, argc, argv, &help, note);
    if (rc)
        return rc;
    /* A relative path is kept as one that works from anywhere; opening says if there is none. */
    bool is_named = c->model.path != kept_model && realpath(c->model.path, model);
    return chat_record_add_options(&c->record, argc, argv, is_named ? model : NULL, note);
}

static enum err open_all(struct chat *c, struct err_note *note)
{
    const struct iso_engine_options more = {.cache_dir = c->session.pages};
    enum err rc = load_tokenizer(&c->loaded, c->model.path, note);
    if (!rc)
        rc = sample_request(&c->sample, c->loaded.tokenizer, &c->request, note);
    if (!rc)
        rc = chat_face_open(&c->face, &c->loaded.table, c->template, note);
    if (!rc && !c->face.template) {
        say("the model has no chat template; \"plain\" is used (--template NAME chooses another)");
        rc = chat_face_open(&c->face, &c->loaded.table, "plain", note);
    }
    if (!rc)
        rc = load_engine(&c->loaded, &c->model, &more, note);
    if (!rc)
        rc = resume(c, note);
    if (!rc && c->system)
        rc = conversation_set_system(&c->conversation, str_from(c->system), note);
    c->input = rc ? NULL : line_input_open();
    return rc || c->input ? rc : err_set(note, ERR_MEMORY, "out of memory for the input");
}

int cmd_chat(int argc, char **argv)
{
    struct chat c = {0};
    struct err_note note = {""};
    bool help;
    sample_defaults(&c.sample);
    enum err rc = parse(&c, argc, argv, &help, &note);
    if (help)
        return EXIT_OK;
    if (!rc && (c.list_sessions || c.forget)) {
        rc = c.forget ? chat_session_forget(c.forget, &note) : chat_session_list(&note);
        sample_release(&c.sample);
        return rc ? say_error(rc, &note) : EXIT_OK;
    }
    if (!rc && c.session_name)
        rc = open_session(&c, argc, argv, &note);
    if (!rc)
        rc = open_all(&c, &note);
    if (!rc && line_input_is_terminal(c.input))
        say("through %s; /help lists commands", c.face.origin);
    int status = rc ? say_error(rc, &note) : talk(&c);
    line_input_close(c.input);
    conversation_release(&c.conversation);
    chat_face_close(&c.face);
    sample_release(&c.sample);
    load_close(&c.loaded);
    chat_session_close(&c.session);
    chat_record_release(&c.record);
    return status;
}
