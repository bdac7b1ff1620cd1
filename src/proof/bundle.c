/* bundle.c - the parts of a bundle, out and in. */
#include "proof/bundle.h"

#include "base/check.h"
#include "base/mem.h"

const char *bundle_part_text(enum bundle_part part)
{
    static const char *const texts[] = {
#define BUNDLE_TEXT(name, key, type, what) what,
        BUNDLE_PART_LIST(BUNDLE_TEXT)
#undef BUNDLE_TEXT
    };
    CHECK((size_t)part < BUNDLE_N_PARTS);
    return texts[part];
}

/* ---- out ---------------------------------------------------------------------------------- */

static void write_ids(struct canon_writer *w, const uint32_t *ids, size_t n_ids)
{
    canon_array(w);
    for (size_t i = 0; i < n_ids; i++)
        canon_int(w, ids[i]);
    canon_end(w);
}

static void write_hashes(struct canon_writer *w, const struct merkle_hash *hashes, size_t n_hashes)
{
    canon_array(w);
    for (size_t i = 0; i < n_hashes; i++)
        canon_hex(w, hashes[i].bytes, SHA256_BYTES);
    canon_end(w);
}

static void write_log(struct canon_writer *w, const struct bundle *b)
{
    canon_object(w);
    canon_key(w, "head");
    canon_raw(w, b->log.head);
    canon_key(w, "index");
    canon_int(w, b->log.index);
    canon_key(w, "proof");
    write_hashes(w, b->log.proof.hashes, b->log.proof.n_hashes);
    canon_end(w);
}

static void write_positions(struct canon_writer *w, const struct bundle *b)
{
    uint8_t bytes[POSITION_BYTES_MAX];
    canon_array(w);
    for (size_t i = 0; i < b->n_positions; i++)
        canon_hex(w, bytes, position_write(&b->positions[i], bytes));
    canon_end(w);
}

static void write_shown(struct canon_writer *w, const struct bundle *b)
{
    uint8_t bytes[POSITION_BYTES_MAX];
    canon_array(w);
    for (size_t i = 0; i < b->n_shown; i++) {
        const struct bundle_shown *s = &b->shown[i];
        canon_object(w);
        canon_key(w, "index");
        canon_int(w, s->index);
        canon_key(w, "position");
        canon_hex(w, bytes, position_write(&s->record, bytes));
        canon_key(w, "proof");
        write_hashes(w, s->proof.hashes, s->proof.n_hashes);
        canon_key(w, "salt");
        canon_hex(w, s->salt.bytes, SALT_BYTES);
        canon_end(w);
    }
    canon_end(w);
}

static void write_part(struct canon_writer *w, const struct bundle *b, enum bundle_part part)
{
    switch (part) {
    case BUNDLE_CERTIFICATE:
        canon_raw(w, b->certificate);
        break;
    case BUNDLE_LOG:
        write_log(w, b);
        break;
    case BUNDLE_LOGITS:
        write_hashes(w, b->logits, b->n_logits);
        break;
    case BUNDLE_OUTPUT_IDS:
        write_ids(w, b->output_ids, b->n_output_ids);
        break;
    case BUNDLE_PAGES:
        write_hashes(w, b->pages, b->n_pages);
        break;
    case BUNDLE_POSITIONS:
        write_positions(w, b);
        break;
    case BUNDLE_PROMPT:
        canon_text(w, b->prompt);
        break;
    case BUNDLE_PROMPT_IDS:
        write_ids(w, b->prompt_ids, b->n_prompt_ids);
        break;
    case BUNDLE_PROMPT_PAGES:
        write_hashes(w, b->prompt_pages, b->n_prompt_pages);
        break;
    case BUNDLE_REQUEST:
        canon_text(w, b->request);
        break;
    case BUNDLE_SALT:
        canon_hex(w, b->salt.bytes, SALT_BYTES);
        break;
    case BUNDLE_SHOWN:
        write_shown(w, b);
        break;
    case BUNDLE_N_PARTS:
        break;
    }
}

