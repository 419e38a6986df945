#include "access_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>

static const struct timespec TIME = {.tv_sec = 1795385045, .tv_nsec = 7999999};

/* The line as text, after what holds for every line. */
static char *formatted(const access_line_t *line, const answer_note_t *note)
{
    char *out = malloc(ACCESS_LINE_SIZE);
    assert_non_null(out);
    memset(out, 0x55, ACCESS_LINE_SIZE);
    size_t len = access_line_format(line, note, out);
    assert_in_range(len, 2, ACCESS_LINE_SIZE - 1);
    assert_int_equal(out[len - 1], '\n');
    for (size_t i = 0; i + 1 < len; i++)
        assert_true(out[i] >= ' ' && out[i] <= '~');
    assert_int_equal(out[len], 0x55);
    out[len - 1] = '\0';
    return out;
}

static void assert_line(const access_line_t *line, const answer_note_t *note, const char *expected)
{
    char *text = formatted(line, note);
    assert_string_equal(text, expected);
    free(text);
}

static void test_active(void **state)
{
    (void)state;
    client_t client = {.client_id = (char *)"front", .profile = PROFILE_FRONT_PRIVATE};
    config_issuer_t issuer = {.rules.issuer = (char *)"https://idp.example.com/"};
    const unsigned char address[4] = {192, 0, 2, 7};
    access_line_t line = {
        .time = TIME, .peer = ip_address_from_v4(address), .token_name = "0123456789ab", .sample = 1};
    answer_note_t note = {.outcome = OUTCOME_ACTIVE,
                          .status = 200,
                          .client = &client,
                          .issuer = &issuer,
                          .is_from_cache = true,
                          .duration_us = 42};
    assert_line(&line, &note,
                "{\"time\":\"2026-11-22T22:04:05.007Z\",\"client\":\"front\",\"profile\":\"front_private\","
                "\"protocol\":\"http1\",\"status\":200,\"outcome\":\"active\","
                "\"issuer\":\"https://idp.example.com/\",\"token\":\"0123456789ab\",\"cached\":true,"
                "\"duration_us\":42,\"peer\":\"192.0.2.7\"}");
}

static void test_without_anything(void **state)
{
    (void)state;
    access_line_t line = {.time = {.tv_sec = 0, .tv_nsec = 999999999}, .is_http2 = true, .sample = 1};
    answer_note_t note = {.outcome = OUTCOME_UNAUTHORIZED, .status = 401, .duration_us = -1};
    assert_line(
        &line, &note,
        "{\"time\":\"1970-01-01T00:00:00.999Z\",\"client\":null,\"protocol\":\"http2\",\"status\":401,"
        "\"outcome\":\"unauthorized\",\"duration_us\":0}");
}

static void test_what_it_stands_for(void **state)
{
    (void)state;
    access_line_t line = {.time = TIME, .is_among_events = true, .sample = 1000000, .left_out = UINT64_MAX};
    answer_note_t note = {.outcome = OUTCOME_INACTIVE,
                          .status = 200,
                          .reason = REASON_MAPPING_MISSING,
                          .duration_us = INT64_MAX};
    assert_line(
        &line, &note,
        "{\"time\":\"2026-11-22T22:04:05.007Z\",\"level\":\"info\",\"event\":\"request\",\"client\":null,"
        "\"protocol\":\"http1\",\"status\":200,\"outcome\":\"inactive\",\"reason\":\"mapping_missing\","
        "\"duration_us\":9223372036854775807,\"sample\":1000000,\"left_out\":18446744073709551615}");
}

static void test_times_follow_each_other(void **state)
{
    (void)state;
    answer_note_t note = {.outcome = OUTCOME_INVALID, .status = 400};
    for (int64_t second = TIME.tv_sec; second < TIME.tv_sec + 3; second++) {
        for (long ms = 0; ms < 1000; ms += 111) {
            char expected[256];
            access_line_t line = {.time = {.tv_sec = second, .tv_nsec = ms * 1000000}, .sample = 1};
            snprintf(expected, sizeof(expected),
                     "{\"time\":\"2026-11-22T22:04:%02d.%03ldZ\",\"client\":null,\"protocol\":\"http1\","
                     "\"status\":400,\"outcome\":\"invalid\",\"duration_us\":0}",
                     (int)(second - TIME.tv_sec) + 5, ms);
            assert_line(&line, &note, expected);
        }
    }
}

