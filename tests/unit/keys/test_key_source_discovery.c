#include "source_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define OPENID "/tenant/.well-known/openid-configuration"
#define OAUTH "/.well-known/oauth-authorization-server/tenant"

static provider_t *provider;
static const char *issuer;

/* A source of an issuer whose place has to be discovered. */
static int start(void **state)
{
    if (source_start(state) != 0)
        return -1;
    provider = source_fixture.provider;
    issuer = provider_url(provider, "/tenant/");
    key_source_settings_t settings = settings_for(issuer, NULL);
    source_make(&settings);
    provider_answer(provider, "/jwks", "200 OK", "", SET_A);
    return 0;
}

static void publish_at(const char *path, const char *name, const char *jwks_uri)
{
    char document[512];
    snprintf(document, sizeof(document), "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", name, jwks_uri);
    provider_answer(provider, path, "200 OK", "", document);
}

static void publish(const char *path)
{
    publish_at(path, issuer, provider_url(provider, "/jwks"));
}

static void the_openid_document_is_enough(void **state)
{
    (void)state;
    publish(OPENID);
    assert_int_equal(source_attempt(), 1);
    assert_true(has_kid(source_fixture.slot, "a"));
    source_assert_problem(NULL);
    assert_int_equal(provider_count(provider, OPENID), 1);
    assert_int_equal(provider_count(provider, OAUTH), 0);
    assert_int_equal(provider_count(provider, "/jwks"), 1);
    assert_string_equal(source_text_of(source_last_line("keys_changed", LOG_LEVEL_INFO), "url"),
                        provider_url(provider, "/jwks"));
}

/* The first document is unusable, so the second is read. */
static void assert_falls_back(void)
{
    publish(OAUTH);
    size_t before = provider_count(provider, OAUTH);
    source_attempt_after_s(3600);
    source_assert_problem(NULL);
    assert_true(has_kid(source_fixture.slot, "a"));
    assert_int_equal(provider_count(provider, OAUTH), before + 1);
}

static void the_other_document_stands_in(void **state)
{
    (void)state;
    assert_falls_back();
    provider_answer(provider, OPENID, "200 OK", "", "<html>");
    assert_falls_back();
    provider_answer(provider, OPENID, "500 Oops", "", "");
    assert_falls_back();
    publish_at(OPENID, "https://evil.example.com", provider_url(provider, "/evil"));
    assert_falls_back();
    publish_at(OPENID, issuer, "file:///etc/passwd");
    assert_falls_back();
    assert_int_equal(source_lines_of("keys_refresh_failed"), 0);
    assert_int_equal(provider_count(provider, "/evil"), 0);
}

static void both_problems_are_told(void **state)
{
    (void)state;
    publish_at(OPENID, "https://evil.example.com", provider_url(provider, "/evil"));
    assert_int_equal(source_attempt(), 1);
    source_assert_problem(OPENID ": the document's issuer is another one; ");
    source_assert_problem(OAUTH ": status 404");
    assert_false(has_kid(source_fixture.slot, "a"));
    assert_int_equal(provider_count(provider, "/evil"), 0);
    const json_t *line = source_last_line("keys_refresh_failed", LOG_LEVEL_WARN);
    assert_string_equal(source_text_of(line, "issuer"), issuer);
    assert_string_equal(source_text_of(line, "url"), provider_url(provider, OAUTH));
}

static void who_asks_for_peace_is_not_asked_twice(void **state)
{
    (void)state;
    publish(OAUTH);
    provider_answer(provider, OPENID, "503 Busy", "Retry-After: 100\r\n", "");
    assert_int_equal(source_attempt(), 1);
    source_assert_problem("status 503");
    assert_int_equal(provider_count(provider, OAUTH), 0);
    assert_int_equal(source_due_in_ms(), 100000);
}

static void who_does_not_answer_is_not_asked_twice(void **state)
{
    (void)state;
    publish(OAUTH);
    provider_answer_raw(provider, OPENID, "", NULL);
    assert_int_equal(source_attempt(), 1);
    source_assert_problem(OPENID ": ");
    assert_int_equal(provider_count(provider, OAUTH), 0);
}

static void the_place_is_remembered_for_an_hour(void **state)
{
    (void)state;
    publish(OPENID);
    provider_answer(provider, "/jwks", "200 OK", "Cache-Control: max-age=900\r\n", SET_A);
    source_attempt();
    for (int i = 0; i < 3; i++)
        assert_int_equal(source_attempt_after_s(900), 1);
    assert_int_equal(provider_count(provider, OPENID), 1);
    assert_int_equal(source_attempt_after_s(901), 1);
    assert_int_equal(provider_count(provider, OPENID), 2);
    assert_int_equal(provider_count(provider, "/jwks"), 5);
    assert_int_equal(keyset_slot_generation(source_fixture.slot), 1);
}

