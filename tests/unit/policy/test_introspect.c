#include "introspect_fixture.h"

static void answers_a_good_token_twice(void **state)
{
    fixture_t *fixture = *state;
    static const char ANSWER[] =
        "{\"active\":true,\"front_channel_name\":\"Name\",\"front_channel_address\":\"a1\"}";
    char *token = good_token(fixture, NOW_S + 30, "");
    introspect_verdict_t first = introspect(fixture->worker, fixture->front, token, NOW_S);
    assert_int_equal(first.outcome, INTROSPECT_ACTIVE);
    assert_false(first.is_from_cache);
    assert_string_equal(first.kid, "k1");
    assert_answer(first, ANSWER);
    introspect_verdict_t second = introspect(fixture->worker, fixture->front, token, NOW_S);
    assert_int_equal(second.outcome, INTROSPECT_ACTIVE);
    assert_true(second.is_from_cache);
    assert_ptr_equal(second.issuer, &fixture->config->issuers[0]);
    assert_answer(second, ANSWER);
    free(token);
}

static void caches_nothing_beyond_the_token(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 30, "");
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).outcome, INTROSPECT_ACTIVE);
    assert_true(introspect(fixture->worker, fixture->front, token, NOW_S + 29).is_from_cache);
    /* Within the leeway it is verified anew each time. */
    for (int i = 0; i < 2; i++) {
        introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S + 39);
        assert_int_equal(verdict.outcome, INTROSPECT_ACTIVE);
        assert_false(verdict.is_from_cache);
    }
    introspect_verdict_t dead = introspect(fixture->worker, fixture->front, token, NOW_S + 40);
    assert_int_equal(dead.outcome, INTROSPECT_INACTIVE);
    assert_int_equal(dead.reason, REASON_EXPIRED);
    free(token);
}

static void caches_nothing_beyond_its_own_maximum(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 3600, "");
    introspect(fixture->worker, fixture->front, token, NOW_S);
    assert_true(introspect(fixture->worker, fixture->front, token, NOW_S + 59).is_from_cache);
    assert_false(introspect(fixture->worker, fixture->front, token, NOW_S + 60).is_from_cache);
    free(token);
}

static void keeps_clients_apart(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 30, ",\"sub\":\"s\"");
    introspect(fixture->worker, fixture->front, token, NOW_S);
    introspect_verdict_t other = introspect(fixture->worker, fixture->rs, token, NOW_S);
    assert_false(other.is_from_cache);
    assert_answer(other,
                  "{\"active\":true,\"exp\":1700000030,\"sub\":\"s\",\"aud\":\"https://api.example\",\"iss\":"
                  "\"https://idp.example/\"}");
    free(token);
}

static void remembers_an_inactive_verdict_with_its_reason(void **state)
{
    fixture_t *fixture = *state;
    char *payload = payload_until(NOW_S + 30, "");
    char *token = sign(fixture->other_key, HEADER, payload);
    for (int i = 0; i < 2; i++) {
        introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S);
        assert_int_equal(verdict.outcome, INTROSPECT_INACTIVE);
        assert_int_equal(verdict.reason, REASON_BAD_SIGNATURE);
        assert_int_equal(verdict.is_from_cache, i == 1);
        assert_ptr_equal(verdict.issuer, &fixture->config->issuers[0]);
        assert_string_equal(verdict.kid, "k1");
        assert_answer(verdict, "{\"active\":false}");
    }
    free(token);
    free(payload);
}

static void assert_refused_signature(const fixture_t *fixture, const char *token)
{
    introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S);
    assert_int_equal(verdict.reason, REASON_BAD_SIGNATURE);
    assert_false(verdict.is_from_cache);
}

/* The header of a good token is remembered; nothing else of it vouches for another one. */
static void refuses_forgeries_under_a_good_header(void **state)
{
    fixture_t *fixture = *state;
    char *good = good_token(fixture, NOW_S + 30, "");
    char *later = payload_until(NOW_S + 60, "");
    char *foreign = sign(fixture->other_key, HEADER, later);
    char *grafted = sign(fixture->other_key, HEADER, later);
    char *again = sign(fixture->key, HEADER, later);
    assert_int_equal(introspect(fixture->worker, fixture->front, good, NOW_S).outcome, INTROSPECT_ACTIVE);
    assert_int_equal(strlen(strrchr(grafted, '.')), strlen(strrchr(good, '.')));
    strcpy(strrchr(grafted, '.'), strrchr(good, '.'));
    assert_refused_signature(fixture, foreign);
    assert_refused_signature(fixture, grafted);
    assert_int_equal(introspect(fixture->worker, fixture->front, again, NOW_S).outcome, INTROSPECT_ACTIVE);
    free(good);
    free(later);
    free(foreign);
    free(grafted);
    free(again);
}

