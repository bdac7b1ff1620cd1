/* cmd_dispute.c - isobit dispute: where two receipts of one request part, and which is right. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/dispute_state.h"
#include "cli/say.h"
#include "cli/verify_model.h"
#include "proof/maker.h"
#include "proof/parameters.h"

struct party {
    const char *letter;
    struct verify_words words;
    struct verify_inputs in;
    struct verify_case c;
    bool is_open;
};

struct settle {
    struct party a, b;
    struct dispute d;
    struct model_options model;
    const char *disclose, *state; /* files, or NULL */
    bool quiet;
    struct loaded loaded;
    struct canon_doc doc;
    struct parameters parameters;
    int32_t *tokens; /* that are read */
    struct replay replay;
};

/* ---- the two receipts --------------------------------------------------------------------- */

static enum err differs(struct err_note *note, const char *what, const struct verify_line *l)
{
    return err_set(note, ERR_FORMAT, "%s: %s: %s: expected %s, found %s", what, l->field, l->text,
                   l->expected, l->found);
}

/* A bundle that does not show what its receipt commits to proves nothing to anybody. */
static enum err check_party(struct party *p, const char *path, struct err_note *note)
{
    static const enum bundle_part needed[] = {BUNDLE_SALT, BUNDLE_PROMPT_IDS, BUNDLE_OUTPUT_IDS,
                                              BUNDLE_POSITIONS, BUNDLE_PAGES};
    struct verify_report report = {.n_lines = 0};
    struct str text = {p->in.receipt, p->in.n_receipt};
    p->is_open = verify_open(&p->c, text, &p->in.bundle, &report);
    if (report.first)
        return differs(note, path, report.first);
    if (!p->is_open)
        return err_set(note, ERR_UNSUPPORTED, "%s: %s", path, report.lines[0].text);
    for (size_t i = 0; i < COUNT_OF(needed); i++)
        if (!p->in.bundle.has[needed[i]])
            return err_set(note, ERR_NOT_FOUND,
                           "%s: its bundle does not show %s, so there is nothing to compare", path,
                           bundle_part_text(needed[i]));
    verify_parts(&p->c, (struct str){NULL, 0}, &report);
    return report.first ? differs(note, path, report.first) : ERR_OK;
}

static enum err open_party(struct party *p, const char *path, struct err_note *note)
{
    enum err rc = verify_inputs_read(&p->in, path, &p->words, note);
    return rc ? rc : check_party(p, path, note);
}

static void close_party(struct party *p)
{
    if (p->is_open)
        verify_close(&p->c);
    verify_inputs_release(&p->in);
}

/* ---- where they part ---------------------------------------------------------------------- */

static const char *what_differs(const struct position_record *a, const struct position_record *b)
{
    struct position_record of_a = *b;
    of_a.id = a->id;
    of_a.sum = a->sum;
    return !position_equal(a, &of_a) ? "other logits"
           : a->id != b->id          ? "another token of the same logits"
                                     : "another sum of the same logits";
}

static void print_page(const char *letter, const struct merkle_hash *hash)
{
    char hex[SHA256_HEX];
    hex_of(hash->bytes, SHA256_BYTES, hex);
    printf("  %s  %s\n", letter, hex);
}

static void print_difference(const struct settle *s)
{
    const struct bundle *a = &s->a.in.bundle, *b = &s->b.in.bundle;
    if (s->d.page != DISPUTE_NONE) {
        printf("first page that differs: %zu, positions %zu to %zu\n", s->d.page,
               s->d.page * ISO_PAGE_POSITIONS, (s->d.page + 1) * ISO_PAGE_POSITIONS - 1);
        print_page("A", dispute_page(a, s->d.page));
        print_page("B", dispute_page(b, s->d.page));
    } else
        puts("pages: the same");
    if (s->d.record != DISPUTE_NONE)
        printf("first token that differs: %zu, %s\n", s->d.record,
               what_differs(&a->positions[s->d.record], &b->positions[s->d.record]));
    else
        puts("tokens: the same, with logits and sums");
}

/* ---- who is right ------------------------------------------------------------------------- */

