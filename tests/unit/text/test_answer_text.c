/* test_answer_text.c - where what an answer says ends it, for who makes it and who computes it
 * anew. */
#include <jansson.h>

#include "lib/test.h"

#include "format/table.h"
#include "text/answer_text.h"

/* A vocabulary of bytes and this one, which is special. */
enum { END = 256, IDS_MAX = 200 };

static struct table table;
static struct tokenizer *bytes;

static int open_tokenizer(void **state)
{
    (void)state;
    struct err_note note;
    assert_ok(table_open(TEST_DIR "/golden/engine/talker.gguf", &table, &note));
    assert_ok(tokenizer_from_table(&table, &bytes, &note));
    return 0;
}

static int close_tokenizer(void **state)
{
    (void)state;
    tokenizer_free(bytes);
    table_close(&table);
    return 0;
}

struct wanted {
    const char *const *stops;
    const char *text;  /* the answer's tokens; '@' is END */
    const char *says;  /* the text of its parts; calls as "C" */
    size_t n;          /* tokens up to its end */
    bool over;         /* by what it says */
    bool end_is_mark;  /* END is a mark, and no stop token */
    const char *tools; /* it is a chat's, with these; NULL: it is a text */
};

static void read_parts(const struct parts *p, struct buf *out)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].kind == PART_CALL)
            buf_char(out, 'C');
        else
            buf_add(out, p->items[i].text.bytes, p->items[i].text.n_bytes);
}

static uint32_t id_of(char c)
{
    struct token_list list = {.n_ids_max = 1};
    struct err_note note;
    assert_ok(tokenizer_encode(bytes, (struct str){&c, 1}, 0, &list, &note));
    assert_int_equal(list.n_ids, 1);
    uint32_t id = (uint32_t)list.ids[0];
    token_list_release(&list);
    return id;
}

static void check(const struct wanted *w)
{
    static const int32_t end = END;
    uint32_t ids[IDS_MAX];
    struct str stops[4];
    size_t n_ids = strlen(w->text), n_stops = 0;
    struct answer_text a;
    struct buf said;
    json_t *tools = w->tools ? json_loads(w->tools, 0, NULL) : NULL;
    const struct answer_options o = {
        .style = {.form = answer_form_named(STR("hermes"))}, .tools = tools, .single = true};
    assert_true(n_ids <= IDS_MAX);
    for (; w->stops && w->stops[n_stops]; n_stops++)
        stops[n_stops] = str_from(w->stops[n_stops]);
    for (size_t i = 0; i < n_ids; i++) {
        ids[i] = w->text[i] == '@' ? END : id_of(w->text[i]);
    }
    answer_text_init(&a, bytes, stops, n_stops);
    if (w->tools || w->end_is_mark)
        answer_text_read(&a, &o, &end, w->end_is_mark);
    size_t n = answer_text_replay(&a, ids, n_ids, &end, !w->end_is_mark);
    buf_init(&said, 1000);
    read_parts(&a.parts, &said);
    buf_char(&said, '\0');
    assert_string_equal(said.bytes, w->says);
    assert_int_equal(n, w->n);
    assert_int_equal(answer_text_is_over(&a), w->over);
    buf_release(&said);
    answer_text_release(&a);
    json_decref(tools);
}

#define CALL "<tool_call>{\"name\":\"look\",\"arguments\":{}}</tool_call>"

static void the_end_is_found(void **state)
{
    (void)state;
    static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":\"look\"}}]";
    static const char *const word[] = {"end", NULL}, *const late[] = {"abz", "b", NULL};
    static char mark[80];
    static const char *const marks[] = {mark, NULL};
    const struct wanted all[] = {
        {NULL, "plain", "plain", 5, false, false, NULL},
        {NULL, "plain@", "plain", 6, false, false, NULL},
        {word, "an end", "an ", 6, true, false, NULL},
        {word, "an end, and more", "an ", 6, true, false, NULL},
        {word, "an en", "an en", 5, false, false, NULL},
        {word, "", "", 0, false, false, NULL},
        /* "b" is none as long as "abz" may come: only the answer's end, of whatever kind, says. */
        {late, "xab", "xa", 3, true, false, NULL},
        {late, "xab@", "xa", 4, true, false, NULL},
        {late, "xabc", "xa", 4, true, false, NULL},
        /* A special token is silent, and a stop text only where it is a mark. */
        {marks, "so@", "so", 3, false, false, NULL},
        {marks, "so@on", "so", 3, true, true, NULL},
        /* After the one call that is wanted nothing is said. */
        {NULL, "Now" CALL "x", "NowC", 3 + sizeof CALL - 1, true, false, tools},
        {NULL, "Now" CALL, "NowC", 3 + sizeof CALL - 1, true, false, tools},
        {NULL, CALL "x", CALL "x", sizeof CALL, false, false, NULL},
    };
    struct str text = tokenizer_token_text(bytes, END);
    snprintf(mark, sizeof mark, "%.*s", STR_ARG(text));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        check(&all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_found),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
