/* partial.h - a file that is being fetched: PATH.part, and beside it PATH.part.state, which says
 * what it is to become and the SHA-256 of every chunk that has come.
 *
 * A chunk counts only if its bytes in the file have its digest, so a state that is older than the
 * file, a crash, a torn write or a full disk cost the chunks that they spoilt. Where the whole has
 * the wrong digest though every chunk is as it came, the source sent wrong bytes: partial_doubt,
 * and everything is read a second time, but only what differs is written, and the first reading
 * that makes the whole right ends it.
 * One process at a time: the file is locked. Thread: one. */
#ifndef HUB_PARTIAL_H
#define HUB_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hub/digest.h"

enum { PARTIAL_VALIDATOR_MAX = 200, PARTIAL_CHUNKS_MAX = 8192, PARTIAL_CHUNK_BYTES_MIN = 1 << 18 };

struct partial {
    char *path, *path_state, *path_final;
    char *source; /* what it comes from, one line; another source begins anew */
    int fd;
    uint64_t n_bytes;
    size_t n_bytes_chunk, n_chunks;
    uint8_t (*digests)[SHA256_BYTES];      /* [n_chunks] */
    bool *has;                             /* [n_chunks] */
    uint64_t n_bytes_has;                  /* of chunks */
    char validator[PARTIAL_VALIDATOR_MAX]; /* the strong ETag that all chunks came under, or "" */
    /* The chunk that is coming. */
    uint8_t *chunk;
    size_t chunk_i, n_in_chunk;
    bool doubts;
    size_t n_replaced; /* while it doubts */
    bool discarded;
};

/* partial_open - goes on where an earlier one ended. ERR_BUSY: another process is at it. */
enum err partial_open(struct partial *p, const char *path, const char *source, uint64_t n_bytes,
                      struct err_note *note);
/* Keeps what came for the next time. */
void partial_close(struct partial *p);

/* partial_next - where to go on reading: [*from, *to), the first bytes that are missing; false:
 * nothing is. */
bool partial_next(const struct partial *p, uint64_t *from, uint64_t *to);

/* partial_add - bytes that stand at `at` of the file, inside it; what is there already is passed
 * over. A missing chunk comes from its begin on, or from where partial_next says. *replaced: the
 * file doubts, and a chunk of it was wrong: what is left of these bytes was not looked at, and the
 * whole may be right now. */
enum err partial_add(struct partial *p, uint64_t at, const void *bytes, size_t n, bool *replaced,
                     struct err_note *note);
/* partial_save - writes the state; nothing after partial_discard. */
enum err partial_save(struct partial *p, struct err_note *note);
/* The source has other contents now: nothing that came counts. */
void partial_forget(struct partial *p);

/* partial_recheck - reads the file against the chunks' digests; how many chunks are missing. */
size_t partial_recheck(struct partial *p);
void partial_doubt(struct partial *p);

/* partial_finish - the file gets its name, the state goes. Then partial_close. */
enum err partial_finish(struct partial *p, struct err_note *note);
/* partial_discard - what came is of no use: nothing is left of it. Then partial_close. */
void partial_discard(struct partial *p);

/* What a state file says, read from its bytes. false: not what would be written. */
struct partial_state {
    struct str source, validator;
    uint64_t n_bytes, n_bytes_chunk;
    struct str lines; /* "INDEX HEX" each */
};
bool partial_state_read(struct str text, struct partial_state *out);
/* The next of its lines; false: no more, or one that is malformed (then *bad). */
bool partial_state_next(struct partial_state *s, uint64_t *index, uint8_t digest[SHA256_BYTES],
                        bool *bad);

#endif
