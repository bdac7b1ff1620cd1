/* verify.c - the report, and what a receipt's signature, key and log say. */
#include "proof/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "proof/verify_vectors.h"

/* Between an answer's end and its place in a signed head lies a group commit, and no more. */
enum { LOGGED_WITHIN_S = 60 };

const char *verify_status_text(enum verify_status status)
{
    static const char *const texts[] = {"recomputed", "checked against a counterparty", "asserted",
                                        "missing", "differs"};
    CHECK((size_t)status < COUNT_OF(texts));
    return texts[status];
}

const char *verdict_text(enum verdict verdict)
{
    return verdict == VERDICT_VALID      ? "Valid"
           : verdict == VERDICT_MISMATCH ? "Mismatch"
                                         : "NotMeasured";
}

/* The field's line, a new one where it has none. NULL: it differs already. */
static struct verify_line *line_of(struct verify_report *r, const char *field)
{
    size_t i = 0;
    while (i < r->n_lines && strcmp(r->lines[i].field, field) != 0)
        i++;
    if (i < r->n_lines && r->lines[i].status == VERIFY_DIFFERS)
        return NULL;
    CHECK(i < VERIFY_LINES_MAX);
    if (i == r->n_lines)
        r->n_lines++;
    r->lines[i] = (struct verify_line){.field = field};
    return &r->lines[i];
}