static enum err open_model(struct settle *s, struct err_note *note)
{
    const struct receipt *of = &s->a.c.receipt;
    struct verify_model m;
    enum err rc = load_tokenizer(&s->loaded, s->model.path, note);
    rc = rc ? rc : verify_hash_weights(&s->loaded, &m, note);
    if (rc)
        return rc;
    if (!merkle_equal(&m.weights, &of->model.weights) ||
        !merkle_equal(&m.metadata, &of->model.metadata))
        return err_set(note, ERR_UNSUPPORTED, "%s is not the model of the receipts", s->model.path);
    rc = canon_read(of->parameters, &s->doc, note);
    rc = rc ? rc : parameters_read(&s->doc, s->doc.nodes, &s->parameters, note);
    if (!rc && s->parameters.constraint.kind.len > 0)
        return err_set(note, ERR_UNSUPPORTED,
                       "the answer had a form (%.*s), which receipts do not show: isobit verify "
                       "--request checks each of the two",
                       STR_ARG(s->parameters.constraint.kind));
    return rc ? rc : verify_open_engine(&s->loaded, s->model, s->parameters.n_ctx, note);
}

/* The request as it was, all but what it reads. */
static enum err request_of(struct settle *s, struct iso_request *request, size_t from, size_t to,
                           struct err_note *note)
{
    s->tokens = mem_array(to - from + 1, sizeof s->tokens[0]);
    if (!s->tokens)
        return err_set(note, ERR_MEMORY, "no memory for %zu tokens", to - from);
    for (size_t i = from; i < to; i++)
        s->tokens[i - from] = dispute_token(&s->a.in.bundle, i);
    *request = s->parameters.request;
    request->tokens = s->tokens;
    request->n_tokens = (uint32_t)(to - from);
    request->sampling.seed = s->a.c.receipt.seed;
    return ERR_OK;
}

/* Prompt and agreed tokens in one pass; nothing that was read before is used. */
static enum err compute(struct settle *s, struct err_note *note)
{
    const struct bundle *b = &s->a.in.bundle;
    struct iso_request request;
    enum err rc = request_of(s, &request, 0, b->n_prompt_ids, note);
    rc = rc ? rc
            : replay_init(&s->replay, &request, b->output_ids, s->d.n_output,
                          iso_engine_info(s->loaded.engine), note);
    return rc ? rc : verify_run(&s->loaded, &s->replay, note);
}

static bool print_party(const struct party *p, struct dispute_fault f, size_t n_records)
{
    bool holds = f.page == DISPUTE_NONE && f.record == DISPUTE_NONE;
    if (f.page != DISPUTE_NONE && f.page_now) {
        printf("  %s  its page %zu is another than computed:\n", p->letter, f.page);
        print_page(" ", f.page_now);
    } else if (f.page == DISPUTE_NONE && f.record != DISPUTE_NONE && f.record_now)
        printf("  %s  token %zu: %s than computed\n", p->letter, f.record,
               what_differs(&p->in.bundle.positions[f.record], f.record_now));
    else if (!holds)
        printf("  %s  its answer goes on after token %zu, where it ends\n", p->letter, n_records);
    else
        printf("  %s  as computed\n", p->letter);
    return holds;
}

static int print_verdict(bool a, bool b)
{
    CHECK(!(a && b));
    puts(a ? "A is right" : b ? "B is right" : "neither is right");
    return a || b ? EXIT_OK : (int)VERDICT_MISMATCH;
}

static enum err settle_from_beginning(struct settle *s, int *status, struct err_note *note)
{
    enum err rc = compute(s, note);
    if (rc)
        return rc;
    const struct verify_replay now = replay_found(&s->replay);
    printf("computed anew: %zu tokens of the prompt, %zu of the answer\n",
           s->a.in.bundle.n_prompt_ids, now.n_records);
    struct dispute_fault a = dispute_fault(&s->d, &s->a.in.bundle, &now);
    struct dispute_fault b = dispute_fault(&s->d, &s->b.in.bundle, &now);
    bool a_holds = print_party(&s->a, a, now.n_records);
    bool b_holds = print_party(&s->b, b, now.n_records);
    *status = print_verdict(a_holds, b_holds);
    return ERR_OK;
}

