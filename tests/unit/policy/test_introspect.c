#include "introspectd/introspect.h"

#include "introspectd/base64url.h"
#include "introspectd/private_key.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const int64_t NOW_S = 1700000000;

static const char CONFIG[] =
    "listen: [{address: \"127.0.0.1:0\"}]\n"
    "cache: {max_bytes: 1MiB, stripes: 4, max_ttl: 60s}\n"
    "limits: {max_body: 128KiB, max_token: 64KiB}\n"
    "issuers:\n"
    "  - issuer: https://idp.example/\n"
    "    jwks_file: jwks.json\n"
    "    algorithms: [ES256]\n"
    "    audience: [https://api.example]\n"
    "    token_types: [at+jwt]\n"
    "    require: {token_use: access}\n"
    "    leeway: 10s\n"
    "  - {issuer: https://other.example/, jwks_file: jwks.json, algorithms: [ES256], audience: any}\n"
    "clients:\n"
    "  - {client_id: front, client_secret_files: [secret], profile: front_private,\n"
    "     issuers: [https://idp.example/]}\n"
    "  - {client_id: rs, client_secret_files: [secret], profile: rfc7662}\n";

typedef struct fixture {
    char directory[64];
    private_key_t *key;
    private_key_t *other_key; /* in no key set at first; the same kid */
    config_t *config;
    introspector_t *introspector;
    introspect_worker_t *worker;
    const client_t *front;
    const client_t *rs;
} fixture_t;

static void write_file(const fixture_t *fixture, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char *jwks_of(const private_key_t *key)
{
    json_t *jwks = json_pack("{s:[o]}", "keys", private_key_to_jwk(key, false));
    char *text = json_dumps(jwks, 0);
    assert_non_null(text);
    json_decref(jwks);
    return text;
}

static keyset_t *keyset_of(const private_key_t *key)
{
    char *text = jwks_of(key);
    const char *error;
    keyset_t *keys = keyset_parse(slice_of(text), NULL, NULL, &error);
    assert_non_null(keys);
    free(text);
    return keys;
}

static int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/introspect-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->key = private_key_generate(ALGORITHM_ES256, "k1");
    fixture->other_key = private_key_generate(ALGORITHM_ES256, "k1");
    assert_non_null(fixture->key);
    assert_non_null(fixture->other_key);
    char *jwks = jwks_of(fixture->key);
    write_file(fixture, "jwks.json", jwks);
    free(jwks);
    write_file(fixture, "secret", "a secret of some length\n");
    write_file(fixture, "config.yaml", CONFIG);

    char path[128];
    config_error_t error;
    snprintf(path, sizeof(path), "%s/config.yaml", fixture->directory);
    fixture->config = config_load(path, &error);
    if (fixture->config == NULL)
        fail_msg("%s", error.text);
    fixture->introspector = introspector_new(fixture->config);
    fixture->worker = introspect_worker_new(fixture->introspector);
    fixture->front = client_set_find(&fixture->config->clients, slice_of("front"));
    fixture->rs = client_set_find(&fixture->config->clients, slice_of("rs"));
    assert_non_null(fixture->worker);
    assert_non_null(fixture->front);
    assert_non_null(fixture->rs);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    static const char *const FILES[] = {"jwks.json", "secret", "config.yaml"};
    fixture_t *fixture = *state;
    introspect_worker_free(fixture->worker);
    introspector_free(fixture->introspector);
    config_free(fixture->config);
    private_key_free(fixture->key);
    private_key_free(fixture->other_key);
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", fixture->directory, FILES[i]);
        unlink(path);
    }
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static char *encode(const char *text)
{
    char *encoded = malloc(base64url_encoded_len(strlen(text)) + 1);
    assert_non_null(encoded);
    base64url_encode((const unsigned char *)text, strlen(text), encoded);
    return encoded;
}

