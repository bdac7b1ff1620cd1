/* test_pow_sender.c - results whose receiver is down: kept, bounded, counted, never sent twice. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/pow_sender.h"

/* A port of this machine that nobody listens at. */
static int closed_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void send_one(struct pow_sender *s, uint64_t owner, const char *url)
{
    struct buf body;
    buf_init(&body, 100);
    buf_str(&body, "{}");
    pow_send(s, owner, url, &body);
    assert_true(body.n_bytes == 0);
}

static void delays_grow_to_a_bound(void **state)
{
    (void)state;
    static const unsigned seconds[] = {1, 2, 4, 8, 16, 30, 30};
    for (unsigned i = 0; i < COUNT_OF(seconds); i++)
        assert_true(sender_delay_ns(i + 1) == seconds[i] * UINT64_C(1000000000));
    assert_true(sender_delay_ns(100) == 30 * UINT64_C(1000000000));
}

static void what_cannot_be_sent_is_bounded(void **state)
{
    (void)state;
    struct callback_hosts hosts = {NULL, 0};
    struct pow_sender *s;
    struct err_note note = {""};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/generated", closed_port());
    assert_ok(pow_sender_open(&hosts, &s, &note));
    send_one(s, 7, url);
    assert_true(pow_sender_has(s, 7) && !pow_sender_has(s, 8));
    for (int i = 1; i < SENDER_DELIVERIES_MAX; i++)
        send_one(s, 0, url);
    assert_int_equal(pow_sender_lost(s, &note), 0);
    pow_sender_orphan(s, 7);
    assert_false(pow_sender_has(s, 7));
    for (int i = 0; i < 20; i++)
        send_one(s, 0, url);
    assert_int_equal(pow_sender_lost(s, &note), 20);
    assert_non_null(strstr(note.text, "too many"));
    assert_int_equal(pow_sender_lost(s, &note), 0);
    assert_int_equal(pow_sender_close(s), SENDER_DELIVERIES_MAX);
    assert_int_equal(pow_sender_close(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_grow_to_a_bound),
        cmocka_unit_test(what_cannot_be_sent_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
