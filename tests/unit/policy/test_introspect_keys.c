#include "introspect_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static keyset_t *keyset_of(const private_key_t *key)
{
    char *text = jwks_of(key);
    const char *error;
    keyset_t *keys = keyset_parse(slice_of(text), NULL, NULL, &error);
    assert_non_null(keys);
    free(text);
    return keys;
}

static void count_wake(void *data)
{
    ++*(unsigned *)data;
}

/* Puts a slot whose keys are fetched into the first issuer, with an introspector anew; *wake_count counts its
 * wakes. */
static void make_fetched(fixture_t *fixture, keyset_t *take_keys, unsigned *wake_count)
{
    char path[128];
    config_error_t error;
    introspect_worker_free(fixture->worker);
    introspector_release(fixture->introspector);
    snprintf(path, sizeof(path), "%s/config.yaml", fixture->directory);
    config_t *config = config_load(path, NULL, NULL, &error);
    assert_non_null(config);
    keyset_slot_release(config->issuers[0].keys);
    config->issuers[0].keys = keyset_slot_new(take_keys, count_wake, wake_count);
    assert_non_null(config->issuers[0].keys);
    fixture->config = config;
    fixture->introspector = introspector_new(config);
    fixture->worker = introspect_worker_new(fixture->introspector);
    fixture->front = client_set_find(&config->clients, slice_of("front"));
    assert_non_null(fixture->worker);
}

static char *token_with_header(const private_key_t *key, const char *header)
{
    char *payload = payload_until(NOW_S + 30, "");
    char *token = sign(key, header, payload);
    free(payload);
    return token;
}

static void assert_decided_anew(fixture_t *fixture, const char *token, reason_t reason)
{
    introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S);
    assert_int_equal(verdict.reason, reason);
    assert_false(verdict.is_from_cache);
}

static void asks_for_newer_keys_once(void **state)
{
    fixture_t *fixture = *state;
    unsigned wake_count = 0;
    make_fetched(fixture, keyset_of(fixture->key), &wake_count);
    keyset_slot_t *slot = fixture->config->issuers[0].keys;
    char *token = token_with_header(fixture->key, "{\"alg\":\"ES256\",\"kid\":\"new\",\"typ\":\"at+jwt\"}");
    assert_decided_anew(fixture, token, REASON_UNKNOWN_KEY);
    for (int i = 0; i < 3; i++)
        assert_true(introspect(fixture->worker, fixture->front, token, NOW_S).is_from_cache);
    assert_int_equal(wake_count, 1);
    /* From the cache too. */
    keyset_slot_take_want(slot);
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).reason, REASON_UNKNOWN_KEY);
    assert_int_equal(wake_count, 2);
    keyset_slot_set_keys(slot, keyset_of(fixture->key));
    assert_decided_anew(fixture, token, REASON_UNKNOWN_KEY);
    free(token);
}

static void asks_for_newer_keys_when_there_are_none(void **state)
{
    fixture_t *fixture = *state;
    unsigned wake_count = 0;
    make_fetched(fixture, NULL, &wake_count);
    char *token = good_token(fixture, NOW_S + 30, "");
    assert_decided_anew(fixture, token, REASON_KEYS_UNAVAILABLE);
    assert_int_equal(wake_count, 1);
    keyset_slot_set_keys(fixture->config->issuers[0].keys, keyset_of(fixture->key));
    assert_decided_anew(fixture, token, REASON_NONE);
    free(token);
}

static void asks_for_newer_keys_for_a_token_without_kid(void **state)
{
    fixture_t *fixture = *state;
    unsigned wake_count = 0;
    make_fetched(fixture, keyset_of(fixture->key), &wake_count);
    char *token = token_with_header(fixture->other_key, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}");
    assert_decided_anew(fixture, token, REASON_BAD_SIGNATURE);
    assert_int_equal(wake_count, 1);
    keyset_slot_take_want(fixture->config->issuers[0].keys);
    assert_true(introspect(fixture->worker, fixture->front, token, NOW_S).is_from_cache);
    assert_int_equal(wake_count, 2);
    free(token);
}

static void asks_for_nothing_for_other_reasons(void **state)
{
    fixture_t *fixture = *state;
    unsigned wake_count = 0;
    make_fetched(fixture, keyset_of(fixture->key), &wake_count);
    char *forged = token_with_header(fixture->other_key, HEADER);
    char *expired = good_token(fixture, NOW_S - 60, "");
    assert_decided_anew(fixture, forged, REASON_BAD_SIGNATURE);
    assert_true(introspect(fixture->worker, fixture->front, forged, NOW_S).is_from_cache);
    assert_decided_anew(fixture, expired, REASON_EXPIRED);
    assert_true(introspect(fixture->worker, fixture->front, expired, NOW_S).is_from_cache);
    assert_int_equal(wake_count, 0);
    free(forged);
    free(expired);
}

static void keeps_unknown_keys_where_nobody_fetches(void **state)
{
    fixture_t *fixture = *state;
    char *token = token_with_header(fixture->key, "{\"alg\":\"ES256\",\"kid\":\"new\",\"typ\":\"at+jwt\"}");
    assert_decided_anew(fixture, token, REASON_UNKNOWN_KEY);
    assert_true(introspect(fixture->worker, fixture->front, token, NOW_S).is_from_cache);
    free(token);
}

