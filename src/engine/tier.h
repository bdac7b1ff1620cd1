/* tier.h - the disk below the prefix tree, for engine/ alone: keys of pages, to files and back.
 *
 * A page's key is a hash of what it was computed from: the weights, the arithmetic, whose it is,
 * and every token up to its last (docs/formats/kv-page.md). Only full pages have files. They are
 * written when the tree gives a page up, and by iso_engine_save. */
#ifndef ENGINE_TIER_H
#define ENGINE_TIER_H

#include "engine/disk.h"
#include "engine/prefix.h"

struct iso_engine;
struct identity;

struct tier {
    struct disk *disk; /* NULL: there is none */
    uint8_t root[SHA256_BYTES];
    uint8_t (*keys)[SHA256_BYTES]; /* [n_pages] of full pages in the tree */
};

/* The calls that a tier opened from now on makes; NULL: the system's. For tests. */
extern const struct disk_io *tier_io;

/* n_bytes_max 0: as many pages as the pool. */
enum err tier_open(struct iso_engine *e, const char *folder, uint64_t n_bytes_max,
                   const struct identity *identity, struct err_note *note);
void tier_close(struct iso_engine *e); /* saves first */

/* tier_key - of the page that holds tokens[0..64) after those of parent. */
void tier_key(const struct iso_engine *e, const struct prefix_space *space, uint32_t parent,
              const int32_t *tokens, uint8_t key[SHA256_BYTES]);
/* tier_joined - a full page is new in the tree. */
void tier_joined(struct iso_engine *e, uint32_t page);
/* tier_save - writes a page of the tree to its file, if it may have one and has none. */
void tier_save(struct iso_engine *e, uint32_t page);
/* tier_restore - fills a page from the file of key. False: there is none, or it was damaged. */
bool tier_restore(struct iso_engine *e, const uint8_t key[SHA256_BYTES], uint32_t page);
/* tier_info - fills in what info says of cache_dir. */
struct iso_cache_info;
void tier_info(const struct iso_engine *e, struct iso_cache_info *info);

#endif
