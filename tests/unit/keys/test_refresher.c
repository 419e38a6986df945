#include "introspectd/refresher.h"

#include "key_fixture.h"
#include "provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { THREADS = 4, WISHES = 20000 };

static provider_t *provider;
static refresher_t *refresher;

static int start(void **state)
{
    (void)state;
    provider = provider_start();
    refresher = refresher_new();
    return refresher == NULL;
}

static int stop(void **state)
{
    (void)state;
    refresher_free(refresher);
    provider_stop(provider);
    return 0;
}

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

/* The test's own time limit ends what never comes true. */
#define WAIT_UNTIL(condition)                                                                                \
    while (!(condition))                                                                                     \
    nap()

static key_source_settings_t jwks_settings(const char *path)
{
    return settings_for("https://idp.example.com", provider_url(provider, path));
}

static keyset_slot_t *open_source(const key_source_settings_t *settings)
{
    keyset_slot_t *slot = refresher_open(refresher, settings);
    assert_non_null(slot);
    assert_true(keyset_slot_is_fetched(slot));
    return slot;
}

static void a_new_source_is_fetched_at_once(void **state)
{
    (void)state;
    assert_true(refresher_is_settled(refresher));
    provider_hold(provider, "/jwks");
    key_source_settings_t settings = jwks_settings("/jwks");
    keyset_slot_t *slot = open_source(&settings);
    WAIT_UNTIL(provider_count(provider, "/jwks") == 1);
    assert_false(refresher_is_settled(refresher));
    assert_null(keyset_slot_acquire_keys(slot));
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    provider_let_go(provider);
    WAIT_UNTIL(refresher_is_settled(refresher));
    assert_true(has_kid(slot, "a"));
    keyset_slot_release(slot);
}

static void a_failed_try_settles_too_and_is_repeated(void **state)
{
    (void)state;
    provider_answer(provider, "/jwks", "500 Oops", "", "");
    key_source_settings_t settings = jwks_settings("/jwks");
    keyset_slot_t *slot = open_source(&settings);
    WAIT_UNTIL(refresher_is_settled(refresher));
    assert_null(keyset_slot_acquire_keys(slot));
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    WAIT_UNTIL(has_kid(slot, "a"));
    keyset_slot_release(slot);
}