static void keeps_good_verdicts_through_a_flood_of_bad_tokens(void **state)
{
    fixture_t *fixture = *state;
    char *good = good_token(fixture, NOW_S + 30, "");
    introspect(fixture->worker, fixture->front, good, NOW_S);
    /* Many times what the cache of 1 MiB holds. */
    for (int i = 0; i < 50000; i++) {
        char bad[32];
        snprintf(bad, sizeof(bad), "bad-token-%d", i);
        assert_int_equal(introspect(fixture->worker, fixture->front, bad, NOW_S).reason, REASON_MALFORMED);
    }
    assert_true(introspect(fixture->worker, fixture->front, "bad-token-49999", NOW_S).is_from_cache);
    assert_false(introspect(fixture->worker, fixture->front, "bad-token-0", NOW_S).is_from_cache);
    assert_true(introspect(fixture->worker, fixture->front, good, NOW_S).is_from_cache);
    free(good);
}

static void forgets_not_yet_valid_in_time(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 3600, ",\"nbf\":1700000030");
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).reason, REASON_NOT_YET_VALID);
    assert_true(introspect(fixture->worker, fixture->front, token, NOW_S + 19).is_from_cache);
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S + 20).outcome,
                     INTROSPECT_ACTIVE);
    free(token);
}

static reason_t reason_of(fixture_t *fixture, const char *header, const char *payload)
{
    char *token = sign(fixture->key, header, payload);
    reason_t reason = introspect(fixture->worker, fixture->front, token, NOW_S).reason;
    free(token);
    return reason;
}

static void gives_the_reason(void **state)
{
    fixture_t *fixture = *state;
    char *good = payload_until(NOW_S + 30, "");
    static const struct {
        const char *header;
        reason_t reason;
    } HEADERS[] = {
        {HEADER, REASON_NONE},
        {"{\"alg\":\"none\",\"typ\":\"at+jwt\"}", REASON_ALGORITHM_NOT_ALLOWED},
        {"{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}", REASON_ALGORITHM_NOT_ALLOWED},
        {"{\"alg\":\"ES256\",\"kid\":\"k2\",\"typ\":\"at+jwt\"}", REASON_UNKNOWN_KEY},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\"}", REASON_WRONG_TYPE},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", REASON_WRONG_TYPE},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"x\"]}", REASON_CRITICAL_HEADER},
        {"[]", REASON_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++)
        assert_int_equal(reason_of(fixture, HEADERS[i].header, good), HEADERS[i].reason);
    free(good);

    static const struct {
        const char *payload;
        reason_t reason;
    } PAYLOADS[] = {
        {"[]", REASON_MALFORMED},
        {"{}", REASON_WRONG_ISSUER},
        {"{\"iss\":1}", REASON_WRONG_ISSUER},
        {"{\"iss\":\"https://idp.example\"}", REASON_WRONG_ISSUER},
        {"{\"iss\":\"https://other.example/\",\"exp\":1700000030}",
         REASON_WRONG_ISSUER}, /* not this client's */
        {"{\"iss\":\"https://idp.example/\"}", REASON_MISSING_EXPIRY},
        {"{\"iss\":\"https://idp.example/\",\"exp\":\"1700000030\"}", REASON_INVALID_CLAIM},
        {"{\"iss\":\"https://idp.example/\",\"exp\":1699999990}", REASON_EXPIRED},
        {"{\"iss\":\"https://idp.example/\",\"exp\":1700000030}", REASON_WRONG_AUDIENCE},
        {"{\"iss\":\"https://idp.example/\",\"exp\":1700000030,\"aud\":[\"https://api.example\"]}",
         REASON_CLAIM_MISMATCH},
        {"{\"iss\":\"https://idp.example/\",\"exp\":1700000030,\"aud\":[\"https://"
         "api.example\"],\"token_use\":"
         "\"access\"}",
         REASON_MAPPING_MISSING},
    };
    for (size_t i = 0; i < sizeof(PAYLOADS) / sizeof(PAYLOADS[0]); i++)
        assert_int_equal(reason_of(fixture, HEADER, PAYLOADS[i].payload), PAYLOADS[i].reason);
    assert_int_equal(introspect(fixture->worker, fixture->front, "", NOW_S).reason, REASON_MALFORMED);
    assert_int_equal(introspect(fixture->worker, fixture->front, "a.b", NOW_S).reason, REASON_MALFORMED);
    assert_int_equal(introspect(fixture->worker, fixture->front, "a.b.c.d.e", NOW_S).reason,
                     REASON_ENCRYPTED);
}

