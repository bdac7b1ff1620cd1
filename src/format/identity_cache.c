/* identity_cache.c - identities that were found before, and those that are found in the background.
 *
 * An entry is text: what the weights' files were, the hash of the weights, and a hash of the entry.
 * It is true only if every line of it is what would be written now; else it is as if it were not
 * there. A file that changed less than RACY_NS before it was hashed is not kept: a second change
 * within the clock's grain would go unseen. */
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "format/identity.h"

enum { ENTRY_BYTES_MAX = 8 << 20 };
#define RACY_NS INT64_C(2000000000)

/* ---- entries ---- */

/* What an entry says of the files before it says the hash; false: there are none, or they changed.
 */
static bool describe(const struct table *t, const uint8_t config[SHA256_BYTES], struct buf *b)
{
    const struct table_file *files;
    size_t n_files = table_files(t, &files);
    char hex[SHA256_HEX], real[PATH_MAX];
    hex_of(config, SHA256_BYTES, hex);
    buf_printf(b, "isobit-identity-1\n%s %zu\n", hex, n_files);
    for (size_t i = 0; i < n_files; i++) {
        struct file_stamp now;
        if (!realpath(files[i].path, real) || !file_stamp_get(real, &now) ||
            !file_stamp_equal(&now, &files[i].stamp))
            return false;
        buf_printf(b, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %s\n", now.device, now.inode,
                   now.n_bytes, now.mtime_ns, real);
    }
    return n_files > 0 && !b->failed;
}

/* The hash of the weights, and that of the entry so far. */
static void add_hashes(struct buf *b, const char weights[SHA256_HEX])
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    buf_printf(b, "%s\n", weights);
    sha256_of(b->bytes, b->n_bytes, digest);
    hex_of(digest, SHA256_BYTES, hex);
    buf_printf(b, "%s\n", hex);
}

static bool hex_read(const char *hex, uint8_t out[SHA256_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        const char *high = memchr(digits, hex[2 * i], 16),
                   *low = memchr(digits, hex[2 * i + 1], 16);
        if (!high || !low)
            return false;
        out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return true;
}

/* The entry's path, named by its first file; folders are made if `make`. */
static bool entry_path(const struct table *t, bool make, char path[PATH_MAX])
{
    const struct table_file *files;
    char real[PATH_MAX], hex[SHA256_HEX];
    uint8_t digest[SHA256_BYTES];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool is_xdg = cache && cache[0] == '/';
    if (table_files(t, &files) == 0 || !realpath(files[0].path, real))
        return false;
    if (!is_xdg && (!home || home[0] != '/'))
        return false;
    sha256_of(real, strlen(real), digest);
    hex_of(digest, SHA256_BYTES, hex);
    int n = snprintf(path, PATH_MAX, "%s%s/isobit/identity/%.32s", is_xdg ? cache : home,
                     is_xdg ? "" : "/.cache", hex);
    if (n < 0 || n >= PATH_MAX)
        return false;
    for (char *at = path + 1; make && (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        (void)mkdir(path, 0700);
        *at = '/';
    }
    return true;
}

bool identity_recall(const struct table *t, struct identity *out)
{
    char path[PATH_MAX], *text = NULL;
    size_t n_bytes = 0;
    struct buf want;
    buf_init(&want, ENTRY_BYTES_MAX);
    bool found = identity_config_of(t, out->config, NULL) == ERR_OK &&
                 describe(t, out->config, &want) && entry_path(t, false, path) &&
                 file_read(path, ENTRY_BYTES_MAX, &text, &n_bytes, NULL) == ERR_OK &&
                 n_bytes > want.n_bytes + SHA256_HEX && hex_read(text + want.n_bytes, out->weights);
    if (found) {
        char weights[SHA256_HEX];
        hex_of(out->weights, SHA256_BYTES, weights);
        add_hashes(&want, weights);
        found = !want.failed && want.n_bytes == n_bytes && !memcmp(want.bytes, text, n_bytes);
    }
    mem_free(text);
    buf_release(&want);
    return found;
}

static bool is_racy(const struct table *t)
{
    const struct table_file *files;
    size_t n_files = table_files(t, &files);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    for (size_t i = 0; i < n_files; i++)
        if (files[i].stamp.mtime_ns > now_ns - RACY_NS)
            return true;
    return false;
}

void identity_keep(const struct table *t, const struct identity *identity)
{
    char path[PATH_MAX], weights[SHA256_HEX];
    struct file_writer w;
    struct buf b;
    buf_init(&b, ENTRY_BYTES_MAX);
    hex_of(identity->weights, SHA256_BYTES, weights);
    if (!is_racy(t) && describe(t, identity->config, &b) && entry_path(t, true, path)) {
        add_hashes(&b, weights);
        if (!b.failed && file_writer_open(&w, path, NULL) == ERR_OK) {
            bool is_private = fchmod(w.fd, 0600) == 0;
            file_writer_add(&w, b.bytes, b.n_bytes);
            if (is_private)
                (void)file_writer_commit(&w, NULL);
            else
                file_writer_abort(&w);
        }
    }
    buf_release(&b);
}

enum err identity_find(const struct table *t, struct threads *threads,
                       void (*progress)(void *context, uint64_t done, uint64_t total),
                       void *context, struct identity *out, struct err_note *note)
{
    if (identity_recall(t, out))
        return ERR_OK;
    enum err rc = identity_of(t, threads, progress, context, out, note);
    if (!rc)
        identity_keep(t, out);
    return rc;
}

/* ---- in the background ---- */

struct identity_job {
    const struct table *table;
    pthread_t thread;
    bool has_thread; /* not joined yet */
    atomic_bool stop, done;
    enum err rc;
    struct identity identity;
    struct err_note note;
};

static void *job_main(void *argument)
{
    struct identity_job *job = argument;
    const struct sched_param none = {0};
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none); /* else at the usual priority */
    job->rc = identity_hash(job->table, NULL, &job->stop, NULL, NULL, &job->identity, &job->note);
    if (!job->rc)
        identity_keep(job->table, &job->identity);
    atomic_store(&job->done, true);
    return NULL;
}

enum err identity_begin(const struct table *t, struct identity_job **out, struct err_note *note)
{
    struct identity_job *job = mem_zalloc(sizeof *job);
    *out = NULL;
    if (!job)
        return err_set(note, ERR_MEMORY, "out of memory hashing the weights");
    job->table = t;
    if (!identity_recall(t, &job->identity)) {
        job->has_thread = pthread_create(&job->thread, NULL, job_main, job) == 0;
        if (!job->has_thread) {
            mem_free(job);
            return err_set(note, ERR_MEMORY, "cannot start the thread that hashes the weights");
        }
    }
    *out = job;
    return ERR_OK;
}

bool identity_known(const struct identity_job *job)
{
    return !job->has_thread || atomic_load(&job->done);
}

static void join(struct identity_job *job)
{
    if (job->has_thread)
        pthread_join(job->thread, NULL);
    job->has_thread = false;
}

enum err identity_wait(struct identity_job *job, struct identity *out, struct err_note *note)
{
    join(job);
    *out = job->identity;
    if (job->rc && note)
        *note = job->note;
    return job->rc;
}

void identity_end(struct identity_job *job)
{
    if (!job)
        return;
    atomic_store(&job->stop, true);
    join(job);
    mem_free(job);
}