/* A token of that header and payload, signed with key. The caller frees it. */
static char *sign(const private_key_t *key, const char *header, const char *payload)
{
    char *header_part = encode(header);
    char *payload_part = encode(payload);
    size_t input_size = strlen(header_part) + strlen(payload_part) + 2;
    char *token = malloc(input_size + 200);
    assert_non_null(token);
    snprintf(token, input_size, "%s.%s", header_part, payload_part);
    unsigned char *signature;
    size_t signature_len;
    assert_true(private_key_sign(key, ALGORITHM_ES256, slice_of(token), &signature, &signature_len));
    strcat(token, ".");
    base64url_encode(signature, signature_len, token + strlen(token));
    free(signature);
    free(header_part);
    free(payload_part);
    return token;
}

static const char HEADER[] = "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}";

/* A payload that is good until exp_s, with more members behind it. The caller frees it. */
static char *payload_until(int64_t exp_s, const char *more)
{
    char *payload = malloc(strlen(more) + 512);
    assert_non_null(payload);
    sprintf(payload,
            "{\"iss\":\"https://idp.example/\",\"aud\":\"https://"
            "api.example\",\"token_use\":\"access\",\"exp\":%lld,"
            "\"front_channel_name\":\"Name\",\"front_channel_address\":\"a1\"%s}",
            (long long)exp_s, more);
    return payload;
}

static char *good_token(const fixture_t *fixture, int64_t exp_s, const char *more)
{
    char *payload = payload_until(exp_s, more);
    char *token = sign(fixture->key, HEADER, payload);
    free(payload);
    return token;
}

/* As the endpoint does it: the cache, then the decision. */
static introspect_verdict_t introspect(introspect_worker_t *worker, const client_t *client, const char *token,
                                       int64_t now_s)
{
    digest_t key;
    introspect_verdict_t verdict;
    if (!introspect_lookup(worker, client, slice_of(token), now_s, &key, &verdict))
        introspect_decide(worker, client, slice_of(token), now_s, &key, &verdict);
    return verdict;
}

static void assert_answer(introspect_verdict_t verdict, const char *expected)
{
    assert_int_equal(verdict.answer.len, strlen(expected));
    assert_memory_equal(verdict.answer.base, expected, verdict.answer.len);
}

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

static void ends_cached_verdicts_with_their_keys(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 30, "");
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).outcome, INTROSPECT_ACTIVE);
    introspector_set_keys(fixture->introspector, 0, keyset_of(fixture->other_key));
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).reason, REASON_BAD_SIGNATURE);
    introspector_set_keys(fixture->introspector, 0, keyset_of(fixture->key));
    assert_int_equal(introspect(fixture->worker, fixture->front, token, NOW_S).outcome, INTROSPECT_ACTIVE);
    introspector_set_keys(fixture->introspector, 0, NULL);
    assert_false(introspector_has_keys(fixture->introspector, 0));
    assert_true(introspector_has_keys(fixture->introspector, 1));
    for (int i = 0; i < 2; i++) {
        introspect_verdict_t verdict = introspect(fixture->worker, fixture->front, token, NOW_S);
        assert_int_equal(verdict.outcome, INTROSPECT_UNAVAILABLE);
        assert_int_equal(verdict.reason, REASON_KEYS_UNAVAILABLE);
        assert_false(verdict.is_from_cache);
        assert_null(verdict.answer.base);
    }
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
        introspector_set_keys(rotation.fixture->introspector, 0, keys);
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
        cmocka_unit_test_setup_teardown(answers_a_good_token_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(caches_nothing_beyond_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(caches_nothing_beyond_its_own_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_clients_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(remembers_an_inactive_verdict_with_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_good_verdicts_through_a_flood_of_bad_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_not_yet_valid_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_cached_verdicts_with_their_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_the_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_the_token, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_more_than_its_first_buffer_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_a_long_kid_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_whole_story, setup, teardown),
        cmocka_unit_test_setup_teardown(serves_no_verdict_of_keys_that_are_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