/* All parts are optional. */
static const struct canon_field fields[BUNDLE_N_PARTS] = {
#define BUNDLE_FIELD(name, key, type, what) {key, type, true},
    BUNDLE_PART_LIST(BUNDLE_FIELD)
#undef BUNDLE_FIELD
};

void bundle_write(const struct bundle *b, struct buf *out)
{
    struct canon_writer w;
    canon_begin(&w, out);
    canon_object(&w);
    for (int part = 0; part < BUNDLE_N_PARTS; part++)
        if (b->has[part]) {
            canon_key(&w, fields[part].key);
            write_part(&w, b, (enum bundle_part)part);
        }
    canon_end(&w);
}

/* Beside texts and tokens: keys, certificate, salt, its place in the log. */
enum { OTHER_BYTES = 32 << 10, OTHER_NODES = 256 };
/* An id with its comma and its part of a page's hash; of an answer's token also its record. */
enum { ID_BYTES = 11 + 2, TOKEN_BYTES = ID_BYTES + 2 * POSITION_BYTES_MAX + 3, TOKEN_NODES = 3 };
enum { HASH_BYTES = 2 * SHA256_BYTES + 3 };

size_t bundle_answer_max(size_t n_text_bytes, size_t n_prompt_ids, bool has_logits,
                         size_t n_bytes_max)
{
    size_t n_nodes = OTHER_NODES + n_prompt_ids + n_prompt_ids / 64;
    if (n_nodes > CANON_NODES_MAX || n_text_bytes > n_bytes_max)
        return 0;
    size_t n_bytes = OTHER_BYTES + n_text_bytes + ID_BYTES * n_prompt_ids;
    if (n_bytes > n_bytes_max)
        return 0;
    size_t by_bytes = (n_bytes_max - n_bytes) / (TOKEN_BYTES + has_logits * HASH_BYTES);
    size_t by_nodes = (CANON_NODES_MAX - n_nodes) / (TOKEN_NODES + has_logits);
    return by_bytes < by_nodes ? by_bytes : by_nodes;
}

/* ---- in ----------------------------------------------------------------------------------- */

/* Room for an array's items; one at least, as there is no array of none. */
static enum err items_make(const struct canon_node *in, size_t n_bytes, void *items,
                           struct err_note *note)
{
    void *made = mem_array(in->n_items ? in->n_items : 1, n_bytes);
    memcpy(items, &made, sizeof made);
    return made ? ERR_OK
                : err_set(note, ERR_MEMORY, "no memory for a bundle of %u items", in->n_items);
}

static enum err read_ids(const struct canon_doc *doc, const struct canon_node *in,
                         const uint32_t **out, size_t *n_ids, struct err_note *note)
{
    uint32_t *ids;
    enum err rc = items_make(in, sizeof *ids, &ids, note);
    *out = ids;
    if (rc)
        return rc;
    for (const struct canon_node *n = canon_first(in); n; n = canon_next(doc, in, n)) {
        if (n->type != CANON_INT || n->number > UINT32_MAX)
            return err_set(note, ERR_FORMAT, "bundle: \"%.*s\"[%zu] is no token's number",
                           STR_ARG(in->key), *n_ids);
        ids[(*n_ids)++] = (uint32_t)n->number;
    }
    return ERR_OK;
}

static enum err read_hash(const struct canon_node *n, const char *of, struct merkle_hash *out,
                          struct err_note *note)
{
    return canon_bytes(n, out->bytes, SHA256_BYTES)
               ? ERR_OK
               : err_set(note, ERR_FORMAT, "bundle: \"%s\" must be of 64 hex digits each", of);
}

static enum err read_hashes(const struct canon_doc *doc, const struct canon_node *in,
                            const char *of, const struct merkle_hash **out, size_t *n_hashes,
                            struct err_note *note)
{
    struct merkle_hash *hashes;
    enum err rc = items_make(in, sizeof *hashes, &hashes, note);
    *out = hashes;
    for (const struct canon_node *n = canon_first(in); n && !rc; n = canon_next(doc, in, n))
        rc = read_hash(n, of, &hashes[(*n_hashes)++], note);
    return rc;
}

