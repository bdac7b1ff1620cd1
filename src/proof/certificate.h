/* certificate.h - which signing key speaks for an identity, for what, from when to when; and that
 * it does so no longer.
 *
 * An identity key may stay offline: it signs nothing but certificates and revocations. Serials
 * count an identity's certificates from 1. Seconds since 1970, UTC. */
#ifndef PROOF_CERTIFICATE_H
#define PROOF_CERTIFICATE_H

#include "proof/sign.h"

#define CERTIFICATE_PURPOSE "receipts" /* receipts, and the heads of their log */

struct certificate {
    struct sign_key identity, key;
    uint64_t serial, not_before_s, not_after_s; /* the first second in, the first second out */
};

/* certificate_write - the signed text, added to out. */
void certificate_write(const struct certificate *c, const struct sign_pair *identity,
                       struct buf *out);
/* certificate_read - ERR_FORMAT: malformed, or of another purpose. The identity is who signed it:
 * whether that one counts is for the caller to say, the time for certificate_covers. */
enum err certificate_read(struct str text, struct certificate *out, struct err_note *note);
bool certificate_covers(const struct certificate *c, uint64_t time_s);

/* A certificate that counts no longer. When that was is for the heads of a log to say that somebody
 * else has seen; time_s is only what the identity says. */
struct revocation {
    struct sign_key identity;
    uint64_t serial, time_s;
};
void revocation_write(const struct revocation *r, const struct sign_pair *identity,
                      struct buf *out);
enum err revocation_read(struct str text, struct revocation *out, struct err_note *note);
bool revocation_hits(const struct revocation *r, const struct certificate *c);

#endif
