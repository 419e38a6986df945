/*
 * Every allocation of a decision fails in turn, OpenSSL's and jansson's too: then there is no verdict, or the
 * right one; never a wrong one, and none that is kept.
 */
#include "introspect_fixture.h"

#include "introspectd/json.h"

#include "../failing_library_alloc.h"
#include "failing_alloc.h"

#include <openssl/err.h>

enum { MAX_ALLOCATIONS = 2000 };

static const algorithm_t ALGORITHMS[] = {ALGORITHM_RS256, ALGORITHM_PS256, ALGORITHM_ES256, ALGORITHM_EDDSA,
                                         ALGORITHM_HS256};

typedef struct subject {
    fixture_t *fixture;
    keyset_t *keys;
    char *token;
    reason_t reason; /* the right one */
} subject_t;

static char *token_by(const private_key_t *key, algorithm_t algorithm, const char *payload)
{
    char header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"k\",\"typ\":\"at+jwt\"}",
             algorithm_name(algorithm));
    char *header_part = encode(header);
    char *payload_part = encode(payload);
    char *token = malloc(strlen(header_part) + strlen(payload_part) + 1000);
    assert_non_null(token);
    sprintf(token, "%s.%s", header_part, payload_part);
    unsigned char *signature;
    size_t len;
    assert_true(private_key_sign(key, algorithm, slice_of(token), &signature, &len));
    strcat(token, ".");
    base64url_encode(signature, len, token + strlen(token));
    free(signature);
    free(header_part);
    free(payload_part);
    return token;
}

static bool is_right(const subject_t *subject, introspect_outcome_t outcome, reason_t reason)
{
    return reason == subject->reason &&
           outcome == (reason == REASON_NONE ? INTROSPECT_ACTIVE : INTROSPECT_INACTIVE);
}

/* What was cached or remembered before counts no more. */
static void forget(const subject_t *subject)
{
    fixture_t *fixture = subject->fixture;
    introspect_worker_free(fixture->worker);
    fixture->worker = introspect_worker_new(fixture->introspector);
    assert_non_null(fixture->worker);
    keyset_slot_set_keys(subject->fixture->config->issuers[0].keys, keyset_acquire(subject->keys));
}

static bool decide_failing(const subject_t *subject, unsigned passing)
{
    forget(subject);
    failing_alloc_arm(passing);
    introspect_verdict_t verdict =
        introspect(subject->fixture->worker, subject->fixture->front, subject->token, NOW_S);
    bool has_failed = failing_alloc_disarm();
    assert_int_equal(ERR_peek_error(), 0);
    bool is_none = verdict.outcome == INTROSPECT_UNAVAILABLE && verdict.reason == REASON_INTERNAL_ERROR;
    if (!is_right(subject, verdict.outcome, verdict.reason) && !(has_failed && is_none))
        fail_msg("allocation %u: %s, not %s", passing, reason_name(verdict.reason),
                 reason_name(subject->reason));
    verdict = introspect(subject->fixture->worker, subject->fixture->front, subject->token, NOW_S);
    if (!is_right(subject, verdict.outcome, verdict.reason))
        fail_msg("after allocation %u: %s, not %s", passing, reason_name(verdict.reason),
                 reason_name(subject->reason));
    return has_failed;
}

static bool tell_failing(const subject_t *subject, unsigned passing)
{
    introspect_story_t story;
    forget(subject);
    failing_alloc_arm(passing);
    introspect_tell(subject->fixture->worker, subject->fixture->front, slice_of(subject->token), NOW_S,
                    &story);
    bool has_failed = failing_alloc_disarm();
    bool is_none = story.outcome == INTROSPECT_UNAVAILABLE && story.reason == REASON_INTERNAL_ERROR;
    if (!is_right(subject, story.outcome, story.reason) && !(has_failed && is_none))
        fail_msg("allocation %u: told %s, not %s", passing, reason_name(story.reason),
                 reason_name(subject->reason));
    assert_int_equal(story.answer != NULL, story.outcome == INTROSPECT_ACTIVE);
    introspect_story_deinit(&story);
    return has_failed;
}

/* How many there are. */
static unsigned fail_each(const subject_t *subject, bool (*try)(const subject_t *subject, unsigned passing))
{
    unsigned passing = 0;
    while (try(subject, passing))
        assert_in_range(++passing, 0, MAX_ALLOCATIONS);
    return passing;
}

/* A good payload that is too large for the block that a decision's JSON lies in. */
static char *large_payload(void)
{
    enum { MEMBERS = 150, MEMBER_MAX = 16 };
    char more[MEMBERS * MEMBER_MAX + 1];
    size_t len = 0;
    for (int i = 0; i < MEMBERS; i++)
        len += (size_t)snprintf(more + len, sizeof(more) - len, ",\"m%d\":[[]]", i);
    return payload_until(NOW_S + 30, more);
}

static void fail_each_with(fixture_t *fixture, algorithm_t algorithm)
{
    private_key_t *key = private_key_generate(algorithm, "k");
    private_key_t *other_key = private_key_generate(algorithm, "k");
    assert_true(key != NULL && other_key != NULL);
    char *jwks = jwks_of(key);
    const char *error;
    subject_t subject = {.fixture = fixture};
    subject.keys = keyset_parse(slice_of(jwks), NULL, NULL, &error);
    assert_non_null(subject.keys);
    free(jwks);
    ((config_t *)fixture->config)->issuers[0].algorithms = 1u << algorithm;

    char *good = payload_until(NOW_S + 30, "");
    char *expired = payload_until(NOW_S - 60, "");
    char *large = large_payload();
    const struct {
        const private_key_t *key;
        const char *payload;
        reason_t reason;
        unsigned allocations; /* of a decision, at least */
    } cases[] = {{key, good, REASON_NONE, 2},
                 {other_key, good, REASON_BAD_SIGNATURE, 2},
                 {key, expired, REASON_EXPIRED, 2},
                 {key, large, REASON_NONE, 100}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        subject.reason = cases[i].reason;
        subject.token = token_by(cases[i].key, algorithm, cases[i].payload);
        assert_in_range(fail_each(&subject, decide_failing), cases[i].allocations, MAX_ALLOCATIONS);
        /* Without that block, every allocation is one that can fail. */
        assert_in_range(fail_each(&subject, tell_failing), 30, MAX_ALLOCATIONS);
        free(subject.token);
    }
    free(good);
    free(expired);
    free(large);
    keyset_release(subject.keys);
    private_key_free(key);
    private_key_free(other_key);
}

static void no_wrong_verdict_comes_of_it(void **state)
{
    for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]); i++)
        fail_each_with(*state, ALGORITHMS[i]);
}

static void an_introspector_is_whole_or_not_at_all(void **state)
{
    fixture_t *fixture = *state;
    unsigned passing = 0;
    for (bool has_failed = true; has_failed; passing++) {
        assert_in_range(passing, 0, MAX_ALLOCATIONS);
        failing_alloc_arm(passing);
        introspect_worker_t *worker = introspect_worker_new(fixture->introspector);
        has_failed = failing_alloc_disarm();
        assert_true(worker != NULL || has_failed);
        introspect_worker_free(worker);
        ERR_clear_error();
    }
    assert_true(passing > 3);
}

int main(void)
{
    if (!failing_library_alloc_init())
        return 1;
    json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_wrong_verdict_comes_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(an_introspector_is_whole_or_not_at_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
