/* test_ledger.c - receipts come back with what proves them; a group is there whole or not at all,
 * wherever the program dies or the disk gives up; the log is never forked. */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "proof/bundle.h"
#include "store/ledger.h"

static char path[64];
static struct err_note note;
static const struct ledger_limits limits = {.n_bytes_max = 1 << 20, .age_s_max = 1000};
static struct sign_pair identity, keys[2];
static struct buf certificates[2];

static struct str text_of(const struct buf *b)
{
    return (struct str){b->bytes, b->n_bytes};
}

static void remove_file(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static struct ledger *open_with(const struct ledger_limits *l, int key)
{
    struct ledger *out;
    assert_ok(ledger_open(path, l, &out, &note));
    assert_ok(ledger_use_key(out, &keys[key], text_of(&certificates[key]), &note));
    return out;
}

static struct ledger *reopen(struct ledger *l)
{
    ledger_close(l);
    return open_with(&limits, 0);
}

static struct ledger *fresh(void)
{
    remove_file();
    return reopen(NULL);
}

/* ---- adding ------------------------------------------------------------------------------- */

enum { GROUP_MAX = 8 };

struct group {
    struct ledger_entry entries[GROUP_MAX], *pointers[GROUP_MAX];
    char bodies[GROUP_MAX][64], bundle[6000];
    size_t n;
};

/* Receipts first, first + 1, ...: their ids and bodies say so. */
static void group_make(struct group *g, int first, size_t n, size_t n_bundle)
{
    g->n = n;
    snprintf(g->bundle, sizeof g->bundle, "{\"prompt\":\"%0*d\"}", (int)n_bundle, 0);
    for (size_t i = 0; i < n; i++) {
        struct ledger_entry *e = &g->entries[i];
        *e = (struct ledger_entry){.bundle = str_from(g->bundle)};
        snprintf(e->id, sizeof e->id, "rcpt-%d", first + (int)i);
        snprintf(e->owner, sizeof e->owner, "key-%d", (first + (int)i) % 2);
        snprintf(g->bodies[i], sizeof g->bodies[i], "{\"n\":%d}", first + (int)i);
        e->body = str_from(g->bodies[i]);
        buf_init(&e->receipt, 1 << 16);
        g->pointers[i] = e;
    }
}

static void group_release(struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        buf_release(&g->entries[i].receipt);
}

static enum err add_group(struct ledger *l, int first, size_t n, uint64_t now_s)
{
    struct group g;
    group_make(&g, first, n, 30);
    enum err rc = ledger_add(l, g.pointers, g.n, now_s, &note);
    group_release(&g);
    return rc;
}

/* ---- what must hold ----------------------------------------------------------------------- */

/* The receipt is there, and proves itself with its bundle. Returns its epoch. */
static uint64_t assert_receipt(struct ledger *l, int n)
{
    struct buf receipt, bundle;
    struct signed_text signed_receipt;
    struct canon_doc doc;
    struct bundle b;
    struct log_head h;
    struct certificate c;
    char id[32], body[64];
    snprintf(id, sizeof id, "rcpt-%d", n);
    snprintf(body, sizeof body, "{\"n\":%d}", n);
    buf_init(&receipt, 1 << 16);
    buf_init(&bundle, 1 << 16);
    if (ledger_receipt(l, id, NULL, &receipt, &bundle, &note))
        fail_msg("%s: %s", id, note.text);
    assert_ok(signed_read(SIGN_RECEIPT, text_of(&receipt), &signed_receipt, &note));
    assert_true(str_is(signed_receipt.body->raw, body));
    assert_ok(canon_read(text_of(&bundle), &doc, &note));
    assert_ok(bundle_read(&doc, doc.nodes, &b, &note));
    assert_true(b.has[BUNDLE_LOG] && b.has[BUNDLE_CERTIFICATE] && b.has[BUNDLE_PROMPT]);
    assert_ok(log_head_read(b.log.head, &h, &note));
    assert_ok(certificate_read(b.certificate, &c, &note));
    assert_true(sign_key_equal(&c.key, &h.key));
    assert_true(sign_key_equal(&c.key, &signed_receipt.key));
    struct merkle_hash name;
    sign_digest(SIGN_RECEIPT, signed_receipt.body->raw, name.bytes);
    assert_true(log_includes(&h, &name, b.log.index, &b.log.proof));
    bundle_release(&b);
    canon_release(&doc);
    signed_release(&signed_receipt);
    buf_release(&receipt);
    buf_release(&bundle);
    return h.epoch;
}

struct seen_heads {
    struct log_head heads[128]; /* newest epoch first */
    size_t n;
};

static void see_head(void *context, struct str head)
{
    struct seen_heads *s = context;
    assert_true(s->n < COUNT_OF(s->heads));
    assert_ok(log_head_read(head, &s->heads[s->n++], &note));
}

static struct seen_heads heads_of(struct ledger *l)
{
    struct seen_heads s = {.n = 0};
    bool more;
    assert_ok(ledger_heads(l, 0, COUNT_OF(s.heads), &more, see_head, &s, &note));
    assert_false(more);
    return s;
}

static void add_name(void *context, const struct merkle_hash *name)
{
    struct merkle_hash leaf = log_leaf(name);
    merkle_add(context, &leaf);
}

/* Every epoch goes on from the one before, and its published names make its root. Returns how many
 * receipts the log has. */
static uint64_t assert_log(struct ledger *l)
{
    struct seen_heads s = heads_of(l);
    uint64_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        struct merkle tree = {0};
        n += s.heads[i].count;
        if (i + 1 < s.n) {
            assert_int_equal(s.heads[i].epoch, s.heads[i + 1].epoch + 1);
            assert_true(merkle_equal(&s.heads[i].previous, &s.heads[i + 1].name));
        }
        assert_ok(ledger_names(l, s.heads[i].epoch, 0, 1000, add_name, &tree, &note));
        struct merkle_hash root = merkle_root(&tree);
        assert_int_equal(tree.n_leaves, s.heads[i].count);
        assert_true(merkle_equal(&root, &s.heads[i].root));
    }
    return n;
}

