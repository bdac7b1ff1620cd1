/* key_file.h - secret keys in files that their owner alone may read.
 *
 * {"kind":"identity key","seed":"HEX"} and {"certificate":{...},"kind":"signing key","seed":"HEX"},
 * canonical JSON and a line feed. */
#ifndef PROOF_KEY_FILE_H
#define PROOF_KEY_FILE_H

#include "proof/certificate.h"

/* Reading: ERR_NOT_FOUND, ERR_FORMAT; ERR_USAGE: others than the owner may read or write it; pair
 * is wiped then. Writing: whole or not at all, mode 0600. */
enum err identity_read(const char *path, struct sign_pair *pair, struct err_note *note);
enum err identity_write(const char *path, const struct sign_pair *pair, struct err_note *note);
/* The certificate (a signed text that certificate_read takes) is checked to be of this key. */
enum err signing_read(const char *path, struct sign_pair *pair, struct certificate *certificate,
                      struct err_note *note);
enum err signing_write(const char *path, const struct sign_pair *pair, struct str certificate,
                       struct err_note *note);

#endif
