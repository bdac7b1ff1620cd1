/* cmd_verify.c - isobit verify: what holds of a receipt. */
#include <jansson.h>
#include <stdio.h>

#ifdef ISOBIT_HAVE_NET
#include "api/responses.h"
#endif
#include "base/check.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/number_list.h"
#include "cli/say.h"
#include "cli/verify_model.h"

struct verify {
    struct verify_words words;
    struct verify_compute compute;
    const char *show; /* positions, or NULL */
    bool json, quiet;
    struct verify_inputs in;
    struct verify_report report;
};

/* ---- what is said ------------------------------------------------------------------------- */

static void print_text(const struct verify_report *r)
{
    for (size_t i = 0; i < r->n_lines; i++) {
        const struct verify_line *l = &r->lines[i];
        printf("%-15s  %-30s  %s\n", l->field, verify_status_text(l->status), l->text);
    }
    if (r->first)
        printf("first difference: %s: %s\n  expected  %s\n  found     %s\n", r->first->field,
               r->first->text, r->first->expected, r->first->found);
    printf("%s\n", verdict_text(verify_verdict(r)));
}

static json_t *json_line(const struct verify_line *l)
{
    json_t *o =
        json_pack("{s:s,s:s,s:o}", "field", l->field, "status", verify_status_text(l->status),
                  "text", json_stringn_nocheck(l->text, strlen(l->text)));
    if (l->status == VERIFY_DIFFERS) {
        json_object_set_new(o, "expected", json_string(l->expected));
        json_object_set_new(o, "found", json_string(l->found));
    }
    return o;
}

static void print_json(const struct verify_report *r)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < r->n_lines; i++)
        json_array_append_new(fields, json_line(&r->lines[i]));
    json_t *all =
        json_pack("{s:s,s:o}", "verdict", verdict_text(verify_verdict(r)), "fields", fields);
    json_object_set_new(all, "first_difference", r->first ? json_line(r->first) : json_null());
    json_dumpf(all, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(all);
}

/* ---- the command -------------------------------------------------------------------------- */

/* The requester's own bytes; ptr NULL: they are not known. A server answers what it remembers in
 * place of a previous_response_id: then the bundle's request is read, and what it says of before is
 * nobody else's word. */
static struct str request_of(struct verify *v, bool *joined)
{
    struct str request = {v->in.request, v->in.n_request};
    *joined = false;
#ifdef ISOBIT_HAVE_NET
    const struct bundle *b = &v->in.bundle;
    *joined = request.ptr && b->has[BUNDLE_REQUEST] && responses_joined(request, b->request);
    if (*joined) {
        mem_free(v->in.request);
        v->in.request = NULL;
        request = (struct str){NULL, 0};
    }
#endif
    return request;
}

static enum err show_case(const struct verify *v, const struct verify_case *c,
                          struct err_note *note)
{
    const struct bundle *b = &v->in.bundle;
    struct number_list list;
    struct bundle shown;
    struct buf out;
    if (!b->has[BUNDLE_SALT] || !b->has[BUNDLE_POSITIONS] || c->receipt.n_output == 0)
        return err_set(note, ERR_NOT_FOUND, "--show: the bundle has no salt, or no positions");
    uint32_t last = (uint32_t)c->receipt.n_output - 1;
    enum err rc = number_list_parse("show", v->show, 0, last, &list, note);
    rc = rc ? rc : bundle_show(b, list.items, list.n_items, &shown, note);
    if (rc)
        return rc;
    buf_init(&out, CANON_BYTES_MAX);
    bundle_write(&shown, &out);
    CHECK(!out.failed);
    fwrite(out.bytes, 1, out.n_bytes, stdout);
    buf_release(&out);
    bundle_release(&shown);
    return ERR_OK;
}

/* Instead of a report: a bundle of some positions alone, once all are what the receipt says. */
static enum err show(struct verify *v, struct err_note *note)
{
    struct verify_report *r = &v->report;
    struct verify_case c;
    struct str text = {v->in.receipt, v->in.n_receipt};
    if (!verify_open(&c, text, &v->in.bundle, r))
        return err_set(note, ERR_FORMAT, "--show: it is no receipt of an answer");
    verify_parts(&c, (struct str){NULL, 0}, r);
    enum err rc = ERR_OK;
    if (r->first)
        rc = err_set(note, ERR_FORMAT, "--show: the bundle is not the receipt's: %s",
                     r->first->field);
    else
        rc = show_case(v, &c, note);
    verify_close(&c);
    return rc;
}

static enum err judge(struct verify *v, struct err_note *note)
{
    struct verify_report *r = &v->report;
    struct verify_case c;
    struct receipt_vectors vectors, *told = NULL;
    struct str text = {v->in.receipt, v->in.n_receipt};
    bool joined;
    struct str request = request_of(v, &joined);
    enum err rc = ERR_OK;
    if (verify_open_vectors(&c, &vectors, text, &v->in.bundle, r))
        told = &vectors;
    else if (!verify_open(&c, text, &v->in.bundle, r))
        return ERR_OK;
    verify_key(&c, &v->in.trust, r);
    verify_log(&c, &v->in.trust, r);
    if (told)
        verify_request(&c, request, r);
    else
        verify_parts(&c, request, r);
#ifdef ISOBIT_HAVE_NET
    if (joined)
        verify_say(r, "request", VERIFY_MISSING, RESPONSES_JOINED);
#endif
    if (v->in.has_weights)
        verify_weights(&c, &v->in.weights, r);
    if (v->compute.model.path && told)
        rc = verify_vectors_compute(&c, told, &v->in, &v->compute, r, note);
    else if (v->compute.model.path)
        rc = verify_compute(&c, &v->in, &v->compute, r, note);
    else
        verify_say(r, "model", VERIFY_MISSING, "no model: nothing was computed");
    verify_close(&c);
    return rc;
}