static void has_no_verdict_with_keys_that_fit_no_algorithm(void **state)
{
    fixture_t *fixture = *state;
    private_key_t *key = private_key_generate(ALGORITHM_EDDSA, "k1");
    assert_non_null(key);
    keyset_slot_set_keys(fixture->config->issuers[0].keys, keyset_of(key));
    char *token = good_token(fixture, NOW_S + 30, "");
    introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S);
    assert_int_equal(verdict.outcome, INTROSPECT_UNAVAILABLE);
    assert_int_equal(verdict.reason, REASON_KEYS_UNAVAILABLE);
    private_key_free(key);
    free(token);
}

static void keeps_refusals_of_an_algorithm(void **state)
{
    fixture_t *fixture = *state;
    keyset_slot_set_keys(fixture->config->issuers[0].keys, keyset_of(fixture->key));
    char *token = token_with_header(fixture->key, "{\"alg\":\"ES384\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}");
    assert_decided_anew(fixture, token, REASON_ALGORITHM_NOT_ALLOWED);
    assert_true(introspect(fixture->worker, fixture->front, token, NOW_S).is_from_cache);
    free(token);
}

static void keeps_the_verdicts_of_other_issuers(void **state)
{
    fixture_t *fixture = *state;
    char *token = sign(fixture->key, HEADER, "{\"iss\":\"https://other.example/\",\"exp\":1700000030}");
    assert_int_equal(introspect(fixture->worker, fixture->rs, token, NOW_S).outcome, INTROSPECT_ACTIVE);
    keyset_slot_set_keys(fixture->config->issuers[0].keys, keyset_of(fixture->other_key));
    assert_true(introspect(fixture->worker, fixture->rs, token, NOW_S).is_from_cache);
    keyset_slot_set_keys(fixture->config->issuers[1].keys, keyset_of(fixture->other_key));
    introspect_verdict_t verdict = introspect(fixture->worker, fixture->rs, token, NOW_S);
    assert_false(verdict.is_from_cache);
    assert_int_equal(verdict.reason, REASON_BAD_SIGNATURE);
    free(token);
}

static void ends_cached_verdicts_with_their_keys(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 30, "");
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).outcome, INTROSPECT_ACTIVE);
    keyset_slot_set_keys(fixture->config->issuers[0].keys, keyset_of(fixture->other_key));
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).reason, REASON_BAD_SIGNATURE);
    keyset_slot_set_keys(fixture->config->issuers[0].keys, keyset_of(fixture->key));
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).outcome, INTROSPECT_ACTIVE);
    keyset_slot_set_keys(fixture->config->issuers[0].keys, NULL);
    for (int i = 0; i < 2; i++) {
        introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S);
        assert_int_equal(verdict.outcome, INTROSPECT_UNAVAILABLE);
        assert_int_equal(verdict.reason, REASON_KEYS_UNAVAILABLE);
        assert_false(verdict.is_from_cache);
        assert_null(verdict.answer.base);
    }
    free(token);
}

/* What the threads of serves_no_verdict_of_keys_that_are_gone share. */
typedef struct rotation {
    fixture_t *fixture;
    char *token; /* signed by key */
    _Atomic unsigned phase;
    _Atomic bool is_over;
    _Atomic unsigned wrong_count;
    _Atomic unsigned active_count;
    _Atomic unsigned inactive_count;
} rotation_t;

static void *introspect_while_keys_change(void *data)
{
    rotation_t *rotation = data;
    introspect_worker_t *worker = introspect_worker_new(rotation->fixture->introspector);
    while (worker != NULL && !atomic_load(&rotation->is_over)) {
        unsigned before = atomic_load(&rotation->phase);
        bool is_active =
            introspect(worker, rotation->fixture->front, rotation->token, NOW_S).outcome == INTROSPECT_ACTIVE;
        /* At 4n+1 the set without the key stands, at 4n+3 the one with it; even phases are in between. */
        bool has_settled = before % 2 == 1 && atomic_load(&rotation->phase) == before;
        if (has_settled && is_active != (before % 4 == 3))
            atomic_fetch_add(&rotation->wrong_count, 1);
        atomic_fetch_add(is_active ? &rotation->active_count : &rotation->inactive_count, 1);
    }
    introspect_worker_free(worker);
    return NULL;
}

static void serves_no_verdict_of_keys_that_are_gone(void **state)
{
    enum { THREAD_COUNT = 3, ROTATION_COUNT = 200 };
    rotation_t rotation = {.fixture = *state};
    rotation.token = good_token(*state, NOW_S + 30, "");
    pthread_t threads[THREAD_COUNT];
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, introspect_while_keys_change, &rotation), 0);
    for (int i = 0; i < ROTATION_COUNT; i++) {
        const private_key_t *key = i % 2 == 0 ? rotation.fixture->other_key : rotation.fixture->key;
        keyset_t *keys = keyset_of(key);
        atomic_fetch_add(&rotation.phase, i == 0 ? 0 : 1); /* even: in between */
        keyset_slot_set_keys(rotation.fixture->config->issuers[0].keys, keys);
        atomic_fetch_add(&rotation.phase, 1);
        usleep(2000);
    }
    atomic_store(&rotation.is_over, true);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(rotation.wrong_count, 0);
    assert_true(rotation.active_count > 0);
    assert_true(rotation.inactive_count > 0);
    free(rotation.token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(asks_for_newer_keys_once, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_for_newer_keys_when_there_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_for_newer_keys_for_a_token_without_kid, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_for_nothing_for_other_reasons, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_unknown_keys_where_nobody_fetches, setup, teardown),
        cmocka_unit_test_setup_teardown(has_no_verdict_with_keys_that_fit_no_algorithm, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_refusals_of_an_algorithm, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_verdicts_of_other_issuers, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_cached_verdicts_with_their_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(serves_no_verdict_of_keys_that_are_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
