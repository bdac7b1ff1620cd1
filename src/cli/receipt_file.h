/* receipt_file.h - the receipts of a command's answers: signed with the node's key, each in two
 * files, FILE for everybody and FILE.bundle for who asked. All of them, or none. */
#ifndef CLI_RECEIPT_FILE_H
#define CLI_RECEIPT_FILE_H

#include "base/file.h"
#include "base/taken.h"
#include "cli/generate.h"
#include "format/identity.h"
#include "proof/key_file.h"
#include "proof/maker.h"
#include "proof/parameters.h"
#include "proof/receipt_vectors.h"
#include "text/chat_face.h"

struct receipt_pair {
    struct file_writer receipt, bundle;
    bool is_open;
};

struct receipt_file {
    const char *path;
    uint32_t n; /* answers; several have FILE.1, FILE.2, ... */
    struct signing signing;
    struct receipt_pair *pairs; /* [n] */
    struct maker *makers; /* [n] for answers_run, whose requests want records and pages */
    struct identity_job *identity;
    struct taken begun;
    uint64_t begun_ms;
    int64_t clock_s; /* for the chat template */
};

/* receipt_file_open - before anything is computed: the key (key_folder NULL: where node-key makes
 * it), and files that can be written. */
enum err receipt_file_open(struct receipt_file *f, const char *path, const char *key_folder,
                           uint32_t n, struct err_note *note);
/* receipt_file_begin - the answers begin now; the weights are hashed beside them where their hash
 * is not known. */
enum err receipt_file_begin(struct receipt_file *f, const struct loaded *l,
                            struct err_note *note);

/* What the answers were made from, beside what the makers saw. */
struct receipt_source {
    const struct loaded *loaded;
    const struct chat_template *template; /* NULL: the prompt was sent as it is */
    struct parameters parameters;         /* choice 0's, but for context and clock */
    bool seed_by_node;
    struct str request, prompt; /* as received; as rendered */
    const int32_t *prompt_ids;
    size_t n_prompt_ids;
};
/* receipt_file_write - the receipts of answers that have ended. */
enum err receipt_file_write(struct receipt_file *f, const struct receipt_source *source,
                            const struct answer *answers, struct err_note *note);
/* receipt_file_write_vectors - one receipt of vectors. r has all but what receipts have in common;
 * its leaves were made with f->makers[0].salt. */
enum err receipt_file_write_vectors(struct receipt_file *f, const struct loaded *l,
                                    const struct iso_embedder_info *info, struct str request,
                                    struct receipt_vectors *r, struct err_note *note);
void receipt_file_close(struct receipt_file *f); /* what was not written is not there */

#endif
