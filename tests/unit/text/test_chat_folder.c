/* test_chat_folder.c - chat templates wherever a Hugging Face folder keeps them. */
#include "lib/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "text/chat_folder.h"

struct folder {
    char path[64];
};

static void put(const struct folder *f, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_folder(void **state)
{
    static struct folder f;
    snprintf(f.path, sizeof f.path, "/tmp/isobit-test-XXXXXX");
    *state = &f;
    return mkdtemp(f.path) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"additional_chat_templates/tool_use.jinja",
                                        "additional_chat_templates/notes.txt",
                                        "additional_chat_templates",
                                        "chat_template.jinja",
                                        "tokenizer_config.json",
                                        ""};
    const struct folder *f = *state;
    char path[200];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, names[i]);
        remove(path);
    }
    return 0;
}

static void assert_choice(const struct chat_folder *c, size_t i, const char *name,
                          const char *source)
{
    assert_true(i < c->n_choices);
    assert_true(str_is(c->choices[i].name, name));
    assert_true(str_is(c->choices[i].source, source));
}

static void files_come_before_the_config(void **state)
{
    const struct folder *f = *state;
    struct chat_folder c;
    char path[200];
    put(f, "tokenizer_config.json", "{\"chat_template\": \"old\", \"n\": 1000000000000000000000}");
    assert_ok(chat_folder_read(&c, f->path, NULL));
    assert_int_equal(c.n_choices, 1);
    assert_choice(&c, 0, "default", "old");
    chat_folder_release(&c);

    put(f, "chat_template.jinja", "new");
    snprintf(path, sizeof path, "%s/additional_chat_templates", f->path);
    mkdir(path, 0755);
    put(f, "additional_chat_templates/tool_use.jinja", "tools");
    put(f, "additional_chat_templates/notes.txt", "no template");
    assert_ok(chat_folder_read(&c, f->path, NULL));
    assert_int_equal(c.n_choices, 2);
    assert_choice(&c, 0, "default", "new");
    assert_choice(&c, 1, "tool_use", "tools");
    chat_folder_release(&c);
}

static void the_config_may_hold_a_list_or_nothing(void **state)
{
    const struct folder *f = *state;
    struct chat_folder c;
    assert_ok(chat_folder_read(&c, f->path, NULL));
    assert_int_equal(c.n_choices, 0);
    put(f, "tokenizer_config.json", "{\"chat_template\": null}");
    assert_ok(chat_folder_read(&c, f->path, NULL));
    assert_int_equal(c.n_choices, 0);
    put(f, "tokenizer_config.json",
        "{\"chat_template\": [{\"name\": \"default\", \"template\": \"a\"},"
        "{\"name\": \"rag\", \"template\": \"b\"}]}");
    assert_ok(chat_folder_read(&c, f->path, NULL));
    assert_int_equal(c.n_choices, 2);
    assert_choice(&c, 1, "rag", "b");
    chat_folder_release(&c);
}

static void wrong_configs_are_named(void **state)
{
    static const char *const texts[] = {"{\"chat_template\": 3}", "{", "{\"chat_template\": [1]}",
                                        "{\"chat_template\": [{\"name\": \"x\"}]}"};
    const struct folder *f = *state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct chat_folder c;
        struct err_note note = {""};
        put(f, "tokenizer_config.json", texts[i]);
        assert_int_equal(chat_folder_read(&c, f->path, &note), ERR_FORMAT);
        assert_non_null(strstr(note.text, "tokenizer_config.json"));
        assert_int_equal(c.n_choices, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_come_before_the_config, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_config_may_hold_a_list_or_nothing, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(wrong_configs_are_named, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
