/* tier.c - the disk below the prefix tree. */
#include "engine/tier.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/disk_file.h"
#include "engine/engine_int.h"
#include "engine/fall_back.h"
#include "format/identity.h"

const struct disk_io *tier_io;

static void add_u64(struct sha256 *h, uint64_t x)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(x >> 8 * i);
    sha256_add(h, bytes, sizeof bytes);
}

enum err tier_open(struct iso_engine *e, const char *folder, uint64_t n_bytes_max,
                   const struct identity *identity, struct err_note *note)
{
    static const char magic[] = "isobit-kv-1\n";
    const char *arithmetic = engine_arithmetic(e->is_fast);
    struct tier *t = &e->tier;
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, magic, sizeof magic - 1);
    sha256_add(&h, arithmetic, strlen(arithmetic));
    sha256_add(&h, "\n", 1);
    sha256_add(&h, identity->weights, SHA256_BYTES);
    sha256_add(&h, identity->config, SHA256_BYTES);
    sha256_end(&h, t->root);
    t->keys = mem_array(e->pages.n_pages, sizeof t->keys[0]);
    if (!t->keys)
        return err_set(note, ERR_MEMORY, "out of memory for the page cache %s", folder);
    size_t n_payload = model_info(e->model)->kv_file_bytes;
    if (n_bytes_max == 0)
        n_bytes_max = e->pages.n_pages * ((uint64_t)n_payload + DISK_HEADER_BYTES);
    return disk_open(&t->disk, folder, n_bytes_max, n_payload, tier_io, note);
}

void tier_close(struct iso_engine *e)
{
    if (e->tier.disk)
        iso_engine_save(e);
    disk_close(e->tier.disk);
    mem_free(e->tier.keys);
    e->tier = (struct tier){0};
}

void tier_key(const struct iso_engine *e, const struct prefix_space *space, uint32_t parent,
              const int32_t *tokens, uint8_t key[SHA256_BYTES])
{
    struct sha256 h;
    sha256_init(&h);
    if (parent == PREFIX_ROOT) {
        sha256_add(&h, e->tier.root, SHA256_BYTES);
        add_u64(&h, space->tenant);
        add_u64(&h, space->pool);
        add_u64(&h, space->far);
    } else {
        sha256_add(&h, e->tier.keys[parent], SHA256_BYTES);
    }
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tokens are hashed as they lie");
    sha256_add(&h, tokens, KV_PAGE * sizeof tokens[0]);
    sha256_end(&h, key);
}

void tier_joined(struct iso_engine *e, uint32_t page)
{
    const struct prefix_node *node = &e->prefix.nodes[page];
    if (!e->tier.disk)
        return;
    CHECK(node->n_tokens == KV_PAGE);
    tier_key(e, &node->space, node->parent, e->prefix.tokens[page], e->tier.keys[page]);
}

void tier_save(struct iso_engine *e, uint32_t page)
{
    struct tier *t = &e->tier;
    if (!t->disk || e->prefix.nodes[page].n_tokens < KV_PAGE || !disk_writes(t->disk) ||
        disk_use(t->disk, t->keys[page]) || engine_is_lost(e))
        return;
    model_kv_export(e->model, kv_pages_at(&e->pages, page), disk_payload(t->disk));
    if (engine_is_lost(e))
        return;
    disk_put(t->disk, t->keys[page]);
}

bool tier_restore(struct iso_engine *e, const uint8_t key[SHA256_BYTES], uint32_t page)
{
    const uint8_t *payload = disk_get(e->tier.disk, key);
    if (payload)
        model_kv_import(e->model, kv_pages_at(&e->pages, page), payload);
    return payload != NULL;
}

/* Children before their parents, and what was used last at the end: where not all fits, beginnings
 * stay. */
void iso_engine_save(struct iso_engine *e)
{
    for (uint32_t i = e->prefix.oldest; e->tier.disk && i != KV_PAGE_NONE;
         i = e->prefix.nodes[i].newer)
        tier_save(e, i);
}

void tier_info(const struct iso_engine *e, struct iso_cache_info *info)
{
    info->note = "";
    if (!e->tier.disk)
        return;
    struct disk_counts c = disk_counts(e->tier.disk);
    info->n_files = c.n_files;
    info->n_bytes = c.n_bytes;
    info->n_pages_read = c.n_read;
    info->n_pages_written = c.n_written;
    info->n_files_bad = c.n_bad;
    info->n_files_removed = c.n_removed;
    info->note = disk_note(e->tier.disk);
}

const uint8_t *engine_model_key(const struct iso_engine *e)
{
    return e->tier.root;
}
