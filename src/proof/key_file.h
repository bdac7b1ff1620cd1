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

/* Who signs receipts: a signing key with its certificate, from the folder of isobit node-key. */
struct signing {
    struct sign_pair pair;
    struct certificate certificate;
    char *text; /* the certificate as it was signed */
};
/* signing_open - FOLDER/signing.key, valid at now_s. ERR_USAGE says what to do where there is none,
 * or where it is valid no longer; else as signing_read. */
enum err signing_open(const char *folder, uint64_t now_s, struct signing *s,
                      struct err_note *note);
void signing_release(struct signing *s); /* wipes the secret */

#endif
