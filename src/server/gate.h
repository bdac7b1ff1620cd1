/* gate.h - whose request it is, and whether they may make it now.
 *
 * Where the server has keys, every request but those of open endpoints needs one. What is asked for
 * through something else than HTTP (a socket, a batch) goes through gate_key and gate_take too.
 * Thread: the front's. */
#ifndef SERVER_GATE_H
#define SERVER_GATE_H

#include "api/fields.h"
#include "server/keys.h"

struct front;
struct http_exchange;
struct visit;

/* gate_open - reads the key file, if there is to be one. gate_reload: on error the old keys stay */
enum err gate_open(struct front *f, struct err_note *note);
enum err gate_reload(struct front *f, struct err_note *note);
void gate_close(struct front *f);

/* gate_admits - finds visit->key (NULL: there are no keys and it comes from this machine),
 * counts a POST, adds headers that tell how much is left. false: e, 401, 403 or 429. */
bool gate_admits(struct front *f, struct http_exchange *x, struct visit *v, struct api_error *e);
/* gate_key - the valid key of this secret; NULL: e says 401. */
struct key *gate_key(struct front *f, struct str secret, struct api_error *e);
/* gate_anybody - who asks when there are no keys. */
struct key *gate_anybody(struct front *f);
/* gate_take - counts one request. false: 429 with the time to wait, or 401: the key was revoked or
 * has expired since gate_key. k NULL: always true. */
bool gate_take(struct key *k, uint64_t now_ns, struct api_error *e);
/* gate_used - so many more tokens were asked or generated. k may be NULL. */
void gate_used(struct key *k, uint32_t n_tokens, uint64_t now_ns);

#endif
