#include "chosen_time.h"
#include "ticket_keys.h"
#include "tls_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MINUTE_MS = 60 * 1000 };

static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
enum { VERSION_COUNT = sizeof(VERSIONS) / sizeof(VERSIONS[0]) };

static int start(void **state)
{
    tls_fixture_t *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL)
        return -1;
    chosen_time_ms = 1000000;
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

static bool has_same_key(SSL_SESSION *a, SSL_SESSION *b)
{
    const unsigned char *ticket_a = NULL;
    const unsigned char *ticket_b = NULL;
    size_t len_a = 0;
    size_t len_b = 0;
    SSL_SESSION_get0_ticket(a, &ticket_a, &len_a);
    SSL_SESSION_get0_ticket(b, &ticket_b, &len_b);
    assert_true(len_a > TICKET_KEY_NAME_SIZE && len_b > TICKET_KEY_NAME_SIZE);
    return memcmp(ticket_a, ticket_b, TICKET_KEY_NAME_SIZE) == 0;
}

static void test_a_session_is_resumed_for_one_lifetime(void **state)
{
    for (size_t i = 0; i < VERSION_COUNT; i++) {
        SSL_CTX *context = tls_fixture_context(*state, NULL);
        tls_caller_t caller = {.version = VERSIONS[i]};
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(caller.session), 600);
        /* Each time with what it was given last. */
        for (int minute = 0; minute < 10; minute++) {
            assert_int_equal(tls_call(context, &caller), TLS_RESUMED);
            chosen_time_ms += MINUTE_MS;
        }
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        assert_int_equal(tls_call(context, &caller), TLS_RESUMED);
        SSL_SESSION_free(caller.session);
        SSL_CTX_free(context);
    }
}

static void test_a_session_outlives_the_key_that_sealed_it(void **state)
{
    for (size_t i = 0; i < VERSION_COUNT; i++) {
        SSL_CTX *context = tls_fixture_context(*state, NULL);
        tls_caller_t caller = {.version = VERSIONS[i]};
        tls_caller_t other = {.version = VERSIONS[i]};
        chosen_time_ms += 9 * MINUTE_MS;
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        chosen_time_ms += MINUTE_MS;
        assert_int_equal(tls_call(context, &other), TLS_NEW);
        assert_false(has_same_key(caller.session, other.session));
        assert_int_equal(tls_call(context, &caller), TLS_RESUMED);
        assert_true(has_same_key(caller.session, other.session));
        chosen_time_ms += 9 * MINUTE_MS - 1;
        assert_int_equal(tls_call(context, &caller), TLS_RESUMED);
        /* A new ticket of an old session does not make it younger. */
        chosen_time_ms += 1;
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        assert_int_equal(tls_call(context, &other), TLS_RESUMED);
        SSL_SESSION_free(caller.session);
        SSL_SESSION_free(other.session);
        SSL_CTX_free(context);
    }
}

static void test_a_successor_resumes_sessions(void **state)
{
    tls_fixture_t *fixture = *state;
    for (size_t i = 0; i < VERSION_COUNT; i++) {
        tls_caller_t caller = {.version = VERSIONS[i]};
        SSL_CTX *context = tls_fixture_context(fixture, NULL);
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        SSL_CTX *successor = tls_fixture_context(fixture, context);
        SSL_CTX_free(context);
        assert_int_equal(tls_call(successor, &caller), TLS_RESUMED);

        fixture->listener.ticket_lifetime_s *= 2;
        SSL_CTX *longer = tls_fixture_context(fixture, successor);
        fixture->listener.ticket_lifetime_s /= 2;
        assert_int_equal(tls_call(longer, &caller), TLS_NEW);

        SSL_CTX *stranger = tls_fixture_context(fixture, NULL);
        assert_int_equal(tls_call(stranger, &caller), TLS_NEW);
        SSL_SESSION_free(caller.session);
        SSL_CTX_free(successor);
        SSL_CTX_free(longer);
        SSL_CTX_free(stranger);
    }
}