/* What a head said is still so: nothing contradicts it, and it is a beginning of what is there. */
static void assert_kept(struct ledger *l, const struct log_head *told)
{
    struct seen_heads s = heads_of(l);
    bool found = false;
    for (size_t i = 0; i < s.n; i++) {
        struct merkle_proof p;
        assert_null(log_contradiction(told, &s.heads[i]));
        if (s.heads[i].epoch != told->epoch)
            continue;
        found = true;
        assert_ok(ledger_prove_prefix(l, told->epoch, told->count, s.heads[i].count, &p, &note));
        assert_true(log_extends(told, &s.heads[i], &p));
    }
    assert_true(found);
}

/* ---- tests -------------------------------------------------------------------------------- */

static void receipts_come_back_to_their_owners(void **state)
{
    (void)state;
    struct ledger *l = fresh();
    struct buf receipt, bundle;
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (int i = 0; i < 10; i++)
        assert_ok(add_group(l, 3 * i, 3, 100));
    for (int i = 0; i < 30; i++)
        assert_int_equal(assert_receipt(l, i), 1);
    assert_int_equal(assert_log(l), 30);
    buf_init(&receipt, 1 << 16);
    buf_init(&bundle, 1 << 16);
    assert_ok(ledger_receipt(l, "rcpt-1", "key-1", &receipt, &bundle, &note));
    assert_int_equal(ledger_receipt(l, "rcpt-1", "key-0", &receipt, &bundle, &note), ERR_NOT_FOUND);
    assert_int_equal(ledger_receipt(l, "rcpt-30", NULL, &receipt, &bundle, &note), ERR_NOT_FOUND);
    struct ledger *second;
    assert_int_equal(ledger_open(path, &limits, &second, &note), ERR_BUSY);
    buf_release(&receipt);
    buf_release(&bundle);
    ledger_close(l);
}