static void a_slow_provider_holds_up_nobody(void **state)
{
    (void)state;
    provider_hold(provider, "/slow");
    provider_answer(provider, "/quick", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/slow");
    keyset_slot_t *slow = open_source(&settings);
    WAIT_UNTIL(provider_count(provider, "/slow") == 1);
    settings = jwks_settings("/quick");
    keyset_slot_t *quick = open_source(&settings);
    WAIT_UNTIL(has_kid(quick, "a"));
    assert_false(refresher_is_settled(refresher));
    /* Nor the end of everything. */
    keyset_slot_release(slow);
    keyset_slot_release(quick);
}

static void a_slow_provider_is_given_up(void **state)
{
    (void)state;
    provider_hold(provider, "/slow");
    key_source_settings_t settings = jwks_settings("/slow");
    settings.fetch_timeout_s = 1;
    keyset_slot_t *slot = open_source(&settings);
    WAIT_UNTIL(refresher_is_settled(refresher));
    keyset_slot_status_t status;
    keyset_slot_get_status(slot, &status);
    assert_non_null(strstr(status.problem, "timed out"));
    keyset_slot_release(slot);
}

static void equal_settings_share_a_source(void **state)
{
    (void)state;
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    keyset_slot_t *first = open_source(&settings);
    /* Equal by value, not by address. */
    char issuer[64];
    snprintf(issuer, sizeof(issuer), "%s", settings.issuer);
    key_source_settings_t same = jwks_settings("/jwks");
    same.issuer = issuer;
    assert_ptr_equal(open_source(&same), first);
    assert_int_equal(keyset_slot_holders(first), 3);
    WAIT_UNTIL(has_kid(first, "a"));
    assert_ptr_equal(open_source(&same), first);
    assert_int_equal(provider_count(provider, "/jwks"), 1);
    for (int i = 0; i < 3; i++)
        keyset_slot_release(first);
}

static void other_settings_make_another_source(void **state)
{
    (void)state;
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings[14];
    keyset_slot_t *slots[14];
    for (size_t i = 0; i < 14; i++)
        settings[i] = jwks_settings("/jwks");
    settings[1].issuer = "https://other.example.com";
    settings[2].jwks_url = NULL;
    settings[3].jwks_url = provider_url(provider, "/jwks?");
    settings[4].allow_http = false;
    settings[5].ca_file = "/nonexistent/ca.pem";
    settings[6].algorithms = ALGORITHM_SET_ALL;
    settings[7].connect_timeout_s++;
    settings[8].fetch_timeout_s++;
    settings[9].max_bytes++;
    settings[10].refresh_min_s++;
    settings[11].refresh_max_s++;
    settings[12].cooldown_s++;
    settings[13].stale_max_s++;
    for (size_t i = 0; i < 14; i++) {
        slots[i] = open_source(&settings[i]);
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(slots[i], slots[j]);
    }
    WAIT_UNTIL(refresher_is_settled(refresher));
    for (size_t i = 0; i < 14; i++)
        keyset_slot_release(slots[i]);
}

static void a_source_of_the_same_place_starts_with_the_keys(void **state)
{
    (void)state;
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    keyset_slot_t *old = open_source(&settings);
    /* The keys are there a moment before the source knows how old they are. */
    WAIT_UNTIL(refresher_is_settled(refresher));
    assert_true(has_kid(old, "a"));
    provider_hold(provider, "/jwks");
    settings.refresh_max_s++;
    keyset_slot_t *new = open_source(&settings);
    assert_true(has_kid(new, "a"));
    /* Elsewhere, of somebody else, or of no use: not. */
    key_source_settings_t others[4] = {settings, settings, settings, settings};
    others[0].jwks_url = provider_url(provider, "/jwks?");
    others[1].issuer = "https://other.example.com";
    others[2].ca_file = "/nonexistent/ca.pem";
    others[3].algorithms = 1u << ALGORITHM_RS256;
    for (size_t i = 0; i < 4; i++) {
        keyset_slot_t *slot = open_source(&others[i]);
        assert_false(has_kid(slot, "a"));
        keyset_slot_release(slot);
    }
    keyset_slot_release(old);
    keyset_slot_release(new);
}

/* They are as old as they were with the source that they come from. */
static void keys_do_not_grow_younger(void **state)
{
    (void)state;
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    settings.refresh_min_s = settings.refresh_max_s = 3600;
    keyset_slot_t *old = open_source(&settings);
    WAIT_UNTIL(refresher_is_settled(refresher));
    assert_true(has_kid(old, "a"));
    provider_answer(provider, "/jwks", "500 Oops", "", "");
    settings.stale_max_s = 1;
    keyset_slot_t *new = open_source(&settings);
    WAIT_UNTIL(!has_kid(new, "a"));
    assert_true(has_kid(old, "a"));
    settings.cooldown_s = 1;
    keyset_slot_t *late = open_source(&settings);
    assert_false(has_kid(late, "a"));
    keyset_slot_release(old);
    keyset_slot_release(new);
    keyset_slot_release(late);
}

static void a_source_that_nobody_holds_ends(void **state)
{
    (void)state;
    provider_hold(provider, "/held");
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/held");
    settings.fetch_timeout_s = 3600;
    keyset_slot_t *slot = open_source(&settings);
    WAIT_UNTIL(provider_count(provider, "/held") == 1);
    keyset_slot_release(slot);
    assert_true(refresher_is_settled(refresher));
    settings = jwks_settings("/jwks");
    settings.refresh_min_s = settings.refresh_max_s = 1;
    slot = open_source(&settings);
    /* The refresher has gone round since, and the second has refreshed itself. */
    WAIT_UNTIL(provider_count(provider, "/jwks") >= 2);
    provider_answer(provider, "/held", "200 OK", "", SET_A);
    settings = jwks_settings("/held");
    settings.fetch_timeout_s = 3600;
    keyset_slot_t *again = open_source(&settings);
    /* It is a new one, which is fetched at once. */
    WAIT_UNTIL(has_kid(again, "a"));
    assert_int_equal(provider_count(provider, "/held"), 2);
    keyset_slot_release(slot);
    keyset_slot_release(again);
}

typedef struct wisher {
    keyset_slot_t *slot;
    atomic_bool is_over;
} wisher_t;

static void *wish(void *data)
{
    wisher_t *wisher = data;
    for (int i = 0; i < WISHES || !atomic_load(&wisher->is_over); i++)
        keyset_slot_want(wisher->slot);
    return NULL;
}

static void many_wishes_are_one_fetch(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    settings.cooldown_s = 3600;
    wisher_t wisher = {.slot = open_source(&settings)};
    WAIT_UNTIL(has_kid(wisher.slot, "a"));
    atomic_store(&wisher.is_over, true);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wish, &wisher), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(keyset_slot_is_wanted(wisher.slot));
    assert_int_equal(provider_count(provider, "/jwks"), 1);
    keyset_slot_release(wisher.slot);
}

