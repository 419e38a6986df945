#include "config_refusal.h"

static config_t *load(const fixture_t *fixture, const char *yaml)
{
    char whole[4096];
    snprintf(whole, sizeof(whole), "%s%s", yaml, REFUSAL_BASE);
    return fixture_load(fixture, whole);
}

static void test_defaults(void **state)
{
    config_t *config = load(*state, "");
    const config_limits_t *limits = &config->limits;
    assert_int_equal(limits->max_body_bytes, 64 << 10);
    assert_int_equal(limits->max_token_bytes, 16 << 10);
    assert_int_equal(limits->max_headers, 100);
    assert_int_equal(limits->max_header_bytes, 16 << 10);
    assert_int_equal(limits->max_connections, 10000);
    assert_int_equal(limits->max_connections_per_address, 1000);
    assert_int_equal(limits->max_requests_per_connection, 1000000);
    assert_int_equal(limits->max_buffered_bytes, 8 << 20);
    assert_int_equal(limits->max_waiting, 2048);
    assert_int_equal(limits->http2_resets, 100);
    assert_int_equal(limits->http2_control_frames, 1000);
    assert_int_equal(limits->failed_authentications, 100);
    assert_int_equal(limits->receive_buffer_bytes, 64 << 10);
    assert_int_equal(limits->send_buffer_bytes, 256 << 10);
    assert_int_equal(config->timeouts.handshake_s, 10);
    assert_int_equal(config->timeouts.request_s, 10);
    assert_int_equal(config->timeouts.response_s, 10);
    assert_int_equal(config->timeouts.idle_s, 60);
    config_free(config);
}

static void test_every_limit(void **state)
{
    config_t *config = load(
        *state, "limits: { max_body: 16MiB, max_token: 16777216, max_headers: 8, max_header_bytes: 1KiB,\n"
                "  max_connections: 7, max_connections_per_address: 6, max_requests_per_connection: 5,\n"
                "  max_buffered: 17MiB, max_waiting: 4, http2_resets: 3, http2_control_frames: 20,\n"
                "  receive_buffer: 4KiB, send_buffer: 8KiB, failed_authentications: 1000000 }\n");
    const config_limits_t *limits = &config->limits;
    assert_int_equal(limits->max_body_bytes, 16 << 20);
    assert_int_equal(limits->max_token_bytes, 16 << 20);
    assert_int_equal(limits->max_headers, 8);
    assert_int_equal(limits->max_header_bytes, 1 << 10);
    assert_int_equal(limits->max_connections, 7);
    assert_int_equal(limits->max_connections_per_address, 6);
    assert_int_equal(limits->max_requests_per_connection, 5);
    assert_int_equal(limits->max_buffered_bytes, 17 << 20);
    assert_int_equal(limits->max_waiting, 4);
    assert_int_equal(limits->http2_resets, 3);
    assert_int_equal(limits->http2_control_frames, 20);
    assert_int_equal(limits->failed_authentications, 1000000);
    assert_int_equal(limits->receive_buffer_bytes, 4 << 10);
    assert_int_equal(limits->send_buffer_bytes, 8 << 10);
    config_free(config);
}

static void test_every_timeout(void **state)
{
    config_t *config = load(*state, "timeouts: { handshake: 1s, request: 2s, response: 3s, idle: 1h }\n");
    assert_int_equal(config->timeouts.handshake_s, 1);
    assert_int_equal(config->timeouts.request_s, 2);
    assert_int_equal(config->timeouts.response_s, 3);
    assert_int_equal(config->timeouts.idle_s, 3600);
    config_free(config);
}

/* A body that is allowed must fit. */
static void test_what_is_buffered_follows_the_body(void **state)
{
    config_t *config = load(*state, "limits: { max_body: 16MiB }\n");
    assert_int_equal(config->limits.max_buffered_bytes, 16 << 20);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_defaults),
        FIXTURE_TEST(test_every_limit),
        FIXTURE_TEST(test_every_timeout),
        FIXTURE_TEST(test_what_is_buffered_follows_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