void verify_say(struct verify_report *r, const char *field, enum verify_status status,
                const char *format, ...)
{
    struct verify_line *line = line_of(r, field);
    va_list args;
    CHECK(status != VERIFY_DIFFERS);
    if (!line)
        return;
    line->status = status;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

void verify_differ(struct verify_report *r, const char *field, const char *expected,
                   const char *found, const char *format, ...)
{
    struct verify_line *line = line_of(r, field);
    va_list args;
    if (!line)
        return;
    line->status = VERIFY_DIFFERS;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
    snprintf(line->expected, sizeof line->expected, "%s", expected);
    snprintf(line->found, sizeof line->found, "%s", found);
    if (!r->first)
        r->first = line;
}

void verify_hash(struct verify_report *r, const char *field, const struct merkle_hash *expected,
                 const struct merkle_hash *found, enum verify_status status, const char *text)
{
    char a[SHA256_HEX], b[SHA256_HEX];
    if (merkle_equal(expected, found)) {
        verify_say(r, field, status, "%s", text);
        return;
    }
    hex_of(expected->bytes, SHA256_BYTES, a);
    hex_of(found->bytes, SHA256_BYTES, b);
    verify_differ(r, field, a, b, "not %s", text);
}

enum verdict verify_verdict(const struct verify_report *r)
{
    enum verdict verdict = r->n_lines ? VERDICT_VALID : VERDICT_NOT_MEASURED;
    for (size_t i = 0; i < r->n_lines; i++) {
        if (r->lines[i].status == VERIFY_DIFFERS)
            return VERDICT_MISMATCH;
        if (r->lines[i].status == VERIFY_MISSING)
            verdict = VERDICT_NOT_MEASURED;
    }
    return verdict;
}

/* ---- the receipt -------------------------------------------------------------------------- */

static bool is_of_vectors(const struct verify_case *c)
{
    struct receipt_vectors v;
    return c->signed_text.body &&
           receipt_vectors_read(&c->signed_text.doc, c->signed_text.body, &v, NULL) == ERR_OK;
}

/* What holds of every receipt that was read. */
static void say_opened(struct verify_case *c, struct verify_report *r)
{
    sign_digest(SIGN_RECEIPT, c->signed_text.body->raw, c->name.bytes);
    verify_say(r, "signature", VERIFY_RECOMPUTED, "fits the receipt and its key");
    verify_say(r, "device", VERIFY_ASSERTED, "%.*s", STR_ARG(c->receipt.device));
    verify_say(r, "time", VERIFY_ASSERTED, "from %" PRIu64 " to %" PRIu64 " ms since 1970",
               c->receipt.started_ms, c->receipt.ended_ms);
    if (!verify_has_bits(c))
        verify_say(r, "arithmetic", VERIFY_MISSING,
                   "the bits of \"%.*s\" are not made here, those of " ISO_ARITHMETIC
                   " are; isobit validate judges others by statistics",
                   STR_ARG(c->receipt.arithmetic));
}

bool verify_has_bits(const struct verify_case *c)
{
    return str_is(c->receipt.arithmetic, ISO_ARITHMETIC);
}

bool verify_open(struct verify_case *c, struct str text, const struct bundle *bundle,
                 struct verify_report *r)
{
    static const struct bundle nothing;
    struct err_note note = {""};
    *c = (struct verify_case){.bundle = bundle ? bundle : &nothing};
    if (signed_read(SIGN_RECEIPT, text, &c->signed_text, &note) ||
        receipt_read(&c->signed_text.doc, c->signed_text.body, &c->receipt, &note)) {
        if (is_of_vectors(c)) {
            verify_say(r, "signature", VERIFY_RECOMPUTED, "fits the receipt and its key");
            verify_say(r, "vectors", VERIFY_MISSING, "a receipt of vectors, not of an answer");
        } else {
            verify_differ(r, "signature", "a signed receipt", note.text, "no receipt");
        }
        signed_release(&c->signed_text);
        return false;
    }
    say_opened(c, r);
    return true;
}

bool verify_open_vectors(struct verify_case *c, struct receipt_vectors *v, struct str text,
                         const struct bundle *bundle, struct verify_report *r)
{
    static const struct bundle nothing;
    *c = (struct verify_case){.bundle = bundle ? bundle : &nothing};
    if (signed_read(SIGN_RECEIPT, text, &c->signed_text, NULL) ||
        receipt_vectors_read(&c->signed_text.doc, c->signed_text.body, v, NULL)) {
        signed_release(&c->signed_text);
        return false;
    }
    c->receipt = v->of;
    say_opened(c, r);
    return true;
}

void verify_close(struct verify_case *c)
{
    receipt_release(&c->receipt);
    signed_release(&c->signed_text);
}

/* ---- keys --------------------------------------------------------------------------------- */

static bool is_trusted(const struct verify_trust *trust, const struct sign_key *key)
{
    for (size_t i = 0; i < trust->n_keys; i++)
        if (sign_key_equal(&trust->keys[i], key))
            return true;
    return false;
}

/* The receipt's place in the log as the bundle has it; false: none that holds. */
static bool place_of(const struct verify_case *c, struct log_head *head, struct log_place *place)
{
    const struct bundle *b = c->bundle;
    if (!b->has[BUNDLE_LOG] || log_head_read(b->log.head, head, NULL) ||
        !sign_key_equal(&head->key, &c->signed_text.key))
        return false;
    *place = (struct log_place){head, c->name, b->log.index, &b->log.proof};
    return log_includes(head, &c->name, b->log.index, &b->log.proof);
}

static void check_revocations(const struct verify_case *c, const struct certificate *certificate,
                              const struct verify_trust *trust, struct verify_report *r)
{
    struct log_head head;
    struct log_place place;
    bool has_place = place_of(c, &head, &place);
    for (size_t i = 0; i < trust->n_revocations; i++) {
        const struct revocation *v = &trust->revocations[i];
        bool stands = !revocation_hits(v, certificate);
        for (size_t k = 0; k < trust->n_heads && has_place && !stands; k++)
            stands = log_stands(certificate, v, &trust->heads[k], NULL, 0, &place);
        if (!stands)
            verify_differ(r, "certificate", "one in force, or a head seen before its revocation",
                          "revoked",
                          "certificate %" PRIu64 " was revoked, and no head that was seen "
                          "before covers the receipt",
                          certificate->serial);
    }
}

/* Whether a head of the receipt's key was made before the receipt stood in its log. */
static bool lacks(const struct log_head *seen, const struct log_place *place)
{
    const struct log_head *head = place->head;
    return sign_key_equal(&seen->key, &head->key) &&
           (seen->epoch < head->epoch ||
            (seen->epoch == head->epoch && seen->count <= place->index));
}

/* A receipt's own times prove nothing; a head that lacks it, from after the certificate's end,
 * does. */
static void check_expiry(const struct verify_case *c, const struct certificate *certificate,
                         const struct verify_trust *trust, struct verify_report *r)
{
    struct log_head head;
    struct log_place place;
    char expected[VERIFY_TEXT], found[VERIFY_TEXT];
    bool has_place = place_of(c, &head, &place);
    for (size_t i = 0; i < trust->n_heads && has_place; i++) {
        const struct log_head *seen = &trust->heads[i];
        if (!lacks(seen, &place) || seen->time_s < certificate->not_after_s)
            continue;
        snprintf(expected, sizeof expected, "before %" PRIu64, certificate->not_after_s);
        snprintf(found, sizeof found, "after %" PRIu64, seen->time_s);
        verify_differ(r, "certificate", expected, found,
                      "the receipt was logged when it was no longer in force: a head was seen that "
                      "lacks it");
        return;
    }
}

static void check_certificate(const struct verify_case *c, const struct certificate *certificate,
                              const struct verify_trust *trust, struct verify_report *r)
{
    char expected[VERIFY_TEXT], found[VERIFY_TEXT];
    uint64_t from_s = c->receipt.started_ms / 1000, to_s = c->receipt.ended_ms / 1000;
    if (!sign_key_equal(&certificate->key, &c->signed_text.key)) {
        hex_of(c->signed_text.key.bytes, SIGN_KEY_BYTES, expected);
        hex_of(certificate->key.bytes, SIGN_KEY_BYTES, found);
        verify_differ(r, "certificate", expected, found, "it is of another key");
        return;
    }
    if (!certificate_covers(certificate, from_s) || !certificate_covers(certificate, to_s)) {
        snprintf(expected, sizeof expected, "a time from %" PRIu64 " to %" PRIu64,
                 certificate->not_before_s, certificate->not_after_s);
        snprintf(found, sizeof found, "%" PRIu64 " to %" PRIu64, from_s, to_s);
        verify_differ(r, "certificate", expected, found, "it was not in force");
        return;
    }
    verify_say(r, "certificate", VERIFY_RECOMPUTED, "number %" PRIu64 ", in force at that time",
               certificate->serial);
    check_expiry(c, certificate, trust, r);
    check_revocations(c, certificate, trust, r);
}

static void say_unknown(struct verify_report *r, const struct sign_key *key, const char *what)
{
    char hex[2 * SIGN_KEY_BYTES + 1];
    hex_of(key->bytes, SIGN_KEY_BYTES, hex);
    verify_say(r, "key", VERIFY_MISSING, "the %s %s is none that you named", what, hex);
}

void verify_key(const struct verify_case *c, const struct verify_trust *trust,
                struct verify_report *r)
{
    struct certificate certificate;
    struct err_note note = {""};
    bool is_known = is_trusted(trust, &c->signed_text.key);
    if (is_known)
        verify_say(r, "key", VERIFY_CHECKED, "the signing key is one that you named");
    if (!c->bundle->has[BUNDLE_CERTIFICATE]) {
        if (!is_known)
            say_unknown(r, &c->signed_text.key, "signing key, which has no certificate here,");
        return;
    }
    if (certificate_read(c->bundle->certificate, &certificate, &note)) {
        verify_differ(r, "certificate", "a certificate", note.text, "it is none");
        return;
    }
    check_certificate(c, &certificate, trust, r);
    if (is_trusted(trust, &certificate.identity))
        verify_say(r, "key", VERIFY_CHECKED, "certified by an identity that you named");
    else if (!is_known)
        say_unknown(r, &certificate.identity, "identity");
}

/* ---- the log ------------------------------------------------------------------------------ */

/* What a head that somebody saw says against the receipt's place. */
static void check_witness(const struct verify_case *c, const struct log_place *place,
                          const struct log_head *seen, struct verify_report *r)
{
    const struct log_head *head = place->head;
    char found[VERIFY_TEXT];
    uint64_t ended_s = c->receipt.ended_ms / 1000;
    const char *why = log_contradiction(head, seen);
    if (why)
        verify_differ(r, "log", "one log", why, "the log was forked");
    if (lacks(seen, place) && seen->time_s > ended_s + LOGGED_WITHIN_S) {
        snprintf(found, sizeof found, "%" PRIu64, ended_s);
        verify_differ(r, "time", "a later end", found,
                      "a head of time %" PRIu64
                      " was seen that lacks the receipt: it is back-dated",
                      seen->time_s);
    }
    if (log_covers(seen, NULL, 0, place))
        verify_say(r, "log", VERIFY_CHECKED, "a head that was seen covers it");
}

void verify_log(const struct verify_case *c, const struct verify_trust *trust,
                struct verify_report *r)
{
    const struct bundle *b = c->bundle;
    struct err_note note = {""};
    struct log_head head;
    struct log_place place;
    if (!b->has[BUNDLE_LOG]) {
        bool is_seen = false;
        for (size_t i = 0; i < trust->n_heads; i++)
            is_seen |= sign_key_equal(&trust->heads[i].key, &c->signed_text.key);
        verify_say(r, "log", is_seen ? VERIFY_MISSING : VERIFY_ASSERTED,
                   is_seen ? "heads of its key were seen, but no place in that log is shown"
                           : "no place in a log is shown");
        return;
    }
    if (log_head_read(b->log.head, &head, &note)) {
        verify_differ(r, "log", "a signed head", note.text, "the head is none");
        return;
    }
    if (!place_of(c, &head, &place)) {
        verify_differ(r, "log", "a proof from the receipt to a head of its key", "none",
                      "the receipt is not leaf %" PRIu64 " of the head's %" PRIu64, b->log.index,
                      head.count);
        return;
    }
    verify_say(r, "log", VERIFY_ASSERTED,
               "leaf %" PRIu64 " of %" PRIu64 "; no head that somebody else saw covers it",
               b->log.index, head.count);
    if (c->receipt.ended_ms / 1000 > head.time_s + LOGGED_WITHIN_S)
        verify_differ(r, "time", "an end before the log's head", "one after it",
                      "the receipt ends after it was logged");
    for (size_t i = 0; i < trust->n_heads; i++)
        check_witness(c, &place, &trust->heads[i], r);
}
