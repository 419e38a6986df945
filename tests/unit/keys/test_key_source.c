#include "source_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_set_is_fetched_at_once_and_again_in_time(void **state)
{
    (void)state;
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "Cache-Control: max-age=300\r\n", SET_A);
    key_source_settings_t settings = source_jwks_settings();
    settings.jwks_url = provider_url(source_fixture.provider, "/jwks?secret");
    source_make(&settings);
    assert_false(key_source_is_settled(source_fixture.source));
    assert_true(source_due_in_ms() <= 0);
    assert_int_equal(source_attempt(), 1);
    assert_true(key_source_is_settled(source_fixture.source));
    assert_true(has_kid(source_fixture.slot, "a"));
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 1);
    source_assert_problem(NULL);
    assert_int_equal(source_due_in_ms(), 300000);
    const json_t *line = source_last_line("keys_changed", LOG_LEVEL_INFO);
    assert_string_equal(source_text_of(line, "issuer"), "https://idp.example.com");
    assert_string_equal(source_text_of(line, "url"), provider_url(source_fixture.provider, "/jwks"));
    assert_int_equal(source_number_of(line, "keys"), 1);
    assert_int_equal(source_attempt_after_s(299), 0);
    assert_int_equal(source_attempt_after_s(1), 1);
    assert_int_equal(provider_count(source_fixture.provider, "/jwks"), 2);
}

static void an_equal_set_changes_nothing(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_AB);
    source_make(&settings);
    source_attempt();
    keyset_t *first = keyset_slot_acquire_keys(source_fixture.slot);
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", " " SET_BA " ");
    assert_int_equal(source_attempt_after_s(3600), 1);
    keyset_t *second = keyset_slot_acquire_keys(source_fixture.slot);
    assert_ptr_equal(first, second);
    keyset_release(first);
    keyset_release(second);
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 1);
    assert_int_equal(source_lines_of("keys_changed"), 1);
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    assert_int_equal(source_attempt_after_s(3600), 1);
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 2);
    assert_int_equal(source_lines_of("keys_changed"), 2);
    assert_false(has_kid(source_fixture.slot, "b"));
}

static void a_304_says_that_nothing_changed(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer_tagged(source_fixture.provider, "/jwks", "\"v1\"", "Cache-Control: max-age=100\r\n",
                           SET_A);
    source_make(&settings);
    source_attempt();
    assert_false(provider_was_sent(source_fixture.provider, "/jwks", "If-None-Match"));
    assert_int_equal(source_attempt_after_s(100), 1);
    assert_true(provider_was_sent(source_fixture.provider, "/jwks", "If-None-Match: \"v1\""));
    source_assert_problem(NULL);
    assert_int_equal(source_due_in_ms(), 100000);
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 1);
    /* It counts as a success, so it puts off the day on which the keys are stale. */
    assert_int_equal(source_attempt_after_s(100), 1);
    provider_answer(source_fixture.provider, "/jwks", "500 Oops", "", "");
    source_fixture.now_ms += 86399000;
    source_attempt();
    assert_true(has_kid(source_fixture.slot, "a"));
}

static void a_304_that_nobody_asked_for_is_a_failure(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "304 Not Modified", "", "");
    source_make(&settings);
    assert_int_equal(source_attempt(), 1);
    source_assert_problem("status 304");
    assert_false(keyset_slot_generation(source_fixture.slot) > 0);
}

static void an_etag_goes_with_its_keys(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer_tagged(source_fixture.provider, "/jwks", "\"v1\"", "", SET_A);
    source_make(&settings);
    source_attempt();
    provider_answer(source_fixture.provider, "/jwks", "500 Oops", "", "");
    source_attempt_after_s(86400);
    assert_false(has_kid(source_fixture.slot, "a"));
    provider_answer_tagged(source_fixture.provider, "/jwks", "\"v1\"", "", SET_A);
    source_attempt_after_s(60);
    assert_false(provider_was_sent(source_fixture.provider, "/jwks", "If-None-Match"));
    assert_true(has_kid(source_fixture.slot, "a"));
    /* A set that was taken without one has none. */
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_AB);
    source_attempt_after_s(3600);
    source_attempt_after_s(3600);
    assert_false(provider_was_sent(source_fixture.provider, "/jwks", "If-None-Match"));
}

static void assert_keeps_good_set(const char *status, const char *body, const char *problem)
{
    provider_answer(source_fixture.provider, "/jwks", status, "", body);
    assert_int_equal(source_attempt_after_s(3600), 1);
    source_assert_problem(problem);
    source_assert_problem(provider_url(source_fixture.provider, "/jwks"));
    assert_true(has_kid(source_fixture.slot, "a"));
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 1);
}