static bool read_record(const struct canon_node *n, struct position_record *out)
{
    uint8_t bytes[POSITION_BYTES_MAX];
    size_t n_bytes = n->type == CANON_TEXT ? n->text.len / 2 : 0;
    return n_bytes <= sizeof bytes && canon_bytes(n, bytes, n_bytes) &&
           position_read(bytes, n_bytes, out);
}

static enum err read_positions(const struct canon_doc *doc, const struct canon_node *in,
                               struct bundle *b, struct err_note *note)
{
    struct position_record *positions;
    enum err rc = items_make(in, sizeof *positions, &positions, note);
    b->positions = positions;
    if (rc)
        return rc;
    for (const struct canon_node *n = canon_first(in); n; n = canon_next(doc, in, n)) {
        if (!read_record(n, &positions[b->n_positions]))
            return err_set(note, ERR_FORMAT, "bundle: \"positions\"[%zu] is no position's record",
                           b->n_positions);
        b->n_positions++;
    }
    return ERR_OK;
}

static enum err read_proof(const struct canon_doc *doc, const struct canon_node *in,
                           struct merkle_proof *proof, struct err_note *note)
{
    enum err rc = ERR_OK;
    if (in->n_items > COUNT_OF(proof->hashes))
        return err_set(note, ERR_FORMAT, "bundle: a proof of %u hashes", in->n_items);
    for (const struct canon_node *n = canon_first(in); n && !rc; n = canon_next(doc, in, n))
        rc = read_hash(n, "proof", &proof->hashes[proof->n_hashes++], note);
    return rc;
}

static enum err read_log(const struct canon_doc *doc, const struct canon_node *in,
                         struct bundle *b, struct err_note *note)
{
    static const struct canon_field parts[] = {
        {"head", CANON_OBJECT, false}, {"index", CANON_INT, false}, {"proof", CANON_ARRAY, false}};
    const struct canon_node *found[COUNT_OF(parts)];
    enum err rc = canon_fields(doc, in, parts, COUNT_OF(parts), found, "bundle: log", note);
    if (rc)
        return rc;
    b->log.head = found[0]->raw;
    b->log.index = found[1]->number;
    return read_proof(doc, found[2], &b->log.proof, note);
}

static enum err read_shown(const struct canon_doc *doc, const struct canon_node *in,
                           struct bundle *b, struct err_note *note)
{
    static const struct canon_field parts[] = {{"index", CANON_INT, false},
                                               {"position", CANON_TEXT, false},
                                               {"proof", CANON_ARRAY, false},
                                               {"salt", CANON_TEXT, false}};
    const struct canon_node *found[COUNT_OF(parts)];
    struct bundle_shown *shown;
    enum err rc = items_make(in, sizeof *shown, &shown, note);
    b->shown = shown;
    for (const struct canon_node *n = canon_first(in); n && !rc; n = canon_next(doc, in, n)) {
        struct bundle_shown *s = &shown[b->n_shown++];
        rc = canon_fields(doc, n, parts, COUNT_OF(parts), found, "bundle: shown", note);
        if (rc)
            break;
        s->index = found[0]->number;
        if (!read_record(found[1], &s->record) ||
            !canon_bytes(found[3], s->salt.bytes, SALT_BYTES))
            return err_set(note, ERR_FORMAT, "bundle: \"shown\"[%zu] is no position's record",
                           b->n_shown - 1);
        rc = read_proof(doc, found[2], &s->proof, note);
    }
    return rc;
}

