/* dispute_state.c - pages written to a file and read from one, each held to its hash. */
#include "cli/dispute_state.h"

#include "base/file.h"
#include "base/mem.h"

static enum err lost(size_t page, struct err_note *note)
{
    return err_set(note, ERR_IO, "page %zu was lost with the device that computed it", page);
}

/* Page k of the session is the one that both receipts name. */
static enum err hold(const struct loaded *l, const struct bundle *a, const struct bundle *b,
                     size_t page, const char *of, struct err_note *note)
{
    const struct merkle_hash *x = dispute_page(a, page), *y = dispute_page(b, page);
    struct merkle_hash is;
    if (!x || !y)
        return err_set(note, ERR_UNSUPPORTED,
                       "page %zu has no hash in the bundles, so nobody can show it; without its "
                       "state the dispute is settled from the beginning",
                       page);
    if (!iso_session_page_hash(l->session, (uint32_t)page, is.bytes))
        return lost(page, note);
    if (!merkle_equal(&is, x) || !merkle_equal(&is, y))
        return err_set(note, ERR_FORMAT, "%s: page %zu is not the one that both receipts name", of,
                       page);
    return ERR_OK;
}

static int32_t *tokens_of(const struct bundle *b, size_t n)
{
    int32_t *tokens = mem_array(n + 1, sizeof tokens[0]);
    for (size_t i = 0; tokens && i < n; i++)
        tokens[i] = dispute_token(b, i);
    return tokens;
}

static enum err read_all(struct loaded *l, const int32_t *tokens, size_t n_tokens,
                         struct err_note *note)
{
    struct iso_request r = iso_request_default();
    const struct iso_event *events;
    r.tokens = tokens;
    r.n_tokens = (uint32_t)n_tokens;
    r.n_answer_max = 0;
    r.no_cache = true;
    enum err rc = (enum err)iso_session_submit(l->session, &r, (struct iso_note *)note);
    for (size_t n; !rc && (n = iso_engine_step(l->engine, &events)) > 0;)
        for (size_t i = 0; i < n; i++)
            if (events[i].kind == ISO_EVENT_FINISH && events[i].err)
                rc = err_set(note, (enum err)events[i].err, "%s", events[i].note);
    return rc;
}

static enum err write_pages(const struct dispute *d, const struct bundle *a, const struct bundle *b,
                            const struct loaded *l, uint8_t *page, struct file_writer *out,
                            struct err_note *note)
{
    size_t n_bytes = iso_engine_info(l->engine).n_bytes_kv_file;
    enum err rc = ERR_OK;
    for (size_t k = 0; k < d->first_page && !rc; k++) {
        rc = hold(l, a, b, k, "as computed here", note);
        if (rc)
            break;
        if (!iso_session_page_read(l->session, (uint32_t)k, page))
            rc = lost(k, note);
        file_writer_add(out, page, n_bytes);
    }
    return rc;
}

enum err dispute_disclose(const struct dispute *d, const struct bundle *a, const struct bundle *b,
                          struct loaded *l, const char *path, struct err_note *note)
{
    size_t n_tokens = d->first_page * ISO_PAGE_POSITIONS;
    struct file_writer out;
    if (n_tokens == 0)
        return err_set(note, ERR_NOT_FOUND,
                       "the receipts part within the first page: there is no state before it");
    enum err rc = file_writer_open_private(&out, path, note);
    if (rc)
        return rc;
    int32_t *tokens = tokens_of(a, n_tokens);
    uint8_t *page = mem_alloc(iso_engine_info(l->engine).n_bytes_kv_file);
    rc = tokens && page
             ? read_all(l, tokens, n_tokens, note)
             : err_set(note, ERR_MEMORY, "no memory for a state of %zu tokens", n_tokens);
    rc = rc ? rc : write_pages(d, a, b, l, page, &out, note);
    if (rc)
        file_writer_abort(&out);
    else
        rc = file_writer_commit(&out, note);
    mem_free(tokens);
    mem_free(page);
    return rc;
}

static enum err take_page(const struct bundle *a, const struct bundle *b, struct loaded *l,
                          size_t k, const uint8_t *bytes, const char *path, struct err_note *note)
{
    int32_t tokens[ISO_PAGE_POSITIONS];
    struct err_note why = {""};
    for (size_t i = 0; i < ISO_PAGE_POSITIONS; i++)
        tokens[i] = dispute_token(a, k * ISO_PAGE_POSITIONS + i);
    enum err rc =
        (enum err)iso_session_page_add(l->session, tokens, bytes, (struct iso_note *)&why);
    return rc ? err_set(note, rc, "%s: %s", path, why.text) : hold(l, a, b, k, path, note);
}

enum err dispute_take(const struct dispute *d, const struct bundle *a, const struct bundle *b,
                      struct loaded *l, const char *path, struct err_note *note)
{
    size_t n_bytes = iso_engine_info(l->engine).n_bytes_kv_file;
    struct file_map map;
    enum err rc = file_map_open(&map, path, note);
    if (rc)
        return rc;
    if (map.n_bytes != d->first_page * n_bytes)
        rc = err_set(note, ERR_FORMAT,
                     "%s has %zu bytes; the state before the difference has %zu, %zu pages of %zu",
                     path, map.n_bytes, d->first_page * n_bytes, d->first_page, n_bytes);
    for (size_t k = 0; k < d->first_page && !rc; k++)
        rc = take_page(a, b, l, k, map.bytes + k * n_bytes, path, note);
    file_map_close(&map);
    return rc;
}
