/* test_tokenizer_hf.c - tokenizer.json: refusals in one line, folders, long texts. */
#include "lib/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "text/tokenizer.h"

#define MODEL                                                                                      \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void refused(const char *json, const char *config, const char *sentence)
{
    struct tokenizer *t;
    struct err_note note = {""};
    enum err rc = tokenizer_from_json(str_from(json), str_from(config), &t, &note);
    assert_int_not_equal(rc, ERR_OK);
    assert_null(t);
    assert_string_equal(note.text, sentence);
}

static void refuses_in_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *json, *sentence;
    } cases[] = {
        {"", "tokenizer.json, line 1: '[' or '{' expected near end of file"},
        {"[]", "tokenizer.json is not a JSON object"},
        {"{\"a\":1,\"a\":2}", "tokenizer.json, line 1: duplicate object key near '\"a\"'"},
        {"{}", "tokenizer.json: there is no model"},
        {"{\"model\":{\"type\":\"WordLevel\"}}",
         "tokenizer.json: model \"WordLevel\" is not supported"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}",
         "tokenizer.json: a vocabulary of 0 tokens; 1 to 4194304 are supported"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}",
         "tokenizer.json: merges of BPE is missing"},
        {"{\"model\":{\"type\":\"BPE\",\"merges\":[]}}",
         "tokenizer.json: vocab of the model is missing or of the wrong type"},
        {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
         "tokenizer.json: id 0 is both \"a\" and \"b\""},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a x\"]}}",
         "tokenizer.json: merge 0 needs \"x\", not in the vocabulary"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}",
         "tokenizer.json: merge 0 is not two tokens"},
        {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}",
         "tokenizer.json: token \"a\" has an id outside 0..4194303"},
        {"{\"model\":{\"vocab\":{\"a\":4000000},\"merges\":[]}}",
         "tokenizer.json: 1 tokens, but an id of 4000000"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"unk_token\":\"u\"}}",
         "tokenizer.json: unk_token \"u\" is not in the vocabulary"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}",
         "tokenizer.json: BPE with dropout gives random tokens"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\"]]}}",
         "tokenizer.json: token 0 is not [text, score]"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":7,\"vocab\":[[\"a\",0]]}}",
         "tokenizer.json: unk_id 7 is outside the vocabulary"},
        {"{" MODEL ",\"added_tokens\":[{\"id\":0,\"content\":\"x\"}]}",
         "tokenizer.json: id 0 is both \"a\" and \"x\""},
        {"{" MODEL ",\"added_tokens\":[{\"id\":5,\"content\":\"ab\"}]}",
         "tokenizer.json: tokens 2 and 5 are both \"ab\""},
        {"{" MODEL ",\"added_tokens\":[{\"id\":3,\"content\":\"x\",\"special\":1}]}",
         "tokenizer.json: special of an added token is not true or false"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Magic\"}}",
         "tokenizer.json: normalizer \"Magic\" is not supported"},
        {"{" MODEL
         ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"U\"}]}}",
         "tokenizer.json: pre-tokenizer \"U\" is not supported"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"}}}",
         "tokenizer.json: regular expression \"(\" does not compile at byte 1: missing closing "
         "parenthesis"},
        {"{" MODEL
         ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":\"a\",\"behavior\":\"Eat\"}}",
         "tokenizer.json: split behavior \"Eat\" is not supported"},
        {"{" MODEL ",\"decoder\":{\"type\":\"CTC\"}}",
         "tokenizer.json: decoder \"CTC\" is not supported"},
        {"{" MODEL ",\"decoder\":{\"type\":\"Strip\",\"content\":\"x\",\"start\":1}}",
         "tokenizer.json: a Strip decoder that does not strip spaces from the start of fused "
         "text"},
        {"{" MODEL ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"x\",9]}}",
         "tokenizer.json: the post-processor adds token 9 of 3 tokens"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A?\"}}",
         "tokenizer.json: base64 text with the byte 0x3f at 1"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}}",
         "tokenizer.json: a precompiled character map of 3 bytes"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refused(cases[i].json, "", cases[i].sentence);
    refused("{" MODEL "}", "{\"eos_token\":\"x\"}",
            "eos_token \"x\" of tokenizer_config.json is not in the vocabulary");
    refused("{" MODEL "}", "{\"bos_token\":3}",
            "bos_token of tokenizer_config.json is not a token");
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void reads_a_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json",
                                        "generation_config.json", "config.json"};
    char folder[] = "/tmp/isobit-test-XXXXXX", path[300];
    struct tokenizer *t;
    struct err_note note = {""};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(tokenizer_from_folder(folder, &t, &note), ERR_NOT_FOUND);
    assert_non_null(strstr(note.text, "no tokenizer.json"));
    write_text(folder, names[0], "{" MODEL "}");
    write_text(folder, names[1], "{\"bos_token\":\"a\",\"eos_token\":{\"content\":\"b\"}}");
    write_text(folder, names[2], "{\"eos_token_id\":[1,2]}");
    write_text(folder, names[3], "{\"eos_token_id\":1}");
    assert_ok(tokenizer_from_folder(folder, &t, &note));
    assert_int_equal(tokenizer_bos(t), 0);
    assert_int_equal(tokenizer_eos(t), 1);
    assert_true(tokenizer_is_eog(t, 1));
    assert_true(tokenizer_is_eog(t, 2));
    assert_false(tokenizer_is_eog(t, 0));
    tokenizer_free(t);
    write_text(folder, names[3], "{\"eos_token_id\":9}");
    assert_int_equal(tokenizer_from_folder(folder, &t, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "eos_token_id of config.json is no token"));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* A megabyte that merges into one run of tokens: the heap keeps it from taking quadratic time. */
