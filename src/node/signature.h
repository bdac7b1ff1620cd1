/* signature.h - ECDSA over secp256k1 as the chain's API node signs its requests with. */
#ifndef NODE_SIGNATURE_H
#define NODE_SIGNATURE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct signer; /* a public key */

/* base64 of the point's raw 64 bytes, x then y. ERR_FORMAT: it is none. */
enum err signer_new(const char *base64, struct signer **out, struct err_note *note);
void signer_free(struct signer *s); /* NULL is nothing */

/* signer_verifies - base64 is 64 raw bytes, r then s, over SHA-256 of the message. */
bool signer_verifies(const struct signer *s, struct str message, struct str base64);
/* signer_admits - X-Signature of a request: the message is SHA-256 of the body. */
bool signer_admits(const struct signer *s, struct str body, struct str base64);

#endif