static void a_wish_gets_the_new_key_after_the_cooldown(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    settings.cooldown_s = 1;
    wisher_t wisher = {.slot = open_source(&settings)};
    WAIT_UNTIL(has_kid(wisher.slot, "a"));
    provider_hold(provider, "/jwks");
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wish, &wisher), 0);
    WAIT_UNTIL(provider_count(provider, "/jwks") == 2);
    /* While that one runs no other is started, whoever wishes. */
    for (int i = 0; i < 20; i++)
        nap();
    assert_int_equal(provider_count(provider, "/jwks"), 2);
    atomic_store(&wisher.is_over, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    provider_answer(provider, "/jwks", "200 OK", "", SET_AB);
    provider_let_go(provider);
    WAIT_UNTIL(has_kid(wisher.slot, "b"));
    keyset_slot_release(wisher.slot);
}

static void stale_keys_go_and_come_back(void **state)
{
    (void)state;
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    settings.refresh_min_s = settings.refresh_max_s = settings.stale_max_s = 1;
    keyset_slot_t *slot = open_source(&settings);
    WAIT_UNTIL(has_kid(slot, "a"));
    provider_answer(provider, "/jwks", "500 Oops", "", "");
    WAIT_UNTIL(!has_kid(slot, "a"));
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    WAIT_UNTIL(has_kid(slot, "a"));
    keyset_slot_release(slot);
}

static void *open_and_close(void *data)
{
    key_source_settings_t settings = *(const key_source_settings_t *)data;
    for (int i = 0; i < 200; i++) {
        settings.max_bytes = 60000 + (size_t)i % 7;
        keyset_slot_t *slot = refresher_open(refresher, &settings);
        if (slot == NULL)
            return data;
        keyset_slot_want(slot);
        keyset_release(keyset_slot_acquire_keys(slot));
        if (!refresher_is_settled(refresher) && i % 50 == 0)
            nap();
        keyset_slot_release(slot);
    }
    return NULL;
}

static void sources_come_and_go_from_many_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    keyset_slot_t *slot = open_source(&settings);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &settings), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    WAIT_UNTIL(refresher_is_settled(refresher));
    assert_true(has_kid(slot, "a"));
    keyset_slot_release(slot);
}

/* A holder may outlive the refresher, as long as it only reads. */
static void a_held_slot_outlives_the_refresher(void **state)
{
    (void)state;
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    key_source_settings_t settings = jwks_settings("/jwks");
    keyset_slot_t *slot = open_source(&settings);
    WAIT_UNTIL(has_kid(slot, "a"));
    refresher_free(refresher);
    refresher = NULL;
    refresher_free(NULL);
    assert_int_equal(keyset_slot_holders(slot), 1);
    assert_true(has_kid(slot, "a"));
    keyset_slot_release(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_source_is_fetched_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_failed_try_settles_too_and_is_repeated, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_provider_holds_up_nobody, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_provider_is_given_up, start, stop),
        cmocka_unit_test_setup_teardown(equal_settings_share_a_source, start, stop),
        cmocka_unit_test_setup_teardown(other_settings_make_another_source, start, stop),
        cmocka_unit_test_setup_teardown(a_source_of_the_same_place_starts_with_the_keys, start, stop),
        cmocka_unit_test_setup_teardown(keys_do_not_grow_younger, start, stop),
        cmocka_unit_test_setup_teardown(a_source_that_nobody_holds_ends, start, stop),
        cmocka_unit_test_setup_teardown(many_wishes_are_one_fetch, start, stop),
        cmocka_unit_test_setup_teardown(a_wish_gets_the_new_key_after_the_cooldown, start, stop),
        cmocka_unit_test_setup_teardown(stale_keys_go_and_come_back, start, stop),
        cmocka_unit_test_setup_teardown(sources_come_and_go_from_many_threads, start, stop),
        cmocka_unit_test_setup_teardown(a_held_slot_outlives_the_refresher, start, stop),
    };
    setenv("no_proxy", "*", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