static void what_is_no_good_never_replaces_a_good_set(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    source_make(&settings);
    source_attempt();
    assert_keeps_good_set("200 OK", "", "not a JSON object");
    assert_keeps_good_set("200 OK", "{\"keys\":[", "not a JSON object");
    assert_keeps_good_set("200 OK", "<html>Sign in</html>", "not a JSON object");
    assert_keeps_good_set("200 OK", "{\"error\":\"x\"}", "neither a JWK Set");
    assert_keeps_good_set("200 OK", "{\"keys\":[]}", "jwks: no usable key");
    assert_keeps_good_set("200 OK", SET_OF("{\"kty\":\"XYZ\"}"), "no usable key (keys[0]: ");
    /* Of a kind that no allowed algorithm can use. */
    assert_keeps_good_set("200 OK",
                          SET_OF("{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}"),
                          "no usable key");
    assert_keeps_good_set("204 No Content", "", "status 204");
    assert_keeps_good_set("404 Not Found", SET_AB, "status 404");
    assert_keeps_good_set("500 Oops", "", "status 500");
    char *big = calloc(1, 70000);
    memset(big, ' ', 69999);
    assert_keeps_good_set("200 OK", big, "body over 65536 bytes");
    free(big);
    assert_int_equal(source_lines_of("keys_changed"), 1);
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_AB);
    assert_int_equal(source_attempt_after_s(60), 1);
    source_assert_problem(NULL);
    assert_true(has_kid(source_fixture.slot, "b"));
}

static void failures_are_logged_and_back_off(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "500 Oops", "", "secret body");
    source_make(&settings);
    for (int i = 0; i < 8; i++) {
        int64_t expected_s = i < 6 ? 1 << i : 60;
        assert_int_equal(source_attempt(), 1);
        assert_true(key_source_is_settled(source_fixture.source));
        assert_int_equal(source_due_in_ms(), expected_s * 1000);
        const json_t *line = source_last_line("keys_refresh_failed", LOG_LEVEL_WARN);
        assert_string_equal(source_text_of(line, "issuer"), "https://idp.example.com");
        assert_string_equal(source_text_of(line, "url"), provider_url(source_fixture.provider, "/jwks"));
        assert_non_null(strstr(source_text_of(line, "problem"), "/jwks: status 500"));
        assert_null(strstr(source_text_of(line, "problem"), "secret"));
        assert_int_equal(source_number_of(line, "failures"), i + 1);
        assert_int_equal(source_number_of(line, "retry_in_s"), expected_s);
        assert_true(json_is_false(json_object_get(line, "has_keys")));
        source_fixture.now_ms = key_source_due_ms(source_fixture.source);
    }
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    source_attempt();
    provider_answer(source_fixture.provider, "/jwks", "500 Oops", "", "");
    source_attempt_after_s(3600);
    assert_true(
        json_is_true(json_object_get(source_last_line("keys_refresh_failed", LOG_LEVEL_WARN), "has_keys")));
    assert_int_equal(source_due_in_ms(), 1000);
}

static void a_provider_that_asks_for_peace_gets_it(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "429 Too Many Requests", "Retry-After: 100\r\n", "");
    source_make(&settings);
    source_attempt();
    keyset_slot_want(source_fixture.slot);
    assert_int_equal(source_due_in_ms(), 100000);
    assert_int_equal(source_number_of(source_last_line("keys_refresh_failed", LOG_LEVEL_WARN), "retry_in_s"),
                     100);
    assert_int_equal(source_attempt_after_s(99), 0);
    assert_int_equal(source_attempt_after_s(1), 1);
}

static void wishes_are_served_once_in_a_cooldown(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    source_make(&settings);
    source_attempt();
    for (int i = 0; i < 1000; i++)
        keyset_slot_want(source_fixture.slot);
    assert_int_equal(source_due_in_ms(), 30000);
    assert_int_equal(source_attempt_after_s(29), 0);
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_AB);
    assert_int_equal(source_attempt_after_s(1), 1);
    assert_true(has_kid(source_fixture.slot, "b"));
    assert_false(keyset_slot_is_wanted(source_fixture.slot));
    assert_int_equal(source_due_in_ms(), 3600000);
    /* After a longer time nobody waits. */
    source_fixture.now_ms += 1000000;
    keyset_slot_want(source_fixture.slot);
    assert_int_equal(source_attempt(), 1);
    assert_int_equal(provider_count(source_fixture.provider, "/jwks"), 3);
}