static enum err read_part(const struct canon_doc *doc, const struct canon_node *n,
                          enum bundle_part part, struct bundle *b, struct err_note *note)
{
    switch (part) {
    case BUNDLE_CERTIFICATE:
        b->certificate = n->raw;
        return ERR_OK;
    case BUNDLE_LOG:
        return read_log(doc, n, b, note);
    case BUNDLE_LOGITS:
        return read_hashes(doc, n, "logits", &b->logits, &b->n_logits, note);
    case BUNDLE_OUTPUT_IDS:
        return read_ids(doc, n, &b->output_ids, &b->n_output_ids, note);
    case BUNDLE_PAGES:
        return read_hashes(doc, n, "pages", &b->pages, &b->n_pages, note);
    case BUNDLE_POSITIONS:
        return read_positions(doc, n, b, note);
    case BUNDLE_PROMPT:
        b->prompt = n->text;
        return ERR_OK;
    case BUNDLE_PROMPT_IDS:
        return read_ids(doc, n, &b->prompt_ids, &b->n_prompt_ids, note);
    case BUNDLE_PROMPT_PAGES:
        return read_hashes(doc, n, "prompt_pages", &b->prompt_pages, &b->n_prompt_pages, note);
    case BUNDLE_REQUEST:
        b->request = n->text;
        return ERR_OK;
    case BUNDLE_SALT:
        return canon_bytes(n, b->salt.bytes, SALT_BYTES)
                   ? ERR_OK
                   : err_set(note, ERR_FORMAT, "bundle: \"salt\" must be 64 hex digits");
    case BUNDLE_SHOWN:
        return read_shown(doc, n, b, note);
    case BUNDLE_N_PARTS:
        break;
    }
    CHECK(!"no part");
    return ERR_OK;
}

enum err bundle_read(const struct canon_doc *doc, const struct canon_node *object,
                     struct bundle *out, struct err_note *note)
{
    const struct canon_node *found[BUNDLE_N_PARTS];
    *out = (struct bundle){0};
    enum err rc = canon_fields(doc, object, fields, BUNDLE_N_PARTS, found, "bundle", note);
    for (int part = 0; part < BUNDLE_N_PARTS && !rc; part++) {
        out->has[part] = found[part] != NULL;
        if (found[part])
            rc = read_part(doc, found[part], (enum bundle_part)part, out, note);
    }
    if (rc)
        bundle_release(out);
    return rc;
}

void bundle_release(struct bundle *b)
{
    mem_free((void *)b->prompt_ids);
    mem_free((void *)b->output_ids);
    mem_free((void *)b->positions);
    mem_free((void *)b->pages);
    mem_free((void *)b->prompt_pages);
    mem_free((void *)b->logits);
    mem_free((void *)b->shown);
    *b = (struct bundle){0};
}

/* ---- a part of one ------------------------------------------------------------------------ */

enum err bundle_show(const struct bundle *b, const uint32_t *indices, size_t n_indices,
                     struct bundle *out, struct err_note *note)
{
    struct merkle_hash *leaves = mem_array(b->n_positions + 1, sizeof leaves[0]);
    struct bundle_shown *shown = mem_array(n_indices + 1, sizeof shown[0]);
    *out = (struct bundle){.certificate = b->certificate, .log = b->log, .shown = shown};
    if (!leaves || !shown) {
        mem_free(leaves);
        bundle_release(out);
        return err_set(note, ERR_MEMORY, "no memory for %zu positions", b->n_positions);
    }
    CHECK(b->has[BUNDLE_SALT] && b->has[BUNDLE_POSITIONS]);
    out->has[BUNDLE_CERTIFICATE] = b->has[BUNDLE_CERTIFICATE];
    out->has[BUNDLE_LOG] = b->has[BUNDLE_LOG];
    out->has[BUNDLE_SHOWN] = true;
    for (size_t i = 0; i < b->n_positions; i++)
        leaves[i] = commitment_position(&b->salt, i, &b->positions[i]);
    for (size_t i = 0; i < n_indices; i++) {
        struct bundle_shown *s = &shown[out->n_shown++];
        CHECK(indices[i] < b->n_positions);
        s->index = indices[i];
        s->record = b->positions[indices[i]];
        s->salt = salt_derive(&b->salt, SALT_POSITION, indices[i]);
        merkle_prove_leaf(leaves, b->n_positions, indices[i], &s->proof);
    }
    mem_free(leaves);
    return ERR_OK;
}