static enum err parse(struct verify *v, int argc, char **argv, struct args *args,
                      struct err_note *note)
{
    const struct arg_option options[] = {
        OPT_HEADING("What there is to compare with"),
        OPT_TEXT(0, "bundle", "FILE", &v->words.bundle,
                 "what came with the receipt (default: RECEIPT.bundle)"),
        OPT_TEXT(0, "request", "FILE", &v->words.request, "the request's body, as it was sent"),
        OPT_TEXT('p', "prompt", "TEXT", &v->words.prompt,
                 "or the prompt alone, of an answer of isobit run; its other\n"
                 "options are then those of the bundle"),
        OPT_TEXT(0, "system", "TEXT", &v->words.system,
                 "with -p: the system prompt, if there was one"),
        OPT_TEXT(0, "response", "FILE", &v->words.response,
                 "the answer's text, as it came, without reasoning and\n"
                 "calls of tools"),
        OPT_TEXTS(0, "key", "HEX|FILE", &v->words.keys,
                  "an identity that you trust, or a signing key; may be\n"
                  "repeated (this machine's own is trusted)"),
        OPT_TEXTS(0, "revoked", "FILE", &v->words.revoked, "a revocation; may be repeated"),
        OPT_TEXTS(0, "head", "FILE", &v->words.heads,
                  "a head of the log that somebody else saw; may be repeated"),
        OPT_TEXT(0, "node", "DIR", &v->words.node,
                 "this machine's keys (default: as isobit node-key)"),
        OPT_TEXT(0, "expect-weights", "HASH", &v->words.expect_weights,
                 "the weights' hash, as isobit inspect prints it"),
        OPT_HEADING("Computing it anew"),
        OPT_TEXT('m', "model", "MODEL", &v->compute.model.path,
                 "GGUF file, Hugging Face folder, or the name of a pulled model"),
        OPT_TEXT(0, "template", "NAME|FILE", &v->compute.template,
                 "another chat template than the model's own"),
        OPT_TEXT(0, "tool-format", "NAME", &v->compute.tool_format,
                 "the form of calls, where the server was told one"),
        DEVICE_OPTIONS(v->compute.model),
        OPT_HEADING("Output"),
        OPT_FLAG(0, "json", &v->json, "one JSON object"),
        OPT_TEXT(0, "show", "N,...", &v->show,
                 "instead: a bundle of these positions of the answer alone,\n"
                 "which prove themselves and tell nothing of the others"),
        OPT_FLAG('q', "quiet", &v->quiet, "say nothing but errors"),
    };
    const struct arg_command command = {
        .name = "verify",
        .summary = "check a receipt, and compute its answer anew",
        .usage = "verify RECEIPT [-m MODEL] [--request FILE] [options]",
        .about = "Every field is recomputed, checked against a counterparty, or asserted by the\n"
                 "node alone. Exit status 0: Valid. 1: Mismatch, the first difference is told.\n"
                 "3: NotMeasured, something was missing. 2: wrong usage.",
        .options = options,
        .n_options = COUNT_OF(options),
        .examples = "isobit verify answer.receipt -m model.gguf --request body.json\n"
                    "isobit verify answer.receipt --key 5f3c... --head seen.json",
        .n_positional_min = 1,
        .n_positional_max = 1,
    };
    enum err rc = args_parse(&command, argc, argv, args, note);
    if (!rc && v->words.prompt && v->words.request)
        rc = err_set(note, ERR_USAGE, "of --prompt and --request, only one can hold");
    if (!rc && v->words.system && !v->words.prompt)
        rc = err_set(note, ERR_USAGE, "--system goes with --prompt");
    if (!rc && args->help)
        args_help(&command, stdout);
    return rc;
}

int cmd_verify(int argc, char **argv)
{
    struct verify v = {.json = false};
    struct err_note note = {""};
    struct args args;
    enum err rc = parse(&v, argc, argv, &args, &note);
    if (!rc && args.help)
        return EXIT_OK;
    say_quiet(v.quiet);
    if (!rc)
        rc = verify_inputs_read(&v.in, args.positional[0], &v.words, &note);
    if (!rc && v.show)
        rc = show(&v, &note);
    else if (!rc)
        rc = judge(&v, &note);
    if (!rc && v.show)
        say("position%s of the answer, without the salt", strpbrk(v.show, ",-") ? "s" : "");
    else if (!rc && v.json)
        print_json(&v.report);
    else if (!rc)
        print_text(&v.report);
    verify_inputs_release(&v.in);
    if (!rc && v.show)
        return EXIT_OK;
    if (!rc)
        return (int)verify_verdict(&v.report);
    /* A verdict needs a measurement: what stood in its way is no mismatch. */
    return say_error(rc, &note) == EXIT_USAGE ? EXIT_USAGE : (int)VERDICT_NOT_MEASURED;
}