static void a_wish_is_served_while_backing_off(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    settings.cooldown_s = 5;
    provider_answer(source_fixture.provider, "/jwks", "500 Oops", "", "");
    source_make(&settings);
    for (int i = 0; i < 8; i++) {
        source_attempt();
        source_fixture.now_ms = key_source_due_ms(source_fixture.source);
    }
    source_attempt();
    assert_int_equal(source_due_in_ms(), 60000);
    keyset_slot_want(source_fixture.slot);
    assert_int_equal(source_due_in_ms(), 5000);
}

static void a_wish_during_a_fetch_asks_again(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    source_make(&settings);
    source_attempt();
    provider_hold(source_fixture.provider, "/jwks");
    keyset_slot_want(source_fixture.slot);
    source_fixture.now_ms += 30000;
    key_source_step(source_fixture.source, source_fixture.now_ms);
    assert_false(keyset_slot_is_wanted(source_fixture.slot));
    keyset_slot_want(source_fixture.slot);
    assert_true(keyset_slot_is_wanted(source_fixture.slot));
    /* Another cooldown goes by: still one at a time. */
    source_fixture.now_ms += 60000;
    while (provider_count(source_fixture.provider, "/jwks") < 2) {
        key_source_step(source_fixture.source, source_fixture.now_ms);
        fetcher_poll(source_fixture.fetcher, 10);
    }
    key_source_step(source_fixture.source, source_fixture.now_ms);
    fetcher_poll(source_fixture.fetcher, 0);
    assert_int_equal(provider_count(source_fixture.provider, "/jwks"), 2);
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_AB);
    provider_let_go(source_fixture.provider);
    int before = source_fixture.outcomes;
    while (source_fixture.outcomes == before)
        fetcher_poll(source_fixture.fetcher, 1000);
    assert_true(keyset_slot_is_wanted(source_fixture.slot));
    assert_int_equal(source_attempt(), 1);
    assert_int_equal(provider_count(source_fixture.provider, "/jwks"), 3);
}

static void keys_are_given_up_once_and_come_back(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    settings.stale_max_s = 7300;
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    source_make(&settings);
    source_attempt();
    provider_answer(source_fixture.provider, "/jwks", "500 Oops", "", "");
    int64_t stale_ms = source_fixture.now_ms + 7300000;
    while (key_source_due_ms(source_fixture.source) < stale_ms) {
        source_fixture.now_ms = key_source_due_ms(source_fixture.source);
        source_attempt();
        assert_true(has_kid(source_fixture.slot, "a"));
    }
    assert_int_equal(source_lines_of("keys_stale"), 0);
    source_fixture.now_ms = stale_ms;
    source_attempt();
    assert_false(has_kid(source_fixture.slot, "a"));
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 2);
    source_assert_problem("status 500");
    const json_t *line = source_last_line("keys_stale", LOG_LEVEL_ERROR);
    assert_string_equal(source_text_of(line, "issuer"), "https://idp.example.com");
    assert_int_equal(source_number_of(line, "stale_max_s"), 7300);
    source_attempt_after_s(60);
    source_attempt_after_s(60);
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 2);
    assert_int_equal(source_lines_of("keys_stale"), 1);
    assert_true(
        json_is_false(json_object_get(source_last_line("keys_refresh_failed", LOG_LEVEL_WARN), "has_keys")));
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    source_attempt_after_s(60);
    assert_true(has_kid(source_fixture.slot, "a"));
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 3);
    source_assert_problem(NULL);
}

static void keys_are_given_up_during_a_fetch_too(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer_tagged(source_fixture.provider, "/jwks", "\"v1\"", "", SET_A);
    source_make(&settings);
    source_attempt();
    provider_hold(source_fixture.provider, "/jwks");
    source_fixture.now_ms += 3600000;
    key_source_step(source_fixture.source, source_fixture.now_ms);
    while (provider_count(source_fixture.provider, "/jwks") < 2)
        fetcher_poll(source_fixture.fetcher, 10);
    source_fixture.now_ms = key_source_due_ms(source_fixture.source);
    key_source_step(source_fixture.source, source_fixture.now_ms);
    assert_false(has_kid(source_fixture.slot, "a"));
    /* "As it was" would be no keys now. */
    provider_answer(source_fixture.provider, "/jwks", "304 Not Modified", "", "");
    provider_let_go(source_fixture.provider);
    int before = source_fixture.outcomes;
    while (source_fixture.outcomes == before)
        fetcher_poll(source_fixture.fetcher, 1000);
    source_assert_problem("status 304");
    provider_answer_tagged(source_fixture.provider, "/jwks", "\"v1\"", "", SET_A);
    source_attempt_after_s(1);
    assert_true(has_kid(source_fixture.slot, "a"));
}