static void merges_long_texts(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    struct tokenizer *t;
    struct token_list ids = {.n_ids_max = N};
    struct err_note note = {""};
    char *text = malloc(N);
    assert_ok(tokenizer_from_json(STR("{" MODEL "}"), (struct str){"", 0}, &t, &note));
    for (int i = 0; i < N; i++)
        text[i] = i % 2 ? 'b' : 'a';
    assert_ok(tokenizer_encode(t, (struct str){text, N}, 0, &ids, &note));
    assert_int_equal(ids.n_ids, N / 2);
    for (size_t i = 0; i < ids.n_ids; i++)
        assert_true(ids.ids[i] == 2);
    token_list_release(&ids);
    tokenizer_free(t);
    free(text);
}

/* Every allocation that fails is an error with its line, or made no difference. */
static void survives_failed_allocations(void **state)
{
    (void)state;
    enum { N_ALLOCATIONS_MAX = 300 };
    static const char json[] =
        "{" MODEL ",\"normalizer\":{\"type\":\"NFC\"},"
        "\"added_tokens\":[{\"id\":3,\"content\":\"<x>\"}],"
        "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[^\\\\S]|b+\"}},"
        "\"decoder\":{\"type\":\"ByteLevel\"}}";
    static const char text[] = "ab \xc3\xa9\xff<x>";
    int n_failed = 0;
    for (uint64_t n = 1; n <= N_ALLOCATIONS_MAX; n++) {
        struct tokenizer *t = NULL;
        struct err_note note = {""};
        struct token_list ids = {.n_ids_max = 100};
        mem_fault_after(n);
        enum err rc = tokenizer_from_json(str_from(json), (struct str){"", 0}, &t, &note);
        if (rc == ERR_OK)
            rc = tokenizer_encode(t, str_from(text), 0, &ids, &note);
        mem_fault_after(0);
        n_failed += rc != ERR_OK;
        if (rc != ERR_OK)
            assert_true(note.text[0] && ids.n_ids == 0);
        else
            assert_true(ids.n_ids == 3 && ids.ids[0] == 0 && ids.ids[1] == 1 && ids.ids[2] == 3);
        assert_true(rc == ERR_OK || n < N_ALLOCATIONS_MAX);
        token_list_release(&ids);
        tokenizer_free(t);
    }
    assert_true(n_failed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_in_one_line),
        cmocka_unit_test(reads_a_folder),
        cmocka_unit_test(merges_long_texts),
        cmocka_unit_test(survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
