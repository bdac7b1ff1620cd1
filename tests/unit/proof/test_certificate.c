/* test_certificate.c - certificates, revocations, and the private files of keys. */
#include "lib/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "proof/key_file.h"

static struct sign_pair identity, signing, stranger;

static int make_keys(void **state)
{
    (void)state;
    sign_pair_make(&identity);
    sign_pair_make(&signing);
    sign_pair_make(&stranger);
    return 0;
}

static struct str text_of(const struct buf *b)
{
    return (struct str){b->bytes, b->n_bytes};
}

static struct certificate certify(struct buf *out)
{
    struct certificate c = {identity.key, signing.key, 7, 1000, 2000};
    buf_init(out, 4096);
    certificate_write(&c, &identity, out);
    assert_false(out->failed);
    return c;
}

static void a_certificate_comes_back(void **state)
{
    (void)state;
    struct certificate got;
    struct buf out;
    struct certificate c = certify(&out);
    assert_ok(certificate_read(text_of(&out), &got, NULL));
    assert_memory_equal(&got, &c, sizeof c);
    assert_false(certificate_covers(&got, 999));
    assert_true(certificate_covers(&got, 1000));
    assert_true(certificate_covers(&got, 1999));
    assert_false(certificate_covers(&got, 2000));
    buf_release(&out);
}

static void malformed_ones_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *note;
    } cases[] = {
        {"\"serial\":7", "\"serial\":0", "no serial"},
        {"\"not_after\":2000", "\"not_after\":1000", "no time"},
        {"\"purpose\":\"receipts\"", "\"purpose\":\"else\"", "not for receipts"},
        {"\"serial\":7", "\"serial\":\"7\"", "whole number"},
        {",\"serial\":7", "", "lacks \"serial\""},
        {"\"serial\":7", "\"serial\":7,\"signs\":1", "does not know"},
        {"\"key\":\"", "\"key\":\"0", "full order"},
    };
    struct buf out;
    certify(&out);
    char *from = out.bytes + strlen("{\"body\":"), *end = strstr(out.bytes, "},\"key\"") + 1;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[1024], *at;
        struct err_note note = {""};
        struct certificate c;
        struct buf again;
        *end = 0;
        at = strstr(from, cases[i].from);
        assert_non_null(at);
        snprintf(body, sizeof body, "%.*s%s%s", (int)(at - from), from, cases[i].to,
                 at + strlen(cases[i].from));
        buf_init(&again, 4096);
        sign_write(SIGN_CERTIFICATE, str_from(body), &identity, &again);
        assert_int_equal(certificate_read(text_of(&again), &c, &note), ERR_FORMAT);
        if (!strstr(note.text, cases[i].note))
            fail_msg("%s: %s", body, note.text);
        buf_release(&again);
    }
    buf_release(&out);
}

static void a_revocation_hits_its_certificate(void **state)
{
    (void)state;
    struct revocation r = {identity.key, 7, 1500}, got;
    struct certificate c;
    struct buf out;
    struct certificate of = certify(&out);
    assert_int_equal(revocation_read(text_of(&out), &got, NULL), ERR_FORMAT);
    buf_clear(&out);
    revocation_write(&r, &identity, &out);
    assert_ok(revocation_read(text_of(&out), &got, NULL));
    assert_memory_equal(&got, &r, sizeof r);
    assert_true(revocation_hits(&got, &of));
    assert_int_equal(certificate_read(text_of(&out), &c, NULL), ERR_FORMAT);
    of.serial = 8;
    assert_false(revocation_hits(&got, &of));
    of.serial = 7;
    of.identity = stranger.key; /* nobody revokes what another signed */
    assert_false(revocation_hits(&got, &of));
    buf_release(&out);
}

static void keys_come_back_from_private_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/isobit-keys-XXXXXX", path[64];
    struct err_note note = {""};
    struct sign_pair pair;
    struct certificate c;
    struct stat st;
    struct buf out;
    struct certificate of = certify(&out);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    assert_int_equal(identity_read(path, &pair, &note), ERR_NOT_FOUND);
    assert_ok(identity_write(path, &identity, &note));
    assert_ok(identity_read(path, &pair, &note));
    assert_memory_equal(&pair, &identity, sizeof pair);
    assert_int_equal(signing_read(path, &pair, &c, &note), ERR_FORMAT);
    assert_ok(signing_write(path, &signing, text_of(&out), &note));
    assert_ok(signing_read(path, &pair, &c, &note));
    assert_memory_equal(&pair, &signing, sizeof pair);
    assert_memory_equal(&c, &of, sizeof c);
    assert_int_equal(identity_read(path, &pair, &note), ERR_FORMAT);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_ok(signing_write(path, &stranger, text_of(&out), &note));
    assert_int_equal(signing_read(path, &pair, &c, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "of another key"));
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(signing_read(path, &pair, &c, &note), ERR_USAGE);
    unlink(path);
    rmdir(folder);
    buf_release(&out);
}

/* The folder of isobit node-key: what is missing, over, or another's is told. */
static void a_folder_says_who_signs(void **state)
{
    (void)state;
    char folder[] = "/tmp/isobit-keys-XXXXXX", key[64], text[64];
    struct err_note note = {""};
    struct signing s;
    struct file_writer w;
    struct buf out;
    struct certificate of = certify(&out);
    assert_non_null(mkdtemp(folder));
    snprintf(key, sizeof key, "%s/signing.key", folder);
    snprintf(text, sizeof text, "%s/certificate-%d.json", folder, (int)of.serial);
    assert_int_equal(signing_open(folder, of.not_before_s, &s, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "isobit node-key create"));
    assert_ok(signing_write(key, &signing, text_of(&out), &note));
    assert_int_equal(signing_open(folder, of.not_before_s, &s, &note), ERR_NOT_FOUND);
    assert_ok(file_writer_open(&w, text, &note));
    file_writer_add(&w, out.bytes, out.n_bytes);
    assert_ok(file_writer_commit(&w, &note));
    assert_ok(signing_open(folder, of.not_before_s, &s, &note));
    assert_memory_equal(&s.pair, &signing, sizeof signing);
    assert_true(str_is(text_of(&out), s.text));
    signing_release(&s);
    assert_null(s.text);
    assert_int_equal(signing_open(folder, of.not_after_s, &s, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "isobit node-key rotate"));
    unlink(key);
    unlink(text);
    rmdir(folder);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_comes_back),
        cmocka_unit_test(malformed_ones_are_refused),
        cmocka_unit_test(a_revocation_hits_its_certificate),
        cmocka_unit_test(keys_come_back_from_private_files),
        cmocka_unit_test(a_folder_says_who_signs),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
