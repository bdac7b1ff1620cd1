/* test_keys.c - sets of keys: their file, finding one by its secret, reloading. */
#include "lib/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/keys.h"

#define DIGEST "\"sha256\": \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""

static struct key *add(struct keys *k, const char *name, char secret[KEY_SECRET_BYTES])
{
    struct key like = {.created_s = 1700000000};
    struct err_note note = {""};
    snprintf(like.name, sizeof like.name, "%s", name);
    struct key *new = keys_add(k, &like, secret, &note);
    assert_non_null(new);
    return new;
}

static void a_secret_finds_its_key(void **state)
{
    (void)state;
    struct keys k = {0};
    char secrets[20][KEY_SECRET_BYTES];
    for (int i = 0; i < 20; i++)
        add(&k, "k", secrets[i]);
    for (int i = 0; i < 20; i++) {
        assert_true(str_starts(str_from(secrets[i]), STR("sk-isobit-")));
        assert_int_equal(strlen(secrets[i]), 58);
        assert_ptr_equal(keys_find(&k, str_from(secrets[i])), k.items[i]);
        assert_true(k.items[i]->tenant != 0);
        secrets[i][57] ^= 1;
        assert_null(keys_find(&k, str_from(secrets[i])));
    }
    assert_null(keys_find(&k, STR("")));
    assert_null(keys_find(&(struct keys){0}, STR("x")));
    keys_release(&k);
}

static void the_file_holds_everything_but_the_secret(void **state)
{
    (void)state;
    struct keys k = {0}, again;
    struct err_note note = {""};
    char secret[KEY_SECRET_BYTES], other[KEY_SECRET_BYTES], path[] = "keys-XXXXXX";
    char a[] = "a", b[] = "model b", *models[] = {a, b};
    struct key like = {.name = "lap \"top\" \xc3\xa9",
                       .scopes = KEY_VERIFY | KEY_ADMIN,
                       .models = models,
                       .n_models = 2,
                       .requests = {60, 5},
                       .tokens = {1000, 0},
                       .created_s = 1700000000,
                       .expires_s = 1900000000};
    assert_non_null(keys_add(&k, &like, secret, &note));
    add(&k, "gone", other)->revoked = true;
    close(mkstemp(path));
    assert_ok(keys_write(path, &k, &note));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char *text;
    assert_ok(file_read(path, 1 << 20, &text, NULL, &note));
    assert_null(strstr(text, secret + strlen("sk-isobit-")));
    mem_free(text);
    assert_ok(keys_read(path, &again, &note));
    assert_int_equal(again.n_items, 1);
    const struct key *r = keys_find(&again, str_from(secret));
    assert_non_null(r);
    assert_string_equal(r->name, like.name);
    assert_string_equal(r->id, k.items[0]->id);
    assert_int_equal(r->scopes, like.scopes);
    assert_int_equal(r->requests.per_min, 60);
    assert_int_equal(r->requests.burst, 5);
    assert_int_equal(r->tokens.per_min, 1000);
    assert_true(r->expires_s == like.expires_s && r->created_s == like.created_s);
    assert_true(key_may_use(r, STR("a")) && key_may_use(r, STR("model b")));
    assert_false(key_may_use(r, STR("model")));
    keys_release(&again);
    chmod(path, 0640);
    assert_int_equal(keys_read(path, &again, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "chmod 600"));
    unlink(path);
    assert_int_equal(keys_read(path, &again, &note), ERR_NOT_FOUND);
    keys_release(&k);
}

/* One key with these fields beside a good digest. */
static enum err parse_one(const char *fields, struct err_note *note)
{
    char text[2000];
    struct keys k;
    snprintf(text, sizeof text, "{\"version\": 1, \"keys\": [{" DIGEST ", %s}]}", fields);
    enum err rc = keys_parse(str_from(text), "FILE", &k, note);
    assert_true(!rc || (k.n_items == 0 && !k.items));
    keys_release(&k);
    return rc;
}