static void test_clients_must_be_vouched_for(void **state)
{
    tls_fixture_t *fixture = *state;
    identity_t authority = identity_new("authority", NULL, 86400);
    identity_t impostor = identity_new("authority", NULL, 86400);
    identity_t good = identity_new("good", &authority, 86400);
    identity_t bad = identity_new("bad", &impostor, 86400);
    tls_fixture_require_clients(fixture, &authority);
    SSL_CTX *context = tls_fixture_context(fixture, NULL);
    for (size_t i = 0; i < VERSION_COUNT; i++) {
        tls_caller_t caller = {.version = VERSIONS[i]};
        assert_int_equal(tls_call(context, &caller), TLS_REFUSED);
        caller.client = &bad;
        assert_int_equal(tls_call(context, &caller), TLS_REFUSED);
        caller.client = &good;
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        assert_int_equal(tls_call(context, &caller), TLS_RESUMED);
        SSL_SESSION_free(caller.session);
    }
    SSL_CTX_free(context);
    identity_free(&authority);
    identity_free(&impostor);
    identity_free(&good);
    identity_free(&bad);
}

static void test_sessions_end_when_the_authorities_change(void **state)
{
    tls_fixture_t *fixture = *state;
    identity_t first = identity_new("first", NULL, 86400);
    identity_t second = identity_new("second", NULL, 86400);
    identity_t client = identity_new("client", &first, 86400);
    for (size_t i = 0; i < VERSION_COUNT; i++) {
        tls_caller_t caller = {.version = VERSIONS[i], .client = &client};
        fixture->listener.client_ca_file = NULL;
        SSL_CTX *open = tls_fixture_context(fixture, NULL);
        assert_int_equal(tls_call(open, &caller), TLS_NEW);

        tls_fixture_require_clients(fixture, &first);
        SSL_CTX *asking = tls_fixture_context(fixture, open);
        assert_int_equal(tls_call(asking, &caller), TLS_NEW);
        SSL_CTX *same = tls_fixture_context(fixture, asking);
        assert_int_equal(tls_call(same, &caller), TLS_RESUMED);

        tls_fixture_require_clients(fixture, &second);
        SSL_CTX *other = tls_fixture_context(fixture, same);
        assert_int_equal(tls_call(other, &caller), TLS_REFUSED);
        SSL_SESSION_free(caller.session);
        SSL_CTX_free(open);
        SSL_CTX_free(asking);
        SSL_CTX_free(same);
        SSL_CTX_free(other);
    }
    identity_free(&first);
    identity_free(&second);
    identity_free(&client);
}

static void test_sessions_end_with_the_clients_certificate(void **state)
{
    tls_fixture_t *fixture = *state;
    identity_t authority = identity_new("authority", NULL, 86400);
    identity_t client = identity_new("client", &authority, 300);
    tls_fixture_require_clients(fixture, &authority);
    SSL_CTX *context = tls_fixture_context(fixture, NULL);
    for (size_t i = 0; i < VERSION_COUNT; i++) {
        tls_caller_t caller = {.version = VERSIONS[i], .client = &client};
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        chosen_time_ms += 3 * MINUTE_MS;
        assert_int_equal(tls_call(context, &caller), TLS_RESUMED);
        /* Its five minutes are over on the chosen clock alone, which is what is shown. */
        chosen_time_ms += 2 * MINUTE_MS;
        assert_int_equal(tls_call(context, &caller), TLS_NEW);
        SSL_SESSION_free(caller.session);
    }
    SSL_CTX_free(context);
    identity_free(&authority);
    identity_free(&client);
}

#define TLS_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(test_a_session_is_resumed_for_one_lifetime),
        TLS_TEST(test_a_session_outlives_the_key_that_sealed_it),
        TLS_TEST(test_a_successor_resumes_sessions),
        TLS_TEST(test_clients_must_be_vouched_for),
        TLS_TEST(test_sessions_end_when_the_authorities_change),
        TLS_TEST(test_sessions_end_with_the_clients_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
