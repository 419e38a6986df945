#include "key_updates.h"

#include "tls_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int start(void **state)
{
    tls_fixture_t *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL)
        return -1;
    tls_fixture_start(fixture);
    *state = fixture;
    return 0;
}

static int stop(void **state)
{
    tls_fixture_stop(*state);
    free(*state);
    return 0;
}

static void update(const tls_pair_t *pair, int type)
{
    assert_int_equal(SSL_key_update(pair->client, type), 1);
    assert_int_equal(SSL_do_handshake(pair->client), 1);
}

/* What the server reads of one byte: SSL_ERROR_NONE when it was that. */
static int read_byte(const tls_pair_t *pair)
{
    char byte = 'y';
    assert_int_equal(SSL_write(pair->client, &byte, 1), 1);
    int result = SSL_read(pair->server, &byte, 1);
    return SSL_get_error(pair->server, result);
}

static void test_changes_of_keys_are_bounded(void **state)
{
    static const int TYPES[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED};
    SSL_CTX *context = tls_fixture_context(*state, NULL);
    const tls_caller_t caller = {.version = TLS1_3_VERSION};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        tls_pair_t pair = tls_pair_new(context, &caller);
        assert_true(tls_pair_connect(&pair));
        for (int count = 0; count < KEY_UPDATES_MAX; count++) {
            update(&pair, TYPES[i]);
            assert_int_equal(read_byte(&pair), SSL_ERROR_NONE);
        }
        update(&pair, TYPES[i]);
        assert_int_equal(read_byte(&pair), SSL_ERROR_SYSCALL);
        tls_pair_free(&pair);
    }
    SSL_CTX_free(context);
}

/* As they arrive in a flood: all in one read, and nothing behind them. */
static void test_a_flood_ends_within_one_read(void **state)
{
    SSL_CTX *context = tls_fixture_context(*state, NULL);
    const tls_caller_t caller = {.version = TLS1_3_VERSION};
    tls_pair_t pair = tls_pair_new(context, &caller);
    assert_true(tls_pair_connect(&pair));
    for (int count = 0; count < 100; count++)
        update(&pair, SSL_KEY_UPDATE_NOT_REQUESTED);
    size_t arrived = BIO_ctrl_pending(SSL_get_rbio(pair.server));
    char byte;
    int result = SSL_read(pair.server, &byte, 1);
    assert_int_equal(SSL_get_error(pair.server, result), SSL_ERROR_SYSCALL);
    assert_true(BIO_ctrl_pending(SSL_get_rbio(pair.server)) > arrived / 2);
    tls_pair_free(&pair);
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_changes_of_keys_are_bounded, start, stop),
        cmocka_unit_test_setup_teardown(test_a_flood_ends_within_one_read, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