static void a_place_that_lacks_a_key_is_asked_for_again(void **state)
{
    (void)state;
    publish(OPENID);
    source_attempt();
    keyset_slot_want(source_fixture.slot);
    assert_int_equal(source_attempt_after_s(30), 1);
    assert_int_equal(provider_count(provider, OPENID), 1);
    /* It had no such key, and its place is a minute old. */
    keyset_slot_want(source_fixture.slot);
    assert_int_equal(source_attempt_after_s(30), 1);
    assert_int_equal(provider_count(provider, OPENID), 2);
    keyset_slot_want(source_fixture.slot);
    assert_int_equal(source_attempt_after_s(30), 1);
    assert_int_equal(provider_count(provider, OPENID), 2);
    assert_int_equal(provider_count(provider, "/jwks"), 4);
}

static void a_place_that_fails_is_asked_for_again(void **state)
{
    (void)state;
    publish(OPENID);
    source_attempt();
    provider_answer(provider, "/jwks", "404 Not Found", "", "");
    keyset_slot_want(source_fixture.slot);
    source_attempt_after_s(30);
    source_assert_problem("/jwks: status 404");
    assert_true(has_kid(source_fixture.slot, "a"));
    provider_answer(provider, "/moved", "200 OK", "", SET_AB);
    publish_at(OPENID, issuer, provider_url(provider, "/moved"));
    source_attempt_after_s(1);
    source_assert_problem(NULL);
    assert_true(has_kid(source_fixture.slot, "b"));
}

static void an_etag_is_not_sent_to_another_place(void **state)
{
    (void)state;
    publish(OPENID);
    provider_answer_tagged(provider, "/jwks", "\"v1\"", "", SET_A);
    source_attempt();
    provider_answer_tagged(provider, "/moved", "\"v1\"", "", SET_AB);
    publish_at(OPENID, issuer, provider_url(provider, "/moved"));
    source_attempt_after_s(3600);
    assert_int_equal(provider_count(provider, "/moved"), 1);
    assert_false(provider_was_sent(provider, "/moved", "If-None-Match"));
    assert_true(has_kid(source_fixture.slot, "b"));
    source_attempt_after_s(3600);
    assert_true(provider_was_sent(provider, "/moved", "If-None-Match: \"v1\""));
    source_assert_problem(NULL);
}

static void another_place_cannot_say_that_nothing_changed(void **state)
{
    (void)state;
    publish(OPENID);
    provider_answer_tagged(provider, "/jwks", "\"v1\"", "", SET_A);
    source_attempt();
    provider_answer(provider, "/moved", "304 Not Modified", "", "");
    publish_at(OPENID, issuer, provider_url(provider, "/moved"));
    source_attempt_after_s(3600);
    source_assert_problem("/moved: status 304");
}

static void not_every_issuer_has_documents(void **state)
{
    (void)state;
    static const char *const ISSUERS[] = {"urn:example:issuer", "https://idp.example.com?tenant=1", ""};
    for (size_t i = 0; i < sizeof(ISSUERS) / sizeof(ISSUERS[0]); i++) {
        key_source_free(source_fixture.source);
        key_source_settings_t settings = settings_for(ISSUERS[i], NULL);
        source_make(&settings);
        assert_int_equal(source_attempt(), 1);
        source_assert_problem("cannot be discovered");
        assert_true(key_source_is_settled(source_fixture.source));
        assert_int_equal(source_due_in_ms(), 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_openid_document_is_enough, start, source_stop),
        cmocka_unit_test_setup_teardown(the_other_document_stands_in, start, source_stop),
        cmocka_unit_test_setup_teardown(both_problems_are_told, start, source_stop),
        cmocka_unit_test_setup_teardown(who_asks_for_peace_is_not_asked_twice, start, source_stop),
        cmocka_unit_test_setup_teardown(who_does_not_answer_is_not_asked_twice, start, source_stop),
        cmocka_unit_test_setup_teardown(the_place_is_remembered_for_an_hour, start, source_stop),
        cmocka_unit_test_setup_teardown(a_place_that_lacks_a_key_is_asked_for_again, start, source_stop),
        cmocka_unit_test_setup_teardown(a_place_that_fails_is_asked_for_again, start, source_stop),
        cmocka_unit_test_setup_teardown(an_etag_is_not_sent_to_another_place, start, source_stop),
        cmocka_unit_test_setup_teardown(another_place_cannot_say_that_nothing_changed, start, source_stop),
        cmocka_unit_test_setup_teardown(not_every_issuer_has_documents, start, source_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