static void starts_and_keys_begin_epochs(void **state)
{
    (void)state;
    struct ledger *l = fresh();
    assert_ok(add_group(l, 0, 3, 100));
    struct log_head first = heads_of(l).heads[0];
    assert_ok(add_group(l, 3, 2, 101));
    l = reopen(l);
    assert_int_equal(heads_of(l).n, 1); /* nothing new yet to say */
    assert_ok(add_group(l, 5, 1, 102));
    assert_ok(ledger_use_key(l, &keys[0], text_of(&certificates[0]), &note));
    assert_ok(add_group(l, 6, 1, 103)); /* the same key goes on */
    assert_ok(ledger_use_key(l, &keys[1], text_of(&certificates[1]), &note));
    assert_ok(add_group(l, 7, 2, 104));
    static const int epochs[] = {1, 1, 1, 1, 1, 2, 2, 3, 3};
    for (int i = 0; i < 9; i++)
        assert_int_equal(assert_receipt(l, i), epochs[i]);
    assert_int_equal(assert_log(l), 9);
    assert_kept(l, &first);
    assert_true(sign_key_equal(&heads_of(l).heads[0].key, &keys[1].key));
    ledger_close(l);
}

static void the_log_answers_for_itself(void **state)
{
    (void)state;
    struct ledger *l = fresh();
    for (int i = 0; i < 9; i++)
        assert_ok(add_group(l, 8 * i, 7 + i % 2, 100));
    struct log_head h = heads_of(l).heads[0];
    struct merkle_hash name;
    struct merkle_proof p;
    uint64_t epoch, index;
    sign_digest(SIGN_RECEIPT, STR("{\"n\":17}"), name.bytes);
    assert_ok(ledger_find(l, &name, &epoch, &index, &note));
    assert_int_equal(epoch, 1);
    assert_ok(ledger_prove_leaf(l, 1, index, h.count, &p, &note));
    assert_true(log_includes(&h, &name, index, &p));
    name.bytes[0] ^= 1;
    assert_int_equal(ledger_find(l, &name, &epoch, &index, &note), ERR_NOT_FOUND);
    assert_int_equal(ledger_prove_leaf(l, 1, h.count, h.count, &p, &note), ERR_USAGE);
    assert_int_equal(ledger_prove_leaf(l, 1, 0, h.count + 1, &p, &note), ERR_USAGE);
    assert_int_equal(ledger_prove_leaf(l, 2, 0, 1, &p, &note), ERR_NOT_FOUND);
    assert_int_equal(ledger_prove_prefix(l, 1, 0, h.count, &p, &note), ERR_USAGE);
    assert_int_equal(ledger_prove_prefix(l, 1, 5, 4, &p, &note), ERR_USAGE);
    struct seen_heads s = {.n = 0};
    bool more;
    l = reopen(l);
    assert_ok(add_group(l, 100, 1, 100));
    assert_ok(ledger_heads(l, 0, 1, &more, see_head, &s, &note));
    assert_true(more && s.heads[0].epoch == 2);
    assert_ok(ledger_heads(l, 2, 1, &more, see_head, &s, &note));
    assert_true(!more && s.heads[1].epoch == 1);
    ledger_close(l);
}

static void what_is_old_or_too_much_is_forgotten(void **state)
{
    (void)state;
    struct buf receipt, bundle;
    bool more;
    buf_init(&receipt, 1 << 16);
    buf_init(&bundle, 1 << 16);
    ledger_close(fresh());
    const struct ledger_limits few = {.n_bytes_max = 3000, .age_s_max = 1000};
    struct ledger *l = open_with(&few, 0);
    for (int i = 0; i < 20; i++) /* a receipt takes some 300 bytes */
        assert_ok(add_group(l, i, 1, 100 + (uint64_t)i));
    assert_int_equal(ledger_receipt(l, "rcpt-3", NULL, &receipt, &bundle, &note), ERR_NOT_FOUND);
    assert_receipt(l, 19);
    assert_receipt(l, 14);
    assert_int_equal(assert_log(l), 20); /* the log forgets nothing */
    assert_ok(ledger_forget(l, 1119, &more, &note));
    assert_receipt(l, 19);
    assert_int_equal(ledger_receipt(l, "rcpt-18", NULL, &receipt, &bundle, &note), ERR_NOT_FOUND);
    assert_ok(ledger_forget(l, 1120, &more, &note));
    assert_int_equal(ledger_receipt(l, "rcpt-19", NULL, &receipt, &bundle, &note), ERR_NOT_FOUND);
    assert_false(more);
    assert_ok(add_group(l, 20, 1, 1121));
    assert_receipt(l, 20);
    buf_release(&receipt);
    buf_release(&bundle);
    ledger_close(l);
}