static void bounds_the_token(void **state)
{
    fixture_t *fixture = *state;
    char *token = malloc(65538);
    assert_non_null(token);
    memset(token, 'a', 65537);
    token[65537] = '\0';
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).reason, REASON_TOO_LONG);
    token[65536] = '\0';
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).reason, REASON_MALFORMED);
    free(token);
}

static void answers_more_than_its_first_buffer_holds(void **state)
{
    fixture_t *fixture = *state;
    enum { LEN = 3 * INTROSPECT_MAX_ANSWER / 2 };
    char *more = malloc(LEN + 32);
    assert_non_null(more);
    strcpy(more, ",\"scope\":\"");
    size_t start = strlen(more);
    memset(more + start, 'x', LEN);
    strcpy(more + start + LEN, "\"");
    char *token = good_token(fixture, NOW_S + 30, more);
    for (int i = 0; i < 2; i++) {
        introspect_verdict_t verdict = introspect(fixture->worker, fixture->rs, token, NOW_S);
        assert_int_equal(verdict.outcome, INTROSPECT_ACTIVE);
        assert_true(verdict.answer.len > LEN);
    }
    free(token);
    free(more);
}

static void cuts_a_long_kid_between_characters(void **state)
{
    fixture_t *fixture = *state;
    char header[256] = "{\"alg\":\"ES256\",\"kid\":\"x";
    for (int i = 0; i < 50; i++)
        strcat(header, "\xc3\xa9");
    strcat(header, "\"}");
    char *payload = payload_until(NOW_S + 30, "");
    char *token = sign(fixture->key, header, payload);
    introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S);
    assert_int_equal(verdict.reason, REASON_UNKNOWN_KEY);
    assert_int_equal(strlen(verdict.kid), 63);
    assert_memory_equal(verdict.kid + 61, "\xc3\xa9", 2);
    free(token);
    free(payload);
}

static void tells_the_whole_story(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 30, ",\"nbf\":1699999999.5,\"iat\":1699999998");
    introspect_story_t story;
    introspect_tell(fixture->worker, fixture->front, slice_of(token), NOW_S, &story);
    assert_int_equal(story.outcome, INTROSPECT_ACTIVE);
    assert_true(story.signature_is_good);
    assert_string_equal(story.key, "EC P-256");
    assert_int_equal(story.times.exp_s, NOW_S + 30);
    assert_int_equal(story.times.nbf_s, 1699999999);
    assert_int_equal(story.times.iat_s, 1699999998);
    assert_string_equal(json_string_value(json_object_get(story.answer, "front_channel_name")), "Name");
    introspect_story_deinit(&story);
    free(token);

    token = sign(
        fixture->key, HEADER,
        "{\"iss\":\"https://idp.example/\",\"exp\":1700000030,\"aud\":\"https://api.example\",\"token_use\":"
        "\"access\",\"front_channel_name\":\"Name\"}");
    introspect_tell(fixture->worker, fixture->front, slice_of(token), NOW_S, &story);
    assert_int_equal(story.reason, REASON_MAPPING_MISSING);
    assert_string_equal(story.missing_member, "front_channel_address");
    assert_null(story.answer);
    introspect_story_deinit(&story);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_a_good_token_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(caches_nothing_beyond_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(caches_nothing_beyond_its_own_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_clients_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(remembers_an_inactive_verdict_with_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_forgeries_under_a_good_header, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_good_verdicts_through_a_flood_of_bad_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_not_yet_valid_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_the_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_more_than_its_first_buffer_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_a_long_kid_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_whole_story, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