/* Reads on from the pages that were taken, up to the page that differs or the token; its record. */
static enum err go_on(struct settle *s, struct position_record *record, struct err_note *note)
{
    const struct dispute *d = &s->d;
    const struct iso_event *events;
    struct iso_request r;
    size_t n_prompt = s->a.in.bundle.n_prompt_ids;
    enum err rc = request_of(s, &r, d->first_page * ISO_PAGE_POSITIONS, d->n_end, note);
    if (rc)
        return rc;
    r.n_answered = d->is_page ? 0 : (uint32_t)(d->n_end - n_prompt);
    r.n_answer_max = d->is_page ? 0 : r.n_answer_max;
    r.want_records = r.no_cache = true;
    rc = (enum err)iso_session_submit(s->loaded.session, &r, (struct iso_note *)note);
    for (size_t n; !rc && (n = iso_engine_step(s->loaded.engine, &events)) > 0;)
        for (size_t i = 0; i < n; i++) {
            if (events[i].kind == ISO_EVENT_FINISH)
                return err_set(note, (enum err)events[i].err, "%s", events[i].note);
            if (events[i].kind != ISO_EVENT_TOKEN)
                continue;
            *record = maker_record(&events[i]);
            return ERR_OK;
        }
    return rc;
}

/* One page, or one token, computed from pages on which both agree; nothing before it. */
static enum err settle_from_state(struct settle *s, int *status, struct err_note *note)
{
    const struct dispute *d = &s->d;
    const struct bundle *of[] = {&s->a.in.bundle, &s->b.in.bundle};
    const struct party *parties[] = {&s->a, &s->b};
    struct position_record record = {0};
    struct merkle_hash page;
    bool holds[2];
    enum err rc = dispute_take(d, of[0], of[1], &s->loaded, s->state, note);
    rc = rc ? rc : go_on(s, &record, note);
    if (rc)
        return rc;
    if (d->is_page && !iso_session_page_hash(s->loaded.session, (uint32_t)d->page, page.bytes))
        return err_set(note, ERR_IO, "page %zu was lost with the device that computed it", d->page);
    printf("taken: %zu pages on which both agree\ncomputed anew: %" PRIu64 " positions\n",
           d->first_page, iso_engine_stats(s->loaded.engine).n_rows);
    for (int i = 0; i < 2; i++) {
        struct dispute_fault f = {DISPUTE_NONE, DISPUTE_NONE, &page, &record};
        if (d->is_page && !merkle_equal(dispute_page(of[i], d->page), &page))
            f.page = d->page;
        if (!d->is_page && !position_equal(&of[i]->positions[d->record], &record))
            f.record = d->record;
        holds[i] = print_party(parties[i], f, d->record);
    }
    *status = print_verdict(holds[0], holds[1]);
    return ERR_OK;
}

static enum err settle(struct settle *s, int *status, struct err_note *note)
{
    enum err rc = open_model(s, note);
    if (rc)
        return rc;
    if (s->state)
        return settle_from_state(s, status, note);
    if (!s->disclose)
        return settle_from_beginning(s, status, note);
    rc = dispute_disclose(&s->d, &s->a.in.bundle, &s->b.in.bundle, &s->loaded, s->disclose, note);
    if (!rc)
        printf("%s: %zu pages on which both agree; from them (--state) %zu positions settle it\n",
               s->disclose, s->d.first_page, s->d.n_end - s->d.first_page * ISO_PAGE_POSITIONS);
    *status = rc ? *status : EXIT_OK;
    return rc;
}