static void inherited_keys_are_as_old_as_they_were(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", SET_A);
    source_make(&settings);
    source_attempt();
    int64_t stale_ms = source_fixture.now_ms + 86400000;
    source_fixture.now_ms += 1000000;
    provider_answer(source_fixture.provider, "/jwks", "500 Oops", "", "");
    key_source_t *old = source_fixture.source;
    source_fixture.source = key_source_new(&settings, source_fixture.fetcher, NULL, NULL, old);
    key_source_free(old);
    assert_non_null(source_fixture.source);
    source_fixture.slot = key_source_slot(source_fixture.source);
    assert_true(has_kid(source_fixture.slot, "a"));
    /* Nobody has to wait for it. */
    assert_true(key_source_is_settled(source_fixture.source));
    assert_int_equal(source_attempt(), 1);
    assert_true(has_kid(source_fixture.slot, "a"));
    source_fixture.now_ms = stale_ms - 1;
    source_attempt();
    assert_true(has_kid(source_fixture.slot, "a"));
    source_fixture.now_ms = stale_ms;
    source_attempt();
    assert_false(has_kid(source_fixture.slot, "a"));
}

/* A set of 25 keys that cannot be used and a good one; kid is that of each bad one. */
static char *noisy_set(const char *kid)
{
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    assert_non_null(stream);
    fputs("{\"keys\":[", stream);
    for (int i = 0; i < 25; i++)
        fprintf(stream, "{\"kty\":\"XYZ\",\"kid\":\"%s\"},", kid);
    fputs(EC_KEY("a") "]}", stream);
    fclose(stream);
    return text;
}

static void notes_about_keys_are_thin(void **state)
{
    (void)state;
    key_source_settings_t settings = source_jwks_settings();
    /* 63 bytes and then one character of two: none is cut in half. */
    char *set = noisy_set("0123456789012345678901234567890123456789012345678901234567890"
                          "12\xc3\xa4-and-more");
    provider_answer(source_fixture.provider, "/jwks", "200 OK", "", set);
    free(set);
    source_make(&settings);
    source_attempt();
    assert_int_equal(source_lines_of("key_note"), 20);
    const json_t *line = source_last_line("key_note", LOG_LEVEL_WARN);
    assert_string_equal(source_text_of(line, "issuer"), "https://idp.example.com");
    assert_int_equal(source_number_of(line, "key"), 19);
    assert_string_equal(source_text_of(line, "kid"),
                        "012345678901234567890123456789012345678901234567890123456789012");
    assert_true(json_is_true(json_object_get(line, "skipped")));
    assert_true(source_text_of(line, "note")[0] != '\0');
    assert_int_equal(source_number_of(source_last_line("key_notes_left_out", LOG_LEVEL_WARN), "count"), 5);
    /* Nothing is new: nothing is told again. */
    source_attempt_after_s(3600);
    assert_int_equal(source_lines_of("key_note"), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_set_is_fetched_at_once_and_again_in_time, source_start,
                                        source_stop),
        cmocka_unit_test_setup_teardown(an_equal_set_changes_nothing, source_start, source_stop),
        cmocka_unit_test_setup_teardown(a_304_says_that_nothing_changed, source_start, source_stop),
        cmocka_unit_test_setup_teardown(a_304_that_nobody_asked_for_is_a_failure, source_start, source_stop),
        cmocka_unit_test_setup_teardown(an_etag_goes_with_its_keys, source_start, source_stop),
        cmocka_unit_test_setup_teardown(what_is_no_good_never_replaces_a_good_set, source_start, source_stop),
        cmocka_unit_test_setup_teardown(failures_are_logged_and_back_off, source_start, source_stop),
        cmocka_unit_test_setup_teardown(a_provider_that_asks_for_peace_gets_it, source_start, source_stop),
        cmocka_unit_test_setup_teardown(wishes_are_served_once_in_a_cooldown, source_start, source_stop),
        cmocka_unit_test_setup_teardown(a_wish_is_served_while_backing_off, source_start, source_stop),
        cmocka_unit_test_setup_teardown(a_wish_during_a_fetch_asks_again, source_start, source_stop),
        cmocka_unit_test_setup_teardown(keys_are_given_up_once_and_come_back, source_start, source_stop),
        cmocka_unit_test_setup_teardown(keys_are_given_up_during_a_fetch_too, source_start, source_stop),
        cmocka_unit_test_setup_teardown(inherited_keys_are_as_old_as_they_were, source_start, source_stop),
        cmocka_unit_test_setup_teardown(notes_about_keys_are_thin, source_start, source_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