static void what_is_wrong_in_the_file_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *words;
    } cases[] = {
        {"\"id\": \"key-12\", \"models\": [\"a\"], \"name\": \"x\"", NULL},
        {"\"id\": \"key-1g\"", "keys[0]: id must be"},
        {"\"id\": \"key-\"", "id must be"},
        {"\"id\": \"key-0123456789012345678901234567890\"", "id must be"},
        {"\"name\": \"x\"", "id must be"},
        {"\"id\": 5", "id must be a text"},
        {"\"id\": \"key-1\", \"name\": \"a\\nb\"", "name must be"},
        {"\"id\": \"key-1\", \"scopes\": [\"root\"]", "scopes[0] is none of verify, admin"},
        {"\"id\": \"key-1\", \"scopes\": \"admin\"", "scopes must be an array"},
        {"\"id\": \"key-1\", \"models\": []", "models must be 1 to 64 names"},
        {"\"id\": \"key-1\", \"models\": [\"\"]", "models[0] is no name"},
        {"\"id\": \"key-1\", \"models\": [\"a\\u0000b\"]", "models[0] is no name"},
        {"\"id\": \"key-1\", \"requests_per_minute\": -1", "from 0 to 100000000"},
        {"\"id\": \"key-1\", \"tokens_at_once\": 1e9", "from 0 to 100000000"},
        {"\"id\": \"key-1\", \"expires\": \"never\"", "expires must be a whole number"},
        {"\"id\": \"key-1\", \"expires\": -5", "seconds since 1970"},
        {"\"id\": \"key-1\", \"expire\": 1", "unknown: expire"},
        {"\"id\": \"key-1\", \"id\": \"key-2\"", "FILE, line 1: duplicate"},
    };
    struct err_note note;
    struct keys k;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        note.text[0] = 0;
        enum err rc = parse_one(cases[i].fields, &note);
        if (!cases[i].words ? rc != ERR_OK : !strstr(note.text, cases[i].words))
            fail_msg("%s: \"%s\"", cases[i].fields, note.text);
    }
    static const char *const whole[] = {"", "[]", "{}", "{\"version\": 2, \"keys\": []}",
                                        "{\"version\": 1, \"keys\": {}}",
                                        "{\"version\": 1, \"keys\": [5]}",
                                        "{\"version\": 1, \"keys\": []} x"};
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        assert_int_equal(keys_parse(str_from(whole[i]), "FILE", &k, &note), ERR_FORMAT);
    assert_int_equal(keys_parse(STR("{\"version\": 1, \"keys\": [{\"id\": \"key-1\", " DIGEST
                                    "}, {\"id\": \"key-1\", " DIGEST "}]}"),
                                "FILE", &k, &note),
                     ERR_FORMAT);
    assert_non_null(strstr(note.text, "two keys are called key-1"));
}

/* A key that is in the file before and after stays the same struct, with what it has used. */
static void a_reload_keeps_what_others_point_to(void **state)
{
    (void)state;
    struct keys k = {0}, fresh;
    struct err_note note = {""};
    char secrets[3][KEY_SECRET_BYTES], path[] = "keys-XXXXXX";
    for (int i = 0; i < 3; i++)
        add(&k, i ? "b" : "a", secrets[i]);
    struct key *first = k.items[0], *second = k.items[1];
    first->requests_used.full_ns = 99;
    first->requests.per_min = 7;
    close(mkstemp(path));
    assert_ok(keys_write(path, &k, &note));
    first->requests.per_min = 0; /* as before the file was edited */
    assert_ok(keys_read(path, &fresh, &note));
    fresh.items[1]->revoked = true; /* taken out of the file */
    char more[KEY_SECRET_BYTES];
    add(&fresh, "new", more);
    assert_ok(keys_write(path, &fresh, &note));
    keys_release(&fresh);
    assert_ok(keys_read(path, &fresh, &note));
    assert_ok(keys_update(&k, &fresh, &note));
    assert_ptr_equal(keys_find(&k, str_from(secrets[0])), first);
    assert_int_equal(first->requests.per_min, 7);
    assert_true(first->requests_used.full_ns == 99);
    assert_null(keys_find(&k, str_from(secrets[1])));
    assert_true(second->revoked);
    assert_string_equal(keys_find(&k, str_from(more))->name, "new");
    assert_ptr_equal(keys_find(&k, str_from(secrets[2])), k.items[2]);
    unlink(path);
    keys_release(&k);
}

static void people_name_a_key_by_id_or_name(void **state)
{
    (void)state;
    struct keys k = {0};
    struct err_note note = {""};
    char secret[KEY_SECRET_BYTES];
    struct key *one = add(&k, "one", secret);
    add(&k, "two", secret);
    struct key *third = add(&k, "two", secret);
    assert_ptr_equal(keys_named(&k, "one", &note), one);
    assert_ptr_equal(keys_named(&k, third->id, &note), third);
    assert_null(keys_named(&k, "two", &note));
    assert_non_null(strstr(note.text, "2 keys are called \"two\""));
    assert_null(keys_named(&k, "three", &note));
    assert_non_null(strstr(note.text, "no key has"));
    keys_release(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_finds_its_key),
        cmocka_unit_test(the_file_holds_everything_but_the_secret),
        cmocka_unit_test(what_is_wrong_in_the_file_is_named),
        cmocka_unit_test(a_reload_keeps_what_others_point_to),
        cmocka_unit_test(people_name_a_key_by_id_or_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
