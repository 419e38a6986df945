#include "peer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/un.h>

#include <cmocka.h>

static ip_prefix_t trusted[1];
static config_t config = {.trusted_proxies = trusted, .trusted_proxy_count = 1};

static int set_up(void **state)
{
    (void)state;
    return ip_prefix_parse(slice_of("10.0.0.0/8"), &trusted[0]) == IP_PREFIX_IS_GOOD ? 0 : -1;
}

/* Of a socket that the library has the name of already. */
static peer_t peer_named(const void *name, socklen_t len)
{
    h2o_socket_t socket = {0};
    struct sockaddr_storage room = {0};
    memcpy(&room, name, len);
    h2o_socket_setpeername(&socket, (struct sockaddr *)&room, len);
    peer_t peer = peer_of_socket(&socket);
    free(socket._peername);
    return peer;
}

static peer_t peer_at(const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &v4.sin_addr), 1);
    return peer_named(&v4, sizeof(v4));
}

static peer_t peer_of_unix_socket(void)
{
    sa_family_t nameless = AF_UNIX;
    return peer_named(&nameless, sizeof(nameless));
}

static void assert_address(ip_address_t address, const char *expected)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    assert_string_equal(ip_address_text(address, text), expected);
}

enum { MAX_HEADERS = 100 };

/* A request with count headers: "x" where a line is NULL, else X-Forwarded-For. */
static ip_address_t sender(const peer_t *peer, const char *const *lines, size_t count)
{
    static h2o_req_t req;
    static h2o_iovec_t other = {.base = "x", .len = 1};
    h2o_header_t headers[MAX_HEADERS] = {0};
    for (size_t i = 0; i < count; i++) {
        h2o_iovec_t *name = lines[i] == NULL ? &other : (h2o_iovec_t *)&H2O_TOKEN_X_FORWARDED_FOR->buf;
        const char *value = lines[i] == NULL ? "192.0.2.99" : lines[i];
        headers[i] = (h2o_header_t){.name = name, .value = h2o_iovec_init(value, strlen(value))};
    }
    req.headers.entries = headers;
    req.headers.size = count;
    return peer_of_request(peer, &req, &config);
}

static const char *const FORWARDED[] = {NULL, "198.51.100.9", NULL, "192.0.2.1", "10.0.0.3", NULL};
enum { FORWARDED_COUNT = sizeof(FORWARDED) / sizeof(FORWARDED[0]) };

static void test_trusted_address(void **state)
{
    peer_t peer = peer_at("10.1.2.3");
    (void)state;
    assert_address(peer.address, "10.1.2.3");
    assert_true(peer_is_trusted(&peer, &config));
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "192.0.2.1");
    assert_address(sender(&peer, FORWARDED, 1), "10.1.2.3");
    assert_address(sender(&peer, NULL, 0), "10.1.2.3");
}

static void test_other_address(void **state)
{
    peer_t peer = peer_at("192.0.2.55");
    (void)state;
    assert_false(peer_is_trusted(&peer, &config));
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "192.0.2.55");
}

static void test_nobody_is_trusted_without_prefixes(void **state)
{
    const config_t nobody = {0};
    peer_t peer = peer_at("10.1.2.3");
    peer_t local = peer_of_unix_socket();
    (void)state;
    assert_false(peer_is_trusted(&peer, &nobody));
    assert_true(peer_is_trusted(&local, &nobody));
}

static void test_unix_socket(void **state)
{
    peer_t peer = peer_of_unix_socket();
    (void)state;
    assert_true(peer_is_trusted(&peer, &config));
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "192.0.2.1");
    assert_address(sender(&peer, NULL, 0), "none");
}

static void test_peer_that_is_gone(void **state)
{
    sa_family_t unused = AF_UNIX;
    peer_t peer = peer_named(&unused, 0);
    (void)state;
    assert_false(peer_is_trusted(&peer, &config));
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "none");
}

static void test_proxy_headers(void **state)
{
    proxy_header_t header = {.status = PROXY_HEADER_DONE, .origin = PROXY_HEADER_ORIGIN_LOCAL};
    peer_t peer = peer_at("10.1.2.3");
    (void)state;
    peer_follow_proxy_header(&peer, &header);
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "192.0.2.1");

    header.origin = PROXY_HEADER_ORIGIN_CLIENT;
    assert_true(ip_address_parse(slice_of("10.7.7.7"), &header.source));
    peer_follow_proxy_header(&peer, &header);
    assert_address(sender(&peer, NULL, 0), "10.7.7.7");
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "192.0.2.1");

    peer = peer_of_unix_socket();
    assert_true(ip_address_parse(slice_of("2001:db8::7"), &header.source));
    peer_follow_proxy_header(&peer, &header);
    assert_false(peer_is_trusted(&peer, &config));
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "2001:db8::7");

    header = (proxy_header_t){.status = PROXY_HEADER_DONE, .origin = PROXY_HEADER_ORIGIN_UNKNOWN};
    peer = peer_at("10.1.2.3");
    peer_follow_proxy_header(&peer, &header);
    assert_false(peer_is_trusted(&peer, &config));
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "10.1.2.3");
    peer = peer_of_unix_socket();
    peer_follow_proxy_header(&peer, &header);
    assert_false(peer_is_trusted(&peer, &config));
    assert_address(sender(&peer, FORWARDED, FORWARDED_COUNT), "none");
}

static void test_many_lines(void **state)
{
    const char *lines[MAX_HEADERS];
    peer_t peer = peer_at("10.1.2.3");
    (void)state;
    for (size_t i = 0; i < MAX_HEADERS; i++)
        lines[i] = "10.0.0.1";
    lines[0] = "192.0.2.1";
    assert_address(sender(&peer, lines, MAX_HEADERS), "10.0.0.1");
    lines[MAX_HEADERS - 1] = "192.0.2.2";
    assert_address(sender(&peer, lines, MAX_HEADERS), "192.0.2.2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trusted_address),
        cmocka_unit_test(test_other_address),
        cmocka_unit_test(test_nobody_is_trusted_without_prefixes),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_peer_that_is_gone),
        cmocka_unit_test(test_proxy_headers),
        cmocka_unit_test(test_many_lines),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