static enum err judge(struct settle *s, const char *const *paths, int *status,
                      struct err_note *note)
{
    struct verify_report same = {.n_lines = 0};
    enum err rc = open_party(&s->a, paths[0], note);
    rc = rc ? rc : open_party(&s->b, paths[1], note);
    if (rc)
        return rc;
    if (!dispute_same(&s->a.c, &s->b.c, &same))
        return differs(note, "the receipts are of two requests", same.first);
    *status = (int)VERDICT_NOT_MEASURED;
    if (!dispute_find(&s->a.c, &s->b.c, &s->d)) {
        bool as_long = s->a.c.receipt.n_output == s->b.c.receipt.n_output;
        puts(as_long ? "nothing differs in tokens and pages"
                     : "nothing differs as far as the shorter answer goes; isobit verify says "
                       "where it ends");
        *status = as_long ? EXIT_OK : *status;
        return ERR_OK;
    }
    print_difference(s);
    if (!verify_has_bits(&s->a.c)) {
        printf("they were computed in the profile %.*s, whose bits nobody makes again: not "
               "settled\n",
               STR_ARG(s->a.c.receipt.arithmetic));
        return ERR_OK;
    }
    if (s->model.path)
        return settle(s, status, note);
    puts("no model: nothing was computed");
    return ERR_OK;
}

/* ---- the command -------------------------------------------------------------------------- */

static enum err parse(struct settle *s, int argc, char **argv, struct args *args,
                      struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_TEXT(0, "bundle-a", "FILE", &s->a.words.bundle,
                 "what came with the first receipt (default: A.bundle)"),
        OPT_TEXT(0, "bundle-b", "FILE", &s->b.words.bundle,
                 "what came with the second (default: B.bundle)"),
        OPT_TEXT('m', "model", "MODEL", &s->model.path,
                 "GGUF file, Hugging Face folder, or the name of a pulled model"),
        OPT_TEXT(0, "disclose", "FILE", &s->disclose,
                 "write the pages on which both agree, for a third party"),
        OPT_TEXT(0, "state", "FILE", &s->state,
                 "take those pages, each held to both receipts, and\n"
                 "compute the page or token that differs from them"),
        DEVICE_OPTIONS(s->model),
        OPT_FLAG('q', "quiet", &s->quiet, "say nothing but the result and errors"),
    };
    const struct arg_command command = {
        .name = "dispute",
        .summary = "settle which of two receipts of one request is right",
        .usage = "dispute A B [-m MODEL] [options]",
        .about = "Tells the first page of keys and values, and the first token, that differ.\n"
                 "With the model, what both agree on is computed anew up to there, and each\n"
                 "receipt is held to it; from a disclosed state, 64 positions at most. Exit\n"
                 "status 0: one is right, or nothing differs. 1: neither is right. 3: not\n"
                 "settled, something was missing. 2: wrong usage.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit dispute answer-a answer-b\n"
                    "isobit dispute answer-a answer-b -m model.gguf\n"
                    "isobit dispute answer-a answer-b -m model.gguf --disclose pages\n"
                    "isobit dispute answer-a answer-b -m model.gguf --state pages",
        .n_positional_min = 2,
        .n_positional_max = 2,
    };
    enum err rc = args_parse(&command, argc, argv, args, note);
    if (!rc && s->disclose && s->state)
        rc = err_set(note, ERR_USAGE, "of --disclose and --state, only one can hold");
    if (!rc && (s->disclose || s->state) && !s->model.path)
        rc = err_set(note, ERR_USAGE, "--disclose and --state need the model (-m)");
    if (!rc && args->help)
        args_help(&command, stdout);
    return rc;
}

int cmd_dispute(int argc, char **argv)
{
    struct settle s = {.a.letter = "A", .b.letter = "B"};
    struct err_note note = {""};
    struct args args;
    int status = EXIT_OK;
    enum err rc = parse(&s, argc, argv, &args, &note);
    if (!rc && args.help)
        return EXIT_OK;
    say_quiet(s.quiet);
    rc = rc ? rc : judge(&s, args.positional, &status, &note);
    load_close(&s.loaded);
    replay_release(&s.replay);
    mem_free(s.tokens);
    parameters_release(&s.parameters);
    canon_release(&s.doc);
    close_party(&s.a);
    close_party(&s.b);
    if (!rc)
        return status;
    return say_error(rc, &note) == EXIT_USAGE ? EXIT_USAGE : (int)VERDICT_NOT_MEASURED;
}