/* ---- faults ------------------------------------------------------------------------------- */

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int n_writes;     /* so far */
static int i_fault = -1; /* the write that goes wrong; -1: none does */
static bool fault_kills; /* the program dies in the middle of it; else the disk is full */
static int n_full;       /* writes that still find the disk full */

static ssize_t bad_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    if (n_writes++ == i_fault) {
        if (fault_kills) {
            (void)!real_pwrite(fd, bytes, n / 2, at);
            _exit(9);
        }
        n_full = 2;
        return real_pwrite(fd, bytes, n / 2, at); /* cut short; the rest finds no room */
    }
    if (n_full > 0) {
        n_full--;
        errno = ENOSPC;
        return -1;
    }
    return real_pwrite(fd, bytes, n, at);
}

static void hook_writes(bool on)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    static const char *const names[] = {"pwrite", "pwrite64"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        sqlite3_syscall_ptr old = vfs->xGetSystemCall(vfs, names[i]);
        if (old && !real_pwrite)
            real_pwrite = (ssize_t(*)(int, const void *, size_t, off_t))old;
        if (old)
            assert_int_equal(
                vfs->xSetSystemCall(vfs, names[i], on ? (sqlite3_syscall_ptr)bad_pwrite : NULL),
                SQLITE_OK);
    }
    n_writes = 0;
    n_full = 0;
}

/* A group that was promised to somebody, and the head that it was promised with. */
struct promise {
    int first, n;
    struct log_head head;
};

static void keep_head(void *context, struct str head)
{
    if (log_head_read(head, context, NULL))
        _exit(4);
}

/* A ledger's life: starts, another key, groups of all sizes; promises go down the pipe. What fails
 * is not promised. Returns how many receipts it tried to give. */
static int live(int out)
{
    struct ledger *l;
    bool more;
    int n = 0;
    for (int start = 0; start < 3; start++) {
        if (ledger_open(path, &limits, &l, &note))
            continue;
        if (ledger_use_key(l, &keys[start % 2], text_of(&certificates[start % 2]), &note))
            _exit(5);
        for (int k = 0; k < 4; k++) {
            struct promise p = {.first = n, .n = 1 + (k * 3 + start) % GROUP_MAX};
            struct group g;
            n += p.n;
            group_make(&g, p.first, (size_t)p.n, k == 2 ? 5000 / (size_t)p.n : 30);
            if (!ledger_add(l, g.pointers, g.n, 100, &note)) {
                if (ledger_heads(l, 0, 1, &more, keep_head, &p.head, &note) ||
                    write(out, &p, sizeof p) != sizeof p)
                    _exit(6);
            } else if (!note.text[0]) {
                _exit(7);
            }
            group_release(&g);
        }
        ledger_close(l);
    }
    return n;
}

/* After the trouble: every promise is kept, in one log. Returns how many receipts were promised. */
static int assert_promises(int in)
{
    struct promise p;
    int n = 0;
    struct ledger *l = reopen(NULL);
    while (read(in, &p, sizeof p) == sizeof p) {
        assert_receipt(l, p.first); /* a group is whole: its head proves it below */
        assert_receipt(l, p.first + p.n - 1);
        assert_kept(l, &p.head);
        n += p.n;
    }
    uint64_t n_log = assert_log(l);
    assert_true(n_log >= (uint64_t)n);
    if (n_log > (uint64_t)n) /* one group was on the disk, but nobody had been told */
        assert_true(n_log <= (uint64_t)n + GROUP_MAX);
    assert_ok(add_group(l, 1000, 2, 100)); /* and it goes on */
    assert_receipt(l, 1001);
    assert_int_equal(assert_log(l), n_log + 2);
    ledger_close(l);
    return n;
}