/* Formats a line with these texts, and reads them out of it with a parser that is not ours. */
static void assert_texts(const char *client_id, const char *issuer_id, const char *expected_issuer)
{
    client_t client = {.client_id = (char *)client_id, .profile = PROFILE_RFC7662};
    config_issuer_t issuer = {.rules.issuer = (char *)issuer_id};
    access_line_t line = {.time = TIME,
                          .token_name = "0123456789ab",
                          .sample = 1000000,
                          .left_out = INT64_MAX,
                          .is_among_events = true,
                          .is_http2 = true};
    answer_note_t note = {.outcome = OUTCOME_UNAVAILABLE,
                          .status = 503,
                          .client = &client,
                          .issuer = &issuer,
                          .reason = REASON_ALGORITHM_NOT_ALLOWED,
                          .duration_us = INT64_MAX};
    memset(line.peer.bytes, 0xff, sizeof(line.peer.bytes));
    line.peer.family = IP_FAMILY_V6;
    char *text = formatted(&line, &note);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL)
        fail_msg("no JSON: %s", text);
    assert_string_equal(json_string_value(json_object_get(json, "client")), client_id);
    assert_string_equal(json_string_value(json_object_get(json, "issuer")), expected_issuer);
    assert_string_equal(json_string_value(json_object_get(json, "peer")),
                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_int_equal(json_object_size(json), 16);
    json_decref(json);
    free(text);
}

static void test_hostile_texts(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "plain",
        "\"}\n{\"event\":\"forged\"",
        "back\\slash\\u0041\\",
        "\x01\x1f\x7f\t\r\b\f",
        "\xc2\x80\xc2\x85\xc2\x9b",
        "\xe2\x80\xa8\xe2\x80\xa9\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80",
        "\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
        "\xc3\xbcml\xc3\xa4ut",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_texts(TEXTS[i], TEXTS[i], TEXTS[i]);
}

static void test_text_that_is_not_utf8(void **state)
{
    (void)state;
    client_t client = {.client_id = (char *)"a\xff\xc3(\xe2\x80", .profile = PROFILE_RFC7662};
    access_line_t line = {.time = TIME, .sample = 1};
    answer_note_t note = {.outcome = OUTCOME_ACTIVE, .status = 200, .client = &client};
    char *text = formatted(&line, &note);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "client")),
                        "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(json);
    free(text);
}

/* The longest of everything finds room; a longer issuer is cut between characters. */
static void test_longest(void **state)
{
    (void)state;
    static const char *const CHARACTERS[] = {"x",        "\"",           "\x01",
                                             "\xc3\xbc", "\xe2\x80\xa8", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < sizeof(CHARACTERS) / sizeof(CHARACTERS[0]); i++) {
        char client_id[CLIENT_MAX_ID_BYTES + 1] = "";
        char issuer[3000] = "";
        size_t len = strlen(CHARACTERS[i]);
        for (size_t at = 0; at + len < sizeof(client_id); at += len)
            memcpy(client_id + at, CHARACTERS[i], len + 1);
        for (size_t at = 0; at + len < sizeof(issuer); at += len)
            memcpy(issuer + at, CHARACTERS[i], len + 1);
        client_t client = {.client_id = client_id};
        config_issuer_t configured = {.rules.issuer = issuer};
        access_line_t line = {.time = TIME, .sample = 1};
        answer_note_t note = {
            .outcome = OUTCOME_ACTIVE, .status = 200, .client = &client, .issuer = &configured};
        char *text = formatted(&line, &note);
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        const char *got = json_string_value(json_object_get(json, "issuer"));
        assert_string_equal(json_string_value(json_object_get(json, "client")), client_id);
        assert_non_null(got);
        assert_in_range(strlen(got), 1, sizeof(issuer) - 2);
        assert_memory_equal(got, issuer, strlen(got));
        assert_int_equal(strlen(got) % len, 0);
        json_decref(json);
        free(text);
    }
}

static void test_names_of_outcomes(void **state)
{
    (void)state;
    static const char *const NAMES[OUTCOME_COUNT] = {"active",       "inactive",  "unavailable", "overloaded",
                                                     "unauthorized", "throttled", "invalid"};
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        assert_string_equal(outcome_name((outcome_t)i), NAMES[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_active),
        cmocka_unit_test(test_without_anything),
        cmocka_unit_test(test_what_it_stands_for),
        cmocka_unit_test(test_times_follow_each_other),
        cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_text_that_is_not_utf8),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_names_of_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
