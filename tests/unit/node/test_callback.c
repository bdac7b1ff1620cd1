/* test_callback.c - who is called and who is not; receivers that are absent, deaf or insane. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "node/callback.h"

static const char *const NAMED[] = {"api.example", "10.0.0.7", "::1"};
static const struct callback_hosts LOOPBACK = {NULL, 0}, SOME = {NAMED, 3};

static void only_hosts_that_were_allowed_are_called(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool loopback, some;
    } URLS[] = {
        {"http://127.0.0.1:80", true, false},
        {"http://localhost/x", true, false},
        {"http://127.1.2.3/", true, false},
        {"http://[::1]:9", true, true},
        {"http://api.example:9100/v1/poc-batches", false, true},
        {"https://API.example", false, true},
        {"http://10.0.0.7", false, true},
        {"http://10.0.0.8", false, false},
        {"http://api.example.evil", false, false},
        {"http://api.example@evil", false, false},
        {"http://user:word@127.0.0.1", false, false},
        {"http://0.0.0.0", false, false},
        {"ftp://127.0.0.1", false, false},
        {"file:///etc/passwd", false, false},
        {"127.0.0.1", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(URLS); i++) {
        struct err_note note = {""};
        bool loopback = !callback_check(&LOOPBACK, URLS[i].url, &note);
        bool some = !callback_check(&SOME, URLS[i].url, &note);
        if (loopback != URLS[i].loopback || some != URLS[i].some)
            fail_msg("%s: %d %d", URLS[i].url, loopback, some);
    }
}

static bool leads(const char *host, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return callback_may_connect(str_from(host), (struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return callback_may_connect(str_from(host), (struct sockaddr *)&v6);
}

static void a_name_cannot_lead_into_this_machine(void **state)
{
    (void)state;
    static const char *const NEAR[] = {"127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1",
                                       "255.255.255.255", "::1", "::", "fe80::1", "ff02::1",
                                       "::ffff:127.0.0.1", "::ffff:169.254.169.254"};
    for (size_t i = 0; i < COUNT_OF(NEAR); i++)
        assert_false(leads("api.example", NEAR[i]));
    assert_true(leads("api.example", "10.0.0.7") && leads("api.example", "93.184.216.34"));
    assert_true(leads("api.example", "2001:db8::1") && leads("api.example", "::ffff:10.0.0.7"));
    assert_true(leads("localhost", "127.0.0.1") && leads("localhost", "::1"));
    assert_false(leads("localhost", "10.0.0.7") || leads("localhost", "::ffff:10.0.0.7"));
    assert_true(leads("10.0.0.7", "10.0.0.7"));
}

/* A peer that takes one connection after another and says the same each time. */
struct peer {
    int listener;
    uint16_t port;
    const char *says; /* "": closes; NULL: says nothing until the other side leaves */
    pthread_t thread;
    atomic_int n_asked;
};

static void *answer(void *context)
{
    struct peer *p = context;
    for (;;) {
        char bytes[4096];
        int fd = accept(p->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        p->n_asked++;
        if (recv(fd, bytes, sizeof bytes, 0) > 0 && p->says)
            (void)!send(fd, p->says, strlen(p->says), MSG_NOSIGNAL);
        while (!p->says && recv(fd, bytes, sizeof bytes, 0) > 0)
            ;
        close(fd);
    }
}

static void peer_open(struct peer *p, const char *says)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *p = (struct peer){.says = says, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(listen(p->listener, 4), 0);
    p->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, answer, p), 0);
}

static void peer_close(struct peer *p)
{
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
}

static enum err post_within(uint32_t n_ms, const struct callback_hosts *hosts, const char *host,
                            uint16_t port, const atomic_bool *stop, struct err_note *note)
{
    char url[200];
    struct callback *c = callback_new(hosts, n_ms, stop);
    snprintf(url, sizeof url, "http://%s:%u/generated", host, port);
    enum err rc = callback_post(c, url, STR("{}"), note);
    callback_free(c);
    return rc;
}

static enum err post(const struct callback_hosts *hosts, const char *host, uint16_t port,
                     const atomic_bool *stop, struct err_note *note)
{
    return post_within(CALLBACK_MS, hosts, host, port, stop, note);
}

static void an_answer_is_its_status(void **state)
{
    (void)state;
    static char endless[200000];
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "HTTP/1.1 200 OK\r\n\r\n", 19);
    const struct {
        const char *says;
        enum err rc;
        const char *note;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ERR_OK, ""},
        {"HTTP/1.1 204 No Content\r\n\r\n", ERR_OK, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\xff\xfe{[!", ERR_OK, ""},
        {endless, ERR_OK, ""},
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", ERR_IO, "status 500"},
        {"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", ERR_IO,
         "status 302"},
        {"\x01\x02 no HTTP at all\r\n\r\n", ERR_IO, "127.0.0.1: "},
        {"", ERR_IO, "127.0.0.1: "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer p;
        struct err_note note = {""};
        peer_open(&p, cases[i].says);
        assert_int_equal(post(&LOOPBACK, "127.0.0.1", p.port, NULL, &note), cases[i].rc);
        assert_non_null(strstr(note.text, cases[i].note));
        assert_int_equal(p.n_asked, 1);
        peer_close(&p);
    }
}

static void who_is_absent_or_deaf_is_left(void **state)
{
    (void)state;
    struct peer p;
    struct err_note note;
    atomic_bool stop = false;
    peer_open(&p, "");
    uint16_t port = p.port;
    peer_close(&p);
    assert_int_equal(post(&LOOPBACK, "127.0.0.1", port, NULL, &note), ERR_IO);
    /* Deaf: it is left when the node stops, long before its time is up. */
    peer_open(&p, NULL);
    stop = true;
    assert_int_equal(post(&LOOPBACK, "127.0.0.1", p.port, &stop, &note), ERR_CANCELLED);
    peer_close(&p);
    /* Or when its time is up. */
    peer_open(&p, NULL);
    assert_int_equal(post_within(200, &LOOPBACK, "127.0.0.1", p.port, NULL, &note), ERR_IO);
    assert_non_null(strstr(note.text, "Timeout"));
    peer_close(&p);
    /* Loopback is not among the hosts that were named. */
    assert_int_equal(post(&SOME, "127.0.0.1", port, NULL, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "--poc-callback 127.0.0.1"));
}

static int begin(void **state)
{
    (void)state;
    return curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    curl_global_cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_hosts_that_were_allowed_are_called),
        cmocka_unit_test(a_name_cannot_lead_into_this_machine),
        cmocka_unit_test(an_answer_is_its_status),
        cmocka_unit_test(who_is_absent_or_deaf_is_left),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