static void dying_in_any_write_breaks_no_promise(void **state)
{
    (void)state;
    int status = 0, n_deaths = 0, n_last = -1;
    fault_kills = true;
    for (int k = 0; n_last < 0; k++) {
        int fds[2];
        remove_file();
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            hook_writes(true);
            i_fault = k;
            live(fds[1]);
            _exit(0);
        }
        close(fds[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0));
        int n = assert_promises(fds[0]);
        if (WEXITSTATUS(status) == 0)
            n_last = n;
        else
            n_deaths++;
        close(fds[0]);
    }
    assert_true(n_deaths > 100);
    assert_int_equal(n_last, 46); /* all that were tried */
}

static void a_full_disk_breaks_no_promise(void **state)
{
    (void)state;
    int n_failed = 0;
    fault_kills = false;
    for (int k = 0;; k++) {
        int fds[2];
        remove_file();
        assert_int_equal(pipe(fds), 0);
        hook_writes(true);
        i_fault = k;
        int n_tried = live(fds[1]);
        bool reached = n_writes > k;
        i_fault = -1;
        hook_writes(false);
        close(fds[1]);
        n_failed += assert_promises(fds[0]) < n_tried;
        close(fds[0]);
        if (!reached)
            break;
    }
    assert_true(n_failed > 100);
}

/* kill -9 at any moment, not only in a write. */
static void being_killed_breaks_no_promise(void **state)
{
    (void)state;
    for (int k = 0; k < 20; k++) {
        int fds[2], status;
        struct promise p;
        struct ledger *l;
        struct log_head heads[4];
        size_t n_heads = 0;
        int n = 0;
        remove_file();
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            l = open_with(&limits, 0);
            for (p.first = 0, p.n = 3;; p.first += 3) {
                bool more;
                if (add_group(l, p.first, 3, 100) ||
                    ledger_heads(l, 0, 1, &more, keep_head, &p.head, &note) ||
                    write(fds[1], &p, sizeof p) != sizeof p)
                    _exit(8);
            }
        }
        close(fds[1]);
        for (int i = 0; i <= k && read(fds[0], &p, sizeof p) == sizeof p; i++)
            n = p.first + p.n;
        heads[n_heads++] = p.head;
        usleep((useconds_t)(137 * k));
        kill(child, SIGKILL);
        while (read(fds[0], &p, sizeof p) == sizeof p) {
            n = p.first + p.n;
            heads[1] = p.head;
            n_heads = 2;
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        l = reopen(NULL);
        for (int i = 0; i < n; i += 2)
            assert_receipt(l, i);
        for (size_t i = 0; i < n_heads; i++)
            assert_kept(l, &heads[i]);
        assert_log(l);
        close(fds[0]);
        ledger_close(l);
    }
}

static int begin(void **state)
{
    (void)state;
    /* In memory where that can be: there are thousands of syncs. */
    snprintf(path, sizeof path, "/dev/shm/isobit-ledger-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) {
        snprintf(path, sizeof path, "/tmp/isobit-ledger-XXXXXX");
        fd = mkstemp(path);
    }
    assert_true(fd >= 0);
    close(fd);
    sign_pair_make(&identity);
    for (uint64_t i = 0; i < 2; i++) {
        sign_pair_make(&keys[i]);
        const struct certificate c = {identity.key, keys[i].key, i + 1, 0, 1000};
        buf_init(&certificates[i], 4096);
        certificate_write(&c, &identity, &certificates[i]);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    remove_file();
    buf_release(&certificates[0]);
    buf_release(&certificates[1]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receipts_come_back_to_their_owners),
        cmocka_unit_test(starts_and_keys_begin_epochs),
        cmocka_unit_test(the_log_answers_for_itself),
        cmocka_unit_test(what_is_old_or_too_much_is_forgotten),
        cmocka_unit_test(dying_in_any_write_breaks_no_promise),
        cmocka_unit_test(a_full_disk_breaks_no_promise),
        cmocka_unit_test(being_killed_breaks_no_promise),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
